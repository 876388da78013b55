"""Getting a Docker engine going, or one clear error with what to do."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from setup_fakes import Commands, Said

from seatrial.core.errors import CommandError, EngineError
from seatrial.setup import daemon as daemons
from seatrial.setup import debian
from seatrial.setup import engine as setup_engine

BOOKWORM = debian.Release("debian", "bookworm", "Debian GNU/Linux 12 (bookworm)")
TRIXIE = debian.Release("debian", "trixie", "Debian GNU/Linux 13 (trixie)")
FEDORA = debian.Release("fedora", "", "Fedora Linux 40")


class Machine:
    """A machine on which nothing is installed, and where installing is only written down."""

    def __init__(self, tmp_path, monkeypatch):
        self.commands = Commands()
        self.installed, self.fetched, self.wanted = [], [], []
        self.answers = [False, False]
        self.programs = {"apt-get": "/usr/bin/apt-get"}
        self.known = ("docker.io", "docker-cli")
        self.state_dir = tmp_path / "state"
        self._patch = monkeypatch
        monkeypatch.delenv("DOCKER_HOST", raising=False)
        monkeypatch.setattr(setup_engine, "SYSTEMD", tmp_path / "systemd")
        monkeypatch.setattr(setup_engine, "PID_FILE", tmp_path / "docker.pid")
        monkeypatch.setattr(setup_engine, "run", self.commands)
        monkeypatch.setattr(setup_engine.engine, "is_reachable", self._is_reachable)
        monkeypatch.setattr(setup_engine.shutil, "which", self.programs.get)
        monkeypatch.setattr(debian, "is_root", lambda: True)
        monkeypatch.setattr(debian, "apt_update", self._update)
        monkeypatch.setattr(debian, "apt_install", self._install)
        monkeypatch.setattr(debian, "has_package", self._has_package)
        monkeypatch.setattr(debian, "debian_mirror", lambda given: given or "http://found.example")
        monkeypatch.setattr(debian, "foreign_packages", self._fetch)
        self.updated = False
        self.is_a(TRIXIE)

    def is_a(self, system):
        self._patch.setattr(debian, "release", lambda: system)

    def has_dockerd(self, script):
        path = self.state_dir.parent / "dockerd"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        self.programs |= {"dockerd": str(path), "docker": "/usr/bin/docker"}

    def has_podman(self, script):
        path = self.state_dir.parent / "podman"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        self.programs["podman"] = str(path)

    def ensure(self, mirror="", wanted="auto"):
        said = Said()
        setup_engine.ensure_engine(said, state_dir=self.state_dir, mirror=mirror, wanted=wanted)
        return said.lines

    def _is_reachable(self, wanted):
        self.wanted.append(wanted)
        """As planned; the last answer is given only when the engine has begun to write its log."""
        if len(self.answers) > 1:
            return self.answers.pop(0)
        log, ends = self.state_dir / "dockerd.log", time.monotonic() + 20
        while log.exists() and not log.read_text() and time.monotonic() < ends:
            time.sleep(0.01)
        return self.answers[0]

    def _update(self, *, on_line):
        self.updated = True

    def _has_package(self, name):
        # as on a fresh machine: without lists apt knows of no package at all
        return self.updated and name in self.known

    def _install(self, packages, *, on_line):
        self.installed += packages
        on_line("Setting up")

    def _fetch(self, names, *, suite, mirror, folder, on_line):
        self.fetched.append((tuple(names), suite, mirror))
        assert folder.is_dir()
        return [folder / f"{name}.deb" for name in names]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    machine = Machine(tmp_path, monkeypatch)
    before = len(daemons._started)
    yield machine
    for daemon in daemons._started[before:]:
        if daemon.poll() is None:
            os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()
        daemons._started.remove(daemon)


@pytest.fixture
def systemd(machine):
    setup_engine.SYSTEMD.mkdir()


def test_an_engine_that_answers_is_used(machine):
    machine.answers = [True]
    assert machine.ensure() == []
    assert machine.installed == machine.commands.lines == []


def test_an_engine_that_somebody_named_and_that_is_dead_is_not_replaced(machine, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(EngineError) as caught:
        machine.ensure()
    assert str(caught.value).splitlines() == [
        "the Docker engine at DOCKER_HOST=tcp://127.0.0.1:1 does not answer",
        "-> start that engine, or unset DOCKER_HOST to use this machine's own",
    ]
    assert machine.installed == []


@pytest.mark.parametrize(("system", "root"), [(TRIXIE, False), (FEDORA, True), (FEDORA, False)])
def test_where_nothing_may_be_installed_the_error_says_what_to_do(
    machine, monkeypatch, system, root
):
    machine.is_a(system)
    monkeypatch.setattr(debian, "is_root", lambda: root)
    monkeypatch.setattr(setup_engine.os, "geteuid", lambda: 1000)
    with pytest.raises(EngineError) as caught:
        machine.ensure()
    assert str(caught.value).splitlines() == [
        "no Docker engine answers, and seatrial installs one only on Debian or Ubuntu as root",
        f"  this is {system.pretty}, user id 1000",
        "-> install and start Docker (https://docs.docker.com/engine/install), then run",
        "   `seatrial setup` again",
    ]
    assert machine.installed == []


def test_what_is_missing_is_installed_from_the_machines_own_suite(machine, systemd):
    said = machine.ensure()
    assert machine.installed == ["docker.io", "docker-cli"]
    assert machine.fetched == []
    assert said[0] == "installing docker.io, docker-cli from Debian's packages"
    assert machine.commands.lines == ["systemctl start docker"]


@pytest.mark.parametrize("programs", [{}, {"dockerd": "/usr/sbin/dockerd"}])
def test_a_suite_that_has_the_command_in_docker_io_gets_that(machine, systemd, programs):
    machine.known = ("docker.io",)
    machine.programs |= programs
    machine.ensure()
    assert machine.installed == ["docker.io"]


def test_bookworm_gets_the_engine_of_the_next_release(machine, systemd):
    machine.is_a(BOOKWORM)
    machine.ensure(mirror="http://mine.example")
    assert machine.fetched == [(("docker.io", "docker-cli"), "trixie", "http://mine.example")]
    assert [name.rpartition("/")[2] for name in machine.installed] == [
        "docker.io.deb",
        "docker-cli.deb",
    ]


def test_what_is_installed_is_kept_and_only_started(machine, systemd):
    machine.is_a(BOOKWORM)
    machine.programs |= {"dockerd": "/usr/sbin/dockerd", "docker": "/usr/bin/docker"}
    said = machine.ensure()
    assert machine.installed == machine.fetched == []
    assert said[0] == "starting the Docker engine"


def test_only_the_missing_half_is_installed(machine, systemd):
    machine.programs["dockerd"] = "/usr/sbin/dockerd"
    machine.ensure()
    assert machine.installed == ["docker-cli"]


def test_a_service_that_does_not_start_is_an_error_with_systemds_words(machine, systemd):
    machine.commands.answers = {
        "systemctl": CommandError(["systemctl"], status=1, output="Job for docker.service failed")
    }
    with pytest.raises(EngineError) as caught:
        machine.ensure()
    assert caught.value.cause == "the Docker engine is installed, but does not start"
    assert "Job for docker.service failed" in caught.value.details
    assert caught.value.hint == "see `journalctl --unit=docker`"


def test_without_systemd_the_engine_is_started_here_and_outlives_the_call(machine):
    machine.has_dockerd('echo "args: $*"; exec sleep 60')
    machine.answers = [False, False, True]
    machine.ensure()
    log = (machine.state_dir / "dockerd.log").read_text()
    assert "--default-cgroupns-mode=private" in log
    daemon = daemons._started[-1]
    assert daemon.poll() is None
    # a Ctrl-C in this terminal is not the engine's
    assert os.getpgid(daemon.pid) == daemon.pid


def test_a_number_that_a_dead_engine_left_does_not_keep_the_next_from_starting(machine):
    pid_file = setup_engine.PID_FILE
    machine.has_dockerd(f'if [ -e "{pid_file}" ]; then echo taken; else echo free; fi; sleep 60')
    # it belongs to another program by now: this one
    pid_file.write_text(str(os.getpid()))
    machine.answers = [False, True]
    machine.ensure()
    assert (machine.state_dir / "dockerd.log").read_text() == "free\n"


def test_an_engine_that_runs_and_does_not_answer_gets_no_second_one_beside_it(machine, tmp_path):
    machine.has_dockerd("exit 1")
    machine.answers = [False]
    program = tmp_path / "other" / "dockerd"
    program.parent.mkdir()
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as other:
        try:
            # the kernel lets the parent go on a moment before the child has its new name
            while Path(f"/proc/{other.pid}/comm").read_text() != "dockerd\n":
                assert other.poll() is None
            setup_engine.PID_FILE.write_text(str(other.pid))
            with pytest.raises(EngineError) as caught:
                machine.ensure()
        finally:
            other.kill()
    assert caught.value.cause == f"a Docker engine runs (process {other.pid}), but does not answer"
    assert f"kill {other.pid}" in caught.value.hint
    assert not (machine.state_dir / "dockerd.log").exists()


def test_an_engine_that_ends_at_once_shows_its_log(machine):
    machine.has_dockerd("echo 'failed to mount overlay: operation not permitted'; exit 1")
    with pytest.raises(EngineError) as caught:
        machine.ensure()
    assert str(caught.value).splitlines() == [
        "the Docker engine is installed, but does not start",
        "  dockerd ended with status 1",
        "    $ dockerd --default-cgroupns-mode=private",
        "    failed to mount overlay: operation not permitted",
        f"-> see {machine.state_dir}/dockerd.log",
    ]
    assert isinstance(caught.value.__cause__, CommandError)


def test_an_engine_that_never_answers_is_ended_and_shows_its_log(machine, monkeypatch):
    monkeypatch.setattr(daemons, "START_TIMEOUT", 0.1)
    machine.has_dockerd("echo 'waiting for containerd'; exec sleep 60")
    with pytest.raises(EngineError) as caught:
        machine.ensure()
    assert "dockerd did not answer within 0.1 s" in caught.value.details
    assert "waiting for containerd" in caught.value.details
    assert daemons._started[-1].returncode == -signal.SIGTERM


# --- podman where Docker is not


def test_podman_is_taken_where_docker_is_not_installed(machine, systemd):
    machine.has_podman("exit 1")
    assert machine.ensure()[0] == "starting podman's service"
    assert machine.commands.lines == ["systemctl start podman.socket"]
    assert machine.installed == []


def test_an_ordinary_user_has_a_podman_of_their_own(machine, systemd, monkeypatch):
    monkeypatch.setattr(debian, "is_root", lambda: False)
    machine.has_podman("exit 1")
    machine.ensure()
    assert machine.commands.lines == ["systemctl --user start podman.socket"]


def test_docker_that_is_installed_goes_first(machine, systemd):
    machine.has_podman("exit 1")
    machine.programs |= {"dockerd": "/usr/sbin/dockerd", "docker": "/usr/bin/docker"}
    assert machine.ensure()[0] == "starting the Docker engine"


def test_a_podman_socket_that_does_not_start_is_an_error_with_systemds_words(
    machine, systemd, monkeypatch
):
    monkeypatch.setattr(debian, "is_root", lambda: False)
    machine.has_podman("exit 1")
    machine.commands.answers = {
        "systemctl": CommandError(["systemctl"], status=1, output="Unit podman.socket not found")
    }
    with pytest.raises(EngineError) as caught:
        machine.ensure()
    assert "Unit podman.socket not found" in caught.value.details
    assert caught.value.hint == "see `journalctl --user --unit=podman.socket`"


def test_without_systemd_podmans_service_is_started_here(machine, monkeypatch, tmp_path):
    place = tmp_path / "run" / "podman.sock"
    monkeypatch.setattr(setup_engine.engine, "podman_socket", lambda: place)
    machine.has_podman('echo "args: $*"; exec sleep 60')
    machine.answers = [False, False, False, True]
    machine.ensure()
    log = machine.state_dir / "podman.log"
    ends = time.monotonic() + 20
    while not log.read_text() and time.monotonic() < ends:
        time.sleep(0.01)
    assert log.read_text() == f"args: system service --time=0 unix://{place}\n"
    assert place.parent.is_dir()


def test_a_podman_without_a_place_for_its_socket_is_one_clear_error(machine, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "podman" / "podman.sock"
    monkeypatch.setattr(setup_engine.engine, "podman_socket", lambda: place)
    machine.has_podman("exit 1")
    with pytest.raises(EngineError, match="no place for its socket") as caught:
        machine.ensure()
    assert "XDG_RUNTIME_DIR" in caught.value.hint


def test_podman_is_installed_only_where_it_is_asked_for(machine, systemd):
    machine.known = ("podman", "netavark", "aardvark-dns")
    machine.programs |= {"dockerd": "/usr/sbin/dockerd", "docker": "/usr/bin/docker"}
    said = machine.ensure(wanted="podman")
    assert machine.installed == ["podman", "netavark", "aardvark-dns"]
    assert said[0] == "installing podman from Debian's packages"
    assert machine.commands.lines == ["systemctl start podman.socket"]
    assert machine.wanted == ["podman"]


def test_podman_that_may_not_be_installed_is_an_error_with_the_way_out(machine):
    machine.is_a(FEDORA)
    with pytest.raises(EngineError) as caught:
        machine.ensure(wanted="podman")
    assert caught.value.cause.startswith("podman is not installed")
    assert "seatrial setup --engine podman" in caught.value.hint
    assert machine.installed == []


def test_docker_that_is_asked_for_is_not_replaced_by_podman(machine, systemd):
    machine.has_podman("exit 1")
    machine.ensure(wanted="docker")
    assert machine.installed == ["docker.io", "docker-cli"]


def test_podmans_service_gets_the_limits_that_the_machine_can_keep(machine, monkeypatch, tmp_path):
    place = tmp_path / "run" / "podman.sock"
    monkeypatch.setattr(setup_engine.engine, "podman_socket", lambda: place)
    monkeypatch.setattr(
        setup_engine.podman, "environment", lambda state: {"CONTAINERS_CONF": f"{state}/c.conf"}
    )
    machine.has_podman('echo "with $CONTAINERS_CONF"; exec sleep 60')
    machine.answers = [False, False, True]
    machine.ensure()
    log = machine.state_dir / "podman.log"
    ends = time.monotonic() + 20
    while not log.read_text() and time.monotonic() < ends:
        time.sleep(0.01)
    assert log.read_text() == f"with {machine.state_dir}/c.conf\n"
