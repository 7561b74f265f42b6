"""A reload says what it cannot change."""

import logging
import socket
from pathlib import Path

import pytest

from optout_gate.proxy.settings import Settings
from optout_gate.proxy.visitors import Visitors

SITES = "sites: [{upstream: 'http://127.0.0.1:9'}]\n"


async def test_a_reload_says_each_time_which_addresses_stay_where_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"version: 1\n{SITES}")
    settings = Settings(file, None, None, None, 1, "text")
    with socket.socket() as listener:
        visitors = Visitors(settings, settings.load(), listener)
        file.write_text(f"version: 1\nlisten: 127.0.0.1:8081\nadmin: 127.0.0.1:9091\n{SITES}")
        with caplog.at_level(logging.INFO):
            visitors.reload()
            visitors.reload()
    words = "changes with a restart, not with a reload: still on"
    told = [f"listen {words} 127.0.0.1:8080", f"admin {words} 127.0.0.1:9090", "configuration reloaded"]
    assert [record.getMessage() for record in caplog.records] == told * 2
