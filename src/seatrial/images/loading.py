"""Puts an image into the nodes of a cluster, where it is not there yet."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import docker

from seatrial.core.clock import Clock, Deadline, SystemClock
from seatrial.core.errors import CommandError, ImageError, SeatrialError
from seatrial.core.progress import Progress, Quiet
from seatrial.core.references import Reference
from seatrial.images.archive import archive_sources
from seatrial.images.engine_image import Image
from seatrial.images.engine_layers import EngineSource
from seatrial.images.layers import Content, UnreadableError, chain_ids, lowest_missing
from seatrial.images.missing import (
    CTR,
    Inventory,
    Node,
    has,
    images_of,
    inventory_of,
    platform_of,
    presence_of,
)
from seatrial.images.sending import Delivery, raise_failures, send_missing, send_whole

__all__ = ["Loaded", "Node", "Source", "load", "load_archive", "load_from"]

#: seconds in which the kubelet's view of the images has followed an import; it follows by events
FOLLOWS_WITHIN = 10.0


class Source(Protocol):
    """Where an image is read from."""

    @property
    def image(self) -> Image: ...

    @property
    def diff_ids(self) -> Sequence[str]:
        """`sha256:…` of each layer unpacked, from the lowest. Raises `UnreadableError`."""

    def open(self, wanted: Collection[int]) -> AbstractContextManager[Content]:
        """The image; layers whose number is not in `wanted` need not be readable.

        Raises `UnreadableError`.
        """

    def whole(self) -> Iterator[bytes]:
        """An archive with all of the image, under its name. Raises `ImageError`."""


@dataclass(frozen=True)
class Loaded:
    """What loading an image took."""

    image: Image
    sent: Mapping[str, int]
    """Bytes, by the name of the node; 0 where it was there already."""

    @property
    def skipped(self) -> tuple[str, ...]:
        """The nodes that had it."""
        return tuple(name for name, size in self.sent.items() if size == 0)


def load(
    image: Image,
    nodes: Sequence[Node],
    *,
    client: docker.DockerClient,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Loaded:
    """Make sure that every node has an image of the engine under its name; see `load_from`."""
    source = EngineSource(client, image, progress)
    return load_from(source, nodes, progress=progress, clock=clock)


def load_archive(
    path: Path,
    nodes: Sequence[Node],
    *,
    reference: str = "",
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> list[Loaded]:
    """Make sure that every node has the images of an archive or an OCI folder; see `load_from`.

    Of an image for several platforms, the nodes' own is loaded; the nodes are all alike. With
    `reference`, one of several images is chosen, or the only one is given that name. No engine is
    asked. Raises `ImageError`.
    """
    if not nodes:
        raise ImageError("the cluster has no node that images can be loaded into")
    with archive_sources(path, lambda: platform_of(nodes[0]), reference) as sources:
        return [load_from(each, nodes, progress=progress, clock=clock) for each in sources]


def load_from(
    source: Source,
    nodes: Sequence[Node],
    *,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Loaded:
    """Make sure that every node has the image under its name.

    A node that has it is asked once, and sent nothing. The others are sent the layers that they
    lack, all at the same time; nothing is written to a file on the way. Where single layers cannot
    be had, or a node does not take them, it is sent all of the image.

    Raises `ImageError` if it cannot be read or imported, or if a node ends up with another image.
    """
    image, progress, clock = source.image, progress or Quiet(), clock or SystemClock()
    # a node's containerd knows an image by its full name
    name = str(Reference.parse(image.reference))
    sent = {node.name: 0 for node in nodes}
    with ThreadPoolExecutor(max_workers=max(1, len(nodes))) as pool:
        looks = list(pool.map(lambda node: presence_of(node, image.id, name), nodes))
        lacking = [node for node, had in zip(nodes, looks, strict=True) if not had.by_id]
        retag = [node for node, had in zip(nodes, looks, strict=True) if had.by_id > had.by_name]
        # what cannot be named there is sent again, which names it
        lacking += [node for node in retag if not _tag(node, image.id, name)]
        if lacking:
            sent.update(_send(source, lacking, pool, progress))
        else:
            progress.note(f"image {image} is in every node already")
        changed = list(dict.fromkeys([*lacking, *retag]))
        for _ in pool.map(lambda node: _verify(node, image, name, clock), changed):
            pass  # the iteration raises what a node raised
    return Loaded(image, sent)


def _tag(node: Node, source: str, name: str) -> bool:
    """Give an image of the node another name; False if it does not go by `source` any more."""
    try:
        node.exec([*CTR, "images", "tag", "--force", source, name])
    except CommandError:
        return False
    return True


def _send(
    source: Source, lacking: Sequence[Node], pool: ThreadPoolExecutor, progress: Progress
) -> dict[str, int]:
    """Bytes sent to each node; one that did not take the missing layers got all of them too."""
    image, sent = source.image, Counter({node.name: 0 for node in lacking})
    nodes = rest = list(zip(lacking, pool.map(inventory_of, lacking), strict=True))
    try:
        done = _send_missing(source, nodes, progress)
    except UnreadableError as error:
        progress.note(f"image {image} goes as a whole: {error.cause}")
    else:
        sent.update(done.sent)
        rest = [each for each in nodes if each[0].name not in done.taken]
        for failed, because in done.failed.items():
            progress.note(f"image {image} goes as a whole to {failed}: {_last_line(because)}")
    if rest:
        whole = send_whole(image, source.whole(), rest, progress)
        raise_failures(image, whole.failed)
        sent.update(whole.sent)
    return dict(sent)


def _send_missing(
    source: Source, nodes: Sequence[tuple[Node, Inventory]], progress: Progress
) -> Delivery:
    """Nothing is sent if no node has any of its layers: the engine saves a whole image faster."""
    chain = chain_ids(source.diff_ids)
    begin = [lowest_missing(chain, inventory.chain_ids) for _, inventory in nodes]
    if not any(begin):
        return Delivery({}, {})
    with source.open(range(min(begin), len(chain))) as content:
        return send_missing(source.image, content, nodes, begin, progress)


def _last_line(error: SeatrialError) -> str:
    return (error.details or error.cause).rstrip().splitlines()[-1]


def _verify(node: Node, image: Image, name: str, clock: Clock) -> None:
    deadline = Deadline.after(FOLLOWS_WITHIN, clock)
    nothing_comes = threading.Condition()
    while True:
        images = images_of(node)
        if has(images, image.id, name):
            return
        if deadline.passed:
            named = [each.get("id") for each in images if name in (each.get("repoTags") or ())]
            raise ImageError(
                f"node {node.name} has another image than the one loaded as {image}",
                details=f"loaded: {image.id}\nthere:  {named[0] if named else 'none of that name'}",
            )
        with nothing_comes:
            clock.wait(nothing_comes, min(0.1, deadline.remaining))
