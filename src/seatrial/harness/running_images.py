"""Holds what the pods of a cluster run against an image, with the nodes as witnesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from seatrial.core.errors import ImageError
from seatrial.core.model import Object
from seatrial.harness.cluster import Cluster
from seatrial.images import Image, assert_runs, configurations_of, find

__all__ = ["assert_pods_run"]


def assert_pods_run(
    cluster: Cluster,
    pods: Sequence[Object],
    image: Image | str,
    *,
    container: str = "",
    pinned: bool = False,
) -> None:
    """See `Release.assert_runs`."""
    meant = find(cluster.client, image) if isinstance(image, str) else image
    assert_runs(meant, pods, container=container, pinned=pinned, identify=_Nodes(cluster).identify)


@dataclass(frozen=True)
class _Nodes:
    """What each node calls its images, asked at most once."""

    cluster: Cluster
    _asked: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def identify(self, node: str, digest: str) -> str:
        """The digest of the configuration of the image that a node has under another digest."""
        if node not in self._asked:
            self._asked[node] = self._ask(node)
        return self._asked[node].get(digest, "")

    def _ask(self, name: str) -> Mapping[str, str]:
        for node in self.cluster.nodes:
            if node.name == name:
                try:
                    return configurations_of(node)
                except ImageError:
                    # what a pod says of itself is then all there is
                    break
        return {}
