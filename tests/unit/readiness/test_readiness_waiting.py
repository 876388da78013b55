"""The wait: time, graces, and the text of a failure. Time is virtual."""

from __future__ import annotations

import math

import pytest
from readiness_objects import deployment, event, merged, pod, replica_set

from seatrial.core.errors import ApiError, ClusterError, ConfigurationError, NotReadyError
from seatrial.core.model import Change, Verdict
from seatrial.readiness import condition, ready, wait_until
from seatrial.testing import ScriptedFeed

FLASK = ready("Deployment/flask", "shop")
AVAILABLE = deployment(
    {"status": {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1}}
)


def _feed(*more):
    """A Deployment with one pod, and then what `more` says: (seconds, object)."""
    feed = ScriptedFeed()
    for obj in (deployment(), replica_set(), pod()):
        feed.at(0.0, Change.LISTED, obj)
    for seconds, obj in more:
        feed.at(seconds, Change.MODIFIED, obj)
    return feed


def _waiting(reason, message="", **more):
    status = {"name": "web", "restartCount": 0, "state": {"waiting": {"reason": reason}}}
    if message:
        status["state"]["waiting"]["message"] = message
    return pod({"status": {"containerStatuses": [merged(status, more)]}})


def _crashed(restarts, *, backing_off=True):
    ended = {"terminated": {"exitCode": 3, "reason": "Error"}}
    status = {"name": "web", "restartCount": restarts}
    status |= (
        {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ended}
        if backing_off
        else {"state": {"running": {}}, "lastState": ended}
    )
    return pod({"status": {"phase": "Running", "containerStatuses": [status]}})


def _fails(feed, condition=FLASK, *, timeout=60.0, **more):
    with pytest.raises(NotReadyError) as failed:
        wait_until(condition, feed, timeout=timeout, **more)
    return failed.value


def test_a_condition_that_holds_is_given_at_once():
    feed = _feed((0.0, AVAILABLE))

    verdict = wait_until(FLASK, feed, timeout=30)

    assert verdict.message == "Available: 1/1"
    assert feed.clock.now == 0


def test_a_slow_start_is_waited_for():
    feed = _feed((20.0, AVAILABLE))

    assert wait_until(FLASK, feed, timeout=30).reason == "Available"
    assert feed.clock.now == pytest.approx(20.0, abs=0.3)


def test_an_image_that_cannot_be_pulled_ends_the_wait_at_once():
    message = 'failed to pull and unpack image "docker.io/library/flask:1": not found'
    feed = _feed(
        (1.0, event({"reason": "Scheduled", "type": "Normal", "message": "assigned"}, 1)),
        (2.0, event({"reason": "Failed", "in": "web", "message": "Error: ErrImagePull"}, 2)),
        (2.0, _waiting("ErrImagePull", message)),
    )

    error = _fails(feed)

    assert feed.clock.now == pytest.approx(2.0)
    assert str(error) == (
        'Pod/flask-7d4-x cannot start: image "flask:1" cannot be pulled: not found'
        " (container web)\n"
        "  waiting for Deployment/flask to be ready: gave up after 2 s of 60 s\n"
        "  now: Available: Deployment/flask: Available: 0/1\n"
        "  evidence:\n"
        f"    container web waits: ErrImagePull: {message}\n"
        "    Warning Failed Pod/flask-7d4-x: Error: ErrImagePull\n"
        "  latest events (seconds since the wait began):\n"
        "      +1.0 Normal Scheduled Pod/flask-7d4-x: assigned\n"
        "      +2.0 Warning Failed Pod/flask-7d4-x: Error: ErrImagePull\n"
        "-> was the image loaded into this cluster (fixture k8s_image does it), and under this very"
        " name?"
    )


def test_a_deployment_whose_pod_crashed_once_is_waited_for():
    feed = _feed((1.0, _crashed(0)), (9.0, AVAILABLE))

    assert wait_until(FLASK, feed, timeout=30).reason == "Available"


def test_a_pod_that_crashed_twice_is_impossible():
    feed = _feed((1.0, _crashed(0)), (2.0, _crashed(1, backing_off=False)), (3.0, _crashed(1)))
    asked = []

    def log_tail(*source):
        asked.append(source)
        return "Traceback\nRuntimeError: boom"

    error = _fails(feed, log_tail=log_tail)

    assert feed.clock.now == pytest.approx(3.0)
    assert asked == [("shop", "flask-7d4-x", "web", True)]
    assert error.cause == (
        "Deployment/flask: container web of Pod/flask-7d4-x crashed 2 times with exit code 3"
        ' (last log: "RuntimeError: boom")'
    )
    assert "log of container web of Pod/flask-7d4-x before its restart:" in error.details
    assert "    Traceback" in error.details


def test_restarts_that_are_expected_are_waited_for():
    feed = _feed((1.0, _crashed(1)), (2.0, _crashed(2)), (4.0, _crashed(3)))

    error = _fails(feed, expect_restarts=2)

    assert feed.clock.now == pytest.approx(4.0)
    assert "crashed 4 times" in error.cause


def test_the_restarts_of_a_container_that_was_ready_when_the_wait_began_are_history():
    was_ready = pod(
        {
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {
                        "name": "web",
                        "ready": True,
                        "restartCount": 3,
                        "state": {"running": {}},
                        "lastState": {"terminated": {"exitCode": 3}},
                    }
                ],
            }
        }
    )
    feed = _feed((0.0, was_ready), (5.0, _crashed(3)), (10.0, _crashed(4)))

    error = _fails(feed)

    assert feed.clock.now == pytest.approx(10.0)
    assert "crashed 5 times" in error.cause


def test_the_restarts_of_a_container_that_was_down_when_the_wait_began_count():
    feed = _feed((0.0, _crashed(2)))

    assert "crashed 3 times" in _fails(feed).cause
    assert feed.clock.now == 0


def test_a_log_that_cannot_be_read_does_not_hide_the_cause():
    def log_tail(*_):
        raise ApiError("the node does not answer")

    error = _fails(_feed((1.0, _crashed(1))), log_tail=log_tail)

    assert error.cause.endswith("crashed 2 times with exit code 3")
    assert "log of container web: cannot be read: the node does not answer" in error.details


def test_a_log_that_tells_of_a_read_only_file_system_has_a_way_out():
    log = "Traceback\nOSError: [Errno 30] Read-only file system: '/opt/cache'"
    error = _fails(_feed((1.0, _crashed(1))), log_tail=lambda *_: log)

    assert error.hint == (
        "readOnlyRootFilesystem holds for the container: mount an emptyDir where it writes"
    )


def test_an_empty_log_changes_nothing():
    error = _fails(_feed((1.0, _crashed(1))), log_tail=lambda *_: "\n")

    assert error.cause.endswith("crashed 2 times with exit code 3")
    assert "log of" not in error.details


def test_a_wait_that_ends_well_reads_no_log():
    def log_tail(*_):
        raise AssertionError

    feed = _feed((1.0, _crashed(0)), (2.0, AVAILABLE))

    assert wait_until(FLASK, feed, timeout=9, log_tail=log_tail)


MISSING = _waiting("CreateContainerConfigError", 'configmap "settings" not found')


def test_a_missing_config_map_is_impossible_after_its_grace():
    feed = _feed((1.0, MISSING))

    error = _fails(feed)

    assert feed.clock.now == pytest.approx(11.0, abs=0.3)
    assert error.cause == (
        'Pod/flask-7d4-x cannot start: container web needs ConfigMap "settings", which does not'
        " exist"
    )


def test_a_config_map_that_comes_within_the_grace_is_waited_for():
    settings = {"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop"}}
    feed = _feed((1.0, MISSING), (10.0, settings), (25.0, AVAILABLE))

    assert wait_until(FLASK, feed, timeout=30).reason == "Available"


def test_a_secret_that_has_come_is_waited_for_though_the_kubelet_has_yet_to_notice():
    secret = _waiting("CreateContainerConfigError", 'secret "login" not found')
    feed = _feed((1.0, secret), (18.0, AVAILABLE))
    asked = []

    def exists(ref, key):
        asked.append((str(ref), ref.namespace, key, feed.clock.now))
        return True

    assert wait_until(FLASK, feed, timeout=30, exists=exists).reason == "Available"
    assert [each[:3] for each in asked] == [("Secret/login", "shop", "")]
    assert asked[0][3] == pytest.approx(11.0, abs=0.3)


def test_a_key_that_never_comes_ends_the_wait_after_its_grace():
    message = "couldn't find key token in Secret shop/login"
    feed = _feed((1.0, _waiting("CreateContainerConfigError", message)))
    there = iter([True, False])

    error = _fails(
        feed, exists=lambda ref, key: (str(ref), key) == ("Secret/login", "token") and next(there)
    )

    assert 'key "token" of Secret "login"' in error.cause
    assert feed.clock.now == pytest.approx(21.0, abs=0.3)


def test_graces_can_be_set():
    feed = _feed((1.0, MISSING))

    _fails(feed, graces={"ConfigMapMissing": 20.0})

    assert feed.clock.now == pytest.approx(21.0, abs=0.3)


def test_an_infinite_grace_leaves_the_cause_to_the_timeout():
    error = _fails(_feed((1.0, MISSING)), timeout=30, graces={"ConfigMapMissing": math.inf})

    assert error.cause.endswith("which does not exist (still so after 30 s)")


def test_a_grace_of_an_unknown_cause_is_refused():
    with pytest.raises(ConfigurationError) as refused:
        wait_until(FLASK, _feed(), timeout=1, graces={"CrashLop": 3.0})

    assert refused.value.cause == (
        'graces names "CrashLop", which is no cause; did you mean CrashLoop?'
    )
    assert "AdmissionRefused, AdmissionUnreachable" in refused.value.hint
    with pytest.raises(ConfigurationError, match=r'graces names "x", which is no cause\n'):
        wait_until(FLASK, _feed(), timeout=1, graces={"x": 3.0})


def test_a_finding_that_flaps_stands_all_the_same():
    feed = _feed(
        (1.0, MISSING),
        (3.0, _waiting("ContainerCreating")),
        (4.0, MISSING),
        (5.0, _waiting("ContainerCreating")),
        (5.5, MISSING),
    )

    _fails(feed)

    assert feed.clock.now == pytest.approx(11.0, abs=0.3)


def test_a_finding_that_was_gone_for_long_starts_anew():
    feed = _feed((1.0, MISSING), (3.0, _waiting("ContainerCreating")), (20.0, MISSING))

    _fails(feed)

    assert feed.clock.now == pytest.approx(30.0, abs=0.3)


def test_progress_starts_the_grace_anew():
    two = {"spec": {"replicas": 2}}
    feed = _feed(
        (0.0, deployment(two)),
        (1.0, MISSING),
        (
            4.0,
            deployment(
                merged(two, {"status": {"observedGeneration": 1, "updatedReplicas": 2}}),
            ),
        ),
    )

    _fails(feed)

    assert feed.clock.now == pytest.approx(14.0, abs=0.3)


def test_a_finding_follows_its_owner_from_pod_to_pod():
    gone = _waiting("CreateContainerConfigError", 'configmap "settings" not found')
    other = merged(gone, {"metadata": {"name": "flask-7d4-y", "uid": "uid-other"}})
    feed = _feed((1.0, gone), (3.0, other))
    feed.at(3.0, Change.DELETED, gone)

    error = _fails(feed)

    assert feed.clock.now == pytest.approx(11.0, abs=0.3)
    assert error.cause.startswith("Pod/flask-7d4-y cannot start")


def test_a_timeout_tells_progress_and_what_was_seen():
    partly = deployment(
        {
            "spec": {"replicas": 3},
            "status": {"observedGeneration": 1, "updatedReplicas": 3, "availableReplicas": 2},
        }
    )
    less = merged(partly, {"status": {"availableReplicas": 1}})
    feed = _feed((0.0, merged(partly, {"status": None})), (5.0, partly), (8.0, less))

    error = _fails(feed, timeout=30)

    assert feed.clock.now == 30
    assert str(error) == (
        "Deployment/flask: Available: 1/3 (still so after 30 s)\n"
        "  waiting for Deployment/flask to be ready: time was up after 30 s of 30 s\n"
        "  now: Available: Deployment/flask: Available: 1/3\n"
        "  furthest: Deployment/flask: Available: 2/3, at 5 s"
    )


def test_a_timeout_names_findings_that_are_still_within_their_grace():
    feed = _feed((28.0, MISSING))

    error = _fails(feed, timeout=30)

    assert error.cause == (
        'Pod/flask-7d4-x cannot start: container web needs ConfigMap "settings", which does not'
        " exist (still so after 30 s)"
    )
    assert "apply the ConfigMap into namespace shop" in error.hint


def test_what_else_was_found_is_told_as_well():
    pods = [
        _waiting("ErrImageNeverPull"),
        merged(_crashed(0), {"metadata": {"name": "flask-7d4-y", "uid": "uid-y"}}),
    ]
    error = _fails(_feed(*((1.0, each) for each in pods)))

    assert error.details.splitlines()[-2:] == [
        "also found:",
        "  Deployment/flask: container web of Pod/flask-7d4-y crashed once with exit code 3",
    ]


def test_of_events_that_say_the_same_the_latest_is_shown():
    refused = [
        event(
            {"reason": "FailedCreate", "message": f'Error creating: pods "flask-{n}" is forbidden'},
            n,
        )
        for n in range(3)
    ]
    combined = event(
        {
            "reason": "FailedCreate",
            "count": 7,
            "message": "(combined from similar events): "
            'Error creating: pods "flask-9" is forbidden',
        },
        9,
    )
    feed = _feed(*((float(n), each) for n, each in enumerate([*refused, combined])))

    shown = _fails(feed, timeout=20).details.split("began):\n")[1].splitlines()

    assert len(shown) == 1
    assert "+3.0 Warning FailedCreate Pod/flask-7d4-x (7 times): (combined" in shown[0]


def test_a_finding_that_two_parts_share_is_told_once():
    service = {
        "kind": "Service",
        "metadata": {"name": "flask", "namespace": "shop"},
        "spec": {"selector": {"app": "flask"}},
    }
    feed = _feed((0.0, service), (1.0, _crashed(1)))

    error = _fails(feed, FLASK & ready("Service/flask", "shop"))

    assert error.cause.startswith("Deployment/flask: container web of Pod/flask-7d4-x crashed")
    assert "also found" not in error.details


def test_only_the_latest_events_about_what_is_waited_for_are_shown_each_once():
    events = [event({"reason": f"R{number}", "message": "m"}, number) for number in range(1, 12)]
    repeated = merged(events[0], {"count": 2})
    strange = merged(events[1], {"metadata": {"name": "s"}, "involvedObject": {"name": "other"}})
    feed = _feed(*((float(n), each) for n, each in enumerate(events)), (11.0, repeated))
    feed.at(12.0, Change.MODIFIED, strange)
    feed.at(13.0, Change.GAP, kind="Event", note="410")
    feed.at(13.0, Change.DELETED, events[5])

    shown = _fails(feed, timeout=20).details.split("began):\n")[1].splitlines()

    assert len(shown) == 8
    assert shown[0] == "    +4.0 Warning R5 Pod/flask-7d4-x: m"
    assert shown[-1] == "   +11.0 Warning R1 Pod/flask-7d4-x (2 times): m"


def test_without_a_known_object_all_events_are_shown():
    never = condition(lambda _: False, "something of its own")
    feed = _feed((1.0, event({"reason": "Odd", "message": "m"})))

    error = _fails(feed, never, timeout=5)

    assert error.cause == "something of its own: not yet (still so after 5 s)"
    assert "+1.0 Warning Odd Pod/flask-7d4-x: m" in error.details


def test_a_progress_deadline_is_told_with_its_root_cause_first():
    late = {
        "status": {
            "observedGeneration": 1,
            "conditions": [
                {
                    "type": "Progressing",
                    "status": "False",
                    "reason": "ProgressDeadlineExceeded",
                    "message": 'ReplicaSet "flask-7d4" has timed out progressing.',
                }
            ],
        }
    }
    slow = _waiting("ErrImagePull", "dial tcp: i/o timeout")
    feed = _feed((1.0, slow), (3.0, deployment(late)))

    error = _fails(feed)

    assert feed.clock.now == pytest.approx(3.0)
    assert error.cause == (
        'Pod/flask-7d4-x cannot start: image "flask:1" cannot be pulled: the registry does not'
        " answer in time (container web)"
    )
    assert "now: ProgressDeadlineExceeded: Deployment/flask: ReplicaSet" in error.details
    assert "also found:\n  Deployment/flask made no progress for 600 s" in error.details


def test_a_verdict_that_is_impossible_ends_the_wait_without_a_finding():
    lost = condition(
        lambda _: Verdict.impossible("Lost", "all is lost", evidence=("a line",), hint="go home"),
        "the treasure",
    )

    error = _fails(ScriptedFeed(), lost)

    assert str(error) == (
        "the treasure: all is lost (Lost)\n"
        "  waiting for the treasure: gave up after 0 s of 60 s\n"
        "  now: Lost: the treasure: all is lost\n"
        "  evidence:\n"
        "    a line\n"
        "-> go home"
    )


def test_of_a_composed_condition_every_part_is_told():
    error = _fails(_feed(), FLASK & ready("Service/flask", "shop"), timeout=5)

    assert str(error) == (
        "Deployment/flask: Available: 0/1; Service/flask: no such Service in namespace shop"
        " (still so after 5 s)\n"
        "  waiting for Deployment/flask to be ready and Service/flask to be ready: time was up"
        " after 5 s of 5 s\n"
        "  now: Available: Deployment/flask: Available: 0/1\n"
        "  now: NotFound: Service/flask: no such Service in namespace shop"
    )


def test_an_alternative_that_is_impossible_leaves_the_other():
    feed = _feed((1.0, _waiting("ErrImageNeverPull")))
    feed.at(
        5.0,
        Change.ADDED,
        {
            "kind": "Pod",
            "metadata": {"name": "b"},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        },
    )

    verdict = wait_until(FLASK | ready("Pod/b"), feed, timeout=30)

    assert str(verdict.object) == "Pod/b"


def test_it_has_to_hold_for_as_long_as_asked():
    feed = _feed((2.0, AVAILABLE), (4.0, deployment()), (6.0, AVAILABLE))

    assert wait_until(FLASK, feed, timeout=30, holds_for=3.0).reason == "Available"
    assert feed.clock.now == pytest.approx(9.0, abs=0.3)


def test_a_dip_between_two_looks_is_a_break():
    feed = _feed((2.0, AVAILABLE), (4.0, deployment()), (4.05, AVAILABLE))

    wait_until(FLASK, feed, timeout=30, holds_for=3.0)

    # from the look that saw the dip on
    assert feed.clock.now == pytest.approx(7.15, abs=0.2)


def test_a_dip_in_which_the_object_is_gone_is_a_break():
    feed = _feed((2.0, AVAILABLE))
    feed.at(4.0, Change.GAP, kind="Deployment", note="410 Gone")
    feed.at(4.0, Change.DELETED, AVAILABLE)
    feed.at(4.05, Change.ADDED, AVAILABLE)

    wait_until(FLASK, feed, timeout=30, holds_for=3.0)

    assert feed.clock.now == pytest.approx(7.15, abs=0.2)


def test_a_deletion_of_a_namesake_is_no_break():
    feed = _feed((2.0, AVAILABLE))
    feed.at(4.0, Change.DELETED, deployment({"metadata": {"uid": "an older one"}}))
    # what a hub does with it: the newer one stays
    feed.at(4.0, Change.MODIFIED, AVAILABLE)

    wait_until(FLASK, feed, timeout=30, holds_for=3.0)

    assert feed.clock.now == pytest.approx(5.0, abs=0.3)


def test_what_becomes_impossible_in_a_dip_ends_the_wait():
    done = {"kind": "Job", "metadata": {"name": "j"}, "status": {"conditions": []}}
    failed = merged(done, {"status": {"conditions": [{"type": "Failed", "status": "True"}]}})
    well = merged(done, {"status": {"conditions": [{"type": "Complete", "status": "True"}]}})
    feed = ScriptedFeed()
    feed.at(0.0, Change.LISTED, well)
    feed.at(2.0, Change.MODIFIED, failed)
    feed.at(2.0, Change.MODIFIED, well)

    error = _fails(feed, ready("Job/j"), holds_for=5.0)

    assert error.cause == "Job/j: Failed is True (JobFailed)"


def test_a_condition_may_have_to_hold_by_itself():
    service = {"kind": "ConfigMap", "metadata": {"name": "late"}}
    feed = _feed((2.0, AVAILABLE), (9.0, service))
    lasting = FLASK.holds_for(3.0)

    verdict = wait_until(lasting & ready("ConfigMap/late"), feed, timeout=30)

    # it had held for long when the other came
    assert feed.clock.now == pytest.approx(9.0, abs=0.3)
    assert verdict.reason == "AllSatisfied"


def test_conditions_may_have_to_hold_together():
    late = {"kind": "ConfigMap", "metadata": {"name": "late"}}
    feed = _feed((2.0, AVAILABLE), (9.0, late))

    wait_until((FLASK & ready("ConfigMap/late")).holds_for(3.0), feed, timeout=30)

    assert feed.clock.now == pytest.approx(12.0, abs=0.3)


def test_of_several_that_have_to_hold_each_is_told():
    feed = _feed((2.0, AVAILABLE), (4.0, deployment()))
    both = FLASK.holds_for(5.0) & ready("ReplicaSet/flask-7d4", "shop").holds_for(5.0)

    error = _fails(feed, both, timeout=10)

    assert "last satisfied: Deployment/flask to be ready, from 2 s to 4 s" in error.details
    assert (
        "waiting for (Deployment/flask to be ready, and to stay so for 5 s) and "
        "(ReplicaSet/flask-7d4 to be ready, and to stay so for 5 s): time was up"
    ) in error.details


def test_what_did_not_hold_for_long_enough_is_told():
    feed = _feed((8.0, AVAILABLE))

    error = _fails(feed, timeout=10, holds_for=3.0)

    assert str(error) == (
        "Deployment/flask: Available: 1/1, but that held for only 2 s of 3 s when 10 s were over\n"
        "  waiting for Deployment/flask to be ready, and to stay so for 3 s: time was up after"
        " 10 s of 10 s\n"
        "  now: Available: Deployment/flask: Available: 1/1"
    )


def test_what_was_no_further_than_now_is_not_called_furthest():
    unseen = deployment({"status": {"observedGeneration": 0, "updatedReplicas": 1}})
    seen = deployment({"status": {"observedGeneration": 1, "updatedReplicas": 1}})
    feed = _feed((0.0, unseen), (5.0, seen))

    error = _fails(feed, timeout=10)

    assert "furthest" not in error.details


def test_when_it_was_last_satisfied_is_told():
    feed = _feed((2.0, AVAILABLE), (4.0, deployment()))

    error = _fails(feed, timeout=10, holds_for=3.0)

    assert error.cause == "Deployment/flask: Available: 0/1 (still so after 10 s)"
    assert "last satisfied: from 2 s to 4 s" in error.details
    assert "furthest: Deployment/flask: Available: 1/1, at 2 s" in error.details


def test_no_time_at_all_is_one_look():
    assert _fails(_feed(), timeout=0).cause == (
        "Deployment/flask: Available: 0/1 (still so after 0 s)"
    )


def test_a_stream_that_ended_for_good_ends_the_wait_with_its_own_error():
    feed = _feed()
    feed.failure = ClusterError("the API server went away")

    with pytest.raises(ClusterError, match="went away"):
        wait_until(FLASK, feed, timeout=10)
