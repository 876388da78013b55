"""Applying and deleting, against a cluster that is a dictionary."""

import re

import pytest

from seatrial.core.errors import (
    ApiError,
    ClusterError,
    ConfigurationError,
    ManifestError,
    SeatrialError,
)
from seatrial.manifests import (
    MANAGED_BY,
    SESSION,
    TEST,
    Namespaces,
    apply,
    delete,
    in_deletion_order,
    in_order,
    label,
    label_value,
    load,
    namespace_name,
    ownership,
)
from seatrial.testing import ScriptedFeed

CLUSTER_WIDE = ("Namespace", "ClusterRole")
OWNED = ownership(session="s1", test="test_it")


def body(kind, name, **metadata):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, **metadata}}


class Cluster:
    """Objects by kind, namespace and name; each call is noted."""

    def __init__(self, clock=None):
        self.there = {}
        self.calls = []
        self.fail = {}
        #: seconds that a deletion takes
        self.takes = 0.0
        self.clock = clock
        self.gone_at = {}
        self.uids = 0

    def key(self, kind, name, namespace):
        return kind, "" if kind in CLUSTER_WIDE else namespace, name

    def put(self, obj, namespace=""):
        kind, namespace, name = self.key(
            obj["kind"], obj["metadata"]["name"], obj["metadata"].get("namespace") or namespace
        )
        self.uids += 1
        metadata = {**obj["metadata"], "uid": f"uid-{self.uids}"}
        if namespace:
            metadata["namespace"] = namespace
        self.there[kind, namespace, name] = {**obj, "metadata": metadata}
        return self.there[kind, namespace, name]

    def get(self, api_version, kind, name, namespace=""):
        key = self.key(kind, name, namespace)
        if key in self.gone_at and self.clock.now >= self.gone_at[key]:
            del self.gone_at[key]
            self.there.pop(key, None)
        return self.there.get(key)

    def create(self, obj, *, namespace=""):
        self.calls.append(("create", obj["metadata"]["name"]))
        return self.put(obj, namespace)

    def apply(self, obj, *, namespace="", field_manager, force=False, dry_run=False):
        name = obj["metadata"]["name"]
        self.calls.append(("apply", f"{obj['kind']}/{name}", field_manager, force))
        if name in self.fail:
            raise self.fail[name]
        return self.put(obj, namespace)

    def delete(self, api_version, kind, name, *, namespace="", propagation="Background", uid=None):
        key = self.key(kind, name, namespace)
        self.calls.append(("delete", f"{kind}/{name}", propagation, uid))
        if name in self.fail:
            return False
        if self.takes:
            self.gone_at[key] = self.clock.now + self.takes
        else:
            del self.there[key]
        return True


@pytest.fixture(name="feed")
def scripted_feed():
    return ScriptedFeed()


@pytest.fixture(name="cluster")
def fake_cluster(feed):
    return Cluster(feed.clock)


def manifests(*bodies):
    return label(load(list(bodies)), OWNED)


# --- order


def test_what_others_need_is_applied_first_and_deleted_last():
    kinds = [
        "ValidatingWebhookConfiguration",
        "Ingress",
        "MyResource",
        "Job",
        "Deployment",
        "Service",
        "Secret",
        "ConfigMap",
        "RoleBinding",
        "Role",
        "ServiceAccount",
        "CustomResourceDefinition",
        "StorageClass",
        "Namespace",
    ]
    given = load([body(kind, "a") for kind in kinds])
    ordered = [each.kind for each in in_order(given)]
    expected = list(reversed(kinds))
    expected[6], expected[7] = expected[7], expected[6]  # one rank: as they were given
    assert ordered == expected
    assert [each.kind for each in in_deletion_order(given)] == ordered[::-1]


# --- labels


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("gw0", "gw0"),
        ("tests/e2e/test_a.py::test_b[x y]", "tests-e2e-test_a.py-test_b-x-y"),
        ("--a..", "a"),
        ("", ""),
        ("é", ""),
        ("a" * 63, "a" * 63),
    ],
)
def test_a_labels_value_holds_only_what_it_may(text, value):
    assert label_value(text) == value


def test_values_that_are_too_long_stay_different():
    first, second = (label_value("x" * 80 + "-" + "y" * 50 + end) for end in ("-1", "-2"))
    assert first != second
    for value in (first, second):
        assert len(value) <= 63
        assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", value)
    assert label_value("a" * 64 + "1") != label_value("b" + "a" * 63 + "1")


def test_the_object_is_labelled_and_its_pods_are_not():
    deployment = body("Deployment", "a", labels={"app": "a"})
    deployment["spec"] = {"template": {"metadata": {"labels": {"app": "a"}}}}
    given = load([deployment, body("Service", "b", labels=None)])
    first, second = label(given, OWNED)
    assert first.object["metadata"]["labels"] == {
        "app": "a",
        MANAGED_BY: "seatrial",
        SESSION: "s1",
        TEST: "test_it",
    }
    assert first.object["spec"] == deployment["spec"]
    assert second.object["metadata"]["labels"] == OWNED
    assert given[0].object == deployment


def test_a_session_alone_owns_too():
    assert ownership(session="gw 0") == {MANAGED_BY: "seatrial", SESSION: "gw-0"}


# --- apply


def test_everything_goes_into_the_tests_namespace_in_order(cluster):
    given = manifests(body("Deployment", "a"), body("Service", "b"), body("Secret", "c"))
    applied = apply(given, cluster, namespace="ns", force=True)
    assert cluster.calls == [
        ("apply", "Secret/c", "seatrial", True),
        ("apply", "Service/b", "seatrial", True),
        ("apply", "Deployment/a", "seatrial", True),
    ]
    assert [obj["metadata"]["namespace"] for obj in applied] == ["ns"] * 3
    assert cluster.there["Service", "ns", "b"]["metadata"]["labels"] == OWNED


def test_applying_again_changes_what_is_there(cluster):
    given = manifests(body("Service", "a"), body("Namespace", "mine"))
    apply(given, cluster, namespace="ns")
    apply(given, cluster, namespace="ns")
    assert len(cluster.calls) == 4


def test_another_namespace_than_the_tests_is_refused_unless_allowed(cluster):
    given = manifests(
        body("Service", "fine", namespace="ns"), body("Service", "b", namespace="prod")
    )
    with pytest.raises(ManifestError) as error:
        apply(given, cluster, namespace="ns")
    assert str(error.value) == (
        "Service/b names namespace 'prod', and the test's is 'ns'\n"
        "  a dictionary\n"
        "-> leave metadata.namespace out, or take it out of all: "
        'patches=[Patch("*/*", {"metadata": {"namespace": None}})]'
    )
    assert cluster.calls == []
    apply(given, cluster, namespace="ns", allow_foreign=True)
    assert ("Service", "prod", "b") in cluster.there


def test_what_is_there_and_not_ours_is_refused_unless_allowed(cluster, feed):
    cluster.put(body("ClusterRole", "admin", labels={"a": "b"}))
    given = manifests(body("ClusterRole", "admin", labels={"x": "y"}))
    with pytest.raises(ManifestError) as error:
        apply(given, cluster, namespace="ns")
    assert str(error.value) == (
        "ClusterRole/admin is there already and is not seatrial's\n"
        "  from a dictionary\n"
        "  applied before it: nothing\n"
        "-> give it a name of its own: it lives in no namespace, and may be in use"
    )
    [applied] = apply(given, cluster, namespace="ns", allow_foreign=True)
    assert applied["metadata"]["labels"] == {"x": "y"}
    assert delete(given, cluster, namespace="ns", feed=feed) == ()
    assert ("ClusterRole", "", "admin") in cluster.there


def test_what_is_there_in_the_tests_own_namespace_is_the_tests(cluster):
    cluster.put(body("ServiceAccount", "default"), "ns")
    [applied] = apply(manifests(body("ServiceAccount", "default")), cluster, namespace="ns")
    assert applied["metadata"]["labels"] == OWNED


def test_a_refusal_says_what_was_applied_before_it(cluster):
    given = manifests(body("Secret", "a"), body("Service", "b"), body("Deployment", "c"))
    cluster.fail["c"] = ApiError(
        "cannot apply Deployment/c: spec is missing",
        status=422,
        reason="Invalid",
        details="spec: Required value",
        hint="write one",
    )
    with pytest.raises(ApiError) as error:
        apply(given, cluster, namespace="ns")
    assert (error.value.status, error.value.reason) == (422, "Invalid")
    assert error.value.__cause__ is cluster.fail["c"]
    assert str(error.value) == (
        "cannot apply Deployment/c: spec is missing\n"
        "  spec: Required value\n"
        "  from a dictionary\n"
        "  applied before it: Secret/a, Service/b\n"
        "-> write one"
    )


def test_an_unknown_kind_is_an_error_of_the_manifest(cluster):
    cluster.fail["a"] = ConfigurationError("the cluster knows no kind 'Deploymnet'", hint="typo?")
    with pytest.raises(ManifestError) as error:
        apply(manifests(body("Deploymnet", "a")), cluster, namespace="ns")
    assert str(error.value) == (
        "the cluster knows no kind 'Deploymnet'\n"
        "  from a dictionary\n"
        "  applied before it: nothing\n"
        "-> typo?"
    )


def test_any_other_error_stays_what_it_is(cluster):
    cluster.fail["a"] = SeatrialError("odd")
    with pytest.raises(SeatrialError) as error:
        apply(manifests(body("Service", "a")), cluster, namespace="ns")
    assert error.value is cluster.fail["a"]


# --- delete


def test_deletion_goes_backwards_in_the_foreground_and_waits(cluster, feed):
    given = manifests(body("Deployment", "a"), body("Secret", "b"))
    apply(given, cluster, namespace="ns")
    cluster.calls.clear()
    cluster.takes = 3.0
    gone = delete(given, cluster, namespace="ns", feed=feed)
    assert cluster.calls == [
        ("delete", "Deployment/a", "Foreground", "uid-2"),
        ("delete", "Secret/b", "Foreground", "uid-1"),
    ]
    assert [obj["metadata"]["name"] for obj in gone] == ["a", "b"]
    assert cluster.there == {}
    assert feed.clock.now == pytest.approx(3.0)


def test_what_is_gone_already_or_not_ours_is_left_alone(cluster, feed):
    cluster.put(body("Secret", "theirs"), "ns")
    given = manifests(body("Secret", "theirs"), body("Secret", "absent"), body("Secret", "raced"))
    apply(given[2:], cluster, namespace="ns")
    cluster.fail["raced"] = None
    assert delete(given, cluster, namespace="ns", feed=feed) == ()
    assert ("Secret", "ns", "theirs") in cluster.there


def test_an_object_that_has_taken_the_name_is_not_waited_for(cluster, feed):
    given = manifests(body("Secret", "a"))
    apply(given, cluster, namespace="ns")
    cluster.takes = 60.0
    feed.clock.on_move.append(lambda now: cluster.put(body("Secret", "a"), "ns"))
    delete(given, cluster, namespace="ns", feed=feed)
    assert feed.clock.now < 1.0


def test_what_does_not_go_is_named_with_what_holds_it(cluster, feed):
    given = manifests(
        body("Secret", "a", finalizers=["x.dev/hold", "y.dev/hold"]), body("Pod", "b")
    )
    apply(given, cluster, namespace="ns")
    cluster.takes = 100.0
    with pytest.raises(ManifestError) as error:
        delete(given, cluster, namespace="ns", feed=feed, timeout=5)
    assert str(error.value) == (
        "Pod/b, Secret/a are not gone 5 s after the deletion was asked for\n"
        "  Pod/b: waits for its grace period\n"
        "  Secret/a: waits for x.dev/hold, y.dev/hold"
    )
    assert feed.clock.now == pytest.approx(5.0)


def test_a_stream_that_has_ended_for_good_ends_the_wait(cluster, feed):
    given = manifests(body("Secret", "a"))
    apply(given, cluster, namespace="ns")
    cluster.takes = 100.0
    feed.failure = ClusterError("the stream broke")
    with pytest.raises(ClusterError, match="the stream broke"):
        delete(given, cluster, namespace="ns", feed=feed)


# --- namespaces


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("tests/e2e/test_a.py::test_it_is_ready", "test-it-is-ready-x7k2mq"),
        ("tests/e2e/test_a.py::TestX::test_b[Two-3]", "test-b-two-3-x7k2mq"),
        ("a.py::1_2", "test-1-2-x7k2mq"),
        ("::", "test-x7k2mq"),
        ("a" * 100, "a" * 56 + "-x7k2mq"),
        ("b" * 55 + "-" + "c" * 9, "b" * 55 + "-x7k2mq"),
    ],
)
def test_a_namespace_is_named_after_its_test(test, name):
    assert namespace_name(test, "x7k2mq") == name
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name)


def test_a_namespace_says_whose_it_is(cluster):
    namespaces = Namespaces(cluster, "s1", "restricted", suffix=lambda: "x7k2mq")
    name = namespaces.make("tests/a.py::test_it")
    assert name == "test-it-x7k2mq"
    metadata = cluster.there["Namespace", "", name]["metadata"]
    assert metadata["labels"] == {
        MANAGED_BY: "seatrial",
        SESSION: "s1",
        TEST: "tests-a.py-test_it",
        "pod-security.kubernetes.io/enforce": "restricted",
    }
    assert metadata["annotations"] == {"seatrial.dev/test-id": "tests/a.py::test_it"}


def test_two_runs_of_one_test_have_two_namespaces(cluster):
    namespaces = Namespaces(cluster, "s1")
    assert namespaces.make("t") != namespaces.make("t")
    labels = [each["metadata"]["labels"] for each in cluster.there.values()]
    assert not any("pod-security" in key for each in labels for key in each)


def test_a_namespace_of_ours_is_deleted_and_waited_for(cluster, feed):
    namespaces = Namespaces(cluster, "s1")
    name = namespaces.make("t")
    cluster.takes = 2.0
    namespaces.delete(name, feed=feed)
    assert cluster.calls[-1] == ("delete", f"Namespace/{name}", "Background", "uid-1")
    assert feed.clock.now == pytest.approx(2.0)
    assert cluster.there == {}
    namespaces.delete(name, feed=feed)


def test_without_a_feed_nobody_waits(cluster):
    namespaces = Namespaces(cluster, "s1")
    name = namespaces.make("t")
    cluster.takes = 9.0
    namespaces.delete(name)
    assert cluster.clock.now == 0


def test_a_namespace_that_is_not_ours_is_never_deleted(cluster):
    cluster.put(body("Namespace", "production", labels={"team": "a"}))
    with pytest.raises(ClusterError) as error:
        Namespaces(cluster, "s1").delete("production")
    assert str(error.value) == (
        "namespace production is not seatrial's, and is not deleted\n  labels: {'team': 'a'}"
    )
    assert cluster.calls == []


# --- kinds that the manifests define themselves


def boats(*names):
    """A definition, and objects of the kind that it defines."""
    spec = {"group": "sea.dev", "names": {"kind": "Boat"}}
    define = {**body("CustomResourceDefinition", "boats.sea.dev"), "spec": spec}
    objects = [{**body("Boat", name), "apiVersion": "sea.dev/v1"} for name in names]
    return define, *objects


def test_definitions_are_waited_for_once_before_the_first_of_their_objects(cluster):
    seen = []

    def defined(definitions):
        seen.append(([obj["metadata"]["name"] for obj in definitions], len(cluster.calls)))

    apply(
        manifests(*boats("dinghy", "raft"), body("ConfigMap", "look")),
        cluster,
        namespace="shop",
        defined=defined,
    )
    # the definition and the ConfigMap were applied before
    assert seen == [(["boats.sea.dev"], 2)]
    assert len(cluster.calls) == 4


def test_a_definition_that_is_not_used_is_not_waited_for(cluster):
    namesake = {**body("Boat", "other"), "apiVersion": "lake.dev/v1"}
    apply(manifests(*boats(), namesake), cluster, namespace="shop", defined=pytest.fail)


def test_a_definition_that_fails_to_come_is_told_as_it_is(cluster):
    def defined(_):
        raise ClusterError("it was never established")

    with pytest.raises(ClusterError, match="never established"):
        apply(manifests(*boats("dinghy")), cluster, namespace="shop", defined=defined)
    assert len(cluster.calls) == 1
