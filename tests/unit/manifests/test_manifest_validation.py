"""What the API server says is wrong, told with file, line and field."""

import copy
import stat

import pytest

from seatrial.core.errors import ApiError, ConfigurationError, ManifestError
from seatrial.core.model import dig
from seatrial.manifests import Patch, Renderers, apply, load, patched, validate
from seatrial.manifests.mistakes import mistakes_of

TEXT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: flask
  labels:
    version: 1
spec:
  replica: 1
  template:
    spec:
      containers:
        - name: web
          imagee: web
          resources:
            limits: {cpu: bad}
            requests: {cpu: bad, memory: 1Gi}
"""
POD = "spec.template.spec.containers[0]"
TYPED = "failed to create typed patch object (ns/flask; apps/v1, Kind=Deployment): "
CONVERSION = (
    "failed to convert new object (ns/flask; apps/v1, Kind=Deployment) to proper version: "
    "unable to convert unstructured object to apps/v1, Kind=Deployment: "
)


def refusal(*complaints, status=422, hint=""):
    first, *more = complaints
    return ApiError(
        f"the API server refused to apply Deployment/flask: {first}",
        status=status,
        details="\n".join(more),
        hint=hint,
    )


def said(*complaints, text=TEXT, there=None):
    [manifest] = load(text)
    return [str(each) for each in mistakes_of(refusal(*complaints), manifest, there=there)]


# --- what is said of one refusal


def test_an_unknown_field_and_one_that_is_given_twice():
    assert said("unknown field spec.replica", "field metadata.labels is given twice") == [
        "YAML text:8: spec.replica: unknown field",
        "YAML text:5: metadata.labels: is given twice",
    ]
    assert said('unknown field spec.template.spec.containers[name="web"].imagee') == [
        f"YAML text:13: {POD}.imagee: unknown field"
    ]


def test_several_fields_of_the_wrong_type_are_told_apart():
    line = (
        f"{TYPED}errors: .metadata.labels.version: expected string, got &value{{1}} "
        f'.spec.template.spec.containers[name="web"].resources: expected list, got &{{map[a:b c]}} '
        ".spec.replica: expected boolean, got 1"
    )
    assert said(line) == [
        "YAML text:6: metadata.labels.version: expected string, got 1",
        f"YAML text:14: {POD}.resources: expected list, got a mapping",
        "YAML text:8: spec.replica: expected boolean, got 1",
    ]
    [one] = said(f'{TYPED}.spec.template.spec.containers: duplicate entries for key [name="web"]')
    assert one == (
        'YAML text:11: spec.template.spec.containers: duplicate entries for key [name="web"]'
    )


def test_a_value_is_shown_shortened_and_one_of_a_secret_not_at_all():
    line = f"{TYPED}.data.x: expected boolean, got &{{x}}"
    config = "apiVersion: v1\nkind: {}\nmetadata: {{name: a}}\ndata:\n  x: {}\n"
    [long] = said(line, text=config.format("ConfigMap", "y" * 99))
    assert long.endswith(f'got "{"y" * 58}…')
    assert said(line, text=config.format("Secret", "hush")) == [
        "YAML text:5: data.x: expected boolean, got text"
    ]
    assert said(line, text=config.format("Secret", "null"))[0].endswith("got nothing")
    assert said(line, text=config.format("Secret", "[]"))[0].endswith("got a list")
    assert said(line, text=config.format("Secret", "true"))[0].endswith("got a boolean")


def test_a_secrets_line_is_not_shown_either():
    [secret] = load("apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  x: hush\n")
    [mistake] = mistakes_of(refusal("data.x: is odd"), secret)
    assert mistake.shown == ""


def test_what_names_no_field_is_told_of_the_object():
    assert said(
        "json: cannot unmarshal string", 'admission webhook "x" denied the request: no'
    ) == [
        "YAML text:1: Deployment/flask: json: cannot unmarshal string",
        'YAML text:1: Deployment/flask: admission webhook "x" denied the request: no',
    ]
    body = load(TEXT)[0].copy_object()
    assert [
        str(each) for each in mistakes_of(refusal("no", "spec.x: Required value"), load(body)[0])
    ] == [
        "Deployment/flask (a dictionary): no",
        "Deployment/flask (a dictionary): spec.x: Required value",
    ]


def test_a_missing_field_has_the_line_of_what_it_is_missing_in():
    assert said(f"{POD}.image: Required value") == [f"YAML text:12: {POD}.image: Required value"]


def test_a_conflict_says_who_owns_the_field_and_what_both_want():
    conflict = 'spec.replica: conflict with "kubectl" with subresource "scale" using apps/v1'
    owned = "YAML text:8: spec.replica: belongs to field manager 'kubectl' (subresource scale)"
    assert said(conflict) == [owned]
    assert said(conflict, there={"spec": {"replica": 3}}) == [f"{owned}, which set 3; here it is 1"]
    assert said('spec.replica: conflict with "helm" using apps/v1') == [
        "YAML text:8: spec.replica: belongs to field manager 'helm'"
    ]


def test_a_field_that_a_patch_put_in_is_told_with_the_patch():
    change = {"spec": {"odd": 1, "replica": 2}}
    for source, place in ((TEXT, "YAML text:7"), (load(TEXT)[0].copy_object(), None)):
        [manifest] = patched(load(source), [Patch("*", change)])
        [odd] = mistakes_of(refusal("unknown field spec.odd"), manifest)
        where = place or "Deployment/flask (a dictionary)"
        assert str(odd) == f"{where}: spec.odd: unknown field (changed by patches[0])"
        [absent] = mistakes_of(refusal("spec.x: Required value"), manifest)
        assert "changed by" not in str(absent)
    [manifest] = patched(load(TEXT), [Patch("*", change)])
    [replica] = mistakes_of(refusal("unknown field spec.replica"), manifest)
    assert str(replica) == "YAML text:8: spec.replica: unknown field"


# --- an apply that is refused


class Server:
    """An API server that says what the functions of a test say of an object."""

    def __init__(self, *judges, there=None):
        self.judges = judges
        self.there = there
        self.asked = []

    def get(self, api_version, kind, name, namespace=""):
        return self.there

    def apply(self, obj, *, namespace="", field_manager, force=False, dry_run=False):
        self.asked.append((copy.deepcopy(obj), namespace, field_manager, force, dry_run))
        for judge in self.judges:
            if error := judge(obj, force):
                raise error
        return {**obj, "spec": {**obj.get("spec", {}), "replicas": 1, "paused": False}}


def knows(*path, complaint):
    """Refuses an object that has something at `path`."""

    def judge(obj, force):
        there = dig(obj, *path) is not None
        return refusal(complaint, status=500) if there else None

    return judge


def always(*complaints, **more):
    return lambda obj, force: refusal(*complaints, **more)


def test_an_apply_tells_file_line_and_field_and_every_further_mistake():
    server = Server(always("unknown field spec.replica", "spec.x: Required value", "odd"))
    with pytest.raises(ApiError) as error:
        apply(load(TEXT), server, namespace="ns")
    assert str(error.value) == (
        "YAML text:8: spec.replica: unknown field\n"
        "  YAML text:7: spec.x: Required value\n"
        "  odd\n"
        "  from YAML text, document 1, line 1\n"
        "  applied before it: nothing"
    )
    assert error.value.status == 422


def test_an_apply_of_a_dictionary_names_the_object_once():
    server = Server(always("unknown field spec.replica", "spec.x: Required value"))
    with pytest.raises(ApiError) as error:
        apply(load(load(TEXT)[0].copy_object()), server, namespace="ns")
    assert str(error.value) == (
        "Deployment/flask (a dictionary): spec.replica: unknown field\n"
        "  spec.x: Required value\n"
        "  from a dictionary\n"
        "  applied before it: nothing"
    )


def test_a_conflict_of_an_apply_names_the_way_out():
    server = Server(
        always('spec.replica: conflict with "helm" using apps/v1', hint="theirs"),
        there={"spec": {"replica": 2}, "metadata": {"namespace": "ns"}},
    )
    with pytest.raises(ApiError) as error:
        apply(load(TEXT), server, namespace="ns")
    assert error.value.cause.endswith("'helm', which set 2; here it is 1")
    assert error.value.hint == (
        "leave these fields out of the manifest, so that their owner keeps them, "
        "or take them over: force=True"
    )


# --- validation


def mistakes(server, source=TEXT, **more):
    with pytest.raises(ManifestError) as error:
        validate(load(source), server, namespace="ns", **more)
    return error.value


def test_what_is_in_order_is_asked_once_and_nothing_is_changed():
    server = Server()
    result = validate(load(TEXT), server, namespace="ns", field_manager="me", force=True)
    assert [str(each) for each in result.checked] == ["Deployment/flask"]
    assert result.unchecked == ()
    [(obj, *asked)] = server.asked
    assert obj == load(TEXT)[0].object
    assert asked == ["ns", "me", True, True]


def test_a_mistake_that_hides_another_is_mended_until_all_are_known():
    server = Server(
        knows("spec", "replica", complaint="unknown field spec.replica"),
        knows(
            "spec", "template", "spec", "containers", 0, "imagee",
            complaint='unknown field spec.template.spec.containers[name="web"].imagee',
        ),
        lambda obj, force: (
            refusal(f"{TYPED}.metadata.labels.version: expected string, got &{{1}}", status=500)
            if obj["metadata"]["labels"]["version"] == 1
            else None
        ),
        always(f"{POD}.image: Required value", "spec.replica: Invalid value", "spec: is odd"),
    )  # fmt: skip
    error = mistakes(server)
    assert str(error) == (
        "3 mistakes in the manifests\n"
        "  YAML text:6: metadata.labels.version: expected string, got 1 -> put it in quotes\n"
        "  YAML text:8: spec.replica: unknown field\n"
        f"  YAML text:13: {POD}.imagee: unknown field -> did you mean 'image'?"
    )
    assert server.asked[-1][0]["metadata"]["labels"] == {"version": "1"}


def test_one_mistake_is_the_cause_itself_with_what_was_meant():
    error = mistakes(Server(knows("spec", "replica", complaint="unknown field spec.replica")))
    assert str(error) == ("YAML text:8: spec.replica: unknown field\n-> did you mean 'replicas'?")


def test_a_required_field_that_nothing_was_mistaken_for_is_told():
    error = mistakes(
        Server(
            knows("spec", "replica", complaint="unknown field spec.replica"),
            always("spec.selector: Required value"),
        )
    )
    assert "YAML text:7: spec.selector: Required value" in error.details


def quantities(obj, force):
    """Conversion says that a quantity is bad, and not which."""
    containers = obj.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    for container in containers:
        for part in container.get("resources", {}).values():
            if "bad" in part.values():
                return refusal(f"{CONVERSION}quantities must match", status=500)
    return None


def test_a_value_that_cannot_be_read_is_searched_for():
    text = TEXT.replace("limits: {cpu: bad}", "limits: {cpu: 1}")
    error = mistakes(Server(quantities), text)
    assert error.cause == (
        f'YAML text:16: {POD}.resources.requests.cpu: quantities must match, got "bad"'
    )


def test_two_values_that_cannot_be_read_are_both_found():
    second = """\
        - name: side
          resources:
            limits: {cpu: 1, memory: bad}
"""
    error = mistakes(Server(quantities), TEXT + second)
    assert [line.partition(": quantities")[0] for line in error.details.splitlines()] == [
        f"YAML text:15: {POD}.resources.limits.cpu",
        f"YAML text:16: {POD}.resources.requests.cpu",
        "YAML text:19: spec.template.spec.containers[1].resources.limits.memory",
    ]


def test_what_cannot_be_found_is_told_of_the_object():
    error = mistakes(Server(always(f"{CONVERSION}json: odd", status=500)))
    assert error.cause == "YAML text:1: Deployment/flask: json: odd"


def test_the_search_has_an_end(monkeypatch):
    monkeypatch.setattr("seatrial.manifests.validation.QUESTIONS", 20)
    text = TEXT + "".join(f"            k{number}: {{}}\n" for number in range(30))
    server = Server(quantities)
    error = mistakes(server, text)
    assert f"{POD}.resources: quantities must match" in str(error)
    assert len(server.asked) == 20


def test_a_conflict_does_not_hide_what_else_is_wrong():
    conflict = refusal('spec.replica: conflict with "helm" using apps/v1', status=409)
    server = Server(
        lambda obj, force: None if force else conflict,
        always(f"{POD}.image: Required value"),
        there={"spec": {"replica": 2}, "metadata": {"namespace": "ns"}},
    )
    error = mistakes(server)
    first, second = error.details.splitlines()
    assert "which set 2; here it is 1 -> leave these fields out" in first
    assert second == f"YAML text:12: {POD}.image: Required value"
    assert [asked[3] for asked in server.asked] == [False, True]
    with pytest.raises(ManifestError, match="belongs to field manager 'helm'"):
        validate(load(TEXT), Server(lambda obj, force: None if force else conflict), namespace="ns")


def test_a_conflict_that_force_does_not_end_is_not_asked_about_again():
    server = Server(always('spec.replica: conflict with "helm" using apps/v1', status=409))
    assert mistakes(server, force=True).cause.endswith("belongs to field manager 'helm'")
    assert len(server.asked) == 1


def test_a_list_entry_of_the_wrong_type_is_told_and_not_taken_out():
    text = TEXT.replace("- name: web", "- odd\n        - name: web")
    complaint = f"{TYPED}.spec.template.spec.containers[0]: expected map, got &{{odd}}"
    error = mistakes(Server(always(complaint)), text)
    assert error.cause == f'YAML text:12: {POD}: expected map, got "odd"'


@pytest.mark.parametrize("status", [0, 401, 429, 503, 504])
def test_an_api_server_that_cannot_be_asked_is_no_mistake(status):
    server = Server(always("no", status=status))
    with pytest.raises(ApiError) as error:
        validate(load(TEXT), server, namespace="ns")
    assert error.value.status == status


RENDERED_LINE = "8 |   replica: 1"


def test_a_line_that_is_in_no_file_is_shown(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("")
    program = tmp_path / "kubectl"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{TEXT}END\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    loaded = load(tmp_path, renderers=Renderers(kubectl=program))
    place = f"{tmp_path} (kustomize):8: spec.replica: unknown field"
    with pytest.raises(ManifestError) as error:
        validate(loaded, Server(always("unknown field spec.replica")), namespace="ns")
    assert (error.value.cause, error.value.details) == (place, RENDERED_LINE)
    server = Server(always("unknown field spec.replica", "spec.x: is odd"))
    with pytest.raises(ManifestError) as error:
        validate(loaded, server, namespace="ns")
    assert f"{place}\n  {RENDERED_LINE}" in error.value.details


# --- what apply itself would refuse


def test_another_namespace_and_what_is_not_ours_are_mistakes_unless_allowed():
    text = TEXT.replace("  name: flask\n", "  name: flask\n  namespace: prod\n")
    server = Server()
    error = mistakes(server, text)
    assert error.cause == "YAML text:5: metadata.namespace: is 'prod', and the test's is 'ns'"
    assert server.asked == []
    validate(load(text), server, namespace="ns", allow_foreign=True)
    assert server.asked[0][1] == "prod"
    server = Server(there={"metadata": {"labels": {}}})
    error = mistakes(server)
    assert error.cause == "YAML text:4: metadata.name: is there already and is not seatrial's"
    labelled = [load(TEXT)[0].with_object({**load(TEXT)[0].object, "metadata": {
        "name": "flask", "labels": {"seatrial.dev/test": "t"}}})]  # fmt: skip
    validate(labelled, server, namespace="ns", allow_foreign=True)
    assert server.asked[0][0]["metadata"]["labels"] == {}


def test_a_namespace_that_the_manifests_bring_along_need_not_be_there():
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n---\n" + TEXT.replace(
        "  name: flask\n", "  name: flask\n  namespace: new\n"
    )
    server = Server()
    validate(load(text), server, namespace="ns", allow_foreign=True)
    assert server.asked[1][0]["metadata"]["namespace"] == "ns"


def test_an_unknown_kind_is_a_mistake_and_one_that_the_manifests_define_is_unchecked():
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {name: ships.sea.dev}\nspec: {group: sea.dev, names: {kind: Ship}}\n"
    )
    ship = "---\napiVersion: sea.dev/v1\nkind: Ship\nmetadata: {name: argo}\n"

    class Unserved(Server):
        def get(self, api_version, kind, name, namespace=""):
            if kind == "Ship":
                raise ConfigurationError("the cluster knows no kind 'Ship'", hint="Shop?")

    result = validate(load(definition + ship), Unserved(), namespace="ns")
    assert [str(each) for each in result.checked] == ["CustomResourceDefinition/ships.sea.dev"]
    assert [str(each) for each in result.unchecked] == ["Ship/argo"]
    error = mistakes(Unserved(), ship)
    assert str(error) == ("YAML text:3: kind: the cluster knows no kind 'Ship'\n-> Shop?")


def test_mistakes_are_told_in_the_order_of_the_files(tmp_path):
    (tmp_path / "a.yaml").write_text(TEXT)
    (tmp_path / "b.yaml").write_text(TEXT.replace("Deployment", "ConfigMap"))
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    server = Server(always("metadata.name: two", "kind: one"))
    error = mistakes(server, [body, tmp_path])
    assert [line.removeprefix(f"{tmp_path}/") for line in error.details.splitlines()] == [
        "a.yaml:2: kind: one",
        "a.yaml:4: metadata.name: two",
        "b.yaml:2: kind: one",
        "b.yaml:4: metadata.name: two",
        "Service/s (a dictionary): metadata.name: two",
        "Service/s (a dictionary): kind: one",
    ]
