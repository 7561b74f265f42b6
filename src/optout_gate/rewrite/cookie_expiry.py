"""The ``Set-Cookie`` lines that take a denied vendor's cookies out of a browser that has them.

A request's ``Cookie`` names a cookie and not the ``Domain`` and ``Path`` it was set with, and only a line with the same
ones expires it; so there is a line for every Domain and Path that could have sent it along, and over TLS another for
each that is partitioned (CHIPS): a line without ``Partitioned`` leaves such a cookie where it is. Browsers pass over the
others: a Domain that is a public suffix, a Path where there is nothing.

They are sent only while the request brings such a cookie. Nothing is remembered about anybody to know that, and a
browser that has let go of them gets none.
"""

from collections.abc import Iterator
from itertools import product

from optout_gate.http import Pair, Request
from optout_gate.rewrite.judge import Judge

MAX_LINES = 64  # on one response, some 5 KB; proxies commonly take 8 KB of header. What is left goes with the next page
MAX_PATH_DEPTH = 4  # deeper than vendors' scripts set cookies: they use "/", or the directory of a page


def expiring(request: Request, judge: Judge) -> list[Pair]:
    """Return the lines that expire every denied cookie of a request, the likeliest variants first."""
    names = list(dict.fromkeys(_denied_names(request, judge)))
    if not names:
        return []
    # A partitioned cookie is Secure (CHIPS §3.1), and one that is Secure can be set over TLS alone.
    kinds = ("; Secure", "; Secure; Partitioned") if request.scheme == "https" else ("",)
    lines: list[Pair] = []
    for path in _paths(request.path):
        for kind, name in product(kinds, names):
            for domain in _domains(request.host):
                if name.startswith("__Host-") and (domain or path != "/"):
                    continue  # such a cookie has no Domain and the Path "/" (RFC 6265bis §4.1.3.2)
                value = f"{name}=; Max-Age=0; Path={path}{f'; Domain={domain}' if domain else ''}{kind}"
                lines.append((b"Set-Cookie", value.encode("latin-1", "replace")))
                if len(lines) == MAX_LINES:
                    return lines
    return lines


def _denied_names(request: Request, judge: Judge) -> Iterator[str]:
    for line in request.headers.values(b"cookie"):
        for pair in line.split(b";"):
            name = pair.partition(b"=")[0].strip(b" \t").decode("latin-1")
            if name and judge.cookie(name) is not None:
                yield name


def _domains(host: str) -> list[str]:
    """Return "" for a cookie of the host alone, and every domain above it that a cookie can name."""
    labels = host.split(".")
    if labels[-1].isdigit() or ":" in host or len(labels) < 2:
        return [""]  # an address, or a bare name: no Domain matches
    return ["", *(".".join(labels[start:]) for start in range(len(labels) - 1))]


def _paths(path: str) -> list[str]:
    """Return "/" and the directories above a path, with and without their final slash (RFC 6265 §5.1.4)."""
    found = ["/"]
    for number, character in enumerate(path):
        if number and character == "/" and len(found) < 2 * MAX_PATH_DEPTH:
            found += [path[:number], path[: number + 1]]
    if path not in found and len(path) > 1:
        found.append(path)
    return [each for each in found if ";" not in each]
