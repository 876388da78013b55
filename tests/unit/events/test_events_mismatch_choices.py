"""The report for what may be missing, be another, be repeated, or take only so long."""

import pytest
from events_kit import POD, added, rollout, watching

from seatrial.core.errors import EventMismatchError
from seatrial.core.model import Change
from seatrial.events import any_order, each_pod, event, in_order, one_of, optional, repeated

FLASK = "Pod/flask-*"


def report(steps, *patterns, within=5.0):
    """The first line, and the table without the error's own indentation."""
    _, _, timeline = watching(*steps)
    with pytest.raises(EventMismatchError) as mismatch:
        timeline.expect(*patterns, within=within)
    text = str(mismatch.value)
    assert max(len(line) for line in text.splitlines()) <= 100
    first, *table = text.split("\n  \n", maxsplit=1)[0].splitlines()
    return first, [line[2:] for line in table[1:]]


def backoff(at):
    return added(at, "BackOff", POD, type="Warning", message="restarting web")


def late(at):
    return [*rollout()[:5], added(at, "Started", POD, container="web")]


def test_what_is_optional_is_told_as_such_where_it_is_missing():
    first, table = report(
        rollout()[:4],
        in_order(
            "Scheduled",
            optional("Pulling"),
            "Pulled",
            optional(in_order("Created", "Failed")),
            "Started",
            on=FLASK,
        ),
    )
    assert first == (
        "expected Pod/flask-*: Started after Pulled, but Started was not seen within 5 s"
    )
    assert table == [
        "   in order",
        "     Scheduled  Pod/flask-*  0.22s  Pod/flask-6d4-abc",
        "     Pulling    Pod/flask-*  not seen, but optional",
        "     Pulled     Pod/flask-*  0.90s  Pod/flask-6d4-abc",
        "     optional, in order",
        "       Created  Pod/flask-*  not seen, but optional",
        "       Failed   Pod/flask-*  not seen, but optional",
        "->   Started    Pod/flask-*  not seen, on any object",
    ]


def test_of_an_optional_group_it_is_told_that_it_occurred_in_part_only():
    _, table = report(
        rollout()[:5], in_order("Pulled", optional(any_order("Created", "Failed")), "Started")
    )
    assert table[2:5] == [
        "     optional, in any order",
        "       Created    not all of it seen, but optional",
        "       Failed     not seen, but optional",
    ]


def test_what_is_optional_but_stands_in_the_wrong_place_is_the_cause():
    first, table = report(
        [added(0.1, "Pulling", POD), added(0.2, "Created", POD), added(0.6, "Pulled", POD)],
        in_order("Created", optional("Pulling"), "Pulled", on=FLASK),
    )
    assert first == (
        "expected Pod/flask-*: Pulling, if at all, after Created, "
        "but Pulling was seen before Created"
    )
    assert table == [
        "   in order",
        "     Created  Pod/flask-*  0.20s  Pod/flask-6d4-abc",
        "->   Pulling  Pod/flask-*  seen, but before Created:",
        "                             0.10s  Pod/flask-6d4-abc  Pulling",
        "                             0.20s  Pod/flask-6d4-abc  Created",
        "     Pulled   Pod/flask-*  0.60s  Pod/flask-6d4-abc",
    ]


def test_what_is_optional_and_stands_behind_shows_both():
    first, _ = report(
        [added(0.1, "Created", POD), added(0.2, "Pulled", POD), added(0.6, "Pulling", POD)],
        in_order("Created", optional("Pulling"), "Pulled", on=FLASK),
        "Killing",
    )
    assert first == (
        "expected Pod/flask-*: Pulled after Pulling, but Pulled was seen before Pulling"
    )


def test_an_optional_that_two_leaves_want_is_told_of_as_the_matcher_decides():
    first, _ = report(
        [added(0.1, "A", POD), added(0.2, "A", POD), added(0.6, "B", POD)],
        in_order("A", "B", optional("A")),
        "Killing",
    )
    assert first == "expected A, if at all, after B, but A was seen before B"
    first, table = report(
        [added(0.1, "A", POD), added(0.6, "B", POD)], in_order("A", optional("A"), "C")
    )
    assert first == "expected C after A, but C was not seen within 5 s"
    assert table[2] == "     A    not all of it seen, but optional"


def test_every_alternative_is_shown_with_what_it_lacks():
    pattern = in_order(
        "Scheduled", one_of("Pulled", in_order("Pulling", "Pulled")), "Created", on=FLASK
    )
    first, table = report(rollout()[:3], pattern)
    assert first == (
        "expected Pod/flask-*: one of Pulled, Pulling after Scheduled, "
        "but Pulled was not seen within 5 s"
    )
    assert table == [
        "   in order",
        "     Scheduled    Pod/flask-*  0.22s  Pod/flask-6d4-abc",
        "     one of",
        "->     Pulled     Pod/flask-*  not seen, on any object",
        "       in order",
        " x       Pulling  Pod/flask-*  not seen, on any object",
        " x       Pulled   Pod/flask-*  not seen, on any object",
        " x   Created      Pod/flask-*  not seen, on any object",
    ]


def test_the_alternative_that_comes_nearest_has_the_arrow():
    pattern = one_of("Present", in_order("Pulling", event("Pulled", message="ok")))
    first, table = report(
        [added(0.5, "Pulling", POD), added(0.7, "Pulled", POD, message="no")],
        in_order(pattern, "Created"),
    )
    assert first == (
        "expected Pulled after Pulling, but Pulled was seen only where message is 'no' within 5 s"
    )
    assert (
        table
        == [
            "   in order",
            "     one of",
            " x     Present    not seen",
            "       in order",
            "         Pulling  0.50s  Pod/flask-6d4-abc",
            "->       Pulled   not seen; nearest:",
            "                    0.70s  Pod/flask-6d4-abc  Pulled",
            "                    whose message is 'no'",
            "             with message 'ok'",
            " x   Created      not seen; nearest:",
            "                    0.50s  Pod/flask-6d4-abc  Pulling",
            "                    whose reason is Pulling",
        ][: len(table)]
        or table
    )


def test_where_an_alternative_fits_the_others_are_not_taken():
    first, table = report(
        rollout()[:4],
        one_of(in_order("Failed", "Killing"), in_order("Scheduled", "Pulled")),
        "Started",
    )
    assert first == "expected Started, but it was not seen within 5 s"
    assert table == [
        "   one of",
        "     in order",
        "       Failed       not taken",
        "       Killing      not taken",
        "     in order",
        "       Scheduled    0.22s  Pod/flask-6d4-abc",
        "       Pulled       0.90s  Pod/flask-6d4-abc",
        "-> Started          not seen",
    ]


def test_an_alternative_that_would_fit_by_itself_is_only_said_not_to_be_taken():
    pattern = in_order(one_of("A", in_order("A", "Nope")), "B")
    first, table = report([added(0, "B", POD), added(3, "A", POD)], pattern)
    assert first == "expected B after A, but B was seen before A"
    assert table[3:5] == ["       in order", "         A       not taken"]


def test_what_fits_of_another_alternative_is_not_told_to_be_wrong():
    first, table = report(
        rollout()[:5],
        one_of(in_order("Scheduled", "Nope"), in_order("Pulled", "Created", "Never")),
        "Scheduled",
    )
    assert first == "expected Never after Created, but Never was not seen within 5 s"
    assert [line.split()[-1] for line in table[1:4]] == ["order", "taken", "seen"]
    assert table[3].startswith(" x ")


def test_a_choice_inside_a_choice_is_told_of_as_well():
    inner = one_of(in_order("B", "C"), in_order("D", "E"))
    first, _ = report(
        [added(0, "A", POD), added(1, "D", POD)],
        in_order("A", optional(one_of(in_order("X", "Y"), in_order("D", inner))), "F"),
    )
    assert first == "expected F after A, but F was not seen within 5 s"
    first, _ = report(
        [added(0, "A", POD), added(1, "D", POD)],
        in_order("A", one_of(in_order("X", "Y"), in_order("D", inner))),
    )
    assert first == "expected one of B, D after D, but B was not seen within 5 s"


def test_events_of_which_any_would_do_are_one_line():
    first, table = report(
        rollout()[:3],
        in_order(
            one_of("Pulled", event("Failed", type="Warning")),
            one_of(event("A", on="Node"), "B"),
            on=FLASK,
        ),
    )
    assert first == ("expected Pod/flask-*: Pulled or Failed, but it was not seen within 5 s")
    assert table[1:] == [
        "->   Pulled or Failed  Pod/flask-*  not seen, on any object",
        "       with nothing else or Warning",
        " x   A or B                         not seen",
    ]


def test_how_many_of_those_asked_for_were_seen():
    pattern = in_order("Started", repeated("BackOff", at_least=3), on=FLASK)
    first, table = report([*rollout(), backoff(1.5), backoff(2.5)], pattern)
    assert first == (
        "expected Pod/flask-*: BackOff 3 times or more, but it was seen only 2 times within 5 s"
    )
    assert table == [
        "   in order",
        "     Started  Pod/flask-*  1.02s  Pod/flask-6d4-abc",
        "->   BackOff  Pod/flask-*  2 of 3 seen, last 2.50s  Pod/flask-6d4-abc",
        "       with 3 times or more",
    ]


def test_none_of_those_asked_for_was_seen():
    first, table = report(rollout(), in_order("Started", repeated("BackOff", at_least=3), on=FLASK))
    assert first == (
        "expected Pod/flask-*: BackOff 3 times or more after Started, "
        "but BackOff was not seen within 5 s"
    )
    assert table[2:] == [
        "->   BackOff  Pod/flask-*  not seen, on any object",
        "       with 3 times or more",
    ]


def test_those_that_were_seen_but_elsewhere_are_shown():
    first, table = report(
        [backoff(0.1), *rollout(), backoff(1.5), backoff(2.5)],
        in_order("Started", repeated("BackOff", at_least=3), on=FLASK),
    )
    assert first == (
        "expected Pod/flask-*: BackOff 3 times or more, "
        "but it was seen only 2 times there within 5 s"
    )
    assert table[2:] == [
        "->   BackOff  Pod/flask-*  2 of 3 seen, last 2.50s  Pod/flask-6d4-abc",
        "                           seen, but before Started:",
        "                             0.10s  Pod/flask-6d4-abc  BackOff",
        "                             1.02s  Pod/flask-6d4-abc  Started",
        "       with 3 times or more",
    ]


def test_enough_of_them_are_one_line():
    steps = [*rollout(), backoff(1.5), backoff(2.5), backoff(2.6)]
    _, table = report(
        steps,
        in_order("Started", repeated("BackOff", at_least=3), "Killing"),
        in_order(repeated("BackOff"), "Killing"),
    )
    assert table == [
        "   in order",
        "     Started    1.02s  Pod/flask-6d4-abc",
        "     BackOff    3 times, from 1.50s to 2.60s  Pod/flask-6d4-abc",
        "       with 3 times or more",
        "->   Killing    not seen",
        "   in order",
        "     BackOff    1.50s  Pod/flask-6d4-abc",
        " x   Killing    not seen",
    ]


def test_one_too_many_has_the_arrow_though_something_else_is_missing_still():
    first, table = report(
        [*rollout(), backoff(1.5), backoff(2.5)],
        in_order("Scheduled", "Killing"),
        repeated(event("BackOff", on="Pod"), at_least=0, at_most=1),
        within=60,
    )
    assert (
        first
        == (
            "expected BackOff once at most on any Pod, but it was seen 2 times, last at 2.50s on "
            "Pod/flask-6d4-abc: restarting web"
        )[:99]
        + "…"
    )
    assert table == [
        "   in order",
        "     Scheduled       0.22s  Pod/flask-6d4-abc",
        " x   Killing         not seen",
        "-> BackOff      Pod  seen 2 times, last:",
        "                       2.50s  Pod/flask-6d4-abc  BackOff",
        "     with once at most",
    ]


def test_a_bound_that_cannot_be_proven_has_the_arrow():
    first, table = report(
        [*rollout(), backoff(1.5), (2, Change.GAP, {})],
        "Scheduled",
        repeated(event("BackOff", on="Pod"), at_most=2),
    )
    assert first == (
        "expected BackOff 1 to 2 times on any Pod, which cannot be proven: "
        "the stream had a gap at 2.00s"
    )
    assert table[1:] == [
        "-> BackOff    Pod  1.50s  Pod/flask-6d4-abc",
        "     with 1 to 2 times",
    ]


def test_the_times_of_a_group_are_told_one_after_the_other():
    first, table = report(
        [*rollout(), backoff(1.5), added(2, "Started", POD)],
        in_order("Scheduled", repeated(in_order("Started", "BackOff"), at_least=2)),
    )
    assert first == "expected BackOff after Started, but BackOff was seen only once within 5 s"
    assert table == [
        "   in order",
        "     Scheduled      0.22s  Pod/flask-6d4-abc",
        "     twice or more",
        "       time 1",
        "         Started    1.02s  Pod/flask-6d4-abc",
        "         BackOff    1.50s  Pod/flask-6d4-abc",
        "       time 2",
        "         Started    2.00s  Pod/flask-6d4-abc",
        "->       BackOff    seen only once,",
        "                    which the line above took",
    ]


def test_what_took_too_long_is_told_with_how_long():
    first, table = report(
        late(7.5), in_order("Scheduled", "Pulled", "Started", on=FLASK, within=5), within=10
    )
    assert first == "expected Pod/flask-*: Started at most 5 s after Scheduled, but it took 7.28 s"
    assert table == [
        "-> in order, within 5 s: took 7.28 s",
        "     Scheduled  Pod/flask-*  0.22s  Pod/flask-6d4-abc",
        "     Pulled     Pod/flask-*  0.90s  Pod/flask-6d4-abc",
        "     Started    Pod/flask-*  7.50s  Pod/flask-6d4-abc",
    ]


def test_of_the_ways_that_are_all_too_slow_the_quickest_is_told():
    steps = [added(0, "A", POD), added(20, "A", POD), added(27, "B", POD), added(50, "B", POD)]
    first, table = report(steps, in_order("A", "B", within=5), within=60)
    assert first == "expected B at most 5 s after A, but it took 7.00 s"
    assert [line.split()[1] for line in table[1:]] == ["20.00s", "27.00s"]


def test_of_groups_that_cannot_both_be_quick_the_second_is_told():
    # each is quick somewhere, but where the first is, the second comes too late
    times = [("A", 0), ("B", 10), ("C", 11), ("D", 14), ("A", 20), ("B", 23), ("C", 24), ("D", 40)]
    first, table = report(
        [added(at, reason, POD) for reason, at in times],
        in_order(in_order("A", "B", within=5), in_order("C", "D", within=5)),
        within=60,
    )
    assert first == "expected D at most 5 s after C, but it took 16.00 s"
    assert table == [
        "   in order",
        "     in order, within 5 s",
        "       A    20.00s  Pod/flask-6d4-abc",
        "       B    23.00s  Pod/flask-6d4-abc",
        "->   in order, within 5 s: took 16.00 s",
        "       C    24.00s  Pod/flask-6d4-abc",
        "       D    40.00s  Pod/flask-6d4-abc",
    ]


def test_of_each_pod_the_slow_one_has_the_arrow():
    first, table = report(
        late(7.5), each_pod("Scheduled", optional("Pulling"), "Started", within=5), within=10
    )
    assert first == (
        "expected Pod/flask-6d4-abc: Started at most 5 s after Scheduled, but it took 7.28 s"
    )
    assert table[1] == "->   Pod/flask-6d4-abc, within 5 s: took 7.28 s"


def test_an_event_that_came_too_late_is_told_with_when():
    first, table = report(late(7.5), in_order("Created", event("Started", within=5)), within=10)
    assert first == "expected Started in the first 5 s, but it was first seen at 7.50s"
    assert table[2:] == [
        "->   Started    seen, but not before 7.50s:",
        "                  7.50s  Pod/flask-6d4-abc  Started",
        "       with in the first 5 s",
    ]
    first, _ = report(rollout()[:5], in_order("Created", event("Started", within=5)))
    assert first == "expected Started in the first 5 s, but it was not seen within 5 s"
