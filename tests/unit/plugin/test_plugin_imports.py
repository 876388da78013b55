"""What every pytest run of an environment pays for seatrial's being installed."""

import subprocess
import sys

import pytest

import seatrial


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = "import sys, seatrial.plugin; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert {"seatrial", "pytest"} <= imported
    heavy = {"kubernetes", "docker", "rich", "requests", "urllib3", "yaml", "tenacity", "filelock"}
    assert not heavy & imported


def test_what_a_test_writes_itself_is_at_hand():
    for name in seatrial.__all__:
        assert getattr(seatrial, name).__module__.startswith("seatrial.") or name.isupper()
    with pytest.raises(AttributeError, match="has no attribute 'patch'"):
        _ = seatrial.patch
