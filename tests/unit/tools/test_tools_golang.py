"""Builds with Go, with a `go` that only says what it was asked."""

import os
from pathlib import Path

import pytest

from seatrial.core.errors import CommandError, ToolError
from seatrial.core.progress import Quiet
from seatrial.tools import Artifacts, GoBuild, go_version

FAKE = r"""#!/bin/sh
if [ "$1" = env ]; then echo "$FAKE_GO_VERSION"; exit 0; fi
{
    printf '%s\n' "$@"
    echo "in: $(ls | tr '\n' ' ')"
    echo "CGO_ENABLED=$CGO_ENABLED GOFLAGS=$GOFLAGS GOWORK=$GOWORK"
} >>"$FAKE_GO_LOG"
while [ "$1" != -o ]; do shift; done
echo compiling
if [ -n "$FAKE_GO_FAILS" ]; then echo "main.go:1: no such thing" >&2; exit 1; fi
echo bits >"$2/server"
"""


@pytest.fixture
def go_log(tmp_path, monkeypatch):
    """A fake `go` comes first on PATH; what it was asked to build is in the log."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "go").write_text(FAKE)
    (programs / "go").chmod(0o755)
    log = tmp_path / "go.log"
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_GO_LOG", str(log))
    monkeypatch.setenv("FAKE_GO_VERSION", "go1.30.1")
    monkeypatch.delenv("FAKE_GO_FAILS", raising=False)
    return log


@pytest.fixture
def module(tmp_path):
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module example\n\ngo 1.26.0\n")
    (folder / "go.sum").write_text("")
    return folder


def a_build(module, **more):
    return GoBuild("etcd", tuple(sorted(module.iterdir())), **more)


class Shown(Quiet):
    def __init__(self):
        self.titles = []

    def step(self, title):
        self.titles.append(title)
        return super().step(title)


def test_the_version_is_read_from_go_itself(go_log, monkeypatch):
    assert go_version() == (1, 30)
    monkeypatch.setenv("FAKE_GO_VERSION", "devel +1234")
    assert go_version() is None


def test_a_machine_without_go_has_no_version(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert go_version() is None


def test_go_is_asked_for_reproducible_executables_of_the_pinned_modules(go_log, module, tmp_path):
    build = a_build(
        module,
        packages=("example.org/server", "example.org/client"),
        ldflags="-s -w -X a.b=c",
        tags=("no_zfs", "no_aufs"),
    )
    built = build.run(Artifacts(tmp_path / "artifacts"), Quiet())
    *argv, seen, env = go_log.read_text().splitlines()
    output = argv[argv.index("-o") + 1]
    assert argv == [
        "build", "-v", "-trimpath", "-ldflags", "-s -w -X a.b=c", "-tags", "no_zfs,no_aufs",
        "-o", output, "example.org/server", "example.org/client",
    ]  # fmt: skip
    assert output.endswith("/")
    assert seen == "in: go.mod go.sum "
    assert env == "CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off"
    assert [path.name for path in built.iterdir()] == ["server"]


def test_a_build_without_tags_gives_go_none(go_log, module, tmp_path):
    a_build(module).run(Artifacts(tmp_path / "artifacts"), Quiet())
    assert "-tags" not in go_log.read_text().splitlines()


def test_an_executable_gets_the_name_it_is_to_have(go_log, module, tmp_path):
    built = a_build(module, renamed=(("server", "etcd"),)).run(Artifacts(tmp_path / "a"), Quiet())
    assert [path.name for path in built.iterdir()] == ["etcd"]


def test_the_same_build_is_made_once_and_announced_once(go_log, module, tmp_path, monkeypatch):
    artifacts, shown = Artifacts(tmp_path / "artifacts"), Shown()
    first = a_build(module).run(artifacts, shown)
    # what was built needs no Go any more
    monkeypatch.setenv("PATH", "")
    assert a_build(module).run(artifacts, shown) == first
    assert shown.titles == ["building etcd with Go"]


def test_the_key_is_the_same_wherever_the_module_lies(module, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    for source in module.iterdir():
        (other / source.name).write_bytes(source.read_bytes())
    assert a_build(module).key == a_build(other).key


@pytest.mark.parametrize(
    "change",
    [
        {"packages": ("./cmd",)},
        {"ldflags": "-s"},
        {"tags": ("no_zfs",)},
        {"renamed": (("server", "etcd"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_key_changes_with_every_flag(module, change):
    assert a_build(module, **change).key != a_build(module).key


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go"])
def test_the_key_changes_with_every_source(module, name):
    before = a_build(module).key
    with (module / name).open("a") as source:
        source.write("\n// more\n")
    assert a_build(module).key != before


def test_the_modules_own_directive_says_which_go_it_needs(module):
    assert a_build(module).needs == (1, 26)
    (module / "go.mod").write_text("module example\n")
    with pytest.raises(ToolError, match=r"the go\.mod of etcd has no go directive"):
        _ = a_build(module).needs


def test_without_go_the_error_says_which_is_needed_and_where_to_get_it(
    module, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError) as caught:
        a_build(module).run(Artifacts(tmp_path / "artifacts"), Quiet())
    assert str(caught.value).splitlines() == [
        "etcd is built from source with Go 1.26 or newer, and there is no `go` on PATH",
        "-> install Go (https://go.dev/dl) and run `seatrial setup` again",
    ]


@pytest.mark.parametrize(("have", "enough"), [("go1.9.7", False), ("go1.25.9", False),
                                              ("go1.26.0", True), ("go2.0", True)])  # fmt: skip
def test_a_go_that_is_too_old_is_refused(go_log, module, monkeypatch, have, enough):
    monkeypatch.setenv("FAKE_GO_VERSION", have)
    build, artifacts = a_build(module), Artifacts(module.parent / "artifacts")
    if enough:
        build.run(artifacts, Quiet())
        return
    said = have.removeprefix("go").rpartition(".")[0]
    with pytest.raises(ToolError, match=f"newer, and this machine has Go {said}\n"):
        build.run(artifacts, Quiet())
    assert not go_log.exists()


def test_a_build_that_fails_shows_gos_words_and_leaves_nothing(
    go_log, module, tmp_path, monkeypatch
):
    monkeypatch.setenv("FAKE_GO_FAILS", "yes")
    with pytest.raises(CommandError) as caught:
        a_build(module).run(Artifacts(tmp_path / "artifacts"), Quiet())
    assert caught.value.cause == "go ended with status 1"
    assert "main.go:1: no such thing" in caught.value.details
    left = [path.name for path in (tmp_path / "artifacts").iterdir() if path.suffix != ".lock"]
    assert left == []
    assert Path(module / "go.mod").exists()
