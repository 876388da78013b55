"""Where manifests may come from, what is changed in them, and what is said of those that are wrong.

`helm` is built from its pinned module (`tests/e2e/helm`), so that no test here is skipped.
"""

from __future__ import annotations

import dataclasses
import http.server
import json
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from seatrial.core.errors import ApiError, ManifestError
from seatrial.core.model import dig
from seatrial.manifests import (
    Chart,
    Patch,
    Renderers,
    load,
    patched,
    validate,
)
from seatrial.manifests.merge_keys import _KINDS, VALUES, merge_key
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import artifacts_of
from seatrial.tools.golang import GoBuild

HELM = Path(__file__).parent / "helm"


@pytest.fixture(scope="session")
def helm(k8s_settings):
    """A helm of the pinned version; about two minutes to build, once."""
    build = GoBuild(
        name="helm-v4.3.1",
        sources=(HELM / "go.mod", HELM / "go.sum"),
        packages=("helm.sh/helm/v4/cmd/helm",),
    )
    return build.run(artifacts_of(k8s_settings), ConsoleProgress()) / "helm"


@pytest.fixture
def k8s_deploy(k8s_deploy, helm):
    """As with `--seatrial-helm`."""
    return dataclasses.replace(k8s_deploy, helm=helm)


@pytest.fixture(autouse=True)
def _in_a_repository(manifests, tmp_path, monkeypatch):
    """The folders that the documentation speaks of."""
    folder = tmp_path / "repository"
    shutil.copytree(manifests, folder / "fixtures" / "manifests")
    write(folder / "charts" / "flask", CHART)
    monkeypatch.chdir(folder)


@pytest.fixture
def renderers(k8s_cluster, k8s_namespace, request):
    """What renders kustomizations, and charts where the test has built helm."""
    program = request.getfixturevalue("helm") if "helm" in request.fixturenames else "helm"
    return Renderers(kubectl=k8s_cluster.kubectl_path, helm=program, namespace=k8s_namespace)


@pytest.fixture
def check(k8s_cluster, k8s_namespace):
    """Have the API server check manifests."""
    return lambda loaded: validate(loaded, k8s_cluster.objects, namespace=k8s_namespace)


def line_of(path: Path, start: str) -> int:
    """The number of the first line that begins so."""
    lines = path.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip().startswith(start))


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


OVERLAY = """\
resources:
  - ../../base
namePrefix: trial-
labels:
  - pairs: {colour: blue}
patches:
  - target: {kind: Deployment}
    patch: |-
      - {op: replace, path: /spec/replicas, value: 2}
"""


@pytest.fixture
def overlay(manifests, tmp_path):
    """A kustomization over the application's own manifests."""
    files = {f"base/{each.name}": each.read_text() for each in manifests.glob("*.yaml")}
    names = [Path(name).name for name in files]
    files["base/kustomization.yaml"] = f"resources: {json.dumps(names)}\n"
    files["overlays/trial/kustomization.yaml"] = OVERLAY
    return write(tmp_path, files) / "overlays" / "trial"


# --- sources


def test_a_kustomization_becomes_ready_with_the_built_image(k8s_deploy, k8s_image, overlay):
    release = k8s_deploy(overlay, images={"flask": k8s_image})
    release.wait_ready()
    live = release["Deployment/trial-flask"]
    assert live["spec"]["replicas"] == 2
    assert live["metadata"]["labels"]["colour"] == "blue"
    [container] = live["spec"]["template"]["spec"]["containers"]
    assert container["image"] == k8s_image.reference
    assert len(release.pods()) == 2


def test_a_kustomization_that_cannot_be_rendered_says_why(overlay, renderers):
    write(overlay, {"kustomization.yaml": "resources: [../nowhere]\n"})
    with pytest.raises(ManifestError) as raised:
        load(overlay, renderers=renderers)
    first = str(raised.value).splitlines()[0]
    assert first.startswith(f"kustomize cannot render {overlay}: ")
    assert "nowhere" in first
    assert "$ " in raised.value.details


CHART = {
    "Chart.yaml": "apiVersion: v2\nname: ship\nversion: 0.1.0\n",
    "values.yaml": "replicas: 1\nimage: none\n",
    "templates/deployment.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
  annotations: {made-for: {{ .Capabilities.KubeVersion.Version }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: ship}}
  template:
    metadata: {labels: {app: ship}}
    spec:
      containers:
        - name: ship
          image: {{ .Values.image }}
          {{- if .Values.broken }}
          imagee: {{ .Values.image }}
          {{- end }}
          readinessProbe: {httpGet: {path: /readyz, port: 5000}, periodSeconds: 1}
""",
    "templates/before.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: before, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
""",
    "templates/clean-up.yaml": """\
apiVersion: batch/v1
kind: Job
metadata: {name: clean-up, annotations: {helm.sh/hook: post-delete}}
""",
}


@pytest.fixture
def chart(tmp_path):
    return write(tmp_path / "ship", CHART)


def test_a_helm_chart_becomes_ready_with_the_values_of_the_test(
    k8s_deploy, k8s_image, k8s_namespace, k8s_cluster, chart
):
    source = Chart(chart, {"replicas": 2, "image": k8s_image.reference}, release="argo")
    release = k8s_deploy(source)
    assert {str(each) for each in release.refs} == {"ConfigMap/before", "Deployment/argo"}
    release.wait_ready()
    live = release["Deployment/argo"]
    assert live["spec"]["replicas"] == 2
    assert live["metadata"]["namespace"] == k8s_namespace
    # helm would tell the version that it was made for
    assert live["metadata"]["annotations"]["made-for"] == k8s_cluster.connection.version()


def test_a_mistake_in_a_chart_is_told_with_its_template_and_the_rendered_line(
    chart, helm, renderers, check
):
    with pytest.raises(ManifestError) as raised:
        check(load(Chart(chart, {"broken": True}), renderers=renderers))
    rendered = load(chart, renderers=renderers)
    assert {each.name for each in rendered} == {"before", "ship"}
    assert f"{chart} (helm: templates/deployment.yaml):" in raised.value.cause
    assert "spec.template.spec.containers[0].imagee: unknown field" in raised.value.cause
    assert raised.value.details.endswith(" |           imagee: none")
    assert raised.value.hint == "did you mean 'image'?"


def test_what_helm_refuses_is_told_in_its_own_words(chart, helm, renderers):
    write(chart, {"templates/service.yaml": "{{ .Values.a.b.c }}\n"})
    with pytest.raises(ManifestError) as raised:
        load(chart, renderers=renderers)
    assert raised.value.cause.startswith(f"helm cannot render {chart}: ")
    assert "templates/service.yaml" in str(raised.value)


def test_a_chart_without_helm_names_the_way_out(chart, tmp_path):
    with pytest.raises(ManifestError) as raised:
        load(chart, renderers=Renderers(helm=tmp_path / "helm"))
    assert "is a helm chart, and there is no" in raised.value.cause
    assert "https://helm.sh/docs/intro/install" in raised.value.hint


@pytest.fixture
def url(manifests) -> Iterator[str]:
    """The application's manifests behind a server on this machine."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(manifests))

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_files_urls_and_dictionaries_go_together(k8s_deploy, k8s_image, manifests, url):
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "look"}}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\n"
    sources = [f"{url}/deployment.yaml", manifests / "service.yaml", config, text]
    release = k8s_deploy(sources, images={"flask": k8s_image})
    release.wait_ready()
    assert len(release.refs) == 4


# --- patches


def test_patches_change_what_is_applied(k8s_deploy, k8s_image, manifests):
    container = {"name": "flask", "env": [{"name": "COLOUR", "value": "blue"}]}
    release = k8s_deploy(
        f"{manifests}/*.yaml",
        images={"flask": k8s_image},
        patches=[
            Patch(
                "Deployment/flask", {"spec": {"template": {"spec": {"containers": [container]}}}}
            ),
            Patch("Deployment/*", [{"op": "replace", "path": "/spec/replicas", "value": 2}]),
            {
                "kind": "Service",
                "metadata": {"name": "flask"},
                "spec": {"type": "NodePort", "ports": [{"port": 5000, "appProtocol": "http"}]},
            },
        ],
    )
    release.wait_ready()
    deployment, service = release["Deployment/flask"], release["Service/flask"]
    [live] = deployment["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in live["env"]] == ["POD_NAME", "NODE_NAME", "COLOUR"]
    assert live["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert deployment["spec"]["replicas"] == 2
    [port] = service["spec"]["ports"]
    assert (port["port"], port["targetPort"], port["appProtocol"]) == (5000, "http", "http")


def test_the_merge_keys_are_those_that_the_api_server_publishes(k8s_cluster):
    compared = 0
    for group, kind in _KINDS:
        published = _published(k8s_cluster, group, kind)
        obj = {"apiVersion": f"{group}/v1" if group else "v1", "kind": kind}
        assert {path: merge_key(obj, path.split(".")) for path in published} == published, kind
        compared += len(published)
    assert compared > 500


def _published(cluster, group: str, kind: str) -> dict[str, str | None]:
    """What the lists of a kind are merged by, by their paths; those of its status left out."""
    document = cluster.connection.get_json(
        f"/openapi/v3/apis/{group}/v1" if group else "/openapi/v3/api/v1", doing="tell its schemas"
    )
    schemas = document["components"]["schemas"]
    wanted = {"group": group, "kind": kind, "version": "v1"}
    # an older server may not know the kind
    known = [
        schema
        for schema in schemas.values()
        if wanted in schema.get("x-kubernetes-group-version-kind", ())
    ]
    return {path: key for schema in known for path, key in _lists(schemas, schema, (), ())}


def _lists(
    schemas: Mapping[str, Any], schema: Any, path: tuple[str, ...], seen: tuple[str, ...]
) -> Iterator[tuple[str, str | None]]:
    """The lists below a schema, and the key of each; None for one that is replaced."""
    for part in (schema, *schema.get("allOf", ())):
        name = part.get("$ref", "").rpartition("/")[2]
        if name and name not in seen:
            yield from _lists(schemas, schemas[name], path, (*seen, name))
    if schema.get("type") == "array":
        merged = "merge" in schema.get("x-kubernetes-patch-strategy", "").split(",")
        key = schema.get("x-kubernetes-patch-merge-key", VALUES) if merged else None
        yield ".".join(path), key
        if merged:
            yield from _lists(schemas, schema["items"], path, seen)
    for name, field in schema.get("properties", {}).items():
        if path or name != "status":
            yield from _lists(schemas, field, (*path, name), seen)


# --- mistakes


def test_every_mistake_is_told_at_once_with_file_line_and_field(manifests, tmp_path, check):
    deployment = (manifests / "deployment.yaml").read_text()
    service = (manifests / "service.yaml").read_text()
    folder = write(
        tmp_path,
        {
            "deployment.yaml": deployment.replace("image: flask", "imagee: flask")
            .replace("replicas: 1", "replica: 1")
            .replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: maybe")
            .replace("containerPort: 5000", "containerPort: 99999")
            .replace("memory: 128Mi", "memory: 128 MB")
            .replace("cpu: 50m", "cpu: 50 mm"),
            "service.yaml": service.replace("type: LoadBalancer", "type: Balancer"),
        },
    )
    with pytest.raises(ManifestError) as raised:
        check(load(folder))
    assert raised.value.cause == "7 mistakes in the manifests"
    lines = [line.removeprefix(f"{folder}/") for line in raised.value.details.splitlines()]
    pod = "spec.template.spec.containers[0]"
    expected = [
        ("deployment.yaml", "replica:", "spec.replica: unknown field"),
        (
            "deployment.yaml",
            "imagee:",
            f"{pod}.imagee: unknown field -> did you mean 'image'?",
        ),
        (
            "deployment.yaml",
            "containerPort:",
            f"{pod}.ports[0].containerPort: Invalid value: 99999",
        ),
        ("deployment.yaml", "cpu:", f"{pod}.resources.requests.cpu: quantities must match"),
        (
            "deployment.yaml",
            "memory: 128 MB",
            f"{pod}.resources.limits.memory: quantities must match",
        ),
        (
            "deployment.yaml",
            "readOnlyRootFilesystem:",
            f"{pod}.securityContext.readOnlyRootFilesystem: expected boolean",
        ),
        ("service.yaml", "type:", "spec.type: Unsupported value"),
    ]
    assert len(lines) == len(expected)
    for line, (name, start, words) in zip(lines, expected, strict=True):
        assert line.startswith(f"{name}:{line_of(folder / name, start)}: {words}")


def test_what_is_in_order_passes_and_nothing_is_made(manifests, check, k8s_cluster, k8s_namespace):
    assert len(check(load(manifests)).checked) == 2
    objects = k8s_cluster.objects
    assert objects.get("apps/v1", "Deployment", "flask", k8s_namespace) is None


def test_an_apply_that_is_refused_names_file_line_and_field(k8s_deploy, manifests, tmp_path):
    path = tmp_path / "deployment.yaml"
    text = (manifests / "deployment.yaml").read_text()
    path.write_text(text.replace("image: flask", "imagee: flask"))
    with pytest.raises(ApiError) as raised:
        k8s_deploy(path)
    line = line_of(path, "imagee:")
    expected = f"{path}:{line}: spec.template.spec.containers[0].imagee: unknown field"
    assert str(raised.value).splitlines()[0] == expected


def test_a_conflict_says_who_owns_the_field_and_what_to_do(
    k8s_deploy, k8s_image, k8s_cluster, k8s_namespace, manifests, check
):
    release = k8s_deploy(manifests, images={"flask": k8s_image})
    k8s_cluster.kubectl("-n", k8s_namespace, "scale", "deployment/flask", "--replicas=2")
    with pytest.raises(ApiError) as raised:
        release.apply()
    path = manifests / "deployment.yaml"
    place = f"{path}:{line_of(path, 'replicas:')}"
    words = (
        f"{place}: spec.replicas: belongs to field manager 'kubectl' (subresource scale), "
        "which set 2; here it is 1"
    )
    assert raised.value.cause == words
    assert raised.value.reason == "Conflict"
    assert "force=True" in raised.value.hint
    with pytest.raises(ManifestError) as refused:
        check(release.manifests)
    assert refused.value.cause == words
    # the way out that needs no force
    without = patched(release.manifests, [Patch("Deployment/flask", {"spec": {"replicas": None}})])
    assert len(check(without).checked) == 2
    k8s_deploy(without)
    assert dig(release["Deployment/flask"], "spec", "replicas") == 2


# --- order

DEFINITION = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ships.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {kind: Ship, plural: ships, singular: ship}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, properties: {masts: {type: integer, maximum: 5}}}
"""
SHIP = """\
apiVersion: GROUP/v1
kind: Ship
metadata: {name: argo}
spec:
  masts: 3
"""


def test_a_definition_and_its_resource_lie_in_one_folder(
    k8s_deploy, k8s_cluster, k8s_namespace, tmp_path, check
):
    # the definition lives in no namespace, so its group is the test's own
    group = f"{k8s_namespace}.seatrial.dev"
    files = {"a-ship.yaml": SHIP, "b-definition.yaml": DEFINITION}
    folder = write(tmp_path, {name: text.replace("GROUP", group) for name, text in files.items()})
    loaded = load(folder)
    before = check(loaded)
    assert [each.kind for each in before.unchecked] == ["Ship"]
    release = k8s_deploy(loaded)
    try:
        release.wait_ready()
        assert release["Ship/argo"]["spec"] == {"masts": 3}
        assert check(loaded).unchecked == ()
        (folder / "a-ship.yaml").write_text(SHIP.replace("GROUP", group).replace("3", "7"))
        with pytest.raises(ManifestError, match=r"a-ship\.yaml:5: spec\.masts: .*less than"):
            check(load(folder))
    finally:
        release.delete()
    objects = k8s_cluster.objects
    name = f"ships.{group}"
    assert objects.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name) is None
    # the kind is not there any more, and that is no error
    release.delete()


def test_what_lives_in_no_namespace_is_gone_after_the_test(k8s_deploy, k8s_cluster, k8s_namespace):
    group = f"{k8s_namespace}.seatrial.dev"
    kind, name = "CustomResourceDefinition", f"ships.{group}"
    k8s_deploy([text.replace("GROUP", group) for text in (SHIP, DEFINITION)]).wait_ready()
    assert k8s_cluster.objects.get("apiextensions.k8s.io/v1", kind, name)
    # what the fixture does when the test is over
    k8s_deploy.close()
    assert k8s_cluster.objects.get("apiextensions.k8s.io/v1", kind, name) is None


def test_a_kustomization_for_another_namespace_can_be_had_without_it(
    k8s_deploy, k8s_image, overlay
):
    write(overlay, {"kustomization.yaml": f"namespace: production\n{OVERLAY}"})
    with pytest.raises(ManifestError, match="names namespace 'production'") as raised:
        k8s_deploy(overlay, images={"flask": k8s_image})
    # the way out is told so that it can be pasted
    _, _, patches = raised.value.hint.partition("patches=")
    release = k8s_deploy(overlay, images={"flask": k8s_image}, patches=eval(patches))  # noqa: S307 - our own words
    release.wait_ready()


# --- the examples of the documentation run as they are written

DOCS = Path(__file__).parents[2] / "docs" / "manifests.md"

for _code in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL):
    _names = {}
    exec(compile(_code, str(DOCS), "exec"), _names)  # noqa: S102 - our own documentation
    globals().update({name: test for name, test in _names.items() if name.startswith("test_")})
assert "test_it_is_patched" in globals()
