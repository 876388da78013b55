"""Whose kind it is, and what a deletion waits for on its way."""

import pytest

from seatrial.core.errors import ConfigurationError, ManifestError
from seatrial.manifests import MANAGED_BY, delete, in_order, load
from seatrial.manifests.order import is_custom
from seatrial.testing import ScriptedFeed


def body(api_version, kind, name="a"):
    labels = {MANAGED_BY: "seatrial"}
    metadata = {"name": name, "namespace": "ns", "labels": labels, "uid": f"{kind}-{name}"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


@pytest.mark.parametrize(
    ("api_version", "kind", "custom"),
    [
        ("v1", "Service", False),
        ("apps/v1", "Deployment", False),
        ("networking.k8s.io/v1", "Ingress", False),
        ("batch/v1", "Unheard", False),
        ("serving.knative.dev/v1", "Service", True),
        ("sea.dev/v1", "Ship", True),
        ("gateway.networking.k8s.io/v1", "Gateway", True),
    ],
)
def test_a_kind_is_kubernetes_own_by_its_name_and_group(api_version, kind, custom):
    [manifest] = load(body(api_version, kind))
    assert is_custom(manifest) is custom


def test_a_custom_resource_with_the_name_of_a_known_kind_comes_after_its_definition():
    given = load(
        [
            body("sea.dev/v1", "StorageClass"),
            body("apps/v1", "Deployment"),
            body("storage.k8s.io/v1", "StorageClass"),
            body("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
            body("discovery.k8s.io/v1", "EndpointSlice"),
            body("v1", "Service"),
            body("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
            body("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
        ]
    )
    assert [f"{each.api_version} {each.kind}" for each in in_order(given)] == [
        "storage.k8s.io/v1 StorageClass",
        "apiextensions.k8s.io/v1 CustomResourceDefinition",
        "v1 Service",
        "discovery.k8s.io/v1 EndpointSlice",
        "apps/v1 Deployment",
        "sea.dev/v1 StorageClass",
        "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy",
        "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding",
    ]


class Cluster:
    """A ship goes when its finalizer is done: `takes` seconds, and only with a controller."""

    def __init__(self, clock, *objects, takes=0.0):
        self.clock = clock
        self.there = {each["kind"]: each for each in objects}
        self.takes = takes
        self.gone_at = None
        self.log = []

    def get(self, api_version, kind, name, namespace=""):
        if kind == "Ship" and self.gone_at is not None and self.clock.now >= self.gone_at:
            self.there.pop(kind, None)
        if kind not in self.there and kind == "Unserved":
            raise ConfigurationError("the cluster knows no kind 'Unserved'")
        if kind == "Secret":
            raise ConfigurationError("Secret/a lives in a namespace, and none was given")
        return self.there.get(kind)

    def delete(self, api_version, kind, name, **_):
        self.log.append((kind, self.clock.now))
        if kind == "Ship":
            self.gone_at = self.clock.now + self.takes
        else:
            del self.there[kind]
        return True


SHIP, CONTROLLER = body("sea.dev/v1", "Ship"), body("apps/v1", "Deployment")


def test_the_controller_stays_until_its_resources_have_gone():
    feed = ScriptedFeed()
    cluster = Cluster(feed.clock, SHIP, CONTROLLER, takes=3.0)
    gone = delete(load([CONTROLLER, SHIP]), cluster, namespace="ns", feed=feed)
    assert [each["kind"] for each in gone] == ["Ship", "Deployment"]
    assert cluster.log == [("Ship", 0.0), ("Deployment", pytest.approx(3.0))]


def test_a_resource_that_does_not_go_does_not_keep_the_rest_there():
    feed = ScriptedFeed()
    cluster = Cluster(feed.clock, SHIP, CONTROLLER, takes=1000.0)
    with pytest.raises(ManifestError, match="Ship/a is not gone 10 s after"):
        delete(load([CONTROLLER, SHIP]), cluster, namespace="ns", feed=feed, timeout=10)
    assert cluster.log == [("Ship", 0.0), ("Deployment", pytest.approx(5.0))]


def test_a_resource_whose_kind_is_no_longer_served_has_gone():
    feed = ScriptedFeed()
    cluster = Cluster(feed.clock)
    unserved = load(body("sea.dev/v1", "Unserved"))
    assert delete(unserved, cluster, namespace="ns", feed=feed) == ()
    with pytest.raises(ConfigurationError, match="lives in a namespace"):
        delete(load(body("v1", "Secret")), cluster, namespace="ns", feed=feed)
