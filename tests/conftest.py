"""What every test may use."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the expected files of tests/golden anew")
    parser.addoption("--screenshots", metavar="FOLDER", help="keep pictures of the gate's own pages, to be looked at")
