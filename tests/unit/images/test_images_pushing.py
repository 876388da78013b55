"""An image is pushed by the engine, and handed on by its digest."""

from __future__ import annotations

import docker.errors
import pytest
from images_kit import Progress

from seatrial.core.errors import ImageError
from seatrial.images import Image, push

DIGEST = f"sha256:{64 * 'd'}"
FLASK = Image("flask:sha-1", f"sha256:{64 * 'c'}", None, 5)
ENTRIES = [
    {"status": "The push refers to repository [r.example/team/flask]"},
    {"status": "Preparing", "id": "aaa"},
    {"status": "Preparing", "id": "bbb"},
    {"status": "Layer already exists", "id": "aaa"},
    {"status": "Pushing", "id": "bbb", "progress": "1/2"},
    {"status": "Pushed", "id": "bbb"},
    {"status": "Mounted from other", "id": "ccc"},
    {"status": "sha-1: digest: …"},
    {"progressDetail": {}, "aux": {"Tag": "sha-1", "Digest": DIGEST, "Size": 9}},
]


class Engine:
    """Tags and pushes."""

    def __init__(self, entries=ENTRIES, known=()):
        self.api = self
        self.entries, self.known = entries, known
        self.calls = []

    def tag(self, image, repository, tag, *, force):
        self.calls.append(f"tag {image} {repository}:{tag}")

    def push(self, repository, tag, *, stream, decode):
        self.calls.append(f"push {repository}:{tag}")
        for entry in self.entries:
            if isinstance(entry, Exception):
                raise entry
            yield entry

    def inspect_image(self, reference):
        return {"RepoDigests": list(self.known)}


def test_it_is_known_by_the_digest_that_it_has_in_the_registry():
    engine, progress = Engine(), Progress()
    pushed = push(engine, FLASK, "r.example/team", progress=progress)
    name = f"r.example/team/flask@{DIGEST}"
    assert pushed.image == Image(name, FLASK.id, name, 5)
    assert (pushed.sent, pushed.there) == (1, 2)
    assert engine.calls == [
        "tag flask:sha-1 r.example/team/flask:sha-1", "push r.example/team/flask:sha-1"
    ]  # fmt: skip
    assert progress.titles == ["pushing image flask:sha-1 to r.example/team/flask"]
    assert progress.notes == ["1 of its 3 layers were not there yet"]


def test_nodes_may_call_the_registry_by_another_name():
    pushed = push(Engine(), FLASK, "127.0.0.1:32000", pulled_from="localhost:30500")
    assert pushed.image.reference == f"localhost:30500/flask@{DIGEST}"


@pytest.mark.parametrize(
    ("reference", "target"),
    [
        ("team/flask:1", "r.example/team/flask:1"),
        ("other.example:5000/shop/flask:1", "r.example/shop/flask:1"),
        (f"flask@{DIGEST}", f"r.example/flask:sha-{16 * 'c'}"),
    ],
)
def test_its_name_there_is_its_own_without_its_registry(reference, target):
    engine = Engine()
    push(engine, Image(reference, FLASK.id, None, 5), "r.example")
    assert engine.calls[-1] == f"push {target}"


def test_an_engine_that_tells_no_digest_is_asked_for_it():
    known = [f"other.example/flask@sha256:{64 * 'e'}", f"r.example/flask@{DIGEST}"]
    pushed = push(Engine(ENTRIES[:-1], known), FLASK, "r.example")
    assert pushed.image.reference == f"r.example/flask@{DIGEST}"


def test_a_digest_that_nobody_tells_is_an_error():
    with pytest.raises(ImageError, match="does not say by what digest"):
        push(Engine(ENTRIES[:-1]), FLASK, "r.example")


@pytest.mark.parametrize(
    "failure",
    [{"error": "denied: no access", "errorDetail": {}}, docker.errors.APIError("no access")],
)
def test_a_registry_that_does_not_take_it_is_told_with_the_way_out(failure):
    with pytest.raises(ImageError) as raised:
        push(Engine([ENTRIES[0], failure]), FLASK, "r.example:5000/team")
    assert "could not be pushed to r.example:5000/team/flask" in raised.value.cause
    assert "no access" in raised.value.details
    assert "docker login r.example:5000;" in raised.value.hint
