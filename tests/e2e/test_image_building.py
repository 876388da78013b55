"""Images are built by the engine's two builders, from all that `k8s_image_options` may say."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from contextlib import suppress

import docker.errors
import pytest

from seatrial.core.errors import ImageError
from seatrial.harness import ImageFactory
from seatrial.report.console import ConsoleProgress
from seatrial.setup.preparing import prepare_buildx, prepare_image_base
from seatrial.tools.running import run

DOCKERFILE = """\
ARG BASE
FROM ${BASE} AS app
ARG COLOUR=grey
COPY . /app
RUN echo "$COLOUR" > /app/colour && ls -A /app /app/.seatrial | tr '\\n' ' ' > /list
USER 10001:10001
CMD ["sh", "-c", "cat /app/colour /list /app/.seatrial/extra-ca.pem && exec cat"]

FROM app AS unwanted
RUN echo this stage is not asked for && false
"""

BUILDERS = pytest.mark.parametrize("builder", ["classic", "buildkit"])
ENGINES_OWN = {".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf"}
NAMES = {"classic": "the classic builder", "buildkit": "BuildKit"}


class Noted:
    """Progress that keeps what a person would see, and shows it as ever."""

    def __init__(self):
        self.shown, self.titles, self.notes = ConsoleProgress(), [], []

    def step(self, title):
        self.titles.append(title)
        return self.shown.step(title)

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "context"
    place.mkdir()
    (place / "Dockerfile").write_text(DOCKERFILE)
    (place / "wanted").write_text("1")
    (place / "secret.env").write_text("PASSWORD=1")
    (place / ".dockerignore").write_text("*\n!wanted\n")
    return place


@pytest.fixture
def noted():
    return Noted()


@pytest.fixture
def build(k8s_cluster, k8s_settings, folder, noted):
    """Build what is in `folder`; what was built is taken out of the engine afterwards."""
    factory = ImageFactory(
        k8s_cluster,
        progress=noted,
        base=prepare_image_base(k8s_settings, k8s_cluster.client, noted),
        buildx=lambda: prepare_buildx(k8s_settings, noted),
    )
    built = []

    def make(**options):
        built.append(factory(path=folder, **{"load": False, **options}))
        return built[-1]

    yield make
    for image in built:
        with suppress(docker.errors.ImageNotFound):
            k8s_cluster.client.api.remove_image(image.reference)


@BUILDERS
def test_all_that_is_asked_for_is_in_the_image_that_runs(
    build, builder, noted, folder, k8s_cluster, k8s_deploy, k8s_namespace, tmp_path
):
    authorities = tmp_path / "authorities.pem"
    authorities.write_text("authorities\n")
    options = {
        "repository": f"building-{builder}",
        "builder": builder,
        "target": "app",
        "build_args": {"COLOUR": "blue"},
        "labels": {"team": "harbour"},
        "extra_ca": authorities,
    }
    image = build(load=True, **options)
    assert f"building image {image} with {NAMES[builder]}" in noted.titles
    labels = k8s_cluster.client.api.inspect_image(image.reference)["Config"]["Labels"]
    assert labels["team"] == "harbour"
    assert labels["org.opencontainers.image.version"] == image.reference.partition(":")[2]

    container = {"name": "app", "image": image.reference, "imagePullPolicy": "Never", "stdin": True}
    release = k8s_deploy(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "app"},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
        }
    )
    release.wait_ready()
    release.assert_runs(image)
    said = k8s_cluster.kubectl("logs", "app", f"--namespace={k8s_namespace}")
    assert said == "blue\n/app: .seatrial colour wanted  /app/.seatrial: extra-ca.pem authorities"

    # the same tree, and other authorities, which have no part in the image
    authorities.write_text("other authorities\n")
    noted.titles.clear()
    assert build(**options) == image
    assert (noted.titles, noted.notes[-1]) == ([], f"image {image} is there already")


def test_an_unchanged_tree_that_one_builder_built_is_not_built_by_the_other(build, noted):
    image = build(builder="classic", target="app", extra_ca=__file__)
    noted.titles.clear()
    assert build(builder="buildkit", target="app", extra_ca=__file__) == image
    assert noted.titles == []


@pytest.mark.parametrize(
    ("builder", "step"),
    [
        # it counts its own steps for the labels too
        ("classic", r"step 3/\d+, RUN echo compiling && ls /nowhere"),
        ("buildkit", "step 2/2 of stage app, RUN echo compiling && ls /nowhere"),
    ],
)
def test_a_failed_build_names_the_step_and_shows_its_last_output(build, folder, builder, step):
    (folder / "Dockerfile").write_text(
        "ARG BASE\nFROM ${BASE} AS app\nRUN echo compiling && ls /nowhere\n"
        "FROM ${BASE}\nCOPY --from=app /etc /other\n"
    )
    with pytest.raises(ImageError) as caught:
        build(builder=builder)
    cause, *details = str(caught.value).splitlines()
    assert re.fullmatch(rf"image context:sha-\w+ cannot be built: it failed at {step}", cause)
    assert "  compiling" in details
    assert "  ls: cannot access '/nowhere': No such file or directory" in details
    assert re.search(r"(exit|non-zero) code: 2$", details[-1])


#: each after another way that people write these files
IGNORED = (
    "",
    "*\n!wanted\n",
    "**/*.pyc\n.git\n",
    "*\n!**/*.py\n",
    "src/*\n!src/keep\n/top\n",
    "src\n!src/deep/*.py\nDockerfile\n.dockerignore\n",
    "[a-s]*\nto?\n",
    "# a comment\n\n  src/deep/  \n!src/deep/main.py\n",
)


@pytest.mark.parametrize("patterns", IGNORED)
def test_what_is_ignored_is_what_docker_itself_ignores(
    build, folder, k8s_settings, k8s_cluster, noted, patterns
):
    for name in ("src/a.pyc", "src/keep/b", "src/deep/main.py", "src/deep/er/c.py", "top", "zz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    (folder / ".dockerignore").write_text(patterns)
    # buildx reads the folder by itself
    run(
        [prepare_buildx(k8s_settings, noted), "build", "--builder=default", "--provenance=false",
         f"--output=type=tar,dest={folder.parent / 'reference.tar'}", folder],
        env={"BUILDX_CONFIG": str(folder.parent)},
    )  # fmt: skip
    with tarfile.open(folder.parent / "reference.tar") as tar:
        reference = {each.name for each in tar if each.isfile()}
    assert reference
    for builder in NAMES:
        image = build(builder=builder, repository=f"ignoring-{builder}", labels={"by": builder})
        assert _files(k8s_cluster.client, image) == reference


def _files(client, image):
    container = client.api.create_container(image.reference, command=["none"])["Id"]
    try:
        stream, _ = client.api.get_archive(container, "/")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
            found = {each.name.removeprefix("/") for each in tar if each.isfile()}
    finally:
        client.api.remove_container(container)
    # what the engine itself puts into every container
    return found - ENGINES_OWN


@BUILDERS
def test_a_mistake_in_the_dockerfile_is_shown(build, folder, builder):
    (folder / "Dockerfile").write_text("FROM scratch\nCOPPY wanted /\n")
    with pytest.raises(ImageError, match="cannot be built: it failed") as caught:
        build(builder=builder)
    assert "unknown instruction: COPPY" in caught.value.details


def test_what_only_buildkit_can_do_says_so_and_is_done_by_it(build, folder):
    (folder / "Dockerfile").write_text(
        "ARG BASE\nFROM ${BASE}\nRUN --mount=type=bind,target=/here cp /here/wanted /copied\n"
    )
    with pytest.raises(ImageError) as caught:
        build(builder="classic")
    assert "builder='buildkit'" in caught.value.hint
    build(builder="buildkit")


@BUILDERS
def test_another_platform_is_built_for(build, folder, builder, k8s_cluster):
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY wanted /\n")
    image = build(builder=builder, platform="linux/arm64", repository=f"arm-{builder}")
    found = k8s_cluster.client.api.inspect_image(image.reference)
    assert (found["Os"], found["Architecture"]) == ("linux", "arm64")


@BUILDERS
def test_revision_and_source_are_on_the_image(build, folder, builder, k8s_cluster):
    def git(*args):
        argv = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *args]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    (folder / "Dockerfile").write_text("FROM scratch\nCOPY wanted /\n")
    git("init", "--quiet")
    git("remote", "add", "origin", "https://me:token@git.example/harbour.git")
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    image = build(builder=builder, repository=f"revision-{builder}")
    labels = k8s_cluster.client.api.inspect_image(image.reference)["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == git("rev-parse", "HEAD")
    assert labels["org.opencontainers.image.source"] == "https://git.example/harbour.git"
