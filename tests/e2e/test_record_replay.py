"""A test is recorded on the cluster, and looked at again where there is none."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest

TESTS = """
import pytest
from seatrial import event, in_order, never

IMAGE = {image!r}


def deployment(**change):
    container = {{"name": "flask", "image": IMAGE, **change}}
    return {{
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{"name": "flask"}},
        "spec": {{
            "selector": {{"matchLabels": {{"app": "flask"}}}},
            "template": {{
                "metadata": {{"labels": {{"app": "flask"}}}},
                "spec": {{"containers": [container], "terminationGracePeriodSeconds": 1}},
            }},
        }},
    }}


def test_passing(k8s_deploy, k8s_events):
    password = {{"name": "DB_PASSWORD", "value": "hunter2-canary"}}
    k8s_deploy(deployment(env=[password])).wait_ready()
    k8s_events.expect(in_order("Scheduled", "Pulled", "Created", "Started"), never("BackOff"))


def test_failing(k8s_deploy):
    crash = ["python3", "-c", "print('login with token=hunter2-canary refused'); 1 / 0"]
    k8s_deploy(deployment(command=crash)).wait_ready()


def test_unmet(k8s_deploy, k8s_events):
    k8s_deploy(deployment()).wait_ready()
    k8s_events.expect(in_order("Started", "Pulled", on="Pod/flask-*"), within=1)


def test_hanging(k8s_events):
    k8s_events.expect("Started", within=300)
"""


@pytest.fixture
def session(tmp_path, k8s_cluster, k8s_settings, k8s_image):
    """A command that runs one of the tests above in a session of its own, on the same cluster."""
    (tmp_path / "test_it.py").write_text(TESTS.format(image=k8s_image.reference))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def command(test):
        return [
            sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"test_it.py::{test}",
            f"--seatrial-cluster-name={k8s_cluster.name}",
            f"--seatrial-kubernetes={k8s_settings.kubernetes}",
            f"--seatrial-node-image={k8s_cluster.node_image}",
            f"--seatrial-state-dir={k8s_settings.state_dir}", "--seatrial-record=rec",
        ]  # fmt: skip

    return command


@pytest.fixture
def record(session, tmp_path):
    def run(test):
        done = subprocess.run(
            session(test), cwd=tmp_path, capture_output=True, text=True, check=False
        )
        [path] = (tmp_path / "rec").glob("*.jsonl")
        assert "hunter2" not in path.read_text()
        return done, path

    return run


@pytest.fixture
def replay(tmp_path):
    """`seatrial replay` on a machine that has no cluster, no engine and no kubeconfig."""

    def run(path, *options):
        nowhere = tmp_path / "nowhere"
        nowhere.mkdir(exist_ok=True)
        environment = {
            "PATH": str(nowhere), "HOME": str(nowhere), "KUBECONFIG": str(nowhere / "none"),
            "SEATRIAL_STATE_DIR": str(nowhere), "DOCKER_HOST": "tcp://127.0.0.1:1",
        }  # fmt: skip
        code = "import sys; from seatrial.cli import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", code, "replay", str(path), *options],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def answers(replayed):
    return re.findall(r"^   replayed   (\w+: \w+)", replayed.stdout, re.MULTILINE)


def test_a_test_that_passes(record, replay):
    done, path = record("test_passing")
    assert done.returncode == 0, done.stdout
    replayed = replay(path)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert answers(replayed) == ["same: satisfied", "same: satisfied"]
    assert replay(path, "--ready", "Deployment/flask").returncode == 0
    assert replay(path, "--ready", "Deployment/flaks").returncode == 1
    assert replay(path, "--expect", "FRESH_ROLLOUT:Deployment/flask").returncode == 0


def test_a_test_that_fails(record, replay):
    done, path = record("test_failing")
    assert done.returncode == 1
    # the line that is printed can be pasted
    assert f"    seatrial replay rec/{path.name}" in done.stdout
    replayed = replay(path)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert answers(replayed) == ["same: NotReadyError"]
    assert "crashed 2 times with exit code 1" in replayed.stdout
    assert "login with token=<hidden> refused" in replayed.stdout


def test_an_expectation_that_is_not_met(record, replay):
    done, path = record("test_unmet")
    assert done.returncode == 1
    replayed = replay(path)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert answers(replayed) == ["same: satisfied", "same: EventMismatchError"]
    first = next(line for line in done.stdout.splitlines() if "EventMismatchError: " in line)
    assert first.partition("EventMismatchError: ")[2] in replayed.stdout


def test_a_run_that_is_killed_leaves_what_it_had(session, replay, tmp_path, k8s_cluster):
    command = session("test_hanging")
    log = (tmp_path / "log").open("w")
    with log, subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log) as running:
        try:
            deadline = time.monotonic() + 60
            found = []
            while not any('"line":"expect"' in path.read_text() for path in found):
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.1)  # of a process that is about to be killed nothing can be waited for
                found = list((tmp_path / "rec").glob("*.jsonl"))
        finally:
            os.kill(running.pid, signal.SIGKILL)
    [path] = found
    replayed = replay(path)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "it broke off before the test had ended" in replayed.stdout
    assert "on the day no answer" in replayed.stdout
    k8s_cluster.namespaces.delete(re.search(r"namespace (\S+)", replayed.stdout)[1])
