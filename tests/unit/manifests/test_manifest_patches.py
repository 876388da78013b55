"""Patches from Python: strategic merge, JSON patch, and what is said of those that cannot be."""

import copy

import pytest

from seatrial.core.errors import ManifestError
from seatrial.manifests import Patch, load, patched

POD_SPEC = {
    "containers": [
        {
            "name": "web",
            "image": "web:1",
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "ports": [{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}],
            "args": ["a", "b"],
            "volumeMounts": [{"mountPath": "/a", "name": "data"}],
        },
        {"name": "side", "image": "side:1"},
    ],
    "volumes": [{"name": "data", "emptyDir": {}}],
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "flask", "labels": {"a": "1", "b": "2"}, "finalizers": ["x"]},
    "spec": {
        "replicas": 1,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "template": {"spec": POD_SPEC},
    },
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "flask"},
    "spec": {"ports": [{"port": 80, "targetPort": 1}], "selector": {"a": "1"}},
}


def changed(change, obj=DEPLOYMENT):
    before = copy.deepcopy(change)
    [manifest] = load(obj)
    [result] = patched([manifest], [Patch(f"{obj['kind']}/{obj['metadata']['name']}", change)])
    assert manifest.object == obj
    assert change == before
    return result.object


def in_pod(**spec):
    return {"spec": {"template": {"spec": spec}}}


def containers(*entries):
    return changed(in_pod(containers=list(entries)))["spec"]["template"]["spec"]["containers"]


def refused(patches, *objects):
    with pytest.raises(ManifestError) as error:
        patched(load(list(objects) or [DEPLOYMENT, SERVICE]), patches)
    return error.value


# --- strategic merge


def test_mappings_merge_and_none_removes():
    obj = changed({"metadata": {"labels": {"a": None, "c": "3"}}, "spec": {"replicas": 3}})
    assert obj["metadata"]["labels"] == {"b": "2", "c": "3"}
    assert obj["spec"]["replicas"] == 3
    assert obj["spec"]["template"] == DEPLOYMENT["spec"]["template"]


def test_containers_are_merged_by_name_and_new_ones_come_last():
    web, side, new = containers({"name": "side", "image": "side:2"}, {"name": "new", "image": "n"})
    assert web == POD_SPEC["containers"][0]
    assert side == {"name": "side", "image": "side:2"}
    assert new == {"name": "new", "image": "n"}


def test_lists_within_containers_are_merged_by_keys_of_their_own():
    web, _ = containers(
        {
            "name": "web",
            "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
            "volumeMounts": [{"mountPath": "/b", "name": "data"}],
            "args": ["c"],
        }
    )
    assert web["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "3"},
        {"name": "C", "value": "4"},
    ]
    assert [each["mountPath"] for each in web["volumeMounts"]] == ["/a", "/b"]
    assert web["args"] == ["c"]


def test_of_two_ports_with_one_number_the_protocol_decides():
    web, _ = containers(
        {"name": "web", "ports": [{"containerPort": 53, "protocol": "UDP", "name": "dns"}]}
    )
    assert web["ports"] == [
        {"containerPort": 53},
        {"containerPort": 53, "protocol": "UDP", "name": "dns"},
    ]
    web, _ = containers({"name": "web", "ports": [{"containerPort": 53, "protocol": "SCTP"}]})
    assert web["ports"][0] == {"containerPort": 53, "protocol": "SCTP"}


def test_an_entry_can_be_deleted_and_a_whole_list_replaced():
    assert [each["name"] for each in containers({"name": "web", "$patch": "delete"})] == ["side"]
    assert containers({"$patch": "replace"}, {"name": "only"}) == [{"name": "only"}]
    assert len(containers({"name": "absent", "$patch": "delete"})) == 2


def test_a_mapping_can_be_deleted_replaced_or_kept_in_part():
    obj = changed({"spec": {"strategy": {"$patch": "delete"}}})
    assert "strategy" not in obj["spec"]
    obj = changed({"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}})
    assert obj["spec"]["strategy"] == {"type": "Recreate"}
    obj = changed({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}})
    assert obj["spec"]["strategy"] == {"type": "Recreate"}
    obj = changed({"spec": {"strategy": {"$patch": "merge", "type": "x"}}})
    assert obj["spec"]["strategy"] == {"type": "x", "rollingUpdate": {"maxSurge": 1}}


def test_plain_values_are_added_to_and_taken_out_of_their_list():
    obj = changed({"metadata": {"finalizers": ["x", "y"]}})
    assert obj["metadata"]["finalizers"] == ["x", "y"]
    obj = changed({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}})
    assert obj["metadata"]["finalizers"] == []
    obj = changed({"metadata": {"$deleteFromPrimitiveList/absent": ["x"]}})
    assert obj == DEPLOYMENT


def test_what_is_not_there_yet_is_put_in_without_directives():
    obj = changed(in_pod(initContainers=[{"name": "i", "securityContext": {"a": None, "b": 1}}]))
    spec = obj["spec"]["template"]["spec"]
    assert spec["initContainers"] == [{"name": "i", "securityContext": {"b": 1}}]


def test_a_mapping_takes_the_place_of_a_plain_value():
    assert changed({"spec": {"replicas": {"odd": 1}}})["spec"]["replicas"] == {"odd": 1}


def test_the_ports_of_a_service_have_another_key_than_those_of_a_container():
    obj = changed({"spec": {"ports": [{"port": 80, "name": "http"}]}}, SERVICE)
    assert obj["spec"]["ports"] == [{"port": 80, "targetPort": 1, "name": "http"}]


def test_the_lists_of_a_custom_resource_are_replaced():
    custom = {**SERVICE, "apiVersion": "serving.knative.dev/v1"}
    obj = changed({"spec": {"ports": [{"port": 81}]}}, custom)
    assert obj["spec"]["ports"] == [{"port": 81}]


def test_templates_of_pods_are_merged_wherever_a_kind_has_them():
    job = {"spec": {"template": {"spec": POD_SPEC}}}
    cron = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "c"},
        "spec": {"jobTemplate": job},
    }
    change = {"spec": {"jobTemplate": in_pod(containers=[{"name": "side", "image": "s:2"}])}}
    spec = changed(change, cron)["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert [each["image"] for each in spec["containers"]] == ["web:1", "s:2"]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (
            in_pod(containers={"name": "web"}),
            "spec.template.spec.containers: is a list, and the patch has a mapping there",
        ),
        (
            in_pod(containers="web"),
            "spec.template.spec.containers: is a list, and the patch has a single value there",
        ),
        (
            in_pod(containers=[{"image": "x"}]),
            "spec.template.spec.containers: entry 1 of the patch has no name, "
            "by which the list is merged",
        ),
        (
            in_pod(volumes=[{"name": "a"}, "b"]),
            "spec.template.spec.volumes: entry 2 of the patch has no name, "
            "by which the list is merged",
        ),
        (
            in_pod(**{"$setElementOrder/containers": []}),
            "spec.template.spec: the directive $setElementOrder/containers is not supported: "
            "leave it out",
        ),
        (
            {"spec": {"strategy": {"$patch": "remove"}}},
            "spec.strategy: $patch is 'remove', and can be delete, merge or replace",
        ),
        (
            {"metadata": {"$deleteFromPrimitiveList/finalizers": "x"}},
            "metadata.finalizers: $deleteFromPrimitiveList/finalizers is a single value, "
            "not a list",
        ),
        (
            {"metadata": {"$deleteFromPrimitiveList/finalizers": [], "finalizers": {}}},
            "metadata.finalizers: is a list, and the patch has a mapping there",
        ),
        ({"$patch": "delete"}, "$patch: delete would remove the whole object"),
        ({"$odd": 1}, "the patch: the directive $odd is not supported: leave it out"),
        ({"kind": "StatefulSet"}, "kind: a patch cannot make it another object"),
        ({"metadata": {"name": "x"}}, "metadata.name: a patch cannot make it another object"),
        ({"metadata": None}, "metadata.name: a patch cannot make it another object"),
    ],
)
def test_a_merge_that_cannot_be_done_says_which_patch_object_and_path(change, cause):
    error = refused([Patch("Service/flask", {}), Patch("Deployment/flask", change)])
    assert error.cause == f"patches[1] cannot change Deployment/flask: {cause}"
    assert error.details == "Deployment/flask is from a dictionary"


# --- JSON patch


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/b", "value": 2}, {"a": [1, 2], "b": 2, "s/~": {"x": True}}),
        ({"op": "add", "path": "/a", "value": 2}, {"a": 2, "s/~": {"x": True}}),
        ({"op": "add", "path": "/a/0", "value": 0}, {"a": [0, 1, 2], "s/~": {"x": True}}),
        ({"op": "add", "path": "/a/2", "value": 3}, {"a": [1, 2, 3], "s/~": {"x": True}}),
        ({"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3], "s/~": {"x": True}}),
        ({"op": "remove", "path": "/a/0"}, {"a": [2], "s/~": {"x": True}}),
        ({"op": "remove", "path": "/a"}, {"s/~": {"x": True}}),
        ({"op": "replace", "path": "/a/1", "value": 9}, {"a": [1, 9], "s/~": {"x": True}}),
        ({"op": "replace", "path": "/s~1~0/x", "value": 0}, {"a": [1, 2], "s/~": {"x": 0}}),
        ({"op": "move", "from": "/a/0", "path": "/a/1"}, {"a": [2, 1], "s/~": {"x": True}}),
        ({"op": "move", "from": "/a", "path": "/a"}, {"a": [1, 2], "s/~": {"x": True}}),
        ({"op": "move", "from": "/s~1~0/x", "path": "/x"}, {"a": [1, 2], "s/~": {}, "x": True}),
        ({"op": "copy", "from": "/a", "path": "/a/-"}, {"a": [1, 2, [1, 2]], "s/~": {"x": True}}),
        ({"op": "test", "path": "/a", "value": [1.0, 2]}, {"a": [1, 2], "s/~": {"x": True}}),
        ({"op": "test", "path": "/s~1~0", "value": {"x": True}}, None),
    ],
)  # fmt: skip
def test_an_operation_is_done_as_rfc_6902_says(operation, expected):
    data = {"a": [1, 2], "s/~": {"x": True}}
    obj = {**SERVICE, "spec": data}
    for key in ("path", "from"):
        if key in operation:
            operation = {**operation, key: "/spec" + operation[key]}
    assert changed([operation], obj)["spec"] == (data if expected is None else expected)


def test_operations_follow_one_another_and_the_whole_can_be_replaced():
    obj = changed(
        [
            {"op": "replace", "path": "", "value": SERVICE},
            {"op": "add", "path": "", "value": {**SERVICE, "spec": {}}},
            {"op": "add", "path": "/spec/x", "value": []},
            {"op": "add", "path": "/spec/x/-", "value": 1},
            {"op": "test", "path": "/spec/x/0", "value": 1},
        ],
        SERVICE,
    )
    assert obj["spec"] == {"x": [1]}


@pytest.mark.parametrize(
    ("operation", "cause", "hint"),
    [
        (
            {"op": "replace", "path": "/spec/replica", "value": 2},
            " (replace /spec/replica): /spec has no 'replica'",
            "did you mean 'replicas'?",
        ),
        (
            {"op": "remove", "path": "/spec/template/spec/containers/2"},
            " (remove /spec/template/spec/containers/2): /spec/template/spec/containers has "
            "2 entries, and none at 2",
            "",
        ),
        (
            {"op": "add", "path": "/spec/template/spec/containers/3", "value": 1},
            " (add /spec/template/spec/containers/3): /spec/template/spec/containers has "
            "2 entries, and none at 3",
            "",
        ),
        (
            {"op": "remove", "path": "/spec/template/spec/containers/-"},
            " (remove /spec/template/spec/containers/-): /spec/template/spec/containers is a "
            "list, and '-' is no index of it",
            "",
        ),
        (
            {"op": "remove", "path": "/spec/template/spec/containers/01"},
            " (remove /spec/template/spec/containers/01): /spec/template/spec/containers is a "
            "list, and '01' is no index of it",
            "",
        ),
        (
            {"op": "add", "path": "/spec/replicas/x", "value": 2},
            " (add /spec/replicas/x): /spec/replicas is a single value, and nothing is below it",
            "",
        ),
        (
            {"op": "add", "path": "/spec/paused/x/y", "value": 2},
            " (add /spec/paused/x/y): /spec has no 'paused'",
            "",
        ),
        (
            {"op": "test", "path": "/spec/replicas", "value": True},
            " (test /spec/replicas): the value there is another one",
            "",
        ),
        (
            {"op": "test", "path": "/metadata/finalizers", "value": ["x", "y"]},
            " (test /metadata/finalizers): the value there is another one",
            "",
        ),
        (
            {"op": "test", "path": "/metadata/labels", "value": {"a": "1"}},
            " (test /metadata/labels): the value there is another one",
            "",
        ),
        ({"op": "add", "path": "/x"}, " (add /x): has no value", ""),
        ({"op": "add", "value": 1}, " (add): has no path", ""),
        ({"op": "move", "path": "/x"}, " (move /x): has no from", ""),
        (
            {"op": "move", "from": "/spec", "path": "/spec/x"},
            " (move /spec/x): a value cannot be moved into itself",
            "",
        ),
        (
            {"op": "remove", "path": ""},
            " (remove ): the whole object cannot be removed",
            "",
        ),
        (
            {"op": "remove", "path": "spec.replicas"},
            " (remove spec.replicas): path is 'spec.replicas', and has to begin with /",
            "a path is a JSON pointer: /spec/template/spec/containers/0/image",
        ),
        (
            {"op": "replaces", "path": "/spec"},
            " (replaces /spec): op is 'replaces', and can be add, remove, replace, move, copy, "
            "test",
            "did you mean 'replace'?",
        ),
        ({}, ": op is 'None', and can be add, remove, replace, move, copy, test", ""),
        ("text", ": is not a mapping with op and path", ""),
    ],
)
def test_an_operation_that_cannot_be_done_says_which_and_why(operation, cause, hint):
    fine = {"op": "test", "path": "/spec/replicas", "value": 1}
    error = refused([Patch("Deployment/*", [fine, operation])])
    assert error.cause == f"patches[0] cannot change Deployment/flask: operation 2{cause}"
    assert error.hint == hint


def test_nothing_is_below_what_is_empty():
    custom = {**SERVICE, "spec": {"x": None}}
    error = refused(
        [Patch("*/flask", [{"op": "replace", "path": "/spec/x/y", "value": 1}])], custom
    )
    assert error.cause.endswith("/spec/x is empty, and nothing is below it")


def test_what_is_left_has_to_be_an_object():
    error = refused([Patch("Service/*", [{"op": "replace", "path": "", "value": 1}])])
    assert error.cause.endswith(
        "cannot change Service/flask: what is left after the patch is no object"
    )


# --- which objects


def test_a_patch_may_fit_many_objects_or_name_its_own():
    manifests = load([DEPLOYMENT, SERVICE])
    label = {"metadata": {"labels": {"new": "1"}}}
    own = {"kind": "Service", "metadata": {"name": "flask"}, "spec": {"type": "NodePort"}}
    deployment, service = patched(manifests, [Patch("*", label), own])
    assert deployment.object["metadata"]["labels"]["new"] == "1"
    assert service.object["metadata"]["labels"] == {"new": "1"}
    assert service.object["spec"]["type"] == "NodePort"
    assert deployment.changed_by == ("patches[0]",)
    assert service.changed_by == ("patches[0]", "patches[1]")
    assert patched(manifests, []) == manifests


def test_a_patch_that_fits_nothing_names_what_is_there():
    error = refused([Patch("Deployment/flaks", {})])
    assert str(error) == (
        "patches[0] is for Deployment/flaks, and no manifest is that\n"
        "  Deployment/flask, Service/flask\n"
        "-> did you mean 'Deployment/flask'?"
    )


@pytest.mark.parametrize("given", [{"spec": {}}, {"kind": "Service"}, 42, None])
def test_a_patch_has_to_say_what_it_changes(given):
    error = refused([given])
    assert error.cause == "patches[0] does not say which object it changes"
    assert 'Patch("Deployment/flask", …)' in error.hint


@pytest.mark.parametrize("change", ["text", 3, None])
def test_a_change_is_a_mapping_or_operations(change):
    error = refused([Patch("Service/flask", change)])
    assert error.cause == f"patches[0] cannot change Service/flask: is {change!r}"


@pytest.mark.parametrize("given", [{"kind": "Service"}, Patch("*", {}), "text"])
def test_patches_are_a_list(given):
    assert refused(given).cause == "patches is one patch, not a list of them"
