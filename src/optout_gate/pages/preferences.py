"""The preference page: what the browser said, what is in force, and one button to change it.

Works without a script and sets nothing but the opt-out cookie. The two ways are alike: one button, the same size, the
same words (11 CCR §7004(a)(2), symmetry in choice). A browser that sends Global Privacy Control stays opted out
whatever is pressed here, and the page says so. Where a site only observes, the page says that too: it must
not tell anybody that they are opted out when nothing is taken away.

Whether the browser keeps cookies shows when the choice comes back: the redirect after a choice says what was chosen,
and the cookie is there or not. No further cookie is set to find out.
"""

import base64
import hashlib
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from urllib.parse import urlencode

from optout_gate.choices.consumers import SignedIn
from optout_gate.exchange import Exchange
from optout_gate.pages.status import is_in_force
from optout_gate.policy.beside import Beside
from optout_gate.policy.config import Mode
from optout_gate.policy.config_visitor import PreferencesConfig
from optout_gate.policy.texts import LANGUAGES, Texts
from optout_gate.rewrite.neutral import PREFIX
from optout_gate.signals.kinds import ACCOUNT, GPC
from optout_gate.signals.opt_out_cookie import Choice
from optout_gate.signals.reading import Signal

PATH = f"{PREFIX}/preferences"
TOLD = "told"
"""Parameter of an opt-in that came from this page while it told the visitor of their browser's signal."""
OPT_OUT, OPT_IN = f"{PREFIX}/opt-out", f"{PREFIX}/opt-in"

GPC_URL = "https://globalprivacycontrol.org/"
DAA_URL = "https://optout.aboutads.info/"
NAI_URL = "https://thenai.org/opt-out/"

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",  # browsers without Sec-Fetch-Site prove with it that the form was this page's
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for browsers older than frame-ancestors
    "Vary": "Sec-GPC, Cookie, Accept-Language",
}
# No frame around it (nobody else's page may have its buttons pressed), no script, forms only to this site.
_POLICY = "default-src 'none'; {}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


def render(
    exchange: Exchange,
    beside: Beside,
    config: PreferencesConfig,
    *,
    language: str,
    path: str,
    chosen: str | None,
    signed_in: SignedIn | None,
) -> tuple[str, dict[str, str]]:
    """Return the page for one visitor, and the header lines that go with it.

    Args:
        exchange: their request, decided.
        beside: the operator's theme and texts.
        config: what the page links to.
        language: one of :data:`LANGUAGES`.
        path: where the page was asked for, one of those at which it stands.
        chosen: ``out`` or ``in`` right after a choice.
        signed_in: the consumer who has signed in, if one is known.
    """
    texts = beside.texts[language]
    state, detail = (texts[name] if name else "" for name in _state(exchange))
    out = exchange.decision.do_not_sell
    back = {"page": path, "lang": language}
    told = {TOLD: "1"} if sends_signal(exchange) else {}
    style = beside.style if beside.style is not None else _built_in("preferences.css")
    style = style.replace("</", "<\\/")
    page = Template(beside.page if beside.page is not None else _built_in("preferences.html")).substitute(
        lang=language,
        title=escape(texts["title"]),
        page_title=escape(f"{state.rstrip('.')} – {texts['title']}"),
        style=style,
        state=escape(state),
        detail=escape(detail),
        signal=escape(texts[_signal(exchange)]),
        status=_status(texts) if is_in_force(exchange) else "",
        mark="out" if out else "in",
        notices=_notices(exchange, texts, chosen, signed_in),
        languages=_languages(beside, language),
        opt_out_path=escape(f"{OPT_OUT}?{urlencode(back)}"),
        opt_in_path=escape(f"{OPT_IN}?{urlencode(back | told)}"),
        button_out=escape(texts["button_out"]),
        button_in=escape(texts["button_in"]),
        out_pressed="true" if out else "false",
        in_pressed="false" if out else "true",
        kept=_kept(texts, signed_in),
        more=_more(texts, config),
    )
    return page, {**HEADERS, "Content-Language": language, "Content-Security-Policy": _policy(beside, style)}


def _policy(beside: Beside, style: str) -> str:
    """Return the Content-Security-Policy: the page's own style alone, or whatever of the site's a theme refers to."""
    if beside.page is not None:
        return _POLICY.format("style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _POLICY.format(f"style-src 'sha256-{digest}'")


@cache
def _built_in(name: str) -> str:
    return (files("optout_gate.pages") / name).read_text("utf-8")


def _state(exchange: Exchange) -> tuple[str, str | None]:
    """Return the names of the texts that say what is in force."""
    if exchange.decision.mode is Mode.OFF:
        return "state_off", None
    if not exchange.decision.do_not_sell:
        return "state_in", "detail_in"
    if not exchange.decision.enforced:
        return "state_not_in_force", "detail_not_in_force"
    return "state_out", "detail_out"


def _signal(exchange: Exchange) -> str:
    """Return the name of the text that says what the browser's signal said."""
    if not sends_signal(exchange):
        return "signal_absent"
    if not exchange.decision.enforced:
        return "signal_not_in_force" if _honors_signal(exchange) else "signal_not_honored"
    return "signal_honored" if _honors_signal(exchange) else "signal_not_honored"


def sends_signal(exchange: Exchange) -> bool:
    """Return True when the visitor's browser sends Global Privacy Control."""
    return exchange.report.reading.gpc_sent


def opted_out_by_signal(exchange: Exchange) -> bool:
    """Return True when it does, and that counts as an opt-out here."""
    return any(signal.kind == GPC for signal in exchange.decision.because)


def _honors_signal(exchange: Exchange) -> bool:
    return exchange.decision.mode is not Mode.OFF and exchange.decision.policy.honoured.counts(Signal(GPC, ""))


def _status(texts: Texts) -> str:
    return f'<p class="honored" data-optout-status="honored">{escape(texts["status_honored"])}</p>'


def _notices(exchange: Exchange, texts: Texts, chosen: str | None, signed_in: SignedIn | None) -> str:
    """Return what the visitor must know besides, each a paragraph."""
    names = []
    by_signal = opted_out_by_signal(exchange)
    account_out = any(signal.kind == ACCOUNT for signal in exchange.decision.because)
    if cookie_was_refused(exchange, chosen):
        names.append("cookies_blocked")
        if by_signal:
            names.append("cookies_blocked_signal")
        elif signed_in is not None and (account_out if chosen == "out" else not account_out):
            names.append("cookies_blocked_account")
        else:
            names.append("cookies_blocked_hint")
    if by_signal and exchange.decision.policy.honors_informed_consent:
        names.append("signal_consent")
    elif chosen == "in" and by_signal:
        names.append("still_out_by_signal")
    if account_out:
        names.append("account_out")
        if chosen == "in" and not by_signal:
            names.append("account_stays")
    return "\n    ".join(f'<p class="notice">{escape(texts[name])}</p>' for name in names)


def cookie_was_refused(exchange: Exchange, chosen: str | None) -> bool:
    """Return True right after a choice whose cookie the browser did not bring back."""
    return chosen is not None and exchange.report.reading.cookie is Choice.NONE


def _kept(texts: Texts, signed_in: SignedIn | None) -> str:
    link = f'<a href="{GPC_URL}" rel="noreferrer">{escape(texts["kept_link"])}</a>'
    account = f" {escape(texts['kept_account'])}" if signed_in is not None else ""
    return f"{escape(texts['kept'])} {link}.{account}"


def _more(texts: Texts, config: PreferencesConfig) -> str:
    form = ""
    if config.request_form is not None:
        link = f'<a href="{escape(config.request_form)}">{escape(texts["form"])}</a>'
        form = f"<ul><li>{link}, {escape(texts['form_note'])}</li></ul>\n  "
    industry = "".join(
        f'<li><a href="{url}" rel="noreferrer">{escape(texts[name])}</a></li>'
        for url, name in ((DAA_URL, "daa"), (NAI_URL, "nai"))
    )
    return f"<h2>{escape(texts['more'])}</h2>\n  {form}<p>{escape(texts['industry_note'])}</p>\n  <ul>{industry}</ul>"


def _languages(beside: Beside, language: str) -> str:
    """Return links to the other languages, each named in itself."""
    label = escape(beside.texts[language]["languages"])
    parts = []
    for each in LANGUAGES:
        name = escape(beside.texts[each]["language"])
        if each == language:
            parts.append(f'<li><span lang="{each}" aria-current="true">{name}</span></li>')
        else:
            parts.append(f'<li><a href="?lang={each}" lang="{each}" hreflang="{each}">{name}</a></li>')
    return f'<nav aria-label="{label}"><ul>{"".join(parts)}</ul></nav>'
