"""BuildKit by way of buildx, which is a script here."""

import stat
from pathlib import Path

import docker.errors
import pytest
from images_kit import Engine, Progress

from seatrial.core.errors import ConfigurationError, EngineError, ImageError
from seatrial.images import BuildContext, build, choose_builder
from seatrial.images.buildkit import BuildKit, Output, docker_buildx

FAILED = """\
#0 building with "default" instance using docker driver

#1 [internal] load remote build context
#1 CACHED

#3 [two 1/1] COPY a /a
#3 CACHED

#4 [one 2/3] RUN make
#4 0.263 compiling
#5 [stage-2 1/2] RUN sleep 10
#5 0.100 still asleep
#4 0.264 \x1b[1;31mno such header\x1b[0m
#4 ERROR: process "/bin/sh -c make" did not complete successfully: exit code: 3
#5 CANCELED
------
 > [one 2/3] RUN make:
0.263 compiling
0.264 no such header
------
Dockerfile:3
--------------------
   1 |     FROM scratch AS one
   2 | >>> RUN make
--------------------
ERROR: failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 3
"""

UNREADABLE = """\
#0 building with "default" instance using docker driver

#1 [internal] load remote build context
#1 DONE 0.1s
Dockerfile:2
--------------------
   1 |     FROM scratch
   2 | >>> FOO bar
--------------------
ERROR: failed to build: failed to solve: dockerfile parse error on line 2: unknown instruction: FOO
"""


@pytest.fixture(name="context")
def a_context(tmp_path):
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM base:1\nARG BUILD_ID\n")
    return BuildContext(path=folder)


@pytest.fixture(name="buildx")
def a_buildx(tmp_path):
    """A program that notes what it is given, prints, and ends with a status."""

    def make(output="", status=0):
        (tmp_path / "says").write_text(output)
        program = tmp_path / "buildx"
        program.write_text(
            "#!/bin/sh\n"
            f"printf '%s\\n' \"$@\" > {tmp_path}/arguments\n"
            f"printenv BUILDX_CONFIG DOCKER_CONTEXT > {tmp_path}/environment\n"
            f'test -d "$BUILDX_CONFIG" || exit 9\n'
            f"for folder; do true; done\n"
            f'cp -a "$folder" {tmp_path}/files\n'
            f"cat {tmp_path}/says >&2\n"
            f"exit {status}\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return BuildKit((str(program),))

    return make


def built_by(engine, builder):
    """A builder's factory; what is built is then in the engine."""

    class AndThere:
        name = builder.name

        def build(self, order, step):
            builder.build(order, step)
            engine.has(order.reference, "sha256:by-buildkit", Config={"Labels": dict(order.labels)})

    return AndThere


def lines_of(place):
    return place.read_text().splitlines()


def test_buildx_is_given_what_the_classic_builder_is(buildx, context, tmp_path):
    engine, progress = Engine().has("base:1"), Progress()
    options = {"target": "t", "platform": "linux/arm64", "labels": {"a": "b c"}}
    context = BuildContext(path=context.path, build_args={"X": "1"}, extra_cas=b"PEM", **options)
    image = build(engine, context, "flask", builder=built_by(engine, buildx()), progress=progress)
    assert image.id == "sha256:by-buildkit"
    assert engine.builds == []
    assert progress.titles == [f"building image {image} with BuildKit"]
    arguments = lines_of(tmp_path / "arguments")
    assert arguments[0] == "build"
    assert {
        f"--tag={image.reference}",
        "--target=t",
        "--platform=linux/arm64",
        "--build-arg=X=1",
        f"--build-arg=BUILD_ID={image.reference.partition(':')[2]}",
        "--label=a=b c",
        "--builder=default",
        "--load",
        "--provenance=false",
    } <= set(arguments)
    assert (tmp_path / "files" / "Dockerfile").is_file()
    assert (tmp_path / "files" / ".seatrial" / "extra-ca.pem").read_bytes() == b"PEM"


def test_buildx_speaks_to_the_engine_of_the_sdk_and_leaves_nothing_behind(
    buildx, context, tmp_path
):
    engine = Engine().has("base:1")
    build(engine, context, "flask", builder=built_by(engine, buildx()))
    own, docker_context = lines_of(tmp_path / "environment")
    assert docker_context == "default"
    assert not Path(own).exists()


def test_target_and_platform_are_left_to_buildx_unless_they_are_asked_for(
    buildx, context, tmp_path
):
    engine = Engine().has("base:1")
    build(engine, context, "flask", builder=built_by(engine, buildx()))
    assert not [e for e in lines_of(tmp_path / "arguments") if e.startswith(("--target", "--plat"))]


def test_the_step_that_failed_is_named_and_its_lines_alone_are_shown(buildx, context):
    engine, builder = Engine().has("base:1"), buildx(FAILED, status=1)
    with pytest.raises(ImageError) as caught:
        build(engine, context, "flask", builder=lambda: builder)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith(" cannot be built: it failed at step 2/3 of stage one, RUN make")
    assert lines[1:] == [
        "  compiling",
        "  no such header",
        '  process "/bin/sh -c make" did not complete successfully: exit code: 3',
    ]


def test_a_dockerfile_that_cannot_be_read_is_shown_with_its_line(buildx, context):
    engine, builder = Engine().has("base:1"), buildx(UNREADABLE, status=1)
    with pytest.raises(ImageError) as caught:
        build(engine, context, "flask", builder=lambda: builder)
    text = str(caught.value)
    assert text.splitlines()[0].endswith(" cannot be built: it failed")
    assert "   2 | >>> FOO bar" in text
    assert text.endswith("dockerfile parse error on line 2: unknown instruction: FOO")


def test_a_buildx_that_cannot_be_started_is_told_as_such(context):
    engine = Engine().has("base:1")
    with pytest.raises(ImageError, match="cannot be started"):
        build(engine, context, "flask", builder=lambda: BuildKit(("/nowhere/buildx",)))


def test_progress_is_the_steps_and_their_output():
    progress = Progress()
    output = Output(progress)
    for line in FAILED.splitlines():
        output.line(line)
    assert progress.lines == [
        'building with "default" instance using docker driver',
        "[internal] load remote build context",
        "[two 1/1] COPY a /a",
        "[one 2/3] RUN make",
        "compiling",
        "[stage-2 1/2] RUN sleep 10",
        "still asleep",
        "no such header",
    ]


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("[2/3] RUN make", "step 2/3, RUN make"),
        ("[stage-1 2/3] RUN make", "step 2/3, RUN make"),
        ("[builder 2/3] RUN make", "step 2/3 of stage builder, RUN make"),
        ("resolve image config for docker-image://x", "resolve image config for docker-image://x"),
        ("[internal] load metadata for x", "[internal] load metadata for x"),
    ],
)
def test_a_step_is_named_as_a_person_reads_it(name, where):
    output = Output(Progress())
    for line in (f"#7 {name}", "#7 ERROR: because"):
        output.line(line)
    assert output.where == where
    assert output.shown[0] == "because"


def test_only_the_last_lines_of_a_step_are_kept():
    output = Output(Progress())
    output.line("#7 [1/1] RUN seq 100")
    for number in range(100):
        output.line(f"#7 0.1 {number}")
    output.line("#7 ERROR: because")
    output.line("ERROR: failed to build: failed to solve: because of that")
    assert output.shown == [*map(str, range(71, 100)), "because", "because of that"]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("the --mount option requires BuildKit", "builder='buildkit'"),
        ("resolve image config for docker-image://docker.io/docker/dockerfile:1", "# syntax="),
    ],
)
def test_what_needs_another_builder_or_a_registry_has_a_way_out(buildx, context, line, hint):
    engine, builder = Engine().has("base:1"), buildx(f"{line}\n", status=1)
    with pytest.raises(ImageError) as caught:
        build(engine, context, "flask", builder=lambda: builder)
    assert hint in caught.value.hint


# --- the choice


class Version:
    def __init__(self, name="Engine"):
        self.name = name

    def version(self):
        return {"Components": [{"Name": self.name}]}


@pytest.fixture(name="on_path")
def an_on_path(tmp_path, monkeypatch):
    """Put a `docker` on PATH that has buildx, or has not."""
    monkeypatch.delenv("DOCKER_BUILDKIT", raising=False)

    def make(*, has_buildx):
        program = tmp_path / "docker"
        program.write_text(f'#!/bin/sh\ntest "$*" = "buildx version" && exit {int(not has_buildx)}')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return make


@pytest.mark.parametrize(
    ("wanted", "has_buildx", "asked", "taken"),
    [
        ("auto", True, "", "BuildKit"),
        ("auto", True, "1", "BuildKit"),
        ("auto", True, "0", "the classic builder"),
        ("auto", False, "", "the classic builder"),
        ("auto", False, "1", "BuildKit"),
        ("classic", True, "1", "the classic builder"),
        ("buildkit", True, "0", "BuildKit"),
        ("buildkit", False, "", "BuildKit"),
    ],
)
def test_the_builder_is_the_one_that_docker_build_takes_or_the_one_asked_for(
    on_path, monkeypatch, tmp_path, wanted, has_buildx, asked, taken
):
    on_path(has_buildx=has_buildx)
    if asked:
        monkeypatch.setenv("DOCKER_BUILDKIT", asked)
    chosen = choose_builder(wanted, Version(), lambda: tmp_path / "locked-buildx")
    assert chosen.name == taken
    if taken == "BuildKit":
        own = ("docker", "buildx") if has_buildx else (str(tmp_path / "locked-buildx"),)
        assert tuple(chosen.buildx) == own


def test_a_machine_without_a_docker_command_has_no_buildx(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert docker_buildx() is None


def test_buildkit_that_cannot_be_had_is_an_error_with_the_way_out(on_path):
    on_path(has_buildx=False)
    with pytest.raises(ConfigurationError) as caught:
        choose_builder("buildkit", Version())
    assert "docker-buildx" in caught.value.hint


def test_podman_builds_by_itself_and_has_no_buildkit(on_path):
    on_path(has_buildx=True)
    assert choose_builder("auto", Version("Podman Engine")).name == "the classic builder"
    with pytest.raises(ConfigurationError, match="podman has no BuildKit"):
        choose_builder("buildkit", Version("Podman Engine"))


def test_an_engine_that_does_not_say_what_it_is_is_told(on_path):
    on_path(has_buildx=True)

    class Broken:
        def version(self):
            raise docker.errors.APIError("out of order")

    with pytest.raises(EngineError, match="does not say what it is"):
        choose_builder("auto", Broken())


def test_a_misspelt_builder_is_told_the_right_one():
    with pytest.raises(ConfigurationError) as caught:
        choose_builder("buildkitt", Version())
    assert str(caught.value) == "there is no builder 'buildkitt'\n-> did you mean 'buildkit'?"
    with pytest.raises(ConfigurationError) as caught:
        choose_builder("x", Version())
    assert caught.value.hint == "one of auto, classic, buildkit"


def test_no_builder_is_asked_for_if_the_image_is_there(context):
    engine = Engine().has("base:1")
    build(engine, context, "flask")

    def refuse():
        raise AssertionError

    assert build(engine, context, "flask", builder=refuse).id == "sha256:built-1"


def test_a_dockerfile_that_is_ignored_is_read_and_not_seen(buildx, context, tmp_path):
    (context.path / ".dockerignore").write_text("*\n!wanted\n")
    (context.path / "wanted").write_text("1")
    engine = Engine().has("base:1")
    context = BuildContext(path=context.path, extra_cas=b"PEM")
    build(engine, context, "flask", builder=built_by(engine, buildx()))
    assert sorted(each.name for each in (tmp_path / "files").iterdir()) == [".seatrial", "wanted"]
    file = Path(next(e[7:] for e in lines_of(tmp_path / "arguments") if e.startswith("--file=")))
    assert file.name == "Dockerfile"
    assert not file.exists(), "it was left behind"


def test_buildkit_sees_no_time_owner_or_umask_of_ours(buildx, context, tmp_path):
    (context.path / "bin").mkdir(mode=0o700)
    (context.path / "bin" / "run").write_text("1")
    (context.path / "bin" / "run").chmod(0o700)
    (context.path / "link").symlink_to("bin/run")
    engine = Engine().has("base:1")
    build(engine, context, "flask", builder=built_by(engine, buildx()))
    files = tmp_path / "files"
    assert (files / "link").readlink() == Path("bin/run")
    assert {each.lstat().st_mtime for each in (files, *files.rglob("*"))} == {0}
    modes = [
        stat.S_IMODE((files / name).stat().st_mode) for name in ("bin", "bin/run", "Dockerfile")
    ]
    assert modes == [0o755, 0o755, 0o644]
