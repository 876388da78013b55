from __future__ import annotations

import sys
from pathlib import Path

import pytest

# fakes are shared between areas, and tests are no packages
sys.path.insert(0, str(Path(__file__).parent.parent / "fakes"))
from plugin_kit import Machine


@pytest.fixture
def machine(pytester, monkeypatch, tmp_path):
    """A machine on which pytest is run with seatrial, and everything below the fixtures is fake."""
    machine = Machine(pytester, monkeypatch, tmp_path)
    yield machine
    machine.api.close()
