"""Finds out whether the main job can run on this machine, and changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import docker
import docker.errors
import requests

from seatrial.core.errors import EngineError
from seatrial.core.health import Finding, Health
from seatrial.core.progress import Quiet
from seatrial.core.settings import Settings
from seatrial.setup import debian, registry
from seatrial.setup.browser import examine_browser
from seatrial.setup.node_image import NodeImageBuilder
from seatrial.setup.node_recipe import known_versions
from seatrial.setup.preparing import PYTHON_BASE, artifacts_of
from seatrial.tools.capabilities import CAP_SYS_RESOURCE, has_capability
from seatrial.tools.engine import connect, has_image, is_podman
from seatrial.tools.golang import go_version
from seatrial.tools.toolchain import Toolchain

__all__ = ["examine"]

SETUP = "run `seatrial setup`"

#: a node image takes 0.5 GB, a build of one 6 GB of Go's caches, an application's image the rest
DISK_LEAST, DISK_GOOD = 4, 15
#: gibibytes that a cluster of one node takes, and what a cold build of Kubernetes wants
MEMORY_LEAST, MEMORY_GOOD = 2, 4
#: each node has some hundred watches of its own: kind's documentation on "too many open files"
INSTANCES_GOOD, WATCHES_GOOD = 512, 524288
GIB = 1 << 30


def examine(settings: Settings, *, proc: Path = Path("/proc")) -> Sequence[Finding]:
    """Every finding, in the order in which a person would look."""
    findings = [_system(), *_memory(proc), *_inotify(proc), _capabilities(proc)]
    try:
        client = connect(settings.engine, timeout=15)
    except EngineError as error:
        findings.append(Finding("engine", Health.BAD, error.cause, _engine_hint(settings)))
        client = None
    command = "podman" if _is_podman(settings, client) else "docker"
    findings += [_engine_cli(command), *_tools(settings)]
    if client is not None:
        try:
            findings += [*_engine(client), *_images(settings, client)]
        except (EngineError, docker.errors.DockerException, requests.RequestException) as error:
            cause = f"it stopped answering: {error}"
            findings.append(Finding("engine", Health.BAD, cause, _engine_hint(settings)))
        finally:
            client.close()
    else:
        findings.append(_disk(Path("/var/lib")))
    return [*findings, examine_browser()]


def _system() -> Finding:
    system = debian.release()
    value = f"{system.pretty}, {platform.machine()}, Linux {platform.release()}"
    return Finding("system", Health.OK, value)


def _memory(proc: Path) -> Iterator[Finding]:
    fields = dict(line.split(":", 1) for line in (proc / "meminfo").read_text().splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024 / GIB
    value = f"{available:.1f} GiB available, {os.cpu_count()} processors"
    health = _graded(available, MEMORY_LEAST, MEMORY_GOOD)
    yield Finding("memory", health, value, _unless_ok(health, f"{MEMORY_GOOD} GiB are comfortable"))


def _inotify(proc: Path) -> Iterator[Finding]:
    for name, good in (("max_user_instances", INSTANCES_GOOD), ("max_user_watches", WATCHES_GOOD)):
        value = int((proc / "sys/fs/inotify" / name).read_text())
        enough = value >= good
        # one node gets by with the kernel's defaults; several may not ("too many open files")
        yield Finding(
            f"inotify {name}",
            Health.OK if enough else Health.NOTE,
            str(value),
            "" if enough else f"for many nodes: sysctl fs.inotify.{name}={good}",
        )


def _capabilities(proc: Path) -> Finding:
    complete = has_capability((proc / "self/status").read_text(), CAP_SYS_RESOURCE)
    return Finding(
        "capabilities",
        Health.OK if complete else Health.NOTE,
        "CAP_SYS_RESOURCE " + ("is there" if complete else "is missing"),
        "" if complete else "clusters are configured for it (restrict_oom_score_adj)",
    )


def _is_podman(settings: Settings, client: docker.DockerClient | None) -> bool:
    if client is None:
        return settings.engine == "podman"
    try:
        return is_podman(client)
    except EngineError:
        # what is wrong with it is found below
        return settings.engine == "podman"


def _engine_hint(settings: Settings) -> str:
    if settings.engine == "podman":
        return "run `seatrial setup --engine podman`: it starts it, and on Debian installs it"
    if debian.release().has_apt and debian.is_root():
        return f"{SETUP}: it installs and starts one"
    return "install and start Docker"


def _engine_cli(command: str) -> Finding:
    found = shutil.which(command)
    return Finding(
        f"{command} command",
        Health.OK if found else Health.BAD,
        found or "not on PATH, and kind needs it",
        "" if found else SETUP,
    )


def _tools(settings: Settings) -> Iterator[Finding]:
    toolchain = Toolchain(artifacts_of(settings))
    for name, given in (("kind", settings.kind), ("kubectl", settings.kubectl)):
        found = given or toolchain.find(name)
        version = "the one you named" if given else toolchain.tools[name].version
        yield Finding(
            name,
            Health.OK if found else Health.BAD,
            version if found else f"{version} is not there yet",
            "" if found else SETUP,
        )
    have = go_version()
    yield Finding(
        "Go",
        Health.OK if have else Health.NOTE,
        ".".join(map(str, have)) if have else "not on PATH",
        "" if have else "only needed where tools or node images cannot be downloaded",
    )


def _engine(client: docker.DockerClient) -> Iterator[Finding]:
    info = client.info()
    name = "podman" if is_podman(client) else "Docker"
    yield Finding("engine", Health.OK, f"{name} {info['ServerVersion']}, {info['Driver']}")
    cgroup = str(info.get("CgroupVersion", "2"))
    yield Finding(
        "cgroup",
        Health.OK if cgroup == "2" else Health.NOTE,
        f"version {cgroup}, {info.get('CgroupDriver', '')}",
        "" if cgroup == "2" else "clusters are configured for it (failCgroupV1: false)",
    )
    yield _disk(Path(info["DockerRootDir"]))


def _disk(root: Path) -> Finding:
    # the folder may be on the engine's machine, or not made yet: the file system above it counts
    while not root.exists():
        root = root.parent
    free = shutil.disk_usage(root).free / GIB
    health = _graded(free, DISK_LEAST, DISK_GOOD)
    hint = _unless_ok(health, f"{DISK_GOOD} GiB are comfortable: docker system prune")
    return Finding("disk", health, f"{free:.0f} GiB free at {root}", hint)


def _images(settings: Settings, client: docker.DockerClient) -> Iterator[Finding]:
    published = registry.published_node_image(settings.kubernetes) or registry.PYTHON_IMAGE
    reachable = registry.answers(client, published)
    yield Finding(
        "image registry",
        Health.OK if reachable else Health.NOTE,
        "answers" if reachable else "does not answer",
        "" if reachable else "images are made from package registries instead",
    )
    yield _node_image(settings, client, reachable)
    base = settings.image_base or PYTHON_BASE.reference
    there = has_image(client, base)
    yield Finding(
        "Python base image",
        Health.OK if there or reachable else Health.BAD,
        base if there else ("can be pulled" if reachable else f"{base} is not there yet"),
        "" if there or reachable else SETUP,
    )


def _node_image(settings: Settings, client: docker.DockerClient, reachable: bool) -> Finding:
    builder = NodeImageBuilder(client, artifacts_of(settings), Quiet())
    wanted = settings.node_image or registry.published_node_image(settings.kubernetes) or ""
    found = wanted if wanted and has_image(client, wanted) else None
    if not settings.node_image and settings.kubernetes in known_versions():
        found = builder.find(settings.kubernetes) or found
    if found is None and reachable and wanted:
        return Finding("node image", Health.OK, f"{wanted} can be pulled")
    return Finding(
        "node image",
        Health.OK if found else Health.BAD,
        found or f"none for Kubernetes {settings.kubernetes} yet",
        "" if found else SETUP,
    )


def _graded(value: float, least: float, good: float) -> Health:
    if value < least:
        return Health.BAD
    return Health.OK if value >= good else Health.NOTE


def _unless_ok(health: Health, hint: str) -> str:
    return "" if health is Health.OK else hint
