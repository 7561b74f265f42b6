"""The gate as a mitmproxy addon: options and hooks. It carries bytes between mitmproxy and the core, and decides nothing.

The order of hooks for one flow: ``requestheaders`` (what goes to the origin), ``request`` (the gate's own pages),
``responseheaders`` (the head, and what the body will go through), ``response`` (the end). A flow that another addon has
answered is left alone in all of them.
"""

from collections.abc import MutableMapping
from weakref import WeakKeyDictionary

from mitmproxy import ctx, exceptions
from mitmproxy import http as mitm
from mitmproxy.addonmanager import Loader

from optout_gate.errors import ConfigError
from optout_gate.mitm import messages, own_pages, words
from optout_gate.mitm.flows import Crossing, is_short
from optout_gate.mitm.settings import NAMES, OPTIONS, Settings, settings_of
from optout_gate.signals import gpc


class OptOutGateAddon:
    """``addons = [OptOutGateAddon()]`` in a script of one's own, or ``-s addons/optout_gate_addon.py``."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._crossings: MutableMapping[mitm.HTTPFlow, Crossing] = WeakKeyDictionary()

    def load(self, loader: Loader) -> None:
        """Add the options (mitmproxy's hook)."""
        for name, kind, default, text in OPTIONS:
            loader.add_option(name, kind, default, text)

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

    def requestheaders(self, flow: mitm.HTTPFlow) -> None:
        """Read the signals and decide; rewrite the request's head (mitmproxy's hook)."""
        settings = self._settings
        if settings is None or messages.answered_by_another(flow) or flow.request.method == "CONNECT":
            return
        request = messages.request_of(flow.request)
        if not settings.concern(request.host):
            return
        if settings.pretend and b"1" not in request.headers.values(gpc.FIELD):
            messages.set_headers(flow.request, request.headers.without([gpc.FIELD]).plus(gpc.LINE))
            request = messages.request_of(flow.request)
        if own_pages.is_own(flow.request):
            flow.request.stream = False  # its answer is made once the request is here whole
            return
        exchange = settings.gate.open(request)
        if exchange is None:
            return
        messages.set_headers(flow.request, exchange.request.headers)
        self._crossings[flow] = Crossing(flow, exchange)

    async def request(self, flow: mitm.HTTPFlow) -> None:
        """Answer for the gate's own pages (mitmproxy's hook)."""
        settings = self._settings
        if settings is None or messages.answered_by_another(flow) or not own_pages.is_own(flow.request):
            return
        if settings.concern(messages.request_of(flow.request).host):
            flow.response = await own_pages.answer(settings.gate, flow.request)

    def responseheaders(self, flow: mitm.HTTPFlow) -> None:
        """Rewrite the response's head, and put the body on its way (mitmproxy's hook)."""
        crossing = self._crossings.get(flow)
        if crossing is None or flow.response is None:
            return
        if messages.answered_by_another(flow) or flow.response.status_code == 101:
            del self._crossings[flow]
            return
        # Held back with this option, mitmproxy would pass a long body on by itself, round the gate.
        must_stream = bool(ctx.options.stream_large_bodies)
        wants_stream = self._settings is not None and self._settings.stream and not is_short(flow.response)
        crossing.respond(stream=must_stream or wants_stream)
        self._tell(flow, crossing)

    def response(self, flow: mitm.HTTPFlow) -> None:
        """Finish the body, and say what happened (mitmproxy's hook)."""
        self._finish(flow)

    def error(self, flow: mitm.HTTPFlow) -> None:
        """Say what happened up to where the flow broke off (mitmproxy's hook)."""
        self._finish(flow)

    def _finish(self, flow: mitm.HTTPFlow) -> None:
        crossing = self._crossings.get(flow)
        if crossing is not None:
            crossing.finish()
            self._tell(flow, crossing)

    def _tell(self, flow: mitm.HTTPFlow, crossing: Crossing) -> None:
        report = crossing.exchange.report
        before = flow.metadata.get(words.METADATA)
        flow.metadata[words.METADATA] = words.metadata(report)
        if before is not None or not flow.comment:  # what a person or another addon wrote stays
            flow.comment = words.comment(report) or flow.comment
        if before is not None or not flow.marked:
            flow.marked = words.mark(report) or flow.marked
