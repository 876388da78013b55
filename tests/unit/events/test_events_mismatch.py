import re

import pytest
from events_kit import DEPLOYMENT, POD, added, raw, rollout, watching

from seatrial.core.errors import EventMismatchError
from seatrial.core.model import Change
from seatrial.events import any_order, each_pod, event, in_order, never

KUBELET = in_order("Scheduled", "Pulled", "Created", "Started", on="Pod/flask-*")


def report(steps, *patterns, within=5.0):
    _, _, timeline = watching(*steps)
    with pytest.raises(EventMismatchError) as mismatch:
        timeline.expect(*patterns, within=within)
    text = str(mismatch.value)
    assert max(len(line) for line in text.splitlines()) <= 100
    return text


def table(text):
    """The part between the first line and the events, without the error's own indentation."""
    return [line[2:] for line in text.split("\n  \n")[0].splitlines()[1:]]


def test_the_report_as_a_whole():
    assert report(rollout()[:5], KUBELET) == (
        "expected Pod/flask-*: Started after Created, but Started was not seen within 5 s\n"
        "     expected                  seen\n"
        "     in order\n"
        "       Scheduled  Pod/flask-*  0.22s  Pod/flask-6d4-abc\n"
        "       Pulled     Pod/flask-*  0.90s  Pod/flask-6d4-abc\n"
        "       Created    Pod/flask-*  0.95s  Pod/flask-6d4-abc\n"
        "  ->   Started    Pod/flask-*  not seen, on any object\n"
        "  \n"
        "  5 events were seen in 5.00 s:\n"
        "     0.10s  Deployment/flask      ScalingReplicaSet  Scaled up replica set flask-6d4 "
        "from 0 to 1\n"
        "     0.21s  ReplicaSet/flask-6d4  SuccessfulCreate   Created pod: flask-6d4-abc\n"
        "     0.22s  Pod/flask-6d4-abc     Scheduled          Successfully assigned "
        "trial/flask-6d4-abc to n…\n"
        '     0.90s  Pod/flask-6d4-abc     Pulled             Container image "flask:1" already '
        "present on m…\n"
        "     0.95s  Pod/flask-6d4-abc     Created            Container created"
    )


def test_groups_are_headings_and_only_the_first_disagreement_has_the_arrow():
    text = report(
        rollout()[:4],
        in_order(
            event("ScalingReplicaSet", on=DEPLOYMENT),
            any_order("Pulled", "Pulling"),
            each_pod("Scheduled", "Started", of=DEPLOYMENT),
        ),
    )
    assert text.splitlines()[0] == (
        "expected Pulling after ScalingReplicaSet of Deployment/flask, but Pulling was not seen "
        "within 5 s"
    )
    assert table(text) == [
        "   expected                               seen",
        "   in order",
        "     ScalingReplicaSet  Deployment/flask  0.10s  Deployment/flask",
        "     in any order",
        "       Pulled                             0.90s  Pod/flask-6d4-abc",
        "->     Pulling                            not seen; nearest:",
        "                                            0.90s  Pod/flask-6d4-abc  Pulled",
        "                                            whose reason is Pulled",
        "     each pod of Deployment/flask",
        "       Pod/flask-6d4-abc",
        "         Scheduled                        0.22s  Pod/flask-6d4-abc",
        " x       Started                          not seen, on any object",
    ]


def test_a_wrong_order_shows_both_events():
    steps = rollout()
    created = (1.5, Change.ADDED, raw("Created", POD, message="Container created"))
    text = report([*steps[:4], steps[5], created], KUBELET)
    first, *_ = text.splitlines()
    assert (
        first == "expected Pod/flask-*: Started after Created, but Started was seen before Created"
    )
    assert [line.strip() for line in table(text)[-3:]] == [
        "->   Started    Pod/flask-*  seen, but before Created:",
        "1.02s  Pod/flask-6d4-abc  Started",
        "1.50s  Pod/flask-6d4-abc  Created",
    ]


def test_the_object_of_the_event_before_is_told_where_it_is_another():
    text = report(
        [added(0, "Started", POD), added(3, "Scheduled", "Pod/y")],
        in_order(event("Scheduled", on="Pod/y"), event("Started", on="Pod")),
    )
    assert text.splitlines()[0] == (
        "expected any Pod: Started after Scheduled of Pod/y, "
        "but Started was seen before Scheduled of Pod/y"
    )


@pytest.mark.parametrize(
    ("wanted", "cause", "why"),
    [
        (
            event("Pulled", on="Pod/other"),
            "expected Pod/other: Pulled, but it was not seen within 5 s",
            "whose object is Pod/flask-6d4-abc",
        ),
        (
            event("Pulled", type="Warning"),
            "expected Pulled, but it was seen only where type is Normal, not Warning within 5 s",
            "whose type is Normal, not Warning",
        ),
        (
            event("Created", message=re.compile("^Created")),
            "expected Created, but it was seen only where message is 'Container created'"
            " within 5 s",
            "whose message is 'Container created'",
        ),
        (
            event("Scheduled", on="Pod", source="kubelet"),
            "expected any Pod: Scheduled, but it was seen only where source is default-scheduler,"
            " not kubelet wi…",
            "whose source is default-scheduler, not kubelet",
        ),
        (
            event("Schedule", on=POD),
            "expected Pod/flask-6d4-abc: Schedule, but it was not seen within 5 s",
            "whose reason is Scheduled",
        ),
    ],
)
def test_a_missing_event_has_its_nearest_candidate_and_why_it_does_not_fit(wanted, cause, why):
    text = report(rollout(), wanted)
    assert text.splitlines()[0] == cause
    below = [line.strip() for line in table(text)[2:]]
    assert why in below
    assert (f"with {wanted.conditions}" in below) is bool(wanted.conditions)


def test_the_nearest_candidate_is_the_one_that_differs_least():
    text = report(
        [
            added(0, "Failed", "Pod/flask-a", message="pull", type="Warning"),
            added(1, "Failed", "Node/n", message="other"),
        ],
        event("Failed", on="Pod/flask-a", message="ErrImagePull", type="Warning"),
    )
    assert "nearest:\n" in text
    assert "0.00s  Pod/flask-a  Failed\n" in text
    assert "whose message is 'pull'\n" in text
    assert "with Warning, message 'ErrImagePull'\n" in text


def test_an_event_that_is_needed_more_often_than_it_was_seen():
    text = report(rollout(), in_order("Scheduled", "Scheduled"))
    assert text.splitlines()[0] == (
        "expected Scheduled after Scheduled, but Scheduled was seen only once within 5 s"
    )
    assert [line.strip() for line in table(text)[-2:]] == [
        "->   Scheduled    seen only once,",
        "which the line above took",
    ]
    text = report([added(0, "Pulled"), added(0, "Pulled")], any_order(*["Pulled"] * 3))
    assert text.splitlines()[0] == "expected Pulled, but it was seen only 2 times within 5 s"
    assert "which lines above took" in text


def test_leaves_give_way_to_one_another_in_the_report_as_in_the_match():
    text = report(
        [added(0, "Started", "Pod/x"), added(1, "Started", "Pod/y")],
        any_order("Started", event("Started", on="Pod/x"), "Killing"),
    )
    assert text.splitlines()[0] == "expected Killing, but it was not seen within 5 s"
    assert [line.split() for line in table(text)[2:4]] == [
        ["Started", "1.00s", "Pod/y"],
        ["Started", "Pod/x", "0.00s", "Pod/x"],
    ]


def test_the_first_pattern_that_does_not_fit_is_the_one_that_is_named():
    text = report(rollout(), "Started", "Killing", "Evicted")
    assert text.splitlines()[0] == "expected Killing, but it was not seen within 5 s"
    assert table(text)[1:] == [
        "   Started    1.02s  Pod/flask-6d4-abc",
        "-> Killing    not seen",
        " x Evicted    not seen",
    ]


def test_with_no_events_at_all_it_says_so():
    assert report([], each_pod("Scheduled", of=DEPLOYMENT)).splitlines() == [
        "expected Pod/flask-*: Scheduled, but it was not seen within 5 s",
        "     expected                    seen",
        "     each pod of Deployment/flask",
        "       in order",
        "  ->     Scheduled  Pod/flask-*  not seen, on any object",
        "  ",
        "  no events at all were seen in 5.00 s",
    ]


def test_what_must_never_be_is_counted_and_what_was_not_seen_yet_is_not_the_cause():
    text = report(
        [
            (0, Change.LISTED, raw("BackOff", POD, message="one")),
            added(0, "BackOff", POD, message="two"),
        ],
        in_order("Started"),
        never(any_order("BackOff", event("Killing", on="Pod"))),
    )
    assert text.splitlines()[0] == (
        "expected no BackOff, but it was seen in the list before the watch "
        "on Pod/flask-6d4-abc: one"
    )
    assert table(text)[1:] == [
        "   in order",
        " x   Started       not seen",
        "   never",
        "->   BackOff       2 times, first listed  Pod/flask-6d4-abc",
        "     Killing  Pod  not seen, as expected",
    ]


def test_an_event_on_the_very_object_is_not_told_twice():
    text = report([added(1, "Killing", POD, message="stopping")], never(event("Killing", on=POD)))
    assert text.splitlines()[0] == (
        "expected no Killing on Pod/flask-6d4-abc, but it was seen at 1.00s: stopping"
    )


def test_gaps_are_told_of():
    gaps = [(1, Change.GAP, {}), (2, Change.GAP, {})]
    text = report(gaps, "Started", never(event("BackOff", on="Pod")), within=2)
    assert text.splitlines()[0] == (
        "expected no BackOff on any Pod, which cannot be proven: the stream had a gap at 1.00s"
    )
    text = report(gaps, "Started")
    assert "\n  the stream had gaps at 1.00s, 2.00s: events may be missing\n" in text
    text = report([added(0, "A"), *gaps], never(any_order("B", event("C", on="Pod"))))
    assert "expected no B or C, which cannot be proven" in text
    assert "->   B" in text
    assert "not seen, but there was a gap" in text


def test_of_many_events_the_first_and_the_last_are_listed():
    text = report([added(i / 100, f"R{i}") for i in range(100)], "Started")
    lines = text.splitlines()
    start = lines.index("  100 events were seen in 5.00 s:")
    shown = [line.split()[2] for line in lines[start + 1 :]]
    assert shown == [*(f"R{i}" for i in range(15)), "events", *(f"R{i}" for i in range(55, 100))]
    assert lines[start + 16] == "         …  40 events between"


def test_repetitions_and_listed_events_are_marked():
    text = report([(0, Change.LISTED, raw("BackOff", POD, message="a\nb", count=7))], "Started")
    assert text.endswith(
        "1 event was seen in 5.00 s:\n    listed  Pod/flask-6d4-abc  BackOff x7  a b"
    )


def test_long_names_leave_room_for_what_went_wrong():
    pod = "Pod/a-deployment-with-quite-a-long-name-6d4b75cb6d-abcde"
    text = report(
        [added(0, "SuccessfullyReconciledVolume", pod, message="m" * 200)],
        in_order(
            event("SuccessfullyReconciledVolume", on="Pod"),
            event("SuccessfullyReconciledNetwork", on=pod, message="n" * 200),
        ),
    )
    assert text.splitlines()[0] == (
        "expected Pod/a-depl…b6d-abcde: SuccessfullyReconciledNetwork, but it was not seen "
        "within 5 s"
    )
    assert "SuccessfullyReconciledV…  Pod                           0.00s  Pod/a-depl" in text
    assert "->   SuccessfullyReconciledN…  Pod/a-deployme…b75cb6d-abcde  not seen" in text
    assert "with message 'nnnn" in text
