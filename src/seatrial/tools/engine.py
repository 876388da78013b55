"""The Docker engine: reach it, and learn what it can do."""

from __future__ import annotations

import docker
import docker.errors
import requests

from seatrial.core.errors import EngineError

__all__ = ["connect", "is_reachable"]

HINT = (
    "start Docker, or point DOCKER_HOST at an engine that runs; on Debian or Ubuntu as root,\n"
    "`seatrial setup` installs and starts one"
)


def connect(*, timeout: float = 120.0) -> docker.DockerClient:
    """A client of the engine that the user's own `docker` talks to (DOCKER_HOST is honoured).

    `timeout` is how long one answer of the engine may take, in seconds. Raises `EngineError` if no
    engine answers.
    """
    try:
        # the SDK speaks the newest API version that both sides know
        client = docker.from_env(timeout=int(timeout))
    except docker.errors.DockerException as error:
        raise EngineError("no Docker engine answers", details=_short(error), hint=HINT) from error
    try:
        client.ping()
    except (docker.errors.DockerException, requests.RequestException) as error:
        client.close()
        raise EngineError("no Docker engine answers", details=_short(error), hint=HINT) from error
    return client


def is_reachable() -> bool:
    """Whether an engine answers now."""
    try:
        connect(timeout=10).close()
    except EngineError:
        return False
    return True


def _short(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
