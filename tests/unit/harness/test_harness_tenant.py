"""On somebody else's cluster: rights, streams and secrets, namespace by namespace."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from fake_apiserver import FakeApiServer
from harness_kit import Handle

from seatrial.cluster import Tenancy
from seatrial.cluster.rights import RBAC
from seatrial.core.errors import (
    ApiError,
    ClusterError,
    ConfigurationError,
    EngineError,
    ImageError,
)
from seatrial.harness import Cluster, Deployer
from seatrial.harness import tenant as tenant_module
from seatrial.harness.cluster import SHARED, WATCHED
from seatrial.images import Image

ACCOUNT = "system:serviceaccount:ci:seatrial"
PULL = "ci/pull"
TEST = "tests/test_shop.py::test_it_sells"
INSIDE = {kind for kind, _ in WATCHED} - set(SHARED)
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more"}}


class ApiServer(FakeApiServer):
    """Gives each namespace its account."""

    def __init__(self):
        super().__init__()
        self.resources["v1"] += [
            ("Service", "services", True),
            ("ServiceAccount", "serviceaccounts", True),
            ("Secret", "secrets", True),
        ]
        self.resources["discovery.k8s.io/v1"] = [("EndpointSlice", "endpointslices", True)]
        self.resources[f"{RBAC}/v1"] = [("RoleBinding", "rolebindings", True)]

    def put(self, obj):
        stored = super().put(obj)
        if obj["kind"] == "Namespace":
            place = {"name": "default", "namespace": obj["metadata"]["name"]}
            super().put({"kind": "ServiceAccount", "metadata": place})
        return stored


@pytest.fixture
def api():
    server = ApiServer()
    yield server
    server.close()


@pytest.fixture
def make(api, tmp_path):
    """Makes the cluster; it is closed in the end."""
    made = []

    def make(client=None, **tenancy):
        given = Tenancy(**{"account": ACCOUNT, "role": "seatrial-namespace", **tenancy})
        handle = Handle(api.kubeconfig(tmp_path / "kubeconfig"), tenancy=given)
        made.append(
            Cluster(handle, kind=None, kubectl=tmp_path / "kubectl", node_image="", client=client)
        )
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


def watched(api):
    """What is watched, by namespace."""
    found = {}
    for seen in api.seen("watch"):
        kind, namespace, _ = api.place(seen.path)
        found.setdefault(namespace, set()).add(kind)
    return found


@pytest.mark.parametrize("sees_nodes", [True, False])
def test_nothing_is_watched_but_the_namespaces_of_tests(api, make, sees_nodes):
    cluster = make(sees_nodes=sees_nodes)
    first, second = (cluster.namespaces.create(TEST) for _ in range(2))
    api.wait_for_watches(2 * len(INSIDE) + sees_nodes)
    everywhere = {"": {"Node"}} if sees_nodes else {}
    assert watched(api) == {first: INSIDE, second: INSIDE, **everywhere}


def test_the_role_is_bound_before_anything_is_watched(api, make):
    name = make().namespaces.create(TEST)
    bound = api.objects["RoleBinding", name, "seatrial-namespace"]
    assert bound["roleRef"]["name"] == "seatrial-namespace"
    assert bound["subjects"] == [{"kind": "ServiceAccount", "name": "seatrial", "namespace": "ci"}]
    assert bound["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "seatrial"
    order = [seen for seen in api.requests if name in seen.path]
    assert order[0].path.endswith("rolebindings")


def test_an_account_whose_rights_hold_everywhere_binds_nothing(api, make):
    name = make(role="").namespaces.create(TEST)
    assert ("RoleBinding", name, "seatrial-namespace") not in api.objects
    api.wait_for_watches(len(INSIDE))


def forbids_pods(api, times):
    api.refuse("read", 403, "Forbidden", times=times, where=lambda seen: "/pods" in seen.path)


def test_a_binding_may_take_a_moment_to_be_known(api, make):
    forbids_pods(api, times=3)
    make().namespaces.create(TEST)
    assert api.refusals == []


def test_a_binding_that_is_never_known_is_told_and_the_namespace_goes(api, make, monkeypatch):
    monkeypatch.setattr(tenant_module, "BOUND_WITHIN", 0.3)
    forbids_pods(api, times=99)
    with pytest.raises(ApiError, match="refused to list pods"):
        make().namespaces.create(TEST)
    assert not [key for key in api.objects if key[0] == "Namespace"]


def test_who_needs_no_binding_is_not_waited_for(api, make):
    forbids_pods(api, times=1)
    with pytest.raises(ApiError):
        make(role="").namespaces.create(TEST)


def test_a_namespace_is_left_before_it_is_deleted(api, make):
    cluster = make()
    name = cluster.namespaces.create(TEST)
    cluster.namespaces.delete(name)
    assert list(cluster.hub.snapshot().all("ServiceAccount", name)) == []
    cluster.await_deleted()
    cluster.hub.check()


def test_the_pull_secret_is_copied_for_the_default_account(api, make):
    api.put({
        "kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "data": {"a": "eA=="},
        "metadata": {"name": "pull", "namespace": "ci", "labels": {"theirs": "x"}},
    })  # fmt: skip
    name = make(pull_secret=PULL).namespaces.create(TEST)
    copy = api.objects["Secret", name, "pull"]
    assert (copy["type"], copy["data"]) == ("kubernetes.io/dockerconfigjson", {"a": "eA=="})
    assert copy["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "seatrial"
    assert "theirs" not in copy["metadata"]["labels"]
    account = api.objects["ServiceAccount", name, "default"]
    assert account["imagePullSecrets"] == [{"name": "pull"}]


def test_a_pull_secret_that_is_not_there_is_told_and_the_namespace_goes(api, make):
    with pytest.raises(ConfigurationError, match="there is no Secret/pull in namespace ci"):
        make(pull_secret=PULL).namespaces.create(TEST)
    assert not [key for key in api.objects if key[0] == "Namespace"]


def test_events_of_others_are_an_error_and_not_nothing(make):
    cluster = make()
    name = cluster.namespaces.create(TEST)
    assert list(cluster.events(name)) == []
    with pytest.raises(ConfigurationError, match="namespace default is not watched") as raised:
        cluster.events()
    assert name in raised.value.details
    assert "--seatrial-provider=kind" in raised.value.hint


def deployer(cluster):
    return Deployer(cluster, cluster.namespaces.create(TEST))


def test_all_rights_that_the_manifests_lack_are_told_before_one_is_applied(api, make):
    cluster = make()
    deploy = deployer(cluster)
    api.allows = lambda asked: asked["verb"] in ("get", "list")
    with pytest.raises(ClusterError) as raised:
        deploy([CONFIG_MAP, {**CONFIG_MAP, "kind": "Secret"}, {**CONFIG_MAP, "kind": "Node"}])
    assert raised.value.cause == (
        f"account {ACCOUNT} may not apply these manifests into namespace {deploy.namespace}"
    )
    assert sorted(raised.value.details.splitlines()) == [
        "configmaps: create, patch",
        "nodes: create, patch, delete in all of the cluster",
        "secrets: create, patch",
    ]
    assert "seatrial rbac --service-account=ci/seatrial MANIFESTS" in raised.value.hint
    assert api.seen("PATCH") == []


def test_what_may_be_applied_is_asked_once_a_session(api, make):
    cluster = make()
    for _ in range(2):
        deployer(cluster)(CONFIG_MAP)
    asked = [seen for seen in api.seen("POST") if "accessreviews" in seen.path]
    assert len(asked) == 3


def test_a_kind_that_nobody_knows_is_no_question_of_rights(api, make):
    cluster = make()
    api.allows = lambda _: False
    cluster.require_rights([("Boat", "sea.dev/v1")], namespace="shop")


class Engine:
    """Pushes."""

    def __init__(self):
        self.api = self

    def tag(self, image, repository, tag, *, force):
        pass

    def push(self, repository, tag, *, stream, decode):
        yield {"aux": {"Digest": f"sha256:{64 * 'd'}"}}


FLASK = Image("flask:sha-1", "sha256:c", None, 5)


def test_an_image_is_pushed_and_given_by_the_name_that_nodes_pull(make):
    cluster = make(client=Engine(), registry="r.example", pull_registry="in.example")
    assert cluster.load_image(FLASK).reference == f"in.example/flask@sha256:{64 * 'd'}"


def test_without_a_registry_there_is_no_way_in(make):
    with pytest.raises(ImageError, match="has no way into cluster sea") as raised:
        make(client=Engine()).load_image(FLASK)
    assert "--seatrial-registry=" in raised.value.hint


def test_a_file_is_not_pushed(make, tmp_path):
    with pytest.raises(ImageError, match="is not pushed") as raised:
        make(client=Engine(), registry="r.example").load_image(tmp_path / "a b.tar")
    assert f"docker load --input '{tmp_path}/a b.tar'" in raised.value.hint


def test_without_an_engine_all_works_but_images(make):
    cluster = make(registry="r.example")
    with pytest.raises(EngineError, match="no Docker engine answers"):
        cluster.load_image(FLASK)


def test_closing_lets_go_of_what_was_on_this_machine(make):
    ended = []
    make(end=lambda: ended.append(True)).close()
    assert ended == [True]


def test_a_cluster_of_our_own_asks_for_no_rights(api, make):
    cluster = make()
    own = Cluster(
        SimpleNamespace(**{**vars(cluster.handle), "tenancy": None}),
        kind=None, kubectl=None, node_image="", client=None,
    )  # fmt: skip
    own.require_rights([("Pod", "v1")], namespace="shop")
    assert api.requests == []
