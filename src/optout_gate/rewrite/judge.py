"""Who is asked about every reference in a page: what it belongs to, and whether it may stay.

One judge serves one exchange. It knows the page's URL and the site's own hosts, which are never touched, asks the
catalogue first and the operator's filter lists after it, and keeps a note of everything that was taken out.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from optout_gate.policy.config import Action, Unknown
from optout_gate.policy.decision import Decision, Verdict
from optout_gate.rewrite.cloaks import Cloaks
from optout_gate.rewrite.embeds import boxes_selectors
from optout_gate.rewrite.memory import Known, Memory, Shelf
from optout_gate.rewrite.removals import Removals
from optout_gate.trackers import unknown
from optout_gate.trackers.catalog import Catalog, Rule
from optout_gate.trackers.lists import FilterList
from optout_gate.trackers.urls import Base, Target, base_of, resolve
from optout_gate.trackers.vendor import Box, Vendor

MAX_SELECTORS = 256  # kept for one shelf; a site's pages hold a few sets of elements
_BY_ITSELF = ("//", "https://", "http://")


class Judge:
    """Decides about references.

    Attributes:
        removals: what was taken out, and what was let through though nobody knows it.
        allowed: by id, vendors that were recognised and may stay, in the order of the page.
        may_restrict: a vendor's restricted mode can be set on this page.
        memory: what was found out on the pages before, if that is kept.
        shelf: the part of it that holds under this decision about this site.
        frames: puts the guard into a page that stands in this one (``srcdoc``, ``data:``), given its text and what goes
            before a path of the gate's own; None where no guard goes in. Equal to another that does the same.
    """

    frames: Callable[[str, str], str] | None = None

    def __init__(
        self,
        decision: Decision,
        catalog: Catalog,
        filter_lists: Sequence[FilterList],
        *,
        page_url: str,
        notes: Removals | None = None,
        own_hosts: tuple[str, ...] = (),
        inline_allowed: bool = True,
        memory: Memory | None = None,
        cloaks: Cloaks | None = None,
    ) -> None:
        """Take what was decided and who is known.

        ``own_hosts`` are further hosts of the site, which are never a third party (``*.example.com`` is every
        subdomain); ``cloaks`` knows which of what stands under them are a vendor's. ``inline_allowed`` is False when the
        response's Content-Security-Policy keeps a script of the gate's own out: a vendor's restricted mode cannot be set
        then, and it is denied instead.
        """
        self.decision = decision
        self.catalog = catalog
        self.page_url = page_url
        self.page = base_of(page_url)
        self.authority = page_url.partition("://")[2].partition("/")[0]
        self.removals = Removals() if notes is None else notes
        self.may_restrict = inline_allowed
        self.allowed: dict[str, Vendor] = {}
        self._cloaks = cloaks
        self._filter_lists = filter_lists
        # On a path where denials hold for everyone, only what is known by name loads.
        self._unknown = Unknown.BLOCK if decision.rules else decision.policy.unknown
        self.click_ids = catalog.click_id_pattern
        self._own, self._own_suffixes = _own_hosts(self.page.host, own_hosts)
        # Everything that a verdict, or what takes a reference's place, depends on besides the reference, its base and
        # `may_restrict`. Of a page's address, filter lists read the host alone.
        standing = (
            decision.policy.name,
            decision.denied,
            decision.rules,
            self.page[1:],
            self.authority,
            own_hosts,
        )
        self.memory = memory
        self.shelf = memory.shelf(standing) if memory is not None else Shelf()

    @property
    def knows_cloaks(self) -> bool:
        """True where names under the site's own are asked about."""
        return self._cloaks is not None

    def may_name_cloaked(self, texts: Iterable[str]) -> bool:
        """Return True where it may be found out later whose a name under the site's own is, and one stands in the texts."""
        return self._cloaks is not None and any(suffix in text for text in texts for suffix in self._own_suffixes)

    def origin_for(self, base: Base) -> str:
        """Return what goes before a path of the gate's own: the site's origin where ``base`` leads elsewhere."""
        return "" if base.host == self.page.host else f"{self.page.scheme}://{self.authority}"

    def reference(self, text: str, base: Base, kind: str) -> Verdict | None:
        """Return the verdict that denies what ``text`` leads to from ``base``, or None when it may stay.

        ``kind`` is the request's type in the words of filter lists: ``script``, ``image``, ``subdocument``, ...
        """
        known = self._known(text, base, kind)
        return self._ruled(known) if known is not None else None

    def target(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict that denies fetching ``target``, or None when it may stay."""
        own = self.own(target.host)
        return self._ruled(Known(target, own, None if own else self.verdict(target, kind)))

    def _known(self, text: str, base: Base, kind: str) -> Known | None:
        """Return where ``text`` leads from ``base`` and who that is, from memory where it is an address by itself."""
        key = (kind, text)
        if base.scheme == self.page.scheme:  # all that "//host" takes from its base
            found = self.shelf.addresses.get(key)
            if found is not None:
                return found
        target = resolve(text, base)
        if target is None:
            return None
        own = self.own(target.host)
        known = Known(target, own, None if own else self.verdict(target, kind))
        if base.scheme == self.page.scheme and text.startswith(_BY_ITSELF) and not self._may_be_cloaked(target.host):
            self.shelf.learn(key, known)
        return known

    def _ruled(self, known: Known) -> Verdict | None:
        if known.own:
            return None
        verdict = known.verdict
        if verdict is not None:
            if self._denied(verdict):
                return verdict
            self.allowed[verdict.vendor.vendor] = verdict.vendor
            return None
        if self._unknown is Unknown.BLOCK:
            return self.decision.unknown(Rule(unknown.HOST, "unknown", known.target.host, "", 0))
        if self._unknown is Unknown.REPORT:
            self.removals.let_through(known.target.host)
        return None

    def mention(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict that denies ``target``, which a text only names: what nobody knows may stay."""
        if self.own(target.host):
            return None
        verdict = self.verdict(target, kind)
        return verdict if verdict is not None and self._denied(verdict) else None

    def picture(self, text: str, base: Base, element: unknown.HasAttributes, *, in_noscript: bool) -> Verdict | None:
        """Return the verdict that denies an ``img``, by who it belongs to or, where nobody knows, by its shape."""
        known = self._known(text, base, "image")
        if known is None or known.own:
            return None
        if known.verdict is None:
            shape = unknown.beacon_shape(element, known.target, in_noscript=in_noscript)
            if shape is not None:
                verdict = self.decision.verdict(unknown.rule_of_shape(shape))
                if verdict.denied:
                    return verdict
        return self._ruled(known)

    def restricted(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict by which ``target`` loads in its vendor's restricted mode, or None."""
        if not self.decision.policy.restricts or not self.may_restrict or self.own(target.host):
            return None
        verdict = self.verdict(target, kind)
        return verdict if verdict is not None and verdict.answer.action is Action.RESTRICT else None

    def _denied(self, verdict: Verdict) -> bool:
        return verdict.denied or (verdict.answer.action is Action.RESTRICT and not self.may_restrict)

    def _if_denied(self, rule: Rule | None) -> Verdict | None:
        verdict = self.decision.verdict(rule) if rule is not None else None
        return verdict if verdict is not None and self._denied(verdict) else None

    def verdict(self, target: Target, kind: str) -> Verdict | None:
        """Return the verdict about ``target`` whatever it says, or None when nobody knows it."""
        if self.decision.policy.allows_hosts and (found := self.decision.allowed(target.host)) is not None:
            return found
        rule = self.catalog.by_url(target.host, target.path)
        if rule is None and self._cloaks is not None:
            rule = self._cloaks.rule(target.host)
        if rule is not None:
            return self.decision.verdict(rule)
        for filter_list in self._filter_lists:
            match = filter_list.match(target, self.page_url, kind)
            if match is not None:
                return self.decision.verdict(match)
        return None

    def connection(self, text: str, base: Base) -> Verdict | None:
        """Return the verdict that denies connecting ahead to the host of ``text``, or None.

        A connection has no path to go by: where everything that the catalogue knows of a host is denied, so is it.
        """
        known = self._known(text, base, "other")
        if known is None or known.own:
            return None
        host = known.target.host
        verdicts = self.shelf.hosts.get(host)
        if verdicts is None:
            allowed = self.decision.policy.allows_hosts and self.decision.allowed(host) is not None
            verdicts = () if allowed else tuple(map(self.decision.verdict, self.catalog.on_host(host)))
            self.shelf.learn_host(host, verdicts)
        if verdicts and all(map(self._denied, verdicts)):
            return verdicts[0]
        return self._ruled(known)

    def own(self, host: str) -> bool:
        """Return True for the site's own hosts and what stands under them: never a third party."""
        if host in self._own:
            return True
        return host.endswith(self._own_suffixes) and (self._cloaks is None or self._cloaks.met(host) is None)

    def _may_be_cloaked(self, host: str) -> bool:
        return self._cloaks is not None and host.endswith(self._own_suffixes)

    def cookie(self, name: str) -> Verdict | None:
        """Return the verdict that denies a first-party cookie by its name, or None when it may stay."""
        rule = self.catalog.by_cookie(name)
        if rule is None:
            return None
        verdict = self.decision.verdict(rule)
        return verdict if verdict.answer.action is Action.BLOCK else None

    def click_id(self, name: str) -> Verdict | None:
        """Return the verdict that denies a click identifier by the name of its parameter, or None."""
        return self._if_denied(self.catalog.by_click_id(name))

    def amp(self, name: str) -> Verdict | None:
        """Return the verdict that denies an AMP component by the vendor name in its ``type``, or None."""
        return self._if_denied(self.catalog.by_amp(name))

    def box_selector(self, present: frozenset[str], watched: frozenset[str], *, amp: bool) -> str:
        """Return the selector for the boxes that denied vendors fill, where of the elements ``watched`` these are present.

        ``amp`` says that AMP's may be, too.
        """
        key = (present, amp, self.may_restrict)
        found = self.shelf.box_selectors.get(key)
        if found is None:
            boxes = boxes_selectors(
                box.rule.text for box in self.catalog.containers.values() if self._if_denied(box.rule)
            )
            here = (
                each
                for tag, each in boxes.items()
                if tag in present or (tag not in watched and (amp or not tag.startswith("amp-")))
            )
            found = ",".join(here)
            if len(self.shelf.box_selectors) < MAX_SELECTORS:
                self.shelf.box_selectors[key] = found
        return found

    def container(self, tag: str, words: Iterable[str]) -> tuple[Verdict, Box] | None:
        """Return who is denied that would fill an element of this name, and what is known of the box.

        ``words`` are its classes, its ``#id`` and its ``[attributes]``.
        """
        for box in self.catalog.by_container(tag, words):
            verdict = self._if_denied(box.rule)
            if verdict is not None:
                return verdict, box.box
        return None

    def script_box(self, kind: str) -> tuple[Verdict, Box] | None:
        """Return who is denied that would draw something in place of a script of this type, and what is known of it."""
        found = self.catalog.script_boxes.get(kind.partition("/")[0].strip().lower())
        verdict = self._if_denied(found.rule) if found is not None else None
        return (verdict, found.box) if found is not None and verdict is not None else None

    def script(self, text: str) -> Verdict | None:
        """Return the verdict that denies an inline script by its fingerprint, or None."""
        return self._if_denied(self.catalog.by_script(text))


@lru_cache(maxsize=256)  # a site answers to a few hosts
def _own_hosts(host: str, further: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the site's own hosts, and the ends of what stands under them."""
    own = {host, host.removeprefix("www."), *(each.removeprefix("*.") for each in further if each != "*")}
    return frozenset(own), tuple("." + each for each in own if each)
