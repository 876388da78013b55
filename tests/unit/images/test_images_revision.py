"""Revision and source of an image, told by a real git."""

import os
import subprocess

import pytest
from images_kit import Engine

from seatrial.images import BuildContext, build
from seatrial.images.revision import REVISION, SOURCE, public_url, revision_labels


@pytest.fixture(name="git")
def a_git(tmp_path, monkeypatch):
    """A repository with a folder `app`, which is built."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    def git(*args):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        argv = ["git", "-C", str(tmp_path), *who, *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text("FROM scratch\nCOPY run /run\n")
    (tmp_path / "app" / "run").write_text("1")
    (tmp_path / "app" / ".dockerignore").write_text("notes\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    git.app = tmp_path / "app"
    return git


def labels(git):
    return revision_labels(BuildContext(path=git.app))


def test_the_revision_is_the_commit_and_the_source_its_remote(git):
    assert labels(git) == {REVISION: git("rev-parse", "HEAD")}
    git("remote", "add", "origin", "https://somebody:s3cret@git.example/shop.git")
    assert labels(git) == {
        REVISION: git("rev-parse", "HEAD"),
        SOURCE: "https://git.example/shop.git",
    }


@pytest.mark.parametrize("change", ["changed", "new", "gone", "staged"])
def test_files_of_the_build_that_differ_from_the_commit_are_told(git, change):
    if change == "new":
        (git.app / "other").write_text("1")
    elif change == "gone":
        (git.app / "run").unlink()
    else:
        (git.app / "run").write_text("2")
    if change == "staged":
        git("add", ".")
    assert labels(git)[REVISION] == git("rev-parse", "HEAD") + "-dirty"


def test_files_that_are_not_in_the_build_may_differ(git):
    (git.app / "notes").write_text("ignored")
    (git.app.parent / "elsewhere").write_text("beside it")
    assert labels(git)[REVISION] == git("rev-parse", "HEAD")


def test_what_is_no_repository_or_has_no_commit_has_no_revision(git, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    assert revision_labels(BuildContext(path=folder)) == {}
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    assert revision_labels(BuildContext(path=folder)) == {}


def test_a_machine_without_git_has_no_revision(git, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert labels(git) == {}


def test_the_built_image_carries_them_and_a_commit_alone_builds_nothing(git):
    engine = Engine()
    first = build(engine, BuildContext(path=git.app), "shop")
    assert engine.builds[0]["labels"][REVISION] == git("rev-parse", "HEAD")
    git("commit", "--quiet", "--allow-empty", "-m", "second")
    assert build(engine, BuildContext(path=git.app), "shop") == first
    assert len(engine.builds) == 1


def test_what_the_user_says_of_it_counts(git):
    engine = Engine()
    build(engine, BuildContext(path=git.app, labels={REVISION: "r1", SOURCE: "s"}), "shop")
    assert engine.builds[0]["labels"][REVISION] == "r1"
    assert engine.builds[0]["labels"][SOURCE] == "s"


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://git.example/a/b.git", "https://git.example/a/b.git"),
        ("https://token@git.example/a", "https://git.example/a"),
        ("https://user:token@git.example:8443/a?x=1#y", "https://git.example:8443/a"),
        ("ssh://git@git.example:22/a", "ssh://git@git.example:22/a"),
        ("ssh://git:pass@git.example/a", "ssh://git@git.example/a"),
        ("git@git.example:a/b.git", "ssh://git@git.example/a/b.git"),
        ("git.example:a/b.git", "ssh://git.example/a/b.git"),
        ("file:///srv/a", ""),
        ("/srv/a", ""),
        ("../a", ""),
        ("", ""),
    ],
)
def test_a_remote_is_given_as_a_url_without_a_password(remote, url):
    assert public_url(remote) == url
