"""What most browser tests stand before."""

from collections.abc import Iterator

import pytest

from support.third_party import ThirdParty


@pytest.fixture(scope="module")
def third_party() -> Iterator[ThirdParty]:
    """Run a tracker that notes who reached it."""
    party = ThirdParty()
    yield party
    party.close()
