"""Reads an engine's blobs, where it keeps its images in containerd's content store.

That is the default of newly installed engines since 29, and a setting of those since 24. The engine
is asked by the digest of a manifest, and gives what is below it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import docker

from seatrial.images.engine_files import EngineFiles, engine_files, engine_info
from seatrial.images.layers import UnreadableError
from seatrial.images.oci import Stored, resolve

__all__ = ["keeps_blobs", "platform_in", "stored"]

#: below the folder of containerd that an engine starts itself, or of the one of the system;
#: containerd's own name for the plugin, the same since 1.0
_STORE = "io.containerd.content.v1.content/blobs"
_SYSTEM = "/var/lib/containerd"
_ITS_OWN = "containerd/daemon"


def keeps_blobs(client: docker.DockerClient, inspected: Mapping[str, Any]) -> bool:
    """Whether the engine that described an image so keeps it in containerd's content store.

    It then calls the image by the digest of its manifest or index, not of its configuration.
    """
    if inspected.get("Descriptor"):  # Engine API 1.48
        return True
    graph = inspected.get("GraphDriver")
    if not graph or graph.get("Data"):
        return False
    status = dict(engine_info(client).get("DriverStatus") or ())
    return str(status.get("driver-type", "")).startswith("io.containerd.snapshotter")


def platform_in(inspected: Mapping[str, Any]) -> str:
    """What the image runs on, such as `linux/amd64`, by what the engine says of it."""
    parts = (inspected.get("Os"), inspected.get("Architecture"), inspected.get("Variant"))
    return "/".join(part for part in parts if part)


@contextmanager
def stored(client: docker.DockerClient, inspected: Mapping[str, Any]) -> Iterator[Stored]:
    """The image, as long as the context lasts. Raises `UnreadableError`, or `ImageError`."""
    platform = platform_in(inspected)
    top = inspected.get("Descriptor") or {"digest": inspected["Id"]}
    root = str(engine_info(client).get("DockerRootDir", ""))
    reasons = []
    for place in (posixpath.join(root, _ITS_OWN), _SYSTEM):
        with ExitStack() as opened:
            try:
                files = engine_files(client, inspected["Id"], [posixpath.join(place, _STORE)])
                found = resolve(_Blobs(opened.enter_context(files)), top, lambda: platform)
            except UnreadableError as error:
                reasons.append(error.details)
                continue
            yield found
            return
    raise UnreadableError("the engine's store of blobs is not found", details="\n".join(reasons))


@dataclass(frozen=True)
class _Blobs:
    files: EngineFiles

    def read(self, digest: str) -> Iterator[bytes]:
        return self.files.read(0, digest.replace(":", "/"))
