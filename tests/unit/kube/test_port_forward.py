"""A port-forward, with a small script in kubectl's place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seatrial.core.errors import CommandError
from seatrial.kube import PortForward, is_closed_inside
from seatrial.testing import VirtualClock

FORWARDING = 'print("Forwarding from 127.0.0.1:40123 -> 5000", flush=True)'
WAITING = "import signal; signal.pause()"


@pytest.fixture
def kubectl(tmp_path):
    """Write a script that stands in for kubectl."""

    def write(*lines: str) -> Path:
        path = tmp_path / "kubectl"
        # -S -E: nothing but the script itself is started
        path.write_text(f"#!{sys.executable} -SE\n" + "\n".join(lines) + "\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def children(monkeypatch):
    """The processes that were started."""
    started = []

    class Popen(subprocess.Popen):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            started.append(self)

    monkeypatch.setattr("seatrial.kube.portforward.subprocess.Popen", Popen)
    return started


def forward(kubectl, **more):
    return PortForward(kubectl, Path("/kube/config"), "demo", "web-1", 5000, **more)


def test_the_port_is_the_one_that_kubectl_names(kubectl, tmp_path):
    seen = tmp_path / "argv"
    script = kubectl(
        f"import sys; open({str(seen)!r}, 'w').write(' '.join(sys.argv[1:]))",
        'print("some warning", flush=True)',
        FORWARDING,
        WAITING,
    )
    with forward(script) as opened:
        assert opened.local_port == 40123
        assert opened.alive
        assert opened.output.splitlines() == [
            "some warning",
            "Forwarding from 127.0.0.1:40123 -> 5000",
        ]
    assert seen.read_text() == (
        "--kubeconfig=/kube/config --namespace=demo port-forward --address=127.0.0.1 "
        "pod/web-1 :5000"
    )
    assert not opened.alive


def test_a_context_is_handed_on(kubectl):
    script = kubectl("import sys; print(sys.argv[2], flush=True)", FORWARDING, WAITING)
    with forward(script, context="far") as opened:
        assert opened.output.startswith("--context=far")


def test_closing_ends_the_child_and_may_be_repeated(kubectl):
    opened = forward(kubectl(FORWARDING, WAITING))
    child = opened._child.pid
    opened.close()
    opened.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_child_that_does_not_want_to_end_is_killed(kubectl, monkeypatch):
    monkeypatch.setattr("seatrial.kube.portforward.STOP_TIMEOUT", 0.05)
    ignoring = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    opened = forward(kubectl(ignoring, FORWARDING, WAITING))
    opened.close()
    assert not opened.alive


def test_a_kubectl_that_fails_is_shown_with_its_output(kubectl):
    script = kubectl(
        "import sys",
        'print("Error from server (NotFound): pods \\"web-1\\" not found", file=sys.stderr)',
        "sys.exit(1)",
    )
    with pytest.raises(CommandError) as caught:
        forward(script)
    assert str(caught.value) == (
        "kubectl ended with status 1\n"
        f"  $ {script} --kubeconfig=/kube/config --namespace=demo port-forward "
        "--address=127.0.0.1 pod/web-1 :5000\n"
        '  Error from server (NotFound): pods "web-1" not found'
    )
    assert caught.value.status == 1


def test_a_kubectl_that_closes_its_output_and_stays_is_ended(kubectl, children, monkeypatch):
    monkeypatch.setattr("seatrial.kube.portforward.STOP_TIMEOUT", 0.05)
    with pytest.raises(CommandError) as caught:
        forward(kubectl("import os; os.close(1); os.close(2)", WAITING))
    assert caught.value.cause == "kubectl closed its output without forwarding a port"
    assert [child.poll() is None for child in children] == [False]


def test_a_kubectl_that_says_nothing_in_time_is_ended(kubectl, children):
    # the virtual clock passes the deadline at the first wait
    with pytest.raises(CommandError) as caught:
        forward(kubectl(WAITING), timeout=7, clock=VirtualClock())
    assert caught.value.cause == "kubectl did not forward a port within 7 s"
    assert caught.value.status is None
    assert [child.poll() is None for child in children] == [False]


def test_a_kubectl_that_is_not_there_is_told(tmp_path):
    with pytest.raises(
        CommandError, match=r"^kubectl cannot be started: No such file or directory"
    ):
        forward(tmp_path / "kubectl")


def test_a_forward_that_lost_its_pod_is_not_alive(kubectl):
    opened = forward(
        kubectl(FORWARDING, "print('error: lost connection to pod')", "raise SystemExit(1)")
    )
    opened._child.wait(10)
    assert not opened.alive
    opened.close()
    assert opened.output.endswith("error: lost connection to pod")


# --- is the port closed in the pod?

REFUSED = (
    'E1125 19:36:11.082355 5732 portforward.go:549] \\"An error occurred forwarding\\" '
    'err=\\"error forwarding port 5001 to pod b0, uid : failed to connect to localhost:5001 inside '
    'namespace \\\\\\"b0\\\\\\", IPv4: dial tcp4 127.0.0.1:5001: connect: connection refused\\"'
)
LISTENING = (
    "import socket",
    "server = socket.create_server(('127.0.0.1', 0))",
    "print(f'Forwarding from 127.0.0.1:{server.getsockname()[1]} -> 5001', flush=True)",
    "connection, _ = server.accept()",
)


def is_closed(script):
    return is_closed_inside(script, Path("/kube/config"), "demo", "web-1", 5001)


def test_a_port_is_closed_where_the_node_says_so(kubectl, children):
    script = kubectl(
        *LISTENING,
        f'print("{REFUSED}", flush=True)',
        "print('error: lost connection to pod')",
        "raise SystemExit(1)",
    )
    assert is_closed(script) is True
    assert children[0].poll() is not None


def test_a_port_is_not_closed_where_nothing_is_said_against_it(kubectl, children, monkeypatch):
    monkeypatch.setattr("seatrial.kube.portforward.REFUSED_WITHIN", 0.05)
    assert is_closed(kubectl(*LISTENING, WAITING)) is False
    assert children[0].poll() is not None


@pytest.mark.parametrize(
    "lines",
    [
        ("raise SystemExit(1)",),
        (*LISTENING, "print('error: lost connection to pod')", "raise SystemExit(1)"),
    ],
    ids=["no forward", "another error"],
)
def test_what_cannot_be_told_is_not_called_closed(kubectl, lines):
    assert is_closed(kubectl(*lines)) is False
