"""Objects of any kind, in and out."""

from __future__ import annotations

import pytest

from seatrial.core.errors import ApiError, ConfigurationError
from seatrial.kube import Objects, Resource


@pytest.fixture
def objects(connection):
    return Objects(connection)


def deployment(**spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "flask"},
        "spec": spec,
    }


def pod(name, **labels):
    metadata = {"name": name, "namespace": "demo", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def test_an_object_is_read(fake, objects):
    stored = fake.put(pod("web"))
    assert objects.get("v1", "Pod", "web", "demo") == stored
    assert objects.get(None, "Pod", "web", "demo") == stored


def test_an_object_that_is_not_there_is_none(objects):
    assert objects.get("v1", "Pod", "ghost", "demo") is None


def test_an_object_that_may_not_be_read_is_an_error(fake, objects):
    fake.refuse("read", 403, "Forbidden", "no", where=lambda one: one.path.endswith("/web"))
    with pytest.raises(ApiError, match=r"^the API server refused to read Pod/web: no"):
        objects.get("v1", "Pod", "web", "demo")


def test_a_list_has_its_version_and_whole_items(fake, objects):
    fake.put(pod("a", app="x"))
    fake.put(pod("b", app="y"))
    items, version = objects.list("v1", "Pod", "demo")
    assert [(item["kind"], item["apiVersion"]) for item in items] == [("Pod", "v1")] * 2
    assert version == "102"
    items, _ = objects.list("v1", "Pod", label_selector="app=y")
    assert [item["metadata"]["name"] for item in items] == ["b"]
    items, _ = objects.list("v1", "Pod", "demo", field_selector="metadata.name=a")
    assert [item["metadata"]["name"] for item in items] == ["a"]
    assert objects.list("v1", "Pod", "other")[0] == []


def test_a_long_list_is_read_page_by_page(fake, objects, monkeypatch):
    monkeypatch.setattr("seatrial.kube.objects.PAGE", 2)
    for number in range(5):
        fake.put(pod(f"p{number}"))
    items, version = objects.list("v1", "Pod")
    assert [item["metadata"]["name"] for item in items] == ["p0", "p1", "p2", "p3", "p4"]
    assert version == "105"


def test_apply_is_server_side_and_strict(fake, objects):
    applied = objects.apply(deployment(replicas=1), namespace="demo", field_manager="seatrial")
    assert applied["metadata"]["uid"]
    sent = fake.seen("PATCH")[0]
    assert sent.path == "/apis/apps/v1/namespaces/demo/deployments/flask"
    assert sent.headers["Content-Type"] == "application/apply-patch+yaml"
    assert sent.query == {
        "fieldManager": "seatrial",
        "fieldValidation": "Strict",
        "force": "false",
    }
    assert sent.body == deployment(replicas=1)


def test_apply_may_take_over_and_may_only_try(fake, objects):
    objects.apply(
        deployment(), namespace="demo", field_manager="seatrial", force=True, dry_run=True
    )
    assert fake.seen("PATCH")[0].query["force"] == "true"
    assert fake.seen("PATCH")[0].query["dryRun"] == "All"


def test_a_refused_apply_names_the_object_and_the_field(fake, objects):
    fake.refuse("PATCH", 500, "", "…: .spec.replica: field not declared in schema")
    with pytest.raises(ApiError) as caught:
        objects.apply(deployment(replica=1), namespace="demo", field_manager="seatrial")
    assert caught.value.cause == (
        "the API server refused to apply Deployment/flask: unknown field spec.replica"
    )


def test_the_namespace_of_the_object_itself_wins(fake, objects):
    objects.apply(pod("web"), namespace="other", field_manager="seatrial")
    assert fake.seen("PATCH")[0].path == "/api/v1/namespaces/demo/pods/web"


def test_a_kind_without_namespaces_needs_none(fake, objects):
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}
    objects.apply(node, namespace="demo", field_manager="seatrial")
    assert fake.seen("PATCH")[0].path == "/api/v1/nodes/n1"


def test_a_namespaced_object_without_a_namespace_is_refused_here(objects):
    with pytest.raises(ConfigurationError) as caught:
        objects.apply(deployment(), field_manager="seatrial")
    assert str(caught.value) == "Deployment/flask lives in a namespace, and none was given"


def test_an_object_without_a_name_is_refused_here(objects):
    with pytest.raises(ConfigurationError, match=r"a Pod without metadata\.name cannot be written"):
        objects.create({"apiVersion": "v1", "kind": "Pod", "metadata": {}}, namespace="demo")


def test_create_makes_an_object_once(fake, objects):
    created = objects.create(pod("web"), field_manager="seatrial", dry_run=True)
    assert created["metadata"]["name"] == "web"
    assert fake.seen("POST")[0].path == "/api/v1/namespaces/demo/pods"
    assert fake.seen("POST")[0].query == {
        "fieldManager": "seatrial",
        "fieldValidation": "Strict",
        "dryRun": "All",
    }
    with pytest.raises(ApiError) as caught:
        objects.create(pod("web"))
    assert caught.value.cause == (
        'the API server refused to create Pod/web: pods "web" already exists'
    )
    assert caught.value.reason == "AlreadyExists"


def test_patch_merges(fake, objects):
    fake.put(pod("web"))
    change = {"spec": {"replicas": 3, "paused": None}}
    objects.patch("v1", "Pod", "web", change, namespace="demo", subresource="scale")
    sent = fake.seen("PATCH")[0]
    assert sent.path == "/api/v1/namespaces/demo/pods/web/scale"
    assert sent.headers["Content-Type"] == "application/merge-patch+json"
    assert sent.body == change


def test_delete_says_whether_there_was_something(fake, objects):
    fake.put(pod("web"))
    assert objects.delete("v1", "Pod", "web", namespace="demo") is True
    assert objects.delete("v1", "Pod", "web", namespace="demo") is False
    assert fake.seen("DELETE")[0].body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
    }


def test_delete_hits_only_the_object_that_was_meant(fake, objects):
    uid = fake.put(pod("web"))["metadata"]["uid"]
    with pytest.raises(ApiError) as caught:
        objects.delete("v1", "Pod", "web", namespace="demo", uid="another")
    assert caught.value.reason == "Conflict"
    assert objects.delete(
        "v1", "Pod", "web", namespace="demo", propagation="Foreground", uid=uid, grace_seconds=0
    )
    assert fake.seen("DELETE")[1].body["preconditions"] == {"uid": uid}
    assert fake.seen("DELETE")[1].body["gracePeriodSeconds"] == 0
    assert fake.seen("DELETE")[1].body["propagationPolicy"] == "Foreground"


def test_logs_are_text(fake, objects):
    fake.texts["/api/v1/namespaces/demo/pods/web/log"] = "one\ntwo — ü\n"
    assert objects.logs("demo", "web") == "one\ntwo — ü\n"
    objects.logs("demo", "web", "flask", previous=True, tail=5)
    query = fake.seen("read")[-1].query
    assert query == {"container": "flask", "previous": "true", "tailLines": "5"}


def test_logs_that_are_not_there_are_told(fake, objects):
    message = 'previous terminated container "flask" in pod "web" not found'
    fake.refuse("read", 400, "BadRequest", message, where=lambda one: one.path.endswith("/log"))
    with pytest.raises(ApiError) as caught:
        objects.logs("demo", "web", previous=True)
    assert caught.value.cause == f"the API server refused to show the logs of Pod/web: {message}"


def test_discovery_is_asked_once_for_each_version(fake, connection):
    for _ in range(3):
        found = connection.discovery.find("Deployment", "apps/v1")
    assert found == Resource("apps", "v1", "Deployment", "deployments", True)
    assert found.api_version == "apps/v1"
    assert found.verbs == {"get", "list"}
    assert found.path("demo", "a b", "scale") == (
        "/apis/apps/v1/namespaces/demo/deployments/a%20b/scale"
    )
    assert [one.path for one in fake.seen("read")] == ["/apis/apps/v1"]


def test_a_kind_alone_is_found_in_the_core_group_first(connection):
    assert connection.discovery.find("Event").api_version == "v1"
    assert connection.discovery.find("Deployment").api_version == "apps/v1"
    assert connection.discovery.find("Event", "events.k8s.io/v1").group == "events.k8s.io"
    assert connection.discovery.find("Pod").plural == "pods"  # and not `pods/status`


def test_a_kind_that_was_installed_meanwhile_is_found(fake, connection):
    with pytest.raises(ConfigurationError):
        connection.discovery.find("Ship", "sea.example/v1")
    fake.resources["sea.example/v1"] = [("Ship", "ships", True)]
    assert connection.discovery.find("Ship", "sea.example/v1").plural == "ships"
    fake.resources["sea.example/v1"].append(("Crew", "crews", True))
    assert connection.discovery.find("Crew").plural == "crews"


@pytest.mark.parametrize(
    ("kind", "api_version", "expected"),
    [
        (
            "Deploymnt",
            "apps/v1",
            "the cluster knows no kind 'Deploymnt' in apps/v1\n-> did you mean Deployment?",
        ),
        ("pod", None, "the cluster knows no kind 'pod'\n-> did you mean Pod?"),
        (
            "Deployment",
            "apps/v2",
            "the cluster knows no kind 'Deployment' in apps/v2\n-> it is served as apps/v1",
        ),
        ("Xyzzy", None, "the cluster knows no kind 'Xyzzy'"),
    ],
)
def test_an_unknown_kind_is_told_with_what_is_near(connection, kind, api_version, expected):
    with pytest.raises(ConfigurationError) as caught:
        connection.discovery.find(kind, api_version)
    assert str(caught.value) == expected


def test_an_aggregated_api_whose_server_is_away_hides_nothing_else(fake, connection):
    broken = {"where": lambda one: one.path == "/apis/apps/v1"}
    fake.refuse("read", 503, "ServiceUnavailable", "away", **broken)
    assert connection.discovery.find("Event", "events.k8s.io/v1")
    fake.refuse("read", 503, "ServiceUnavailable", "away", times=2, **broken)
    with pytest.raises(ConfigurationError):
        connection.discovery.find("Deployment", "apps/v1")
    fake.refusals.clear()
    assert connection.discovery.find("Deployment", "apps/v1")


def test_discovery_that_is_refused_is_an_error(fake, connection):
    fake.refuse("read", 401, "Unauthorized", "Unauthorized")
    with pytest.raises(ApiError, match="refused to list the resources of v1: Unauthorized"):
        connection.discovery.find("Pod")
