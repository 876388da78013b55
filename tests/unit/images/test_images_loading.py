"""Loading into nodes, against nodes that are objects."""

import threading

import docker.errors
import pytest
from images_kit import Engine, Node, Progress

from seatrial.core.errors import ImageError
from seatrial.images import Image, load
from seatrial.images.fanout import DEPTH, Fanout
from seatrial.testing import VirtualClock

ID = "sha256:app"
NAME = "docker.io/library/flask:sha-1"
IMAGE = Image("flask:sha-1", ID, None, 5)
IMPORT = "ctr --namespace=k8s.io images import --snapshotter=overlayfs -"
ASK = "ask for layers"
LOOK = f"ctr --namespace=k8s.io images list name=={NAME} name=={ID}"
LIST = "crictl images -o json"


@pytest.fixture(name="engine")
def an_engine():
    engine = Engine()
    engine.saved = bytes(range(256)) * 100
    return engine


def test_the_image_goes_into_all_nodes_at_once_and_is_saved_once(engine):
    nodes = [Node("a"), Node("b"), Node("c")]
    progress = Progress()
    loaded = load(IMAGE, nodes, client=engine, progress=progress)
    assert engine.saves == 1
    assert [node.received for node in nodes] == [engine.saved] * 3
    assert loaded.sent == {"a": 25600, "b": 25600, "c": 25600}
    assert loaded.skipped == ()
    assert loaded.image is IMAGE
    assert nodes[0].calls == [LOOK, ASK, IMPORT, LIST]
    assert progress.titles == ["loading image flask:sha-1 into a, b, c"]
    assert progress.lines[-1] == "25.6 kB"


def test_a_node_that_has_it_is_asked_once_and_sent_nothing(engine):
    nodes = [Node("a", {ID: [NAME]}), Node("b")]
    loaded = load(IMAGE, nodes, client=engine)
    assert nodes[0].calls == [LOOK]
    assert loaded.sent == {"a": 0, "b": 25600}
    assert loaded.skipped == ("a",)


def test_if_all_have_it_nothing_is_saved(engine):
    progress = Progress()
    loaded = load(IMAGE, [Node("a", {ID: [NAME]})], client=engine, progress=progress)
    assert (engine.saves, loaded.sent) == (0, {"a": 0})
    assert progress.notes == ["image flask:sha-1 is in every node already"]
    assert load(IMAGE, [], client=engine).sent == {}


@pytest.mark.parametrize("tags", [["docker.io/library/flask:sha-0", "other:1"], []])
def test_a_node_that_has_it_under_another_name_only_gets_the_name(engine, tags):
    node = Node("a", {"sha256:x": ["x:1"], ID: tags})
    load(IMAGE, [node], client=engine)
    assert node.calls == [LOOK, f"ctr --namespace=k8s.io images tag --force {ID} {NAME}", LIST]
    assert engine.saves == 0


def test_a_name_that_leads_to_another_image_is_put_right(engine):
    node = Node("a", {"sha256:old": [NAME], ID: ["other:1"]})
    load(IMAGE, [node], client=engine)
    assert node.calls[1] == f"ctr --namespace=k8s.io images tag --force {ID} {NAME}"


def test_a_node_with_another_image_of_that_name_gets_the_right_one(engine):
    node = Node("a", {"sha256:old": [NAME]})
    assert load(IMAGE, [node], client=engine).sent == {"a": 25600}


def test_the_kubelets_view_may_follow_a_little_later(engine):
    clock = VirtualClock()
    node = Node("a")
    node.lags = 3
    load(IMAGE, [node], client=engine, clock=clock)
    assert clock.now == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("gives", "there"),
    [(("sha256:wrong", NAME), "sha256:wrong"), ((ID, "x:1"), "none of that name")],
)
def test_a_node_that_ends_up_with_another_image_is_an_error(engine, gives, there):
    clock = VirtualClock()
    with pytest.raises(ImageError) as error:
        load(IMAGE, [Node("a", gives=gives)], client=engine, clock=clock)
    assert str(error.value) == (
        "node a has another image than the one loaded as flask:sha-1\n"
        "  loaded: sha256:app\n"
        f"  there:  {there}"
    )
    assert clock.now == pytest.approx(10.0)


@pytest.mark.parametrize("when", ["import", "import midway"])
def test_a_node_that_fails_does_not_hold_up_the_others(engine, when):
    nodes = [Node("a"), Node("b")]
    nodes[0].fails[when] = "ctr: write: no space left on device"
    engine.saved *= 20
    with pytest.raises(ImageError) as error:
        load(IMAGE, nodes, client=engine)
    assert str(error.value) == (
        "image flask:sha-1 cannot be loaded into a\n"
        "  a: ctr ended with status 1\n"
        "    $ ctr --namespace=k8s.io images import --snapshotter=overlayfs -\n"
        "    ctr: write: no space left on device\n"
        "-> the disk is full: docker system df, docker image prune"
    )
    assert nodes[1].received == engine.saved


def test_if_all_fail_the_engine_is_not_read_to_the_end(engine):
    engine.saved *= 100
    nodes = [Node("a"), Node("b")]
    for node in nodes:
        node.fails["import midway"] = "broken"
    with pytest.raises(ImageError) as error:
        load(IMAGE, nodes, client=engine)
    assert error.value.cause == "image flask:sha-1 cannot be loaded into a, b"
    assert error.value.hint == ""


def test_an_error_that_is_not_ours_is_not_hidden(engine):
    node = Node("a")
    node.fails["import"] = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError, match="a bug"):
        load(IMAGE, [node], client=engine)


@pytest.mark.parametrize("when", ["save", "save midway"])
def test_an_engine_that_cannot_save_is_an_error_and_nobody_waits(engine, when):
    engine.fails[when] = docker.errors.APIError("gone")
    with pytest.raises(ImageError) as error:
        load(IMAGE, [Node("a"), Node("b")], client=engine)
    assert str(error.value) == "the engine cannot save flask:sha-1\n  gone"


@pytest.mark.parametrize("call", ["list", "crictl"])
def test_a_node_that_does_not_answer_is_named(engine, call):
    node = Node("a")
    node.fails[call] = "connection refused"
    with pytest.raises(ImageError) as error:
        load(IMAGE, [node], client=engine)
    assert error.value.cause == "node a does not say which images it has"
    assert "connection refused" in error.value.details


def test_a_node_in_which_it_cannot_be_named_is_sent_it_once_more(engine):
    node = Node("a", {ID: []})
    node.fails["tag"] = "not found"
    loaded = load(IMAGE, [node], client=engine)
    assert loaded.sent == {"a": len(node.received)}
    assert len(node.received) > 0
    assert node.images[ID] == [NAME]


# --- the fan-out


def test_a_fast_reader_waits_for_a_slow_one():
    fanout = Fanout(2)
    fed = []

    def feed():
        fed.extend(fanout.feed([b"x"] * 20))
        fanout.end()

    feeder = threading.Thread(target=feed)
    fast = threading.Thread(target=lambda: list(fanout.read(0)))
    feeder.start()
    fast.start()
    slow = fanout.read(1)
    assert next(slow) == b"x"
    with fanout._changed:
        assert fanout._changed.wait_for(lambda: fanout.read_bytes[0] == DEPTH + 1, timeout=5)
        # the feeder has no room: the slow reader has taken one, and DEPTH wait for it
        assert len(fanout._waiting[1]) == DEPTH
    assert len(list(slow)) == 19
    feeder.join(5)
    fast.join(5)
    assert fed == list(range(1, 21))
    assert fanout.read_bytes == [20, 20]


def test_a_reader_that_has_left_reads_nothing_more():
    fanout = Fanout(1)
    fanout.leave(0)
    assert list(fanout.read(0)) == []
    assert list(fanout.feed([b"x"])) == []
