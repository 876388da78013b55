"""A real image registry in the cluster: Debian's docker-registry, as a Deployment with a node port.

Nodes pull from it as `localhost:NODEPORT/…`, which containerd takes for plain HTTP, as every
container runtime does with localhost; the engine pushes to the same port as it is published on
127.0.0.1. So a pull is a real pull, with no registry on the internet.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import requests

from seatrial.harness import Cluster, Release
from seatrial.images import Image
from seatrial.setup.debian_image import DebianImage

PORT = 5000
IMAGE = DebianImage(
    repository="seatrial/registry",
    packages=("ca-certificates", "docker-registry"),
)


#: reference: https://distribution.github.io/distribution/about/configuration/
CONFIG = {
    "version": 0.1,
    "storage": {"filesystem": {"rootdirectory": "/registry"}},
    "http": {"addr": f":{PORT}"},
}
#: Debian's own configuration asks for a password that nobody has
DENYING = "/etc/docker/registry/config.yml"


def manifests(image: str, config: str = "/config/config.yml") -> list[dict[str, Any]]:
    """The registry's objects; what is pushed is gone with its pod."""
    labels = {"app.kubernetes.io/name": "registry"}
    container = {
        "name": "registry",
        "image": image,
        "imagePullPolicy": "Never",
        "command": ["docker-registry", "serve", config],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "config", "mountPath": "/config"},
            {"name": "content", "mountPath": "/registry"},
        ],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "registry"},
            "data": {"config.yml": json.dumps(CONFIG)},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "registry"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [container],
                        "volumes": [
                            {"name": "config", "configMap": {"name": "registry"}},
                            {"name": "content", "emptyDir": {}},
                        ],
                        "enableServiceLinks": False,
                        "terminationGracePeriodSeconds": 0,
                    },
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "registry"},
            "spec": {"type": "NodePort", "selector": labels, "ports": [{"port": PORT}]},
        },
    ]


@dataclass(frozen=True)
class Registry:
    """A registry that is up."""

    cluster: Cluster
    node_port: int

    @classmethod
    def of(cls, cluster: Cluster, release: Release) -> Registry:
        service = release["Service/registry"]
        return cls(cluster, service["spec"]["ports"][0]["nodePort"])

    @property
    def published(self) -> str:
        """Where it is reached from this machine."""
        return f"127.0.0.1:{self.cluster.handle.host_port(self.node_port)}"

    def digest(self, repository: str, tag: str) -> str:
        """`sha256:…` of the manifest that it has under a tag."""
        answer = requests.head(
            f"http://{self.published}/v2/{repository}/manifests/{tag}",
            headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
            timeout=10,
        )
        answer.raise_for_status()
        return answer.headers["Docker-Content-Digest"]

    def push(self, image: Image, name: str, *, copy: bool = False) -> str:
        """Push an image as `name` (`flask:pulled`) and give the reference that nodes pull.

        With `copy` what is pushed has an id of its own. An image that a kubelet (1.35 and newer)
        has pulled under one name it asks the registry for under every other name as well, were it
        loaded or not: so no other test may use it.
        """
        repository, _, tag = name.rpartition(":")
        client = self.cluster.client
        published = f"{self.published}/{repository}"
        if copy:
            recipe = f"FROM {image.reference}\nLABEL pushed={tag}\n".encode()
            client.images.build(fileobj=io.BytesIO(recipe), tag=f"{published}:{tag}", rm=True)
        else:
            client.api.tag(image.id, published, tag)
        try:
            for line in client.api.push(published, tag, stream=True, decode=True):
                assert "error" not in line, line["error"]
        finally:
            client.api.remove_image(f"{published}:{tag}")
        return f"localhost:{self.node_port}/{name}"
