"""Waiting on a feed, and the scripted feed that stands in for a cluster."""

import threading

import pytest

from seatrial.core.clock import Deadline
from seatrial.core.errors import ClusterError
from seatrial.core.feed import wait_on
from seatrial.core.model import Change
from seatrial.testing import ScriptedFeed, VirtualClock


def pod(name, **more):
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "trial"}, **more}


def names(feed):
    return [obj["metadata"]["name"] for obj in feed.snapshot().all("Pod")]


def test_waiting_ends_when_the_look_finds_something():
    feed = ScriptedFeed().at(2.5, Change.ADDED, pod("flask"))
    deadline = Deadline.after(30, feed.clock)
    assert wait_on(feed, lambda: names(feed) or None, deadline) == ["flask"]
    assert feed.clock.now == 3.0  # the third look of one a second


def test_what_is_there_already_takes_no_time():
    feed = ScriptedFeed().at(0, Change.LISTED, pod("flask"))
    assert wait_on(feed, lambda: names(feed) or None, Deadline.after(30, feed.clock)) == ["flask"]
    assert feed.clock.now == 0


def test_a_wait_in_vain_ends_at_the_deadline_with_one_look_after_it():
    feed, looked = ScriptedFeed(), []

    def look():
        looked.append(feed.clock.now)

    assert wait_on(feed, look, Deadline.after(2.5, feed.clock), wake_within=1.0) is None
    assert looked == [0, 1, 2, 2.5]


def test_what_comes_true_at_the_very_deadline_counts():
    feed = ScriptedFeed().at(2.5, Change.ADDED, pod("flask"))
    assert wait_on(feed, lambda: names(feed) or None, Deadline.after(2.5, feed.clock)) == ["flask"]


def test_a_stream_that_ended_for_good_ends_the_wait_with_its_error():
    feed = ScriptedFeed()
    feed.failure = ClusterError("the API server is gone")
    with pytest.raises(ClusterError, match="the API server is gone"):
        wait_on(feed, lambda: None, Deadline.after(30, feed.clock))
    assert feed.clock.now == 0


def test_the_look_sees_one_moment_as_the_feed_is_held():
    feed = ScriptedFeed()
    free = []

    def look():
        def grab():
            free.append(feed.changed.acquire(blocking=False))

        thread = threading.Thread(target=grab)
        thread.start()
        thread.join()
        return True

    wait_on(feed, look, Deadline.after(1, feed.clock))
    assert free == [False]


def test_a_scripted_feed_delivers_in_the_order_of_time_and_numbers_what_it_delivers():
    feed = ScriptedFeed()
    feed.at(2, Change.DELETED, pod("a"))
    feed.at(1, Change.ADDED, pod("a"))
    feed.at(1, Change.ADDED, pod("b"))
    feed.clock.advance(5)
    assert [(r.number, r.received, r.change, r.ref.name) for r in feed.records()] == [
        (1, 1, Change.ADDED, "a"),
        (2, 1, Change.ADDED, "b"),
        (3, 2, Change.DELETED, "a"),
    ]
    assert names(feed) == ["b"]
    assert (feed.records()[0].wall - VirtualClock.EPOCH).total_seconds() == 1
    feed.check()


def test_records_are_asked_for_by_kind_and_from_a_number_on():
    feed = ScriptedFeed()
    feed.at(0, Change.ADDED, pod("a"))
    feed.at(0, Change.ADDED, {"kind": "Event", "metadata": {"name": "e"}})
    feed.at(0, Change.GAP, kind="Pod", note="410 Gone")
    assert [r.number for r in feed.records("Pod")] == [1, 3]
    assert [r.number for r in feed.records(after=1)] == [2, 3]
    assert [r.note for r in feed.records("Pod", after=1)] == ["410 Gone"]


def test_a_virtual_clock_tells_the_time_of_day_by_the_time_that_went_by():
    clock = VirtualClock()
    clock.advance(90)
    assert clock.monotonic() == 90
    assert clock.wall().isoformat() == "2030-01-01T00:01:30+00:00"
