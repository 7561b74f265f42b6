"""What is planted where on the demo site.

The ``demo`` command and the tests hold the gate to this list: it names, page by page, the vendors, the hosts that a
visitor who opted out must never reach, and the forms in which they are carried. It is written by hand from the
pages, not read from the gate's catalogue, so that neither can hide a gap of the other; ids and purposes are the
catalogue's.

A host means itself and its subdomains. Whether a host is *reached* is the question, not whether its name still
stands somewhere: the JSON blocks of :data:`INERT` mention trackers and must come through untouched, and the footer
links to social networks are links that a visitor may follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from optout_gate.policy.config import PolicyConfig
from optout_gate.trackers.purposes import Purpose


class Form(StrEnum):
    """How a page carries a vendor."""

    SCRIPT = "external script"
    INLINE = "inline bootstrap"
    NOSCRIPT_IMG = "noscript pixel"
    NOSCRIPT_IFRAME = "noscript iframe"
    IMG = "image pixel"
    SRCSET = "srcset pixel"
    IFRAME = "iframe"
    PRECONNECT = "preconnect link"
    DNS_PREFETCH = "dns-prefetch link"
    PRELOAD = "preload link"
    STYLE_ELEMENT = "CSS beacon in a style element"
    STYLE_ATTRIBUTE = "CSS beacon in a style attribute"
    STYLESHEET = "CSS beacon in a stylesheet"
    STYLESHEET_LINK = "stylesheet link"
    LINK_HEADER = "Link response header"
    PING = "a[ping]"


@dataclass(frozen=True, slots=True)
class Planted:
    """One vendor on one page."""

    vendor: str
    hosts: tuple[str, ...]
    forms: tuple[Form, ...]

    @property
    def purpose(self) -> Purpose:
        """What the vendor is there for."""
        return PURPOSES[self.vendor]


PURPOSES: Mapping[str, Purpose] = {
    "adobe-launch": Purpose.TAG_MANAGEMENT,
    "amplitude": Purpose.ANALYTICS,
    "clarity": Purpose.SESSION_REPLAY,
    "comscore": Purpose.ANALYTICS,
    "contentsquare": Purpose.SESSION_REPLAY,
    "criteo": Purpose.ADVERTISING,
    "datadog-rum": Purpose.PERFORMANCE,
    "facebook-sdk": Purpose.SOCIAL,
    "fullstory": Purpose.SESSION_REPLAY,
    "google-ads": Purpose.ADVERTISING,
    "google-analytics": Purpose.ANALYTICS,
    "google-fonts": Purpose.FUNCTIONAL,
    "google-maps": Purpose.FUNCTIONAL,
    "google-tag-manager": Purpose.TAG_MANAGEMENT,
    "heap": Purpose.ANALYTICS,
    "hotjar": Purpose.SESSION_REPLAY,
    "linkedin-insight": Purpose.ADVERTISING,
    "liveramp": Purpose.ADVERTISING,
    "logrocket": Purpose.SESSION_REPLAY,
    "meta-pixel": Purpose.ADVERTISING,
    "microsoft-uet": Purpose.ADVERTISING,
    "mixpanel": Purpose.ANALYTICS,
    "new-relic": Purpose.PERFORMANCE,
    "onetrust": Purpose.FUNCTIONAL,
    "optimizely": Purpose.PERSONALIZATION,
    "pinterest-tag": Purpose.ADVERTISING,
    "qualtrics": Purpose.ANALYTICS,
    "quantcast": Purpose.ADVERTISING,
    "quantum-metric": Purpose.SESSION_REPLAY,
    "recaptcha": Purpose.SECURITY,
    "reddit-pixel": Purpose.ADVERTISING,
    "segment": Purpose.TAG_MANAGEMENT,
    "snap-pixel": Purpose.ADVERTISING,
    "taboola": Purpose.ADVERTISING,
    "tealium": Purpose.TAG_MANAGEMENT,
    "the-trade-desk": Purpose.ADVERTISING,
    "tiktok-pixel": Purpose.ADVERTISING,
    "twitter-widgets": Purpose.SOCIAL,
    "vwo": Purpose.PERSONALIZATION,
    "x-pixel": Purpose.ADVERTISING,
    "youtube": Purpose.FUNCTIONAL,
}
"""The chief purpose of every vendor on the site."""


def _gtm() -> Planted:
    return Planted("google-tag-manager", ("www.googletagmanager.com",), (Form.INLINE, Form.NOSCRIPT_IFRAME))


def _meta(*more: Form) -> Planted:
    hosts = ("connect.facebook.net", "www.facebook.com")
    return Planted("meta-pixel", hosts, (Form.INLINE, Form.NOSCRIPT_IMG, *more))


def _gtag(vendor: str = "google-analytics", *more: Form) -> Planted:
    return Planted(vendor, ("www.googletagmanager.com",), (Form.SCRIPT, Form.INLINE, *more))


_TIKTOK_HOST = ("analytics.tiktok.com",)
_TABOOLA = Planted("taboola", ("cdn.taboola.com", "trc.taboola.com"), (Form.INLINE, Form.NOSCRIPT_IMG))
_FULLSTORY_HOST = ("edge.fullstory.com",)
_QUANTUM_METRIC = Planted("quantum-metric", ("cdn.quantummetric.com",), (Form.INLINE,))
_LAUNCH = Planted("adobe-launch", ("assets.adobedtm.com",), (Form.SCRIPT,))

ON_EVERY_PAGE: tuple[Planted, ...] = (
    Planted("google-fonts", ("fonts.googleapis.com", "fonts.gstatic.com"), (Form.PRECONNECT, Form.STYLESHEET_LINK)),
    Planted("onetrust", ("cdn.cookielaw.org",), (Form.SCRIPT,)),
    _gtm(),
)
"""What the common parts of the pages carry."""

PLANTED: Mapping[str, tuple[Planted, ...]] = {
    "/": (
        *ON_EVERY_PAGE,
        Planted("vwo", ("dev.visualwebsiteoptimizer.com",), (Form.PRECONNECT, Form.INLINE)),  # hides the page
        _gtag("google-analytics", Form.PRECONNECT, Form.PRELOAD, Form.LINK_HEADER),
        _gtag("google-ads"),  # the same gtag.js, configured for AW-…
        _meta(Form.DNS_PREFETCH, Form.LINK_HEADER),
        Planted("hotjar", ("static.hotjar.com",), (Form.INLINE, Form.DNS_PREFETCH, Form.LINK_HEADER)),
        Planted("criteo", ("dynamic.criteo.com",), (Form.SCRIPT,)),
        _TABOOLA,
        Planted("the-trade-desk", ("js.adsrvr.org", "insight.adsrvr.org"), (Form.SCRIPT, Form.INLINE)),
        Planted("quantcast", ("quantserve.com",), (Form.INLINE, Form.NOSCRIPT_IMG)),  # glues its host together
        Planted(
            "google-ads",  # Floodlight and click trackers: the catalogue counts DoubleClick to Google's ads
            ("0000000.fls.doubleclick.net", "ad.doubleclick.net"),
            (Form.INLINE, Form.NOSCRIPT_IFRAME, Form.STYLE_ELEMENT, Form.PING),
        ),
        Planted("liveramp", ("idsync.rlcdn.com",), (Form.SRCSET,)),
        Planted("new-relic", ("js-agent.newrelic.com", "bam.nr-data.net"), (Form.SCRIPT, Form.INLINE)),
    ),
    "/find-a-doctor": (
        *ON_EVERY_PAGE,
        Planted("optimizely", ("cdn.optimizely.com",), (Form.SCRIPT,)),
        Planted("google-analytics", ("www.google-analytics.com",), (Form.INLINE,)),
        Planted("clarity", ("www.clarity.ms",), (Form.INLINE,)),
        Planted("segment", ("cdn.segment.com",), (Form.INLINE, Form.PRECONNECT)),
        Planted("mixpanel", ("cdn.mxpnl.com",), (Form.INLINE, Form.PRELOAD)),
        Planted("microsoft-uet", ("bat.bing.com",), (Form.INLINE, Form.NOSCRIPT_IMG, Form.DNS_PREFETCH)),
        Planted("contentsquare", ("t.contentsquare.net",), (Form.INLINE,)),
        Planted("qualtrics", ("siteintercept.qualtrics.com",), (Form.INLINE,)),
        Planted("google-maps", ("www.google.com",), (Form.IFRAME,)),
    ),
    "/conditions/diabetes": (
        *ON_EVERY_PAGE,
        _gtag(),
        _meta(),
        Planted("tiktok-pixel", _TIKTOK_HOST, (Form.INLINE, Form.DNS_PREFETCH, Form.LINK_HEADER)),
        Planted("x-pixel", ("static.ads-twitter.com",), (Form.INLINE,)),
        Planted(
            "pinterest-tag", ("s.pinimg.com", "ct.pinterest.com"), (Form.INLINE, Form.NOSCRIPT_IMG, Form.PRECONNECT)
        ),
        Planted("snap-pixel", ("sc-static.net",), (Form.INLINE,)),
        Planted("reddit-pixel", ("www.redditstatic.com",), (Form.INLINE,)),
        Planted("facebook-sdk", ("connect.facebook.net",), (Form.SCRIPT,)),
        Planted("twitter-widgets", ("platform.twitter.com",), (Form.SCRIPT,)),
        _TABOOLA,
        Planted("comscore", ("scorecardresearch.com",), (Form.INLINE, Form.NOSCRIPT_IMG)),
        Planted("liveramp", ("ats-wrapper.privacymanager.io", "idsync.rlcdn.com"), (Form.SCRIPT, Form.STYLE_ATTRIBUTE)),
        Planted("youtube", ("www.youtube.com",), (Form.IFRAME,)),
    ),
    "/enroll": (  # LinkedIn and Meta on the form: what Covered California was caught with
        *ON_EVERY_PAGE,
        Planted("tealium", ("tags.tiqcdn.com",), (Form.INLINE,)),
        _LAUNCH,
        _gtag(),
        _gtag("google-ads"),
        _meta(),
        Planted("tiktok-pixel", _TIKTOK_HOST, (Form.INLINE,)),
        Planted("x-pixel", ("static.ads-twitter.com",), (Form.INLINE,)),
        Planted("fullstory", _FULLSTORY_HOST, (Form.INLINE,)),
        Planted("microsoft-uet", ("bat.bing.com",), (Form.INLINE,)),
        Planted(
            "linkedin-insight",
            ("snap.licdn.com", "px.ads.linkedin.com"),
            (Form.INLINE, Form.NOSCRIPT_IMG, Form.PRECONNECT, Form.DNS_PREFETCH, Form.LINK_HEADER),
        ),
        Planted("google-ads", ("0000000.fls.doubleclick.net",), (Form.IFRAME,)),
        Planted("recaptcha", ("www.google.com",), (Form.SCRIPT,)),
    ),
    "/enroll/thanks": (
        *ON_EVERY_PAGE,
        _gtag(),
        Planted(
            "google-ads", ("www.googletagmanager.com", "www.googleadservices.com"), (Form.SCRIPT, Form.NOSCRIPT_IMG)
        ),
        _meta(),
        Planted("linkedin-insight", ("px.ads.linkedin.com",), (Form.IMG,)),
        Planted("x-pixel", ("analytics.twitter.com", "t.co"), (Form.NOSCRIPT_IMG,)),
        Planted("microsoft-uet", ("bat.bing.com",), (Form.NOSCRIPT_IMG,)),
        Planted("the-trade-desk", ("insight.adsrvr.org",), (Form.IMG,)),
    ),
    "/login": (
        *ON_EVERY_PAGE,
        Planted("datadog-rum", ("www.datadoghq-browser-agent.com",), (Form.INLINE,)),
        _gtag(),
        Planted("heap", ("cdn.heapanalytics.com",), (Form.INLINE, Form.PRECONNECT)),
        Planted("amplitude", ("cdn.amplitude.com",), (Form.SCRIPT,)),
        Planted("logrocket", ("cdn.logrocket.io",), (Form.SCRIPT,)),
        _QUANTUM_METRIC,
    ),
    "/member": (
        *ON_EVERY_PAGE,
        _LAUNCH,
        _gtag(),
        Planted("segment", ("cdn.segment.com",), (Form.INLINE,)),
        Planted("fullstory", _FULLSTORY_HOST, (Form.INLINE, Form.LINK_HEADER)),
        _QUANTUM_METRIC,
    ),
    "/wellness": ON_EVERY_PAGE,  # the rest comes by script: see LOADED_AT_RUN_TIME
    "/assets/juniper.css": (Planted("comscore", ("sb.scorecardresearch.com",), (Form.STYLESHEET,)),),
}
"""Path to the vendors on it, functional ones too. The stylesheet is used by every page."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One vendor that a first-party script of a page calls at run time.

    Attributes:
        vendor: id in the catalogue.
        host: who is called; it stands nowhere as text, the scripts join it from pieces.
        channel: by what it is called, in the guard's word for it.
    """

    vendor: str
    host: str
    channel: str


LOADED_AT_RUN_TIME: Mapping[str, tuple[Loaded, ...]] = {
    "/wellness": (
        # /assets/tags.js: a tag manager's container, served by the site itself
        Loaded("meta-pixel", "connect.facebook.net", "script"),
        Loaded("tiktok-pixel", "analytics.tiktok.com", "script"),
        Loaded("hotjar", "static.hotjar.com", "script"),
        Loaded("linkedin-insight", "px.ads.linkedin.com", "img"),
        Loaded("pinterest-tag", "ct.pinterest.com", "img"),
        Loaded("google-ads", "0000000.fls.doubleclick.net", "iframe"),
        # /assets/sdk.js: an SDK in a bundle, and its worker
        Loaded("segment", "api.segment.io", "fetch"),
        Loaded("mixpanel", "api.mixpanel.com", "xhr"),
        Loaded("amplitude", "api2.amplitude.com", "beacon"),
        Loaded("heap", "heapanalytics.com", "fetch"),
    ),
}
"""Path of a page to what its scripts load later. No markup shows it: only a browser can tell."""


TRACKING_COOKIES: Mapping[str, str] = {
    "_ga": "google-analytics",
    "_ga_DEMO000000": "google-analytics",
    "_gcl_au": "google-ads",
    "_fbp": "meta-pixel",
    "_uetsid": "microsoft-uet",
    "ajs_anonymous_id": "segment",
}
"""Cookies that the server sets for vendors, on every page."""

OPT_OUT_STRINGS: Mapping[str, tuple[str, str]] = {
    "usprivacy": ("1YNN", "1YYN"),
    "__gpp": ("DBABLA~BVQqAAAAAgA.QA", "DBABLA~BVQVAAAAAgA.YA"),
    "__gpp_sid": ("7", "7"),
    "OptanonConsent": ("C0004%3A1", "C0004%3A0"),
    "OneTrustWPCCPAGoogleOptOut": ("false", "true"),
}
"""Opt-out strings that the server sets on every page: what stands in each, and what must for who opted out."""

SITE_COOKIES: tuple[str, ...] = ("juniper_session",)
"""Cookies of the site itself: must stay."""

INERT: Mapping[str, tuple[bytes, ...]] = {
    "/": (b'<script type="application/ld+json">', b'<script type="application/json" id="app-state">'),
    "/conditions/diabetes": (b'<script type="application/ld+json">',),
    "/member": (b'<script type="application/json" id="member-state">',),
}
"""Start tags of blocks that mention trackers, run nothing, and must come through byte for byte."""


DENIED = frozenset(PolicyConfig().deny)
"""What an opt-out denies when nothing else is configured; performance is not among it."""


def hosts_to_lose(path: str) -> frozenset[str]:
    """Return the hosts that ``path`` must not reach for who opted out."""
    return frozenset(host for planted in PLANTED[path] if planted.purpose in DENIED for host in planted.hosts)


def hosts_to_keep(path: str) -> frozenset[str]:
    """Return the third-party hosts that ``path`` must still reach."""
    return frozenset(host for planted in PLANTED[path] if planted.purpose not in DENIED for host in planted.hosts)
