"""Patterns and conditions as JSON, and back."""

from __future__ import annotations

import json
import math
import re

import pytest

from seatrial.core.errors import ConfigurationError
from seatrial.core.model import Snapshot, State
from seatrial.events import (
    any_order,
    each_pod,
    event,
    in_order,
    never,
    one_of,
    optional,
    repeated,
)
from seatrial.events.budgets import budget
from seatrial.events.sequences import CRASH_LOOP, ROLLING_UPDATE
from seatrial.events.wordings import created_container
from seatrial.harness.descriptions import (
    condition_from,
    describe,
    describe_condition,
    named_sequence,
    pattern_from,
)
from seatrial.readiness import condition, ready
from seatrial.report.replay import pattern_words

PATTERNS = {
    "'Scheduled'": "Scheduled",
    "'Started'": event("Started"),
    "event('Failed', on='Pod/flask-*', type='Warning', message='no', count=3, source='kubelet', "
    "container='web', within=4)": event(
        "Failed", "Pod/flask-*", type="Warning", message="no", count=3, source="kubelet",
        container="web", within=4,
    ),
    "event('Failed', message=re.compile('no .*'))": event(
        "Failed", message=re.compile("no .*", re.IGNORECASE)
    ),
    "event('Created', message=created_container('web'), container='web')": event(
        "Created", message=created_container("web")
    ),
    "in_order('A', any_order('B', 'C'), within=5)": in_order("A", any_order("B", "C"), within=5),
    "in_order('A', optional('B'), repeated('C', at_most=3))": in_order(
        "A", optional("B"), repeated("C", at_most=3)
    ),
    "one_of('A', in_order('B', 'C'))": one_of("A", in_order("B", "C")),
    "never(one_of('A', 'B'))": never(one_of("A", "B")),
    "each_pod(event('A', on='Pod/flask-*'), of='Deployment/flask')": each_pod(
        "A", of="Deployment/flask"
    ),
    "budget('Scheduled', 'Started', p99=5)": budget("Scheduled→Started", p99=5),
    "CRASH_LOOP": CRASH_LOOP,
    "ROLLING_UPDATE.of('Deployment/flask')": ROLLING_UPDATE.of("Deployment/flask", replicas=3),
}  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_a_pattern_goes_through_json_and_back(pattern):
    described = json.loads(json.dumps(describe(pattern)))
    assert pattern_from(described) == pattern


@pytest.mark.parametrize(("words", "pattern"), PATTERNS.items(), ids=PATTERNS)
def test_a_described_pattern_reads_as_in_a_test(words, pattern):
    assert pattern_words(json.loads(json.dumps(describe(pattern)))) == words


def refused(described):
    with pytest.raises(ConfigurationError) as raised:
        pattern_from(described)
    return raised.value.cause


def test_a_function_is_kept_by_its_name_alone():
    def is_fine(message):
        return True

    described = describe(event("A", message=is_fine))
    assert described["message"] == {"is": "function", "name": "is_fine"}
    assert refused(described) == "is_fine is a function, which a recording cannot hold"
    assert pattern_words(described) == "event('A', message=is_fine)"
    assert describe(object()) == {"is": "function", "name": "object"}


def test_what_another_version_wrote_is_refused_where_it_is_not_known():
    assert refused({"is": "Sometimes"}) == "this seatrial knows no Sometimes"
    assert refused({"is": "Message"}) == "this seatrial knows no Message"
    assert refused({"is": "EventPattern", "reason": "A", "mood": 1}).startswith(
        "this seatrial has another EventPattern: "
    )
    assert refused({"is": "NamedSequence", "name": "X", "on": "", "replicas": None}) == (
        "there is no sequence X"
    )


def test_graces_may_be_endless():
    graces = {"CrashLoop": math.inf, "ImagePullFailed": 3.0}
    assert pattern_from(json.loads(json.dumps(describe(graces)))) == graces


def test_a_sequence_is_found_by_its_name():
    assert named_sequence("CRASH_LOOP") is CRASH_LOOP


READY = ready("Deployment/flask", "shop")
CONDITIONS = [
    READY,
    ready("Node/n1"),
    READY & ready("Service/flask"),
    READY | ready("Service/flask"),
    (READY & ready("Service/flask")).holds_for(5) & ready("Pod/x"),
]


@pytest.mark.parametrize("asked", CONDITIONS, ids=str)
def test_a_condition_goes_through_json_and_back(asked):
    described = json.loads(json.dumps(describe_condition(asked)))
    made = condition_from(described)
    assert made == asked
    assert made.describe() == asked.describe()


def test_what_is_not_watched_counts_as_applied():
    applied = condition(lambda _: True, "Secret/s to be there")
    made = condition_from(describe_condition(applied))
    assert made.describe() == "Secret/s to be there"
    assert made.judge(Snapshot()).verdict.state is State.SATISFIED


def test_a_condition_of_another_version_is_refused():
    with pytest.raises(ConfigurationError, match="knows no condition 'sometimes'"):
        condition_from({"is": "sometimes"})
