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


def test_a_bare_string_is_an_event_with_that_reason():
    assert in_order("Scheduled", "Pulled") == in_order(event("Scheduled"), event("Pulled"))
    assert expectation("Pulled") == event("Pulled")


def test_on_is_handed_down_to_the_leaves_that_name_no_object():
    pattern = in_order(
        "Scheduled", any_order("Pulled", event("Ready", on="Node/n1")), each_pod("X"), on="Pod/x"
    )
    assert [leaf.on for leaf in leaves(pattern)] == ["Pod/x", "Pod/x", "Node/n1", "Pod"]


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
            "each_pod(…) or a reason as a string",
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
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_way_out(make, text):
    with pytest.raises(ConfigurationError) as refused:
        make()
    assert str(refused.value).startswith(text)


def test_a_pattern_is_a_value_and_can_be_a_key():
    assert len({event("A", message=[].append), event("A", on="Pod"), EventPattern("A")}) == 3
    assert event("A", on="Pod") == event("A", on="Pod")
