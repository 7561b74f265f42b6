"""What every test may use, and who runs which tests where several processes share them (``pytest -n 2``)."""

from typing import Any

import pytest

ALONE = "tests/browser/"
"""Files of which no two run at once: a browser is several busy processes already."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the expected files of tests/golden anew")
    parser.addoption("--screenshots", metavar="FOLDER", help="keep pictures of the gate's own pages, to be looked at")


@pytest.hookimpl(optionalhook=True)  # the mitmproxy addon's environment has no xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a file's tests to one process, since they share what they start; all of the browsers' to one."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return ALONE if nodeid.startswith(ALONE) else nodeid.partition("::")[0]

    return ByFile(config, log)
