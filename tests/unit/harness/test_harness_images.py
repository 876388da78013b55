"""The image under test: built with what the machine gives, and put into the cluster."""

from contextlib import contextmanager

import pytest
from images_kit import Engine, Progress

from seatrial.core.errors import ConfigurationError, ImageError
from seatrial.harness import ImageFactory

PLAIN = "FROM python:3\nCOPY . /\n"
WITH_BASE = "ARG BASE=python:3\nFROM ${BASE}\nCOPY . /\n"


class Cluster:
    """Takes images."""

    def __init__(self):
        self.client = Engine()
        for number, name in enumerate(("python:3", "debian-python:1", "own:1")):
            self.client.has(name, f"sha256:{number}")
        self.loaded = []
        self.locked = False

    @contextmanager
    def loading(self):
        assert not self.locked, "it is one session's turn at a time"
        self.locked = True
        try:
            yield
        finally:
            self.locked = False

    def load_image(self, image):
        assert self.locked, "another session may build and load the same"
        self.loaded.append(image)
        return image


@pytest.fixture(autouse=True)
def without_buildkit(monkeypatch):
    """As a user says it; what the machine's own `docker` can do has no part in these tests."""
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "Shop"
    folder.mkdir()
    (folder / "app.py").write_text("print()")
    return folder


def factory(cluster, **options):
    return ImageFactory(cluster, progress=Progress(), **options)


def the_build(cluster):
    [build] = cluster.client.builds
    return build


def test_the_image_is_built_and_loaded(cluster, folder):
    (folder / "Dockerfile").write_text(PLAIN)
    image = factory(cluster)(path=folder, repository="flask")
    assert image.reference.startswith("flask:sha-")
    assert image.id == "sha256:built-1"
    assert cluster.loaded == [image]
    assert set(the_build(cluster)["files"]) == {"Dockerfile", "app.py"}


def test_the_image_is_named_after_its_folder_unless_it_is_named(cluster, folder):
    (folder / "Dockerfile").write_text(PLAIN)
    assert factory(cluster)(path=str(folder)).reference.startswith("shop:sha-")


def test_the_folder_is_the_present_one_unless_it_is_given(cluster, folder, monkeypatch):
    (folder / "Dockerfile").write_text(PLAIN)
    monkeypatch.chdir(folder)
    assert factory(cluster)().reference.startswith("shop:sha-")


def test_what_is_built_and_loaded_already_is_neither_built_nor_lost(cluster, folder):
    (folder / "Dockerfile").write_text(PLAIN)
    first = factory(cluster)(path=folder)
    assert factory(cluster)(path=folder) == first
    assert len(cluster.client.builds) == 1
    assert cluster.loaded == [first, first]


def test_an_image_need_not_be_loaded(cluster, folder):
    (folder / "Dockerfile").write_text(PLAIN)
    factory(cluster)(path=folder, load=False)
    assert cluster.loaded == []
    assert the_build(cluster)


def test_a_dockerfile_that_declares_a_base_is_given_ours(cluster, folder):
    (folder / "Dockerfile").write_text(WITH_BASE)
    factory(cluster, base="debian-python:1")(path=folder, build_args={"COLOUR": "blue"})
    build = the_build(cluster)
    assert build["buildargs"] == {"COLOUR": "blue", "BASE": "debian-python:1"}
    assert build["labels"]["org.opencontainers.image.base.name"] == "debian-python:1"


def test_a_dockerfile_that_declares_no_base_is_given_none(cluster, folder):
    (folder / "Dockerfile").write_text(PLAIN)
    factory(cluster, base="debian-python:1")(path=folder)
    assert the_build(cluster)["buildargs"] == {}


def test_the_users_own_base_wins(cluster, folder):
    (folder / "Dockerfile").write_text(WITH_BASE)
    factory(cluster, base="debian-python:1")(path=folder, build_args={"BASE": "own:1"})
    assert the_build(cluster)["buildargs"] == {"BASE": "own:1"}


def test_where_no_base_is_needed_the_dockerfiles_own_is_used(cluster, folder):
    (folder / "Dockerfile").write_text(WITH_BASE)
    factory(cluster)(path=folder)
    assert the_build(cluster)["buildargs"] == {}


def test_a_companys_authorities_are_put_into_the_build(cluster, folder, tmp_path):
    (folder / "Dockerfile").write_text(PLAIN)
    bundle = tmp_path / "company.pem"
    bundle.write_bytes(b"PEM")
    factory(cluster, extra_ca=bundle)(path=folder)
    assert the_build(cluster)["files"][".seatrial/extra-ca.pem"] == b"PEM"


def test_the_authorities_of_one_image_win_and_have_to_be_there(cluster, folder, tmp_path):
    (folder / "Dockerfile").write_text(PLAIN)
    for name in ("all", "one"):
        (tmp_path / name).write_text(name)
    factory(cluster, extra_ca=tmp_path / "all")(path=folder, extra_ca=str(tmp_path / "one"))
    assert the_build(cluster)["files"][".seatrial/extra-ca.pem"] == b"one"
    with pytest.raises(ConfigurationError, match="none cannot be read: No such file"):
        factory(cluster)(path=folder, extra_ca=tmp_path / "none")


def test_the_builder_can_be_chosen(cluster, folder, tmp_path, monkeypatch):
    (folder / "Dockerfile").write_text(PLAIN)
    # neither docker, nor a buildx beside it
    monkeypatch.setenv("PATH", str(tmp_path))
    asked = []

    def buildx():
        asked.append("buildx")
        return tmp_path / "buildx"

    with pytest.raises(ImageError, match="cannot be started"):
        factory(cluster, buildx=buildx)(path=folder, builder="buildkit")
    assert asked == ["buildx"]
    assert cluster.client.builds == []
    factory(cluster, buildx=buildx)(path=folder, builder="classic")
    assert the_build(cluster)


def test_an_option_that_there_is_none_of_is_told_the_right_one(cluster, folder):
    with pytest.raises(ConfigurationError) as caught:
        factory(cluster)(path=folder, traget="x")
    assert str(caught.value) == "an image has no option 'traget'\n-> did you mean 'target'?"
    with pytest.raises(ConfigurationError, match="no option 'zzz'") as caught:
        factory(cluster)(path=folder, zzz=1)
    assert "its options are build_args, builder, dockerfile, extra_ca" in caught.value.hint


def test_the_options_of_a_build_are_handed_on(cluster, folder):
    (folder / "Other").write_text("FROM python:3 AS small\nFROM python:3\n")
    factory(cluster)(path=folder, dockerfile="Other", target="small")
    build = the_build(cluster)
    assert (build["dockerfile"], build["target"]) == ("Other", "small")


def test_a_build_that_fails_is_not_loaded(cluster, folder):
    (folder / "Dockerfile").write_text(PLAIN)
    cluster.client.output = [{"stream": "Step 1/1 : FROM python:3\n"}, {"error": "no luck"}]
    with pytest.raises(ImageError, match="it failed at step 1/1, FROM python:3"):
        factory(cluster)(path=folder)
    assert cluster.loaded == []
