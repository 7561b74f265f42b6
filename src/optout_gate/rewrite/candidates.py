"""The candidates of a ``srcset``, taken apart as browsers do (HTML §4.8.4.3.5).

An address goes to the next blank, commas and all, and only those at its end part it from what follows. Its descriptor
goes to a comma that no parenthesis holds; a parenthesis without its end goes to the end. Each character is looked at
once: one expression for all of it took three seconds for a kilobyte with such a parenthesis.
"""

import re
from collections.abc import Iterator

_ADDRESS = re.compile(r"[\t\n\f\r ,]*([^\t\n\f\r ,][^\t\n\f\r ]*)")
_DESCRIPTOR = re.compile(r"(?:[^,(]+|\([^)]*\)?)*")  # matches at every place, so nothing is tried twice


def candidates(srcset: str) -> Iterator[tuple[str, str]]:
    """Yield each candidate's address, and its descriptor with the blanks around it."""
    at = 0
    while (found := _ADDRESS.match(srcset, at)) is not None:
        at = found.end()
        address = found[1].rstrip(",")
        if address != found[1]:
            yield address, ""
            continue
        described = _DESCRIPTOR.match(srcset, at)
        assert described is not None
        at = described.end() + 1  # the comma
        yield address, described[0]
