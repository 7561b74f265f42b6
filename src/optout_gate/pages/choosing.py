"""What follows from a press of a button: the cookie, the account, and the way back.

The way back leads to the preference page, at one of the paths where it stands, and nowhere else, whatever the request
names: there is no open redirect. A program that asks for JSON is answered in place.
"""

from optout_gate.choices.consumers import SignedIn
from optout_gate.gate import Exchange, Gate
from optout_gate.http import Request
from optout_gate.pages.preferences import opted_out_by_signal
from optout_gate.policy.config import CookieConfig
from optout_gate.signals import cookies
from optout_gate.signals.opt_out_cookie import IN, OUT


def set_cookie_lines(cookie: CookieConfig, *, out: bool, secure: bool) -> list[str]:
    """Return the ``Set-Cookie`` values that keep a choice.

    With a configured domain, a host-only cookie of the same name from before is removed: browsers send both, and one
    ``1`` is an opt-out, so the way back in would stay shut.
    """
    lines = [_line(cookie, (OUT if out else IN).decode(), cookie.max_age_days * 86400, cookie.domain, secure=secure)]
    if cookie.domain is not None:
        lines.append(_line(cookie, "", 0, None, secure=secure))
    return lines


def _line(cookie: CookieConfig, value: str, max_age_s: int, domain: str | None, *, secure: bool) -> str:
    parts = [f"{cookie.name}={value}", f"Max-Age={max_age_s}", "Path=/", "SameSite=Lax"]
    if domain is not None:
        parts.append(f"Domain={domain}")
    if secure:
        parts.append("Secure")
    return "; ".join(parts)


async def settle(
    gate: Gate, request: Request, exchange: Exchange, signed_in: SignedIn | None, *, out: bool
) -> Exchange:
    """Let a choice count for the account as well, and return the exchange as the next request would open it.

    An opt-in that arrives with the signal takes nothing back: the same request says the opposite for the consumer too.
    """
    standing = signed_in.standing if signed_in is not None else None
    if signed_in is not None and (out or (signed_in.may_take_back and not opted_out_by_signal(exchange))):
        await signed_in.choose(out=out)
        standing = await signed_in.now()
    name = gate.config.cookie.name.encode()
    kept = [pair for pair in cookies.pairs(request.headers.values(b"cookie")) if pair[0] != name]
    headers = request.headers.without([b"cookie"]).plus((b"Cookie", cookies.line([*kept, (name, OUT if out else IN)])))
    after = Request(request.method, request.scheme, request.authority, request.target, headers)
    return gate.open(after, standing.signal if standing is not None else None) or exchange
