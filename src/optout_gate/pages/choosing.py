"""What follows from a press of a button: the cookie, the account, and the way back.

The way back leads to the preference page, at one of the paths where it stands, and nowhere else, whatever the request
names: there is no open redirect. A program that asks for JSON is answered in place.
"""

from datetime import date

from optout_gate.choices.consumers import SignedIn
from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import Request
from optout_gate.pages.preferences import opted_out_by_signal, sends_signal
from optout_gate.policy.config import CookieConfig
from optout_gate.signals import cookies
from optout_gate.signals.opt_out_cookie import OUT, consent, set_line


def cookie_value(exchange: Exchange, *, out: bool, told: bool, today: date) -> bytes:
    """Return what the cookie holds after a choice.

    Args:
        exchange: the request that brought the choice.
        out: the choice.
        told: the page on which it was made said what the browser's signal says (11 CCR §7025(c)(3)).
        today: the day, in UTC.
    """
    return OUT if out else consent(signal_seen=told and sends_signal(exchange), day=today)


def set_cookie_lines(cookie: CookieConfig, value: bytes, *, secure: bool) -> list[str]:
    """Return the ``Set-Cookie`` values that keep a choice.

    With a configured domain, a host-only cookie of the same name from before is removed: browsers send both, and one
    ``1`` is an opt-out, so the way back in would stay shut.
    """
    name, days, domain = cookie.name, cookie.max_age_days, cookie.domain
    lines = [set_line(name, value, max_age_days=days, domain=domain, secure=secure)]
    if domain is not None:
        lines.append(set_line(name, b"", max_age_days=0, domain=None, secure=secure))
    return [line.decode("ascii") for _, line in lines]


async def settle(
    gate: Gate, request: Request, exchange: Exchange, signed_in: SignedIn | None, *, out: bool, value: bytes
) -> Exchange:
    """Let a choice count for the account as well, and return the exchange as the next request would open it.

    An opt-in that arrives with the signal takes nothing back: the same request says the opposite for the consumer too.
    """
    name = gate.config.cookie.name.encode()
    kept = [pair for pair in cookies.pairs(request.headers.values(b"cookie")) if pair[0] != name]
    headers = request.headers.without([b"cookie"]).plus((b"Cookie", cookies.line([*kept, (name, value)])))
    after = Request(request.method, request.scheme, request.authority, request.target, headers)
    without_account = gate.open(after) or exchange
    if signed_in is None:
        return without_account
    if out or (signed_in.may_take_back and not opted_out_by_signal(without_account)):
        await signed_in.choose(out=out)
    standing = await signed_in.now()
    return gate.open(after, standing.signal if standing is not None else None) or exchange
