"""Building, against an engine that is an object."""

import io
import json
import tarfile

import docker.errors
import pytest
import requests
import urllib3
from images_kit import Engine, Progress

from seatrial.core.errors import ImageError
from seatrial.images import CONTEXT_LABEL, BuildContext, Image, build, find

BASE_ID = "sha256:base"


@pytest.fixture(name="context")
def a_context(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM base:1\nARG BUILD_ID\n")
    return BuildContext(path=tmp_path)


@pytest.fixture(name="engine")
def an_engine():
    return Engine().has("base:1", BASE_ID)


def with_base(context):
    return BuildContext(path=context.path, base_ids=(BASE_ID,))


def test_an_image_is_named_after_its_content_and_its_base(engine, context):
    image = build(engine, context, "flask")
    assert image == Image(f"flask:{with_base(context).tag}", "sha256:built-1", None, 5)
    assert str(image) == image.reference
    [made] = engine.builds
    assert made["tag"] == image.reference
    assert made["labels"] == {
        CONTEXT_LABEL: with_base(context).hash,
        "org.opencontainers.image.version": with_base(context).tag,
        "org.opencontainers.image.base.name": "base:1",
    }
    assert made["files"].keys() == {"Dockerfile"}
    assert made["buildargs"] == {"BUILD_ID": with_base(context).tag}
    assert (made["dockerfile"], made["target"], made["platform"]) == ("Dockerfile", None, None)
    assert (made["custom_context"], made["decode"]) == (True, True)


def test_what_the_user_sets_reaches_the_engine(engine, context):
    options = {
        "build_args": {"BUILD_ID": "mine", "X": "1"},
        "labels": {"team": "a", "org.opencontainers.image.version": "2.0"},
        "target": "t",
        "platform": "linux/arm64",
        "extra_cas": b"PEM",
    }
    build(engine, BuildContext(path=context.path, **options), "flask")
    [made] = engine.builds
    assert made["buildargs"] == {"BUILD_ID": "mine", "X": "1"}
    assert made["labels"]["team"] == "a"
    assert made["labels"]["org.opencontainers.image.version"] == "2.0"
    assert (made["target"], made["platform"]) == ("t", "linux/arm64")
    assert made["files"][".seatrial/extra-ca.pem"] == b"PEM"
    assert options["build_args"] == {"BUILD_ID": "mine", "X": "1"}


def test_a_dockerfile_that_takes_no_build_id_gets_none(engine, context):
    (context.path / "Dockerfile").write_text("FROM scratch\n")
    build(engine, context, "flask")
    assert engine.builds[0]["buildargs"] == {}
    assert "org.opencontainers.image.base.name" not in engine.builds[0]["labels"]


def test_the_same_content_is_built_once(engine, context):
    progress = Progress()
    first = build(engine, context, "flask", progress=progress)
    assert build(engine, context, "flask", progress=progress) == first
    assert len(engine.builds) == 1
    assert progress.titles == [f"building image {first} with the classic builder"]
    assert progress.notes == [f"image {first} is there already"]


def test_a_tag_that_somebody_put_on_another_image_is_not_believed(engine, context):
    engine.has(f"flask:{with_base(context).tag}", "sha256:other", Config={"Labels": None})
    assert build(engine, context, "flask").id == "sha256:built-1"


def test_another_base_image_is_another_image(engine, context):
    first = build(engine, context, "flask")
    engine.has("base:1", "sha256:newer")
    assert build(engine, context, "flask").reference != first.reference


def test_a_base_that_is_not_there_is_pulled_first(context):
    engine, progress = Engine(), Progress()
    engine.pullable["docker.io/library/base"] = ["base:1"]
    options = BuildContext(path=context.path, platform="linux/amd64")
    build(engine, options, "flask", progress=progress)
    assert engine.pulled == [("docker.io/library/base", "1", "linux/amd64")]
    assert progress.titles[0] == "pulling base image base:1"
    assert progress.lines[0] == "abc Pulling 1/2"
    assert len(engine.builds) == 1


def test_a_base_with_a_digest_is_pulled_by_it(context):
    digest = "sha256:" + "a1" * 32
    (context.path / "Dockerfile").write_text(f"FROM base:1@{digest}\n")
    engine = Engine()
    engine.pullable["docker.io/library/base"] = [f"base:1@{digest}"]
    build(engine, context, "flask")
    assert engine.pulled == [("docker.io/library/base", digest, None)]


@pytest.mark.parametrize(
    "failure",
    [
        None,
        docker.errors.APIError("manifest unknown"),
        requests.ConnectionError("manifest unknown"),
    ],
)
def test_a_base_that_cannot_be_pulled_is_named_with_the_way_out(context, failure):
    engine = Engine()
    if failure:
        engine.fails["pull"] = failure
    with pytest.raises(ImageError) as error:
        build(engine, context, "flask")
    assert str(error.value) == (
        "base image base:1 is not there and cannot be pulled\n"
        "  manifest unknown\n"
        "-> where no registry can be reached, `seatrial setup` makes a base image from Debian's\n"
        "   packages; another one is named with --seatrial-image-base"
    )


def test_a_base_that_is_no_reference_is_refused(context):
    (context.path / "Dockerfile").write_text("FROM Not:a:base\n")
    with pytest.raises(ImageError, match="base image Not:a:base is not there"):
        build(Engine(), context, "flask")


def test_a_base_that_is_not_there_after_the_pull_is_an_error(context):
    engine = Engine()
    engine.pullable["docker.io/library/base"] = []
    with pytest.raises(ImageError, match="the engine pulled base:1, but does not have it"):
        build(engine, context, "flask")


def test_the_output_is_shown_line_by_line_even_if_it_comes_in_pieces(engine, context):
    engine.output = [
        {"stream": "Step 1/2 : FROM base:1\n"},
        {"stream": "---> "},
        {"stream": "abc\n\nStep 2/2"},
        {"stream": " : RUN x\nlast"},
        {"aux": {"ID": "sha256:1"}},
        {"status": "ignored"},
    ]
    progress = Progress()
    build(engine, context, "flask", progress=progress)
    assert progress.lines == ["Step 1/2 : FROM base:1", "---> abc", "Step 2/2 : RUN x", "last"]


def test_a_failing_step_is_named_with_its_last_lines(engine, context):
    engine.output = [
        {"stream": "Step 1/2 : FROM base:1\n"},
        *({"stream": f"line {number}\n"} for number in range(40)),
        {"stream": "Step 2/2 : RUN pip install\n"},
        {"stream": "\x1b[91mno such package\n\x1b[0m"},
        {"error": "The command returned a non-zero code: 1", "errorDetail": {"code": 1}},
    ]
    with pytest.raises(ImageError) as error:
        build(engine, context, "flask")
    lines = str(error.value).splitlines()
    assert lines[0] == (
        f"image flask:{with_base(context).tag} cannot be built: "
        "it failed at step 2/2, RUN pip install"
    )
    assert lines[1] == "  line 12"
    assert lines[-3:] == [
        "  Step 2/2 : RUN pip install",
        "  no such package",
        "  The command returned a non-zero code: 1",
    ]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("SSLError: [SSL: CERTIFICATE_VERIFY_FAILED]", "--seatrial-extra-ca=FILE"),
        ("x509: certificate signed by unknown authority", "--seatrial-extra-ca=FILE"),
        ("write /x: No space left on device", "docker system df"),
    ],
)
def test_a_known_cause_has_a_way_out(engine, context, line, hint):
    engine.output = [{"stream": line}, {"error": "exit 1"}]
    with pytest.raises(ImageError) as error:
        build(engine, context, "flask")
    assert hint in error.value.hint


@pytest.mark.parametrize(
    "failure",
    [
        docker.errors.APIError("dockerfile parse error"),
        requests.ConnectionError("dockerfile parse error"),
        urllib3.exceptions.ProtocolError("dockerfile parse error"),
    ],
)
def test_an_engine_that_refuses_or_goes_away_is_an_image_error(engine, context, failure):
    engine.fails["build"] = failure
    with pytest.raises(ImageError) as error:
        build(engine, context, "flask")
    assert error.value.cause.endswith("cannot be built: it failed")
    assert error.value.details == "dockerfile parse error"
    assert error.value.__cause__ is failure


def test_an_image_that_is_not_there_after_the_build_is_an_error(engine, context):
    engine.fails["lost"] = True
    with pytest.raises(ImageError, match=r"built flask:.*, but the engine does not have it"):
        build(engine, context, "flask")


@pytest.mark.parametrize(
    ("repository", "message"),
    [
        ("Flask", "an image cannot be named so: 'Flask' is not an image reference"),
        ("flask:dev", "an image is built under a repository, and 'flask:dev' has a tag or digest"),
        ("flask@sha256:" + "a" * 64, "has a tag or digest"),
    ],
)
def test_a_repository_is_a_name_without_a_tag(engine, context, repository, message):
    with pytest.raises(ImageError) as error:
        build(engine, context, repository)
    assert message in error.value.cause


def test_a_repository_may_be_in_a_registry_with_a_port(engine, context):
    assert build(engine, context, "localhost:5000/flask").reference.startswith(
        "localhost:5000/flask:sha-"
    )


# --- finding


def test_an_image_that_is_there_is_found():
    engine = Engine().has("flask:1", "sha256:a", RepoDigests=["flask@sha256:d"], Size=None)
    assert find(engine, "flask:1") == Image("flask:1", "sha256:a", "flask@sha256:d", 0)


def test_an_image_that_is_not_there_is_an_error_with_the_way_out():
    with pytest.raises(ImageError) as error:
        find(Engine(), "flask:1")
    assert str(error.value) == (
        "the engine has no image flask:1\n-> docker pull flask:1, or build it"
    )


def test_an_engine_that_cannot_look_is_an_error():
    engine = Engine()
    engine.fails["inspect"] = docker.errors.APIError("broken")
    with pytest.raises(ImageError) as error:
        find(engine, "flask:1")
    assert str(error.value) == "the engine cannot look up flask:1\n  broken"


def archive(**files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "/").replace("_", "."))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.mark.parametrize("path", ["blobs/sha256/c0ffee", "c0ffee.json"])
def test_an_engine_on_containerd_is_asked_for_the_configurations_digest(path):
    engine = Engine().has("flask:1", "sha256:manifest", Descriptor={"digest": "sha256:manifest"})
    engine.saved = archive(
        blobs__x=b"x" * 30_000, manifest_json=json.dumps([{"Config": path}]).encode()
    )
    assert find(engine, "flask:1").id == "sha256:c0ffee"


def test_an_archive_without_a_manifest_or_none_at_all_is_an_error():
    engine = Engine().has("flask:1", Descriptor={"digest": "x"})
    engine.saved = archive(other=b"x")
    with pytest.raises(ImageError, match=r"saved flask:1 without a manifest\.json"):
        find(engine, "flask:1")
    engine.saved = b"x" * 2000
    with pytest.raises(ImageError, match="the engine cannot save flask:1"):
        find(engine, "flask:1")
    engine.fails["save"] = docker.errors.APIError("broken")
    with pytest.raises(ImageError, match="the engine cannot save flask:1"):
        find(engine, "flask:1")
