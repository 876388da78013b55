"""What may be missing, be another, be repeated, or take only so long: by example."""

from datetime import timedelta

import pytest
from events_kit import EPOCH, history, seen

from seatrial.core.errors import ConfigurationError
from seatrial.events import (
    Matcher,
    any_order,
    each_pod,
    event,
    in_order,
    one_of,
    optional,
    repeated,
    slots_of,
)
from seatrial.events.layout import Slot
from seatrial.events.precedence import Precedence

X, Y = "Pod/flask-x", "Pod/flask-y"
PULL = in_order("Scheduled", optional("Pulling"), "Pulled")


def fit(pattern, occurrences, **more):
    """The places that the leaves of the pattern are given, None for those that take no part."""
    return Matcher(occurrences, **more).fit(slots_of(pattern, occurrences))


def chain(reasons, on=X, pace=10.0):
    """Events of one component about one object, far enough apart to be in order."""
    return [seen(r, on, at=i * pace, source="kubelet") for i, r in enumerate(reasons)]


# ---- optional


def test_what_another_leaf_stands_for_is_not_left_for_an_optional():
    # the A is what one_of stands for, so none is left that the second could have missed
    events = chain(["A", "B"])
    assert fit(in_order(optional(one_of("A", "B")), optional("A")), events) == [0, None]
    # there is a second A, and it came too late
    late = chain(["A", "B", "C", "A"])
    assert fit(in_order(optional(one_of("A", "B")), optional("A"), "C"), late) is None


def test_what_one_of_stands_for_is_sought_where_the_first_try_leaves_something_over():
    events = chain(["B", "C", "A"])
    # as B it would leave an A over, which came after C; there is no other way
    assert fit(in_order(one_of("A", "B"), optional("A"), "C"), events) is None
    # as A, none is over
    either = [*chain(["B", "A"]), *chain(["A"], "Pod/y")]
    assert fit(any_order(one_of("A", "B"), optional("A"), optional("A")), either) is not None


def test_what_is_optional_may_be_there_or_not():
    assert fit(PULL, chain(["Scheduled", "Pulling", "Pulled"])) == [0, 1, 2]
    assert fit(PULL, chain(["Scheduled", "Pulled"])) == [0, None, 1]


@pytest.mark.parametrize("reasons", [["Pulling", "Scheduled", "Pulled"], ["Scheduled", "Pulled"]])
def test_what_is_optional_must_stand_in_its_place_if_it_occurred(reasons):
    assert fit(PULL, chain([*reasons, "Pulling"])) is None


def test_it_is_enough_if_one_of_them_stands_in_its_place():
    assert fit(PULL, chain(["Pulling", "Scheduled", "Pulling", "Pulled", "Pulling"])) == [
        0 + 1,
        2,
        3,
    ]


def test_of_each_pod_it_is_asked_by_itself():
    events = [
        *chain(["Scheduled", "Pulling", "Pulled"], X),
        *chain(["Scheduled", "Pulled"], Y),
    ]
    pattern = each_pod("Scheduled", optional("Pulling"), "Pulled")
    assert fit(pattern, events) == [0, 1, 2, 3, None, 4]
    assert fit(pattern, [*events, seen("Pulling", Y, at=99.0)]) is None


def test_where_there_is_no_pod_each_pod_is_not_satisfied_by_being_optional():
    assert fit(each_pod(optional("Pulling")), []) is None
    assert fit(each_pod(optional("Pulling"), optional(repeated("Pulled"))), []) is None
    assert fit(each_pod(optional("Pulling")), chain(["Scheduled"])) == [None]


def test_a_group_did_not_occur_where_one_of_its_leaves_did_not():
    pattern = in_order("Started", optional(in_order("Killing", "Started")))
    assert fit(pattern, chain(["Started"])) == [0, None, None]
    assert fit(pattern, chain(["Started", "Killing"])) == [0, None, None]
    assert fit(pattern, chain(["Killing", "Started"])) == [1, None, None]
    assert fit(pattern, chain(["Started", "Killing", "Started"])) == [0, 1, 2]
    # there are two Started and a Killing, but it is in the wrong place
    assert fit(pattern, chain(["Started", "Started", "Killing"])) is None


def test_what_is_optional_does_not_take_what_another_leaf_needs():
    pattern = in_order(optional("Pulled"), "Pulled")
    assert fit(pattern, chain(["Pulled"])) == [None, 0]
    assert fit(pattern, chain(["Pulled", "Pulled"])) == [0, 1]


def test_optionals_that_compete_may_be_given_what_there_is_in_either_way():
    pattern = in_order(optional("A"), "B", optional("A"))
    assert fit(pattern, chain("AB")) == [0, 1, None]
    assert fit(pattern, chain("BA")) == [None, 0, 1]
    assert fit(pattern, chain("AAB")) is None
    assert fit(pattern, chain("ABA")) == [0, 1, 2]
    assert fit(in_order(optional("A"), optional("A"), "B"), chain("BA")) is None


def test_an_alternative_is_given_up_for_one_that_needs_what_is_optional_elsewhere():
    # with the first alternative, A would be left over, and it stands in the wrong place
    pattern = any_order(in_order("B", optional("A")), one_of("C", in_order("A", "C")))
    assert fit(pattern, chain("ABC")) == [1, None, None, 0, 2]
    assert fit(pattern, chain("BC")) == [0, None, 1, None, None]


def test_what_is_optional_inside_an_optional_is_asked_only_if_that_takes_part():
    pattern = in_order("A", optional(in_order("B", optional("C"))), "D")
    assert fit(pattern, chain("ACD")) == [0, None, None, 2]
    assert fit(pattern, chain("ABD")) == [0, 1, None, 2]
    assert fit(pattern, chain("ABCD")) == [0, 1, 2, 3]
    assert fit(pattern, chain("CABD")) is None


def test_what_is_optional_may_be_one_of_several():
    pattern = in_order("A", optional(one_of(in_order("B", "C"), in_order("C", "D"))), "E")
    assert fit(pattern, chain("AE")) == [0, None, None, None, None, 1]
    assert fit(pattern, chain("ACDE")) == [0, None, None, 1, 2, 3]
    assert fit(pattern, chain("ACE")) == [0, None, None, None, None, 2]
    assert fit(pattern, chain("DCAE")) is None
    nested = optional(one_of(in_order("B", one_of(in_order("C", "C"), in_order("D", "D"))), "F"))
    assert fit(in_order("A", nested), chain("ABCD")) == [0, *[None] * 6]
    assert fit(in_order("A", nested), chain("ABDD"))[4:6] == [2, 3]
    assert fit(in_order("A", nested), chain("DDAB")) is None


# ---- one_of


def test_any_alternative_will_do():
    pattern = in_order("Scheduled", one_of("Pulled", in_order("Pulling", "Pulled")), "Created")
    assert fit(pattern, chain(["Scheduled", "Pulled", "Created"])) == [0, 1, None, None, 2]
    assert fit(pattern, chain(["Scheduled", "Pulling", "Created"])) is None
    other = in_order("Scheduled", one_of("Present", in_order("Pulling", "Pulled")), "Created")
    pulled = chain(["Scheduled", "Pulling", "Pulled", "Created"])
    assert fit(other, pulled) == [0, None, 1, 2, 3]
    assert fit(other, [*pulled[1:], *pulled[:1]]) is None


def test_events_of_which_any_will_do_are_one_slot():
    pattern = in_order(one_of("Pulled", event("Failed", type="Warning")), "BackOff")
    (first, _) = slots_of(pattern, [])
    assert [leaf.reason for leaf in first.leaves] == ["Pulled", "Failed"]
    events = [seen("Failed", X, type="Warning"), seen("BackOff", X, at=9.0)]
    assert fit(pattern, events) == [0, 1]
    assert first.leaf_of(events[0]).type == "Warning"
    assert list(first.differences(seen("Failed", X))) == ["type is Normal, not Warning"]
    timed = one_of(event("Pulled", within=5), "Failed")
    assert len(slots_of(timed, [])) == 2


def test_an_alternative_that_blocks_what_follows_is_given_up():
    pattern = in_order(one_of("C", "A"), "B")
    assert fit(pattern, chain("ABC")) == [0, 1]
    pattern = in_order(one_of(in_order("A", "C"), in_order("A", "D")), "B")
    assert fit(pattern, chain("ADBAC")) == [None, None, 0, 1, 2]


def test_an_alternative_is_given_up_where_the_occurrences_do_not_suffice():
    pattern = any_order(one_of(in_order("A", "A"), in_order("A", "B")), "A")
    assert fit(pattern, chain("AAB")) == [None, None, 0, 2, 1]
    assert fit(
        any_order(one_of(in_order("A", "A"), in_order("A", "A", "A")), "A"), chain("AA")
    ) is (None)


def test_choices_inside_choices_that_leave_nothing_are_dropped_from_the_inside_out():
    inner = one_of(in_order("B", "Nope"), in_order("Nope", "C"))
    pattern = in_order("A", one_of(in_order("B", inner), in_order("B", "C")))
    assert fit(pattern, chain("ABC"))[-2:] == [1, 2]
    assert fit(in_order("A", one_of(in_order("B", inner), in_order("C", inner))), chain("ABC")) is (
        None
    )


# ---- repeated


def test_as_many_as_asked_must_be_in_place():
    pattern = in_order("Started", repeated("BackOff", at_least=2), "Killing")
    assert fit(pattern, chain(["Started", "BackOff", "BackOff", "Killing"])) == [0, 1, 2, 3]
    assert fit(pattern, chain(["Started", "BackOff", "Killing", "BackOff"])) is None
    more = chain(["BackOff", "Started", "BackOff", "BackOff", "BackOff", "Killing", "BackOff"])
    assert fit(pattern, more) == [1, 2, 3, 5]


def test_a_delivery_stands_for_as_many_as_its_count_rose_by():
    started, killing = seen("Started", X), seen("Killing", X, at=50.0)
    thrice = seen("BackOff", X, at=9.0, count=4, new=3)
    pattern = in_order("Started", repeated("BackOff", at_least=3), "Killing")
    assert fit(pattern, [started, thrice, killing]) == [0, 1, 1, 1, 2]
    pattern = in_order("Started", repeated("BackOff", at_least=4), "Killing")
    assert fit(pattern, [started, thrice, killing]) is None
    once = seen("BackOff", X, at=8.0)
    assert fit(pattern, [started, once, thrice, killing]) == [0, 1, 2, 2, 2, 3]
    # what a leaf that is not repeated takes is one of them
    beside = any_order("BackOff", repeated("BackOff", at_least=2))
    assert fit(beside, [thrice]) == [0, 0, 0]
    assert fit(any_order("BackOff", repeated("BackOff", at_least=3)), [thrice]) is None
    # and what is between the times of one delivery cannot be told
    assert fit(in_order("BackOff", repeated("BackOff", at_least=2)), [thrice]) is None


def test_copies_of_a_place_stand_beside_it_and_do_not_follow_one_another():
    precedence = Precedence(chain("ABC"), tie=2.0, copies={1: 3})
    assert precedence.places == [0, 1, 1, 1, 2]
    assert list(precedence.of(1)) == [1, 2, 3]
    assert not precedence.may_follow(1, 3)
    assert [p for p in range(5) if precedence.after_any(1 << 2) >> p & 1] == [4]
    assert [p for p in range(5) if precedence.before_any(1 << 2) >> p & 1] == [0]


def test_more_than_at_most_do_not_fit_wherever_they_stand():
    pattern = in_order("Started", repeated("BackOff", at_most=2), "Killing")
    assert fit(pattern, chain(["Started", "BackOff", "BackOff", "Killing"])) == [0, 1, 3]
    assert fit(pattern, chain(["BackOff", "Started", "BackOff", "Killing", "BackOff"])) is None
    assert fit(repeated("BackOff", at_most=2), [seen("BackOff", count=3, new=3)]) is None
    assert fit(repeated(one_of("A", "B"), at_least=2, at_most=3), chain("ABA")) == [0, 1]
    assert fit(repeated(one_of("A", "B"), at_least=2, at_most=3), chain("ABAB")) is None
    pods = [*chain("AA", X), *chain("AAA", Y)]
    assert fit(each_pod(repeated("A", at_most=3)), pods) == [0, 2]
    assert fit(each_pod(repeated("A", at_most=2)), pods) is None


def test_what_need_not_be_at_all_is_optional():
    pattern = in_order("A", repeated("B", at_least=0, at_most=2), "C")
    assert fit(pattern, chain("AC")) == [0, None, 1]
    assert fit(pattern, chain("ABBC")) == [0, 1, 3]
    assert fit(pattern, chain("ABBBC")) is None
    assert fit(pattern, chain("BAC")) is None


def test_a_group_is_repeated_time_after_time():
    cycle = ["Created", "Started", "BackOff"]
    pattern = in_order("Scheduled", repeated(in_order(*cycle), at_least=2))
    assert fit(pattern, chain(["Scheduled", *cycle * 2])) == list(range(7))
    assert fit(pattern, chain(["Scheduled", *sorted(cycle * 2)])) is None
    assert fit(repeated(one_of(in_order("A", "B"), "C"), at_least=2), chain("CAB")) == [
        None,
        None,
        0,
        1,
        2,
        None,
    ]


# ---- within


def test_a_group_may_take_so_many_seconds():
    events = history((0.0, "Scheduled", X), (5.0, "Started", X))
    assert fit(in_order("Scheduled", "Started", within=5), events) == [0, 1]
    assert fit(in_order("Scheduled", "Started", within=4.9), events) is None
    assert fit(any_order("Started", "Scheduled", within=5), events) == [1, 0]


def test_a_fit_that_is_quick_enough_is_looked_for():
    events = history(
        (0.0, "Scheduled", X), (20.0, "Scheduled", X), (21.0, "Started", X), (60.0, "Started", X)
    )
    assert fit(in_order("Scheduled", "Started", within=2), events) == [1, 2]
    assert fit(in_order("Scheduled", "Started", within=0.9), events) is None
    assert fit(in_order("Started", "Started", within=30), events) is None
    nested = in_order("Scheduled", in_order("Scheduled", "Started", within=1), within=21)
    assert fit(nested, events) == [0, 1, 2]
    assert fit(in_order(nested, "Started", within=59), events) is None


def test_what_is_near_to_the_first_occurrence_need_not_be_near_to_the_last():
    # the first B would do for either A alone, but both are needed
    events = history((3.75, "B", Y), (4.0, "A", X), (4.25, "B", Y), (5.0, "A", X))
    assert fit(any_order("A", "A", "B", within=1), events) == [1, 3, 2]
    assert fit(any_order("A", "A", "B", within=1), [*events[:2], events[3]]) is None


def test_a_group_that_is_not_taken_need_not_be_quick():
    events = history((0.0, "A", X), (50.0, "B", X))
    pattern = one_of(in_order("A", "B", within=5), in_order("B", optional(in_order("A", "C"))))
    assert fit(pattern, events) == [None, None, 1, None, None]
    # but what occurred and is optional must
    assert fit(in_order("A", optional(in_order("B", "B", within=5))), events) == [0, None, None]
    late = [*events, seen("B", X, at=70.0)]
    assert fit(in_order("A", optional(in_order("B", "B", within=5))), late) is None


def test_the_time_of_each_pod_is_its_own():
    events = history(
        (0, "Scheduled", X), (3, "Started", X), (9, "Scheduled", Y), (11, "Started", Y)
    )
    assert fit(each_pod("Scheduled", "Started", within=3), events) == [0, 1, 2, 3]
    assert fit(each_pod("Scheduled", "Started", within=2), events) is None


def test_an_event_may_be_asked_for_by_a_time_since_the_opening():
    events = history((7.0, "Started", X), (12.0, "Started", X))
    assert fit(event("Started", within=2), events, opened=5.0) == [0]
    assert fit(event("Started", within=1), events, opened=5.0) is None
    assert fit(in_order("Started", event("Started", within=6)), events, opened=5.0) is None
    # what is optional but late is not missing
    assert fit(in_order(optional(event("Started", within=1))), events, opened=5.0) is None


def test_of_listed_events_the_stamps_count():
    def listed(reason, stamped):
        stamp = EPOCH + timedelta(seconds=stamped)
        return seen(reason, X, at=100.0, listed=True, stamped=stamp)

    events = [listed("Scheduled", 10), listed("Started", 16)]
    assert fit(in_order("Scheduled", "Started", within=6), events) == [0, 1]
    assert fit(in_order("Scheduled", "Started", within=5), events) is None


# ---- how much work it is

CYCLE = ["Scheduled", "Pulled", "Created", "Started"]


def many(pace):
    return history(
        *[(i * pace, CYCLE[i % 4], f"Pod/p{i // 8}") for i in range(10_000)],
        (10_000 * pace + 10, "Last", "Pod/last"),
    )


TWENTY = [
    (in_order(*[optional(reason) for reason in CYCLE * 5]), True),
    (in_order(*[optional(reason) for reason in CYCLE * 5], "Nope"), False),
    (in_order("Last", *[optional(reason) for reason in CYCLE * 5]), False),
    (in_order(*[one_of("Pulled", in_order("Pulled", "Created")) for _ in range(7)]), True),
    (in_order("Last", *[one_of("Pulled", in_order("Nope", "Created"))] * 6), False),
    (in_order(*[one_of(in_order("Last", "Pulled"), in_order("Pulled", "Nope"))] * 5), False),
    (in_order("Scheduled", repeated("Pulled", at_least=18), "Last"), True),
    (in_order("Last", repeated("Pulled", at_least=19)), False),
    (repeated(in_order(optional("Pulling"), *CYCLE), at_least=4), True),
    (in_order(repeated(in_order(*CYCLE), at_least=4), "Last", "Started"), False),
    (in_order(*CYCLE * 5, "Last", within=3), False),
    (each_pod(optional("Pulling"), "Scheduled", one_of("Failed", in_order(*CYCLE))), False),
]


@pytest.mark.parametrize(("pattern", "fits"), TWENTY)
@pytest.mark.parametrize("pace", [0.0, 0.01, 5.0], ids=["at once", "in a burst", "slowly"])
def test_ten_thousand_events_are_decided_in_a_few_steps(pattern, fits, pace):
    events = many(pace)
    matcher = Matcher(events)
    slots = slots_of(pattern, events)
    assert (matcher.fit(slots) is not None) is fits
    assert matcher.steps <= 20


def mixed(count):
    """Optionals of one and of two, all of which want the same occurrences."""
    return [p for _ in range(count) for p in (optional("A"), optional(in_order("A", "A")))]


def pods_with(reasons, pods=60):
    return [s for pod in range(pods) for s in chain(reasons, f"Pod/p{pod}")]


FEW = chain("A" * 10 + "B")
HARD = [
    (in_order(*[optional("A")] * 19, "B"), FEW, True),
    (in_order("B", *[optional("A")] * 19), FEW, False),
    (in_order("B", any_order(*[optional("A")] * 19)), FEW, False),
    (in_order(*mixed(9), "B"), FEW, True),
    (in_order("B", *mixed(9)), FEW, False),
    (in_order(*[one_of(in_order("A", "A"), in_order("A", "B"))] * 10), FEW, False),
    (in_order(*[one_of(in_order("A", one_of("A", in_order("A", "B"))), "B")] * 7), FEW, False),
    (in_order("B", *[optional(one_of(in_order("A", "A"), in_order("A", "B")))] * 9), FEW, False),
    (
        in_order(*[optional("A")] * 19, any_order("C", "C"), any_order("D", "D")),
        chain("A" * 10 + "CDCD"),
        False,
    ),
    # the last of many Pods does not fit, and each has two ways to be read
    (
        each_pod("Scheduled", one_of("Pulled", in_order("Pulling", "Pulled")), "Created"),
        [*pods_with(["Scheduled", "Pulled", "Created"]), seen("Scheduled", "Pod/z")],
        False,
    ),
    (
        each_pod(
            one_of(
                in_order(any_order("C", "C"), any_order("A", "A")),
                in_order(any_order("C", "C", "A"), "C"),
            )
        ),
        [*pods_with("CACCA"), *chain("CACA", "Pod/z")],
        False,
    ),
    (
        each_pod(
            one_of(
                in_order(any_order("C", "C"), any_order("A", "A")),
                in_order(any_order("C", "C", "A"), "A"),
            )
        ),
        pods_with("CACA"),
        True,
    ),
]


@pytest.mark.parametrize(("pattern", "events", "fits"), HARD)
def test_alternatives_do_not_multiply(pattern, events, fits):
    matcher = Matcher(events)
    slots = slots_of(pattern, events)
    assert (matcher.fit(slots) is not None) is fits
    # two to the number of choices would be thousands to billions
    assert matcher.steps <= 2 * len(slots)


def test_optionals_that_are_not_settled_are_refused_in_the_end_rather_than_guessed_at():
    wide = one_of(in_order("A", "A", "A"), in_order("A", "A", "B"), in_order("B", "A", "A"))
    pattern = in_order("C", *[optional(in_order(wide, wide, wide, wide))] * 2)
    events = chain("AABBC")
    assert fit(pattern, events) is not None
    with pytest.raises(ConfigurationError, match="can be read in too many ways"):
        fit(pattern, events, search_limit=50)


def test_the_occurrences_of_one_reason_are_matched_once_for_equal_slots():
    events = chain("AAB")
    matcher = Matcher(events)
    one, other = slots_of(in_order("A", "A"), events)
    assert isinstance(one, Slot)
    assert matcher.candidates(one) is matcher.candidates(other)
    assert matcher.enough_for([one, other])
    assert not matcher.enough_for([one, other, one])
    assert matcher.enough_for([])
