"""Where manifests are read from, and what is said of those that cannot be."""

import json
from pathlib import Path

import pytest

from seatrial.core.errors import ManifestError
from seatrial.manifests import load, require

ROOT = Path(__file__).parents[3]

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n"


@pytest.fixture(name="folder")
def folder_of_manifests(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "b.yaml").write_text(CONFIG.format("b1") + "---\n" + CONFIG.format("b2"))
    (tmp_path / "m" / "a.yml").write_text(CONFIG.format("a"))
    (tmp_path / "m" / "c.json").write_text(
        '{"apiVersion": "v1",\n\t"kind": "ConfigMap", "metadata": {"name": "c"}}'
    )
    (tmp_path / "m" / "notes.txt").write_text("nothing")
    return tmp_path


def names(source, **more):
    return [manifest.name for manifest in load(source, **more)]


def refused(source):
    with pytest.raises(ManifestError) as error:
        load(source)
    return str(error.value)


def test_a_folder_is_read_in_the_order_of_names(folder):
    assert names("m") == ["a", "b1", "b2", "c"]
    assert names(Path("m")) == ["a", "b1", "b2", "c"]


def test_a_file_a_pattern_a_text_a_dictionary_and_a_list_of_them(folder):
    assert names("m/b.yaml") == ["b1", "b2"]
    assert names("m/*.y*ml") == ["a", "b1", "b2"]
    assert names("**/a.yml") == ["a"]
    assert names(CONFIG.format("t")) == ["t"]
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}}
    assert names(body) == ["d"]
    assert names(["m/a.yml", body, CONFIG.format("t")]) == ["a", "d", "t"]
    assert names(load("m/a.yml")) == ["a"]


def test_relative_paths_start_at_the_base(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert names("m/a.yml", base=folder) == ["a"]


def test_a_dictionary_that_changes_later_does_not_change_the_manifest():
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d"}}
    [manifest] = load(body)
    body["metadata"]["name"] = "changed"
    assert manifest.name == "d"


def test_a_manifest_knows_what_it_is_and_where_it_was_written(folder):
    _, second = load("m/b.yaml")
    assert str(second) == "ConfigMap/b2"
    assert (second.api_version, second.kind, second.namespace) == ("v1", "ConfigMap", "")
    assert (second.ref.kind, second.ref.name) == ("ConfigMap", "b2")
    assert second.origin == "m/b.yaml, document 2, line 6"
    assert load(CONFIG.format("t"))[0].origin == "YAML text, document 1, line 1"
    assert load(second.copy_object())[0].origin == "a dictionary"


def test_the_projects_own_manifests_are_read():
    loaded = load("fixtures/manifests", base=ROOT)
    assert [str(each) for each in loaded] == ["Deployment/flask", "Service/flask"]


def test_a_list_is_taken_apart_and_each_item_knows_its_line():
    text = """\
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: one}
  - apiVersion: v1
    kind: ConfigMapList
    items:
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}
"""
    one, two = load(text)
    assert one.origin == "YAML text, document 1, item 1, line 4"
    assert (two.name, two.origin) == ("two", "YAML text, document 1, item 1, line 10")
    body = {"apiVersion": "v1", "kind": "List", "items": [one.object]}
    assert load(body)[0].origin == "a dictionary, document 1, item 1"


def test_empty_documents_are_skipped():
    assert names("---\n# nothing\n---\n" + CONFIG.format("t") + "---\n") == ["t"]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + CONFIG.format("t").encode())
    assert names(path) == ["t"]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("22:22", "22:22"),
        ("yes", True),
        ("12", 12),
        ("0o12", 10),
        ("0", 0),
        ("0x1F", 31),
        ("0644", 420),
        ("1_000", 1000),
        ("-3", -3),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1.5e3", 1500.0),
        ("-.inf", float("-inf")),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("null", None),
        ("'12'", "12"),
    ],
)
def test_a_value_means_what_it_means_to_kubectl(written, value):
    [manifest] = load(CONFIG.format("t") + f"data:\n  key: {written}\n")
    got = manifest.object["data"]["key"]
    assert got == value
    assert type(got) is type(value)


def test_keys_are_text_as_they_are_in_json():
    [manifest] = load(CONFIG.format("t") + "data: {404: a, true: b, 1.5: c, x: d}\n")
    assert manifest.object["data"] == {"404": "a", "true": "b", "1.5": "c", "x": "d"}
    assert json.dumps(manifest.object)


def test_anchors_and_merge_keys_work_and_may_be_overridden():
    text = CONFIG.format("t") + "base: &b {x: 1, y: 2}\ndata:\n  <<: *b\n  y: 3\n"
    [manifest] = load(text)
    assert manifest.object["data"] == {"x": 1, "y": 3}


def test_a_mapping_that_overrides_can_be_merged_itself():
    text = CONFIG.format("t") + (
        "base: &a {x: 1, y: 1}\ndeep:\n  deeper:\n    inner: &b {<<: *a, x: 2}\n"
        "data:\n  <<: *b\n  y: 3\n"
    )
    [manifest] = load(text)
    assert manifest.object["data"] == {"x": 2, "y": 3}
    assert manifest.object["deep"]["deeper"]["inner"] == {"x": 2, "y": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "apiVersion: v1\nkind: [ConfigMap\nmetadata:\n",
            "YAML text, line 3, column 9: while parsing a flow sequence expected ',' or ']', "
            "but got ':'\n"
            "  3 | metadata:\n"
            "              ^",
        ),
        (
            CONFIG.format("a") + "data:\n  x: 1\n  y: 2\n  x: 3\n",
            "YAML text, line 8, column 3: key 'x' is there twice, first in line 6\n"
            "  8 |   x: 3\n"
            "        ^",
        ),
        (
            "kind: ConfigMap\nname: {{ .Values.name }}\n",
            "YAML text, line 2, column 8: while constructing a mapping found unhashable key\n"
            "  2 | name: {{ .Values.name }}\n"
            "             ^\n"
            "-> this looks like a template; render it first and give what comes out",
        ),
        (
            "kind: a\x07b\n",
            "YAML text, line 1, column 8: a character that YAML does not allow (#x0007)\n"
            "  1 | kind: a�b\n"
            "             ^",
        ),
        (
            "a: &x 1\nb: *y\n",
            "YAML text, line 2, column 4: found undefined alias 'y'\n  2 | b: *y\n         ^",
        ),
        (
            "a: [1,\n",
            "YAML text, line 2, column 1: while parsing a flow node expected the node content, "
            "but found '<stream end>'",
        ),
        (
            "a: !!python/object:os.system x\n",
            "YAML text, line 1, column 4: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/object:os.system'\n"
            "  1 | a: !!python/object:os.system x\n"
            "         ^",
        ),
        (
            "- a\n- b\n",
            "YAML text, document 1, line 1: is a list, not an object with apiVersion and kind",
        ),
        (
            "just text\n",
            "YAML text, document 1, line 1: is text, not an object with apiVersion and kind",
        ),
        (
            "\n42\n",
            "YAML text, document 1, line 2: is a number, not an object with apiVersion and kind",
        ),
        ("kind: A\nmetadata: {name: a}\n", "YAML text, document 1, line 1: has no apiVersion"),
        (
            "apiversion: v1\nkind: A\nmetadata: {name: a}\n",
            "YAML text, document 1, line 1: has no apiVersion\n-> it has 'apiversion' instead",
        ),
        ("apiVersion: v1\nmetadata: {name: a}\n", "YAML text, document 1, line 1: has no kind"),
        ("apiVersion: v1\nkind: A\n", "YAML text, document 1, line 1: has no metadata.name"),
        (
            "apiVersion: v1\nkind: A\nmetadata: {generateName: a-}\n",
            "YAML text, document 1, line 1: has no metadata.name\n"
            "-> generateName cannot be used: server-side apply needs a name",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: a\n",
            "YAML text, document 1, line 1: metadata is text, not a mapping",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata:\n",
            "YAML text, document 1, line 1: metadata is nothing, not a mapping",
        ),
        (
            "apiVersion: v1\nkind: A\nmetadata: {name: 12}\n",
            "YAML text, document 1, line 1: metadata.name is 12, not text\n"
            '-> put it in quotes: "12"',
        ),
        (
            "apiVersion: v1\nkind: List\nitems:\n- 1\n",
            "YAML text, document 1, item 1, line 4: is a number, not an object "
            "with apiVersion and kind",
        ),
        (
            "a: !!int x\n",
            "YAML text, document 1: a value does not fit the tag it has\n"
            "  invalid literal for int() with base 10: 'x'",
        ),
        ("---\n---\n", "there are no manifests in the YAML text"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, message):
    assert refused(text) == message


def test_the_mark_stands_under_the_fault_after_tabs_too():
    assert refused('a:\t"x" y\n').endswith('  1 | a: "x" y\n        ^')


def test_a_file_that_is_not_there_is_named_with_the_nearest_one(folder):
    assert refused("m/aa.yml") == "manifest m/aa.yml does not exist\n-> did you mean 'a.yml'?"
    assert refused("zzz/q.yaml") == (
        f"manifest zzz/q.yaml does not exist\n-> looked for {folder / 'zzz/q.yaml'}"
    )


def test_a_folder_or_a_pattern_without_manifests_is_refused(folder):
    (folder / "empty").mkdir()
    assert refused("empty") == (
        "folder empty holds no manifests\n"
        "-> the files that are read end in .yaml, .yml, .json; folders in it are not"
    )
    assert refused("m/*.toml") == f"no file matches m/*.toml\n-> looked from {folder}"
    assert refused(" ") == "the path of the manifests is empty"
    (folder / "comments.yaml").write_text("# nothing\n")
    assert refused("comments.yaml") == "there are no manifests in comments.yaml"
    assert refused(Path("comments.yaml")) == "there are no manifests in comments.yaml"
    assert refused([]) == "there are no manifests in a list"
    assert refused(42) == "manifests cannot be loaded from 42"


def test_a_file_that_is_no_text_is_refused(folder):
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert refused("binary.yaml").startswith("binary.yaml is not text in UTF-8\n  'utf-8' codec")


def test_a_file_that_may_not_be_read_is_refused(folder, monkeypatch):
    def denied(self, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    assert refused("m/a.yml") == "m/a.yml cannot be read: Permission denied"


def test_unreadable_json_is_refused_with_its_place(folder):
    (folder / "bad.json").write_text('{"apiVersion": "v1",\n"kind" 1}')
    assert refused("bad.json") == (
        "bad.json, line 2, column 8: Expecting ':' delimiter\n  2 | \"kind\" 1}\n             ^"
    )
    (folder / "twice.json").write_text('{"a": 1, "a": 2}')
    assert refused("twice.json") == "twice.json cannot be read: key 'a' is there twice"


def test_an_object_that_is_there_twice_is_refused_with_both_places(folder):
    assert refused(["m/a.yml", "m/b.yaml", CONFIG.format("b2")]) == (
        "ConfigMap/b2 is there twice\n"
        "  m/b.yaml, document 2, line 6\n"
        "  YAML text, document 1, line 1"
    )


def test_one_name_in_two_kinds_groups_or_namespaces_is_two_objects():
    other = "---\napiVersion: {}\nkind: {}\nmetadata: {{name: a, namespace: {}}}\n"
    text = CONFIG.format("a")
    text += other.format("v1", "Secret", "")
    text += other.format("v1", "ConfigMap", "x")
    text += other.format("other.dev/v1", "ConfigMap", "x")
    assert len(load(text)) == 4
    again = text + other.format("other.dev/v2", "ConfigMap", "x")
    assert refused(again).startswith("ConfigMap/a is there twice")


def test_a_kind_can_be_demanded():
    loaded = load("fixtures/manifests", base=ROOT)
    assert require(loaded, "Deployment").name == "flask"
    assert require(loaded, "Service", "flask").kind == "Service"


def test_a_kind_that_is_not_there_is_refused_with_what_is():
    loaded = load(CONFIG.format("a"))
    with pytest.raises(ManifestError) as error:
        require(loaded, "Deployment")
    assert str(error.value) == (
        "there is no Deployment among the manifests\n  ConfigMap/a (YAML text, document 1, line 1)"
    )
    with pytest.raises(ManifestError) as error:
        require(loaded, "ConfigMap", "aa")
    assert error.value.cause == "there is no ConfigMap/aa among the manifests"
    assert error.value.hint == "did you mean 'ConfigMap/a'?"
