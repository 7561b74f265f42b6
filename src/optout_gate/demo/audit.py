"""A visitor with and one without the signal, page by page: what each is given, seen from outside.

The judgement is the manifest's, which was written by hand from the pages: a host that a visitor who opted out must
not reach may stand nowhere but in a link that a person clicks, and in the blocks of data that run nothing.
"""

import re
from collections import Counter
from dataclasses import dataclass

from optout_gate.demo.manifest import INERT, PLANTED, TRACKING_COOKIES, hosts_to_keep, hosts_to_lose
from optout_gate.demo.site import BEACON
from optout_gate.http import Headers
from optout_gate.proxy.upstream import Upstream, UpstreamResponse
from optout_gate.report import Report

_LINK = re.compile(rb"<a\s[^>]*?\bhref=\"[^\"]*\"")
_PING = re.compile(rb"\sping=\"[^\"]*\"")
PHONE = b"Mozilla/5.0 (optout-gate demo)"


@dataclass(frozen=True, slots=True)
class Visit:
    """One page as one visitor gets it.

    Attributes:
        status: HTTP status.
        size: bytes of the body.
        denied_hosts: hosts on it that an opted-out visitor must not reach.
        tracking_cookies: vendors' cookies that the response sets.
        kept_hosts: third parties on it that serve the page itself.
        body: the body as it came.
    """

    status: int
    size: int
    denied_hosts: frozenset[str]
    tracking_cookies: frozenset[str]
    kept_hosts: frozenset[str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Compared:
    """One page, as both visitors get it, and what the gate says it took out."""

    path: str
    plain: Visit
    opted_out: Visit
    untouched: bool
    removed: Counter[tuple[str, str, str]]

    @property
    def broken(self) -> list[str]:
        """What is not as promised; empty when everything is."""
        found = []
        if self.opted_out.denied_hosts:
            found.append(f"still there: {', '.join(sorted(self.opted_out.denied_hosts))}")
        if self.opted_out.tracking_cookies:
            found.append(f"still set: {', '.join(sorted(self.opted_out.tracking_cookies))}")
        if not self.untouched:
            found.append("the page without a signal is not the origin's")
        missing = hosts_to_keep(self.path) - self.opted_out.kept_hosts
        if missing:
            found.append(f"gone, and should not be: {', '.join(sorted(missing))}")
        if self.opted_out.status != self.plain.status:
            found.append(f"status {self.opted_out.status} instead of {self.plain.status}")
        return found


async def compare(path: str, *, origin: Upstream, gate: Upstream, authority: str, last: "list[Report]") -> Compared:
    """Return how a page comes to both visitors. ``last`` receives the gate's reports, newest at the end."""
    bare = await _get(origin, path, authority)
    plain = await _get(gate, path, authority)
    opted_out = await _get(gate, path, authority, (b"Sec-GPC", b"1"))
    return Compared(path, plain, opted_out, bare.body == plain.body, last[-1].removals.counts)


async def beacon_reaches(*, gate: Upstream, authority: str) -> tuple[bool, bool]:
    """Return whether a beacon through the site's own host reaches it: of one visitor without, one with the signal."""
    _, plain = await _asked(gate, BEACON, authority)
    _, opted_out = await _asked(gate, BEACON, authority, (b"Sec-GPC", b"1"))
    return b"collected" in plain, b"collected" in opted_out


async def _get(client: Upstream, path: str, authority: str, *extra: tuple[bytes, bytes]) -> Visit:
    response, body = await _asked(client, path, authority, *extra)
    text = _reaching(path, body) + b"\n" + b"\n".join(value for _, value in response.headers)
    lose, keep = hosts_to_lose(path), hosts_to_keep(path)
    cookies = {value.partition(b"=")[0].decode() for value in response.headers.values(b"set-cookie")}
    return Visit(
        response.status,
        len(body),
        frozenset(host for host in lose if _names(host, text)),
        frozenset(cookies & TRACKING_COOKIES.keys()),
        frozenset(host for host in keep if _names(host, text)),
        body,
    )


async def _asked(
    client: Upstream, path: str, authority: str, *extra: tuple[bytes, bytes]
) -> tuple[UpstreamResponse, bytes]:
    headers = Headers([(b"Host", authority.encode()), (b"User-Agent", PHONE), (b"Accept", b"text/html"), *extra])
    response = await client.send("GET", path.encode(), headers)
    body = b""
    while not response.ended:
        body += await response.read()
    await response.close()
    return response, body


def _names(host: str, text: bytes) -> bool:
    return re.search(rb"(?<![a-z0-9-])" + re.escape(host.encode()), text, re.IGNORECASE) is not None


def _reaching(path: str, body: bytes) -> bytes:
    """Return a page without what reaches nobody by itself: links, and blocks of data."""
    for start in INERT.get(path, ()):
        head, found, rest = body.partition(start)
        if found:
            body = head + rest.partition(b"</script>")[2]
    return _LINK.sub(lambda link: b" ".join(_PING.findall(link.group())), body)


def pages() -> tuple[str, ...]:
    """Return the demo site's pages and style sheets that carry a vendor."""
    return tuple(PLANTED)
