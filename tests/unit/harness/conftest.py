from __future__ import annotations

import sys
from pathlib import Path

import pytest

# fakes are shared between areas, and tests are no packages
sys.path.insert(0, str(Path(__file__).parent.parent / "fakes"))
sys.path.insert(0, str(Path(__file__).parent.parent / "images"))
from harness_kit import World


@pytest.fixture
def world(tmp_path):
    """A cluster of plain objects, whose time stands still until somebody waits."""
    return World(tmp_path)
