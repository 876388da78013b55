"""The other way to give nodes single layers: a registry on 127.0.0.1 that they pull from.

A container of Debian's docker-registry on the cluster's network: the engine pushes to a port that
is published on 127.0.0.1, and the nodes pull by the container's name. Both skip layers that the
other side has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import docker
import requests

from seatrial.cluster import Node
from seatrial.core.progress import Progress
from seatrial.core.references import Reference
from seatrial.images import Image
from seatrial.setup.debian_image import DebianImage
from seatrial.tools.artifacts import Artifacts

__all__ = ["LocalRegistry", "local_registry"]

IMAGE = DebianImage(
    repository="seatrial/registry",
    packages=("ca-certificates", "docker-registry"),
)
PORT = 5000
#: Debian's own configuration asks for a password that nobody has
CONFIG = """\
version: 0.1
storage: {filesystem: {rootdirectory: /registry}}
http: {addr: ":5000"}
log: {level: error, accesslog: {disabled: true}}
"""


@dataclass(frozen=True)
class LocalRegistry:
    """A registry that is up."""

    client: docker.DockerClient
    name: str
    """As the nodes know it."""
    published: str
    """As the engine knows it."""

    def push(self, image: Image) -> None:
        repository, _, tag = image.reference.rpartition(":")
        place = f"{self.published}/{repository}"
        self.client.api.tag(image.id, place, tag)
        for line in self.client.api.push(place, tag, stream=True, decode=True):
            if "error" in line:
                raise RuntimeError(line["error"])

    def pull(self, node: Node, image: Image) -> None:
        """Have a node pull the image, and give it the name that the kubelet asks for."""
        source = f"{self.name}:{PORT}/{image.reference}"
        ctr = "ctr --namespace=k8s.io images"
        name = Reference.parse(image.reference)
        script = f"{ctr} pull --plain-http {source} && {ctr} tag --force {source} {name}"
        node.exec(["sh", "-c", script])

    def forget(self, image: Image) -> None:
        """Take its name here out of the engine."""
        self.client.api.remove_image(f"{self.published}/{image.reference}")


@contextmanager
def local_registry(
    client: docker.DockerClient, network: str, artifacts: Artifacts, mirror: str, progress: Progress
) -> Iterator[LocalRegistry]:
    """A registry on a docker network, gone afterwards with all that was pushed."""
    image = IMAGE.ensure(client, artifacts, progress, mirror=mirror)
    name = f"{network}-registry"
    container = client.containers.run(
        image,
        [
            "sh",
            "-c",
            f"cat > /config.yml <<'END'\n{CONFIG}END\nexec docker-registry serve /config.yml",
        ],
        name=name,
        network=network,
        ports={f"{PORT}/tcp": ("127.0.0.1", 0)},
        detach=True,
    )
    try:
        container.reload()
        port = (container.ports[f"{PORT}/tcp"] or [{}])[0]["HostPort"]
        found = LocalRegistry(client, name, f"127.0.0.1:{port}")
        _await_answer(found.published)
        yield found
    finally:
        container.remove(force=True, v=True)


def _await_answer(address: str) -> None:
    session = requests.Session()
    retries = requests.adapters.Retry(total=20, backoff_factor=0.1)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retries))
    with session:
        session.get(f"http://{address}/v2/", timeout=10).raise_for_status()
