"""Streams an image into several nodes at once, to each of them only what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from seatrial.core.errors import ImageError, SeatrialError
from seatrial.core.progress import Progress, Step
from seatrial.images import partial
from seatrial.images.engine_image import Image
from seatrial.images.fanout import Fanout
from seatrial.images.layers import Content
from seatrial.images.missing import CTR, Inventory, Node

__all__ = ["Delivery", "raise_failures", "send_missing", "send_whole"]


@dataclass
class Delivery:
    """What came of sending."""

    sent: dict[str, int]
    """Bytes, by the name of the node."""
    failed: dict[str, SeatrialError]
    """What went wrong, by the name of the node."""

    @property
    def taken(self) -> list[str]:
        """The nodes that have it now."""
        return [name for name in self.sent if name not in self.failed]


def send_missing(
    image: Image,
    content: Content,
    nodes: Sequence[tuple[Node, Inventory]],
    begin: Sequence[int],
    progress: Progress,
) -> Delivery:
    """Send each node the layers from the one whose number is in `begin`.

    Raises `UnreadableError` if a layer cannot be read.
    """
    start = partial.head(content, image.reference)
    layers = content.layers[min(begin) :]
    total = len(start) + sum(map(partial.entry_size, layers)) + len(partial.END)

    def parts(fanout: Fanout) -> Iterator[Iterator[int]]:
        yield fanout.feed([start])
        for number, layer in enumerate(layers, min(begin)):
            takers = [taker for taker, first in enumerate(begin) if first <= number]
            yield fanout.feed(partial.layer_entry(layer), takers)
        yield fanout.feed([partial.END])

    return _send(image, nodes, parts, progress, total)


def send_whole(
    image: Image,
    chunks: Iterator[bytes],
    nodes: Sequence[tuple[Node, Inventory]],
    progress: Progress,
) -> Delivery:
    """Send all nodes one archive. Raises what `chunks` raise."""
    return _send(image, nodes, lambda fanout: iter([fanout.feed(chunks)]), progress)


def _send(
    image: Image,
    nodes: Sequence[tuple[Node, Inventory]],
    parts: Callable[[Fanout], Iterator[Iterator[int]]],
    progress: Progress,
    total: int = 0,
) -> Delivery:
    fanout = Fanout(len(nodes))

    def receive(number: int) -> None:
        node, inventory = nodes[number]
        try:
            node.exec(_import(inventory), stdin=fanout.read(number))
        finally:
            fanout.leave(number)

    names = ", ".join(node.name for node, _ in nodes)
    with (
        ThreadPoolExecutor(len(nodes)) as pool,
        progress.step(f"loading image {image} into {names}") as step,
    ):
        imports = [pool.submit(receive, number) for number in range(len(nodes))]
        try:
            _report(parts(fanout), step, total)
        finally:
            # whatever happened, the imports must not wait for more
            fanout.end()
        failed = _failures(nodes, imports)
    sent = {node.name: fanout.read_bytes[number] for number, (node, _) in enumerate(nodes)}
    return Delivery(sent, failed)


# without --digests: an image that was never in a registry then goes by its own id in the status of
# a pod, not by an invented name such as import-2026-11-23@sha256:…
def _import(inventory: Inventory) -> list[str]:
    options = [f"--snapshotter={inventory.snapshotter}"] if inventory.snapshotter else []
    return [*CTR, "images", "import", *options, "-"]


def _report(parts: Iterator[Iterator[int]], step: Step, total: int) -> None:
    before = 0
    for part in parts:
        so_far = 0
        for so_far in part:
            step.line(_bytes(before + so_far, total))
        before += so_far


def _bytes(count: int, total: int) -> str:
    unit, name = (1e6, "MB") if max(count, total) >= 1e6 else (1e3, "kB")
    of = f" of {total / unit:.1f}" if total else ""
    return f"{count / unit:.1f}{of} {name}"


def _failures(
    nodes: Sequence[tuple[Node, Inventory]], imports: Sequence[Future[None]]
) -> dict[str, SeatrialError]:
    failed: dict[str, SeatrialError] = {}
    for (node, _), each in zip(nodes, imports, strict=True):
        error = each.exception()
        if isinstance(error, SeatrialError):
            failed[node.name] = error
        elif error is not None:
            raise error
    return failed


def raise_failures(image: Image, failed: Mapping[str, SeatrialError]) -> None:
    """Raise an `ImageError` for the nodes that did not take the image, if there are any."""
    if failed:
        texts = [f"{name}: {error}" for name, error in failed.items()]
        full = any("no space left on device" in text for text in texts)
        raise ImageError(
            f"image {image} cannot be loaded into {', '.join(failed)}",
            details="\n".join(texts),
            hint="the disk is full: docker system df, docker image prune" if full else "",
        ) from next(iter(failed.values()))
