"""Images that a registry has, asked for through the engine, which knows mirrors and credentials."""

from __future__ import annotations

from collections.abc import Mapping

import docker
import docker.errors
import requests

from seatrial.core.errors import NodeImageError
from seatrial.core.progress import Progress
from seatrial.tools import engine

__all__ = ["NODE_IMAGES", "PYTHON_IMAGE", "answers", "published_node_image", "pull"]

#: what the locked kind publishes, by minor version of Kubernetes; tag and digest are those in
#: kind's own source (pkg/apis/config/defaults/image.go)
NODE_IMAGES: Mapping[str, str] = {
    "1.37": "kindest/node:v1.37.0"
    "@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5",
}

#: what the Dockerfile starts from unless it is told otherwise
PYTHON_IMAGE = "python:3.12-slim"


def published_node_image(kubernetes: str) -> str | None:
    """The published node image for a version such as `1.37.2`, of the same minor, or None."""
    return NODE_IMAGES.get(kubernetes.rpartition(".")[0])


def answers(client: docker.DockerClient, reference: str) -> bool:
    """Whether the engine can reach the image's registry, and the image is there."""
    try:
        client.images.get_registry_data(reference)
    except (docker.errors.DockerException, requests.RequestException):
        return False
    return True


def pull(client: docker.DockerClient, reference: str, progress: Progress) -> str:
    """Pull an image unless the engine has it, and give the reference it can be run by."""
    if engine.has_image(client, reference):
        return reference
    with progress.step(f"pulling {reference}") as step:
        refused = ""
        try:
            for line in client.api.pull(reference, stream=True, decode=True):
                step.line(f"{line.get('id', '')} {line.get('status', '')}")
                # what goes wrong once the answer has begun is said in it
                refused = line.get("error", refused)
            client.images.get(reference)
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise NodeImageError(
                f"{reference} cannot be pulled", details=refused or str(error)
            ) from error
    return reference
