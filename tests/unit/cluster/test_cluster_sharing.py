"""Several sessions and one cluster: who makes it, who waits, who removes it."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
from cluster_fakes import Said

from seatrial.cluster import ClusterOptions, Sharing
from seatrial.core.errors import ClusterError
from seatrial.core.leases import Leases
from seatrial.core.processes import ProcessId, Run
from seatrial.tools import orphans

OPTIONS = ClusterOptions(name="shop")
MINE = ProcessId.mine()
DEAD = replace(MINE, started=1)


class Provider:
    realm = ""

    def __init__(self):
        self.log = []
        self.error = None

    def ensure(self, options, progress):
        self.log.append(f"ensure {options.name}")
        if self.error:
            raise self.error
        return SimpleNamespace(name=options.name)

    def delete(self, name, progress):
        self.log.append(f"delete {name}")


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def sharing(provider, tmp_path):
    return Sharing(provider, tmp_path)


@pytest.fixture
def leases(tmp_path):
    return Leases(tmp_path)


def test_the_last_one_out_removes_the_cluster(sharing, provider, leases):
    one, two = Run("one"), Run("two")
    for run in (one, two):
        assert sharing.join(OPTIONS, Said(), run).name == "shop"
    said = Said()
    assert not sharing.leave("shop", said, one, keep=False)
    assert said.lines == [f"cluster shop stays: process {MINE.pid} uses it"]
    assert sharing.leave("shop", Said(), two, keep=False)
    assert provider.log == ["ensure shop", "ensure shop", "delete shop"]
    assert leases.clusters() == []


def test_who_was_killed_keeps_nobody_from_removing_it(sharing, provider, leases):
    leases.take("shop", "killed", [DEAD])
    sharing.join(OPTIONS, Said(), Run("one"))
    assert sharing.leave("shop", Said(), Run("one"), keep=False)
    assert provider.log[-1] == "delete shop"


def test_the_commands_of_who_was_killed_are_ended_first(sharing, provider, leases, monkeypatch):
    orphan = SimpleNamespace(end=lambda: provider.log.append("ended"))
    monkeypatch.setattr(orphans, "find", lambda: [orphan])
    sharing.join(OPTIONS, Said(), Run("one"))
    assert provider.log == ["ensure shop"]
    leases.take("shop", "killed", [DEAD])
    sharing.join(OPTIONS, Said(), Run("two"))
    assert provider.log == ["ensure shop", "ended", "ensure shop"]


def test_who_is_elsewhere_counts_as_alive(sharing, leases):
    leases.take("shop", "far", [replace(DEAD, host="ci-3/abc")])
    sharing.join(OPTIONS, Said(), Run("one"))
    said = Said()
    assert not sharing.leave("shop", said, Run("one"), keep=False)
    assert said.lines == [f"cluster shop stays: process {MINE.pid} on ci-3 uses it"]


def test_a_kept_cluster_stays_until_a_session_takes_it_over(sharing, provider, leases):
    sharing.join(OPTIONS, Said(), Run("one"), keep=True)
    assert not sharing.leave("shop", Said(), Run("one"), keep=True)
    assert leases.is_kept("shop")
    sharing.join(OPTIONS, Said(), Run("two"))
    assert sharing.leave("shop", Said(), Run("two"), keep=False)
    assert provider.log[-1] == "delete shop"
    assert not leases.is_kept("shop")


def test_a_cluster_that_another_session_wants_to_keep_is_kept(sharing, provider):
    one, two = Run("one"), Run("two")
    sharing.join(OPTIONS, Said(), one)
    sharing.join(OPTIONS, Said(), two, keep=True)
    sharing.leave("shop", Said(), two, keep=True)
    assert not sharing.leave("shop", Said(), one, keep=False)
    assert "delete shop" not in provider.log


def test_workers_of_one_run_are_one_user(sharing, provider, leases):
    starter = replace(MINE, pid=1, host="elsewhere/1")
    worker = Run("one", starter)
    sharing.join(OPTIONS, Said(), worker)
    sharing.join(OPTIONS, Said(), worker)
    assert {lease.holder for lease in leases.of("shop")} == {starter, MINE}
    assert leases.of_run("one") == ["shop"]
    assert sharing.leave("shop", Said(), Run("one"), keep=False)


def test_a_run_that_has_not_joined_removes_nothing(sharing, provider):
    assert not sharing.leave("shop", Said(), Run("one"), keep=False)
    assert not sharing.leave("shop", Said(), Run("one"), keep=True)
    assert provider.log == []


def test_what_one_worker_could_not_make_the_others_do_not_try(sharing, provider, leases):
    provider.error = ClusterError("no disk", hint="make room")
    run = Run("one", replace(MINE, pid=1, host="elsewhere/1"))
    with pytest.raises(ClusterError, match="no disk"):
        sharing.join(OPTIONS, Said(), run)
    with pytest.raises(ClusterError, match="another worker could not set up") as raised:
        sharing.join(OPTIONS, Said(), run)
    assert "-> make room" in str(raised.value)
    assert provider.log == ["ensure shop"]
    assert leases.living("shop") == []
    # the run's end forgets it
    assert not sharing.leave("shop", Said(), Run("one"), keep=False)
    assert leases.clusters() == []


def test_a_session_alone_leaves_no_lease_of_a_cluster_that_it_could_not_have(
    sharing, provider, leases
):
    leases.keep("shop")
    provider.error = ClusterError("made from another configuration")
    for _ in range(2):
        with pytest.raises(ClusterError, match="another configuration"):
            sharing.join(OPTIONS, Said(), Run("one"))
    assert leases.of("shop") == []
    assert leases.is_kept("shop"), "it was somebody's, and still is"


def test_who_waits_says_so(sharing):
    inside, said = threading.Event(), Said()
    waited = []

    def second():
        with sharing.lock("shop", said):
            waited.append("in")

    with sharing.lock("shop", Said()):
        thread = threading.Thread(target=second)
        thread.start()
        while not said.lines:
            inside.wait(0.01)
        assert waited == []
    thread.join()
    assert waited == ["in"]
    assert said.lines == ["waiting for another session's work on cluster shop"]


def test_a_lease_that_cannot_be_read_is_none(leases, tmp_path):
    leases.take("shop", "one", [MINE])
    (tmp_path / "leases" / "shop" / "two.1.json").write_text("{")
    assert [lease.run for lease in leases.of("shop")] == ["one"]


def test_a_worker_that_crashed_is_pruned_and_its_run_is_not(leases):
    leases.take("shop", "one", [MINE])
    leases.take("shop", "one", [replace(DEAD, pid=1)])
    assert [lease.holder.pid for lease in leases.prune("shop")] == [1]
    assert [lease.holder for lease in leases.of("shop")] == [MINE]
