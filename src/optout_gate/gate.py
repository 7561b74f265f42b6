"""The core's only front door: heads and bytes in, heads and bytes out. No socket, no await, no clock of its own.

A door (reverse proxy, ASGI middleware, mitmproxy addon) owns the I/O and does this for every request::

    exchange = gate.open(request)          # the site, the signals, the decision
    if exchange.beacon: ...                # its path is that of a vendor's collection: see Beacon
    send upstream: exchange.request        # the head to send on
    passage = exchange.respond(response)   # the head, and what to put the body through
    for chunk in body: send(passage.feed(chunk))
    send(passage.close())
    record(exchange.report)                # what was removed, and what it cost
"""

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from ipaddress import ip_network

from optout_gate.exchange import Exchange
from optout_gate.http import Headers, Request, Response
from optout_gate.policy.config import Mode, PolicyConfig
from optout_gate.policy.config_visitor import StatusPlace
from optout_gate.policy.decision import Policy
from optout_gate.policy.fingerprint import fingerprint
from optout_gate.policy.load import Loaded
from optout_gate.rewrite import repeats
from optout_gate.rewrite.cloaks import Cloaks
from optout_gate.rewrite.guard_rules import Guards
from optout_gate.rewrite.memory import Memory
from optout_gate.rewrite.status import Status
from optout_gate.signals.reading import Reading, Signal, read
from optout_gate.site import Site

_FIRST_PAGE = (
    b"<!doctype html><html><head><title></title></head><body><script>0</script><p style='color:red'></p></body></html>"
)


class Gate:
    """A configuration at work: a reload builds a new one and swaps it. What changes in it is only what it remembers."""

    def __init__(self, loaded: Loaded, *, clock: Callable[[], float]) -> None:
        """Take what ``load_file`` returns, and a clock in seconds by which work is measured: ``time.perf_counter``."""
        if not isinstance(loaded, Loaded):
            raise TypeError(f"a gate takes what load_file returns, not {loaded!r}")
        self._loaded = loaded
        self.config = loaded.config
        self.catalog = loaded.catalog
        self.filter_lists = loaded.filter_lists
        self.beside = loaded.beside
        self.status = _status(loaded)
        self.clock = clock
        self.memory = Memory()
        self.limits = loaded.config.limits.rewriting
        self.repeats = repeats.Repeats(self.limits.remembered_bytes)
        self.cloaks = Cloaks(loaded.catalog, clock) if loaded.config.dns.uncloak else None
        policies = {"default": PolicyConfig(), **loaded.config.policies}
        self.policies = {name: Policy(name, policy, loaded.catalog) for name, policy in policies.items()}
        self.trusted_proxies = tuple(ip_network(each) for each in loaded.config.trusted_proxies)
        guards = {name: Guards(policy, loaded.catalog) for name, policy in self.policies.items()}
        self.sites = tuple(
            Site(
                site,
                self.policies[site.policy],
                loaded.config.cookie,
                guards[site.policy],
                loaded.beside.upstream_tls.get(number),
            )
            for number, site in enumerate(loaded.config.sites)
        )
        self._site_for = lru_cache(maxsize=1024)(self._first_for)

    def site_for(self, host: str) -> Site | None:
        """Return the first site that answers to ``host``, or None."""
        return self._site_for(host)

    def _first_for(self, host: str) -> Site | None:
        return next((site for site in self.sites if site.answers_to(host)), None)

    def learn(self, host: str, names: Sequence[str], lifetime_s: float) -> None:
        """Take what the DNS says of a subdomain: the names that its CNAMEs lead to, and for how long that holds."""
        if self.cloaks is not None and self.cloaks.learn(host, names, lifetime_s):
            # What pages became with what was known before is past.
            self.memory, self.repeats = Memory(), repeats.Repeats(self.limits.remembered_bytes)

    @cached_property
    def policy_hash(self) -> bytes:
        """A hash of everything but a request and its response that a page depends on."""
        return fingerprint(self._loaded)

    def warm_up(self) -> None:
        """Make now what is made when it is first needed: a door calls this before it serves anybody.

        The guard, and the patterns that markup is searched for, take a fifth of a second, in which nobody else would be
        answered. A gate that only says what it would do (``check``, ``probe``) need not spend it, nor one that is off. The
        page is that of the signal that nearly all send; what a page without a vendor does not need costs next to nothing.
        """
        active = {site.policy.name: site for site in reversed(self.sites) if site.config.mode is not Mode.OFF}
        for site in active.values():
            host = site.name.replace("*", "www")
            lines = [(b"Host", host.encode()), (b"Sec-GPC", b"1"), (b"Sec-Fetch-Dest", b"document")]
            exchange = Exchange(self, site, Request("GET", "https", host, b"/", Headers(lines)))
            told = [(b"Content-Type", b"text/html"), (b"Content-Length", b"%d" % len(_FIRST_PAGE))]
            passage = exchange.respond(Response(200, Headers(told)))
            if not passage.untouched:
                passage.feed(_FIRST_PAGE)
                passage.close()
        self.memory, self.repeats = Memory(), repeats.Repeats(self.limits.remembered_bytes)

    def read(self, request: Request, site: Site) -> Reading:
        """Return what a request to ``site`` says, by its header lines alone."""
        return read(request.headers, cookie_name=self.config.cookie.name, onetrust_groups=site.wording.onetrust_groups)

    def open(self, request: Request, known: Signal | None = None, *, untold: bool = False) -> Exchange | None:
        """Return the exchange that ``request`` begins, or None when no site answers to its host (421).

        Args:
            request: the head as the visitor sent it.
            known: the standing opt-out of the consumer who has signed in, which the door looked up.
            untold: a consumer has signed in, and the store of choices does not say what stands for them.
        """
        site = self.site_for(request.host)
        return Exchange(self, site, request, known, untold=untold) if site is not None else None


def _status(loaded: Loaded) -> Status | None:
    place = loaded.config.preferences.status
    if place is StatusPlace.OFF:
        return None
    words = {language: texts["status_honored"] for language, texts in loaded.beside.texts.items()}
    return Status(words, at_end=place is StatusPlace.END_OF_BODY)
