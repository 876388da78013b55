"""What runs is proven to be what was built, and each way to run something else has its message."""

from __future__ import annotations

from contextlib import suppress

import docker.errors
import pytest

from seatrial.core.errors import ConfigurationError, ProvenanceError
from seatrial.images import find
from seatrial.manifests import Patch
from seatrial.tools.running import run

DOCKERFILE = """\
ARG BASE
FROM ${BASE}
COPY which /which
USER 10001:10001
CMD ["cat"]
"""


@pytest.fixture
def build(k8s_build_image, k8s_cluster, tmp_path):
    """Build an image that differs from all others; it and its names leave the engine at the end."""
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text(DOCKERFILE)
    names = []

    def make(which, *, load=True):
        (tmp_path / "context" / "which").write_text(f"{which} of {tmp_path}")
        image = k8s_build_image(path=tmp_path / "context", repository="provenance", load=load)
        names.append(image.reference)
        return image

    def tag(image, name):
        repository, _, tag = name.rpartition(":")
        k8s_cluster.client.api.tag(image.id, repository, tag)
        names.append(name)
        return find(k8s_cluster.client, name)

    make.tag = tag
    yield make
    for name in names:
        with suppress(docker.errors.ImageNotFound):
            k8s_cluster.client.api.remove_image(name)


@pytest.fixture
def running(k8s_deploy):
    """Run a pod of a reference, and give the release."""

    def start(reference, **container):
        spec = {"name": "app", "image": reference, "stdin": True, **container}
        release = k8s_deploy(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "shown"},
                "spec": {"containers": [spec], "terminationGracePeriodSeconds": 0},
            }
        )
        release.wait_ready()
        return release

    return start


def first_line(raised):
    return str(raised.value).splitlines()[0]


def test_every_replica_runs_what_was_built(k8s_deploy, k8s_image, manifests):
    release = k8s_deploy(
        manifests,
        images={"flask": k8s_image},
        patches=[Patch("Deployment/flask", {"spec": {"replicas": 3}})],
    )
    release.wait_ready()
    assert len(release.pods()) == 3
    release.assert_runs(k8s_image)
    release.assert_runs(k8s_image, "Deployment/flask", container="flask")
    # and what the engine calls so
    release.assert_runs(k8s_image.reference)


def test_a_stale_tag_is_told(build, running, k8s_cluster):
    older, newer = build("older", load=False), build("newer", load=False)
    k8s_cluster.load_image(build.tag(older, "provenance-stale:dev"))
    moved = build.tag(newer, "provenance-stale:dev")
    release = running("provenance-stale:dev")
    release.assert_runs(older, container="app")
    with pytest.raises(ProvenanceError) as raised:
        release.assert_runs(moved)
    assert first_line(raised).endswith(
        "does not run the image that was built: the node has an older image under the tag "
        "'provenance-stale:dev'"
    )
    # both are there to be compared
    assert newer.id[:19] in str(raised.value)
    assert older.id[:19] in str(raised.value)


def test_latest_implies_always_and_that_is_told(build, running, registry, k8s_cluster):
    pushed, built = build("pushed", load=False), build("built", load=False)
    reference = registry.push(pushed, "provenance:latest")
    k8s_cluster.load_image(build.tag(built, reference))
    release = running(reference)
    with pytest.raises(ProvenanceError) as raised:
        release.assert_runs(reference)
    assert "imagePullPolicy is Always, so it runs what a registry has under" in first_line(raised)
    assert "a tag other than :latest" in raised.value.hint


def test_a_misspelt_container_is_told(build, running):
    image = build("any")
    release = running(image.reference)
    with pytest.raises(ConfigurationError) as raised:
        release.assert_runs(image, container="ap")
    assert str(raised.value).splitlines()[0] == "no container is named 'ap'"
    assert raised.value.hint == "did you mean 'app'?"


def test_another_image_in_the_manifest_is_told(build, running):
    other, image = build("other"), build("image")
    release = running(other.reference)
    with pytest.raises(ProvenanceError) as raised:
        release.assert_runs(image)
    assert f"it is told to run '{other}', not '{image}'" in first_line(raised)


def test_an_image_that_is_pinned_by_its_digest_is_proven(build, running, registry, k8s_cluster):
    image = build("pushed", load=False)
    reference = registry.push(image, "provenance:1")
    repository = reference.rpartition(":")[0]
    # the registry itself tells the digest of what was pushed
    digest = registry.digest("provenance", "1")
    release = running(f"{repository}@{digest}")
    # by the configuration, which the node knows of the manifest
    release.assert_runs(image, container="app", pinned=True)


def test_a_reference_without_a_digest_is_not_pinned(build, running):
    image = build("any")
    release = running(image.reference)
    release.assert_runs(image)
    with pytest.raises(ProvenanceError, match=r"is not pinned: its image '.*' has no digest"):
        release.assert_runs(image, pinned=True)


def test_an_image_that_kind_loaded_is_known_in_spite_of_the_name_it_invents(
    build, running, k8s_cluster
):
    image = build("by kind", load=False)
    run([k8s_cluster.kind_path, "load", "docker-image", f"--name={k8s_cluster.name}",
         image.reference])  # fmt: skip
    release = running(image.reference)
    (pod,) = release.pods()
    said = pod["status"]["containerStatuses"][0]["imageID"]
    assert image.id not in said
    release.assert_runs(image)
