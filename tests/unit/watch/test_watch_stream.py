"""One stream alone, with virtual time between its tries."""

from __future__ import annotations

import json
import random
import threading
from contextlib import contextmanager

import pytest

from seatrial.core.clock import SystemClock
from seatrial.core.errors import ApiError, SeatrialError
from seatrial.core.model import Change, Record, Snapshot, dig
from seatrial.testing import VirtualClock
from seatrial.watch import Hub, Scope, Stream

TIMEOUT = 10.0


class Listener:
    """Collects what a stream delivers."""

    def __init__(self):
        self.changed = threading.Condition()
        self.deltas = []
        self.ended = threading.Event()
        self.broken = None
        self.gate = None

    @contextmanager
    def holding(self):
        """Holds deliveries back until the end of the block; gives the event of the first."""
        came, self.gate = threading.Event(), threading.Event()
        self.came = came
        yield came
        self.gate.set()

    def __call__(self, stream, deltas):
        if self.gate:
            self.came.set()
            assert self.gate.wait(TIMEOUT)
        if self.broken:
            error, self.broken = self.broken, None
            raise error
        with self.changed:
            self.deltas += deltas
            self.changed.notify_all()
        if stream.failure:
            self.ended.set()

    def until(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.deltas) >= count, TIMEOUT), self.deltas
            return [
                f"{d.change.value} {dig(d.object, 'metadata', 'name', default='')}".strip()
                for d in self.deltas
            ]


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def watching(connection, clock, listener):
    """Start a stream; it is stopped at the end of the test."""
    started = []

    def start(kind="Pod", *, clock=clock, idle_timeout=0.0, **scope):
        scope = Scope(connection.discovery.find(kind, "v1"), **scope)
        stream = Stream(connection, scope, listener, clock=clock, idle_timeout=idle_timeout)
        started.append(stream)
        stream.start()
        return stream

    yield start
    for stream in started:
        stream.stop()
        stream.join(TIMEOUT)
        assert not [t for t in threading.enumerate() if t.name == f"watch {stream.scope}"]


def line(kind, version, name="web"):
    meta = {"name": name, "namespace": "demo", "uid": name, "resourceVersion": version}
    return json.dumps({"type": kind, "object": {"kind": "Pod", "metadata": meta}}).encode() + b"\n"


def pod(name):
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "demo"}}


def test_pauses_grow_from_a_tenth_of_a_second_to_two(fake, clock, watching, listener):
    moves = []
    clock.on_move.append(moves.append)
    fake.refuse("read", 503, "", "not now", times=9, where=lambda one: one.path == "/api/v1/pods")
    fake.put(pod("web"))
    watching()
    listener.until(1)
    assert moves == pytest.approx([0.1, 0.3, 0.7, 1.5, 3.1, 5.1, 7.1, 9.1])


def test_a_server_that_ends_every_watch_at_once_is_not_run_over(fake, clock, watching, listener):
    moves = []
    clock.on_move.append(moves.append)
    watching()
    for number in range(4):
        fake.wait_for_watches(number + 1)
        fake.end()
    fake.wait_for_watches(5)
    assert moves == pytest.approx([0.1, 0.3, 0.7])


def test_a_watch_that_brought_something_is_resumed_without_a_pause(fake, clock, watching, listener):
    watching()
    for number in range(4):
        fake.wait_for_watches(number + 1)
        fake.put(pod(f"p{number}"))
        listener.until(number + 1)
        fake.end()
    fake.wait_for_watches(5)
    assert clock.now == 0


def test_a_refusal_after_a_list_is_borne_for_ten_seconds(fake, clock, watching, listener):
    fake.refuse("watch", 403, "Forbidden", "no longer yours", times=99)
    stream = watching(namespace="demo")
    assert listener.ended.wait(TIMEOUT)
    assert 10.0 <= clock.now < 13.0
    assert stream.failure.cause == ("the API server refused to watch pods in demo: no longer yours")


def test_refusals_apart_from_each_other_do_not_add_up(fake, clock, watching, listener):
    for _ in range(8):
        fake.refuse("watch", 403, "Forbidden", "not yet", times=3)
        fake.refuse("watch", 500, "InternalError", "stumbled")
    stream = watching()
    fake.wait_for_watches(1)
    assert clock.now > 20
    assert stream.failure is None


def test_a_watch_in_between_makes_earlier_refusals_forgotten(fake, clock, watching, listener):
    fake.refuse("watch", 403, "Forbidden", "not yet")
    stream = watching()
    fake.wait_for_watches(1)
    clock.advance(100)
    fake.refuse("watch", 403, "Forbidden", "not again")
    fake.end()
    fake.wait_for_watches(2)
    assert stream.failure is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
def test_a_first_list_that_is_refused_ends_the_stream(fake, clock, watching, listener, status):
    where = lambda one: one.path == "/api/v1/pods"  # noqa: E731 - one word for the next line
    fake.refuse("read", status, "Why", "because", where=where)
    stream = watching()
    assert listener.ended.wait(TIMEOUT)
    assert isinstance(stream.failure, ApiError)
    assert stream.failure.cause == "the API server refused to list pods: because"
    assert stream.failure.status == status
    assert clock.now == 0


def test_nothing_listening_is_trouble_and_not_the_end(fake, connection, watching, listener, clock):
    fake.put(pod("web"))
    seen = threading.Event()
    clock.on_move.append(lambda now: now > 5 and seen.set())
    stream = watching()
    fake.wait_for_watches(1)
    fake.stop_listening()
    fake.end()
    assert seen.wait(TIMEOUT)
    assert stream.failure is None
    assert stream.trouble.cause == (
        f"the API server cannot be reached at {fake.url}: connection refused"
    )
    assert stream.trouble.details == "while trying to watch pods"


def test_silence_ends_a_watch_and_it_is_resumed(fake, watching, listener):
    stream = watching(clock=SystemClock(), idle_timeout=0.05)
    fake.wait_for_watches(3)
    fake.put(pod("web"))
    assert listener.until(1) == ["ADDED web"]
    assert stream.trouble.cause == f"the API server at {fake.url} stopped answering in time"


@pytest.mark.parametrize(("kind", "seconds"), [("Event", "60"), ("Pod", "3600")])
def test_a_watch_of_events_is_ended_by_the_server_as_often_as_others_get_bookmarks(
    fake, watching, kind, seconds
):
    stream = watching(kind)
    fake.wait_for_watches(1)
    assert fake.seen("watch")[0].query["timeoutSeconds"] == seconds
    # what is silent for longer is dead
    assert stream._idle_timeout == 90


def event(name):
    return {"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "demo"}}


def silent_minutes(fake, clock, count, *, lasting=60.0, how="end"):
    """Lets watches come to their ends without having brought anything; gives where each began."""
    for _ in range(count):
        fake.wait_for_watches(fake.opened + (not fake.watches))
        opened = fake.opened
        clock.advance(lasting)
        fake.pass_by()
        getattr(fake, how)()
        fake.wait_for_watches(opened + 1)
    return [one.query["resourceVersion"] for one in fake.seen("watch")]


def test_a_silent_watch_of_events_moves_on_with_time(fake, clock, watching, listener):
    fake.put(event("e1"))
    watching("Event")
    # each begins where the one before the last had asked what the latest version was
    assert silent_minutes(fake, clock, 4) == ["101", "101", "102", "103", "104"]
    fake.compacted = 104
    fake.cut()
    fake.put(event("e2"))
    assert listener.until(2) == ["LISTED e1", "ADDED e2"]


def test_a_silent_watch_of_events_is_opened_again_without_a_pause(fake, clock, watching):
    watching("Event")
    silent_minutes(fake, clock, 6)
    assert clock.now == 6 * 60


def test_a_watch_that_was_cut_or_ended_early_proves_no_silence(fake, clock, watching):
    watching("Event")
    assert set(silent_minutes(fake, clock, 2, how="cut")) == {"100"}
    assert set(silent_minutes(fake, clock, 2, lasting=58.0)) == {"100"}


def test_a_silence_in_which_events_came_to_be_proves_nothing(fake, clock, watching):
    fake.put(event("e1"))
    watching("Event")
    fake.wait_for_watches(1)
    # as if the API server heard of an Event from etcd no more, but knew how many there are
    with fake.lock:
        fake.objects["Event", "demo", "e2"] = fake.objects["Event", "demo", "e1"]
    assert set(silent_minutes(fake, clock, 4)) == {"101"}


@pytest.mark.parametrize(
    ("told", "versions"),
    [
        ({"continue": "c", "remainingItemCount": 1}, ["102", "102", "150", "150"]),
        ({"continue": "c", "remainingItemCount": 2}, ["102", "102", "102", "102"]),
        ({"continue": "c"}, ["102", "102", "102", "102"]),
    ],
)
def test_silence_is_believed_if_the_number_of_events_agrees(fake, clock, watching, told, versions):
    for name in ("e1", "e2"):
        fake.put(event(name))
    watching("Event")
    fake.wait_for_watches(1)
    meta = {"resourceVersion": "150", **told}
    fake.texts["/api/v1/events"] = json.dumps({"metadata": meta, "items": [event("e1")]})
    assert silent_minutes(fake, clock, 3) == versions


def test_a_watch_that_brought_something_goes_on_from_there(fake, clock, watching, listener):
    watching("Event")
    fake.wait_for_watches(1)
    fake.put(event("e1"))
    listener.until(1)
    assert silent_minutes(fake, clock, 1) == ["100", "101"]


def test_a_custom_kind_is_kept_exactly_as_it_was_sent(fake, watching, listener, connection):
    fake.resources["example.com/v1"] = [("Odd", "odds", True)]
    odd = {"kind": "Odd", "metadata": {"name": "o", "namespace": "demo"}, "spec": {"free": True}}
    fake.put(odd)
    stream = Stream(
        connection,
        Scope(connection.discovery.find("Odd", "example.com/v1")),
        listener,
        clock=SystemClock(),
    )
    stream.start()
    fake.wait_for_watches(1)
    fake.put({**odd, "spec": {"free": 1}})
    listener.until(2)
    assert [repr(delta.object["spec"]["free"]) for delta in listener.deltas] == ["True", "1"]
    stream.stop()
    stream.join(TIMEOUT)


def test_what_a_change_leaves_as_it_was_is_there_once(fake, watching, listener):
    spec = {"containers": [{"name": "web", "image": "web:1"}]}
    for name in ("a", "b"):
        fake.put({**pod(name), "spec": spec})
    watching()
    fake.wait_for_watches(1)
    fake.put({**pod("a"), "spec": spec, "status": {"phase": "Running"}})
    fake.remove("Pod", "b", "demo")
    listener.until(4)
    assert len({id(delta.object["spec"]) for delta in listener.deltas}) == 1


def test_an_error_of_ours_does_not_end_a_thread_unseen(watching, listener):
    listener.broken = KeyError("oops")
    stream = watching(namespace="demo")
    assert listener.ended.wait(TIMEOUT)
    assert isinstance(stream.failure, SeatrialError)
    assert str(stream.failure) == "the watch of pods in demo broke: KeyError('oops')"
    assert isinstance(stream.failure.__cause__, KeyError)


def test_an_error_while_stopping_is_nobodys_business(fake, watching, listener):
    fake.put(pod("web"))
    with listener.holding() as held:
        stream = watching()
        assert held.wait(TIMEOUT)
        stream.stop()
        listener.broken = KeyError("too late")
    stream.join(TIMEOUT)
    assert stream.failure is None


def test_lines_that_wait_to_be_read_when_it_is_stopped_are_left(fake, watching, listener):
    stream = watching()
    fake.wait_for_watches(1)
    with listener.holding() as held:
        fake.send(line("ADDED", "101", "a") + line("ADDED", "102", "b"))
        assert held.wait(TIMEOUT)
        stream.stop()
    stream.join(TIMEOUT)
    assert listener.until(1) == ["ADDED a"]


def test_stopping_during_a_list_delivers_nothing(fake, watching, listener, monkeypatch):
    monkeypatch.setattr("seatrial.kube.objects.PAGE", 1)
    for number in range(3):
        fake.put(pod(f"p{number}"))
    stream = watching()
    fake.wait_for_watches(1)
    second = watching(namespace="demo")
    listener.until(6)
    fake.wait_for_watches(2)
    assert stream.scope != second.scope
    gate = fake.hold("read")
    third = watching(namespace="third")
    fake.until(lambda: [one for one in fake.seen("read") if "third" in one.path])
    third.stop()
    gate.set()
    third.join(TIMEOUT)
    assert len(listener.deltas) == 6


def test_versions_that_are_no_numbers_are_told_apart_only(fake, watching, listener):
    watching()
    fake.wait_for_watches(1)
    fake.send(line("ADDED", "abc"), line("ADDED", "abc"), line("MODIFIED", "aab"))
    fake.send(line("MODIFIED", "aab"), line("DELETED", "aaa"))
    fake.put(pod("last"))
    assert listener.until(4) == ["ADDED web", "MODIFIED web", "DELETED web", "ADDED last"]


def test_a_stream_tells_nothing_twice_by_itself(fake, watching, listener):
    stored = fake.put(pod("stays"))
    watching()
    fake.wait_for_watches(1)
    again = {"type": "MODIFIED", "object": stored}
    fake.remove("Pod", "stays", "demo")
    fake.send(again, again, line("DELETED", "200", "never-seen"))
    fake.revision = 200
    fake.put(pod("last"))
    assert listener.until(3) == ["LISTED stays", "DELETED stays", "ADDED last"]


def test_a_list_after_a_gap_tells_only_of_differences(fake, watching, listener):
    fake.put(pod("stays"))
    fake.put(pod("goes"))
    watching()
    fake.wait_for_watches(1)
    fake.hold("watch")
    fake.end()
    fake.remove("Pod", "goes", "demo")
    fake.compact()
    fake.gate["watch"].set()
    fake.wait_for_watches(2)
    fake.put(pod("last"))
    assert listener.until(5) == [
        "LISTED stays",
        "LISTED goes",
        "GAP",
        "DELETED goes",
        "ADDED last",
    ]


def test_a_scope_reads_well(connection):
    pods = connection.discovery.find("Pod", "v1")
    assert str(Scope(pods)) == "pods"
    assert str(Scope(pods, "demo", "app=web", "status.phase=Running")) == (
        "pods in demo (app=web status.phase=Running)"
    )


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_cut_the_story_stays_whole(fake, connection, seed):
    """Random changes, with random cuts, ends, bookmarks and compactions between them."""
    dice = random.Random(seed)  # noqa: S311 - a test's dice, to be thrown again
    fake.chunk = dice.choice([0, 1, 50])
    for number in range(5):
        fake.put(pod(f"p{number}"))
    with Hub(connection) as hub:
        hub.open("Pod", namespace="demo")
        for _ in range(60):
            act = dice.random()
            name = f"p{dice.randrange(12)}"
            if act < 0.5:
                fake.put(pod(name))
            elif act < 0.7 and ("Pod", "demo", name) in fake.objects:
                fake.remove("Pod", name, "demo")
            elif act < 0.8:
                fake.cut(dice.choice([b"", b'{"type":"AD']))
            elif act < 0.85:
                fake.end()
            elif act < 0.9:
                fake.bookmark()
            elif act < 0.95:
                fake.compact()
            else:
                fake.wait_for_watches(fake.opened + (not fake.watches))
        fake.put(pod("last"))

        with hub.changed:
            assert hub.changed.wait_for(lambda: hub.snapshot().get("Pod", "last"), TIMEOUT)
        records = hub.records()
        assert [record.number for record in records] == list(range(1, len(records) + 1))
        assert Snapshot.of_records(records) == hub.snapshot()
        there = {key[2]: obj["metadata"]["resourceVersion"] for key, obj in fake.objects.items()}
        assert {
            key[2]: obj["metadata"]["resourceVersion"]
            for key, obj in hub.snapshot().objects.items()
        } == there
        _assert_each_life_is_told_once(records)


def _assert_each_life_is_told_once(records: list[Record]):
    alive: dict[str, int] = {}
    for record in records:
        if record.change is Change.GAP:
            continue
        uid = record.object["metadata"]["uid"]
        version = int(record.object["metadata"]["resourceVersion"])
        if record.change in (Change.ADDED, Change.LISTED):
            assert uid not in alive
        else:
            assert uid in alive
            # what a list found to be gone is told with the version it was last seen in
            assert version > alive[uid] or record.change is Change.DELETED
        if record.change is Change.DELETED:
            del alive[uid]
        else:
            alive[uid] = version
