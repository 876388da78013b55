"""Built things: once per set of inputs, whole or not at all, also with several builders at once."""

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.tools import Artifacts, fingerprint


def everything_in(folder):
    """All but the locks, which are left in place on purpose: a lock file must not be replaced."""
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def test_the_same_inputs_are_built_once(tmp_path):
    artifacts, built = Artifacts(tmp_path / "not" / "there" / "yet"), []

    def build(folder):
        built.append(folder)
        (folder / "tool").write_text("bits")

    first = artifacts.get("kind", "k1", build)
    second = artifacts.get("kind", "k1", build)
    assert len(built) == 1
    assert first == second == artifacts.path("kind", "k1")
    assert (first / "tool").read_text() == "bits"
    assert everything_in(artifacts.root) == ["kind-k1"]


def test_other_inputs_are_built_beside(tmp_path):
    artifacts = Artifacts(tmp_path)
    places = [artifacts.get("kind", key, lambda folder: None) for key in ("k1", "k2")]
    assert [place.name for place in places] == ["kind-k1", "kind-k2"]


def test_a_build_is_not_to_be_seen_before_it_is_whole(tmp_path):
    artifacts = Artifacts(tmp_path)
    seen = []
    artifacts.get("kind", "k1", lambda folder: seen.append(artifacts.path("kind", "k1").exists()))
    assert seen == [False]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_build_that_raises_leaves_nothing_and_can_be_tried_again(tmp_path, error):
    artifacts = Artifacts(tmp_path)

    def build(folder):
        (folder / "half").touch()
        raise error

    with pytest.raises(error):
        artifacts.get("kind", "k1", build)
    assert everything_in(tmp_path) == []
    place = artifacts.get("kind", "k1", lambda folder: (folder / "whole").touch())
    assert everything_in(place) == ["whole"]


def _die_while_building(root):
    def build(folder):
        (folder / "half").touch()
        os.kill(os.getpid(), signal.SIGKILL)

    Artifacts(root).get("kind", "k1", build)


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path):
    process = multiprocessing.get_context("forkserver").Process(
        target=_die_while_building, args=(tmp_path,)
    )
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    assert everything_in(tmp_path) == [".kind-k1.work"]
    place = Artifacts(tmp_path).get("kind", "k1", lambda folder: (folder / "whole").touch())
    assert everything_in(place) == ["whole"]
    assert everything_in(tmp_path) == ["kind-k1"]


def test_two_builds_at_once_share_one(tmp_path):
    built, results = [], []
    inside, second_came = threading.Event(), threading.Event()

    class Second(Artifacts):
        def lock(self, name):
            second_came.set()
            return super().lock(name)

    def build(folder):
        built.append(folder)
        inside.set()
        assert second_came.wait(20)

    def first():
        results.append(Artifacts(tmp_path).get("kind", "k1", build))

    def second():
        assert inside.wait(20)
        results.append(Second(tmp_path).get("kind", "k1", build))

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(built) == 1
    assert results == [tmp_path / "kind-k1"] * 2


def test_a_workspace_is_empty_at_first_and_gone_afterwards(tmp_path):
    artifacts = Artifacts(tmp_path)
    left = tmp_path / ".image.work"
    left.mkdir()
    (left / "of-another").touch()
    with artifacts.workspace("image") as folder:
        assert folder == left
        assert list(folder.iterdir()) == []
    assert not left.exists()


def test_a_fingerprint_is_short_and_the_same_for_text_and_bytes():
    assert fingerprint(["a"]) == fingerprint([b"a"])
    assert len(fingerprint([])) == 16
    assert Path(fingerprint(["a"])).name == fingerprint(["a"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["a", "b"], ["b", "a"]),
        (["a"], ["a", ""]),
        ([], [""]),
        (["1:a"], ["a"]),
        (["a1:b"], ["a", "b"]),
    ],
)
def test_a_fingerprint_heeds_where_a_part_ends(one, other):
    assert fingerprint(one) != fingerprint(other)


PARTS = st.lists(st.binary(max_size=4) | st.sampled_from([b"1:", b"0:", b"1:a"]), max_size=5)


@given(PARTS, PARTS)
def test_fingerprints_are_equal_only_for_equal_parts(one, other):
    assert (fingerprint(one) == fingerprint(other)) == (one == other)
