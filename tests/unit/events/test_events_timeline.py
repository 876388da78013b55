import pytest
from events_kit import DEPLOYMENT, POD, REPLICASET, added, raw, rollout, watching

from seatrial.core.errors import ClusterError, ConfigurationError, EventMismatchError
from seatrial.core.model import Change
from seatrial.events import (
    Timeline,
    any_order,
    each_pod,
    event,
    in_order,
    never,
    one_of,
    optional,
    repeated,
)
from seatrial.testing import ScriptedFeed

ORDER = in_order(
    event("ScalingReplicaSet", on=DEPLOYMENT),
    event("SuccessfulCreate", on="ReplicaSet/flask-*"),
    each_pod("Scheduled", "Pulled", "Created", "Started", of=DEPLOYMENT),
)


def reasons(timeline):
    return [seen.reason for seen in timeline]


# ---- what is in it, and in which order


def test_watched_events_stand_in_the_order_of_their_receipt():
    clock, _, timeline = watching(*rollout())
    clock.advance(5)
    assert reasons(timeline) == [
        "ScalingReplicaSet",
        "SuccessfulCreate",
        "Scheduled",
        "Pulled",
        "Created",
        "Started",
    ]
    assert [seen.number for seen in timeline] == [1, 2, 3, 4, 5, 6]
    assert len(timeline) == 6


def test_only_what_has_been_delivered_is_there():
    clock, _, timeline = watching(*rollout())
    assert len(timeline) == 0
    clock.advance(0.5)
    assert reasons(timeline) == ["ScalingReplicaSet", "SuccessfulCreate", "Scheduled"]


def test_listed_events_are_ordered_by_revision_before_all_watched_ones():
    _, _, timeline = watching(
        (0, Change.LISTED, raw("C", revision=30, at=1)),
        (0, Change.LISTED, raw("A", revision=9, at=3)),
        (0, Change.LISTED, raw("B", revision=10, at=2)),
        (0, Change.ADDED, raw("D", revision=31)),
    )
    assert reasons(timeline) == ["A", "B", "C", "D"]
    assert [seen.listed for seen in timeline] == [True, True, True, False]


def test_watched_events_without_a_revision_stay_behind_what_was_listed():
    _, _, timeline = watching(
        (0, Change.LISTED, raw("A", revision=30)),
        (0, Change.ADDED, raw("C", revision="")),
        (0, Change.ADDED, raw("B", revision="")),
    )
    assert reasons(timeline) == ["A", "C", "B"]


def test_a_list_after_a_gap_doubles_nothing_and_brings_what_was_missed():
    pulled = raw("Pulled", uid="e1", revision=5)
    _, _, timeline = watching(
        (0, Change.ADDED, pulled),
        (1, Change.GAP, {}),
        (1, Change.LISTED, raw("Started", uid="e3", revision=9)),
        (1, Change.LISTED, pulled),
        (1, Change.LISTED, raw("Created", uid="e2", revision=7)),
        (2, Change.ADDED, raw("Killing", uid="e4", revision=11)),
    )
    timeline.expect("Killing", within=5)
    assert reasons(timeline) == ["Pulled", "Created", "Started", "Killing"]
    assert [gap.received for gap in timeline.gaps] == [1.0]


def test_numbers_follow_when_a_list_puts_an_event_between_others():
    _, feed, timeline = watching(added(0, "A", revision=5), added(0, "C", revision=9))
    assert [(s.number, s.reason) for s in timeline] == [(1, "A"), (2, "C")]
    feed.at(0, Change.LISTED, raw("B", revision=7), kind="Event")
    assert [(s.number, s.reason) for s in timeline] == [(1, "A"), (2, "B"), (3, "C")]


def test_a_repetition_is_an_occurrence_of_its_own_and_knows_how_many_it_stands_for():
    _, _, timeline = watching(
        added(0, "BackOff", uid="e1", revision=1, count=1),
        (0, Change.MODIFIED, raw("BackOff", uid="e1", revision=2, count=4)),
    )
    assert [(seen.count, seen.new) for seen in timeline] == [(1, 1), (4, 3)]


def test_a_change_that_does_not_raise_the_count_is_no_occurrence():
    _, _, timeline = watching(
        added(0, "BackOff", uid="e1", revision=1, count=2),
        (0, Change.MODIFIED, raw("BackOff", uid="e1", revision=2, count=2)),
    )
    assert [(seen.count, seen.new) for seen in timeline] == [(2, 2)]


def test_the_deletion_of_an_event_is_not_an_event():
    _, _, timeline = watching(
        added(0, "Pulled", uid="e1", revision=1),
        (0, Change.DELETED, raw("Pulled", uid="e1", revision=2)),
    )
    assert len(timeline) == 1


def test_events_without_uid_or_revision_are_never_taken_for_doubles():
    _, _, timeline = watching(
        added(0, "Pulled", uid="", revision=4), added(0, "Pulled", uid="", revision=4)
    )
    assert [seen.new for seen in timeline] == [1, 1]


def test_records_up_to_the_start_are_left_out_but_still_known():
    old = raw("BackOff", uid="e1", revision=1, count=3)
    steps = [
        (0, Change.LISTED, old),
        (0, Change.GAP, {}),
        added(0, "Pulled"),
        (1, Change.LISTED, old),
        (2, Change.MODIFIED, raw("BackOff", uid="e1", revision=9**9, count=5)),
        (3, Change.GAP, {}),
    ]
    clock, _, timeline = watching(*steps, start=3)
    clock.advance(5)
    assert [(seen.reason, seen.count, seen.new) for seen in timeline] == [("BackOff", 5, 2)]
    assert [gap.received for gap in timeline.gaps] == [3.0]


def in_the_other_api(event):
    """The same Event object as events.k8s.io/v1 shows it."""
    renamed = {
        "involvedObject": "regarding",
        "message": "note",
        "count": "deprecatedCount",
        "source": "deprecatedSource",
        "lastTimestamp": "deprecatedLastTimestamp",
        "apiVersion": "apiVersion",
    }
    return {renamed.get(key, key): value for key, value in event.items()} | {
        "apiVersion": "events.k8s.io/v1"
    }


def test_an_event_that_is_watched_through_both_apis_is_there_once():
    once = raw("BackOff", POD, uid="e1", revision=5, message="Back-off")
    twice = raw("BackOff", POD, uid="e1", revision=7, message="Back-off", count=2)
    other = raw("Pulled", POD, uid="e2", revision=6)
    _, _, timeline = watching(
        (0, Change.LISTED, once),
        (0, Change.LISTED, in_the_other_api(once)),
        (0, Change.ADDED, in_the_other_api(other)),
        (0, Change.ADDED, other),
        (0, Change.MODIFIED, twice),
        (0, Change.MODIFIED, in_the_other_api(twice)),
        (0, Change.DELETED, in_the_other_api(twice)),
    )
    assert [(s.reason, s.count, s.new, str(s.object)) for s in timeline] == [
        ("BackOff", 1, 1, POD),
        ("Pulled", 1, 1, POD),
        ("BackOff", 2, 1, POD),
    ]


def test_other_kinds_of_records_are_not_looked_at():
    _, feed, timeline = watching(added(0, "Pulled"))
    feed.at(0, Change.ADDED, {"kind": "Pod", "metadata": {"name": "x"}})
    feed.at(0, Change.GAP, kind="Pod", note="410 Gone")
    assert len(timeline) == 1
    assert timeline.gaps == ()


def test_its_time_begins_when_it_was_made_or_with_the_first_record_before():
    clock, feed, _ = watching(added(2, "Pulled"))
    clock.advance(7)
    assert Timeline(feed).opened == 2.0
    assert Timeline(feed, start=1).opened == 7.0


def test_it_can_be_filtered():
    clock, _, timeline = watching(*rollout())
    clock.advance(5)
    assert [s.reason for s in timeline.of(object="ReplicaSet/flask-*")] == ["SuccessfulCreate"]
    assert [s.reason for s in timeline.of(POD, container="web")] == ["Pulled", "Created", "Started"]
    assert [s.reason for s in timeline.of("Pod", source="default-scheduler")] == ["Scheduled"]
    assert [str(s.object) for s in timeline.of(reason="ScalingReplicaSet")] == [DEPLOYMENT]
    assert timeline.of(type="Warning") == ()
    assert len(timeline.of()) == 6


# ---- expectations


@pytest.mark.parametrize("kubernetes", ["1.34", "1.37"])
def test_a_rollout_is_waited_for_no_longer_than_it_takes(kubernetes):
    clock, _, timeline = watching(*rollout(kubernetes))
    match = timeline.expect(ORDER, within=30)
    assert clock.now == 2.0  # looked at once a second
    assert [seen.reason for seen in match] == reasons(timeline)
    assert match["Started"].received == 1.02


@pytest.mark.parametrize(
    ("kubernetes", "created"), [("1.34", "Created container: web"), ("1.37", "Container created")]
)
def test_a_message_of_one_release_is_not_that_of_another(kubernetes, created):
    _, _, timeline = watching(*rollout(kubernetes))
    assert (
        timeline.expect(event("Created", message=created), within=3)["Created"].container == "web"
    )
    other = {"1.34": "Container created", "1.37": "Created container: web"}[kubernetes]
    with pytest.raises(EventMismatchError, match="Created, but it was seen only where message is"):
        timeline.expect(event("Created", message=other))


def test_without_a_time_the_patterns_must_fit_at_once():
    clock, _, timeline = watching(*rollout())
    with pytest.raises(EventMismatchError) as missing:
        timeline.expect("Started")
    assert missing.value.cause == "expected Started, but it was not seen"
    assert clock.now == 0
    clock.advance(5)
    timeline.expect("Started")
    assert clock.now == 5


def test_several_patterns_hold_each_for_itself():
    clock, _, timeline = watching(*rollout())
    clock.advance(5)
    match = timeline.expect("Started", in_order("Created", "Started"), never("BackOff"))
    assert len(match) == 3
    assert [seen.reason for seen in match] == ["Created", "Started"]
    assert [seen.reason for seen in match.all("Started")] == ["Started", "Started"]


def test_a_match_is_asked_by_reason_or_by_leaf():
    clock, _, timeline = watching(*rollout(), *rollout(pod="Pod/flask-6d4-xyz"))
    clock.advance(5)
    started = event("Started", container="web")
    match = timeline.expect(
        each_pod("Scheduled", started, of=DEPLOYMENT),
        in_order("Pulled", event("Created", type="Normal"), on=POD),
    )
    assert [str(seen.object) for seen in match.all(started)] == [POD, "Pod/flask-6d4-xyz"]
    assert match[event("Created", type="Normal")] is match["Created"]
    assert match[event("Pulled", on=POD)] is match["Pulled"]
    for absent in ("Killing", event("Pulled", on="Pod/other")):
        with pytest.raises(KeyError):
            match[absent]
    leaf, seen = match.pairs[0]
    assert (leaf.reason, seen.reason) == ("Scheduled", "Scheduled")


def test_time_that_runs_out_is_time_that_was_waited():
    clock, _, timeline = watching(*rollout()[:-1])
    with pytest.raises(EventMismatchError) as missing:
        timeline.expect(ORDER, within=5)
    assert clock.now == 5
    assert missing.value.cause == (
        "expected Pod/flask-6d4-abc: Started after Created, but Started was not seen within 5 s"
    )


def test_what_must_never_be_has_the_whole_time_waited_for():
    clock, _, timeline = watching(*rollout())
    timeline.expect(ORDER, never(event("BackOff", on="Pod")), within=12)
    assert clock.now == 12


def test_what_must_never_be_ends_the_wait_at_once():
    clock, _, timeline = watching(
        *rollout()[:-1], added(1.2, "BackOff", POD, type="Warning", message="restarting web")
    )
    with pytest.raises(EventMismatchError) as violated:
        timeline.expect(ORDER, never(event("BackOff", on="Pod")), within=60)
    assert clock.now == 2.0
    assert violated.value.cause == (
        "expected no BackOff on any Pod, but it was seen at 1.20s on Pod/flask-6d4-abc: "
        "restarting web"
    )


def test_never_means_none_of_the_leaves_in_whatever_order():
    clock, _, timeline = watching(*rollout())
    clock.advance(5)
    timeline.expect(never(any_order("BackOff", event("Started", type="Warning"))))
    with pytest.raises(
        EventMismatchError, match=r"expected no Scheduled, but it was seen at 0\.22s"
    ):
        timeline.expect(never(in_order("Started", "Scheduled")))
    with pytest.raises(EventMismatchError, match="expected no Pulled on Pod/flask-6d4-abc, but"):
        timeline.expect(never(each_pod("Killing", "Pulled", of=DEPLOYMENT)))


def backoff(at, count=1):
    uid, change = "back-off", Change.MODIFIED if count > 1 else Change.ADDED
    event = raw("BackOff", POD, type="Warning", message="restarting web", count=count, uid=uid)
    return at, change, event


def test_at_most_has_the_whole_time_waited_for():
    clock, _, timeline = watching(*rollout(), backoff(2), backoff(3, 2))
    match = timeline.expect(ORDER, repeated(event("BackOff", on="Pod"), at_most=2), within=12)
    assert clock.now == 12
    assert [seen.count for seen in match.all("BackOff")] == [1]
    clock, _, timeline = watching(*rollout())
    timeline.expect(repeated("BackOff", at_least=0, at_most=2), within=3)
    assert clock.now == 3


def test_one_more_than_at_most_ends_the_wait_at_once():
    clock, _, timeline = watching(*rollout()[:-1], backoff(2), backoff(3, 3))
    with pytest.raises(EventMismatchError) as violated:
        timeline.expect(ORDER, each_pod(repeated("BackOff", at_most=2)), within=60)
    assert clock.now == 3
    assert violated.value.cause == (
        "expected BackOff 1 to 2 times on Pod/flask-6d4-abc, but it was seen 3 times, last at "
        "3.00s: restart…"
    )


def test_at_most_cannot_be_proven_over_a_gap():
    clock, feed, timeline = watching(*rollout(), backoff(2))
    feed.at(2.5, Change.GAP, kind="Event", note="410 Gone")
    with pytest.raises(EventMismatchError) as unproven:
        timeline.expect(ORDER, in_order("Started", repeated("BackOff", at_most=2)), within=60)
    assert clock.now == 3
    assert unproven.value.cause == (
        "expected BackOff 1 to 2 times, which cannot be proven: the stream had a gap at 2.50s "
        "(410 Gone)"
    )
    assert unproven.value.hint == "events may have been lost there; run the test again"


def test_a_repetition_is_waited_for_as_its_count_rises():
    clock, _, timeline = watching(*rollout(), backoff(2), backoff(5, 3))
    match = timeline.expect(in_order("Started", repeated("BackOff", at_least=3)), within=60)
    assert clock.now == 5
    # a delivery that stands for several times is one occurrence
    assert [(seen.count, seen.new) for seen in match.all("BackOff")] == [(1, 1), (3, 2)]
    assert len(match) == 3


def test_what_takes_no_part_is_not_in_the_match():
    clock, _, timeline = watching(*rollout())
    clock.advance(5)
    match = timeline.expect(
        in_order(
            "Scheduled",
            optional("Pulling"),
            one_of("Pulled", "ErrImageNeverPull"),
            one_of(in_order("Created", "Killing"), in_order("Created", "Started")),
        )
    )
    assert [leaf.reason for leaf, _ in match.pairs] == [
        "Scheduled",
        "Pulled",
        "Created",
        "Started",
    ]
    with pytest.raises(KeyError):
        match["Pulling"]


def test_the_time_of_an_event_counts_from_the_opening():
    clock, feed, _ = watching()
    clock.advance(10)
    feed.at(12, *added(0, "Started", POD)[1:])
    timeline = Timeline(feed)
    timeline.expect(event("Started", within=2), within=3)
    with pytest.raises(EventMismatchError, match="in the first 1 s, but it was first seen at 2"):
        timeline.expect(event("Started", within=1))


def test_an_absence_cannot_be_proven_over_a_gap_and_is_not_waited_for():
    clock, feed, timeline = watching(*rollout())
    feed.at(2.5, Change.GAP, kind="Event", note="410 Gone")
    with pytest.raises(EventMismatchError) as unproven:
        timeline.expect(ORDER, never("BackOff"), within=60)
    assert clock.now == 3
    assert unproven.value.cause == (
        "expected no BackOff, which cannot be proven: the stream had a gap at 2.50s (410 Gone)"
    )
    assert unproven.value.hint == "events may have been lost there; run the test again"


def test_an_occurrence_after_a_gap_still_shows_what_must_never_be():
    _, feed, timeline = watching(added(0, "BackOff", POD))
    feed.at(0, Change.GAP, kind="Event")
    with pytest.raises(EventMismatchError, match=r"expected no BackOff, but it was seen at 0\.00s"):
        timeline.expect(never("BackOff"))


def test_a_gap_does_not_matter_to_what_was_seen():
    clock, feed, timeline = watching(*rollout())
    feed.at(3, Change.GAP, kind="Event")
    clock.advance(5)
    assert len(timeline.expect(ORDER)) == 6


def test_a_stream_that_has_ended_for_good_ends_the_wait_with_its_error():
    clock, feed, timeline = watching()
    feed.failure = ClusterError("the API server is gone")
    with pytest.raises(ClusterError, match="the API server is gone"):
        timeline.expect("Started", within=60)
    assert clock.now == 0


class _LateFeed(ScriptedFeed):
    """A feed whose time runs out between a look and the end of the wait, as real time does."""

    def check(self):
        if self.clock.now == 0:
            self.clock.now = 4.0

    def records(self, kind="", *, after=0):
        found = super().records(kind, after=after)
        if self.clock.now == 4.0:
            self.clock.advance(2.0)
        return found


def test_what_arrives_as_the_time_runs_out_is_still_seen():
    feed = _LateFeed()
    feed.at(5.5, *added(0, "Started")[1:])
    timeline = Timeline(feed)
    assert timeline.expect("Started", within=5)["Started"].received == 5.5


def test_never_holds_if_time_runs_out_just_after_the_last_look():
    feed = _LateFeed()
    match = Timeline(feed).expect(never("Started"), within=5)
    assert len(match) == 0
    assert feed.clock.now == 6.0


@pytest.mark.parametrize(
    ("patterns", "text"),
    [
        ((), "expect() needs at least one pattern"),
        ((7,), "expect: 7 is no event pattern"),
        (("",), "an event pattern needs a reason"),
    ],
)
def test_what_is_no_pattern_is_refused(patterns, text):
    _, _, timeline = watching()
    with pytest.raises(ConfigurationError) as refused:
        timeline.expect(*patterns)
    assert str(refused.value).startswith(text)


def test_the_tie_can_be_set():
    feed = ScriptedFeed()
    feed.at(0, *added(0, "Scheduled", POD)[1:])
    feed.at(1, *added(0, "SuccessfulCreate", REPLICASET)[1:])
    feed.clock.advance(2)
    order = in_order("SuccessfulCreate", "Scheduled")
    assert len(Timeline(feed).expect(order)) == 2
    with pytest.raises(EventMismatchError, match="Scheduled was seen before SuccessfulCreate"):
        Timeline(feed, tie=0.5).expect(order)
