from dataclasses import replace
from datetime import timedelta

import pytest
from events_kit import EPOCH, history, seen

from seatrial.core.errors import ConfigurationError
from seatrial.events import Matcher, any_order, each_pod, event, in_order, slots_of


def fit(pattern, occurrences, **more):
    """The places that the leaves of the pattern are given, or None."""
    return Matcher(occurrences, **more).fit(slots_of(pattern, occurrences))


X, Y = "Pod/flask-x", "Pod/flask-y"


def test_events_of_one_component_about_one_object_are_strictly_ordered():
    events = history((1.0, "Started", X), (1.0, "Created", X))
    assert fit(in_order("Created", "Started"), events) is None
    assert fit(in_order("Started", "Created"), events) == [0, 1]


def test_events_of_two_components_may_be_swapped_within_the_tie():
    events = history((1.0, "Scheduled", X), (3.0, "SuccessfulCreate", "ReplicaSet/flask"))
    assert fit(in_order("SuccessfulCreate", "Scheduled"), events) == [1, 0]
    assert fit(in_order("SuccessfulCreate", "Scheduled"), events, tie=1.99) is None


def test_one_component_about_two_objects_may_be_swapped_within_the_tie():
    events = history((1.0, "Started", X), (2.0, "Started", Y))
    order = in_order(event("Started", on=Y), event("Started", on=X))
    assert fit(order, events) == [1, 0]
    assert fit(order, events, tie=0.5) is None


def test_two_components_about_one_object_may_be_swapped_within_the_tie():
    events = history((1.0, "Pulling", X), (1.5, "Scheduled", X))
    assert fit(in_order("Scheduled", "Pulling"), events) == [1, 0]


def test_no_tolerance_adds_up_over_a_sequence():
    events = history((0.0, "C", "Pod/c"), (1.5, "B", "Pod/b"), (3.0, "A", "Pod/a"))
    assert fit(in_order("A", "B"), events) == [2, 1]
    assert fit(in_order("B", "C"), events) == [1, 0]
    assert fit(in_order("A", "B", "C"), events) is None


def test_one_occurrence_serves_one_leaf_whatever_its_count():
    one = [seen("BackOff", count=5)]
    assert fit(any_order("BackOff", event("BackOff", count=2)), one) is None
    two = [seen("BackOff"), seen("BackOff", count=2)]
    assert fit(any_order(event("BackOff", count=2), "BackOff"), two) == [1, 0]
    assert fit(any_order("BackOff", event("BackOff", count=2)), two) == [0, 1]
    assert fit(in_order("BackOff", "BackOff"), two) == [0, 1]


def test_leaves_in_any_order_are_given_occurrences_so_that_all_have_one():
    events = history((0, "Started", X), (1, "Started", Y))
    assert fit(any_order("Started", event("Started", on=X)), events) == [1, 0]
    assert fit(any_order("Started", event("Started", on=X), "Started"), events) is None


def test_every_leaf_of_a_group_comes_after_every_leaf_of_the_group_before():
    events = history((0, "A", X), (10, "C", X), (20, "B", X), (30, "D", X))
    assert fit(in_order(any_order("B", "A"), "D"), events) == [2, 0, 3]
    assert fit(in_order(any_order("A", "B"), any_order("D", "C")), events) is None


def test_an_order_inside_any_order_holds_beside_its_neighbours():
    events = history((0, "A", X), (10, "C", X), (20, "B", X), (30, "D", X))
    assert fit(any_order(in_order("C", "D"), in_order("A", "B")), events) == [1, 3, 0, 2]
    assert fit(any_order(in_order("D", "C"), in_order("A", "B")), events) is None


def test_a_later_occurrence_is_taken_where_the_earliest_would_block_the_next_leaf():
    # the first Created is of the chain of the only Started, and after it
    events = history((1.0, "Started", X), (1.1, "Created", X), (1.2, "Created", Y))
    assert fit(in_order("Created", "Started"), events) == [2, 0]


def test_a_choice_that_leaves_too_few_for_the_rest_is_taken_back():
    # were A the one of Pod x, only one B could follow it
    events = history((0, "B", X), (0, "A", X), (0, "A", Y), (0, "B", "Pod/z"))
    assert fit(in_order("A", any_order("B", "B")), events) == [2, 0, 3]


def test_a_crash_loop_is_told_from_a_single_crash():
    cycle = ["Pulled", "Created", "Started", "BackOff"]
    events = history(*[(float(i), cycle[i % 4], X) for i in range(12)])
    assert fit(in_order(*cycle * 3), events) == list(range(12))
    assert fit(in_order(*cycle * 3, "Pulled"), events) is None


def test_leaves_that_can_be_exchanged_are_not_tried_both_ways():
    events = history(*[(float(i), "Pulled", X) for i in range(20)], (50.0, "Killing", X))
    slots = slots_of(in_order(any_order(*["Pulled"] * 20), "Killing"), events)
    assert sorted(Matcher(events, search_limit=1).fit(slots)) == list(range(21))


@pytest.mark.parametrize(
    ("seen_reasons", "pattern", "places"),
    [
        ("ABAB", any_order("A", in_order("A", "B")), [0, 2, 3]),
        ("CAACA", in_order(any_order("C", in_order("C", "A")), "A"), [3, 0, 1, 4]),
        ("CBCB", in_order(any_order("C", "C"), "B"), [0, 2, 3]),
        ("BAACBCB", any_order(in_order("B", "A"), in_order("B", "C")), [0, 1, 4, 5]),
        ("CACA", in_order(any_order("C", "C"), any_order("A", "A")), None),
        ("BCCABCB", any_order(in_order("B", "C"), in_order("B", "A", "C")), None),
    ],
)
def test_leaves_that_want_the_same_occurrence_give_way_to_each_other(seen_reasons, pattern, places):
    events = history(*[(i * 10.0, reason, X) for i, reason in enumerate(seen_reasons)])
    assert fit(pattern, events) == places


def test_each_pod_holds_for_every_pod_that_was_seen():
    events = history((0, "Scheduled", X), (1, "Scheduled", Y), (5, "Started", Y), (6, "Started", X))
    assert fit(each_pod("Scheduled", "Started"), events) == [0, 3, 1, 2]
    assert fit(each_pod("Scheduled", "Started"), events[:3]) is None
    assert fit(each_pod("Scheduled", "Started", of="Deployment/flask"), events[:3]) is None


def test_each_pod_of_an_owner_leaves_other_pods_out():
    events = history((0, "Scheduled", X), (1, "Scheduled", "Pod/flaskette-y"), (5, "Started", X))
    assert fit(each_pod("Scheduled", "Started"), events) is None
    assert fit(each_pod("Scheduled", "Started", of="Deployment/flask"), events) == [0, 2]


def test_each_pod_needs_one_pod_at_least():
    events = history((0, "Scheduled", "Pod/other"), (0, "ScalingReplicaSet", "Deployment/flask"))
    assert fit(each_pod("Scheduled", of="Deployment/flask"), events) is None
    assert fit(each_pod("Scheduled"), events[1:]) is None


def test_pods_of_one_name_in_turn_are_two_pods():
    events = history((0, "Scheduled", X), (1, "Started", X), (9, "Scheduled", X))
    again = seen("Started", X, at=10.0)
    assert fit(each_pod("Scheduled", "Started"), events) == [0, 1]
    later = [*events[:2], _of_new_uid(events[2])]
    assert fit(each_pod("Scheduled", "Started"), later) is None
    assert fit(each_pod("Scheduled", "Started"), [*later, _of_new_uid(again)]) == [0, 1, 2, 3]


def _of_new_uid(occurrence):
    return replace(occurrence, object=replace(occurrence.object, uid="another"))


def test_each_pod_stands_in_an_order_with_what_is_before_and_after():
    events = history(
        (0, "ScalingReplicaSet", "Deployment/flask"),
        (10, "Started", X),
        (11, "Started", Y),
        (20, "ScalingReplicaSet", "Deployment/flask"),
    )
    scaling = event("ScalingReplicaSet", on="Deployment/flask")
    assert fit(in_order(scaling, each_pod("Started"), scaling), events) == [0, 1, 2, 3]
    assert fit(in_order(scaling, scaling, each_pod("Started")), events) is None


def listed(reason, on, *, stamped, at=100.0, **more):
    return seen(reason, on, at=at, listed=True, stamped=EPOCH + timedelta(seconds=stamped), **more)


def test_of_listed_events_the_own_stamps_say_what_is_a_near_tie():
    near = [listed("Scheduled", X, stamped=10), listed("SuccessfulCreate", Y, stamped=12)]
    far = [listed("Scheduled", X, stamped=10), listed("SuccessfulCreate", Y, stamped=13)]
    assert fit(in_order("SuccessfulCreate", "Scheduled"), near) == [1, 0]
    assert fit(in_order("SuccessfulCreate", "Scheduled"), far) is None


def test_a_stamp_before_that_of_an_event_written_earlier_is_not_believed():
    events = [
        listed("A", X, stamped=20),
        listed("B", Y, stamped=3),
        listed("C", "Pod/z", stamped=21),
    ]
    assert fit(in_order("C", "B"), events) == [2, 1]


def test_a_stamp_of_the_future_is_the_time_of_the_list_at_most():
    events = [listed("A", X, stamped=500), seen("B", Y, at=101.0), seen("C", "Pod/z", at=103.0)]
    assert fit(in_order("B", "A"), events) == [1, 0]
    assert fit(in_order("C", "A"), events) is None


def test_a_listed_event_without_a_stamp_has_the_time_of_the_list():
    events = [seen("A", X, at=100.0, listed=True), seen("B", Y, at=101.0)]
    assert fit(in_order("B", "A"), events) == [1, 0]


def test_only_some_slots_can_be_asked_for():
    events = history((0, "A", X), (1, "C", X))
    slots = slots_of(in_order("A", "B", "C"), events)
    assert Matcher(events).fit(slots) is None
    assert Matcher(events).fit(slots, only=[0, 2]) == [0, 1]


def inverted(leaves, chains):
    """In every chain all leaves stand in the wrong order, so each leaf needs one of its own."""
    steps = [
        (0.0, f"R{leaf}", f"Pod/p{chain}")
        for chain in range(chains)
        for leaf in reversed(range(leaves))
    ]
    return in_order(*(f"R{leaf}" for leaf in range(leaves))), history(*steps)


def test_a_puzzle_is_solved_by_splitting():
    assert fit(*inverted(6, 6)) is not None
    assert fit(*inverted(5, 4)) is None


def test_a_puzzle_that_is_too_large_is_refused_rather_than_guessed_at():
    with pytest.raises(ConfigurationError) as refused:
        fit(*inverted(16, 15))
    assert str(refused.value) == (
        "the pattern can be read in too many ways to decide whether the events fit it\n"
        "-> name the object of each event: on='Pod/flask-*', or use each_pod(…)"
    )


def decided(pattern, occurrences):
    """Whether the pattern fits. How long that takes is for `benchmarks/matching.py` to say."""
    matcher = Matcher(occurrences)
    found = matcher.fit(slots_of(pattern, occurrences))
    assert matcher.steps <= 100
    return found is not None


CYCLE = ["Scheduled", "Pulled", "Created", "Started"]


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        (in_order(*CYCLE * 5), True),
        (in_order(*CYCLE * 5, "Nope"), False),
        (in_order("Last", *CYCLE * 5), False),
        (in_order(*["Pulled"] * 19, "Last"), True),
        (any_order(*CYCLE * 5), True),
        (any_order(*["Last"] * 3, *["Pulled"] * 17), False),
        (in_order(any_order(*["Pulled"] * 10), any_order(*["Started"] * 10)), True),
        (in_order(any_order(*["Pulled"] * 10), "Last", any_order(*["Started"] * 9)), False),
        (any_order(*(in_order("Pulled", "Started") for _ in range(10))), True),
        (in_order(event("Pulled", on="Pod/p1"), event("Started", on="Pod/p1"), on="Pod/p1"), True),
    ],
)
@pytest.mark.parametrize("pace", [0.0, 0.01, 5.0], ids=["at once", "in a burst", "slowly"])
def test_ten_thousand_events_against_twenty_leaves_are_decided_in_a_few_steps(pattern, fits, pace):
    events = history(
        *[(i * pace, CYCLE[i % 4], f"Pod/p{i // 8}") for i in range(10_000)],
        (10_000 * pace + 10, "Last", "Pod/last"),
    )
    assert decided(pattern, events) is fits


def test_ten_thousand_events_that_all_match_every_leaf_are_no_harder():
    events = history(*[(i * 0.001, "Pulled", f"Pod/p{i}") for i in range(10_000)])
    events.insert(19, seen("First", at=0.0185))
    late = [*events[:20], *(seen("Pulled", f"Pod/q{i}", at=60.0) for i in range(9_000))]
    assert decided(in_order(*["Pulled"] * 20), events)
    assert decided(any_order(*["Pulled"] * 20), events)
    # 19 are near enough to the end, and 20 are needed
    assert not decided(in_order(*["Pulled"] * 20, "First"), late)
