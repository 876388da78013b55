"""What a node's containerd has: images by the kubelet's view, and layers by its snapshots."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from seatrial.core.errors import CommandError, ImageError
from seatrial.core.model import dig

__all__ = [
    "CTR",
    "Inventory",
    "Node",
    "Presence",
    "configurations_of",
    "has",
    "images_of",
    "inventory_of",
    "platform_of",
    "presence_of",
]

CTR = ("ctr", "--namespace=k8s.io")


class Node(Protocol):
    """A machine of the cluster that runs containerd."""

    @property
    def name(self) -> str: ...

    def exec(self, argv: Sequence[str], *, stdin: Iterable[bytes] | None = None) -> str:
        """Run a command there and give its standard output. Raises `CommandError`."""


def images_of(node: Node) -> list[Mapping[str, Any]]:
    """The images that the kubelet would find there. Raises `ImageError`."""
    try:
        listed = json.loads(node.exec(["crictl", "images", "-o", "json"]))
    except (CommandError, json.JSONDecodeError) as error:
        raise ImageError(
            f"node {node.name} does not say which images it has", details=str(error)
        ) from error
    images: list[Mapping[str, Any]] = dig(listed, "images", default=[])
    return images


def has(images: Iterable[Mapping[str, Any]], image_id: str, name: str) -> bool:
    """Whether an image is among those of a node, under that name."""
    return any(
        each.get("id") == image_id and name in (each.get("repoTags") or ()) for each in images
    )


@dataclass(frozen=True)
class Presence:
    """What a node has of one image."""

    by_id: bool
    """Whether it has the image at all."""
    by_name: bool
    """Whether it has the image under its name."""


def presence_of(node: Node, image_id: str, name: str) -> Presence:
    """Ask a node for one image: the quick look before anything is sent.

    The runtime keeps each image that the kubelet can use under `sha256:…` of its configuration as
    well, as an entry that leads to the same manifest (the label io.cri-containerd.image tells of
    them). Raises `ImageError`.
    """
    wanted = [f"name=={each}" for each in (name, image_id)]
    try:
        listed = node.exec([*CTR, "images", "list", *wanted])
    except CommandError as error:
        raise ImageError(
            f"node {node.name} does not say which images it has", details=str(error)
        ) from error
    # REF TYPE DIGEST …
    rows = (line.split() for line in listed.splitlines()[1:])
    manifests = {row[0]: row[2] for row in rows if len(row) > 2}
    by_id = manifests.get(image_id)
    return Presence(by_id is not None, by_id is not None and by_id == manifests.get(name))


def configurations_of(node: Node) -> Mapping[str, str]:
    """The digest of each image's configuration, by every digest that the node has of a manifest.

    Raises `ImageError`.
    """
    return {
        str(name).rpartition("@")[2]: str(each["id"])
        for each in images_of(node)
        for name in each.get("repoDigests") or ()
    }


@dataclass(frozen=True)
class Inventory:
    """What a node has of layers."""

    snapshotter: str = ""
    """Who keeps them unpacked there; empty if it is not known."""
    chain_ids: frozenset[str] = frozenset()
    """Of the layers that are there unpacked.

    Not of those that are there as they came: nodes of kind and minikube may discard these.
    """


#: the kubelet's snapshotter is the first in the configuration; runtimes have empty ones below it
_ASK = """
snapshotter=$(sed -n "s/^ *snapshotter *= *['\\"]\\([^'\\"]\\{1,\\}\\)['\\"].*/\\1/p" \\
    /etc/containerd/config.toml | head -n 1)
echo "snapshotter ${snapshotter:=overlayfs}"
exec ctr --namespace=k8s.io snapshots --snapshotter "$snapshotter" list
"""
_LINE = re.compile(r"(sha256:[0-9a-f]{64})\s.*\bCommitted\s*")


def inventory_of(node: Node) -> Inventory:
    """Ask a node which layers it has; one that does not say has none, as far as we know."""
    try:
        first, *lines = node.exec(["sh", "-c", _ASK]).splitlines()
    except (CommandError, ValueError):
        return Inventory()
    found = [match[1] for line in lines if (match := _LINE.fullmatch(line))]
    return Inventory(first.removeprefix("snapshotter "), frozenset(found))


def platform_of(node: Node) -> str:
    """What a node runs, such as `linux/amd64`. Raises `ImageError`."""
    try:
        machine = node.exec(["uname", "-m"]).strip()
    except CommandError as error:
        raise ImageError(
            f"node {node.name} does not say what it runs", details=str(error)
        ) from error
    return f"linux/{_ARCHITECTURES.get(machine, machine)}"


#: the kernel's names, where Go and so container images have others
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm/v7",
    "armv6l": "arm/v6",
    "i686": "386",
    "loongarch64": "loong64",
}
