"""Missing layers alone suffice the containerd of other generations than that of our nodes.

Debian's own packages stand in for `kindest/node` and minikube, which no test here can pull.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from seatrial import images
from seatrial.cluster import ContainerNode
from seatrial.core.progress import Quiet
from seatrial.images.layers import chain_ids
from seatrial.images.missing import inventory_of
from seatrial.report.console import ConsoleProgress
from seatrial.setup.debian_image import DebianImage
from seatrial.setup.preparing import artifacts_of

#: bytes of the layer that stays, and of the one that changes
BELOW, CHANGED = 20_000_000, 1_000_000

DOCKERFILE = """\
FROM scratch
COPY below /below
COPY app /app
CMD ["/app"]
"""

#: as kind's nodes have it: what is unpacked is not kept packed as well
CONFIGURATION = """\
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  discard_unpacked_layers = true
"""
CRICTL = "runtime-endpoint: unix:///run/containerd/containerd.sock\n"

#: by Debian's suite; the tag of the image changes with what is in here
GENERATIONS = {"bookworm": "1.6.", "trixie": "1.7."}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Noted(Quiet):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def file(name, content):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


@contextmanager
def running(cluster, image):
    """A node that is containerd and nothing else, with the crictl of the cluster's node."""
    client = cluster.client
    container = client.containers.create(
        image,
        ["containerd"],
        privileged=True,
        network_mode="none",
        volumes=["/var/lib/containerd"],
        labels={"seatrial.dev/role": "test"},
    )
    try:
        crictl, _ = client.api.get_archive(cluster.nodes[0].name, "/usr/local/bin/crictl")
        container.put_archive("/usr/local/bin", b"".join(crictl))
        container.put_archive("/etc", file("crictl.yaml", CRICTL.encode()))
        container.put_archive("/etc", file("containerd/config.toml", CONFIGURATION.encode()))
        container.start()
        node = ContainerNode(container.name, cluster.nodes[0].command)
        # it answers once its socket is there
        node.exec(["sh", "-c", "until ctr version && crictl images; do sleep 0.1; done"])
        yield node
    finally:
        container.remove(force=True, v=True)


@pytest.fixture(params=GENERATIONS)
def node(request, k8s_cluster, k8s_settings):
    recipe = DebianImage(
        "seatrial/containerd", ("containerd",), suite=request.param, changes=(f"ENV PATH={PATH}",)
    )
    image = recipe.ensure(
        k8s_cluster.client,
        artifacts_of(k8s_settings),
        ConsoleProgress(),
        mirror=k8s_settings.debian_mirror,
    )
    with running(k8s_cluster, image) as node:
        assert f" {GENERATIONS[request.param]}" in node.exec(["containerd", "--version"])
        yield node


@pytest.fixture
def build(k8s_build_image, k8s_cluster, tmp_path):
    """Build an image whose upper layer is new each time; give it with the bytes of that layer."""
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    below = os.urandom(BELOW)
    (tmp_path / "below").write_bytes(below)
    built = []

    def make():
        content = os.urandom(CHANGED)
        (tmp_path / "app").write_bytes(content)
        image = k8s_build_image(path=tmp_path, repository="generations", load=False)
        inspected = k8s_cluster.client.api.inspect_image(image.reference)
        built.append(image)
        return SimpleNamespace(
            image=image,
            content=content,
            below=below,
            chain=chain_ids(inspected["RootFS"]["Layers"]),
        )

    yield make
    for image in built:
        k8s_cluster.client.api.remove_image(image.reference, force=True)


def load(image, node, cluster):
    noted = Noted()
    loaded = images.load(image, [node], client=cluster.client, progress=noted)
    return loaded.sent[node.name], noted.notes


def test_another_generation_takes_missing_layers_alone(node, build, k8s_cluster):
    first, second = build(), build()
    sent, notes = load(first.image, node, k8s_cluster)
    assert (sent > BELOW + CHANGED, notes) == (True, [])
    # only the snapshot of the lower layer is left: no blob of it can be what helps
    ctr = ["ctr", "--namespace=k8s.io"]
    for line in node.exec([*ctr, "content", "list"]).splitlines()[1:]:
        digest, size = line.split()[:2]
        if "MB" in size or "MiB" in size:
            node.exec([*ctr, "content", "rm", digest])

    # that the node has it under its name with the id as built, `load` itself asks crictl
    sent, notes = load(second.image, node, k8s_cluster)
    assert CHANGED < sent <= 1.2 * CHANGED
    assert notes == [], "the node did not take the missing layer alone"
    assert set(second.chain) <= inventory_of(node).chain_ids
    assert load(second.image, node, k8s_cluster)[0] == 0

    name = f"docker.io/library/{second.image.reference}"
    node.exec([*ctr, "images", "mount", name, "/mnt"])
    sums = node.exec(["sha256sum", "/mnt/app", "/mnt/below"]).split()[::2]

    assert sums == [hashlib.sha256(each).hexdigest() for each in (second.content, second.below)]
