"""Puts an image of the engine into the nodes of a cluster, where it is not there yet."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import docker

from seatrial.core.clock import Clock, Deadline, SystemClock
from seatrial.core.errors import CommandError, ImageError, SeatrialError
from seatrial.core.model import dig
from seatrial.core.progress import Progress, Quiet
from seatrial.core.references import Reference
from seatrial.images.engine_image import ENGINE_ERRORS, Image
from seatrial.images.fanout import Fanout

__all__ = ["Loaded", "Node", "load"]

CTR = ("ctr", "--namespace=k8s.io", "images")

#: seconds in which the kubelet's view of the images has followed an import; it follows by events
FOLLOWS_WITHIN = 10.0


class Node(Protocol):
    """A machine of the cluster that runs containerd."""

    @property
    def name(self) -> str: ...

    def exec(self, argv: Sequence[str], *, stdin: Iterable[bytes] | None = None) -> str:
        """Run a command there and give its standard output. Raises `CommandError`."""


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
    """Make sure that every node has `image` under its name.

    Each node is asked once what it has. The engine saves the image once, and what it saves goes
    straight into all nodes that lack it, at the same time; nothing is written to a file on the way.

    Raises `ImageError` if it cannot be saved or imported, or if a node ends up with another image.
    """
    progress, clock = progress or Quiet(), clock or SystemClock()
    # a node's containerd knows an image by its full name
    name = str(Reference.parse(image.reference))
    sent = {node.name: 0 for node in nodes}
    with ThreadPoolExecutor(max_workers=max(1, len(nodes))) as pool:
        had = dict(zip([n.name for n in nodes], pool.map(_images_of, nodes), strict=True))
        lacking = [node for node in nodes if not _has(had[node.name], image.id)]
        retag = [
            node
            for node in nodes
            if node not in lacking and not _has(had[node.name], image.id, name)
        ]
        # what cannot be named there is sent again, which names it
        lacking += [n for n in retag if not _tag(n, _any_name(had[n.name], image.id), name)]
        if lacking:
            sent.update(_send(image, lacking, pool, client, progress))
        else:
            progress.note(f"image {image} is in every node already")
        changed = list(dict.fromkeys([*lacking, *retag]))
        for _ in pool.map(lambda node: _verify(node, image, name, clock), changed):
            pass  # the iteration raises what a node raised
    return Loaded(image, sent)


def _images_of(node: Node) -> list[Mapping[str, Any]]:
    try:
        listed = json.loads(node.exec(["crictl", "images", "-o", "json"]))
    except (CommandError, json.JSONDecodeError) as error:
        raise ImageError(
            f"node {node.name} does not say which images it has", details=str(error)
        ) from error
    images: list[Mapping[str, Any]] = dig(listed, "images", default=[])
    return images


def _has(images: Iterable[Mapping[str, Any]], image_id: str, name: str = "") -> bool:
    return any(
        each.get("id") == image_id and (not name or name in (each.get("repoTags") or ()))
        for each in images
    )


def _any_name(images: Iterable[Mapping[str, Any]], image_id: str) -> str:
    """A name that the image has in the node; its id is one as well."""
    names = [each.get("repoTags") or () for each in images if each.get("id") == image_id]
    return next((tag for tags in names for tag in tags), image_id)


def _tag(node: Node, source: str, name: str) -> bool:
    """Give an image of the node another name; False if it does not go by `source` there.

    The kubelet's view may list an image without any name that containerd knows: one that was
    imported with `--digests` and has lost its tag since.
    """
    try:
        node.exec([*CTR, "tag", "--force", source, name])
    except CommandError:
        return False
    return True


# without --digests: an image that was never in a registry then goes by its own id in the status of
# a pod, not by an invented name such as import-2026-11-23@sha256:…
def _send(
    image: Image,
    nodes: Sequence[Node],
    pool: ThreadPoolExecutor,
    client: docker.DockerClient,
    progress: Progress,
) -> dict[str, int]:
    fanout = Fanout(len(nodes))

    def receive(number: int) -> None:
        try:
            nodes[number].exec([*CTR, "import", "-"], stdin=fanout.read(number))
        finally:
            fanout.leave(number)

    names = ", ".join(node.name for node in nodes)
    with progress.step(f"loading image {image} into {names}") as step:
        imports = [pool.submit(receive, number) for number in range(len(nodes))]
        try:
            for total in fanout.feed(client.api.get_image(image.reference)):
                step.line(f"{total / 1e6:.0f} MB")
        except ENGINE_ERRORS as error:
            raise ImageError(f"the engine cannot save {image}", details=str(error)) from error
        finally:
            # whatever happened, the imports must not wait for more
            fanout.end()
        _raise_failures(image, nodes, imports)
    return {node.name: fanout.read_bytes[number] for number, node in enumerate(nodes)}


def _raise_failures(image: Image, nodes: Sequence[Node], imports: Sequence[Future[None]]) -> None:
    failed = {
        node.name: error
        for node, each in zip(nodes, imports, strict=True)
        if (error := each.exception()) is not None
    }
    unexpected = [error for error in failed.values() if not isinstance(error, SeatrialError)]
    for error in unexpected:
        raise error
    if failed:
        texts = [f"{name}: {error}" for name, error in failed.items()]
        full = any("no space left on device" in text for text in texts)
        raise ImageError(
            f"image {image} cannot be loaded into {', '.join(failed)}",
            details="\n".join(texts),
            hint="the disk is full: docker system df, docker image prune" if full else "",
        ) from next(iter(failed.values()))


def _verify(node: Node, image: Image, name: str, clock: Clock) -> None:
    deadline = Deadline.after(FOLLOWS_WITHIN, clock)
    nothing_comes = threading.Condition()
    while True:
        images = _images_of(node)
        if _has(images, image.id, name):
            return
        if deadline.passed:
            named = [each.get("id") for each in images if name in (each.get("repoTags") or ())]
            raise ImageError(
                f"node {node.name} has another image than the one loaded as {image}",
                details=f"loaded: {image.id}\nthere:  {named[0] if named else 'none of that name'}",
            )
        with nothing_comes:
            clock.wait(nothing_comes, min(0.1, deadline.remaining))
