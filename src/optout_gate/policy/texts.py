"""The words of the preference page and the status, by language. They are data: ``policy/words/LANG.yaml``.

English and Spanish, the two languages that a US site is most often asked for. A visitor's language is the one they
chose on the page (``?lang=``), or the best of what their browser asks for (RFC 9110 §12.5.4).
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from optout_gate.documents import parse

Texts = Mapping[str, str]
"""Words by name, all in one language."""

LANGUAGES = ("en", "es")
"""The languages that the page speaks, the one for everybody else first."""

PLACEHOLDERS = frozenset(
    {"lang", "title", "page_title", "style", "state", "detail", "signal", "status", "mark", "notices", "languages",
     "opt_out_path", "opt_in_path", "button_out", "button_in", "out_pressed", "in_pressed", "kept", "more"}
)  # fmt: skip
"""What a template of the preference page may refer to as ``$name``; ``docs/preferences.md`` has the table."""


@cache
def builtin() -> Mapping[str, Texts]:
    """Return the texts that come with the package, by language."""
    return MappingProxyType({language: _read(language) for language in LANGUAGES})


def _read(language: str) -> Texts:
    file = files("optout_gate.policy") / "words" / f"{language}.yaml"
    data: dict[str, Any] = parse(file.read_text("utf-8"), file.name).data
    return MappingProxyType({name: str(words).strip() for name, words in data.items()})


NAMES = frozenset(builtin()["en"])
"""The names that every language has words for."""


def preferred(accept_language: Iterable[str], *, chosen: str | None = None) -> str:
    """Return the language to answer in. Never raises; what cannot be read asks for nothing.

    Args:
        accept_language: the values of the ``Accept-Language`` lines.
        chosen: what ``?lang=`` says; counts when it is one of :data:`LANGUAGES`.
    """
    if chosen in LANGUAGES:
        return chosen
    best, best_weight = LANGUAGES[0], 0.0
    for part in ",".join(accept_language)[:1000].split(","):
        tag, _, parameter = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        name, _, text = parameter.partition("=")
        weight = _weight(text.strip()) if name.strip().lower() == "q" else 1.0
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
