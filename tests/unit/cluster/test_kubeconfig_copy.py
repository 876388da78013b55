"""A session's copy of a kubeconfig: nobody else's to read, and gone with the session."""

from __future__ import annotations

import stat
import subprocess
import sys

import pytest
import yaml

from seatrial.cluster.kubeconfig_copy import KubeconfigCopy
from seatrial.kube import Target

TARGET = Target("sea", "sea", "https://sea", {"current-context": "sea"}, "~/.kube/config")


def left(place):
    return sorted(path.name for path in place.iterdir() if path.name != "making.lock")


def test_the_copy_has_the_one_context_and_is_its_owners_alone(tmp_path):
    copy = KubeconfigCopy.of(TARGET, tmp_path / "existing")
    assert yaml.safe_load(copy.path.read_text()) == {"current-context": "sea"}
    assert stat.S_IMODE(copy.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.folder.stat().st_mode) == 0o700
    copy.close()


def test_it_is_gone_when_it_is_closed_and_may_be_closed_again(tmp_path):
    copy = KubeconfigCopy.of(TARGET, tmp_path)
    (copy.folder / "cache").mkdir()
    copy.close()
    copy.close()
    assert left(tmp_path) == []


def test_two_sessions_have_a_copy_each(tmp_path):
    one, other = KubeconfigCopy.of(TARGET, tmp_path), KubeconfigCopy.of(TARGET, tmp_path)
    assert one.path != other.path
    one.close()
    assert other.path.exists()
    other.close()


KILLED = """
import os, pathlib, sys
from seatrial.cluster.kubeconfig_copy import KubeconfigCopy
from seatrial.kube import Target
KubeconfigCopy.of(Target("sea", "sea", "https://sea", {}, ""), pathlib.Path(sys.argv[1]))
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_session_left_is_removed_by_the_next(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], check=False)
    [alive, folder] = sorted(left(tmp_path), reverse=True)
    assert alive == f"{folder}.alive"
    mine = KubeconfigCopy.of(TARGET, tmp_path)
    assert left(tmp_path) == sorted([mine.folder.name, f"{mine.folder.name}.alive"])
    mine.close()


def test_a_copy_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    def full(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(yaml, "safe_dump", full)
    with pytest.raises(OSError, match="No space left"):
        KubeconfigCopy.of(TARGET, tmp_path)
    assert left(tmp_path) == []
