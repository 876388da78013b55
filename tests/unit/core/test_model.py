"""Objects, records and the snapshots they add up to."""

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.core.health import Finding, Health
from seatrial.core.model import Change, ObjectRef, Record, Snapshot, State, Verdict, dig
from seatrial.core.progress import Quiet

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)


def an_object(kind, name, namespace="trial", **metadata):
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, **metadata}}


def a_record(number, change, obj):
    return Record(number, float(number), NOW, change, "Pod", obj)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("spec", "containers", 0, "name"), "flask"),
        (("spec", "containers", 1, "name"), "-"),
        (("spec", "volumes"), "-"),
        (("spec", "nodeName"), "-"),
        (("spec", "replicas"), 0),
        (("spec", "containers", "name"), "-"),
        (("spec", "containers", 0, "name", "first"), "-"),
    ],
)
def test_digging_gives_the_value_or_the_default(path, found):
    pod = {"spec": {"containers": [{"name": "flask"}], "nodeName": None, "replicas": 0}}
    assert dig(pod, *path, default="-") == found


def test_digging_nowhere_gives_the_thing_itself_or_none():
    assert dig({"a": 1}) == {"a": 1}
    assert dig(None, "a") is None


def test_a_reference_is_made_of_what_the_server_sent():
    ref = ObjectRef.of(an_object("Pod", "flask-1", uid="u-1"))
    assert ref == ObjectRef("Pod", "flask-1", "trial", "u-1")
    assert str(ref) == "Pod/flask-1"
    assert ObjectRef.of({}) == ObjectRef("", "")


def test_a_record_refers_to_its_object():
    assert str(a_record(1, Change.ADDED, an_object("Pod", "flask-1")).ref) == "Pod/flask-1"


def test_a_snapshot_holds_the_latest_state_of_what_is_left():
    older = an_object("Pod", "a", resourceVersion="1")
    newer = an_object("Pod", "a", resourceVersion="2")
    gone = an_object("Pod", "b")
    snapshot = Snapshot.of_records(
        [
            a_record(1, Change.LISTED, older),
            a_record(2, Change.ADDED, gone),
            a_record(3, Change.GAP, {}),
            a_record(4, Change.MODIFIED, newer),
            a_record(5, Change.DELETED, gone),
            a_record(6, Change.DELETED, an_object("Pod", "never-seen")),
        ]
    )
    assert list(snapshot.all("Pod")) == [newer]


def test_an_object_is_found_by_kind_and_name_in_one_namespace_or_any():
    here, there = an_object("Pod", "a", "here"), an_object("Pod", "a", "there")
    snapshot = Snapshot.of(there, here, an_object("Node", "a", ""))
    assert snapshot.get("Pod", "a", "there") is there
    assert snapshot.get("Pod", "a") is here  # the first by namespace
    assert snapshot.get("Pod", "a", "nowhere") is None
    assert snapshot.get("Pod", "b") is None
    assert list(snapshot.all("Pod", "there")) == [there]
    assert list(snapshot.all("Service")) == []


def test_only_the_controller_owns():
    def owned(name, **owner):
        return an_object("Pod", name, ownerReferences=[{"uid": "rs-1", **owner}])

    mine = owned("mine", controller=True)
    snapshot = Snapshot.of(
        mine,
        owned("not-controlled"),
        owned("of-another", controller=True, uid="rs-2"),
        an_object("Pod", "orphan"),
        an_object("ReplicaSet", "other-kind", ownerReferences=[{"uid": "rs-1", "controller": 1}]),
    )
    assert list(snapshot.owned_by("rs-1", "Pod")) == [mine]


CHANGES = st.lists(
    st.tuples(
        st.sampled_from([Change.LISTED, Change.ADDED, Change.MODIFIED, Change.DELETED]),
        st.sampled_from("abc"),
        st.integers(),
    )
)


@given(CHANGES)
def test_a_snapshot_has_of_each_object_what_its_last_record_said(changes):
    records = [
        a_record(number, change, an_object("Pod", name, version=version))
        for number, (change, name, version) in enumerate(changes, 1)
    ]
    last = {r.ref.name: r for r in records}
    expected = {n: r.object for n, r in last.items() if r.change is not Change.DELETED}
    found = {o["metadata"]["name"]: o for o in Snapshot.of_records(records).all("Pod")}
    assert found == expected


@pytest.mark.parametrize(
    ("make", "state"),
    [
        (Verdict.waiting, State.WAITING),
        (Verdict.satisfied, State.SATISFIED),
        (Verdict.impossible, State.IMPOSSIBLE),
    ],
)
def test_a_verdict_is_made_by_its_outcome(make, state):
    verdict = make("Progressing", "Ready: 1/3", hint="look", evidence=("a",))
    assert verdict == Verdict(state, "Progressing", "Ready: 1/3", evidence=("a",), hint="look")


def test_a_finding_needs_no_hint():
    assert Finding("disk", Health.OK, "20 GiB free").hint == ""


def test_quiet_progress_shows_nothing_and_hides_no_error(capsys):
    quiet = Quiet()
    quiet.note("done")
    with quiet.step("building") as step:
        step.line("compiling")

    def fail():
        with quiet.step("building"):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert capsys.readouterr() == ("", "")
