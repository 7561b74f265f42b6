"""The preference page: what the browser said, what is in force, and one button to change it.

Works without a script and sets nothing but the opt-out cookie. The two ways are alike: one button, the same size, the
same words (11 CCR §7004(a)(2), symmetry in choice). A browser that sends Global Privacy Control stays opted out
whatever is pressed here, and the page says so.
"""

from html import escape
from importlib.resources import files
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from optout_gate import http
from optout_gate.gate import Exchange, Gate
from optout_gate.rewrite.neutral import PREFIX
from optout_gate.signals.gpc import Gpc
from optout_gate.signals.opt_out_cookie import IN, OUT

PATH = f"{PREFIX}/preferences"
# No frame around it (nobody else's page may have its buttons pressed), nothing loaded, forms only to this site.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Sec-GPC, Cookie",
}
_TEMPLATE = Template((files(__package__) / "preferences.html").read_text("utf-8"))


def show(exchange: Exchange) -> Response:
    """Return the page for one visitor."""
    report = exchange.report
    decision = exchange.decision
    if decision.because:
        state = "You are opted out on this browser."
        detail = "Your data is not sold, and not shared for advertising, from this site."
    else:
        state = "You are not opted out on this browser."
        detail = "This site's advertising, analytics and session-replay partners may receive data about your visit."
    if report.reading.gpc in (Gpc.SET, Gpc.FOLDED):
        signal = "Your browser sends the Global Privacy Control signal. It is honoured on every page, without a cookie."
    else:
        signal = "Your browser does not send the Global Privacy Control signal."
    out = bool(decision.because)
    return HTMLResponse(
        _TEMPLATE.substitute(
            state=escape(state),
            detail=escape(detail),
            signal=escape(signal),
            mark="out" if out else "in",
            out_pressed="true" if out else "false",
            in_pressed="false" if out else "true",
            out_path=f"{PREFIX}/opt-out",
            in_path=f"{PREFIX}/opt-in",
        ),
        headers=_HEADERS,
    )


def choose(request: Request, gate: Gate, *, out: bool) -> Response:
    """Set the cookie as the visitor chose, and lead back to the page.

    Refused with 403 when another site's page sent the form: ``Sec-Fetch-Site``, or the ``Origin`` of browsers without it.
    """
    if not _from_here(request):
        return Response("This choice can only be made on this site's own page.\n", 403, media_type="text/plain")
    cookie = gate.config.cookie
    response = RedirectResponse(PATH, 303, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        cookie.name,
        (OUT if out else IN).decode(),
        max_age=cookie.max_age_days * 86400,
        path="/",
        domain=cookie.domain,
        secure=request.url.scheme == "https",
        samesite="lax",
    )
    return response


def _from_here(request: Request) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return True  # not a browser's cross-site form: those have sent Origin on POST for years
    authority = origin.partition("://")[2]
    return http.host_of(authority) == http.host_of(request.headers.get("host", "")) and bool(authority)
