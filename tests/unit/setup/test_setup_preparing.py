"""Which tools and images are taken, and in which order they are looked for."""

from pathlib import Path

import pytest
from setup_fakes import FakeClient, Said

from seatrial.core.errors import NodeImageError
from seatrial.core.settings import Settings
from seatrial.setup import preparing, registry
from seatrial.setup.preparing import PYTHON_BASE, artifacts_of, prepare, prepare_image_base

PUBLISHED = registry.NODE_IMAGES["1.37"]
BUILT = "seatrial/node:v1.37.2-0123"


class Builder:
    """Finds or builds node images without an engine."""

    def __init__(self, world, client, artifacts, progress, mirror):
        self.world, self.client, self.progress = world, client, progress
        world.builders.append((artifacts, mirror))

    def find(self, kubernetes):
        return self.world.built

    def build(self, kubernetes):
        self.world.builds.append(kubernetes)
        return BUILT


class World:
    """All that `prepare` stands on, with nothing in it."""

    def __init__(self, monkeypatch, state_dir):
        self.client = FakeClient()
        self.said = Said()
        self.ensured, self.builders, self.builds = [], [], []
        self.engine_options = None
        self.built = None
        self.settings = {"state_dir": state_dir}
        world = self

        class Tools:
            def __init__(self, artifacts):
                assert artifacts.root == state_dir / "artifacts"

            def ensure(self, name, progress):
                world.ensured.append(name)
                return Path("/built") / name

        def ensure_engine(progress, **options):
            world.engine_options = options

        monkeypatch.setattr(preparing, "ensure_engine", ensure_engine)
        monkeypatch.setattr(preparing, "connect", world.connect)
        monkeypatch.setattr(preparing, "Toolchain", Tools)
        monkeypatch.setattr(preparing, "NodeImageBuilder", lambda *args: Builder(world, *args))
        monkeypatch.setattr(preparing, "known_versions", lambda: ("1.36.3", "1.37.2"))

    def connect(self, wanted):
        self.connected_to = wanted
        return self.client

    def prepare(self, **settings):
        return prepare(Settings(**self.settings, **settings), self.said)


@pytest.fixture
def world(monkeypatch, tmp_path):
    return World(monkeypatch, tmp_path)


def test_the_engine_that_a_person_named_is_the_one_that_is_used(world):
    world.built = BUILT
    world.prepare(engine="podman")
    assert world.engine_options["wanted"] == world.connected_to == "podman"


def test_engine_and_tools_come_first(world, tmp_path):
    world.built = BUILT
    prepared = world.prepare(debian_mirror="http://mine.example")
    assert world.engine_options == {
        "state_dir": tmp_path, "mirror": "http://mine.example", "wanted": "auto",
    }  # fmt: skip
    assert world.ensured == ["kind", "kubectl"]
    assert (prepared.kind, prepared.kubectl) == (Path("/built/kind"), Path("/built/kubectl"))
    assert prepared.client is world.client
    [(artifacts, mirror)] = world.builders
    assert artifacts.root == artifacts_of(Settings(state_dir=tmp_path)).root
    assert mirror == "http://mine.example"


def test_tools_that_a_person_named_are_taken_as_they_are(world):
    world.built = BUILT
    prepared = world.prepare(kind=Path("/mine/kind"), kubectl=Path("/mine/kubectl"))
    assert world.ensured == []
    assert (prepared.kind, prepared.kubectl) == (Path("/mine/kind"), Path("/mine/kubectl"))


def test_a_named_node_image_wins_over_all(world):
    world.built = BUILT
    world.client.images.registry = {"mine/node:v1.35.1", PUBLISHED}
    prepared = world.prepare(node_image="mine/node:v1.35.1")
    assert prepared.node_image == "mine/node:v1.35.1"
    assert prepared.kubernetes == "1.35.1"
    assert world.client.images.pulled == ["mine/node:v1.35.1"]


def test_an_image_that_was_built_here_wins_over_a_published_one(world):
    world.built = BUILT
    world.client.images.registry = {PUBLISHED}
    prepared = world.prepare()
    assert (prepared.node_image, prepared.kubernetes) == (BUILT, "1.37.2")
    assert world.client.images.pulled == world.builds == []


def test_a_published_image_wins_over_building_one(world):
    world.client.images.registry = {PUBLISHED}
    prepared = world.prepare()
    assert prepared.node_image == PUBLISHED
    assert prepared.kubernetes == "1.37.0"
    assert world.builds == []


def test_an_image_is_built_where_no_registry_answers_and_that_is_said(world):
    prepared = world.prepare()
    assert (prepared.node_image, prepared.kubernetes) == (BUILT, "1.37.2")
    assert world.builds == ["1.37.2"]
    assert world.said.lines == ["no image registry answers: building the node image here"]


def test_a_version_that_is_not_published_is_built(world):
    world.client.images.registry = {PUBLISHED}
    world.prepare(kubernetes="1.36.3")
    assert world.builds == ["1.36.3"]


def test_a_version_that_is_published_but_cannot_be_built_is_pulled(world):
    world.built = BUILT  # of a version that was not asked for
    world.client.images.registry = {PUBLISHED}
    assert world.prepare(kubernetes="1.37.9").node_image == PUBLISHED


@pytest.mark.parametrize("kubernetes", ["1.37.9", "1.20.0"])
def test_a_version_that_can_neither_be_pulled_nor_built_is_an_error(world, kubernetes):
    with pytest.raises(NodeImageError) as caught:
        world.prepare(kubernetes=kubernetes)
    assert str(caught.value).splitlines() == [
        f"no node image for Kubernetes {kubernetes} can be pulled or built",
        "-> choose one of 1.36.3, 1.37.2 (--seatrial-kubernetes=…), or name",
        "   an image (--seatrial-node-image=…)",
    ]


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("kindest/node:v1.35.1@sha256:0a", "1.35.1"),
        ("kindest/node:v1.35.1", "1.35.1"),
        ("127.0.0.1:5000/node:1.35.1", "1.35.1"),
        ("seatrial/node:v1.35.1-0123abcd", "1.35.1"),
        ("kindest/node:latest", "1.37.2"),
        ("kindest/node", "1.37.2"),
        ("127.0.0.1:5000/node", "1.37.2"),
        ("node@sha256:0a", "1.37.2"),
        ("node:a.b.c", "1.37.2"),
        ("node:1.35.1.2", "1.37.2"),
    ],
)
def test_the_version_is_read_from_the_tag_and_is_else_the_one_asked_for(world, image, version):
    world.client.images.has = {image}
    assert world.prepare(node_image=image).kubernetes == version


# --- what the application's image is built on


def base_of(world, **settings):
    return prepare_image_base(Settings(**world.settings, **settings), world.client, world.said)


@pytest.fixture
def made(monkeypatch):
    made = []

    def ensure(self, client, artifacts, progress, *, mirror):
        made.append(mirror)
        return self.reference

    monkeypatch.setattr(type(PYTHON_BASE), "ensure", ensure)
    return made


def test_a_named_base_wins(world, made):
    world.client.images.has = {PYTHON_BASE.reference}
    assert base_of(world, image_base="mine/python:3") == "mine/python:3"


def test_a_base_that_was_made_here_wins_over_the_dockerfiles_own(world, made):
    world.client.images.has = {PYTHON_BASE.reference}
    world.client.images.registry = {registry.PYTHON_IMAGE}
    assert base_of(world) == PYTHON_BASE.reference
    assert made == []


def test_the_dockerfiles_own_base_is_left_where_it_can_be_pulled(world, made):
    world.client.images.registry = {registry.PYTHON_IMAGE}
    assert base_of(world) is None
    assert made == []


def test_a_base_is_made_where_no_registry_answers(world, made):
    assert base_of(world, debian_mirror="http://mine.example") == PYTHON_BASE.reference
    assert made == ["http://mine.example"]
