"""The gate inside an ASGI application: ``app.add_middleware(OptOutGateMiddleware, config="site.yaml")``.

Outermost is its place, so that it sees what leaves; a compressing middleware inside it is opened and closed again. Pure
ASGI, because Starlette's ``BaseHTTPMiddleware`` would break streaming and context variables. What an application answers
with, and the ways in which that could go round the gate, are :mod:`optout_gate.sending`'s; the request is here.

What goes wrong in the application goes wrong as it would without the gate, save that a page which was to be rewritten
is not sent by halves where that can be helped.
"""

import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.types import Receive, Scope, Send

from optout_gate.exchange import Exchange
from optout_gate.gate import Gate
from optout_gate.http import request_of
from optout_gate.pages.app import OwnPages
from optout_gate.pages.reports import Told
from optout_gate.policy.choice import SCOPE_KEY, VisitorChoice
from optout_gate.policy.load import Loaded, everywhere, load_file
from optout_gate.receiving import refusal, told_with
from optout_gate.report import Report
from optout_gate.sending import MESSAGES, Answer, send_whole
from optout_gate.telemetry.outcomes import OutcomeLog
from optout_gate.uncloaking import Uncloaking

log = logging.getLogger("optout_gate.middleware")

AnyASGIApp = Callable[..., Awaitable[None]]
"""An ASGI application. Frameworks differ in how they type its arguments, Litestar's by name for one."""


class OptOutGateMiddleware:
    """An ASGI application that passes everything to another, and its answers through the gate.

    Attributes:
        gate: the configuration at work. May be replaced at any time; exchanges under way keep theirs.
    """

    def __init__(
        self,
        app: AnyASGIApp,
        config: Gate | Loaded | str | os.PathLike[str] | None = None,
        *,
        on_report: Callable[[Report], object] | None = None,
        on_browser_report: Told | None = None,
    ) -> None:
        """Take the application, a configuration (by default: the defaults, on every host), and who is told of results.

        Args:
            app: the application inside.
            config: a configuration file's path, a configuration already loaded, or a gate. The ``upstream`` of its
                sites goes unused.
            on_report: called with every exchange's report when its answer is sent; for metrics and logs. What it raises
                is logged.
            on_browser_report: called for each thing that visitors' browsers report, with ``blocked`` or ``leaked``,
                vendor, channel and count, or with ``refused``, a reason, nothing and 1. Anyone can post a report.

        Raises:
            ConfigError: with everything that is wrong in the file.
            TypeError: the configuration is none of these.
        """
        self.app = app
        self.gate = gate_of(config)
        self._on_report = on_report
        self._outcomes = OutcomeLog()
        self._pages = OwnPages(lambda: self.gate, told=on_browser_report)
        self._uncloaking = Uncloaking()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "http" and self._pages.answer_to(_path(scope)):
            await self._pages(scope, receive, send)
            return
        gate = self.gate
        if scope["type"] == "lifespan":  # the server waits for the end of this before it serves anybody
            gate.warm_up()
        exchange = gate.open(request_of(scope)) if scope["type"] in ("http", "websocket") else None
        if exchange is None:  # lifespan, what is not known yet, a host that is not the gate's
            await self.app(scope, receive, send)
            return
        inner = _inner_scope(scope, exchange, gate)
        if scope["type"] == "websocket":
            await self.app(inner, receive, told_with(exchange, send, self._over))
            return
        answer = Answer(exchange, send, held_s=gate.limits.held_s, over=lambda: self._over(exchange.report))
        try:
            if exchange.beacon is not None:
                refused, receive = await refusal(exchange, receive)
                if refused is not None:
                    await send_whole(send, refused)
                    return
            await self.app(inner, receive, answer.send)
        except Exception:  # whatever the application made of being cut off
            if answer.error is None:
                raise
        finally:
            answer.close()
        if answer.error is not None and answer.started:
            raise answer.error  # the server closes the connection: the visitor's browser sees that a part is missing

    def _over(self, report: Report) -> None:
        self._outcomes.tell(report)
        if self.gate.cloaks is not None:
            self._uncloaking.look_up(self.gate)
        if self._on_report is not None:
            try:
                self._on_report(report)
            except Exception:  # it is for counting; the application has background tasks to do yet
                log.exception("on_report raised")


def gate_of(config: Gate | Loaded | str | os.PathLike[str] | None) -> Gate:
    """Return the gate for a configuration in whatever shape a caller has it; None means the defaults on every host.

    Raises:
        ConfigError: with everything that is wrong in the file.
        TypeError: it is none of these.
    """
    if isinstance(config, Gate):
        return config
    if config is None:
        config = everywhere()
    elif isinstance(config, str | os.PathLike):
        config = load_file(Path(config))
    elif not isinstance(config, Loaded):
        raise TypeError(f"config is a file's path, what load_file returns, or a Gate, not {config!r}")
    return Gate(config, clock=time.perf_counter)


def _path(scope: Scope) -> str:
    """Return the path as the application routes it: what it is mounted under left away."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _inner_scope(scope: Scope, exchange: Exchange, gate: Gate) -> Scope:
    """Return the scope that the application gets: a copy, with the head rewritten and the choice beside it."""
    inner = {
        **scope,
        "headers": [(name.lower(), value) for name, value in exchange.request.headers],
        SCOPE_KEY: VisitorChoice(exchange.decision, gate.catalog),
    }
    if exchange.request.target is not exchange.visitor.target:
        inner["query_string"] = exchange.request.target.partition(b"?")[2]
    if exchange.decision.opted_out and scope.get("extensions"):
        inner["extensions"] = {name: value for name, value in scope["extensions"].items() if _is_known(name)}
    return inner


def _is_known(extension: str) -> bool:
    """Return True for an extension by which nothing can go round the gate, and no head as the visitor sent it."""
    return (extension != "optout_gate.raw" and not extension.startswith("http.response.")) or extension in MESSAGES
