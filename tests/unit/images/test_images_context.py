"""What goes into a build, and the tag that names it."""

import os
import socket
import tarfile
from pathlib import Path

import pytest

from seatrial.core.errors import ImageError
from seatrial.images import EXTRA_CA, BuildContext
from seatrial.images.dockerfile import base, declares, images

ROOT = Path(__file__).parents[3]


@pytest.fixture(name="folder")
def folder_with_a_dockerfile(tmp_path):
    folder = tmp_path / "context"
    (folder / "app").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM base:1\nCOPY app app\n")
    (folder / "app" / "main.py").write_text("print()\n")
    (folder / "app" / "run").write_text("#!/bin/sh\n")
    (folder / "app" / "run").chmod(0o755)
    (folder / "link").symlink_to("app/main.py")
    return folder


def entries(context):
    with context.tar() as archive, tarfile.open(fileobj=archive) as tar:
        return {each.name: each for each in tar}


def test_the_archive_holds_the_files_without_times_owners_or_umask(folder):
    (folder / "app" / "main.py").chmod(0o600)
    found = entries(BuildContext(path=folder))
    assert list(found) == ["Dockerfile", "app", "app/main.py", "app/run", "link"]
    assert {each.mtime for each in found.values()} == {0}
    assert {(each.uid, each.gid, each.uname) for each in found.values()} == {(0, 0, "")}
    assert [oct(found[name].mode) for name in ("app", "app/main.py", "app/run")] == [
        "0o755",
        "0o644",
        "0o755",
    ]
    assert found["link"].linkname == "app/main.py"


def test_the_same_content_is_the_same_archive_and_tag_wherever_it_lies(folder, tmp_path):
    other = tmp_path / "other"
    (other / "app").mkdir(parents=True)
    for name in ("app/run", "app/main.py", "Dockerfile"):
        (other / name).write_bytes((folder / name).read_bytes())
        os.utime(other / name, (1, 1))
    (other / "app" / "run").chmod(0o700)
    (other / "link").symlink_to("app/main.py")
    first, second = BuildContext(path=folder), BuildContext(path=other)
    with first.tar() as one, second.tar() as two:
        assert one.read() == two.read()
    assert first.tag == second.tag
    assert first.tag == f"sha-{first.hash[:16]}"
    assert len(first.tag) == 20


def changes():
    def edit(folder):
        (folder / "app" / "main.py").write_text("print(1)\n")

    def rename(folder):
        (folder / "app" / "main.py").rename(folder / "app" / "main2.py")

    def executable(folder):
        (folder / "app" / "main.py").chmod(0o755)

    def relink(folder):
        (folder / "link").unlink()
        (folder / "link").symlink_to("app/run")

    def add_folder(folder):
        (folder / "empty").mkdir()

    def dockerfile(folder):
        (folder / "Dockerfile").write_text("FROM base:2\n")

    return [edit, rename, executable, relink, add_folder, dockerfile]


@pytest.mark.parametrize("change", changes(), ids=lambda change: change.__name__)
def test_whatever_can_change_the_image_changes_the_tag(folder, change):
    before = BuildContext(path=folder).tag
    change(folder)
    assert BuildContext(path=folder).tag != before


@pytest.mark.parametrize(
    "options",
    [
        {"build_args": {"A": "1"}},
        {"build_args": {"A": ""}},
        {"labels": {"A": "1"}},
        {"target": "a"},
        {"platform": "linux/arm64"},
        {"base_ids": ("sha256:1",)},
    ],
)
def test_how_it_is_built_is_in_the_tag_too(folder, options):
    assert BuildContext(path=folder, **options).tag != BuildContext(path=folder).tag


def test_parts_of_the_tag_do_not_flow_into_one_another(folder):
    tags = {
        BuildContext(path=folder, build_args=args).tag
        for args in ({"a": "bc"}, {"ab": "c"}, {"a": "b", "c": ""})
    }
    assert len(tags) == 3
    assert (
        BuildContext(path=folder, build_args={"a": "b"}).tag
        != BuildContext(path=folder, labels={"a": "b"}).tag
    )


def test_what_dockerignore_names_stays_out_of_archive_and_tag(folder):
    (folder / ".dockerignore").write_text("# no caches\n\n**/*.pyc\nsecret*\n!secret.pub\n")
    before = BuildContext(path=folder)
    tag = before.tag
    for name in ("app/main.pyc", "secret.key"):
        (folder / name).write_text("x")
    after = BuildContext(path=folder)
    assert after.tag == tag
    assert not {"app/main.pyc", "secret.key"} & set(after.files)
    (folder / "secret.pub").write_text("x")
    assert "secret.pub" in BuildContext(path=folder).files


def test_the_dockerfile_is_sent_even_if_everything_is_ignored(folder):
    (folder / ".dockerignore").write_text("*\n!app/run\n")
    assert BuildContext(path=folder).files == (".dockerignore", "Dockerfile", "app/run")


def test_a_dockerfile_may_have_an_ignore_file_of_its_own(folder):
    (folder / ".dockerignore").write_text("app\n")
    (folder / "Dockerfile.dockerignore").write_text("link\n**/run\n")
    assert BuildContext(path=folder).files == (
        ".dockerignore",
        "Dockerfile",
        "Dockerfile.dockerignore",
        "app",
        "app/main.py",
    )
    (folder / "other").write_text("FROM scratch\n")
    assert "link" in BuildContext(path=folder, dockerfile="other").files


def test_an_ignored_dockerfile_is_sent_and_is_not_to_be_seen(folder):
    (folder / ".dockerignore").write_text("*\n!app/run\n")
    assert BuildContext(path=folder).visible_files == ("app/run",)


def test_a_pattern_that_is_none_is_one_clear_error(folder):
    (folder / ".dockerignore").write_text("ok\n[a\n")
    with pytest.raises(ImageError, match="cannot be listed") as caught:
        _ = BuildContext(path=folder).files
    assert caught.value.details.startswith("'[a' is no pattern")


def test_the_projects_own_build_sends_only_the_application():
    files = BuildContext(path=ROOT).files
    assert {name.partition("/")[0] for name in files} == {".dockerignore", "Dockerfile", "app"}
    assert "app/templates/index.html" in files
    assert not any("__pycache__" in name for name in files)


def test_extra_certificates_are_in_the_archive_and_not_in_the_tag(folder):
    without = BuildContext(path=folder)
    context = BuildContext(path=folder, extra_cas=b"PEM")
    with context.tar() as archive, tarfile.open(fileobj=archive) as tar:
        assert tar.extractfile(EXTRA_CA).read() == b"PEM"
    assert EXTRA_CA not in entries(without)
    assert context.tag == without.tag


def test_certificates_that_lie_in_the_folder_are_not_taken(folder):
    before = BuildContext(path=folder).tag
    (folder / ".seatrial").mkdir()
    (folder / EXTRA_CA).write_text("someone's")
    after = BuildContext(path=folder, extra_cas=b"ours")
    assert after.tag == before
    with after.tar() as archive, tarfile.open(fileobj=archive) as tar:
        assert tar.getnames().count(EXTRA_CA) == 1
        assert tar.extractfile(EXTRA_CA).read() == b"ours"


def test_a_socket_is_left_out(folder, monkeypatch):
    before = BuildContext(path=folder).tag
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
        assert BuildContext(path=folder).tag == before


def test_a_missing_dockerfile_is_one_clear_error(folder):
    with pytest.raises(ImageError) as error:
        _ = BuildContext(path=folder, dockerfile="Dockerfile.dev").images
    assert error.value.cause == f"{folder / 'Dockerfile.dev'} cannot be read"
    assert "No such file or directory" in error.value.details
    assert error.value.hint.startswith("say where the Dockerfile is")


def test_a_file_or_folder_that_cannot_be_read_is_one_clear_error(folder, monkeypatch):
    context = BuildContext(path=folder)
    assert context.files

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ImageError, match=r"Dockerfile cannot be read: Permission denied"):
        _ = context.hash
    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(ImageError, match=r"the files of .* cannot be listed"):
        _ = BuildContext(path=folder).files


# --- Dockerfiles


@pytest.mark.parametrize(
    ("text", "build_args", "target", "expected"),
    [
        ("FROM a:1\n", {}, "", ["a:1"]),
        ("# comment\n\nfrom a:1 as x\nFROM b\nCOPY --from=X / /\n", {}, "", ["a:1", "b"]),
        (
            "FROM a\nFROM b\nCOPY --from=0 / /\nCOPY --chown=1 --from=c:1 / /\n",
            {},
            "",
            ["a", "b", "c:1"],
        ),
        (
            "FROM a\nRUN --mount=type=bind,from=d:1,target=/d --network=none echo --from=e\n",
            {},
            "",
            ["a", "d:1"],
        ),
        ("FROM a\nCOPY --from=$X / /\n", {}, "", ["a"]),
        ("FROM a AS x\nCOPY --from=b / /\nFROM c\nCOPY --from=d / /\n", {}, "x", ["a", "b"]),
        ("FROM a AS X\nFROM x\nFROM scratch\n", {}, "", ["a"]),
        ("FROM a\nFROM a\n", {}, "", ["a"]),
        ("FROM --platform=linux/amd64 a AS x\n", {}, "", ["a"]),
        ("ARG B=a:1\nFROM ${B}\n", {}, "", ["a:1"]),
        ("ARG B=a:1\nFROM $B\n", {"B": "c:2"}, "", ["c:2"]),
        ("ARG V=3 D=x\nARG B='py:$V'\nFROM ${B}-${D}\n", {}, "", ["py:3-x"]),
        ("ARG B\nFROM ${B:-d:1}\n", {}, "", ["d:1"]),
        ("ARG B\nFROM ${B}\n", {}, "", []),
        ("ARG B\nFROM ${B}\n", {"B": "b"}, "", ["b"]),
        ("FROM ${B}\n", {"B": "b"}, "", []),
        ("FROM a:${B:+x}\n", {}, "", []),
        ("FROM a\nARG B=x\nFROM ${B}\n", {}, "", ["a"]),
        ("FROM a AS x\nFROM b AS y\nFROM c\n", {}, "y", ["a", "b"]),
        ("FROM \\\n  a:1 \\\n  AS x\n", {}, "", ["a:1"]),
        ("FROM scratch AS x\nARG B=c\nFROM ${B}\n", {}, "", []),
        ("FROM\n", {}, "", []),
        ("", {}, "", []),
    ],
)
def test_the_images_that_a_dockerfile_takes_from(text, build_args, target, expected):
    assert images(text, build_args, target) == expected


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("FROM a\nFROM b\n", "", "b"),
        ("FROM a AS X\nFROM b\nFROM x\n", "", "a"),
        ("FROM a AS x\nFROM x AS y\nFROM Y\n", "", "a"),
        ("FROM a AS x\nFROM b\n", "x", "a"),
        ("FROM a\nFROM scratch\nCOPY --from=0 / /\n", "", ""),
        ("FROM $B\n", "", ""),
        ("", "", ""),
    ],
)
def test_the_image_that_the_last_stage_rests_on(text, target, expected):
    assert base(text, {}, target) == expected


def test_a_build_argument_is_declared_anywhere():
    text = "FROM a\nARG X Y=1\n# ARG Z\nRUN echo ARG W\n"
    assert [name for name in "WXYZ" if declares(text, name)] == ["X", "Y"]
    assert BuildContext(path=ROOT).takes("BUILD_ID")
    assert BuildContext(path=ROOT).images == ["python:3.12-slim"]
    assert BuildContext(path=ROOT, build_args={"BASE": "own:1"}).images == ["own:1"]
