"""The Docker engine, or podman in its place: reach it, and learn what it can do."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import docker
import docker.errors
import docker.utils
import requests

from seatrial.core.errors import EngineError

__all__ = ["connect", "has_image", "is_podman", "is_reachable", "podman_socket"]

HINT = (
    "start Docker, or point DOCKER_HOST at an engine that runs; on Debian or Ubuntu as root,\n"
    "`seatrial setup` installs and starts one"
)

PODMAN_HINT = "`seatrial setup --engine podman` starts it, and on Debian as root installs it"


def connect(wanted: str = "auto", *, timeout: float = 120.0) -> docker.DockerClient:
    """A client of the `wanted` engine.

    `docker` is this machine's own, or the one that DOCKER_HOST names. `podman` is this machine's
    podman: its service speaks Docker's API. `auto` is the first of them that answers; podman is not
    taken for one that DOCKER_HOST names. The `docker` command may have another engine by its
    contexts; the SDK does not know those.

    `timeout` is how long one answer of the engine may take, in seconds. Raises `EngineError` if no
    engine answers.
    """
    podman = podman_socket()
    if wanted == "podman":
        return _connected(f"unix://{podman}", timeout)
    try:
        return _connected("", timeout)
    except EngineError as error:
        if wanted == "docker" or os.environ.get("DOCKER_HOST") or not podman.exists():
            raise
        try:
            return _connected(f"unix://{podman}", timeout)
        except EngineError:
            # a socket that was left behind is nobody's wish for podman
            raise error from error.__cause__


def podman_socket() -> Path:
    """Where podman's service listens, as podman's own socket unit has it."""
    user = os.geteuid()
    folder = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{user}" if user else "/run"
    return Path(folder) / "podman" / "podman.sock"


def _connected(host: str, timeout: float) -> docker.DockerClient:
    """A client of podman at `host`; of the engine that the environment names if it is empty."""
    cause = "podman's service does not answer" if host else "no Docker engine answers"
    hint = PODMAN_HINT if host else HINT
    try:
        _require_socket(host or os.environ.get("DOCKER_HOST"))
        # the SDK speaks the newest API version that both sides know
        if host:
            client = docker.DockerClient(base_url=host, timeout=int(timeout))
            client.api.close()
            client.api = _PodmanAPI(base_url=host, timeout=int(timeout))
        else:
            client = docker.from_env(timeout=int(timeout))
    except (docker.errors.DockerException, OSError, ValueError) as error:
        raise EngineError(cause, details=_short(error), hint=hint) from error
    try:
        client.ping()
    except (docker.errors.DockerException, requests.RequestException) as error:
        client.close()
        raise EngineError(cause, details=_short(error), hint=hint) from error
    return client


class _PodmanAPI(docker.APIClient):
    """Docker's API where podman's differs from it."""

    def import_image(self, *args: Any, **options: Any) -> str:
        """podman 4.3 passes over a tag that does not come with the name, and takes `latest`."""
        if options.get("repository") and options.get("tag"):
            options["repository"] = f"{options['repository']}:{options.pop('tag')}"
        answer: str = super().import_image(*args, **options)
        return answer


def has_image(client: docker.DockerClient, reference: str) -> bool:
    """Whether the engine has an image of that name. Raises `EngineError` if it does not say."""
    try:
        client.images.get(reference)
    except docker.errors.ImageNotFound:
        return False
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineError(
            f"the Docker engine does not say whether it has {reference}", details=_short(error)
        ) from error
    return True


def is_podman(client: docker.DockerClient) -> bool:
    """Whether the engine is podman, which speaks Docker's API. Raises `EngineError`."""
    try:
        version = client.version()
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineError("the engine does not say what it is", details=_short(error)) from error
    return any("podman" in str(e.get("Name")).lower() for e in version.get("Components") or ())


def is_reachable(wanted: str = "auto") -> bool:
    """Whether the engine answers now; see `connect`."""
    try:
        connect(wanted, timeout=10).close()
    except EngineError:
        return False
    return True


def _require_socket(host: str | None) -> None:
    """Raise `OSError` where the engine's socket is a file that nobody listens on."""
    scheme, _, path = str(docker.utils.parse_host(host)).partition("://")
    if scheme == "http+unix":
        # the SDK leaves its own socket open if this fails, and says less of why
        with socket.socket(socket.AF_UNIX) as asking:
            try:
                asking.connect(path)
            except OSError as error:
                raise OSError(f"{path}: {error.strerror}") from error


def _short(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
