"""These tests import mitmproxy, which lives in an environment of its own: tests/integration/test_mitmproxy.py runs them."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("mitmproxy") else ["test_*.py"]
