"""What the doctor says of a machine, and that only what stops the main job is bad."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from setup_fakes import FakeClient

from seatrial.core.errors import EngineError
from seatrial.core.health import Finding, Health
from seatrial.core.settings import Settings
from seatrial.setup import debian, doctor, registry
from seatrial.setup.node_recipe import Recipe, known_versions
from seatrial.setup.preparing import PYTHON_BASE

VERSION = known_versions()[-1]
GIB = 1 << 30


class Machine:
    """A machine on which the main job can run, to be harmed."""

    def __init__(self, tmp_path, monkeypatch):
        self.tmp_path, self.patch = tmp_path, monkeypatch
        self.client = FakeClient(has=[Recipe(VERSION).reference, PYTHON_BASE.reference])
        self.failure = None
        self.programs = {"docker": "/usr/bin/docker", "apt-get": "/usr/bin/apt-get"}
        self.tools = {"kind": Path("/tools/kind"), "kubectl": Path("/tools/kubectl")}
        self.settings = {"state_dir": tmp_path / "state", "kubernetes": VERSION}
        self.proc("meminfo", f"MemTotal: 99 kB\nMemAvailable:   {8 * GIB // 1024} kB\n")
        self.proc("sys/fs/inotify/max_user_instances", "512\n")
        self.proc("sys/fs/inotify/max_user_watches", "524288\n")
        self.proc("self/status", "CapBnd:\t000001ffffffffff\n")
        self.go = (1, 30)
        self.free(20)
        monkeypatch.setattr(doctor, "connect", self._connect)
        monkeypatch.setattr(doctor.shutil, "which", self.programs.get)
        monkeypatch.setattr(doctor, "go_version", lambda: self.go)
        monkeypatch.setattr(
            doctor,
            "Toolchain",
            lambda artifacts: SimpleNamespace(
                find=self.tools.get,
                tools={name: SimpleNamespace(version="v9") for name in ("kind", "kubectl")},
            ),
        )
        self.browser = Finding("browser", Health.OK, "Chromium 156.0 (/usr/bin/chromium)")
        monkeypatch.setattr(doctor, "examine_browser", lambda: self.browser)
        monkeypatch.setattr(debian, "is_root", lambda: True)
        self.is_a("debian")

    def is_a(self, id_):
        system = debian.Release(id_, "", f"some {id_}")
        self.patch.setattr(debian, "release", lambda: system)

    def proc(self, name, text):
        path = self.tmp_path / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def free(self, gibibytes):
        usage = SimpleNamespace(free=gibibytes * GIB)
        self.patch.setattr(doctor.shutil, "disk_usage", lambda root: usage)

    def _connect(self, wanted, *, timeout):
        self.wanted = wanted
        if self.failure:
            raise self.failure
        return self.client

    def examine(self, **settings):
        found = doctor.examine(
            Settings(**{**self.settings, **settings}), proc=self.tmp_path / "proc"
        )
        return {finding.subject: finding for finding in found}

    def bad(self, **settings):
        return [f.subject for f in self.examine(**settings).values() if f.health is Health.BAD]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


def test_a_machine_that_has_everything_is_told_row_by_row(machine):
    found = machine.examine()
    assert list(found) == [
        "system", "memory", "inotify max_user_instances", "inotify max_user_watches",
        "capabilities", "docker command", "kind", "kubectl", "Go", "engine", "cgroup", "disk",
        "image registry", "node image", "Python base image", "browser",
    ]  # fmt: skip
    assert found["system"].value.startswith("some debian, ")
    assert found["memory"].value.startswith("8.0 GiB available, ")
    assert found["capabilities"].value == "CAP_SYS_RESOURCE is there"
    assert found["kind"].value == "v9"
    assert found["Go"].value == "1.30"
    assert found["engine"].value == "Docker 26.1.5, overlay2"
    assert found["cgroup"].value == "version 2, systemd"
    assert found["disk"].value == "20 GiB free at /"
    assert found["node image"].value == Recipe(VERSION).reference
    assert found["Python base image"].value == PYTHON_BASE.reference
    assert machine.client.closed


def test_podman_is_named_as_what_it_is(machine):
    machine.client.name = "Podman Engine"
    assert machine.examine()["engine"].value.startswith("podman ")


def test_what_is_well_needs_no_hint(machine):
    machine.client.images.registry = {registry.NODE_IMAGES["1.37"]}
    found = machine.examine()
    assert {f.health for f in found.values()} == {Health.OK}
    assert {f.hint for f in found.values()} == {""}


def test_the_examination_changes_nothing(machine):
    machine.examine()
    assert not (machine.tmp_path / "state").exists()
    assert machine.client.images.pulled == []


# --- what is not as it might be, and is no obstacle


def test_inotify_limits_as_the_kernel_has_them_are_only_noted(machine):
    machine.proc("sys/fs/inotify/max_user_instances", "128\n")
    machine.proc("sys/fs/inotify/max_user_watches", "8192\n")
    found = machine.examine()
    instances, watches = (found[f"inotify {n}"] for n in ("max_user_instances", "max_user_watches"))
    assert (instances.health, watches.health) == (Health.NOTE, Health.NOTE)
    assert instances.value == "128"
    assert watches.hint == "for many nodes: sysctl fs.inotify.max_user_watches=524288"


def test_what_clusters_are_configured_for_is_only_noted(machine):
    machine.proc("self/status", "CapBnd:\t0000000000000000\n")
    machine.client.information["CgroupVersion"] = "1"
    found = machine.examine()
    assert found["capabilities"].health is found["cgroup"].health is Health.NOTE
    assert found["capabilities"].value == "CAP_SYS_RESOURCE is missing"
    assert "restrict_oom_score_adj" in found["capabilities"].hint
    assert "failCgroupV1: false" in found["cgroup"].hint


def test_a_machine_without_go_or_registry_can_still_run_what_it_has(machine):
    machine.go = None
    found = machine.examine()
    assert found["Go"].health is found["image registry"].health is Health.NOTE
    assert found["Go"].value == "not on PATH"
    assert "only needed where" in found["Go"].hint
    assert found["image registry"].value == "does not answer"
    assert machine.bad() == []


@pytest.mark.parametrize(
    ("gibibytes", "health"),
    [(15, Health.OK), (14, Health.NOTE), (4, Health.NOTE), (3, Health.BAD)],
)
def test_disk_space_is_bad_only_where_it_is_too_little(machine, gibibytes, health):
    machine.free(gibibytes)
    disk = machine.examine()["disk"]
    assert disk.health is health
    assert (disk.hint == "") == (health is Health.OK)


@pytest.mark.parametrize(
    ("gibibytes", "health"),
    [(4, Health.OK), (3, Health.NOTE), (2, Health.NOTE), (1, Health.BAD)],
)
def test_memory_is_bad_only_where_it_is_too_little(machine, gibibytes, health):
    machine.proc("meminfo", f"MemAvailable: {gibibytes * GIB // 1024} kB\n")
    assert machine.examine()["memory"].health is health


def test_a_folder_that_is_not_made_yet_counts_by_the_file_system_above_it(machine, tmp_path):
    machine.client.information["DockerRootDir"] = str(tmp_path / "not" / "made")
    assert machine.examine()["disk"].value == f"20 GiB free at {tmp_path}"


# --- what stops the main job


def test_no_engine_is_bad_and_the_rest_is_still_told(machine):
    machine.failure = EngineError("no Docker engine answers")
    found = machine.examine()
    assert found["engine"].health is Health.BAD
    assert found["engine"].value == "no Docker engine answers"
    assert found["engine"].hint == "run `seatrial setup`: it installs and starts one"
    assert {"disk", "kind", "docker command", "browser"} <= set(found)
    assert "node image" not in found


def test_where_nothing_can_be_installed_a_person_has_to(machine):
    machine.failure = EngineError("no Docker engine answers")
    machine.is_a("fedora")
    assert machine.examine()["engine"].hint == "install and start Docker"


def test_a_missing_docker_command_is_bad(machine):
    del machine.programs["docker"]
    found = machine.examine()["docker command"]
    assert (found.health, found.hint) == (Health.BAD, "run `seatrial setup`")
    assert found.value == "not on PATH, and kind needs it"


def test_where_podman_is_the_engine_its_command_is_what_kind_needs(machine):
    machine.client.name = "Podman Engine"
    machine.programs["podman"] = "/usr/bin/podman"
    del machine.programs["docker"]
    found = machine.examine(engine="podman")
    assert machine.wanted == "podman"
    assert found["podman command"].health is Health.OK
    assert "docker command" not in found
    assert found["engine"].value == "podman 26.1.5, overlay2"


def test_a_podman_that_was_asked_for_and_does_not_answer_says_how_to_get_it(machine):
    machine.failure = EngineError("podman's service does not answer")
    found = machine.examine(engine="podman")
    assert found["podman command"].health is found["engine"].health is Health.BAD
    assert "seatrial setup --engine podman" in found["engine"].hint


@pytest.mark.parametrize("name", ["kind", "kubectl"])
def test_a_missing_tool_is_bad_unless_a_person_named_one(machine, name):
    del machine.tools[name]
    found = machine.examine()[name]
    assert (found.health, found.hint) == (Health.BAD, "run `seatrial setup`")
    assert found.value == "v9 is not there yet"
    named = machine.examine(**{name: Path("/mine")})[name]
    assert (named.health, named.value) == (Health.OK, "the one you named")


def test_a_missing_node_image_is_bad(machine):
    machine.client.images.has.remove(Recipe(VERSION).reference)
    found = machine.examine()["node image"]
    assert (found.health, found.hint) == (Health.BAD, "run `seatrial setup`")
    assert found.value == f"none for Kubernetes {VERSION} yet"


def test_a_node_image_may_be_pulled_or_named_as_well(machine):
    published = registry.NODE_IMAGES["1.37"]
    machine.client.images.has = {published, "mine/node:v1", PYTHON_BASE.reference}
    assert machine.examine(kubernetes="1.37.9")["node image"].value == published
    assert machine.examine(node_image="mine/node:v1")["node image"].value == "mine/node:v1"


def test_a_named_node_image_that_is_not_there_is_bad_whatever_was_built(machine):
    assert machine.bad(node_image="mine/node:v1") == ["node image"]


def test_a_version_that_nobody_has_is_bad(machine):
    assert machine.bad(kubernetes="1.20.0") == ["node image"]


def test_a_base_image_is_bad_only_where_it_can_neither_be_pulled_nor_is_there(machine):
    machine.client.images.has.remove(PYTHON_BASE.reference)
    assert machine.bad() == ["Python base image"]
    machine.client.images.registry = {registry.NODE_IMAGES["1.37"]}
    found = machine.examine()["Python base image"]
    assert (found.health, found.value) == (Health.OK, "can be pulled")
