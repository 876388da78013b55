"""Sessions that are ended from outside while they make a cluster: what they leave, and to whom."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.alone

#: pytest; a shell has what it starts in the background ignore SIGINT, and so all that comes of it
HEEDING = """
import signal, sys, pytest
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(pytest.main(sys.argv[1:]))
"""

#: seconds for a session to get as far as its first container, and for it to end
PATIENCE = 120


@pytest.fixture
def name(k8s_cluster):
    return f"{k8s_cluster.name[:40]}-killed"


@pytest.fixture
def environment(k8s_cluster, k8s_settings, name, tmp_path):
    """A state folder of the session's own, so that what it leaves can be told."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("SEATRIAL_")},
        "SEATRIAL_STATE_DIR": str(tmp_path / "state"),
        "SEATRIAL_CLUSTER_NAME": name,
        "SEATRIAL_KUBERNETES": k8s_settings.kubernetes,
        "SEATRIAL_NODE_IMAGE": k8s_cluster.node_image,
        "SEATRIAL_KIND": str(k8s_cluster.kind_path),
        "SEATRIAL_KUBECTL": str(k8s_cluster.kubectl_path),
        "TMPDIR": str(tmp_path / "tmp"),
    }


@pytest.fixture
def session(environment, tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("def test_it(k8s_cluster): pass\n")
    command = [sys.executable, "-c", HEEDING, "-p", "no:cacheprovider", "test_it.py"]
    with (tmp_path / "log").open("w") as log:
        running = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        yield running
        running.kill()
        running.wait()


@pytest.fixture
def seatrial(environment, tmp_path):
    def run(*argv):
        code = "import sys; from seatrial.cli import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", code, *argv], env=environment, cwd=tmp_path, check=False,
            capture_output=True, text=True,
        )  # fmt: skip

    return run


@pytest.fixture
def left(k8s_cluster, name, tmp_path, environment):
    """What there is of the session's cluster."""

    def look():
        client = k8s_cluster.client
        found = [c.name for c in client.containers.list(all=True, ignore_removed=True)]
        found += [network.name for network in client.networks.list()]
        found = [each for each in found if name in each]
        found += [str(path) for path in (tmp_path / "state").rglob("*") if path.is_file()]
        found += [str(path) for path in (tmp_path / "tmp").glob("seatrial-*")]
        mark = f"SEATRIAL_STATE_DIR={environment['SEATRIAL_STATE_DIR']}".encode()
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and mark in (folder / "environ").read_bytes():
                    found.append(f"process {folder.name}")
            except OSError:  # noqa: PERF203 - it has ended, or is somebody else's
                continue
        return found

    return look


def until_it_makes_its_node(session, k8s_cluster, name, tmp_path):
    deadline = time.monotonic() + PATIENCE
    while not k8s_cluster.client.api.containers(
        all=True, filters={"label": f"io.x-k8s.kind.cluster={name}"}
    ):
        assert session.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.1)  # of a process that is about to be killed nothing can be waited for


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_session_that_is_told_to_end_leaves_nothing_but_locks(
    session, k8s_cluster, name, tmp_path, left, number
):
    until_it_makes_its_node(session, k8s_cluster, name, tmp_path)
    session.send_signal(number)
    assert session.wait(PATIENCE) == pytest.ExitCode.INTERRUPTED
    assert [each for each in left() if "/locks/" not in each] == []
    assert f"seatrial: {number.name}: cleaning up" in (tmp_path / "log").read_text()


def test_what_a_killed_session_leaves_is_found_and_removed(
    session, k8s_cluster, name, tmp_path, left, seatrial
):
    until_it_makes_its_node(session, k8s_cluster, name, tmp_path)
    session.kill()
    session.wait()
    told = seatrial("gc", "--dry-run", "--keep-images").stderr
    assert f"would remove cluster {name}: process {session.pid} has ended" in told
    assert any(f"{name}-control-plane" in each for each in left())
    removed = seatrial("gc", "--keep-images")
    assert removed.returncode == 0, removed.stderr
    assert left() == []
    assert "control-plane" in k8s_cluster.kubectl("get", "nodes"), "of another session"


def test_a_second_signal_ends_at_once_and_its_advice_removes_what_is_left(
    session, k8s_cluster, name, tmp_path, left, seatrial
):
    until_it_makes_its_node(session, k8s_cluster, name, tmp_path)
    session.send_signal(signal.SIGTERM)
    session.send_signal(signal.SIGINT)
    assert session.wait(PATIENCE) > 128
    advice = (tmp_path / "log").read_text().splitlines()[-1]
    assert advice == f"-> SEATRIAL_STATE_DIR={tmp_path / 'state'} seatrial gc"
    assert seatrial("gc", "--keep-images").returncode == 0
    assert left() == []
