"""Images go into the nodes layer by layer: only what a node lacks is sent, and it runs."""

from __future__ import annotations

import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import docker.errors
import pytest

from seatrial import images
from seatrial.images.engine_files import READER_LABEL

#: bytes of the layer that changes from build to build
CHANGED = 5_000_000

DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY below /below
COPY app /app
RUN echo linked > /app/first && ln /app/first /app/second
USER 10001:10001
CMD ["sh", "-c", "cat /app/name /app/second && exec cat"]
"""


class Noted:
    """Progress that keeps what a person would see."""

    def __init__(self):
        self.lines, self.notes = [], []

    @contextmanager
    def step(self, title):
        yield self

    def line(self, text):
        self.lines.append(text)

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def build(k8s_build_image, k8s_cluster, tmp_path):
    """Build an image of this test's own, without loading it; each call changes its app layer."""
    context = tmp_path / "context"
    (context / "app").mkdir(parents=True)
    (context / "below").mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "below" / "first").write_bytes(os.urandom(20_000_000))
    names = iter(("one", "two", "three"))
    built = []

    def make(repository="loading"):
        (context / "app" / "name").write_text(next(names) + "\n")
        (context / "app" / "data").write_bytes(os.urandom(CHANGED))
        built.append(k8s_build_image(path=context, repository=repository, load=False))
        return built[-1]

    yield make
    for image in built:
        with suppress(docker.errors.ImageNotFound):
            k8s_cluster.client.api.remove_image(image.reference)


@pytest.fixture
def load(k8s_cluster):
    """Load an image as the cluster does, and give the bytes per node and what was shown."""

    def do(image):
        noted = Noted()
        loaded = images.load(image, k8s_cluster.nodes, client=k8s_cluster.client, progress=noted)
        return loaded, noted

    return do


@pytest.fixture
def runs_as(k8s_deploy):
    """Run an image in a pod, and give the imageID in its status."""

    def run(image, name):
        container = {
            "name": "app",
            "image": image.reference,
            "imagePullPolicy": "Never",
            "stdin": True,
        }
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
        }
        release = k8s_deploy(pod)
        release.wait_ready()
        (running,) = release.pods()
        return running["status"]["containerStatuses"][0]["imageID"]

    return run


def test_a_changed_layer_is_all_that_is_sent_and_what_runs_is_what_was_built(
    build, load, runs_as, k8s_cluster, k8s_namespace
):
    load(build())
    image = build()
    loaded, noted = load(image)
    nodes = [node.name for node in k8s_cluster.nodes]
    assert set(loaded.sent) == set(nodes)
    for sent in loaded.sent.values():
        assert CHANGED < sent <= 1.2 * CHANGED
    # the same is told while it goes on
    total = f"{max(loaded.sent.values()) / 1e6:.1f}"
    assert noted.lines[-1] == f"{total} of {total} MB"
    assert noted.notes == []
    assert runs_as(image, "changed") == image.id
    assert k8s_cluster.kubectl("logs", "changed", f"--namespace={k8s_namespace}") == "two\nlinked"
    left = k8s_cluster.client.api.containers(all=True, filters={"label": READER_LABEL})
    assert left == [], "a container that reads layers was left behind"


def test_an_unchanged_image_is_sent_no_byte(build, load):
    image = build()
    load(image)
    loaded, noted = load(image)
    assert set(loaded.sent.values()) == {0}
    assert (noted.lines, noted.notes) == ([], [f"image {image} is in every node already"])


def test_two_images_may_be_loaded_at_once(build, load, runs_as):
    load(build())
    both = [build(), build()]
    with ThreadPoolExecutor(2) as pool:
        for loaded, noted in pool.map(load, both):
            assert all(CHANGED < sent <= 1.2 * CHANGED for sent in loaded.sent.values())
            assert noted.notes == []
    assert [runs_as(image, f"pod-{n}") for n, image in enumerate(both)] == [i.id for i in both]


def test_an_image_whose_name_was_taken_away_is_named_again_without_its_layers(
    build, load, runs_as, k8s_cluster
):
    image, kept = build(), build()
    load(image)
    load(kept)
    for node in k8s_cluster.nodes:
        node.exec(["crictl", "rmi", image.reference])
    loaded, _ = load(image)
    # what the other image holds on to is not sent again
    assert all(sent <= 1.2 * CHANGED for sent in loaded.sent.values())
    assert runs_as(image, "again") == image.id


@pytest.mark.parametrize("kind", ["archive", "folder"])
def test_an_image_is_loaded_from_a_file_that_the_engine_saved(
    build, runs_as, k8s_cluster, k8s_namespace, tmp_path, kind
):
    image = build(f"from-{kind}")
    place = tmp_path / "image.tar"
    with place.open("wb") as file:
        for chunk in k8s_cluster.client.api.get_image(image.reference):
            file.write(chunk)
    # the engine does not know it any more
    k8s_cluster.client.api.remove_image(image.reference)
    if kind == "folder":
        with tarfile.open(place) as archive:
            archive.extractall(tmp_path / "layout", filter="data")
        place = tmp_path / "layout"
    loaded = k8s_cluster.load_image(place)
    assert loaded.id == image.id
    assert runs_as(loaded, kind) == image.id
    assert k8s_cluster.kubectl("logs", kind, f"--namespace={k8s_namespace}") == "one\nlinked"
