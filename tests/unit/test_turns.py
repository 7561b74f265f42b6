"""What is counted for a turn at once is what would have been counted one by one."""

import pytest
from prometheus_client import CollectorRegistry

from optout_gate.telemetry.turns import SummedHistogram

BUCKETS = (0.25, 0.5, 1.0)


@pytest.mark.parametrize(
    "amounts",
    [[], [0.0], [0.25, 0.5, 1.0], [0.2500001, 2.0, 2.0], [-1.0, 0.125, 0.75, 0.75, 4.0]],
    ids=["none", "zero", "on-the-bounds", "above-them", "mixed"],
)
def test_observing_all_is_observing_each(amounts: list[float]) -> None:
    """The bucket is found by another way than the library's, in fields that are the library's own."""
    registries = CollectorRegistry(), CollectorRegistry()
    one, all_ = (SummedHistogram("seconds", "Of a test.", buckets=BUCKETS, registry=each) for each in registries)
    for amount in amounts:
        one.observe(amount)
    all_.observe_all(amounts)
    first, second = ([metric.samples for metric in each.collect()] for each in registries)
    assert first == second
    assert any(sample.value for sample in first[0]) is bool(amounts)
