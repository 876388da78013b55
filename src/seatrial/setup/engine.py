"""Gets an engine going: the one that answers, or one installed from Debian's packages."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from seatrial.core.errors import CommandError, EngineError
from seatrial.core.processes import temporary_prefix
from seatrial.core.progress import Progress, Step
from seatrial.setup import debian
from seatrial.setup.daemon import Daemon
from seatrial.tools import engine, podman
from seatrial.tools.running import run

__all__ = ["ensure_engine"]

#: where dockerd notes its process, unless it is told otherwise
PID_FILE = Path("/var/run/docker.pid")

#: Debian's docker.io 20.10 cannot run a privileged container where the machine itself lacks a
#: capability ("unable to apply caps"); that of the next release can, and needs no newer libc
OLD_SUITE, NEWER_SUITE = "bookworm", "trixie"

#: there only where systemd runs the machine, sd_booted(3)
SYSTEMD = Path("/run/systemd/system")


#: without netavark and its server of names podman falls back on plugins that know no names
PODMAN_PACKAGES = ("podman", "netavark", "aardvark-dns", "iptables")


def ensure_engine(
    progress: Progress, *, state_dir: Path, mirror: str = "", wanted: str = "auto"
) -> None:
    """Make the wanted engine answer: `docker`, `podman`, or `auto`, which takes what there is.

    Uses the one that does. Else podman, where that is installed and Docker is not, has its service
    of Docker's API started; on Debian or Ubuntu as root, `docker.io` is installed (kept if it is)
    and started. podman is installed only if it is the wanted one. Raises `EngineError` where it may
    not, or the engine does not start.
    """
    if engine.is_reachable(wanted):
        return
    if wanted == "podman":
        _ensure_podman(progress, state_dir)
        return
    if os.environ.get("DOCKER_HOST"):
        raise EngineError(
            f"the Docker engine at DOCKER_HOST={os.environ['DOCKER_HOST']} does not answer",
            hint="start that engine, or unset DOCKER_HOST to use this machine's own",
        )
    if wanted == "auto" and shutil.which("podman") and not shutil.which("dockerd"):
        _start_podman(progress, state_dir)
        return
    system = debian.release()
    if not (system.has_apt and debian.is_root()):
        raise EngineError(
            "no Docker engine answers, and seatrial installs one only on Debian or Ubuntu as root",
            details=f"this is {system.pretty}, user id {os.geteuid()}",
            hint="install and start Docker (https://docs.docker.com/engine/install), then run\n"
            "`seatrial setup` again",
        )
    # the command is a package of its own by now, and kind calls it
    missing = [
        package
        for command, package in (("dockerd", "docker.io"), ("docker", "docker-cli"))
        if not shutil.which(command)
    ]
    if missing:
        _install(missing, progress, system, mirror)
    _start(progress, state_dir)


def _ensure_podman(progress: Progress, state_dir: Path) -> None:
    if not shutil.which("podman"):
        system = debian.release()
        if not (system.has_apt and debian.is_root()):
            raise EngineError(
                "podman is not installed, and seatrial does it only on Debian or Ubuntu as root",
                details=f"this is {system.pretty}, user id {os.geteuid()}",
                hint="install podman (https://podman.io/docs/installation), then run\n"
                "`seatrial setup --engine podman` again",
            )
        with progress.step("installing podman from Debian's packages") as step:
            _install_known(PODMAN_PACKAGES, "podman", step)
    _start_podman(progress, state_dir)


def _install(packages: list[str], progress: Progress, system: debian.Release, mirror: str) -> None:
    with progress.step(f"installing {', '.join(packages)} from Debian's packages") as step:
        if system.codename != OLD_SUITE:
            # older suites have the command in docker.io itself
            _install_known(packages, "docker.io", step)
            return
        with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as folder:
            fetched = debian.foreign_packages(
                packages,
                suite=NEWER_SUITE,
                mirror=debian.debian_mirror(mirror),
                folder=Path(folder),
                on_line=step.line,
            )
            # containerd, runc and iptables come from the machine's own suite
            debian.apt_install([str(package) for package in fetched], on_line=step.line)


def _install_known(packages: Sequence[str], otherwise: str, step: Step) -> None:
    """Install those of the packages that this suite has; `otherwise` alone if it has none."""
    # a fresh machine has no lists yet
    debian.apt_update(on_line=step.line)
    known = [name for name in packages if debian.has_package(name)]
    debian.apt_install(known or [otherwise], on_line=step.line)


def _start(progress: Progress, state_dir: Path) -> None:
    with progress.step("starting the Docker engine") as step:
        if SYSTEMD.is_dir():
            try:
                run(["systemctl", "start", "docker"], on_line=step.line)
            except CommandError as error:
                raise EngineError(
                    "the Docker engine is installed, but does not start",
                    details=str(error),
                    hint="see `journalctl --unit=docker`",
                ) from error
            return
        _forget_dead_engine(PID_FILE)
        dockerd = Daemon(
            "the Docker engine",
            [
                shutil.which("dockerd") or "/usr/sbin/dockerd",
                # on cgroup v1 the engine's own default is the host's namespace: one container in it
                # makes the kernel create hierarchies that the kubelet then trips over
                "--default-cgroupns-mode=private",
            ],
            state_dir / "dockerd.log",
        )
        dockerd.start(lambda: engine.is_reachable("docker"), step)


def _start_podman(progress: Progress, state_dir: Path) -> None:
    """Start podman's service of Docker's API, as its own socket unit does it."""
    with progress.step("starting podman's service") as step:
        if SYSTEMD.is_dir():
            user = [] if debian.is_root() else ["--user"]
            try:
                run(["systemctl", *user, "start", "podman.socket"], on_line=step.line)
            except CommandError as error:
                raise EngineError(
                    "podman is installed, but its service does not start",
                    details=str(error),
                    hint=f"see `journalctl {' '.join([*user, '--unit=podman.socket'])}`",
                ) from error
            return
        socket = engine.podman_socket()
        try:
            socket.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f"podman's service has no place for its socket: {error}",
                hint="name a folder of yours: XDG_RUNTIME_DIR=/run/user/ID",
            ) from error
        service = Daemon(
            "podman",
            [
                shutil.which("podman") or "podman",
                "system",
                "service",
                # it would end when nobody asks for a while
                "--time=0",
                f"unix://{socket}",
            ],
            state_dir / "podman.log",
            podman.environment(state_dir),
        )
        service.start(lambda: engine.is_reachable("podman"), step)


def _forget_dead_engine(pid_file: Path) -> None:
    """Remove the pid file of an engine that is gone.

    A machine that was switched off leaves it behind, and its number may be in use again, which
    dockerd takes for itself. The file is dockerd's own and not one of ours, since two engines on
    one data folder take each other's sockets away. Raises `EngineError` if one does run.
    """
    try:
        pid = int(pid_file.read_text())
        running = Path(f"/proc/{pid}/comm").read_text().strip() == "dockerd"
    except (OSError, ValueError):
        running = False
    if running:
        raise EngineError(
            f"a Docker engine runs (process {pid}), but does not answer",
            hint=f"see why (docker version), or end it (kill {pid}) and run `seatrial setup` again",
        )
    pid_file.unlink(missing_ok=True)
