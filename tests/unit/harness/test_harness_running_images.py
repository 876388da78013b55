"""What pods run, with the nodes as witnesses."""

import json

import pytest
from images_kit import Engine

from seatrial.core.errors import CommandError, ImageError, ProvenanceError
from seatrial.harness.running_images import assert_pods_run
from seatrial.images import Image

BUILT = "sha256:" + "b" * 64
OLDER = "sha256:" + "0" * 64
MANIFEST = "sha256:" + "d" * 64
IMAGE = Image("flask:1", BUILT, None, 1)
PULLED = f"localhost:30001/flask@{MANIFEST}"


class Node:
    def __init__(self, name, configuration=BUILT, broken=False):
        self.name, self.broken, self.calls = name, broken, 0
        self.images = [
            {"id": configuration, "repoTags": [], "repoDigests": [PULLED]},
            {"id": "sha256:other"},
        ]

    def exec(self, argv, *, stdin=None):
        self.calls += 1
        if self.broken:
            raise CommandError(argv, status=1, output="no runtime")
        return json.dumps({"images": self.images})


class Cluster:
    def __init__(self, *nodes):
        self.client, self.nodes = Engine().has("flask:1", BUILT), nodes


def pod(name, node, image_id=PULLED):
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": node, "containers": [{"name": "web", "image": "flask:1"}]},
        "status": {"containerStatuses": [{"name": "web", "imageID": image_id}]},
    }


def test_a_manifest_of_a_registry_is_looked_up_in_the_node_that_pulled_it():
    nodes = Node("a"), Node("b")
    pods = [pod("flask-1", "a"), pod("flask-2", "a"), pod("flask-3", "b")]
    assert_pods_run(Cluster(*nodes), pods, IMAGE)
    assert [node.calls for node in nodes] == [1, 1]


def test_the_same_name_in_another_node_may_be_another_image():
    cluster = Cluster(Node("a"), Node("b", OLDER))
    with pytest.raises(ProvenanceError, match="web of Pod/flask-2 on b does not run the image"):
        assert_pods_run(cluster, [pod("flask-1", "a"), pod("flask-2", "b")], IMAGE)


def test_no_node_is_asked_if_the_pods_tell_by_themselves():
    node = Node("a")
    assert_pods_run(Cluster(node), [pod("flask-1", "a", BUILT)], IMAGE)
    assert node.calls == 0


@pytest.mark.parametrize("nodes", [(), (Node("a", broken=True),)])
def test_where_no_node_can_be_asked_only_the_pods_count(nodes):
    with pytest.raises(ProvenanceError):
        assert_pods_run(Cluster(*nodes), [pod("flask-1", "a")], IMAGE)
    assert_pods_run(Cluster(*nodes), [pod("flask-1", "a", BUILT)], IMAGE)


def test_an_image_may_be_named_as_the_engine_has_it():
    cluster = Cluster(Node("a"))
    assert_pods_run(cluster, [pod("flask-1", "a", BUILT)], "flask:1")
    with pytest.raises(ImageError, match="the engine has no image flask:2"):
        assert_pods_run(cluster, [pod("flask-1", "a", BUILT)], "flask:2")
