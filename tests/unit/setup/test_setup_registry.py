"""Images of a registry, asked for through the engine."""

import re

import docker.errors
import pytest
import requests
from setup_fakes import FakeClient, Said

from seatrial.core.errors import NodeImageError
from seatrial.core.settings import Settings
from seatrial.setup import registry

IMAGE = "kindest/node:v1.37.0"


def test_every_published_node_image_is_pinned_by_its_digest():
    for minor, reference in registry.NODE_IMAGES.items():
        assert re.fullmatch(
            rf"kindest/node:v{re.escape(minor)}\.\d+@sha256:[0-9a-f]{{64}}", reference
        )


def test_the_default_kubernetes_has_a_published_image():
    assert registry.published_node_image(Settings().kubernetes)


@pytest.mark.parametrize(
    ("kubernetes", "published"),
    [("1.37.2", "1.37"), ("1.37.0", "1.37"), ("1.3.7", None), ("9.9.9", None)],
)
def test_a_published_image_is_one_of_the_same_minor_version(kubernetes, published):
    expected = registry.NODE_IMAGES[published] if published else None
    assert registry.published_node_image(kubernetes) == expected


def test_a_registry_answers_for_an_image_that_it_has():
    assert registry.answers(FakeClient(registry=[IMAGE]), IMAGE)


@pytest.mark.parametrize(
    "refuses",
    [None, docker.errors.APIError("no route to host"), requests.ConnectionError("reset")],
    ids=lambda error: type(error).__name__,
)
def test_a_registry_that_lacks_the_image_or_cannot_be_reached_does_not_answer(refuses):
    assert not registry.answers(FakeClient(refuses=refuses), IMAGE)


def test_an_image_that_is_there_is_not_pulled():
    client, said = FakeClient(has=[IMAGE]), Said()
    assert registry.pull(client, IMAGE, said) == IMAGE
    assert client.images.pulled == said.lines == []


def test_an_image_is_pulled_and_the_progress_shown():
    client, said = FakeClient(registry=[IMAGE]), Said()
    assert registry.pull(client, IMAGE, said) == IMAGE
    assert client.images.pulled == [IMAGE]
    assert said.lines == [
        f"pulling {IMAGE}",
        "v1.37.0 Pulling from kindest/node",
        "abc Download complete",
    ]


@pytest.mark.parametrize(
    ("refuses", "details"),
    [
        (None, "toomanyrequests: rate limit"),
        (docker.errors.NotFound("manifest unknown"), "manifest unknown"),
        (requests.ConnectionError("reset by peer"), "reset by peer"),
    ],
)
def test_an_image_that_cannot_be_pulled_is_an_error_with_the_registrys_words(refuses, details):
    with pytest.raises(NodeImageError) as caught:
        registry.pull(FakeClient(refuses=refuses), IMAGE, Said())
    assert str(caught.value) == f"{IMAGE} cannot be pulled\n  {details}"
    assert caught.value.__cause__ is not None
