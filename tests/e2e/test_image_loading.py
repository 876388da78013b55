"""Images go into the nodes layer by layer: only what a node lacks is sent, and it runs."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import docker.errors
import pytest

from seatrial import images
from seatrial.core.references import Reference
from seatrial.images.engine_files import READER_LABEL
from seatrial.tools.running import run

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
    names = iter(("one", "two", "three", "four"))
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


@pytest.mark.alone
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


#: files that make an archive one of Docker's own, and one of OCI; newer engines write both
DOCKERS = {"manifest.json", "repositories"}
OCIS = {"index.json", "oci-layout"}


def saved(folder, *images):
    """The files of images as the engine saves them, unpacked into a folder."""
    folder.mkdir()
    with tempfile.NamedTemporaryFile() as file:
        run(["docker", "save", f"--output={file.name}", *(each.reference for each in images)])
        with tarfile.open(file.name) as archive:
            archive.extractall(folder, filter="data")
    return folder


def packed(folder, place, *, without=()):
    with tarfile.open(place, "w:gz" if place.suffix == ".gz" else "w") as archive:
        for each in sorted(folder.iterdir()):
            if each.name not in without:
                archive.add(each, each.name)
    return place


def test_an_image_that_only_lacks_its_name_is_sent_no_byte(build, load, runs_as, k8s_cluster):
    image = build()
    load(image)
    for node in k8s_cluster.nodes:
        node.exec(["ctr", "--namespace=k8s.io", "images", "rm", f"docker.io/library/{image}"])
    loaded, _ = load(image)
    assert set(loaded.sent.values()) == {0}
    assert runs_as(image, "named-again") == image.id


@pytest.mark.parametrize("kind", ["docker.tar", "docker.tar.gz", "oci.tar", "oci folder"])
def test_an_image_is_loaded_from_a_file(build, runs_as, k8s_cluster, k8s_namespace, tmp_path, kind):
    image = build(f"from-{kind.split()[0].split('.')[0]}")
    place = saved(tmp_path / "unpacked", image)
    # the engine does not know it any more
    k8s_cluster.client.api.remove_image(image.reference)
    if kind == "oci folder":
        for name in DOCKERS:
            (place / name).unlink(missing_ok=True)
    else:
        place = packed(place, tmp_path / kind, without=OCIS if "docker" in kind else DOCKERS)
    loaded = k8s_cluster.load_image(place)
    assert loaded.id == image.id
    assert Reference.parse(loaded.reference) == Reference.parse(image.reference)
    assert runs_as(loaded, "from-file") == image.id
    assert k8s_cluster.kubectl("logs", "from-file", f"--namespace={k8s_namespace}") == "one\nlinked"


def test_several_images_are_loaded_at_once(build, runs_as, k8s_cluster, tmp_path):
    one, two, three = build(), build(), build()
    folder = saved(tmp_path / "both", two, three)
    both = packed(folder, tmp_path / "both.tar")
    loaded = k8s_cluster.load_images(one, both)
    # the engine saves several in an order of its own
    assert loaded[0].id == one.id
    assert {image.id for image in loaded[1:]} == {two.id, three.id}
    ids = [runs_as(image, f"pod-{number}") for number, image in enumerate(loaded)]
    assert ids == [image.id for image in loaded]


def test_of_an_image_for_several_platforms_the_nodes_own_is_loaded(
    build, k8s_build_image, runs_as, k8s_cluster, tmp_path
):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    machine = k8s_cluster.nodes[0].exec(["uname", "-m"]).strip()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[machine]
    foreign = {"amd64": "arm64", "arm64": "amd64"}[architecture]
    other = k8s_build_image(
        path=tmp_path / "other", platform=f"linux/{foreign}", repository="foreign", load=False
    )
    image, client = build("native"), k8s_cluster.client
    # one layout with an index of both, the foreign one first
    layout = saved(tmp_path / "layout", other, image)
    client.api.remove_image(other.reference)
    index = json.loads((layout / "index.json").read_text())
    of = {each["annotations"]["io.containerd.image.name"]: each for each in index["manifests"]}
    manifests = [
        {key: of[f"docker.io/library/{each}"][key] for key in ("mediaType", "digest", "size")}
        | {"platform": {"os": "linux", "architecture": known}}
        for each, known in ((other, foreign), (image, architecture))
    ]
    inner = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    digest = hashlib.sha256(inner).hexdigest()
    (layout / "blobs" / "sha256" / digest).write_bytes(inner)
    entry = {
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "digest": f"sha256:{digest}",
        "size": len(inner),
    }
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "manifest.json").unlink()
    loaded = k8s_cluster.load_image(layout, reference="both:1")
    assert loaded.id == image.id
    assert runs_as(loaded, "native") == image.id
