from __future__ import annotations

import pytest

from seatrial.core.errors import ConfigurationError, ProvenanceError
from seatrial.images.engine_image import Image
from seatrial.images.provenance import assert_runs

BUILT = "sha256:" + "b" * 64
OTHER = "sha256:" + "0" * 64
PUSHED = "sha256:" + "d" * 64
IMAGE = Image("flask:sha-1", BUILT, f"localhost:5000/flask@{PUSHED}", 100)


def pod(name="flask-1", *, image="flask:sha-1", image_id=BUILT, policy="IfNotPresent", **more):
    status = {"name": "web", "imageID": image_id}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "nodeName": "node-1",
            "containers": [{"name": "web", "image": image, "imagePullPolicy": policy}],
            **more.get("spec", {}),
        },
        "status": {"containerStatuses": [status], **more.get("status", {})},
    }


def refusal(*pods, **options):
    with pytest.raises(ProvenanceError) as raised:
        assert_runs(IMAGE, pods, **options)
    return str(raised.value)


@pytest.mark.parametrize(
    "image_id",
    [BUILT, f"docker.io/library/flask@{PUSHED}", f"docker-pullable://x/flask@{PUSHED}",
     f"docker://{BUILT}"],
)  # fmt: skip
def test_the_built_bits_are_known_by_configuration_and_by_manifest(image_id):
    assert_runs(IMAGE, [pod(image_id=image_id)])


def test_a_node_may_know_the_bits_by_a_digest_that_we_do_not():
    invented = "docker.io/library/import-2026-11-23@sha256:" + "e" * 64
    asked = []

    def identify(node, digest):
        asked.append((node, digest))
        return BUILT

    assert_runs(IMAGE, [pod(image_id=invented)], identify=identify)
    assert asked == [("node-1", "sha256:" + "e" * 64)]
    assert "does not run the image" in refusal(pod(image_id=invented), identify=lambda *_: OTHER)


def test_another_name_for_the_same_bits_is_the_same_image():
    assert_runs(IMAGE, [pod(image="mirror/team/flask:x")], container="web")


def test_an_older_image_under_the_tag_is_told_with_its_pod_and_node():
    text = refusal(pod(), pod("flask-2", image_id=OTHER))
    assert text.splitlines() == [
        "container web of Pod/flask-2 on node-1 does not run the image that was built: the node "
        "has an older image under the tag 'flask:sha-1'",
        "  built: flask:sha-1, sha256:bbbbbbbbbbbb",
        "  pushed or pulled as: localhost:5000/flask@" + PUSHED,
        "  same   container web of Pod/flask-1 on node-1: flask:sha-1 is sha256:bbbbbbbbbbbb",
        "  OTHER  container web of Pod/flask-2 on node-1: flask:sha-1 is sha256:000000000000",
        "-> load the image again, and give each build a tag of its own, as k8s_image does",
    ]


@pytest.mark.parametrize("image", ["flask:latest", "flask", "flask:sha-1"])
def test_the_policy_always_is_named_as_the_cause(image):
    first = refusal(pod(image=image, image_id=OTHER, policy="Always")).splitlines()[0]
    assert "imagePullPolicy is Always" in first
    assert f"'{image}'" in first


@pytest.mark.parametrize("policy", ["Always", "IfNotPresent"])
def test_another_image_in_the_manifest_is_named_as_the_cause(policy):
    text = refusal(pod(image="flask:old", image_id=OTHER, policy=policy))
    assert "it is told to run 'flask:old', not 'flask:sha-1'" in text.splitlines()[0]
    assert "-> k8s_deploy(…, images={'web': image}) puts the built image in" in text


def test_a_name_that_is_no_reference_is_another_image():
    text = refusal(pod(image="NOT OK", image_id=OTHER, policy="Always"), container="web")
    assert "it is told to run 'NOT OK'" in text


def test_a_container_that_has_not_started_proves_nothing():
    assert "has not started" in refusal(pod(image_id=""))
    unscheduled = {**pod(), "status": {}, "spec": {"containers": pod()["spec"]["containers"]}}
    assert "of Pod/flask-1 on no node has not started" in refusal(unscheduled)


def test_init_containers_count():
    init = {
        "spec": {"initContainers": [{"name": "migrate", "image": "flask:sha-1"}]},
        "status": {"initContainerStatuses": [{"name": "migrate", "imageID": OTHER}]},
    }
    assert "container migrate of Pod/flask-1" in refusal(pod(**init)).splitlines()[0]


def test_other_images_are_left_alone_unless_their_container_is_named():
    sidecar = {
        "spec": {"initContainers": [{"name": "proxy", "image": "envoy:1"}]},
        "status": {"initContainerStatuses": [{"name": "proxy", "imageID": OTHER}]},
    }
    assert_runs(IMAGE, [pod(**sidecar)])
    assert "told to run 'envoy:1'" in refusal(pod(**sidecar), container="proxy")


def test_a_misspelt_container_is_a_configuration_error_that_names_the_right_one():
    with pytest.raises(ConfigurationError) as raised:
        assert_runs(IMAGE, [pod()], container="wep")
    assert str(raised.value).splitlines() == [
        "no container is named 'wep'",
        "  web: image flask:sha-1",
        "-> did you mean 'web'?",
    ]


def test_no_container_of_that_repository_and_no_pod_are_configuration_errors():
    with pytest.raises(ConfigurationError, match="runs an image of docker"):
        assert_runs(IMAGE, [pod(image="nginx:1")])
    with pytest.raises(ConfigurationError, match="runs an image of"):
        assert_runs(IMAGE, [pod(image="NOT OK")])
    with pytest.raises(ConfigurationError, match="no pod is there"):
        assert_runs(IMAGE, [])


def test_pinned_demands_a_digest_in_the_specification():
    text = refusal(pod(), pinned=True)
    assert "is not pinned: its image 'flask:sha-1' has no digest" in text.splitlines()[0]
    reference = f"localhost:5000/flask@{PUSHED}"
    assert_runs(IMAGE, [pod(image=reference, image_id=reference)], container="web", pinned=True)


def test_an_image_that_was_never_pushed_has_no_digest_to_go_by():
    local = Image("flask:sha-1", BUILT, None, 100)
    with pytest.raises(ProvenanceError) as raised:
        assert_runs(local, [pod(image_id="")])
    assert "pushed or pulled as" not in str(raised.value)
