"""Cases of the surrogates: for each, the vendor's published bootstrap and what page code does with it.

A case is ``tests/browser/surrogates/NAME.case``: two lines (``vendor:`` and ``globals:``), then sections that start
with ``---- name``. They hold JavaScript (``body`` holds HTML), in which ``seen('what')`` makes a callback that must
be called exactly once:

``bootstrap TEXT``
    the vendor's published inline snippet; TEXT, the address it loads from, gives way to the surrogate's. Without
    TEXT, the snippet comes with a plain ``<script async src>``.
``early``
    runs right behind the bootstrap, before the surrogate is there: what a page queues.
``use``
    the usual calls, made in a submit handler and by a page without the bootstrap.
``wait``
    runs once the page has loaded, in every mode: the callbacks that must fire.
``link``
    the click handler of an outbound link; ``go`` follows it, so a handler that names ``go`` holds the click back.
``body``
    markup that the vendor's script works on.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "browser" / "surrogates"

_SEEN = re.compile(r"seen\('([^']+)'")
_SECTIONS = {"bootstrap", "early", "use", "wait", "link", "body"}


@dataclass(frozen=True, slots=True)
class Case:
    """One surrogate, and pages that use it."""

    name: str
    vendor: str
    globals: tuple[str, ...]
    needs_eval: bool
    bootstrap: str
    address: str
    early: str
    use: str
    wait: str
    link: str
    body: str

    @property
    def callbacks(self) -> tuple[str, ...]:
        """What must be called, each once named, in the order of the case."""
        return tuple(dict.fromkeys(_SEEN.findall(self.early + self.wait)))

    def expected(self, *sections: str) -> dict[str, int]:
        """Return how often each callback must have been called once these sections have run."""
        return dict(Counter(_SEEN.findall("".join(sections))))

    def stand_in(self, script: str) -> str:
        """Return what takes the place of the vendor's address, where the surrogate is at ``script``.

        As the gate does it: the host gives way, and what follows it, in the address and in the script, is behind a "#".
        """
        if self.address[0] in "\"'":
            return json.dumps(script + "#")
        return re.sub(r"^(?:https?:)?//[^/]+", script + "#", self.address)

    def neutralised(self, script: str) -> str:
        """Return the bootstrap with the vendor's address replaced, so that it loads ``script``."""
        if self.address not in self.bootstrap:
            raise ValueError(f"{self.name}: the bootstrap does not contain {self.address!r}")
        return self.bootstrap.replace(self.address, self.stand_in(script))


def read_case(path: Path) -> Case:
    """Return the case in a file; raises ValueError where it is not written as the module says."""
    head, *parts = re.split(r"^---- *", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    fields = dict(line.split(": ", 1) for line in head.splitlines() if line.strip() and not line.startswith("#"))
    sections, address = dict.fromkeys(_SECTIONS, ""), ""
    for part in parts:
        title, _, text = part.partition("\n")
        name, _, rest = title.partition(" ")
        if name not in _SECTIONS:
            raise ValueError(f"{path.name}: no section is called {name!r}")
        address = rest.strip() if name == "bootstrap" else address
        sections[name] = text
    return Case(
        name=path.stem,
        vendor=fields["vendor"],
        globals=tuple(fields.get("globals", "").split()),
        needs_eval="eval" in fields.get("needs", ""),
        address=address,
        **sections,
    )


def read_cases() -> tuple[Case, ...]:
    """Return every case, by name."""
    return tuple(read_case(path) for path in sorted(FOLDER.glob("*.case"), key=lambda path: path.stem))


def table(cases: tuple[Case, ...]) -> str:
    """Return the table of ``docs/surrogates.md``: vendor, script, globals, callbacks."""
    rows = ["| stands in for | script | globals | what fires, once |", "|---|---|---|---|"]
    for case in cases:
        names = " ".join(f"`{name}`" for name in case.globals) or "none"
        fires = "; ".join(f"`{name}`" for name in case.callbacks) or "nothing waits"
        rows.append(f"| {case.vendor} | `{case.name}.js` | {names} | {fires} |")
    return "\n".join(rows) + "\n"
