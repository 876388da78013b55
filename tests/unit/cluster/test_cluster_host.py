"""What a machine lacks, as its engine tells it."""

import docker.errors
import pytest
import requests
from cluster_fakes import ALL_CAPABILITIES, IMAGE, FakeEngine

from seatrial.cluster import HostFacts, probe
from seatrial.core.errors import EngineError
from seatrial.tools.capabilities import CAP_SYS_RESOURCE, has_capability

STATUS = (
    "Name:\tcat\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\nCapBnd:\t{}\nSeccomp:\t0"
)


@pytest.mark.parametrize(
    ("bounding", "number", "there"),
    [
        ("000001ffffffffff", CAP_SYS_RESOURCE, True),
        ("000001fffeffffff", CAP_SYS_RESOURCE, False),
        ("0000000001000000", CAP_SYS_RESOURCE, True),
        ("0000000000000000", CAP_SYS_RESOURCE, False),
        ("0000000000000001", 0, True),
        ("0000000000000001", 1, False),
    ],
)
def test_a_capability_is_read_from_the_bounding_set_alone(bounding, number, there):
    assert has_capability(STATUS.format(bounding), number) is there


def test_a_status_without_a_bounding_set_has_no_capability():
    assert has_capability("Name:\tcat\n", CAP_SYS_RESOURCE) is False


@pytest.mark.parametrize(
    ("information", "privileged", "facts"),
    [
        ({"CgroupVersion": "2"}, ALL_CAPABILITIES, HostFacts(2, True)),
        ({"CgroupVersion": "1"}, ALL_CAPABILITIES, HostFacts(1, True)),
        ({}, ALL_CAPABILITIES, HostFacts(2, True)),
        ({"CgroupVersion": "2"}, b"CapBnd:\t000001fffeffffff\n", HostFacts(2, False)),
    ],
)
def test_the_facts_are_the_engines_and_those_of_a_privileged_container(
    information, privileged, facts
):
    engine = FakeEngine()
    engine.information, engine.privileged = information, privileged
    assert probe(engine, IMAGE) == facts
    [(image, command, options)] = engine.ran
    assert (image, command) == (IMAGE, ["/proc/self/status"])
    # like a node, but gone at once, and not one that kind would find
    assert options["privileged"]
    assert options["remove"]
    assert options["network_mode"] == "none"


def test_an_image_that_is_not_there_is_named_and_nothing_is_run():
    engine = FakeEngine()
    with pytest.raises(EngineError) as caught:
        probe(engine, "kindest/node:v9")
    assert str(caught.value) == (
        "the node image kindest/node:v9 is not in the engine\n"
        "-> `seatrial setup` pulls or builds it"
    )
    assert engine.ran == []


@pytest.mark.parametrize(
    "refusal",
    [
        docker.errors.APIError("unable to apply caps"),
        requests.ConnectionError("unable to apply caps"),
    ],
)
def test_an_engine_that_runs_nothing_privileged_cannot_run_nodes(refusal):
    engine = FakeEngine()
    engine.privileged = refusal
    with pytest.raises(EngineError) as caught:
        probe(engine, IMAGE)
    lines = str(caught.value).splitlines()
    assert lines[0] == ("the engine cannot run a privileged container, which a Kubernetes node is")
    assert lines[1] == "  unable to apply caps"
    assert "`seatrial doctor` tells more" in lines[2]
    assert caught.value.__cause__ is refusal
