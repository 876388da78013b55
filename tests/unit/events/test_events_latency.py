"""How long each Pod took, and budgets for it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from events_kit import EPOCH, added, history, raw, seen, watching

from seatrial.core.errors import ConfigurationError, EventMismatchError
from seatrial.core.model import Change, State
from seatrial.events import event
from seatrial.events.budgets import budget
from seatrial.events.latency import latency_of
from seatrial.events.matching import TIE

DEPLOYMENT = "Deployment/flask"


def started(pod, *, at=0.0, took=1.0):
    return [(at, "Scheduled", f"Pod/{pod}"), (at + took, "Started", f"Pod/{pod}")]


def rollout(*seconds):
    """Pods flask-0, flask-1, … that took so long from Scheduled to Started."""
    steps = [step for n, took in enumerate(seconds) for step in started(f"flask-{n}", took=took)]
    return history(*sorted(steps))


def latency(occurrences, start="Scheduled", end="Started", *, of=None):
    return latency_of(occurrences, start, end, of=of, tie=TIE)


def listed(reason, on="Pod/flask-0", *, at, stamped=True, **more):
    """Listed at second 100, stamped by its component at that second, cut to whole ones."""
    stamp = EPOCH + timedelta(seconds=int(at)) if stamped else None
    return seen(reason, on, at=100.0, listed=True, stamped=stamp, **more)


# ---- what a Pod took


def test_each_pod_is_timed_from_the_first_event_to_the_second():
    found = latency(rollout(1.5, 0.5, 4.0))
    assert {str(pod): seconds for pod, seconds in found.per_pod.items()} == {
        "Pod/flask-2": 4.0,
        "Pod/flask-0": 1.5,
        "Pod/flask-1": 0.5,
    }
    assert len(found) == 3
    assert found
    assert found.accuracy == 0
    assert found.incomplete == ()


def test_the_slowest_pod_comes_first():
    found = latency(rollout(1.5, 0.5, 4.0))
    assert list(found.per_pod.values()) == [4.0, 1.5, 0.5]


def test_only_the_pods_that_were_asked_for_are_timed():
    found = latency(history(*started("flask-0"), *started("redis-0", at=2.0)), of=DEPLOYMENT)
    assert [str(pod) for pod in found.per_pod] == ["Pod/flask-0"]


def test_of_several_occurrences_the_first_start_and_the_first_end_after_it_count():
    found = latency(
        history(
            (1.0, "Scheduled", "Pod/flask-0"),
            (2.0, "Started", "Pod/flask-0"),
            (3.0, "Scheduled", "Pod/flask-0"),
            (9.0, "Started", "Pod/flask-0"),
        )
    )
    assert list(found.per_pod.values()) == [1.0]


def test_from_an_event_to_itself_is_from_the_first_to_the_second():
    restarts = history((1.0, "Started", "Pod/flask-0"), (8.0, "Started", "Pod/flask-0"))
    assert list(latency(restarts, "Started", "Started").per_pod.values()) == [7.0]


def test_an_end_that_was_written_a_tie_before_its_start_took_no_time():
    found = latency(history((1.0, "Pulling", "Pod/x"), (2.5, "Scheduled", "Pod/x")), end="Pulling")
    assert list(found.per_pod.values()) == [0.0]
    assert found.pods[0].phases == (("Scheduled→Pulling", 0.0),)


def test_a_pod_of_the_same_name_that_came_later_is_another_one():
    again = [replace(s, object=replace(s.object, uid="second")) for s in rollout(2.0)]
    assert len(latency([*rollout(1.0), *again])) == 2


def test_an_event_can_be_said_more_precisely():
    occurrences = [
        seen("Scheduled", "Pod/x", at=1.0),
        seen("Started", "Pod/x", at=2.0, container="proxy"),
        seen("Started", "Pod/x", at=4.0, container="web"),
    ]
    found = latency(occurrences, end=event("Started", container="web"))
    assert list(found.per_pod.values()) == [3.0]


def test_where_the_time_went_is_told_by_the_events_in_between():
    found = latency(
        history(
            (1.0, "Scheduled", "Pod/x"),
            (1.5, "FailedMount", "Pod/x"),
            (3.5, "FailedMount", "Pod/x"),
            (5.0, "Pulling", "Pod/x"),
            (5.25, "Pulled", "Pod/x"),
            (6.0, "Started", "Pod/x"),
            (7.0, "Killing", "Pod/x"),
        )
    )
    assert found.pods[0].phases == (
        ("Scheduled→FailedMount", 0.5),
        ("FailedMount→Pulling", 3.5),
        ("Pulling→Pulled", 0.25),
        ("Pulled→Started", 0.75),
    )
    assert found.pods[0].longest == ("FailedMount→Pulling", 3.5)


# ---- what cannot be timed is said


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([(1.0, "Scheduled", "Pod/x")], "Scheduled, but not Started"),
        ([(1.0, "Started", "Pod/x")], "Started, but Scheduled was not seen"),
        (
            [(1.0, "Started", "Pod/x"), (9.0, "Scheduled", "Pod/x")],
            "Scheduled, Started was seen only before",
        ),
    ],
)
def test_a_pod_with_one_of_the_two_is_incomplete(steps, why):
    found = latency(history(*steps, *started("y", at=10.0)))
    assert [(str(one.pod), one.why) for one in found.incomplete] == [("Pod/x", why)]
    assert len(found) == 1


def test_a_pod_with_neither_of_the_two_is_not_there():
    found = latency(history((1.0, "Killing", "Pod/x")))
    assert not found
    assert not found.incomplete


def test_of_a_counted_delivery_it_is_not_known_when_the_first_was():
    occurrences = [seen("Scheduled", at=1.0), seen("Started", at=9.0, count=4, new=4)]
    (one,) = latency(occurrences).incomplete
    assert one.why == "Started came as 4 at once, so when the first was is not known"


def test_a_listed_event_without_a_time_is_not_timed():
    occurrences = [listed("Scheduled", at=1, stamped=False), seen("Started", "Pod/flask-0", at=101)]
    (one,) = latency(occurrences).incomplete
    assert one.why == "Scheduled was listed, and has no time"


def test_what_was_listed_is_right_to_a_second():
    found = latency([listed("Scheduled", at=1.9), listed("Started", at=5.2)])
    assert list(found.per_pod.values()) == [4.0]
    assert found.accuracy == 1.0
    half = latency([listed("Scheduled", at=98.5), seen("Started", "Pod/flask-0", at=101.0)])
    assert list(half.per_pod.values()) == [3.0]
    assert half.accuracy == 1.0


@pytest.mark.parametrize("start", [event("Scheduled", on="Node/n"), "Scheduled"])
def test_what_is_no_event_of_a_pod_is_refused(start):
    end = event("NodeReady", on="Node/n")
    with pytest.raises(ConfigurationError):
        latency([], start, end)


def test_only_single_events_can_be_timed():
    with pytest.raises(ConfigurationError, match="no single event"):
        latency([], ["Scheduled"])


# ---- statistics


def test_a_percentile_is_by_nearest_rank():
    found = latency(rollout(*range(1, 11)))
    expected = {1: 1, 10: 1, 11: 2, 50: 5, 90: 9, 90.1: 10, 99: 10, 100: 10}
    assert {percent: found.p(percent) for percent in expected} == expected
    assert (found.p50, found.p90, found.p99) == (5, 9, 10)
    assert (found.min, found.max, found.mean) == (1, 10, 5.5)


def test_a_percentile_of_a_hundred_is_exact():
    found = latency(rollout(*range(1, 101)))
    assert [found.p(percent) for percent in range(1, 101)] == list(range(1, 101))


@pytest.mark.parametrize("percent", [0, -1, 100.5])
def test_a_percentile_that_is_none_is_refused(percent):
    with pytest.raises(ConfigurationError, match="above 0 and up to 100"):
        latency(rollout(1.0)).p(percent)


@pytest.mark.parametrize("statistic", ["p50", "p90", "p99", "max", "min", "mean"])
def test_a_statistic_over_no_pods_is_refused(statistic):
    found = latency(history((1.0, "Scheduled", "Pod/x")))
    with pytest.raises(EventMismatchError) as raised:
        getattr(found, statistic)
    assert str(raised.value).splitlines()[:3] == [
        "no Pod's time from Scheduled to Started is known",
        "  Scheduled → Started: 0 pods, 1 incomplete",
        "    Pod/x  incomplete: Scheduled, but not Started",
    ]


def test_it_prints_as_a_table_with_the_slowest_first():
    occurrences = history(
        (0.0, "Scheduled", "Pod/flask-long"),
        (0.5, "Pulling", "Pod/flask-long"),
        *started("flask-0", at=1.0),
        (7.25, "Started", "Pod/flask-long"),
        (8.0, "Scheduled", "Pod/flask-2"),
    )
    assert str(latency(occurrences, of=DEPLOYMENT)).splitlines() == [
        "Scheduled → Started of Deployment/flask: 2 pods, 1 incomplete",
        "  p50 1.00  p90 7.25  p99 7.25  max 7.25  mean 4.12 s",
        "  Pod/flask-2     incomplete: Scheduled, but not Started",
        "  Pod/flask-long     7.25 s  Scheduled 0.50 Pulling 6.75 Started",
        "  Pod/flask-0        1.00 s  Scheduled 1.00 Started",
    ]


def test_a_table_of_many_pods_shows_the_slowest():
    waiting = [(50.0, "Scheduled", f"Pod/w-{n}") for n in range(12)]
    lines = str(latency([*rollout(*range(1, 31)), *history(*waiting)])).splitlines()
    assert "30 pods, 12 incomplete" in lines[0]
    assert lines[12] == "  … 2 more incomplete ones"
    assert lines[13].split()[:2] == ["Pod/flask-29", "30.00"]
    assert lines[-1] == "  … 20 faster ones"
    assert len(lines) == 2 + 11 + 11


def test_a_table_says_how_accurate_it_is():
    found = latency([listed("Scheduled", at=1.9), listed("Started", at=5.2)])
    assert str(found).splitlines()[1].endswith("mean 4.00 s  (± 1 s)")


# ---- budgets


def judged(allowed, occurrences, *, now=60.0, gap=""):
    return allowed.judge(allowed.latency(occurrences, tie=TIE), now=now, gap=gap)


def test_a_budget_that_is_kept_is_satisfied():
    verdict = judged(budget("Scheduled", "Started", p99=5, p50=2), rollout(1.0, 2.0, 5.0))
    assert verdict.state is State.SATISFIED
    assert verdict.message == "Scheduled→Started: p50 ≤ 2 s, p99 ≤ 5 s"


@pytest.mark.parametrize(
    "text", ["Scheduled→Started", "Scheduled -> Started", " Scheduled→Started "]
)
def test_a_budget_can_be_written_with_an_arrow(text):
    assert budget(text, p99=5) == budget("Scheduled", "Started", p99=5)


@pytest.mark.parametrize(
    ("limits", "over"),
    [
        ({"p50": 1.9, "p99": 9}, "p50 is 2.00 s, at most 1.9 s"),
        ({"p90": 4}, "p90 is 5.00 s, at most 4 s"),
        ({"p95": 4}, "p95 is 5.00 s, at most 4 s"),
        ({"p99": 4}, "p99 is 5.00 s, at most 4 s"),
    ],
)
def test_a_percentile_above_its_limit_is_waited_for_as_more_pods_may_bring_it_down(limits, over):
    verdict = judged(budget("Scheduled", "Started", **limits), rollout(1.0, 2.0, 5.0))
    assert verdict.state is State.WAITING
    assert over in verdict.message
    assert "Pod/flask-2 took 5.00 s for Scheduled→Started" in verdict.message


def test_one_pod_above_the_maximum_ends_it():
    verdict = judged(budget("Scheduled", "Started", max=4), rollout(1.0, 5.0))
    assert verdict.state is State.IMPOSSIBLE
    assert "max is 5.00 s, at most 4 s" in verdict.message


def test_a_pod_that_has_taken_too_long_already_ends_it():
    occurrences = history((1.0, "Scheduled", "Pod/x"))
    allowed = budget("Scheduled", "Started", max=4)
    assert judged(allowed, occurrences, now=5.0).state is State.WAITING
    verdict = judged(allowed, occurrences, now=5.5)
    assert verdict.state is State.IMPOSSIBLE
    assert "Pod/x has taken 4.50 s so far: Scheduled, but not Started" in verdict.message


def test_a_pod_that_began_before_the_watch_is_given_the_second_of_its_stamp():
    occurrences = [listed("Scheduled", at=99.9)]
    allowed = budget("Scheduled", "Started", max=4)
    assert judged(allowed, occurrences, now=104.0).state is State.WAITING
    assert judged(allowed, occurrences, now=104.1).state is State.IMPOSSIBLE


def test_pods_whose_end_is_known_but_not_their_start_keep_it_waiting():
    occurrences = [*rollout(1.0), *history((2.0, "Started", "Pod/x"))]
    verdict = judged(budget("Scheduled", "Started", max=4), occurrences)
    assert verdict.state is State.WAITING
    assert "Pod/x is incomplete: Started, but Scheduled was not seen" in verdict.message


def test_without_any_pod_a_budget_is_not_kept():
    verdict = judged(budget("Scheduled", "Started", p99=5), [])
    assert verdict.state is State.WAITING
    assert "0 of 1 pods went from Scheduled to Started" in verdict.message


def test_as_many_pods_as_are_said_are_waited_for():
    allowed = budget("Scheduled", "Started", p99=5, pods=3)
    assert "2 of 3 pods" in judged(allowed, rollout(1.0, 1.0)).message
    assert judged(allowed, rollout(1.0, 1.0, 1.0)).state is State.SATISFIED


def test_a_gap_keeps_a_budget_from_being_proven():
    verdict = judged(budget("Scheduled", "Started", p99=5), rollout(1.0), gap="there was a gap")
    assert verdict.state is State.IMPOSSIBLE
    assert "cannot be proven, as there was a gap" in verdict.message
    assert "pods=" in verdict.hint


def test_a_gap_does_no_harm_if_no_pod_can_be_missing():
    allowed = budget("Scheduled", "Started", p99=5, pods=2)
    assert judged(allowed, rollout(1.0, 2.0), gap="a gap").state is State.SATISFIED
    assert judged(allowed, rollout(1.0), gap="a gap").state is State.IMPOSSIBLE


def test_a_gap_that_may_have_taken_one_end_of_a_pod_does_harm():
    occurrences = [*rollout(1.0, 2.0), *history((3.0, "Scheduled", "Pod/x"))]
    allowed = budget("Scheduled", "Started", p99=5, pods=2)
    assert judged(allowed, occurrences, gap="a gap").state is State.IMPOSSIBLE


@pytest.mark.parametrize(
    ("limit", "state", "reason"),
    [(5.0, State.SATISFIED, "WithinBudget"), (4.5, State.WAITING, "TooClose"),
     (3.0, State.WAITING, "TooClose"), (2.9, State.WAITING, "OverBudget")],
)  # fmt: skip
def test_a_stamp_of_a_second_keeps_what_is_close_from_being_proven(limit, state, reason):
    occurrences = [listed("Scheduled", at=1.9), listed("Started", at=5.2)]
    verdict = judged(budget("Scheduled", "Started", p99=limit), occurrences)
    assert (verdict.state, verdict.reason) == (state, reason)
    if reason == "TooClose":
        assert f"p99 is 4.00 s, but only to 1 s: it cannot be told from {limit:g} s" in (
            verdict.message
        )
        assert verdict.hint


def test_a_maximum_is_not_held_to_be_exceeded_by_a_stamp_alone():
    occurrences = [listed("Scheduled", at=1.9), listed("Started", at=5.2)]
    verdict = judged(budget("Scheduled", "Started", max=3), occurrences)
    assert (verdict.state, verdict.reason) == (State.WAITING, "TooClose")


@pytest.mark.parametrize(
    ("arguments", "limits", "why"),
    [
        (("Scheduled", "Started"), {}, "has no limit"),
        (("Scheduled",), {"p99": 1}, "names no two events"),
        (("A→B→C",), {"p99": 1}, "names no two events"),
        (("→B",), {"p99": 1}, "names no two events"),
        ((event("Scheduled"),), {"p99": 1}, "the second event is missing"),
        (("Scheduled", "Started"), {"p99": 0}, "p99 must be more than 0 seconds"),
        (("Scheduled", "Started"), {"max": -1}, "max must be more than 0 seconds"),
        (("Scheduled", "Started"), {"p99": 1, "pods": 0}, "pods must be 1 or more"),
        (("Scheduled", event("NodeReady", on="Node/n")), {"p99": 1}, "which is no Pod"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(arguments, limits, why):
    with pytest.raises(ConfigurationError, match=why):
        budget(*arguments, **limits)


# ---- on a timeline


def late_pod():
    return [
        added(0.5, "Scheduled", "Pod/flask-a"),
        added(1.5, "Started", "Pod/flask-a"),
        added(2.0, "Scheduled", "Pod/flask-b"),
        added(2.25, "Pulling", "Pod/flask-b"),
        added(9.0, "Pulled", "Pod/flask-b"),
        added(9.25, "Created", "Pod/flask-b"),
        added(9.5, "Started", "Pod/flask-b"),
    ]


def test_a_timeline_tells_the_latency_of_its_pods():
    clock, _, timeline = watching(*late_pod())
    clock.advance(20)
    found = timeline.latency("Scheduled", "Started", of=DEPLOYMENT)
    assert (len(found), found.p50, found.p99) == (2, 1.0, 7.5)


def test_a_budget_can_be_expected_beside_patterns():
    clock, _, timeline = watching(*late_pod())
    match = timeline.expect(
        event("Started", on="Pod/flask-b"), budget("Scheduled→Started", max=8), within=30
    )
    assert str(match["Started"].object) == "Pod/flask-b"
    assert clock.now < 11


def test_a_budget_alone_is_waited_for_until_the_pods_it_has_seen_are_done():
    clock, _, timeline = watching(*late_pod())
    clock.advance(3)
    assert len(timeline.expect(budget("Scheduled→Started", p99=8), within=30)) == 0
    assert 9 <= clock.now < 11


def test_a_budget_that_was_exceeded_says_by_whom_and_where_the_time_went():
    clock, _, timeline = watching(*late_pod())
    clock.advance(20)
    with pytest.raises(EventMismatchError) as raised:
        timeline.expect(budget("Scheduled→Started", p99=5, p50=2, of=DEPLOYMENT))
    assert str(raised.value).splitlines() == [
        "Scheduled→Started: p99 is 7.50 s, at most 5 s; Pod/flask-b took 6.75 s for Pulling→Pulled",
        "  budget Scheduled→Started of Deployment/flask: p50 ≤ 2 s, p99 ≤ 5 s",
        "     p50     1.00 s  at most 2 s",
        "  -> p99     7.50 s  at most 5 s",
        "  ",
        "  Scheduled → Started of Deployment/flask: 2 pods",
        "    p50 1.00  p90 7.50  p99 7.50  max 7.50  mean 4.25 s",
        "    Pod/flask-b     7.50 s  Scheduled 0.25 Pulling 6.75 Pulled 0.25 Created 0.25 Started",
        "    Pod/flask-a     1.00 s  Scheduled 1.00 Started",
    ]


def test_a_budget_without_any_pod_says_so():
    _, _, timeline = watching()
    with pytest.raises(EventMismatchError) as raised:
        timeline.expect(budget("Scheduled→Started", p99=5), within=3)
    assert str(raised.value).splitlines() == [
        "Scheduled→Started: p99 ≤ 5 s: 0 of 1 pods went from Scheduled to Started",
        "  budget Scheduled→Started: p99 ≤ 5 s",
        "  ",
        "  Scheduled → Started: 0 pods",
    ]


def test_a_maximum_that_was_exceeded_ends_the_wait_at_once():
    clock, _, timeline = watching(*late_pod())
    clock.advance(3)
    with pytest.raises(EventMismatchError, match="Pod/flask-b has taken"):
        timeline.expect(budget("Scheduled→Started", max=5), within=60)
    assert clock.now < 9


def test_a_budget_that_is_waited_for_does_not_hide_one_that_is_broken():
    clock, _, timeline = watching(*late_pod())
    clock.advance(20)
    with pytest.raises(EventMismatchError, match=r"max is 7\.50 s"):
        timeline.expect(
            budget("Scheduled→Started", p50=30, pods=3),
            budget("Scheduled→Started", max=5),
            within=60,
        )
    assert clock.now == 20


def test_a_budget_is_not_proven_with_a_gap():
    steps = [*late_pod(), (12.0, Change.GAP, None)]
    clock, _, timeline = watching(*steps)
    clock.advance(20)
    with pytest.raises(EventMismatchError, match=r"cannot be proven, as the stream had a gap") as e:
        timeline.expect(budget("Scheduled→Started", max=9), within=60)
    assert "pods=" in str(e.value)
    assert clock.now == 20
    timeline.expect(budget("Scheduled→Started", max=9, pods=2))


def test_patterns_that_do_not_fit_are_told_before_a_budget():
    clock, _, timeline = watching(*late_pod())
    clock.advance(20)
    with pytest.raises(EventMismatchError, match="expected BackOff"):
        timeline.expect("BackOff", budget("Scheduled→Started", p99=5))


def test_a_listed_pod_is_timed_by_its_stamps():
    clock, feed, timeline = watching()
    for reason, at in (("Scheduled", 1.2), ("Started", 6.4)):
        feed.at(10.0, Change.LISTED, raw(reason, "Pod/flask-a", at=at), kind="Event")
    clock.advance(10)
    found = timeline.latency("Scheduled", "Started")
    assert list(found.per_pod.values()) == [5.0]
    assert found.accuracy == 1.0
