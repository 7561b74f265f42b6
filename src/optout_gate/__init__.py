"""Make a website keep its word: honour opt-out signals before the response leaves and in the browser after.

What is named here is the public interface, described in ``docs/api.md``; it is enough to build a door of one's own.
Names are loaded when they are first used, so that ``import optout_gate`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optout_gate.errors import ConfigError as ConfigError
    from optout_gate.errors import Failure as Failure
    from optout_gate.errors import GateError as GateError
    from optout_gate.errors import RewriteError as RewriteError
    from optout_gate.exchange import Exchange as Exchange
    from optout_gate.gate import Gate as Gate
    from optout_gate.http import Headers as Headers
    from optout_gate.http import Request as Request
    from optout_gate.http import Response as Response
    from optout_gate.middleware import OptOutGateMiddleware as OptOutGateMiddleware
    from optout_gate.pages.direct import own_page as own_page
    from optout_gate.policy.choice import VisitorChoice as VisitorChoice
    from optout_gate.policy.choice import choice_of as choice_of
    from optout_gate.policy.load import Loaded as Loaded
    from optout_gate.policy.load import load_file as load_file
    from optout_gate.report import Outcome as Outcome
    from optout_gate.report import Report as Report
    from optout_gate.rewrite.passage import Passage as Passage

__version__ = "0.1.0"

_PLACES = {
    "ConfigError": "errors",
    "Exchange": "gate",
    "Failure": "errors",
    "Gate": "gate",
    "GateError": "errors",
    "Headers": "http",
    "Loaded": "policy.load",
    "OptOutGateMiddleware": "middleware",
    "Outcome": "report",
    "Passage": "rewrite.passage",
    "Report": "report",
    "Request": "http",
    "Response": "http",
    "RewriteError": "errors",
    "VisitorChoice": "policy.choice",
    "choice_of": "policy.choice",
    "load_file": "policy.load",
    "own_page": "pages.direct",
}

__all__ = [
    "ConfigError",
    "Exchange",
    "Failure",
    "Gate",
    "GateError",
    "Headers",
    "Loaded",
    "OptOutGateMiddleware",
    "Outcome",
    "Passage",
    "Report",
    "Request",
    "Response",
    "RewriteError",
    "VisitorChoice",
    "choice_of",
    "load_file",
    "own_page",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{place}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
