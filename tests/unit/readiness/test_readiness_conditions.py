"""Conditions: what they describe, how they compose, and when they are a dead end."""

from __future__ import annotations

import pytest
from readiness_objects import deployment, event, pod, replica_set

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import ObjectRef, Snapshot, State, Verdict
from seatrial.readiness import (
    Condition,
    Finding,
    Judgement,
    all_of,
    any_of,
    condition,
    diagnose,
    ready,
)
from seatrial.readiness.status import advance

NEVER_PULLED = {
    "status": {
        "containerStatuses": [
            {"name": "web", "state": {"waiting": {"reason": "ErrImageNeverPull"}}}
        ]
    }
}
AVAILABLE = {"status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1}}

YES = condition(lambda _: True, "yes")
NO = condition(lambda _: False, "no")
LOST = condition(
    lambda _: Verdict.impossible("Lost", "all is lost", object=ObjectRef("Thing", "t")), "lost"
)


def _state(composed, *objects):
    return composed.judge(Snapshot.of(*objects)).verdict.state.value


def test_ready_describes_itself_and_reads_kind_and_name():
    waited = ready("Deployment/flask", "shop")

    assert waited.describe() == str(waited) == "Deployment/flask to be ready"
    assert waited == ready(ObjectRef("Deployment", "flask", "shop"))
    assert waited == ready(ObjectRef("Deployment", "flask"), "shop")


@pytest.mark.parametrize(
    "text", ["flask", "deployment/flask", "Deployment/", "/flask", "A/b/c", ""]
)
def test_ready_refuses_what_names_no_object(text):
    with pytest.raises(ConfigurationError) as refused:
        ready(text)

    assert str(refused.value) == (
        f'"{text}" does not name an object\n'
        "-> write Kind/name with the kind as in the manifest: Deployment/flask"
    )


def test_ready_refuses_two_namespaces():
    with pytest.raises(ConfigurationError, match="Deployment/flask is in namespace a, and names"):
        ready(ObjectRef("Deployment", "flask", "a"), "b")


def test_ready_is_judged_by_the_status_of_the_object():
    waited = ready("Deployment/flask", "shop")

    judged = waited.judge(Snapshot.of(deployment(AVAILABLE), replica_set(), pod()))

    assert judged.verdict == Verdict.satisfied(
        "Available", "Available: 1/1", object=ObjectRef.of(deployment())
    )
    assert judged.findings == ()
    assert {str(ref) for ref in judged.about} == {
        "Deployment/flask",
        "ReplicaSet/flask-7d4",
        "Pod/flask-7d4-x",
    }


def test_what_is_not_ready_comes_with_its_findings():
    judged = ready("Deployment/flask", "shop").judge(
        Snapshot.of(deployment(), replica_set(), pod(NEVER_PULLED))
    )

    assert judged.told == "Deployment/flask: Available: 0/1"
    assert [finding.cause for finding in judged.findings] == ["ImageAbsent"]


def test_what_is_ready_has_no_findings_even_if_a_pod_is_sick():
    judged = ready("Deployment/flask", "shop").judge(
        Snapshot.of(deployment(AVAILABLE), replica_set(), pod(NEVER_PULLED))
    )

    assert judged.findings == ()


def test_progress_grows_with_every_step():
    waited = ready("Pod/flask-7d4-x")
    unscheduled = pod({"status": {"conditions": [], "containerStatuses": None}})
    running = pod({"status": {"containerStatuses": [{"name": "web", "ready": True}]}})

    steps = [
        waited.judge(Snapshot.of(*objects)).progress
        for objects in ([], [unscheduled], [pod()], [running])
    ]

    assert steps == sorted(set(steps))
    assert steps[0] == 0


def test_progress_of_a_service_is_in_its_endpoints():
    service = {"kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"a": "b"}}}
    piece = {
        "kind": "EndpointSlice",
        "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
        "endpoints": [{}],
    }
    waited = ready("Service/s")

    assert waited.judge(Snapshot.of(service)).progress == 1
    assert waited.judge(Snapshot.of(service, piece)).progress == 2


def test_the_progress_of_a_given_object_is_that_of_its_reference():
    snapshot = Snapshot.of(deployment())
    assert advance(deployment(), snapshot) == advance(ObjectRef.of(deployment()), snapshot) == 2


def test_a_function_may_say_true_or_false_or_a_verdict():
    assert YES.judge(Snapshot()).told == "yes: yes"
    assert NO.judge(Snapshot()).told == "no: not yet"
    assert LOST.judge(Snapshot()).told == "Thing/t: all is lost"
    bare = condition(lambda _: Verdict.waiting("Few", "3 messages"), "a full queue")
    assert bare.judge(Snapshot()).told == "a full queue: 3 messages"


@pytest.mark.parametrize(
    ("composed", "state"),
    [
        (YES & YES, "satisfied"),
        (YES & NO, "waiting"),
        (NO & NO, "waiting"),
        (NO & LOST, "impossible"),
        (YES | NO, "satisfied"),
        (NO | NO, "waiting"),
        (NO | LOST, "waiting"),
        (YES | LOST, "satisfied"),
        (LOST | LOST, "impossible"),
        ((NO | YES) & YES, "satisfied"),
        (NO | (YES & YES), "satisfied"),
        (NO & (YES | YES), "waiting"),
        (all_of(YES), "satisfied"),
        (any_of(NO), "waiting"),
    ],
)
def test_conditions_compose(composed, state):
    assert _state(composed) == state


def test_a_composed_condition_describes_its_parts():
    assert (YES & NO & YES).describe() == "yes and no and yes"
    assert ((YES | NO) & YES).describe() == "(yes or no) and yes"


def test_a_composed_condition_tells_what_is_still_missing():
    told = [
        composed.judge(Snapshot()).told
        for composed in (YES & NO, NO & NO, NO | LOST, YES & YES, LOST | LOST)
    ]

    assert told == [
        "no: not yet",
        "no: not yet; no: not yet",
        "no: not yet",
        "yes: yes; yes: yes",
        "Thing/t: all is lost; Thing/t: all is lost",
    ]


def test_a_condition_that_has_to_hold_waits_as_long_as_no_time_is_known():
    lasting = (YES & YES).holds_for(5)
    judged = lasting.judge(Snapshot())

    assert lasting.describe() == "(yes and yes), and to stay so for 5 s"
    assert str(YES.holds_for(0.5) | NO) == "(yes, and to stay so for 0.5 s) or no"
    assert (judged.verdict.state, judged.told) == (State.WAITING, "yes: yes; yes: yes")
    assert list(judged.leaves()) == [judged]
    assert LOST.holds_for(5).judge(Snapshot()).verdict.state is State.IMPOSSIBLE


def test_holding_for_no_time_is_the_condition_itself():
    assert YES.holds_for(0) is YES
    with pytest.raises(ConfigurationError, match="nothing can hold for -1 s"):
        YES.holds_for(-1)


def test_nothing_cannot_be_composed():
    with pytest.raises(ConfigurationError, match=r"all_of\(\) needs at least one condition"):
        all_of()


def _judgement(*causes):
    findings = tuple(Finding(cause, ObjectRef("Pod", cause), cause) for cause in causes)
    return Judgement(Verdict.waiting("Waiting", "…"), findings)


class _Fixed(Condition):
    """A condition of one's own, written as a class."""

    def __init__(self, judgement):
        self.judgement = judgement

    def describe(self):
        return "a fixed judgement"

    def judge(self, snapshot):
        return self.judgement


def test_the_certain_finding_of_a_dead_end_comes_first():
    end = _judgement("CrashLoop", "MountFailed").dead_end(lambda f: f.cause == "MountFailed")

    assert [finding.cause for finding in end.findings] == ["MountFailed", "CrashLoop"]


def test_without_a_certain_finding_there_is_hope():
    assert _judgement("CrashLoop").dead_end(lambda _: False) is None


def test_an_alternative_is_hope_as_well():
    broken, hopeful = _Fixed(_judgement("CrashLoop")), _Fixed(_judgement())

    def end(composed):
        return composed.judge(Snapshot()).dead_end(lambda _: True)

    assert end(broken | hopeful) is None
    assert end(broken | broken).findings[0].cause == "CrashLoop"
    assert end(broken & hopeful).findings[0].cause == "CrashLoop"
    assert end((broken | hopeful) & broken).findings[0].cause == "CrashLoop"
    assert end((broken & hopeful) | hopeful) is None


def test_the_leaves_of_a_composed_judgement_are_its_parts():
    judged = ((YES | NO) & LOST).judge(Snapshot())

    assert [leaf.verdict.state for leaf in judged.leaves()] == [
        State.SATISFIED,
        State.WAITING,
        State.IMPOSSIBLE,
    ]


def test_the_log_is_read_once_and_for_the_first_finding_that_has_one():
    crashed = {"name": "web", "restartCount": 1, "state": {"terminated": {"exitCode": 3}}}
    other = {"name": "aside", "restartCount": 1, "state": {"terminated": {"exitCode": 4}}}
    pods = pod(
        {
            "spec": {"containers": [{"name": "web"}, {"name": "aside"}]},
            "status": {"phase": "Running", "containerStatuses": [crashed, other]},
        }
    )
    asked = []

    def log_tail(*source):
        asked.append(source)
        return "starting\nboom\n\n"

    snapshot = Snapshot.of(deployment(), replica_set(), pods, event({"reason": "Scheduled"}))
    first, second = diagnose(snapshot, ObjectRef("Deployment", "flask", "shop"), log_tail)

    assert asked == [("shop", "flask-7d4-x", "web", False)]
    assert first.message == (
        "Deployment/flask: container web of Pod/flask-7d4-x crashed 2 times with exit code 3"
        ' (last log: "boom")'
    )
    assert first.evidence[-3:] == (
        "log of container web of Pod/flask-7d4-x:",
        "  starting",
        "  boom",
    )
    assert "last log" not in second.message
