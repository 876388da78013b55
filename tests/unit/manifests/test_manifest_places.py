"""Paths of fields as the API server writes them, and the lines on which they stand."""

import pytest

from seatrial.manifests import load
from seatrial.manifests.places import steps_of, written

POD = {
    "metadata": {"annotations": {"a.b/c": "1", "a": "2"}, "finalizers": ["x.dev/hold"]},
    "spec": {
        "containers": [
            {"name": "web", "ports": [{"containerPort": 53, "protocol": "UDP"}]},
            {"name": "side", "ports": [{"containerPort": 53}]},
        ]
    },
}

TEXT = """\
# a comment
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  base: &base {image: one,
    command: [run]}
  containers:
    - name: web
      image: flask
    - name: side
      <<: *base
      image: two
    - [odd]
"""


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("spec.containers[1].name", ("spec", "containers", 1, "name")),
        ('.spec.containers[name="side"].image', ("spec", "containers", 1, "image")),
        (
            '.spec.containers[name="side"].ports[containerPort=53,protocol="TCP"].x',
            ("spec", "containers", 1, "ports", 0, "x"),
        ),
        (
            'spec.containers[name="web"].ports[containerPort=53,protocol="TCP"]',
            ("spec", "containers", 0, "ports", '[containerPort=53,protocol="TCP"]'),
        ),
        ('spec.containers[name="a]b"].x', ("spec", "containers", '[name="a]b"]', "x")),
        ("spec.containers[]", ("spec", "containers", "[]")),
        ("metadata.annotations.a.b/c", ("metadata", "annotations", "a.b/c")),
        ("metadata.annotations[a.b/c]", ("metadata", "annotations", "a.b/c")),
        ("metadata.annotations.a", ("metadata", "annotations", "a")),
        ('metadata.finalizers[="x.dev/hold"]', ("metadata", "finalizers", 0)),
        ("metadata.finalizers[=odd]", ("metadata", "finalizers", "[=odd]")),
        ("spec.nowhere[0].x", ("spec", "nowhere", 0, "x")),
        ("spec.nowhere[a=b]", ("spec", "nowhere", "[a=b]")),
        ("spec.[open", ("spec", "[open")),
        ("..", ()),
    ],
)
def test_a_path_is_read_by_what_is_in_the_object(text, steps):
    assert steps_of(text, POD) == steps


def test_a_path_is_written_as_kubernetes_does():
    assert written(("spec", "containers", 0, "env")) == "spec.containers[0].env"
    assert written(("metadata", "annotations", "a.b/c")) == "metadata.annotations[a.b/c]"
    assert written(("spec", '[name="x"]', "y")) == 'spec[name="x"].y'
    assert written(("a.b",)) == "[a.b]"
    assert written(()) == ""


@pytest.mark.parametrize(
    ("path", "line", "exact"),
    [
        ((), 2, True),
        (("spec",), 6, True),
        (("spec", "containers", 0), 10, True),
        (("spec", "containers", 0, "image"), 11, True),
        (("spec", "containers", 0, "ports"), 10, False),
        (("spec", "containers", 1, "command"), 8, True),
        (("spec", "containers", 1, "image"), 14, True),
        (("spec", "containers", 2, 0), 15, True),
        (("spec", "containers", 9), 9, False),
        (("spec", "containers", "[x]"), 9, False),
        (("metadata", "name", "deeper"), 5, False),
    ],
)
def test_each_field_has_its_line_or_that_of_the_nearest_one_around_it(path, line, exact):
    [pod] = load(TEXT)
    assert pod.passage.line(path, pod.object) == (line, exact)
    assert pod.place(path) == f"YAML text:{line}"


def test_an_entry_with_a_name_is_found_by_it_in_a_list_that_was_changed():
    [pod] = load(TEXT)
    obj = pod.copy_object()
    obj["spec"]["containers"] = [{"name": "new"}, obj["spec"]["containers"][0]]
    assert pod.passage.line(("spec", "containers", 1, "image"), obj) == (11, True)
    assert pod.passage.line(("spec", "containers", 0, "image"), obj) == (9, False)


def test_of_two_entries_with_one_name_each_has_its_own_line():
    [pod] = load(TEXT.replace("name: side", "name: web"))
    assert pod.passage.line(("spec", "containers", 0), pod.object) == (10, True)
    assert pod.passage.line(("spec", "containers", 1), pod.object) == (12, True)


def test_json_has_lines_too(tmp_path):
    path = tmp_path / "m.json"
    path.write_text(
        '{"apiVersion": "v1",\n\t"kind": "ConfigMap",\n\t"metadata": {"name": "c"},\n'
        '"data": {\n"a":1}}'
    )
    [manifest] = load(path)
    assert manifest.place(("data", "a")) == f"{path}:5"


def test_json_that_is_no_yaml_is_named_without_a_line(tmp_path):
    path = tmp_path / "m.json"
    # a key longer than YAML allows
    path.write_text(
        '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, '
        f'"data": {{"{"k" * 1100}": "x"}}}}'
    )
    [manifest] = load(path)
    assert manifest.passage is None
    assert manifest.place(("data",)) == f"ConfigMap/c ({path}, document 1, line 1)"


def test_each_item_of_a_list_knows_the_lines_of_its_own_fields():
    text = """\
apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: b}
    data:
      x: "1"
"""
    assert load(text)[1].place(("data", "x")) == "YAML text:9"


def test_only_a_line_that_is_in_no_file_is_shown(tmp_path):
    (tmp_path / "m.yaml").write_text(TEXT)
    [from_file] = load(tmp_path / "m.yaml")
    assert from_file.passage.shown(11) == ""
