"""pytest-xdist's workers, which are processes of their own, on one cluster that is fake."""

from __future__ import annotations

import re
import signal

import pytest

from seatrial.core.leases import Leases

pytest.importorskip("xdist")

#: the provider writes down what it is asked for, and by which process
CONFTEST = """
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from seatrial.cluster import ClusterOptions
from seatrial.plugin import sharing
from seatrial.plugin.console import loudly
from seatrial.setup import provision

LOG = Path(__file__).parent / "log"


class Provider:
    realm = ""

    def ensure(self, options, progress):
        made = Path(__file__).parent / "made"
        with LOG.open("a") as log:
            print("found" if made.exists() else "made", file=log)
        made.touch()
        progress.note("the cluster is up")
        if os.environ.get("FAILS"):
            from seatrial.core.errors import ClusterError
            raise ClusterError("no disk")
        return SimpleNamespace(name=options.name)

    def delete(self, name, progress):
        with LOG.open("a") as log:
            print("deleted by", os.environ.get("PYTEST_XDIST_WORKER", "controller"), file=log)


provision.provider_of = lambda settings: Provider()


@pytest.fixture(scope="session")
def cluster(request):
    sharing.heed_signals(request.config)
    with loudly(request.config):
        return sharing.join(request.config, Provider(), ClusterOptions(name="shop"))
"""

TESTS = """
import pytest

@pytest.mark.parametrize("n", range(6))
def test_it(n, cluster):
    assert cluster.name == "shop"
"""

LAST_TEARDOWN_FAILS = """
import pytest

@pytest.fixture
def broken(cluster):
    yield
    raise OSError("no disk")

def test_it(broken): pass
"""


@pytest.fixture
def run(pytester, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # of the run that this test is part of
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    pytester.makeconftest(CONFTEST)

    def go(source, *args):
        pytester.makepyfile(source)
        plugins = ["-p", "xdist", "-p", "seatrial.plugin", "-p", "no:cacheprovider"]
        result = pytester.runpytest_subprocess(*plugins, *args)
        log = pytester.path / "log"
        return result, log.read_text().splitlines() if log.exists() else []

    return go


@pytest.fixture
def leases(tmp_path):
    return Leases(tmp_path / "state" / "seatrial")


def test_the_first_worker_makes_the_cluster_and_the_controller_removes_it(run, leases):
    result, log = run(TESTS, "-n", "3")
    result.assert_outcomes(passed=6)
    assert log[0] == "made"
    assert log[1:-1]
    assert set(log[1:-1]) == {"found"}
    assert log[-1] == "deleted by controller"
    assert leases.clusters() == []
    # each says who it is
    assert re.search(r"^\[gw\d\] ✓ the cluster is up$", result.stderr.str(), re.MULTILINE)


def test_a_run_whose_workers_need_no_cluster_removes_none(run):
    result, log = run("def test_it(): pass", "-n", "2")
    result.assert_outcomes(passed=1)
    assert log == []


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "with workers"])
def test_a_failing_teardown_of_the_very_last_test_keeps_the_cluster(run, leases, workers):
    result, log = run(LAST_TEARDOWN_FAILS, "--seatrial-keep=on-failure", *workers)
    result.assert_outcomes(passed=1, errors=1)
    assert log == ["made"]
    assert leases.is_kept("shop")


def test_a_worker_that_crashes_leaves_its_cluster_to_the_others(run, leases):
    crash = TESTS + "\n\ndef test_crash(cluster):\n    import os; os._exit(7)\n"
    result, log = run(crash, "-n", "2")
    result.assert_outcomes(passed=6, failed=1)
    assert log[-1] == "deleted by controller"
    assert log.count("made") == 1
    assert leases.clusters() == []


def test_a_cluster_that_cannot_be_made_is_tried_once(run, leases, monkeypatch):
    monkeypatch.setenv("FAILS", "1")
    result, log = run(TESTS, "-n", "3")
    result.assert_outcomes(errors=6)
    assert log == ["made"]
    assert leases.clusters() == []


def test_workers_of_a_run_label_what_they_make_alike(run, pytester):
    source = """
    import pytest
    from pathlib import Path
    from seatrial.plugin import sharing

    @pytest.mark.parametrize("n", range(4))
    def test_it(n, request):
        with Path("tokens").open("a") as file:
            print(sharing.run_of(request.config).token, file=file)
    """
    run(source, "-n", "2")[0].assert_outcomes(passed=4)
    assert len(set((pytester.path / "tokens").read_text().split())) == 1


INTERRUPTED = """
import os, signal, time

def test_it(cluster):
    os.kill({pid}, signal.{signal})
    time.sleep(60)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("pid", "workers"),
    [("os.getpid()", []), ("os.getppid()", ["-n", "2"])],
    ids=["alone", "the controller"],
)
def test_a_signal_ends_the_run_and_its_cluster(run, leases, name, pid, workers):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        result, log = run(INTERRUPTED.format(pid=pid, signal=name), *workers)
    finally:
        signal.signal(signal.SIGINT, before)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert log == ["made", "deleted by controller"]
    assert leases.clusters() == []
    assert result.stderr.str().count(f"seatrial: {name}: cleaning up") == 1


def test_a_second_signal_ends_at_once_and_says_what_is_left(run, leases):
    source = """
    import os, signal

    def test_it(cluster):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGTERM)
    """
    result, log = run(source)
    assert result.ret == 128 + signal.SIGTERM
    assert log == ["made"]
    assert result.stderr.lines[-3:] == [
        "What may be left behind:",
        "  cluster shop, its containers and network",
        "-> seatrial gc",
    ]
    assert [lease.holder.is_dead for lease in leases.of("shop")] == [True]
