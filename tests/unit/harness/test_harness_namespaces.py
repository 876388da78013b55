"""Namespaces that are given when pods can go in, and deleted without a wait."""

from dataclasses import replace

import pytest
from harness_kit import config_map

from seatrial.core.errors import ApiError, ClusterError, ManifestError
from seatrial.core.processes import ProcessId
from seatrial.harness import SessionNamespaces

TEST = "tests/test_shop.py::test_it_sells"


@pytest.fixture
def namespaces(world):
    return SessionNamespaces(world.objects, world.hub, session="s1")


@pytest.fixture
def controller(world):
    """Gives each namespace its account, two seconds later."""

    def react(obj):
        if obj["kind"] == "Namespace":
            world.hub.shows(account(obj["metadata"]["name"]), after=2.0)

    world.objects.on_write.append(react)


def account(namespace, name="default"):
    return {"kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def the_namespace(world):
    [key] = [key for key in world.objects.stored if key[0] == "Namespace"]
    return world.objects.stored[key]


def test_a_namespace_is_given_when_it_has_its_service_account(world, namespaces, controller):
    world.hub.shows(account("another"))
    name = namespaces.create(TEST)
    assert world.clock.now == pytest.approx(2.0)
    assert name.startswith("test-it-sells-")
    assert the_namespace(world)["metadata"]["labels"] == namespaces.labels(TEST)


def test_what_a_test_makes_is_labelled_with_session_and_test(namespaces):
    assert namespaces.labels(TEST) == {
        "app.kubernetes.io/managed-by": "seatrial",
        "seatrial.dev/session": "s1",
        "seatrial.dev/test": "tests-test_shop.py-test_it_sells",
    }


def test_two_sessions_are_told_apart(world):
    first, second = (SessionNamespaces(world.objects, world.hub) for _ in range(2))
    assert first.session != second.session


def test_a_pod_security_standard_is_enforced(world, namespaces, controller):
    namespaces.create(TEST, pod_security="restricted")
    labels = the_namespace(world)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_without_a_service_account_it_is_an_error_and_no_namespace_stays(world, namespaces):
    with pytest.raises(ClusterError) as raised:
        namespaces.create(TEST)
    assert world.clock.now == pytest.approx(30)
    name = the_namespace(world)["metadata"]["name"]
    assert str(raised.value) == (
        f"namespace {name} got no default service account within 30 s\n"
        "-> is kube-controller-manager running? kubectl -n kube-system get pods"
    )
    assert world.wrote("delete") == [f"delete Namespace/{name} Background"]


def test_a_stream_that_ended_meanwhile_leaves_no_namespace_either(world, namespaces):
    world.hub.failure = ApiError("the API server refused to watch ships", status=404)
    with pytest.raises(ApiError, match="refused to watch ships"):
        namespaces.create(TEST)
    name = the_namespace(world)["metadata"]["name"]
    assert world.wrote("delete") == [f"delete Namespace/{name} Background"]


def test_deletion_is_asked_for_and_not_waited_for(world, namespaces, controller):
    name = namespaces.create(TEST)
    world.objects.going = 9.0
    namespaces.delete(name)
    assert world.clock.now == pytest.approx(2.0)
    assert world.wrote("delete") == [f"delete Namespace/{name} Background"]


def test_in_the_end_all_that_are_going_are_waited_for(world, namespaces, controller):
    world.objects.going = 9.0
    for _ in range(2):
        namespaces.delete(namespaces.create(TEST))
    namespaces.await_deleted()
    # the second was asked for at 4 s
    assert world.clock.now == pytest.approx(13.0, abs=0.3)
    namespaces.await_deleted()
    assert world.clock.now == pytest.approx(13.0, abs=0.3)


def test_a_namespace_that_does_not_go_is_an_error(world, namespaces, controller):
    name = namespaces.create(TEST)
    world.objects.going = 600.0
    namespaces.delete(name)
    with pytest.raises(ManifestError) as raised:
        namespaces.await_deleted(timeout=5)
    assert raised.value.cause == (
        f"Namespace/{name} is not gone 5 s after the deletion was asked for"
    )
    assert world.clock.now == pytest.approx(7.0)


def test_a_namespace_that_the_test_has_deleted_itself_is_fine(world, namespaces, controller):
    name = namespaces.create(TEST)
    world.objects.stored.clear()
    namespaces.delete(name)
    namespaces.await_deleted()
    assert world.wrote("delete") == []


def test_a_namespace_of_somebody_else_is_never_deleted(world, namespaces):
    world.objects.put({"kind": "Namespace", "metadata": {"name": "prod", "labels": {}}})
    world.objects.put(config_map())
    with pytest.raises(ClusterError, match="namespace prod is not seatrial's, and is not deleted"):
        namespaces.delete("prod")
    assert world.wrote("delete") == []
    namespaces.await_deleted(timeout=1)
    assert world.clock.now == 0


DEAD = replace(ProcessId.mine(), started=1)


def owned(name, owner, **annotations):
    written = {"seatrial.dev/owner": owner.label, **annotations}
    labels = {"app.kubernetes.io/managed-by": "seatrial"}
    return {"metadata": {"name": name, "labels": labels, "annotations": written}}


class Listing:
    """Objects that are only listed and deleted."""

    def __init__(self, *items):
        self.items, self.deleted, self.error = items, [], None

    def list(self, api_version, kind, *, label_selector):
        assert label_selector == "app.kubernetes.io/managed-by=seatrial"
        if self.error:
            raise self.error
        return list(self.items), "1"

    def get(self, api_version, kind, name):
        return next(item for item in self.items if item["metadata"]["name"] == name)

    def delete(self, api_version, kind, name, *, uid):
        self.deleted.append(name)


def test_namespaces_of_sessions_that_were_killed_are_deleted_and_no_others(world):
    going = owned("going", DEAD)
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    objects = Listing(
        owned("left", DEAD),
        owned("in-use", ProcessId.mine()),
        owned("elsewhere", replace(DEAD, host="ci-3/abc")),
        owned("to-look-at", DEAD, **{"seatrial.dev/kept": "true"}),
        going,
        {"metadata": {"name": "of-an-older-version"}},
    )
    assert SessionNamespaces(objects, world.hub).sweep() == ["left"]
    assert objects.deleted == ["left"]


def test_who_may_not_list_namespaces_deletes_none(world):
    objects = Listing()
    objects.error = ApiError("namespaces are forbidden", status=403)
    assert SessionNamespaces(objects, world.hub).sweep() == []
    objects.error = ApiError("no answer")
    with pytest.raises(ApiError):
        SessionNamespaces(objects, world.hub).sweep()


@pytest.mark.parametrize("kept", [True, False])
def test_a_namespace_says_whose_it_is_and_whether_it_is_to_stay(
    world, namespaces, controller, kept
):
    namespaces.create(TEST, kept=kept)
    written = the_namespace(world)["metadata"]["annotations"]
    assert ProcessId.of_label(written["seatrial.dev/owner"]) == ProcessId.mine()
    assert ("seatrial.dev/kept" in written) is kept
