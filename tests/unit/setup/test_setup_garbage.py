"""What is garbage, and what only looks like it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from types import SimpleNamespace

import pytest

from seatrial.cluster import Sharing
from seatrial.core.processes import ProcessId, is_leftover, temporary_prefix
from seatrial.core.progress import Quiet
from seatrial.setup import garbage
from seatrial.setup.garbage import Collector
from seatrial.setup.node_recipe import Recipe, known_versions
from seatrial.tools.artifacts import Artifacts

MINE = ProcessId.mine()
DEAD = replace(MINE, started=1)
ELSEWHERE = replace(DEAD, host="ci-3/abc")


class Engine:
    def __init__(self):
        self.nets, self.made, self.known, self.removed = [], [], [], []
        self.networks = SimpleNamespace(list=lambda filters: self.nets)
        self.containers = SimpleNamespace(list=self._containers)
        self.images = SimpleNamespace(list=self._images, remove=self.removed.append)

    def _containers(self, *, all, filters, ignore_removed):  # noqa: A002 - the SDK's own name
        return [c for c in self.made if filters["label"] in c.labels]

    def _images(self, *, filters=None, name=None):
        if name:
            return [i for i in self.known if name in i.tags]
        return [i for i in self.known if filters["label"] in i.labels]

    def network(self, cluster, owner=None, state=""):
        labels = {"seatrial.dev/cluster": cluster}
        if owner:
            labels |= {"seatrial.dev/owner": owner.label, "seatrial.dev/state": state}
        self.nets.append(SimpleNamespace(attrs={"Labels": labels}))

    def container(self, name, owner):
        gone = lambda **_: self.removed.append(name)  # noqa: E731 - short
        labels = {"seatrial.dev/owner": owner.label}
        self.made.append(SimpleNamespace(name=name, labels=labels, remove=gone))

    def image(self, tag, label, created="2020-01-01T00:00:00.123456789Z", **labels):
        self.known.append(
            SimpleNamespace(tags=[tag], labels={label: "", **labels}, attrs={"Created": created})
        )


class Provider:
    realm = ""

    def __init__(self):
        self.deleted = []

    def delete(self, name, progress):
        self.deleted.append(name)

    def list(self):
        return []


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def provider():
    return Provider()


@pytest.fixture
def collector(engine, provider, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    # those of this machine are not this test's business
    monkeypatch.setattr(garbage.orphans, "find", list)
    sharing = Sharing(provider, tmp_path / "state")
    return Collector(engine, sharing, Artifacts(tmp_path / "artifacts"), Quiet())


def collect(collector, **options):
    said = []
    for each in collector.find(**options):
        said.append(f"{each.what}: {each.why}")
        each.remove()
    return said


def test_where_nothing_is_nothing_is_garbage(collector):
    assert collect(collector) == []


def test_a_cluster_whose_session_was_killed(collector, engine, provider):
    engine.network("shop", DEAD, str(collector.state_dir))
    collector.leases.take("shop", "one", [DEAD])
    said = collect(collector)
    assert said[0] == f"cluster shop: process {DEAD.pid} has ended"
    assert provider.deleted == ["shop"]
    assert collector.leases.clusters() == []


def test_a_cluster_that_was_never_whole(collector, provider):
    collector.leases.take("shop", "one", [DEAD])
    assert collect(collector)[0] == f"what is left of cluster shop: process {DEAD.pid} has ended"
    assert provider.deleted == ["shop"]


@pytest.mark.parametrize("holder", [MINE, ELSEWHERE], ids=["here", "on another machine"])
def test_a_cluster_in_use_stays(collector, engine, provider, holder):
    engine.network("shop", DEAD, str(collector.state_dir))
    collector.leases.take("shop", "dead", [DEAD])
    collector.leases.take("shop", "one", [holder])
    assert collect(collector) == []
    assert provider.deleted == []


def test_a_cluster_whose_maker_lives_stays_though_it_took_no_lease(collector, engine, provider):
    engine.network("shop", MINE, str(collector.state_dir))
    assert collect(collector) == []
    assert provider.deleted == []


@pytest.mark.parametrize("mine", [True, False], ids=["older", "another state folder"])
def test_a_cluster_of_which_nothing_is_known_stays(collector, engine, provider, mine):
    engine.network("shop", None if mine else DEAD, "/elsewhere")
    assert collect(collector) == []
    assert provider.deleted == []


def test_a_kept_cluster_stays_and_only_its_dead_lease_goes(collector, engine, provider):
    engine.network("shop", DEAD, str(collector.state_dir))
    collector.leases.take("shop", "one", [DEAD])
    collector.leases.keep("shop")
    [said] = collect(collector)
    assert said.startswith(f"lease of process {DEAD.pid} on cluster shop, which is kept")
    assert provider.deleted == []
    assert collector.leases.is_kept("shop")
    assert collect(collector) == []


def test_a_dry_run_removes_nothing(collector, engine, provider):
    engine.network("shop", DEAD, str(collector.state_dir))
    collector.leases.take("shop", "one", [DEAD])
    engine.container("reader", DEAD)
    assert len(list(collector.find())) >= 2
    assert (provider.deleted, engine.removed) == ([], [])
    assert collector.leases.clusters() == ["shop"]


def test_a_session_that_comes_between_keeps_its_cluster(collector, engine, provider):
    engine.network("shop", DEAD, str(collector.state_dir))
    collector.leases.take("shop", "one", [DEAD])
    found = next(collector.find())
    collector.leases.take("shop", "two", [MINE])
    found.remove()
    assert provider.deleted == []


def test_a_container_whose_process_was_killed(collector, engine):
    for name, owner in (("left", DEAD), ("in-use", MINE), ("elsewhere", ELSEWHERE)):
        engine.container(name, owner)
    assert collect(collector) == [f"container left: process {DEAD.pid}, which made it, has ended"]
    assert engine.removed == ["left"]


def test_a_node_image_is_superseded_only_if_its_successor_is_there(collector, engine):
    version = known_versions()[-1]
    label = {"seatrial.dev/kubernetes": version}
    old = f"seatrial/node:v{version}-0000000000000000"
    engine.image(old, "seatrial.dev/recipe", **label)
    assert collect(collector) == []
    current = Recipe(version).reference
    engine.image(current, "seatrial.dev/recipe", **label)
    assert collect(collector, images=False) == []
    assert collect(collector) == [f"image {old}: {current} has taken its place"]
    assert engine.removed == [old]


def test_of_an_applications_content_tags_the_newest_stays(collector, engine):
    for tag, created in (
        ("flask:sha-1", "2020-01-01T00:00:00Z"),
        ("flask:sha-2", "2020-01-02T00:00:00Z"),
        ("shop:sha-1", "2020-01-01T00:00:00Z"),
        ("flask:mine", "2019-01-01T00:00:00Z"),
    ):
        engine.image(tag, "seatrial.dev/context", created)
    assert collect(collector) == ["image flask:sha-1: flask:sha-2 is newer"]


def test_files_that_processes_have_left(collector, tmp_path):
    lock = collector.state_dir / "locks" / "gone.sharing.lock"
    work = tmp_path / "artifacts" / ".kind-1.work"
    old = temporary_prefix().replace(f"-{MINE.started}-", "-1-")
    left, mine = tmp_path / "tmp" / f"{old}x", tmp_path / "tmp" / f"{temporary_prefix()}x"
    others = tmp_path / "tmp" / "seatrial-notes"
    for folder in (lock.parent, work, left):
        folder.mkdir(parents=True, exist_ok=True)
    for file in (lock, mine, others, left / "file"):
        file.touch()
    collect(collector)
    assert [path.exists() for path in (lock, work, left)] == [False] * 3
    assert mine.exists()
    assert others.exists()


def test_a_build_that_goes_on_is_no_garbage(collector):
    with (
        collector.artifacts.lock("kind-1"),
        collector.artifacts.workspace("kind-1") as work,
    ):
        assert collect(collector) == []
        assert work.exists()


def test_of_a_temporary_file_of_another_boot_the_process_has_ended():
    mine = temporary_prefix()
    assert not is_leftover(f"{mine}x")
    assert is_leftover(f"{mine.replace(MINE.boot[:8], '00000000')}x")
    assert not is_leftover("seatrial-notes")
