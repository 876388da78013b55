"""Manifests that are fetched or rendered; the programs that render are scripts of the test."""

import http.server
import stat
import threading
from pathlib import Path

import pytest
import requests

from seatrial.core.errors import ManifestError
from seatrial.manifests import Chart, Renderers, load
from seatrial.manifests.fetching import fetch, shown_url
from seatrial.manifests.helm import template_of
from seatrial.manifests.mistakes import Mistake
from seatrial.testing import VirtualClock

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n"


def refused(source, **more):
    with pytest.raises(ManifestError) as error:
        load(source, **more)
    return error.value


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


# --- URLs


class Server:
    """Answers on 127.0.0.1 with what a test has put there; notes what it was asked for."""

    def __init__(self):
        self.answers = {}
        answers = self.answers

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, headers, body = answers[self.path.partition("?")[0]]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def put(self, path, body, status=200, **headers):
        data = body if isinstance(body, bytes) else body.encode()
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers[path] = (status, shown, data)
        return self.url + path

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def test_a_url_is_fetched_and_its_lines_are_known(server):
    url = server.put("/m.yaml", CONFIG.format("a"))
    [manifest] = load(f"{url}?token=secret")
    assert manifest.name == "a"
    assert manifest.origin == f"{url}, document 1, line 1"
    assert manifest.place(("metadata", "name")) == f"{url}:4"
    assert manifest.passage.shown(4) == "4 |   name: a"
    assert manifest.passage.shown(9) == ""


def test_a_url_of_json_is_read_as_json(server):
    url = server.put("/m.json", '{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}}')
    assert [each.name for each in load([url])] == ["a"]
    assert (
        refused(server.put("/e.yaml", "")).cause == f"there are no manifests in {server.url}/e.yaml"
    )


def test_redirects_are_followed_and_a_page_that_is_missing_is_told(server):
    server.put("/here.yaml", CONFIG.format("a"))
    moved = server.put("/moved", "", 302, Location="/here.yaml")
    assert load(moved)[0].name == "a"
    lost = server.put("/lost", "", 302, Location="/nowhere")
    server.put("/nowhere", "", 404)
    error = refused(lost)
    assert error.cause == f"{lost} cannot be fetched: 404 Not Found"
    assert error.details == f"asked at the end: {server.url}/nowhere"
    assert refused(server.url + "/nowhere").details == ""


def test_a_web_page_is_no_manifest(server):
    error = refused(server.put("/blob", "<html>", Content_Type="text/html; charset=utf-8"))
    assert error.cause == f"{server.url}/blob is a web page, not a manifest"
    assert error.hint == "take the address of the raw file"


def test_an_answer_has_its_limits(server):
    url = server.put("/long", "x" * 100)
    assert fetch(url, largest=100) == "x" * 100
    with pytest.raises(ManifestError, match="/long is longer than 99 bytes"):
        fetch(url, largest=99)


def test_an_answer_that_takes_too_long_is_given_up(server, monkeypatch):
    clock = VirtualClock()
    url = server.put("/slow", "x" * 100)

    def pieces(self, size):
        clock.advance(20)
        yield b"x"
        clock.advance(20)
        yield b"y"

    monkeypatch.setattr(requests.Response, "iter_content", pieces)
    with pytest.raises(ManifestError) as error:
        fetch(url, timeout=30, clock=clock)
    assert error.value.cause == f"{url} did not arrive within 30 s"
    assert error.value.details == "2 bytes had come by then"


def test_an_answer_that_is_no_text_is_refused(server):
    url = server.put("/binary", b"\xff\xfe\x00")
    assert refused(url).cause == f"{url} is not text in UTF-8"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.ConnectTimeout, "no connection in time"),
        (requests.ReadTimeout, "no answer in time"),
        (requests.exceptions.SSLError, "its certificate is not trusted"),
        (requests.exceptions.ProxyError, "the proxy does not let it through"),
        (requests.TooManyRedirects, "too many redirects"),
        (requests.ConnectionError, "no connection"),
        (requests.exceptions.InvalidURL, "InvalidURL"),
    ],
)
def test_what_goes_wrong_on_the_way_is_told_without_what_is_secret(monkeypatch, error, words):
    def fail(url, **_):
        raise error(f"for {url}")

    monkeypatch.setattr(requests, "get", fail)
    raised = refused("https://me:word@x.test/m.yaml?token=t")
    assert str(raised) == (
        f"https://x.test/m.yaml cannot be fetched: {words}\n"
        "-> is it the right address, and can this machine reach it?"
    )
    assert shown_url("http://[::1]:8/a?b#c") == "http://[::1]:8/a"


def test_what_began_encrypted_stays_so(monkeypatch, server):
    plain = server.put("/m.yaml", CONFIG.format("a"))
    get = requests.get
    monkeypatch.setattr(requests, "get", lambda url, **more: get(plain, **more))
    error = refused("https://x.test/m.yaml")
    assert error.cause == f"https://x.test/m.yaml leads to {plain}, which is not encrypted"


# --- kustomize


@pytest.fixture
def kubectl(tmp_path):
    """Says what it was asked for, in a manifest."""
    return script(
        tmp_path / "kubectl",
        'printf "apiVersion: v1\\nkind: ConfigMap\\nmetadata:\\n  name: %s\\n" "$1"\n'
        'printf "data: {folder: %s}\\n" "$2"\n',
    )


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_a_kustomization_is_rendered_with_kubectl(tmp_path, kubectl, name):
    folder = tmp_path / "overlay"
    folder.mkdir()
    (folder / name).write_text("resources: []\n")
    (folder / "broken.yaml").write_text("not: a manifest\n")
    for source in (folder, folder / name):
        [manifest] = load(source, renderers=Renderers(kubectl=kubectl))
        assert manifest.name == "kustomize"
        assert manifest.object["data"] == {"folder": str(folder)}
        assert manifest.origin == f"{folder} (kustomize), document 1, line 1"
        assert Mistake(manifest, ("data",), "is odd").shown == f"5 | data: {{folder: {folder}}}"


def test_without_kubectl_a_kustomization_names_the_way_out(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("")
    error = refused(tmp_path)
    assert error.cause == (
        f"{tmp_path} is a kustomization, and no kubectl was given to render it with"
    )
    assert "Renderers(kubectl=cluster.kubectl_path)" in error.hint


def test_what_kustomize_refuses_is_told_in_its_own_words(tmp_path):
    (tmp_path / "kustomization.yaml").write_text("")
    program = script(tmp_path / "kubectl", "echo noise\necho 'error: no such base' >&2\nexit 1\n")
    error = refused(tmp_path, renderers=Renderers(kubectl=program))
    assert error.cause == f"kustomize cannot render {tmp_path}: no such base"
    assert error.details.startswith(f"$ {program} kustomize {tmp_path}\n")
    program = script(tmp_path / "kubectl", "exit 3\n")
    error = refused(tmp_path, renderers=Renderers(kubectl=program))
    assert error.cause == f"kustomize cannot render {tmp_path}: kubectl ended with status 3"


def test_a_text_of_one_line_may_be_json_or_yaml_in_braces():
    for text in (
        '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}',
        " {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
    ):
        assert str(load(text)[0]) == "ConfigMap/a"
    assert refused("{kind: ConfigMap}").cause.startswith("YAML text")


# --- helm


HELM = """\
cat > "$(dirname "$0")/values"
echo "$@" > "$(dirname "$0")/arguments"
cat <<'END'
---
# Source: ship/crds/mast.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: crd}
---
# Source: ship/templates/sub/deployment.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: plain}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: bare}
---
# Source: ship/templates/hooks.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: before, annotations: {helm.sh/hook: "pre-upgrade, pre-install"}}
---
# Source: ship/templates/hooks.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: after, annotations: {helm.sh/hook: post-delete}}
END
"""


@pytest.fixture
def chart(tmp_path):
    folder = tmp_path / "ship"
    folder.mkdir()
    (folder / "Chart.yaml").write_text("name: ship\n")
    return folder


def test_a_chart_is_rendered_with_helm_and_keeps_what_an_installation_makes(tmp_path, chart):
    helm = script(tmp_path / "helm", HELM)
    loaded = load("ship", base=tmp_path, renderers=Renderers(helm=helm))
    assert [each.name for each in loaded] == ["crd", "plain", "bare", "before"]
    assert [each.place(()) for each in loaded[:3]] == [
        "ship (helm: crds/mast.yaml):3",
        "ship (helm: templates/sub/deployment.yaml):8",
        "ship (helm):12",
    ]
    assert loaded[1].passage.shown(10) == "10 | metadata: {name: plain}"
    arguments = (tmp_path / "arguments").read_text()
    assert arguments == f"template ship {tmp_path / 'ship'} --include-crds --values=-\n"
    assert (tmp_path / "values").read_text() == "{}"


def test_a_comment_before_a_document_does_not_hide_its_template():
    lines = ["# Source: ship/templates/a.yaml", "# about it", "kind: A"]
    assert template_of(3, lines) == "templates/a.yaml"
    assert template_of(2, ["", "kind: A"]) == ""


def test_a_chart_gets_values_a_name_the_namespace_and_the_clusters_version(tmp_path, chart):
    helm = script(tmp_path / "helm", HELM)
    renderers = Renderers(helm=helm, namespace="ns", kubernetes=lambda: "v1.37.2")
    load([Chart(chart, {"replicas": 2}, release="argo")], renderers=renderers)
    arguments = (tmp_path / "arguments").read_text()
    assert arguments == (
        f"template argo {chart} --include-crds --values=- --namespace=ns --kube-version=v1.37.2\n"
    )
    assert (tmp_path / "values").read_text() == '{"replicas": 2}'


def test_a_packed_chart_is_a_chart(tmp_path):
    packed = tmp_path / "ship-1.0.tgz"
    packed.write_bytes(b"")
    assert load(packed, renderers=Renderers(helm=script(tmp_path / "helm", HELM)))
    assert (tmp_path / "arguments").read_text().startswith("template ship-1.0 ")


def test_without_helm_a_chart_names_the_way_out(chart, tmp_path):
    error = refused(chart, renderers=Renderers(helm=tmp_path / "none"))
    assert error.cause == (
        f"{chart} is a helm chart, and there is no {tmp_path / 'none'} to render it with"
    )
    assert "https://helm.sh/docs/intro/install" in error.hint
    assert "--seatrial-helm=" in error.hint


def test_the_version_is_not_asked_for_where_there_is_no_chart(tmp_path):
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    renderers = Renderers(kubernetes=lambda: pytest.fail("asked"))
    assert load(tmp_path, renderers=renderers)


def test_what_helm_refuses_is_told_in_its_own_words(chart, tmp_path):
    program = script(tmp_path / "helm", "echo 'Error: no value' >&2\nexit 1\n")
    error = refused(chart, renderers=Renderers(helm=program))
    assert error.cause == f"helm cannot render {chart}: no value"
    program = script(tmp_path / "helm", "exit 3\n")
    error = refused(chart, renderers=Renderers(helm=program))
    assert error.cause == f"helm cannot render {chart}: helm ended with status 3"


def test_a_chart_that_is_not_there_is_refused(tmp_path):
    error = refused(Chart(tmp_path / "none"))
    assert error.cause == f"there is no helm chart at {tmp_path / 'none'}"
    assert "Chart.yaml" in error.hint


def test_a_chart_that_makes_nothing_is_refused(chart, tmp_path):
    error = refused(Chart(chart), renderers=Renderers(helm=script(tmp_path / "helm", "true\n")))
    assert error.cause == f"there are no manifests in {chart}"


# --- many at once


def test_what_is_wrong_with_several_files_is_told_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m").mkdir()
    Path("m/a.yaml").write_text("kind: [\n")
    Path("m/b.yaml").write_text(CONFIG.format("b"))
    Path("m/c.yaml").write_text("kind: A\n")
    error = refused(["m", "absent.yaml"])
    assert error.cause == "3 sources of manifests cannot be read"
    first, *_, third, fourth, hint = error.details.splitlines()
    assert first.startswith("m/a.yaml, line 2, column 1: ")
    assert third == "m/c.yaml, document 1, line 1: has no apiVersion"
    assert fourth == "manifest absent.yaml does not exist"
    assert hint == f"-> looked for {tmp_path / 'absent.yaml'}"
