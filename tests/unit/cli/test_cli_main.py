"""The `seatrial` command: its words, its exit status, and errors without a traceback."""

import importlib
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from seatrial.cli import main
from seatrial.core.errors import ClusterError, CommandError, EngineError
from seatrial.core.health import Finding, Health
from seatrial.core.leases import Leases
from seatrial.core.processes import ProcessId
from seatrial.setup import provision
from seatrial.setup.garbage import Garbage
from seatrial.setup.node_recipe import known_versions

module = importlib.import_module("seatrial.cli.main")

COMMANDS = [(), ("setup",), ("doctor",), ("node-image",), ("node-image", "build"), ("cluster",),
            ("cluster", "up"), ("cluster", "down"), ("cluster", "list"), ("gc",)]  # fmt: skip


class FakeProvider:
    """Clusters by name."""

    realm = ""

    def __init__(self, client, kind, kubectl, state_dir, timeout=300.0):
        self.tools, self.state_dir = (kind, kubectl), state_dir
        FakeProvider.made.append(self)

    def ensure(self, options, progress):
        self.options = options
        return SimpleNamespace(
            name=options.name, kubeconfig_path=self.state_dir / "clusters" / "kubeconfig"
        )

    def delete(self, name, progress):
        FakeProvider.deleted.append(name)

    def list(self):
        return ["a", "b"]


@pytest.fixture(autouse=True)
def nothing_real(monkeypatch, tmp_path):
    """No setting of the machine's own, no engine, no tools: what is not faked here fails."""
    for name in list(os.environ):
        if name.startswith("SEATRIAL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SEATRIAL_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    FakeProvider.made, FakeProvider.deleted = [], []
    prepared = SimpleNamespace(
        client="the client", kind=Path("/tools/kind"), kubectl=tmp_path / "home" / "kubectl",
        node_image="seatrial/node:v1.37.2-0", kubernetes="1.37.0",
    )  # fmt: skip
    seen = SimpleNamespace(
        prepared=prepared, settings=None, base="seatrial/python:1", browser="Chromium 156.0 (/c)"
    )

    def prepare(settings, progress):
        seen.settings = settings
        return prepared

    monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(module, "prepare_image_base", lambda settings, client, progress: seen.base)
    monkeypatch.setattr(module, "ensure_browser", lambda progress: seen.browser)
    monkeypatch.setattr(module, "connect", lambda wanted: "the client")
    for name, fake in (
        ("prepare", prepare),
        ("connect", lambda wanted: "the client"),
        ("KindProvider", FakeProvider),
    ):
        monkeypatch.setattr(provision, name, fake)
    return seen


def seatrial(*argv, **env):
    return CliRunner().invoke(main, list(argv), env=env)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_says_what_it_does(words, option):
    result = seatrial(*words, option)
    assert result.exit_code == 0
    usage, _, rest = result.output.partition("\n\n")
    assert usage == f"Usage: main {' '.join(words)} [OPTIONS]".replace("  ", " ") + (
        " COMMAND [ARGS]..." if words in ((), ("node-image",), ("cluster",)) else ""
    )
    assert len(rest.strip().splitlines()[0]) > 15


def test_the_command_lists_its_words_and_where_settings_come_from():
    output = seatrial("--help").output
    assert "Puts a deployment through its sea trial on a real Kubernetes cluster." in output
    assert "SEATRIAL_CLUSTER_NAME" in output
    for word in ("setup", "doctor", "node-image", "cluster"):
        assert f"\n  {word} " in output


def test_a_node_image_can_be_built_of_known_versions_only():
    assert f"[default: {known_versions()[-1]}]" in seatrial("node-image", "build", "--help").output
    result = seatrial("node-image", "build", "--kubernetes", "9.9.9")
    assert result.exit_code == 2
    assert "'9.9.9'" in result.output


def test_the_version_is_told():
    result = seatrial("--version")
    assert result.exit_code == 0
    assert result.output.startswith("main, version ")


# --- errors


def test_an_error_is_shown_as_cause_evidence_and_way_out_without_a_traceback(monkeypatch):
    def fail(settings, progress):
        raise EngineError("no Docker engine answers", details="refused", hint="start Docker")

    monkeypatch.setattr(module, "prepare", fail)
    result = seatrial("setup")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == "error: no Docker engine answers\n  refused\n-> start Docker\n"


def test_a_command_that_failed_is_shown_so_that_it_can_be_pasted(monkeypatch):
    def fail(settings, progress):
        raise CommandError(["/t/kind", "create", "a b"], status=1, output="no space left")

    monkeypatch.setattr(provision, "prepare", fail)
    result = seatrial("cluster", "up")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: kind ended with status 1",
        "  $ /t/kind create 'a b'",
        "  no space left",
    ]


def test_a_cluster_in_a_named_engine_is_told_of_with_that_engine(nothing_real):
    result = seatrial("cluster", "up", "--name", "mine", "--engine", "podman")
    assert nothing_real.settings.engine == "podman"
    assert "--seatrial-keep=always --seatrial-engine=podman\n" in result.stdout
    assert "seatrial cluster down --name mine --engine podman\n" in result.stdout


@pytest.mark.parametrize("words", [("down",), ("list",)])
def test_a_cluster_is_looked_for_in_the_engine_that_was_named(monkeypatch, words):
    wanted = []
    monkeypatch.setattr(provision, "connect", wanted.append)
    assert seatrial("cluster", *words, "--engine", "podman").exit_code == 0
    assert wanted == ["podman"]


@pytest.mark.parametrize("words", [words for words in COMMANDS[1:] if words[-1] not in (
    "node-image", "cluster")], ids=" ".join)  # fmt: skip
def test_a_setting_that_does_not_exist_is_refused_by_every_command(words):
    result = seatrial(*words, SEATRIAL_CLUSTER_NAMES="x")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: environment SEATRIAL_CLUSTER_NAMES: there is no such setting",
        "-> did you mean SEATRIAL_CLUSTER_NAME?",
    ]


@pytest.mark.parametrize("name", ["My-Cluster", "my.cluster", "a" * 51])
def test_a_name_that_no_cluster_can_have_is_one_clear_error(name):
    for result in (
        seatrial("cluster", "up", "--name", name),
        seatrial("cluster", "down", "--name", name),
        seatrial("cluster", "up", SEATRIAL_CLUSTER_NAME=name),
    ):
        assert result.exit_code == 1
        assert result.stderr.startswith(f"error: cluster name {name!r} ")
    assert FakeProvider.made == []


def test_an_error_of_ours_only_is_hidden_a_fault_is_not(monkeypatch):
    def fail(settings, progress):
        raise ZeroDivisionError

    monkeypatch.setattr(module, "prepare", fail)
    assert isinstance(seatrial("setup").exception, ZeroDivisionError)


# --- setup and doctor


def test_setup_says_what_there_is_now(nothing_real, tmp_path):
    result = seatrial("setup", "--kubernetes", "v1.36.3")
    assert result.exit_code == 0
    assert nothing_real.settings.kubernetes == "1.36.3"
    assert nothing_real.settings.state_dir == tmp_path
    words = [line.split() for line in result.stderr.replace("\n/", " /").splitlines()]
    assert ["✓", "kind", "/tools/kind"] in words
    assert ["✓", "node", "image", "seatrial/node:v1.37.2-0"] in words
    assert ["✓", "base", "image", "seatrial/python:1"] in words
    assert ["✓", "browser", "Chromium", "156.0", "(/c)"] in words


def test_setup_does_not_speak_of_a_browser_where_none_is_wanted(nothing_real):
    nothing_real.browser = ""
    assert "browser" not in seatrial("setup").stderr


def test_setup_says_when_the_dockerfiles_own_base_is_used(nothing_real):
    nothing_real.base = None
    assert "base image  the one in your Dockerfile" in seatrial("setup").stderr


@pytest.mark.parametrize(
    ("healths", "status"),
    [
        ([Health.OK], 0),
        ([Health.OK, Health.NOTE], 0),
        ([Health.OK, Health.BAD, Health.NOTE], 1),
    ],
)
def test_the_doctors_status_says_whether_the_tests_can_run(monkeypatch, healths, status):
    findings = [Finding(f"row{n}", health, "value", "hint") for n, health in enumerate(healths)]
    monkeypatch.setattr(module, "examine", lambda settings: findings)
    result = seatrial("doctor")
    assert result.exit_code == status
    for finding in findings:
        assert finding.subject in result.stdout


def test_a_node_image_is_built_and_its_name_printed_for_a_pipe(monkeypatch, tmp_path):
    seen = {}

    class Builder:
        def __init__(self, client, artifacts, progress, mirror):
            seen.update(client=client, root=artifacts.root, mirror=mirror)

        def build(self, kubernetes):
            return f"seatrial/node:v{kubernetes}-0"

    monkeypatch.setattr(module, "NodeImageBuilder", Builder)
    result = seatrial("node-image", "build", SEATRIAL_DEBIAN_MIRROR="http://m.example")
    assert result.stdout == f"seatrial/node:v{known_versions()[-1]}-0\n"
    assert seen == {
        "client": "the client", "root": tmp_path / "artifacts", "mirror": "http://m.example",
    }  # fmt: skip


# --- clusters


def test_a_cluster_that_is_up_is_told_how_to_be_used(tmp_path):
    result = seatrial("cluster", "up", "--name", "trial")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "",
        f"Look at it:   ~/kubectl --kubeconfig {tmp_path}/clusters/kubeconfig get nodes",
        "Test with it: pytest --seatrial-cluster-name=trial --seatrial-keep=always",
        "End it:       seatrial cluster down --name trial",
    ]
    [provider] = FakeProvider.made
    assert provider.options.name == "trial"
    assert provider.options.node_image == "seatrial/node:v1.37.2-0"
    # of the image that there is, not the one that was asked for
    assert provider.options.kubernetes == "1.37.0"


@pytest.mark.parametrize(
    ("program", "shown"),
    [("home/kubectl", "~/kubectl"), ("home2/kubectl", "{}/home2/kubectl"), ("k", "{}/k")],
)
def test_only_what_lies_in_the_home_folder_is_shown_from_there(tmp_path, program, shown):
    assert module._shown(tmp_path / program) == shown.format(tmp_path)


def test_a_cluster_is_deleted_by_the_name_that_is_given_or_set():
    assert seatrial("cluster", "down").exit_code == 0
    seatrial("cluster", "down", SEATRIAL_CLUSTER_NAME="from-environment")
    seatrial("cluster", "down", "--name", "given", SEATRIAL_CLUSTER_NAME="from-environment")
    assert FakeProvider.deleted == ["seatrial", "from-environment", "given"]


def test_clusters_are_listed_one_by_line():
    assert seatrial("cluster", "list").stdout == "a\nb\n"


def test_deleting_needs_no_tool_but_the_engine():
    seatrial("cluster", "down")
    [provider] = FakeProvider.made
    assert provider.tools == (Path("kind"), Path("kubectl"))


# --- sessions


def test_a_cluster_that_was_made_by_hand_is_kept(tmp_path):
    assert seatrial("cluster", "up").exit_code == 0
    leases = Leases(tmp_path)
    assert leases.is_kept("seatrial")
    assert leases.of("seatrial") == []
    assert seatrial("cluster", "down").exit_code == 0
    assert leases.clusters() == []


def test_a_cluster_that_a_session_uses_is_not_taken_from_it_unless_by_force(tmp_path):
    elsewhere = replace(ProcessId.mine(), pid=7, host="ci-3/abc")
    Leases(tmp_path).take("seatrial", "one", [elsewhere])
    result = seatrial("cluster", "down")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "error: cluster seatrial is used by process 7 on ci-3",
        "-> wait until they have ended, or: seatrial cluster down --name seatrial --force",
    ]
    assert FakeProvider.deleted == []
    assert seatrial("cluster", "down", "--force").exit_code == 0
    assert FakeProvider.deleted == ["seatrial"]


@pytest.fixture
def garbage(monkeypatch):
    """Two things, of which the second resists."""
    removed = []

    def resist():
        raise ClusterError("it is stuck")

    found = [
        Garbage("cluster shop", "process 7 has ended", lambda: removed.append("shop")),
        Garbage("cluster wharf", "nobody uses it", resist),
    ]
    collector = SimpleNamespace(find=lambda images: iter(found if images else found[:1]))
    monkeypatch.setattr(module, "Collector", lambda *_: collector)
    return removed


def test_gc_says_what_it_removes_and_what_it_could_not(garbage):
    result = seatrial("gc")
    assert result.exit_code == 1
    assert "removing cluster shop: process 7 has ended" in result.stderr
    assert "error: cluster wharf is still there: it is stuck" in result.stderr
    assert garbage == ["shop"]


def test_gc_may_leave_images_alone(garbage):
    assert seatrial("gc", "--keep-images").exit_code == 0


def test_gc_only_says_what_it_would_do(garbage):
    result = seatrial("gc", "--dry-run")
    assert result.exit_code == 0
    assert "would remove cluster shop: process 7 has ended" in result.stderr
    assert garbage == []


def test_gc_says_so_where_nothing_is_left(monkeypatch):
    monkeypatch.setattr(
        module, "Collector", lambda *_: SimpleNamespace(find=lambda images: iter(()))
    )
    assert "nothing is left behind" in seatrial("gc").stderr
