"""The gate in mitmproxy: ``mitmdump -s addons/optout_gate_addon.py``. Options and commands: docs/mitmproxy.md."""

from optout_gate.mitm.addon import OptOutGateAddon

addons = [OptOutGateAddon()]
