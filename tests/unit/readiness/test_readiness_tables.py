"""Tables of YAML: objects in, a verdict or findings out."""

from __future__ import annotations

import math

import pytest
from readiness_objects import load, root_of, snapshot_of

from seatrial.core.model import ObjectRef, Snapshot
from seatrial.readiness import CAUSES, diagnose, status


def _cases(*names):
    return [
        pytest.param(case, id=f"{name}: {case['name']}") for name in names for case in load(name)
    ]


@pytest.mark.parametrize("case", _cases("status"))
def test_the_status_of_an_object(case):
    obj = case["object"]
    snapshot = Snapshot.of(obj, *case.get("others", []))

    verdict = status(obj, snapshot)

    assert (verdict.state.value, verdict.reason, verdict.message) == (
        case["state"],
        case["reason"],
        case["message"],
    )
    assert verdict.object == ObjectRef.of(obj)
    assert status(ObjectRef.of(obj), snapshot) == verdict


@pytest.mark.parametrize("case", _cases("images", "starting", "crashing", "around"))
def test_the_findings_of_a_snapshot(case):
    _check(case, diagnose(snapshot_of(case), root_of(case)))


@pytest.mark.parametrize("case", _cases("scheduling"))
def test_the_findings_of_a_pod_without_a_node(case):
    unscheduled = {
        "spec": case.get("spec", {}),
        "status": {
            "containerStatuses": None,
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "reason": "Unschedulable",
                    "message": case["said"],
                }
            ],
        },
    }
    case = {**case, "pods": [unscheduled]}
    _check(case, diagnose(snapshot_of(case), root_of(case)))


def _check(case, findings):
    expected = case["findings"]
    assert [(f.cause, f.message) for f in findings] == [
        (e["cause"], e["message"]) for e in expected
    ]
    for finding, wanted in zip(findings, expected, strict=True):
        assert finding.cause in CAUSES
        assert "\n" not in finding.message
        assert finding.grace == wanted.get("grace", finding.grace)
        assert wanted.get("hint", "") in finding.hint
        assert wanted.get("evidence", "") in "\n".join(finding.evidence)
        assert wanted.get("object", str(finding.object)) == str(finding.object)
        assert finding.crashes == wanted.get("crashes", finding.crashes)
        if "log" in wanted:
            log = finding.log
            assert [log.namespace, log.pod, log.container, log.previous] == wanted["log"]


def test_every_cause_that_is_documented_is_found_in_a_table():
    names = ("images", "starting", "crashing", "scheduling", "around")
    found = {e["cause"] for name in names for case in load(name) for e in case["findings"]}

    assert found == set(CAUSES)


def test_an_absent_object_is_waited_for_and_what_there_is_instead_is_named():
    other = {"kind": "Deployment", "metadata": {"name": "flaks", "namespace": "shop"}}

    verdict = status(ObjectRef("Deployment", "flask", "shop"), Snapshot.of(other))

    assert (verdict.state.value, verdict.reason) == ("waiting", "NotFound")
    assert verdict.message == "no such Deployment in namespace shop; there is flaks"


def test_an_absent_object_of_no_namespace_has_a_short_message():
    verdict = status(ObjectRef("Namespace", "shop"), Snapshot())

    assert verdict.message == "no such Namespace"


def test_only_findings_that_never_end_a_wait_have_an_infinite_grace():
    endless = {
        e["cause"]
        for name in ("images", "starting", "crashing", "scheduling", "around")
        for case in load(name)
        for e in case["findings"]
        if e.get("grace") == math.inf
    }

    assert endless == {"PodEvicted", "CrashLoop", "ProbeFailing", "ProgressDeadlineExceeded"}
