import re

import pytest
from events_kit import seen

from seatrial.core.errors import ConfigurationError
from seatrial.events import (
    EachPod,
    EventPattern,
    InOrder,
    any_order,
    each_pod,
    event,
    in_order,
    never,
    one_of,
    optional,
    repeated,
)
from seatrial.events.patterns import expectation, leaves

CREATED_134, CREATED_137 = "Created container: web", "Container created"


@pytest.mark.parametrize(
    ("on", "fits"),
    [
        (None, True),
        ("Pod", True),
        ("Pod/flask-abc", True),
        ("Pod/flask-*", True),
        ("Pod/flask", False),
        ("Pod/FLASK-*", False),
        ("Deployment/flask-abc", False),
    ],
)
def test_on_names_a_kind_and_a_name_that_may_be_a_glob(on, fits):
    assert event("Started", on=on).matches(seen("Started", "Pod/flask-abc")) is fits


def test_the_message_of_merged_events_is_matched_without_what_was_put_before_it():
    merged = seen(
        "Unhealthy", message="(combined from similar events): Readiness probe", aggregated=True
    )
    assert event("Unhealthy", message=re.compile("^Readiness")).matches(merged)
    assert event("Unhealthy", message="Readiness probe".__eq__).matches(merged)
    assert not event("Unhealthy", message="combined").matches(merged)
    assert list(event("Unhealthy", message="Liveness").differences(merged)) == [
        "message is 'Readiness probe'"
    ]


@pytest.mark.parametrize("message", [CREATED_134, CREATED_137])
def test_a_message_is_a_substring_an_expression_or_a_function(message):
    created = seen("Created", message=message)
    assert event("Created").matches(created)
    assert event("Created", message=message[3:9]).matches(created)
    assert event("Created", message=re.compile("^Created container|^Container created")).matches(
        created
    )
    assert event("Created", message=str.strip).matches(created)
    assert not event("Created", message="CREATED").matches(created)
    assert not event("Created", message=re.compile("^container$")).matches(created)
    assert not event("Created", message=str.isdigit).matches(created)


def test_count_is_the_least_that_will_do():
    assert event("BackOff", count=3).matches(seen("BackOff", count=3))
    assert event("BackOff", count=3).matches(seen("BackOff", count=5))
    assert not event("BackOff", count=3).matches(seen("BackOff", count=2))


def test_each_condition_that_is_not_met_is_named():
    wanted = event(
        "Failed",
        on="Pod/flask-*",
        type="Warning",
        message="ErrImagePull",
        count=2,
        source="kubelet",
        container="web",
    )
    other = seen("Started", "Node/n1", message="ready", source="node-controller")
    assert list(wanted.differences(other)) == [
        "reason is Started",
        "object is Node/n1",
        "type is Normal, not Warning",
        "message is 'ready'",
        "count is 1, not 2 or more",
        "source is node-controller, not kubelet",
        "container is unknown, not web",
    ]


def test_conditions_read_as_a_person_would_say_them():
    assert event("Failed").conditions == ""
    assert (
        event("Failed", type="Warning", message="pull", count=3, source="kubelet", container="web")
    ).conditions == "Warning, message 'pull', count >= 3, source kubelet, container web"
    assert event("Failed", message=re.compile("a|b")).conditions == "message /a|b/"
    assert event("Failed", message=str.isdigit).conditions == "message by isdigit"
    assert event("Failed", within=2.5).conditions == "in the first 2.5 s"


def test_a_bare_string_is_an_event_with_that_reason():
    assert in_order("Scheduled", "Pulled") == in_order(event("Scheduled"), event("Pulled"))
    assert expectation("Pulled") == event("Pulled")


def test_on_is_handed_down_to_the_leaves_that_name_no_object():
    pattern = in_order(
        "Scheduled", any_order("Pulled", event("Ready", on="Node/n1")), each_pod("X"), on="Pod/x"
    )
    assert [leaf.on for leaf in leaves(pattern)] == ["Pod/x", "Pod/x", "Node/n1", "Pod"]


def test_on_is_handed_down_through_every_group():
    pattern = in_order(
        optional("A"), repeated("B", at_least=2), one_of("C", in_order("D", "E")), on="Pod/x"
    )
    assert {leaf.on for leaf in leaves(pattern)} == {"Pod/x"}
    assert [leaf.on for leaf in leaves(one_of("A", event("B", on="Pod"), on="Node"))] == [
        "Node",
        "Pod",
    ]


def test_how_often_reads_as_a_person_would_say_it():
    assert [
        repeated("A").times,
        repeated("A", at_least=2).times,
        repeated("A", at_least=3).times,
        repeated("A", at_most=1).times,
        repeated("A", at_most=2).times,
        repeated("A", at_least=3, at_most=3).times,
        repeated("A", at_least=0, at_most=2).times,
    ] == [
        "once or more",
        "twice or more",
        "3 times or more",
        "once",
        "1 to 2 times",
        "3 times",
        "twice at most",
    ]


def test_what_can_be_missing_may_stand_beside_what_cannot():
    optional(in_order("A", optional("B")))
    repeated(in_order("A", optional("B")), at_least=2)
    one_of("A", in_order("B", optional("C")))
    each_pod("Scheduled", optional("Pulling"), one_of("Pulled", "Failed"), repeated("Started"))
    never(one_of("A", each_pod("B")))


def test_the_leaves_of_each_pod_are_about_the_pods_of_its_owner():
    pattern = each_pod("Scheduled", event("Started", on="Pod/flask-a*"), of="Deployment/flask")
    assert isinstance(pattern, EachPod)
    assert [leaf.on for leaf in leaves(pattern)] == ["Pod/flask-*", "Pod/flask-a*"]
    assert pattern.title == "each pod of Deployment/flask"
    assert each_pod("Scheduled").title == "each pod"


def test_an_order_may_stand_inside_each_pod():
    pattern = each_pod("Scheduled", any_order("Pulled", in_order("A", "B")))
    assert isinstance(pattern.order, InOrder)
    assert {leaf.on for leaf in leaves(pattern)} == {"Pod"}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: event(""), "an event pattern needs a reason, such as 'Scheduled'"),
        (
            lambda: event("Failed", type="warning"),
            "event Failed: there is no event type 'warning'\n"
            "-> Kubernetes knows Normal and Warning",
        ),
        (lambda: event("Failed", count=0), "event Failed: count must be 1 or more, not 0"),
        (
            lambda: event("Failed", on="pod/x"),
            "event Failed: 'pod/x' names no object\n"
            "-> write the kind as in a manifest, and a name: 'Pod/flask-*', or the kind alone",
        ),
        (lambda: event("Failed", on="Pod/"), "event Failed: 'Pod/' names no object"),
        (lambda: event("Failed", on="Pod/a/b"), "event Failed: 'Pod/a/b' names no object"),
        (lambda: event("Failed", on=""), "event Failed: '' names no object"),
        (lambda: in_order("A", on="flask"), "in_order: 'flask' names no object"),
        (in_order, "in_order() needs at least one pattern"),
        (any_order, "any_order() needs at least one pattern"),
        (each_pod, "each_pod() needs at least one pattern"),
        (
            lambda: in_order("A", never("B")),
            "in_order: never(…) cannot stand inside another pattern\n-> give it to expect() beside "
            "the others: expect(in_order(…), never(…))",
        ),
        (
            lambda: any_order("A", 3),
            "any_order: 3 is no event pattern\n-> use event(…), in_order(…), any_order(…), "
            "each_pod(…), optional(…), repeated(…), one_of(…) or a reason as a string",
        ),
        (lambda: expectation(None), "expect: None is no event pattern"),
        (
            lambda: each_pod(event("Starting", on="Node")),
            "each_pod: Starting is expected on Node, which is no Pod\n-> put it beside each_pod: "
            "in_order(event(…), each_pod(…))",
        ),
        (
            lambda: each_pod("A", of="Deployment"),
            "each_pod: of='Deployment' names no object\n-> such as of='Deployment/flask'",
        ),
        (
            lambda: each_pod(in_order("A", each_pod("B"))),
            "each_pod: cannot stand inside another each_pod",
        ),
        (
            lambda: each_pod(one_of(each_pod("A"), "B")),
            "each_pod: cannot stand inside another each_pod",
        ),
        (
            lambda: expectation(optional("A")),
            "expect: optional(…) by itself asks for nothing\n"
            "-> put it where it would have to stand: in_order(…, optional(…), …)",
        ),
        (
            lambda: optional(optional("A")),
            "optional: what stands inside it may itself be missing, so that nothing is asked for\n"
            "-> leave optional(…) out, or put an event beside it that must be there: "
            "optional(in_order('A', optional('B')))",
        ),
        (
            lambda: optional(in_order(optional("A"), optional("B"))),
            "optional: what stands inside it may itself be missing",
        ),
        (
            lambda: optional(each_pod("A")),
            "optional: each_pod cannot stand inside it\n"
            "-> put it into each_pod: each_pod(…, optional(…))",
        ),
        (lambda: optional(never("A")), "optional: never(…) cannot stand inside another pattern"),
        (
            lambda: repeated(optional("A")),
            "repeated: what stands inside it may itself be missing",
        ),
        (
            lambda: repeated(in_order("A", each_pod("B"))),
            "repeated: each_pod cannot stand inside it",
        ),
        (
            lambda: repeated(in_order("A", repeated("B", at_least=2))),
            "repeated: cannot stand inside another repeated",
        ),
        (
            lambda: repeated("A", at_least=-1),
            "repeated: at_least must be from 0 to 1000, not -1",
        ),
        (
            lambda: repeated("A", at_least=1001),
            "repeated: at_least must be from 0 to 1000, not 1001",
        ),
        (
            lambda: repeated("A", at_least=0),
            "repeated: at_least=0 without at_most asks for nothing\n-> use optional(…)",
        ),
        (
            lambda: repeated("A", at_most=0),
            "repeated: at_most must be 1 or more, not 0\n-> what must not be at all is never(…)",
        ),
        (
            lambda: repeated("A", at_least=3, at_most=2),
            "repeated: at_most must be 3 or more, not 2",
        ),
        (
            lambda: repeated(in_order("A", "B"), at_most=2),
            "repeated: at_most is for single events\n"
            "-> bound one of them: repeated('BackOff', at_most=2)",
        ),
        (
            lambda: repeated(one_of("A", in_order("B", "C")), at_most=2),
            "repeated: at_most is for single events",
        ),
        (
            lambda: repeated(event("A", count=2), at_least=2),
            "repeated: count= asks how often one Event object has counted",
        ),
        (one_of, "one_of() needs at least one pattern"),
        (lambda: one_of("A"), "one_of() needs two patterns at least"),
        (
            lambda: one_of("A", optional("B")),
            "one_of: what stands inside it may itself be missing",
        ),
        (
            lambda: one_of("A", repeated("B", at_least=0, at_most=2)),
            "one_of: what stands inside it may itself be missing",
        ),
        (
            lambda: one_of("A", in_order("B", repeated("C", at_most=2))),
            "one_of: at_most cannot stand inside it, as it holds of all occurrences\n"
            "-> give it to expect() beside the others: "
            "expect(one_of(…), repeated(…, at_least=0, at_most=2))",
        ),
        (
            lambda: never(in_order("A", optional("B"))),
            "never: what is optional cannot be forbidden\n-> leave optional(…) out",
        ),
        (
            lambda: never(repeated("A", at_least=3)),
            "never: forbids the first occurrence already\n"
            "-> to bound how often, use repeated('BackOff', at_least=0, at_most=2)",
        ),
        (
            lambda: never(event("A", within=5)),
            "never: forbids at any time, so within= cannot stand inside it\n"
            "-> expect(never(…), within=30) watches for that long",
        ),
        (
            lambda: in_order("A", within=0),
            "in_order: within must be more than 0 seconds, not 0\n"
            "-> how long to wait for events is said to expect(…, within=30)",
        ),
        (lambda: event("A", within=-1), "event A: within must be more than 0 seconds, not -1"),
        (lambda: any_order("A", within=float("nan")), "any_order: within must be more than 0"),
        (lambda: each_pod("A", within=0), "each_pod: within must be more than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(make, text):
    with pytest.raises(ConfigurationError) as refused:
        make()
    assert str(refused.value).startswith(text)


def test_a_pattern_is_a_value_and_can_be_a_key():
    assert len({event("A", message=[].append), event("A", on="Pod"), EventPattern("A")}) == 3
    assert event("A", on="Pod") == event("A", on="Pod")
