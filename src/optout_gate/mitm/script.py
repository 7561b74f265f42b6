"""The addon as a script: ``mitmdump -s $(optout-gate mitm --script)``."""

from optout_gate.mitm.addon import OptOutGateAddon

addons = [OptOutGateAddon()]
