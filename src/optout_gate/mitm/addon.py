"""The gate as a mitmproxy addon: options and hooks. It carries bytes between mitmproxy and the core, and decides nothing.

The order of hooks for one flow: ``requestheaders`` (what goes to the origin), ``request`` (the gate's own pages),
``responseheaders`` (the head, and what the body will go through), ``response`` (the end). A flow that another addon has
answered is left alone in all of them.
"""

import logging
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from weakref import WeakKeyDictionary, WeakValueDictionary

from mitmproxy import command, ctx, exceptions, flow, types
from mitmproxy import http as mitm
from mitmproxy.addonmanager import Loader
from mitmproxy.log import ALERT

from optout_gate.errors import ConfigError
from optout_gate.mitm import comparison, messages, view, words
from optout_gate.mitm.flows import Crossing, is_short
from optout_gate.mitm.record import Record
from optout_gate.mitm.settings import NAMES, OPTIONS, Settings, settings_of
from optout_gate.pages.direct import is_own, own_page
from optout_gate.signals import gpc
from optout_gate.telemetry.outcomes import OutcomeLog
from optout_gate.uncloaking import Uncloaking

log = logging.getLogger(__name__)


class OptOutGateAddon:
    """``addons = [OptOutGateAddon()]`` in a script of one's own, or ``-s addons/optout_gate_addon.py``."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._crossings: MutableMapping[mitm.HTTPFlow, Crossing] = WeakKeyDictionary()
        self._compared: MutableMapping[str, mitm.HTTPFlow] = WeakValueDictionary()
        self._record = Record()
        self._outcomes = OutcomeLog()
        self._uncloaking = Uncloaking()
        self._take_view_away: Callable[[], None] = lambda: None

    def load(self, loader: Loader) -> None:
        """Add options and content view (mitmproxy's hook)."""
        for name, kind, default, text in OPTIONS:
            loader.add_option(name, kind, default, text)
        self._take_view_away = view.register(self._original)

    def done(self) -> None:
        """Take the content view away (mitmproxy's hook)."""
        self._take_view_away()

    def _original(self, flow: mitm.HTTPFlow) -> bytes | None:
        crossing = self._crossings.get(flow)
        return crossing.original if crossing is not None else None

    def configure(self, updated: set[str]) -> None:
        """Take changed options at run time (mitmproxy's hook).

        Raises:
            OptionsError: one is wrong. mitmproxy shows it and goes on with the old value.
        """
        if self._settings is not None and not NAMES & updated:
            return
        try:
            self._settings = settings_of(ctx.options)
        except ConfigError as error:
            raise exceptions.OptionsError(f"optout-gate: {error}") from None

    def running(self) -> None:
        """Make what the first page would wait for (mitmproxy's hook, before it proxies)."""
        if self._settings is not None:
            self._settings.gate.warm_up()

    def _up_to_date(self) -> Settings | None:
        """Return the settings, with the configuration file read again where it was saved since. A wrong one is not taken."""
        newer = self._settings.newer() if self._settings is not None else None
        if newer is not None:
            self._settings = newer  # so that a mistake is told once
            try:
                self._settings = settings_of(ctx.options)
            except ConfigError as error:
                log.error("optout-gate: the configuration before it stays: %s", error)
            else:
                log.log(ALERT, "optout-gate: %s was saved, and read again", newer.file)
        return self._settings

    def requestheaders(self, flow: mitm.HTTPFlow) -> None:
        """Read the signals and decide; rewrite the request's head (mitmproxy's hook)."""
        settings = self._up_to_date()
        if settings is None or messages.answered_by_another(flow) or flow.request.method == "CONNECT":
            return
        if comparison.METADATA in flow.metadata:
            return
        request = messages.request_of(flow.request)
        if not settings.concern(request.host):
            return
        if settings.pretend and b"1" not in request.headers.values(gpc.FIELD):
            messages.set_headers(flow.request, request.headers.without([gpc.FIELD]).plus(gpc.LINE))
            request = messages.request_of(flow.request)
        if is_own(settings.gate, request):
            flow.request.stream = False  # its answer is made once the request is here whole
            return
        exchange = settings.gate.open(request)
        if exchange is None:
            return
        messages.set_head(flow.request, exchange.request)
        if exchange.beacon is not None:
            flow.request.stream = False  # its body may have to be read, and it may be answered here
        self._crossings[flow] = Crossing(flow, exchange, settings.gate)

    async def request(self, flow: mitm.HTTPFlow) -> None:
        """Answer for the gate's own pages, and for denied vendors reached through the site (mitmproxy's hook)."""
        settings = self._settings
        if settings is None or messages.answered_by_another(flow) or comparison.METADATA in flow.metadata:
            return
        crossing = self._crossings.get(flow)
        if crossing is not None:
            crossing.refuse(flow)
            return
        request = messages.request_of(flow.request)
        if not settings.concern(request.host):
            return

        async def body() -> bytes:
            return flow.request.raw_content or b""

        answer = await own_page(settings.gate, request, body)
        if answer is not None:
            flow.response = messages.made_of(answer)

    def responseheaders(self, flow: mitm.HTTPFlow) -> None:
        """Rewrite the response's head, and put the body on its way (mitmproxy's hook)."""
        crossing = self._crossings.get(flow)
        if crossing is None or crossing.is_refused or flow.response is None:
            return
        if messages.answered_by_another(flow) or flow.response.status_code == 101:
            del self._crossings[flow]
            return
        # Held back with this option, mitmproxy would pass a long body on by itself, round the gate.
        must_stream = bool(ctx.options.stream_large_bodies)
        wants_stream = self._settings is not None and self._settings.stream and not is_short(flow.response)
        crossing.respond(flow, stream=must_stream or wants_stream, must_stream=must_stream)
        self._tell(flow, crossing)

    def response(self, flow: mitm.HTTPFlow) -> None:
        """Finish the body, and say what happened (mitmproxy's hook)."""
        self._finish(flow)
        if self._settings is not None and self._settings.gate.cloaks is not None:
            self._uncloaking.look_up(self._settings.gate)

    def error(self, flow: mitm.HTTPFlow) -> None:
        """Say what happened up to where the flow broke off (mitmproxy's hook)."""
        self._finish(flow)

    @command.command("optout.explain")  # type: ignore[untyped-decorator]  # mitmproxy is not there when types are checked
    def explain(self, flow: flow.Flow) -> Sequence[str]:
        """Say what was taken out of a flow, on whose word and by which rule."""
        told = words.of(flow)
        difference = flow.metadata.get(comparison.DIFFERENCE)
        if difference is not None:
            return list(difference) or ["no difference"]
        if told is None:
            raise exceptions.CommandError("the gate did not see this flow")
        return words.explained(told)

    @command.command("optout.report")  # type: ignore[untyped-decorator]  # mitmproxy is not there when types are checked
    def report(self, path: types.Path) -> None:
        """Write what became of every flow of this run: a page where PATH ends in .html, else JSON."""
        try:
            self._record.write(Path(path).expanduser())
        except OSError as error:
            raise exceptions.CommandError(f"cannot write {path}: {error.strerror}") from None
        log.log(ALERT, "optout-gate: report written to %s", path)

    @command.command("optout.compare")  # type: ignore[untyped-decorator]  # mitmproxy is not there when types are checked
    def compare(self, flow: flow.Flow) -> None:
        """Ask for a flow's page again without any opt-out; the new flow's comment and explanation say what differs."""
        settings = self._settings
        if not isinstance(flow, mitm.HTTPFlow) or flow.response is None or settings is None:
            raise exceptions.CommandError("there is no response to compare with")
        again = comparison.without_signals(flow, settings.gate.config.cookie.name)
        self._compared[flow.id] = flow
        ctx.master.commands.call("replay.client", [again])

    def _finish(self, flow: mitm.HTTPFlow) -> None:
        crossing = self._crossings.get(flow)
        if crossing is not None:
            crossing.finish(flow)
            self._outcomes.tell(crossing.exchange.report)
            self._tell(flow, crossing)
            status = flow.response.status_code if flow.response is not None else None
            told = flow.metadata[words.METADATA]
            self._record.keep(flow.id, flow.request.method, flow.request.url, status, told)
        gated = self._compared.get(flow.metadata.get(comparison.METADATA, ""))
        if gated is not None and flow.response is not None:
            self._tell_difference(flow, gated)

    def _tell_difference(self, flow: mitm.HTTPFlow, gated: mitm.HTTPFlow) -> None:
        lines = comparison.difference(flow, gated)
        flow.metadata[comparison.DIFFERENCE] = lines
        flow.comment = f"without the signal: {len(lines)} lines differ" if lines else "without the signal: the same"
        log.log(ALERT, "optout-gate: %s %s\n%s", flow.request.pretty_url, flow.comment, "\n".join(lines))

    def _tell(self, flow: mitm.HTTPFlow, crossing: Crossing) -> None:
        report = crossing.exchange.report
        flow.metadata[words.METADATA] = words.metadata(report)
        if crossing.may_comment:
            flow.comment = words.comment(report)
        if crossing.may_mark:
            flow.marked = words.mark(report)
