"""The locked tools: what the lock says, and that nothing unverified is ever kept."""

import hashlib
import http.server
import os
import re
import threading
from contextlib import contextmanager

import pytest
import yaml

from seatrial.core.errors import ToolError
from seatrial.core.progress import Quiet
from seatrial.tools import Artifacts, Download, GoBuild, LockedTool, Toolchain, read_lock, toolchain

PROGRAM = b"#!/bin/sh\necho kind v0.33.0\n"
SHA256 = hashlib.sha256(PROGRAM).hexdigest()


@contextmanager
def a_server(*, body=PROGRAM, status=200, promised=None):
    """Serves `body` on 127.0.0.1, and says beforehand that it is `promised` bytes long."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(promised or len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/kind", asked
        finally:
            server.shutdown()
            thread.join()


class Said(Quiet):
    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)

    def step(self, title):
        self.lines.append(title)
        return super().step(title)


class Built(GoBuild):
    """A build that needs no Go."""

    def run(self, artifacts, progress):
        return artifacts.get(self.name, self.key, lambda place: (place / "kind").write_text("go"))


@pytest.fixture(autouse=True)
def on_linux_amd64(monkeypatch):
    monkeypatch.setattr(toolchain.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(toolchain.platform, "system", lambda: "Linux")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def artifacts(tmp_path):
    return Artifacts(tmp_path / "artifacts")


@pytest.fixture
def build(tmp_path):
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.26\n")
    return Built("kind-v1", (tmp_path / "go.mod",))


def a_chain(artifacts, url="", *, sha256=SHA256, build=None, where="linux/amd64"):
    downloads = {where: Download(url, sha256)} if url else {}
    return Toolchain(artifacts, {"kind": LockedTool("kind", "v1", build, downloads)})


def left_in(artifacts):
    return sorted(p.name for p in artifacts.root.iterdir() if p.suffix != ".lock")


# --- the lock file


def test_the_lock_pins_each_tool_that_is_run():
    lock = read_lock()
    assert list(lock) == ["buildx", "kind", "kubectl", "minikube"]
    for name in ("buildx", "kind", "kubectl"):
        tool = lock[name]
        assert re.fullmatch(r"v\d+\.\d+\.\d+", tool.version)
        assert tool.build is not None
        assert {"go.mod", "go.sum"} <= {path.name for path in tool.build.sources}
        assert tool.build.needs >= (1, 20)
        assert tool.version in tool.build.name


def test_kind_is_the_version_that_the_module_file_asks_for():
    tool = read_lock()["kind"]
    go_mod = next(path for path in tool.build.sources if path.name == "go.mod").read_text()
    assert f"sigs.k8s.io/kind {tool.version}" in go_mod


def test_kubectl_is_of_the_version_that_it_says_it_is():
    tool = read_lock()["kubectl"]
    go_mod = next(path for path in tool.build.sources if path.name == "go.mod").read_text()
    assert f"k8s.io/kubectl v0{tool.version[2:]}" in go_mod
    assert f"version.gitVersion={tool.version} " in tool.build.ldflags


def test_each_module_that_is_asked_for_has_its_checksum():
    for name in ("buildx", "kind", "kubectl"):
        files = {path.name: path.read_text() for path in read_lock()[name].build.sources}
        required = re.findall(r"^\s+(\S+) (v\S+)(?: // indirect)?$", files["go.mod"], re.MULTILINE)
        assert required
        for module, version in required:
            assert f"{module} {version}/go.mod h1:" in files["go.sum"], module


def test_every_row_has_nothing_but_what_is_known():
    for row in yaml.safe_load(toolchain.LOCK.read_text()).values():
        assert set(row) <= {"version", "go", "downloads"}
        assert set(row.get("go", {})) <= {"package", "ldflags"}
        for where, what in row["downloads"].items():
            assert re.fullmatch(r"linux/(amd64|arm64)", where)
            assert re.fullmatch(r"[0-9a-f]{64}", what["sha256"])
            assert what["url"].startswith("https://")


def test_a_lock_may_hold_downloads(tmp_path):
    lock = tmp_path / "lock.yaml"
    lock.write_text(
        "jq:\n  version: 1.7\n  downloads:\n    linux/amd64: {url: 'http://x/jq', sha256: abc}\n"
    )
    tool = read_lock(lock)["jq"]
    assert tool.version == "1.7"
    assert tool.build is None
    assert tool.download == Download("http://x/jq", "abc")


@pytest.mark.parametrize(
    ("machine", "where"),
    [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64"), ("riscv64", "linux/riscv64")],
)
def test_a_download_is_the_one_for_this_machine(monkeypatch, machine, where):
    monkeypatch.setattr(toolchain.platform, "machine", lambda: machine)
    mine = Download("http://x/mine", "1")
    assert LockedTool("kind", "v1", None, {where: mine, "plan9/mips": mine}).download is mine
    assert LockedTool("kind", "v1", None, {"plan9/mips": mine}).download is None


# --- downloading


def test_a_download_with_the_locked_checksum_is_kept_and_can_be_run(artifacts):
    said = Said()
    with a_server() as (url, asked):
        chain = a_chain(artifacts, url)
        assert chain.find("kind") is None
        program = chain.ensure("kind", said)
        assert chain.ensure("kind", said) == program == chain.find("kind")
    assert asked == ["/kind"]
    assert program.read_bytes() == PROGRAM
    assert os.access(program, os.X_OK)
    assert said.lines == ["downloading kind v1"]


def test_a_download_with_another_checksum_is_refused_and_removed(artifacts, build):
    locked = "0" * 64
    with a_server() as (url, _):
        chain = a_chain(artifacts, url, sha256=locked, build=build)
        with pytest.raises(ToolError) as caught:
            chain.ensure("kind", Quiet())
    assert str(caught.value).splitlines() == [
        "kind v1 has another checksum than the locked one, and was removed",
        f"  from:     {url}",
        f"  locked:   sha256 {locked}",
        f"  received: sha256 {SHA256}",
        "-> somebody changed the file, or the lock is out of date: do not use it unchecked",
    ]
    assert left_in(artifacts) == []
    assert chain.find("kind") is None


def test_another_checksum_in_the_lock_means_another_download(artifacts):
    other = PROGRAM + b"# newer\n"
    with a_server() as (url, _):
        first = a_chain(artifacts, url).ensure("kind", Quiet())
    with a_server(body=other) as (url, _):
        digest = hashlib.sha256(other).hexdigest()
        second = a_chain(artifacts, url, sha256=digest).ensure("kind", Quiet())
    assert first != second
    assert second.read_bytes() == other


@pytest.mark.parametrize(
    "served", [{"status": 404}, {"status": 503}, {"promised": 10_000}], ids=str
)
def test_a_download_that_cannot_be_had_falls_back_on_the_build(artifacts, build, served):
    said = Said()
    with a_server(**served) as (url, _):
        program = a_chain(artifacts, url, build=build).ensure("kind", said)
    assert program.read_text() == "go"
    assert said.lines[-1] == "kind cannot be downloaded here: building it instead"
    assert left_in(artifacts) == [f"kind-v1-{build.key}"]


def test_a_server_that_is_not_there_falls_back_on_the_build(artifacts, build):
    chain = a_chain(artifacts, "http://127.0.0.1:1/kind", build=build)
    program = chain.ensure("kind", Quiet())
    assert program.read_text() == "go"
    assert chain.find("kind") == program


def test_a_download_that_cannot_be_had_and_not_be_built_is_an_error(artifacts):
    with pytest.raises(ToolError) as caught:
        a_chain(artifacts, "http://127.0.0.1:1/kind").ensure("kind", Quiet())
    assert caught.value.cause == "kind v1 cannot be downloaded"
    assert "Connection refused" in caught.value.details
    assert caught.value.__cause__ is not None


def test_what_is_published_for_other_machines_only_is_built(artifacts, build):
    with a_server() as (url, asked):
        chain = a_chain(artifacts, url, build=build, where="linux/arm64")
        assert chain.ensure("kind", Quiet()).read_text() == "go"
    assert asked == []


# --- what cannot be had


def test_minikube_is_not_provided_yet_and_says_so(artifacts):
    chain = Toolchain(artifacts)
    assert chain.find("minikube") is None
    with pytest.raises(ToolError, match="minikube is not provided by this version of seatrial"):
        chain.ensure("minikube", Quiet())


def test_a_tool_that_is_not_locked_is_an_error_that_names_those_that_are(artifacts):
    with pytest.raises(ToolError) as caught:
        Toolchain(artifacts).ensure("helm", Quiet())
    assert (
        str(caught.value) == "no tool 'helm' is locked\n-> one of buildx, kind, kubectl, minikube"
    )
