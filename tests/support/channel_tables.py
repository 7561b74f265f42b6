"""The tables of ``docs/channels.md``, printed from those that the code works by. The reasons are the code's comments."""

import re
from collections.abc import Iterator
from pathlib import Path

from optout_gate.rewrite import references, response_head
from optout_gate.rewrite.references import EVERYWHERE, REFERENCES, REPLACEMENT, Reference

PLACES = {
    "script": "the vendor's stand-in",
    "image": "a transparent pixel",
    "iframe": "`about:blank`, or a placeholder for a visible embed",
    "form": "a page of the gate's own that says that nothing was sent",
}
MANY = {
    "": "",
    "srcset": "; of several candidates, the denied ones alone",
    "tokens": "; of several, the denied ones alone",
}


def markup() -> str:
    """Return the table of attributes."""
    lines = ["| element | attribute | what takes a denied reference's place |", "|---|---|---|"]
    rows = [(f"`{tag}`", reference) for tag, held in REFERENCES.items() for reference in held]
    rows += [("any", reference) for reference in EVERYWHERE]
    lines += [f"| {tag} | `{reference.attribute}` | {_place(tag, reference)} |" for tag, reference in rows]
    return "\n".join(lines) + "\n"


def _place(tag: str, reference: Reference) -> str:
    if reference.many or tag.startswith("`amp-"):
        place = "nothing: the attribute goes"
    else:
        assert reference.kind == "script" or reference.kind in REPLACEMENT
        place = PLACES.get(reference.kind, "nothing: the attribute goes")
    return place + MANY[reference.many]


def headers() -> str:
    """Return the table of response headers, with the reason that stands beside each in the code."""
    lines = ["| field | why it is looked at |", "|---|---|"]
    lines += [f"| `{name}` | {reason} |" for name, reason in _reasons("ENFORCED")]
    return "\n".join(lines) + "\n"


def _reasons(table: str) -> Iterator[tuple[str, str]]:
    source = Path(response_head.__file__).read_text("utf-8")
    body = source.partition(f"\n{table}: ")[2].partition("\n}")[0]
    reason = ""
    for name, comment in re.findall(r'^    b"([a-z-]+)": [^#\n]+?,(?:  # (.+))?$', body, re.MULTILINE):
        reason = comment or reason  # lines of one reason stand together, the first one bears it
        yield name, reason


def not_fetched() -> str:
    """Return the link types that load nothing."""
    return ", ".join(f"`{rel}`" for rel in sorted(references.NOT_FETCHED)) + "\n"
