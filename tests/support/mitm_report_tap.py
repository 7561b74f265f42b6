"""A mitmproxy script for tests: writes what the addon says of each flow to a file, one line of JSON a flow."""

import json

from mitmproxy import ctx
from mitmproxy import http as mitm
from mitmproxy.addonmanager import Loader


class Tap:
    """Writes on ``response``, and on ``error`` for flows that were cut."""

    def load(self, loader: Loader) -> None:
        loader.add_option("tap_file", str, "", "Where to write.")

    def response(self, flow: mitm.HTTPFlow) -> None:
        self._write(flow)

    def error(self, flow: mitm.HTTPFlow) -> None:
        self._write(flow)

    def _write(self, flow: mitm.HTTPFlow) -> None:
        told = flow.metadata.get("optout_gate")
        if told is None:
            return
        removals = sorted([each["vendor"], each["purpose"], each["kind"], each["count"]] for each in told["removals"])
        report = {
            "outcome": told["outcome"],
            "signal": told["signal"],
            "error": told["error"],
            "removals": removals,
        }
        line = {"case": int(flow.request.headers["x-case"]), "report": report, "comment": flow.comment}
        with open(ctx.options.tap_file, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


addons = [Tap()]
