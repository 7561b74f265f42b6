"""The page of the documentation that two runs in Chromium print: each writes its own part."""

from pathlib import Path

MATRIX = Path(__file__).parents[2] / "docs" / "guard-matrix.md"
THROUGH_THE_GATE = "## Pages that the gate serves\n\nPrinted by `tests/browser/test_guard_through_the_gate.py`, which runs a site behind the gate."
"""What the second part begins with."""
