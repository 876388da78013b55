"""A cluster as a test sees it, on an API server that is a fake behind real connections."""

import pytest
from fake_apiserver import FakeApiServer
from harness_kit import Handle
from images_kit import Engine, Node, Progress

from seatrial.core.errors import CommandError, ConfigurationError
from seatrial.harness import Cluster
from seatrial.harness.cluster import WATCHED
from seatrial.images import Image
from seatrial.watch import hub as watch_hub


@pytest.fixture
def fake():
    server = FakeApiServer()
    # all streams connect at once; one that finds no room tries again a second later
    server.server.socket.listen(64)
    server.resources["v1"] += [
        ("Service", "services", True),
        ("ServiceAccount", "serviceaccounts", True),
    ]
    server.resources["discovery.k8s.io/v1"] = [("EndpointSlice", "endpointslices", True)]
    yield server
    server.close()


@pytest.fixture
def make(fake, tmp_path):
    """Makes the cluster; it is closed in the end."""
    made = []

    def make(**more):
        handle = Handle(fake.kubeconfig(tmp_path / "kubeconfig"), nodes=more.pop("nodes", ()))
        kubectl = tmp_path / "kubectl"
        cluster = Cluster(
            handle, kind=tmp_path / "kind", kubectl=kubectl, node_image="node:1",
            **{"client": None, **more},
        )  # fmt: skip
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.close()


def test_a_cluster_tells_what_it_is(make, tmp_path):
    cluster = make(nodes=("one",), client="engine")
    assert (cluster.name, cluster.provider, cluster.nodes) == ("sea", "kind", ("one",))
    assert cluster.kubeconfig_path == tmp_path / "kubeconfig"
    assert cluster.kind_path == tmp_path / "kind"
    assert cluster.kubectl_path == tmp_path / "kubectl"
    assert (cluster.node_image, cluster.client) == ("node:1", "engine")


def test_all_that_a_rollout_goes_through_is_watched_once_for_all(fake, make):
    fake.put({"kind": "Pod", "metadata": {"name": "flask", "namespace": "shop"}})
    cluster = make()
    assert cluster.hub is cluster.hub
    fake.wait_for_watches(len(WATCHED))
    assert {fake.place(seen.path)[0] for seen in fake.seen("watch")} == {
        kind for kind, _ in WATCHED
    }
    assert cluster.hub.snapshot().get("Pod", "flask", "shop")


def test_secrets_are_not_watched():
    assert "Secret" not in dict(WATCHED)


def test_a_cluster_that_lacks_a_kind_leaves_no_stream_open(fake, make, monkeypatch):
    closed = []
    real = watch_hub.Hub.close
    monkeypatch.setattr(watch_hub.Hub, "close", lambda hub: (closed.append(hub), real(hub)))
    del fake.resources["discovery.k8s.io/v1"]
    cluster = make()
    with pytest.raises(ConfigurationError, match="the cluster knows no kind 'EndpointSlice'"):
        _ = cluster.hub
    assert len(closed) == 1


def test_objects_are_read_and_the_official_client_is_there(fake, make):
    fake.put({"kind": "Node", "apiVersion": "v1", "metadata": {"name": "sea"}})
    cluster = make()
    assert cluster.objects.get("v1", "Node", "sea")["metadata"]["name"] == "sea"
    assert cluster.api.configuration.host == fake.url
    assert cluster.api is cluster.connection.client


def test_the_events_of_a_namespace_are_those_from_before_as_well(fake, make):
    for namespace in ("default", "shop"):
        fake.put({
            "kind": "Event", "metadata": {"name": "e", "namespace": namespace},
            "reason": f"In-{namespace}", "involvedObject": {"kind": "Node", "name": "sea"},
        })  # fmt: skip
    cluster = make()
    assert [seen.reason for seen in cluster.events()] == ["In-default"]
    assert [seen.reason for seen in cluster.events("shop")] == ["In-shop"]


def test_the_namespaces_are_those_of_one_session(make):
    cluster = make()
    assert cluster.namespaces.session == cluster.namespaces.session
    assert cluster.namespaces.hub is cluster.hub


def test_kubectl_is_run_on_this_cluster(make, tmp_path):
    (tmp_path / "kubectl").write_text('#!/bin/sh\necho "$@"\necho warning >&2\n')
    (tmp_path / "kubectl").chmod(0o755)
    assert make().kubectl("get", "pods") == f"--kubeconfig={tmp_path}/kubeconfig get pods"


def test_a_kubectl_that_fails_is_shown_so_that_it_can_be_pasted(make, tmp_path):
    (tmp_path / "kubectl").write_text("#!/bin/sh\necho no such pod >&2\nexit 3\n")
    (tmp_path / "kubectl").chmod(0o755)
    with pytest.raises(CommandError) as raised:
        make().kubectl("get", "pod", "a b")
    assert str(raised.value) == (
        "kubectl ended with status 3\n"
        f"  $ {tmp_path}/kubectl --kubeconfig={tmp_path}/kubeconfig get pod 'a b'\n"
        "  no such pod"
    )


def test_an_image_is_put_into_every_node(make):
    engine = Engine()
    engine.saved = b"layers"
    nodes = [Node("sea-control-plane"), Node("sea-worker")]
    progress = Progress()
    image = Image("flask:sha-1", "sha256:app", None, 5)
    make(nodes=nodes, client=engine, progress=progress).load_image(image)
    assert [node.received for node in nodes] == [b"layers", b"layers"]
    assert progress.titles == ["loading image flask:sha-1 into sea-control-plane, sea-worker"]


def test_closing_ends_the_streams_and_may_be_done_again(fake, make):
    cluster = make()
    hub = cluster.hub
    cluster.close()
    cluster.close()
    with pytest.raises(Exception, match="the hub is closed"):
        hub.open("Pod", "v1")


def test_closing_a_cluster_that_was_not_used_connects_to_nothing(fake, make):
    cluster = make()
    cluster.close()
    assert fake.requests == []
    assert not {"hub", "connection"} & set(vars(cluster))
