"""The ready-made sequences: what they hold for, what they refuse, and what they say then."""

from dataclasses import replace

import pytest
from events_kit import added, history, seen, watching

from seatrial.core.errors import ConfigurationError, EventMismatchError
from seatrial.events import Matcher, slots_of
from seatrial.events import sequences as named
from seatrial.events.matching import TIE
from seatrial.events.sequences import (
    CRASH_LOOP,
    FAILED_PULL,
    FRESH_ROLLOUT,
    FRESH_ROLLOUT_WITH_PULL,
    NODE_START,
    POD_DELETION,
    ROLLBACK,
    ROLLING_UPDATE,
    SCALE_DOWN,
    SCALE_UP,
    NamedSequence,
)

FLASK = "Deployment/flask"
PRESENT = 'Container image "flask:1" already present on machine'
PULLED = (
    'Successfully pulled image "flask:1" in 14ms (14ms including waiting). Image size: 1 bytes.'
)


def step(at, replica_set, before, after, on=FLASK, **more):
    word = "up" if after > before else "down"
    text = f"Scaled {word} replica set {replica_set} from {before} to {after}"
    return [seen("ScalingReplicaSet", on, at=at, message=text, **more)]


def created(at, pod):
    replica_set = pod.rpartition("-")[0]
    return [
        seen("SuccessfulCreate", f"ReplicaSet/{replica_set}", at=at, message=f"Created pod: {pod}")
    ]


def runs(at, pod, *, containers=("web",), pulled=PRESENT):
    """From the binding to the start of the last container, in half a second."""
    on = f"Pod/{pod}"
    found = [seen("Scheduled", on, at=at)]
    for container in containers:
        part = {"container": container}
        if pulled == PULLED:
            found.append(seen("Pulling", on, at=at + 0.1, **part))
        found += [
            seen("Pulled", on, at=at + 0.2, message=pulled, **part),
            seen("Created", on, at=at + 0.3, **part),
            seen("Started", on, at=at + 0.4, **part),
        ]
    return found


def comes(at, pod, **more):
    return created(at, pod) + runs(at, pod, **more)


def killed(at, pod, why="Stopping container web"):
    return [seen("Killing", f"Pod/{pod}", at=at, message=why, container="web")]


def goes(at, pod):
    replica_set = pod.rpartition("-")[0]
    deleted = f"Deleted pod: {pod}"
    return [
        seen("SuccessfulDelete", f"ReplicaSet/{replica_set}", at=at, message=deleted),
        *killed(at + 0.1, pod),
    ]


def timeline(*parts):
    """These occurrences in the order of their times, numbered."""
    found = sorted((one for part in parts for one in part), key=lambda one: one.received)
    return [replace(one, number=number) for number, one in enumerate(found, start=1)]


def fits(sequence, occurrences):
    pattern = sequence.pattern(occurrences, tie=TIE)
    return Matcher(occurrences, tie=TIE).fit(slots_of(pattern, occurrences)) is not None


def without(occurrences, **values):
    """All but the last occurrence with these values."""
    last = max(
        place
        for place, one in enumerate(occurrences)
        if all(str(getattr(one, name)) == value for name, value in values.items())
    )
    return occurrences[:last] + occurrences[last + 1 :]


def rollout(replicas=2, *, at=0.0, replica_set="flask-a", on=FLASK, **more):
    pods = [f"{replica_set}-{number}" for number in range(1, replicas + 1)]
    return [
        *step(at, replica_set, 0, replicas, on),
        *(one for pod in pods for one in comes(at + 0.1, pod, **more)),
    ]


def update(old, new, *, at, pods=("1", "2"), old_pods=("1", "2")):
    """A rolling update, one Pod after the other; ten seconds for each."""
    found = []
    many = len(pods)
    for number, (suffix, other) in enumerate(zip(pods, old_pods, strict=True)):
        begin = at + 10 * number
        found += step(begin, new, number, number + 1)
        found += comes(begin + 0.1, f"{new}-{suffix}")
        found += step(begin + 5, old, many - number, many - number - 1)
        found += goes(begin + 5.1, f"{old}-{other}")
    return found


# ---- whom a sequence is about


@pytest.mark.parametrize(
    ("sequence", "ref"),
    [
        (FRESH_ROLLOUT, "Pod/flask"),
        (FRESH_ROLLOUT, "Deployment"),
        (FRESH_ROLLOUT, "Deployment/"),
        (SCALE_UP, "StatefulSet/db"),
        (NODE_START, FLASK),
        (CRASH_LOOP, "Node/n"),
    ],
)
def test_a_sequence_of_an_object_that_it_is_not_about_is_refused(sequence, ref):
    with pytest.raises(ConfigurationError, match="names no") as raised:
        sequence.of(ref)
    assert f"such as {sequence.name}.of(" in str(raised.value)


@pytest.mark.parametrize(("sequence", "ref", "replicas"), [
    (FRESH_ROLLOUT, FLASK, -1),
    (NODE_START, "Node/n", 1),
])  # fmt: skip
def test_a_number_of_replicas_that_makes_no_sense_is_refused(sequence, ref, replicas):
    with pytest.raises(ConfigurationError, match=r"with -?1 replicas"):
        sequence.of(ref, replicas=replicas)


def test_a_sequence_says_its_name():
    assert str(FRESH_ROLLOUT) == "FRESH_ROLLOUT"
    assert str(FRESH_ROLLOUT.of(FLASK)) == "FRESH_ROLLOUT of Deployment/flask"


def test_every_sequence_goes_by_its_own_name():
    sequences = {
        name: getattr(named, name)
        for name in named.__all__
        if isinstance(getattr(named, name), NamedSequence)
    }
    assert len(sequences) == 10
    assert all(sequence.name == name for name, sequence in sequences.items())


@pytest.mark.parametrize("sequence", [getattr(named, name) for name in named.__all__[:-1]])
def test_no_sequence_fits_nothing_or_something_else(sequence):
    assert not fits(sequence, [])
    assert not fits(sequence, history((0.0, "Killing", "Pod/x"), (1.0, "Pulled", "Pod/x")))


def test_of_any_deployment_one_suffices_and_of_one_it_must_be_that():
    occurrences = timeline(
        rollout(), step(0, "db-a", 0, 1, "Deployment/db"), created(0.1, "db-a-1")
    )
    assert fits(FRESH_ROLLOUT, occurrences)
    assert fits(FRESH_ROLLOUT.of(FLASK), occurrences)
    assert not fits(FRESH_ROLLOUT.of("Deployment/db"), occurrences)


# ---- a fresh rollout


def test_a_rollout_fits_in_the_order_of_its_causes():
    occurrences = timeline(rollout(2))
    assert fits(FRESH_ROLLOUT.of(FLASK, replicas=2), occurrences)
    assert not fits(FRESH_ROLLOUT.of(FLASK, replicas=3), occurrences)
    assert not fits(FRESH_ROLLOUT_WITH_PULL, occurrences)


@pytest.mark.parametrize(
    "reason",
    ["ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Pulled", "Created", "Started"],
)
def test_a_rollout_needs_every_event_of_every_pod(reason):
    assert not fits(FRESH_ROLLOUT, without(timeline(rollout(2)), reason=reason))


def test_a_rollout_needs_the_steps_of_each_pod_on_that_pod():
    started_twice = [
        replace(one, object=seen("x", "Pod/flask-a-1").object)
        if one.reason == "Started" and one.object.name == "flask-a-2"
        else one
        for one in timeline(rollout(2))
    ]
    assert not fits(FRESH_ROLLOUT, started_twice)


def test_each_container_of_a_pod_goes_its_own_way():
    occurrences = timeline(rollout(1, containers=("web", "proxy")))
    assert fits(FRESH_ROLLOUT, occurrences)
    assert not fits(FRESH_ROLLOUT, without(occurrences, reason="Started", container="web"))
    assert not fits(FRESH_ROLLOUT, without(occurrences, reason="Started", container="proxy"))


def test_a_rollout_is_only_what_a_deployment_begins_with():
    assert not fits(FRESH_ROLLOUT, timeline(step(0, "flask-a", 2, 3), comes(0.1, "flask-a-3")))


def test_a_pull_is_no_rollout_with_the_image_present():
    occurrences = timeline(rollout(2, pulled=PULLED))
    assert fits(FRESH_ROLLOUT_WITH_PULL.of(FLASK, replicas=2), occurrences)
    assert not fits(FRESH_ROLLOUT, occurrences)


def test_a_second_pod_may_find_the_image_that_the_first_one_pulled():
    occurrences = timeline(
        step(0, "flask-a", 0, 2), comes(0.1, "flask-a-1", pulled=PULLED), comes(0.9, "flask-a-2")
    )
    assert fits(FRESH_ROLLOUT_WITH_PULL, occurrences)


def test_pulled_without_the_pulling_it_tells_of_does_not_fit():
    occurrences = timeline(rollout(2, pulled=PULLED))
    assert not fits(FRESH_ROLLOUT_WITH_PULL, without(occurrences, reason="Pulling"))


def test_one_scaling_is_not_taken_for_another_whose_text_goes_on():
    occurrences = timeline(rollout(1), step(60, "flask-a", 1, 10))
    assert fits(FRESH_ROLLOUT.of(FLASK, replicas=1), occurrences)
    assert not fits(SCALE_UP, occurrences)


def test_pods_whose_creation_was_dropped_are_found_by_their_own_events():
    """Past 25 events about one object, client-go lets one pass in five minutes."""
    pods = [f"flask-a-{number:02}" for number in range(30)]
    told = [one for pod in pods[:25] for one in created(0.1, pod)]
    ways = [one for pod in pods for one in runs(0.2, pod)]
    occurrences = timeline(step(0, "flask-a", 0, 30), told, ways)
    assert fits(FRESH_ROLLOUT, occurrences)
    missing = [one for one in occurrences if one.object.name != "flask-a-29"]
    assert not fits(FRESH_ROLLOUT, missing)


def test_pods_whose_creation_was_listed_merged_are_found_by_their_own_events():
    merged = seen(
        "SuccessfulCreate",
        "ReplicaSet/flask-a",
        at=0.1,
        message="(combined from similar events): Created pod: flask-a-3",
        count=3,
        new=3,
    )
    ways = [one for number in "123" for one in runs(0.2, f"flask-a-{number}")]
    assert fits(FRESH_ROLLOUT, timeline(step(0, "flask-a", 0, 3), [merged], ways))


def test_a_rollout_of_no_replicas_is_no_rollout():
    assert not fits(FRESH_ROLLOUT.of(FLASK, replicas=0), timeline(rollout(1)))


def test_what_is_told_of_a_container_besides_its_start_is_left_aside():
    unhealthy = seen("Unhealthy", "Pod/flask-a-1", at=9.0, container="other")
    assert fits(FRESH_ROLLOUT, timeline(rollout(1), [unhealthy]))


def test_a_pod_of_which_nothing_is_told_but_its_creation_is_waited_for():
    occurrences = timeline(step(0, "flask-a", 0, 1), created(0.1, "flask-a-1"))
    assert not fits(FRESH_ROLLOUT, occurrences)


def test_a_deployment_of_the_same_name_that_came_later_is_another_one():
    again = timeline(rollout(1, replica_set="flask-z"))
    other = [
        replace(one, object=replace(one.object, uid="second"))
        if one.reason == "ScalingReplicaSet"
        else one
        for one in again
    ]
    occurrences = timeline(other, step(60, "flask-a", 2, 3))
    assert fits(FRESH_ROLLOUT, occurrences)
    assert not fits(SCALE_UP, occurrences)


def test_what_a_deployment_tells_besides_its_scaling_is_left_aside():
    failed = seen("ReplicaSetCreateError", FLASK, at=0.0, type="Warning")
    unread = seen("ScalingReplicaSet", FLASK, at=0.0, message="in other words")
    assert fits(FRESH_ROLLOUT, timeline([failed, unread], rollout(1)))


# ---- updates


def test_scaling_alone_is_no_update_where_the_timeline_began_late():
    late = timeline(step(60, "flask-a", 2, 3), comes(60.1, "flask-a-3"))
    assert fits(SCALE_UP, late)
    assert not fits(ROLLING_UPDATE, late)


def updated():
    return timeline(rollout(2), update("flask-a", "flask-b", at=60))


def test_an_update_fits():
    assert fits(ROLLING_UPDATE.of(FLASK, replicas=2), updated())
    assert fits(ROLLING_UPDATE, updated())
    assert not fits(ROLLING_UPDATE.of(FLASK, replicas=3), updated())
    assert not fits(ROLLBACK, updated())


def test_an_update_fits_without_the_rollout_before_it():
    assert fits(ROLLING_UPDATE, timeline(update("flask-a", "flask-b", at=60)))


def test_a_rollout_that_is_scaled_is_no_update():
    scaled = timeline(rollout(2), step(60, "flask-a", 2, 1), goes(60.1, "flask-a-1"))
    assert not fits(ROLLING_UPDATE, scaled)


@pytest.mark.parametrize("reason", ["SuccessfulDelete", "Killing", "Started", "SuccessfulCreate"])
def test_an_update_needs_every_pod_to_come_or_to_go(reason):
    assert not fits(ROLLING_UPDATE, without(updated(), reason=reason))


def test_an_update_lasts_until_the_old_replica_set_is_at_zero():
    assert not fits(ROLLING_UPDATE, [one for one in updated() if one.received < 75])


def test_an_update_that_has_only_begun_is_waited_for():
    begun = [one for one in updated() if one.received < 65]
    assert not fits(ROLLING_UPDATE, begun)
    (leaf,) = [
        leaf
        for leaf in ROLLING_UPDATE.pattern(begun, tie=TIE).patterns
        if getattr(leaf, "message", None)
    ]
    assert str(leaf.message) == "Scaled down replica set … (other than flask-b) from … to 0"


def test_a_step_that_was_not_told_of_shows_in_the_number_of_the_next():
    jumped = without(updated(), message="Scaled down replica set flask-a from 2 to 1")
    assert not fits(ROLLING_UPDATE, jumped)


def test_the_latest_update_is_the_one_that_is_meant():
    twice = timeline(updated(), update("flask-b", "flask-c", at=120))
    assert fits(ROLLING_UPDATE, twice)
    assert not fits(ROLLING_UPDATE, without(twice, reason="Started"))


def test_a_pod_that_never_started_anything_needs_no_killing():
    stuck = [
        *step(60, "flask-b", 0, 1),
        *created(60.1, "flask-b-1"),
        seen("Scheduled", "Pod/flask-b-1", at=60.2),
        *step(70, "flask-b", 1, 0),
        seen("SuccessfulDelete", "ReplicaSet/flask-b", at=70.1, message="Deleted pod: flask-b-1"),
    ]
    alone = [one for one in stuck if one.received >= 70 or one.reason == "Scheduled"]
    assert fits(SCALE_DOWN, timeline(alone))
    late = [*alone, *killed(70.5, "flask-b-1")]
    assert fits(SCALE_DOWN, timeline(late))
    early = [*alone, *killed(62, "flask-b-1")]
    assert not fits(SCALE_DOWN, timeline(early))


def test_a_rollback_is_an_update_to_a_replica_set_that_was_there():
    occurrences = timeline(
        updated(), update("flask-b", "flask-a", at=120, pods=("3", "4"), old_pods=("1", "2"))
    )
    assert fits(ROLLBACK.of(FLASK, replicas=2), occurrences)
    assert fits(ROLLING_UPDATE, occurrences)
    assert not fits(ROLLBACK, without(occurrences, reason="Killing"))
    assert not fits(ROLLBACK, without(occurrences, reason="Started"))


def test_of_two_scalings_with_the_same_text_the_one_that_counted_on_is_meant():
    back = update("flask-b", "flask-a", at=120, pods=("9",), old_pods=("1",))
    # the same message as in the rollout: client-go counts its Event on
    back = [
        replace(one, count=2) if one.message.endswith("flask-a from 0 to 1") else one
        for one in back
    ]
    occurrences = timeline(
        rollout(1), update("flask-a", "flask-b", at=60, pods=("1",), old_pods=("1",)), back
    )
    pattern = ROLLBACK.pattern(occurrences, tie=TIE)
    places = Matcher(occurrences, tie=TIE).fit(slots_of(pattern, occurrences))
    assert occurrences[places[0]].received == 120


# ---- scaling


def test_scaling_up_is_the_latest_step_up_of_the_only_replica_set():
    occurrences = timeline(rollout(1), step(60, "flask-a", 1, 3), comes(60.1, "flask-a-2"),
                           comes(60.1, "flask-a-3"))  # fmt: skip
    assert fits(SCALE_UP.of(FLASK, replicas=3), occurrences)
    assert not fits(SCALE_UP.of(FLASK, replicas=2), occurrences)
    assert not fits(SCALE_UP, without(occurrences, reason="SuccessfulCreate"))
    assert not fits(SCALE_DOWN, occurrences)


def test_an_update_is_no_scaling():
    assert not fits(SCALE_UP, updated())
    assert not fits(SCALE_DOWN, updated())


def test_coming_back_from_zero_is_scaling_up_and_no_rollback():
    occurrences = timeline(
        rollout(1),
        step(30, "flask-a", 1, 0),
        goes(30.1, "flask-a-1"),
        step(60, "flask-a", 0, 1),
        comes(60.1, "flask-a-2"),
    )
    assert fits(SCALE_UP, occurrences)
    assert fits(SCALE_DOWN.of(FLASK, replicas=0), occurrences)
    assert not fits(ROLLBACK, occurrences)


def test_scaling_down_needs_as_many_pods_to_go_as_it_says():
    occurrences = timeline(
        rollout(3), step(60, "flask-a", 3, 1), goes(60.1, "flask-a-1"), goes(60.1, "flask-a-3")
    )
    assert fits(SCALE_DOWN.of(FLASK, replicas=1), occurrences)
    assert not fits(SCALE_DOWN, without(occurrences, reason="Killing"))
    assert not fits(SCALE_DOWN, without(occurrences, reason="SuccessfulDelete"))


def test_killing_may_be_written_a_moment_before_the_deletion_and_no_more():
    def scaled(killing):
        deleted = seen(
            "SuccessfulDelete", "ReplicaSet/flask-a", at=60.1, message="Deleted pod: flask-a-1"
        )
        return timeline(
            rollout(1), step(60, "flask-a", 1, 0), [deleted], killed(killing, "flask-a-1")
        )

    assert fits(SCALE_DOWN, scaled(60.05))
    assert not fits(SCALE_DOWN, scaled(57.9))


def test_pods_of_two_steps_within_a_tie_are_not_mixed_up():
    occurrences = timeline(rollout(1), step(1.0, "flask-a", 1, 2), comes(1.1, "flask-a-2"))
    assert fits(SCALE_UP, occurrences)
    assert not fits(SCALE_UP, [one for one in occurrences if one.object.name != "flask-a-2"
                               and "flask-a-2" not in one.message])  # fmt: skip


# ---- a deletion


def test_a_deleted_pod_ends_and_is_replaced_in_whatever_order():
    for killing, creation in ((60.0, 61.0), (63.0, 60.0)):
        occurrences = timeline(
            rollout(2), killed(killing, "flask-a-1"), comes(creation, "flask-a-3")
        )
        assert fits(POD_DELETION.of(FLASK, replicas=1), occurrences)
        assert fits(POD_DELETION, occurrences)
        assert not fits(POD_DELETION.of(FLASK, replicas=2), occurrences)


def test_a_deleted_pod_has_to_be_replaced():
    ended = timeline(rollout(2), killed(60, "flask-a-1"))
    assert not fits(POD_DELETION, ended)
    assert not fits(POD_DELETION, timeline(ended, created(60.1, "flask-a-3")))


def test_a_pod_that_was_scaled_away_was_not_deleted_by_someone():
    assert not fits(
        POD_DELETION, timeline(rollout(2), step(60, "flask-a", 2, 1), goes(60.1, "flask-a-1"))
    )


def test_a_container_that_its_probe_killed_was_not_deleted():
    probed = "Container web failed liveness probe, will be restarted"
    assert not fits(
        POD_DELETION,
        timeline(rollout(1), killed(60, "flask-a-1", probed), comes(61, "flask-a-2")),
    )


# ---- what goes wrong


def crash_loop(pod="flask-a-1", container="web"):
    on = {"on": f"Pod/{pod}", "container": container}
    return [
        seen("Started", at=1.0, **on),
        seen("Started", at=2.0, count=2, **on),
        seen("BackOff", at=3.0, type="Warning", **on),
    ]


def test_a_crash_loop_is_two_starts_and_a_backoff_of_one_container():
    occurrences = timeline(crash_loop())
    for on in (FLASK, "DaemonSet/flask", "Pod/flask-a-1"):
        assert fits(CRASH_LOOP.of(on), occurrences)
    assert fits(CRASH_LOOP, occurrences)
    assert not fits(CRASH_LOOP.of("Deployment/db"), occurrences)
    assert not fits(CRASH_LOOP.of(FLASK, replicas=2), occurrences)
    assert not fits(CRASH_LOOP, without(occurrences, reason="Started"))


def test_two_containers_that_start_once_are_no_crash_loop():
    one, two, end = crash_loop()
    assert not fits(CRASH_LOOP, [one, replace(two, container="proxy"), end])


def test_waiting_to_pull_is_no_crash_loop_and_the_other_way_round():
    one, two, end = crash_loop()
    assert not fits(CRASH_LOOP, [one, two, replace(end, type="Normal")])
    assert not fits(FAILED_PULL, [one, two, end])


def test_as_many_pods_crash_as_are_said():
    occurrences = timeline(crash_loop("flask-a-1"), crash_loop("flask-a-2"))
    assert fits(CRASH_LOOP.of(FLASK, replicas=2), occurrences)


def failed_pull(on="Pod/flask-a-1"):
    part = {"on": on, "container": "web"}
    return [
        seen("Scheduled", on, at=0.1),
        seen("Pulling", at=0.2, **part),
        seen("Failed", at=0.3, type="Warning", message='Failed to pull image "x": no', **part),
        seen("Failed", at=0.3, type="Warning", message="Error: ErrImagePull", **part),
        seen("BackOff", at=1.0, **part),
    ]


def test_a_failed_pull_backs_off_after_the_failure():
    assert fits(FAILED_PULL.of(FLASK), timeline(failed_pull()))
    assert fits(FAILED_PULL, timeline(failed_pull()))
    for reason in ("Scheduled", "Pulling", "BackOff"):
        assert not fits(FAILED_PULL, without(failed_pull(), reason=reason))
    assert not fits(FAILED_PULL, [one for one in failed_pull() if "Failed to" not in one.message])


# ---- a node


def node_start(node="Node/n"):
    told = history(
        (0.0, "Starting", node),
        (0.1, "NodeHasSufficientMemory", node),
        (0.1, "NodeHasNoDiskPressure", node),
        (0.1, "NodeHasSufficientPID", node),
        (0.2, "NodeAllocatableEnforced", node),
        (9.0, "NodeReady", node),
    )
    return [*told, seen("RegisteredNode", node, at=1.0, source="node-controller")]


def test_a_node_starts():
    occurrences = timeline(node_start())
    assert fits(NODE_START, occurrences)
    assert fits(NODE_START.of("Node/n"), occurrences)
    assert not fits(NODE_START.of("Node/other"), occurrences)
    for reason in ("Starting", "NodeHasSufficientPID", "NodeReady", "RegisteredNode"):
        assert not fits(NODE_START, without(occurrences, reason=reason))


def test_of_several_nodes_one_suffices():
    other = history((0.0, "Starting", "Node/m"))
    assert fits(NODE_START, timeline(other, node_start()))


# ---- on a timeline


def fresh(at=0.0):
    steps = []
    for reason, on, more in [
        ("ScalingReplicaSet", FLASK, {"message": "Scaled up replica set flask-a from 0 to 1"}),
        ("SuccessfulCreate", "ReplicaSet/flask-a", {"message": "Created pod: flask-a-1"}),
        ("Scheduled", "Pod/flask-a-1", {}),
        ("Pulled", "Pod/flask-a-1", {"message": PRESENT, "container": "web"}),
        ("Created", "Pod/flask-a-1", {"container": "web"}),
        ("Started", "Pod/flask-a-1", {"container": "web"}),
    ]:
        at += 0.5
        steps.append(added(at, reason, on, **more))
    return steps


def test_a_sequence_is_waited_for_as_its_pods_are_told_of():
    clock, _, events = watching(*fresh())
    match = events.expect(FRESH_ROLLOUT.of(FLASK, replicas=1), within=30)
    assert match["Started"].received == 3.0
    assert next(one.reason for one in match) == "ScalingReplicaSet"
    assert clock.now < 5


def test_a_sequence_can_stand_beside_a_pattern():
    clock, _, events = watching(*fresh())
    clock.advance(5)
    assert events.expect("Scheduled", FRESH_ROLLOUT)["Scheduled"]
    with pytest.raises(EventMismatchError, match="expected BackOff"):
        events.expect(FRESH_ROLLOUT, "BackOff")


def test_what_is_missing_of_a_sequence_is_named_by_its_pod():
    clock, _, events = watching(*fresh()[:-1])
    clock.advance(5)
    with pytest.raises(EventMismatchError) as raised:
        events.expect(FRESH_ROLLOUT)
    first, *table = str(raised.value).splitlines()
    assert first == ("expected Pod/flask-a-1: Started after Created, but Started was not seen")
    assert any("Scaled up replica set flask-a from 0 to 1" in line for line in table)


def test_a_pod_that_has_not_been_told_of_is_named_by_its_number():
    script = fresh()
    script[0] = added(
        0.5, "ScalingReplicaSet", FLASK, message="Scaled up replica set flask-a from 0 to 2"
    )
    clock, _, events = watching(*script)
    clock.advance(5)
    with pytest.raises(EventMismatchError) as raised:
        events.expect(FRESH_ROLLOUT)
    assert "Created pod: number 2 of 2" in str(raised.value)
