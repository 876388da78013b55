"""The hub over real connections to a fake API server: nothing lost, nothing doubled."""

from __future__ import annotations

import threading
import time
import weakref

import pytest
from fake_apiserver import failure

from seatrial.core.clock import Deadline, SystemClock
from seatrial.core.errors import ApiError, ClusterError, ConfigurationError
from seatrial.core.feed import Feed, wait_on
from seatrial.core.model import Change, Snapshot
from seatrial.watch import Delta, Hub

TIMEOUT = 10.0


@pytest.fixture
def hub(connection):
    hub = Hub(connection)
    yield hub
    hub.close()


def pod(name, phase="Pending", namespace="demo", **labels):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "status": {"phase": phase},
    }


def event(name, message="", namespace="demo"):
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "message": message,
    }


def told(feed, kind=""):
    """The records as short text: `ADDED web Running`."""
    return [_short(record) for record in feed.records(kind)]


def _short(record):
    obj = record.object
    if record.change is Change.GAP:
        return "GAP"
    phase = obj.get("status", {}).get("phase") or obj.get("message", "")
    return f"{record.change.value} {obj['metadata']['name']} {phase}".rstrip()


def until(feed, look):
    found = wait_on(feed, lambda: look() or None, Deadline.after(TIMEOUT, SystemClock()))
    assert found, f"never seen; what was: {told(feed)}"
    return found


def until_told(feed, *expected):
    until(feed, lambda: len(feed.records()) >= len(expected))
    assert told(feed) == list(expected)


def test_what_is_there_is_listed_and_what_comes_is_watched(fake, hub):
    fake.put(pod("old", "Running"))
    hub.open("Pod", namespace="demo")
    assert told(hub) == ["LISTED old Running"]
    fake.put(pod("web"))
    fake.put(pod("web", "Running"))
    fake.remove("Pod", "old", "demo")
    until_told(
        hub,
        "LISTED old Running",
        "ADDED web Pending",
        "MODIFIED web Running",
        "DELETED old Running",
    )
    records = hub.records()
    assert [record.number for record in records] == [1, 2, 3, 4]
    assert [record.received for record in records] == sorted(r.received for r in records)
    assert {record.kind for record in records} == {"Pod"}
    assert str(records[0].ref) == "Pod/old"
    assert list(hub.snapshot().objects) == [("Pod", "demo", "web")]


def test_the_hub_is_a_feed(hub):
    feed: Feed = hub
    assert feed.records() == []
    assert feed.snapshot() == Snapshot()
    feed.check()


def test_a_watch_starts_where_the_list_ended(fake, hub):
    fake.hold("watch")
    hub.open("Pod", namespace="demo")
    fake.put(pod("between"))
    fake.gate["watch"].set()
    until_told(hub, "ADDED between Pending")
    watch = fake.seen("watch")[0]
    assert watch.path == "/api/v1/namespaces/demo/pods"
    assert watch.query["resourceVersion"] == "100"
    assert watch.query["allowWatchBookmarks"] == "true"
    assert watch.query["timeoutSeconds"] == "3600"


def test_managed_fields_are_dropped_on_receipt(fake, hub):
    fake.put(pod("old"))
    hub.open("Pod")
    fake.put(pod("new"))
    until_told(hub, "LISTED old Pending", "ADDED new Pending")
    assert not any("managedFields" in record.object["metadata"] for record in hub.records())


def test_listed_items_get_the_kind_that_lists_leave_out(fake, hub):
    fake.put({**pod("web"), "apiVersion": "v1"})
    hub.open("Pod")
    assert hub.records()[0].object["kind"] == "Pod"
    assert hub.records()[0].object["apiVersion"] == "v1"


def test_a_long_list_is_read_in_pages_and_told_at_once(fake, hub, monkeypatch):
    monkeypatch.setattr("seatrial.kube.objects.PAGE", 3)
    for number in range(8):
        fake.put(pod(f"p{number}"))
    hub.open("Pod")
    assert told(hub) == [f"LISTED p{number} Pending" for number in range(8)]
    pages = [one for one in fake.seen("read") if one.path == "/api/v1/pods"]
    assert [page.query.get("continue") for page in pages] == [None, "3", "6"]


def test_a_list_whose_next_page_has_expired_begins_again(fake, hub, monkeypatch):
    monkeypatch.setattr("seatrial.kube.objects.PAGE", 3)
    for number in range(5):
        fake.put(pod(f"p{number}"))
    fake.refuse("read", 410, "Expired", "too old", where=lambda one: "continue" in one.query)
    hub.open("Pod")
    assert told(hub) == [f"LISTED p{number} Pending" for number in range(5)]


@pytest.mark.parametrize("end", ["cut", "half a line", "end"])
def test_a_watch_that_ended_is_resumed_without_loss_or_doubles(fake, hub, end):
    hub.open("Pod")
    fake.wait_for_watches(1)
    fake.put(pod("a"))
    until_told(hub, "ADDED a Pending")
    if end == "end":
        fake.end()
    else:
        fake.cut(b'{"type":"ADDED","object":{"met' if end == "half a line" else b"")
    fake.put(pod("b"))
    fake.wait_for_watches(2)
    fake.put(pod("c"))
    until_told(hub, "ADDED a Pending", "ADDED b Pending", "ADDED c Pending")
    assert fake.seen("watch")[1].query["resourceVersion"] == "101"
    assert len([one for one in fake.seen("read") if one.path == "/api/v1/pods"]) == 1


def test_cuts_again_and_again_lose_nothing(fake, hub):
    hub.open("Pod")
    expected = []
    for number in range(30):
        fake.wait_for_watches(number + 1)
        fake.put(pod(f"p{number}"))
        expected.append(f"ADDED p{number} Pending")
        # a cut takes effect behind what was sent before: wait, so that each one hits something
        until(hub, lambda: len(hub.records()) == len(expected))
        fake.cut()
    fake.wait_for_watches(31)
    assert told(hub) == expected
    assert [record.number for record in hub.records()] == list(range(1, 31))


@pytest.mark.parametrize("size", [1, 7])
def test_lines_may_be_split_anywhere(fake, hub, size):
    fake.chunk = size
    hub.open("Event")
    fake.put(event("e1", "Grüße, 港"))
    fake.put(event("e2", "two"))
    until_told(hub, "ADDED e1 Grüße, 港", "ADDED e2 two")


def test_a_bookmark_moves_the_point_of_return(fake, hub):
    hub.open("Pod")
    fake.wait_for_watches(1)
    for _ in range(5):
        fake.pass_by()
    fake.bookmark()
    fake.put(pod("mark"))
    fake.remove("Pod", "mark", "demo")
    until_told(hub, "ADDED mark Pending", "DELETED mark Pending")
    fake.compact()
    fake.bookmark()
    fake.put(pod("after"))
    until(hub, lambda: len(hub.records()) == 3)
    fake.end()
    fake.wait_for_watches(2)
    assert fake.seen("watch")[1].query["resourceVersion"] == "109"
    assert "GAP" not in told(hub)


def test_a_bookmark_alone_saves_a_quiet_watch_from_compaction(fake, hub):
    hub.open("Pod")
    fake.wait_for_watches(1)
    fake.compact()
    fake.bookmark()
    fake.end()
    fake.wait_for_watches(2)
    fake.put(pod("web"))
    until_told(hub, "ADDED web Pending")


def test_410_by_status_is_a_gap_and_then_the_differences(fake, hub):
    for name in ("stays", "changes", "goes"):
        fake.put(pod(name))
    hub.open("Pod")
    fake.wait_for_watches(1)
    fake.hold("watch")
    fake.end()
    fake.put(pod("comes"))
    fake.put(pod("changes", "Running"))
    fake.remove("Pod", "goes", "demo")
    fake.compact()
    fake.gate["watch"].set()
    fake.wait_for_watches(2)
    fake.put(pod("later"))
    until_told(
        hub,
        "LISTED stays Pending",
        "LISTED changes Pending",
        "LISTED goes Pending",
        "GAP",
        "DELETED goes Pending",
        "ADDED comes Pending",
        "MODIFIED changes Running",
        "ADDED later Pending",
    )
    gap = hub.records()[3]
    assert gap.kind == "Pod"
    assert gap.object == {}
    assert gap.note == (
        "the watch of pods had to start over: "
        "the API server refused to watch pods: too old resource version: 103"
    )
    assert {key[2] for key in hub.snapshot().objects} == {"stays", "changes", "comes", "later"}
    assert hub.snapshot() == Snapshot.of_records(hub.records())


def test_410_as_an_error_record_is_a_gap_as_well(fake, hub):
    fake.put(event("old"))
    hub.open("Event", namespace="demo")
    fake.wait_for_watches(1)
    gone = failure(410, "Expired", "the provided watch has expired")
    fake.send({"type": "ERROR", "object": gone})
    fake.wait_for_watches(2)
    fake.put(event("new"))
    until_told(hub, "LISTED old", "GAP", "ADDED new")
    assert hub.records()[1].note == (
        "the watch of events in demo had to start over: "
        "the API server refused to go on watching events in demo: the provided watch has expired"
    )


def test_a_pod_that_was_replaced_during_a_gap_goes_before_its_successor_comes(fake, hub):
    first = fake.put(pod("web-0", "Running"))
    hub.open("Pod")
    fake.wait_for_watches(1)
    fake.hold("watch")
    fake.end()
    fake.remove("Pod", "web-0", "demo")
    second = fake.put(pod("web-0"))
    fake.compact()
    fake.gate["watch"].set()
    until_told(hub, "LISTED web-0 Running", "GAP", "DELETED web-0 Running", "ADDED web-0 Pending")
    uids = [record.object["metadata"]["uid"] for record in hub.records() if record.object]
    old, new = first["metadata"]["uid"], second["metadata"]["uid"]
    assert uids == [old, old, new]
    assert hub.snapshot().get("Pod", "web-0")["metadata"]["uid"] == new


def test_a_server_whose_store_went_back_in_time_is_listed_anew(fake, hub):
    hub.open("Pod")
    fake.wait_for_watches(1)
    message = "Too large resource version: 100, current: 7"
    fake.refuse("watch", 504, "Timeout", message)
    fake.end()
    fake.wait_for_watches(2)
    fake.put(pod("web"))
    until_told(hub, "GAP", "ADDED web Pending")


def test_an_error_record_other_than_410_resumes_where_it_was(fake, hub):
    hub.open("Pod")
    fake.wait_for_watches(1)
    fake.put(pod("a"))
    fake.send({"type": "ERROR", "object": failure(500, "InternalError", "leader changed")})
    fake.wait_for_watches(2)
    fake.put(pod("b"))
    until_told(hub, "ADDED a Pending", "ADDED b Pending")
    assert fake.seen("watch")[1].query["resourceVersion"] == "101"


def test_a_line_that_is_no_json_resumes_where_it_was(fake, hub):
    hub.open("Pod")
    fake.wait_for_watches(1)
    fake.send(b"<html>a proxy speaking</html>\n", b"\n")
    fake.wait_for_watches(2)
    fake.put(pod("a"))
    until_told(hub, "ADDED a Pending")


def test_deliveries_that_came_before_are_dropped(fake, hub):
    stored = fake.put(pod("a"))
    hub.open("Pod")
    fake.wait_for_watches(1)
    fake.remove("Pod", "a", "demo")
    fake.send({"type": "ADDED", "object": stored}, {"type": "MODIFIED", "object": stored})
    fake.put(pod("b"))
    until_told(hub, "LISTED a Pending", "DELETED a Pending", "ADDED b Pending")
    assert list(hub.snapshot().objects) == [("Pod", "demo", "b")]


def test_the_deletion_of_something_never_seen_is_dropped(fake, hub):
    hub.open("Pod")
    fake.wait_for_watches(1)
    meta = {"name": "ghost", "namespace": "demo", "uid": "u", "resourceVersion": "150"}
    fake.send({"type": "DELETED", "object": {"kind": "Pod", "metadata": meta}})
    fake.revision = 150
    fake.put(pod("b"))
    until_told(hub, "ADDED b Pending")


@pytest.mark.parametrize(
    ("verb", "status"),
    [("read", 500), ("read", 429), ("read", 503), ("watch", 500), ("watch", 429)],
)
def test_a_server_in_trouble_is_asked_again(fake, hub, verb, status):
    only_pods = {"where": lambda one: one.path.endswith("/pods"), "times": 2}
    fake.refuse(verb, status, "Whatever", "not now", **only_pods)
    hub.open("Pod")
    fake.put(pod("web"))
    until_told(hub, "ADDED web Pending")


def test_a_connection_that_breaks_before_an_answer_is_made_again(fake, hub):
    where = lambda one: one.path.endswith("/pods")  # noqa: E731 - one word for three lines
    fake.refuse("read", 0, body="reset", times=2, where=where)
    fake.refuse("watch", 0, body="reset", times=2)
    hub.open("Pod")
    fake.put(pod("web"))
    until_told(hub, "ADDED web Pending")


def test_being_forbidden_to_list_fails_the_opening_with_the_cause(fake, hub):
    message = 'events is forbidden: User "tester" cannot list resource "events"'
    fake.refuse("read", 403, "Forbidden", message, where=lambda one: one.path.endswith("/events"))
    with pytest.raises(ApiError) as caught:
        hub.open("Event", namespace="demo")
    assert caught.value.status == 403
    assert caught.value.cause == f"the API server refused to list events in demo: {message}"
    hub.check()  # it was told to the one who asked, and no stream is left behind
    hub.open("Event", namespace="demo")


def test_being_forbidden_to_watch_after_a_list_is_borne_for_a_moment(fake, hub):
    fake.refuse("watch", 403, "Forbidden", "RBAC is not read yet", times=2)
    hub.open("Pod")
    fake.put(pod("web"))
    until_told(hub, "ADDED web Pending")
    hub.check()


def test_being_forbidden_for_good_ends_all_waiting(fake, hub, monkeypatch):
    monkeypatch.setattr("seatrial.watch.stream.FORBEARANCE", 0.0)
    fake.refuse("watch", 401, "Unauthorized", "Unauthorized", times=99)
    hub.open("Pod", namespace="demo")
    with pytest.raises(ApiError) as caught:
        wait_on(hub, lambda: None, Deadline.after(TIMEOUT, SystemClock()))
    assert caught.value.cause == "the API server refused to watch pods in demo: Unauthorized"
    assert caught.value.hint == (
        "the credentials of the kubeconfig are not, or no longer, accepted by this cluster"
    )
    with pytest.raises(ApiError):  # the record has a hole by now: opening again cannot mend it
        hub.open("Pod", namespace="demo")
    with pytest.raises(ApiError):
        hub.view("demo").check()
    hub.view("other").check()


def test_a_kind_that_is_not_served_any_more_is_no_failure_and_can_be_watched_anew(
    fake, hub, monkeypatch
):
    monkeypatch.setattr("seatrial.watch.stream.FORBEARANCE", 0.0)
    fake.put(pod("old"))
    hub.open("Pod")
    fake.wait_for_watches(1)
    fake.refuse("watch", 404, "NotFound", "page not found")
    fake.put(pod("older"))
    story = ["LISTED old Pending", "ADDED older Pending"]
    until_told(hub, *story)
    fake.end()
    story += ["GAP", "DELETED old Pending", "DELETED older Pending"]
    until_told(hub, *story)
    assert hub.records("Pod")[2].note == "pods are not served any more"
    assert not list(hub.snapshot().all("Pod"))
    hub.check()

    for name in ("old", "older"):
        fake.remove("Pod", name, "demo")
    fake.put(pod("new"))
    hub.open("Pod")
    until_told(hub, *story, "LISTED new Pending")
    fake.put(pod("newer"))
    until_told(hub, *story, "LISTED new Pending", "ADDED newer Pending")


def test_a_kind_that_discovery_remembers_but_nobody_serves_is_an_unknown_one(fake, hub):
    gone = {"where": lambda one: one.path.endswith("/pods"), "times": 9}
    hub.open("Event")
    fake.refuse("read", 404, "NotFound", "page not found", **gone)
    with pytest.raises(ApiError, match="page not found"):  # it is said to be served, and is not
        hub.open("Pod")
    fake.resources["v1"] = [kind for kind in fake.resources["v1"] if kind[0] != "Pod"]
    with pytest.raises(ConfigurationError, match="the cluster knows no kind 'Pod'"):
        hub.open("Pod")


def test_an_unknown_kind_is_told_with_what_is_near(hub):
    with pytest.raises(ConfigurationError, match="the cluster knows no kind 'Evnt'"):
        hub.open("Evnt")


def test_a_list_that_does_not_come_in_time_is_told_with_the_trouble(fake, hub):
    everything = {"where": lambda one: one.path.endswith("/pods"), "times": 99}
    fake.refuse("read", 503, "ServiceUnavailable", "the store is away", **everything)
    with pytest.raises(ApiError) as caught:
        hub.open("Pod", namespace="demo", timeout=0.05)
    assert caught.value.cause == (
        "pods in demo could not be listed within 0.05 s: "
        "the API server refused to list pods in demo: the store is away"
    )
    assert caught.value.status == 503


def test_a_list_that_hangs_is_told_without_a_cause(fake, hub):
    hub.open("Namespace")  # so that discovery is known
    fake.hold("read")
    with pytest.raises(ApiError, match=r"^pods could not be listed within 0\.05 s$"):
        hub.open("Pod", timeout=0.05)
    fake.gate["read"].set()


def test_opening_twice_shares_one_stream(fake, hub):
    for _ in range(2):
        hub.open("Pod", namespace="demo")
    hub.open("Pod", "v1", namespace="demo")
    fake.wait_for_watches(1)
    assert len([one for one in fake.seen("read") if one.path.endswith("/pods")]) == 1


def test_threads_that_open_at_once_share_one_stream(fake, hub):
    fake.put(pod("web"))
    gate = fake.hold("read")
    seen = []
    threads = [
        threading.Thread(target=lambda: seen.append(hub.open("Pod") or told(hub))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(TIMEOUT)
    assert seen == [["LISTED web Pending"]] * 5


def test_a_namespace_is_covered_by_a_stream_of_all(fake, hub):
    fake.put(pod("web"))
    hub.open("Pod")
    hub.open("Pod", namespace="demo")
    hub.open("Pod", namespace="demo", label_selector="app=web")
    assert told(hub) == ["LISTED web Pending"]
    assert {one.path for one in fake.seen("read") if one.path.endswith("pods")} == {"/api/v1/pods"}


def test_a_kind_without_namespaces_ignores_the_namespace(fake, hub):
    fake.put({"kind": "Node", "metadata": {"name": "n1"}})
    hub.open("Node", namespace="demo")
    assert told(hub) == ["LISTED n1"]


def test_overlapping_streams_tell_everything_once(fake, hub):
    fake.put(pod("a", app="web"))
    hub.open("Pod", namespace="demo", label_selector="app=web")
    hub.open("Pod", namespace="demo", field_selector="status.phase=Pending")
    hub.open("Pod", namespace="demo")
    hub.open("Pod")
    fake.wait_for_watches(4)
    fake.put(pod("a", "Pending", app="web", turn="2"))
    fake.put(pod("b", app="web"))
    fake.remove("Pod", "a", "demo")
    fake.put(pod("c", namespace="other"))
    until(hub, lambda: "ADDED c Pending" in told(hub))
    until(hub, lambda: "DELETED a Pending" in told(hub))
    assert sorted(told(hub)) == [
        "ADDED b Pending",
        "ADDED c Pending",
        "DELETED a Pending",
        "LISTED a Pending",
        "MODIFIED a Pending",
    ]
    assert {key[2] for key in hub.snapshot().objects} == {"b", "c"}


def test_a_slow_consumer_loses_nothing(fake, hub):
    hub.open("Event")
    fake.wait_for_watches(1)
    with hub.changed:  # nobody gets past this while we are looking
        for number in range(500):
            fake.put(event(f"e{number}"))
        assert hub.records() == []
    until_told(hub, *[f"ADDED e{number}" for number in range(500)])


def test_kinds_are_numbered_together_and_read_apart(fake, hub):
    hub.open("Pod")
    hub.open("Event")
    for number in range(3):
        fake.put(pod(f"p{number}"))
        until(hub, lambda: len(hub.records()) % 2 == 1)
        fake.put(event(f"e{number}"))
        until(hub, lambda: len(hub.records()) % 2 == 0)
    assert [record.number for record in hub.records()] == [1, 2, 3, 4, 5, 6]
    assert [record.number for record in hub.records("Event")] == [2, 4, 6]
    assert [record.number for record in hub.records("Event", after=2)] == [4, 6]
    assert [record.number for record in hub.records("Event", after=3)] == [4, 6]
    assert [record.number for record in hub.records(after=4)] == [5, 6]
    assert [record.number for record in hub.records(after=-1)] == [1, 2, 3, 4, 5, 6]
    assert hub.records("Secret") == []


def test_a_snapshot_is_made_once_for_each_change(fake, hub):
    fake.put(pod("a"))
    hub.open("Pod")
    before = hub.snapshot()
    assert hub.snapshot() is before
    fake.put(pod("b"))
    until(hub, lambda: len(hub.records()) == 2)
    assert hub.snapshot() is not before
    assert len(before.objects) == 1


def test_a_long_session_keeps_what_is_of_use_and_no_more(fake, connection):
    with Hub(connection, kept=10) as hub:
        hub.open("Pod")
        hub.open("Event")
        fake.put(event("lasting"))
        for turn in range(200):
            fake.put(pod("web", f"Turn{turn}"))
            fake.put(pod(f"short-{turn}"))
            fake.remove("Pod", f"short-{turn}", "demo")
        until(hub, lambda: hub.records(after=600))
        assert len(hub.records()) <= 30
        assert hub.snapshot() == Snapshot.of_records(hub.records())
        assert told(hub, "Event") == ["ADDED lasting"]
        # what is remembered of the objects that are gone goes with their records
        assert len(hub._admission._seen) < 20


def test_a_view_that_is_held_keeps_more_of_its_namespace(fake, connection):
    with Hub(connection, kept=10) as hub:
        hub.open("Pod")
        view = hub.view("demo")
        for turn in range(8):
            fake.put(pod("web", f"Turn{turn}"))
        for turn in range(60):
            fake.put(pod("noise", f"Turn{turn}", namespace="other"))
        until(hub, lambda: hub.records(after=67))
        assert [line for line in told(hub) if " web " in line] == ["MODIFIED web Turn7"]
        assert told(view) == [
            f"{'MODIFIED' if turn else 'ADDED'} web Turn{turn}" for turn in range(8)
        ]


def test_a_view_of_a_long_test_is_trimmed_as_well(fake, connection):
    with Hub(connection, kept=10) as hub:
        hub.open("Pod")
        view = hub.view("demo")
        for turn in range(100):
            fake.put(pod("web", f"Turn{turn}"))
        until(view, lambda: view.records(after=99))
        assert len(view.records()) < 20
        assert view.snapshot() == Snapshot.of_records(view.records())


def test_views_that_nobody_holds_go_in_the_end(fake, hub):
    fake.put(pod("mine"))
    hub.open("Pod")
    held = hub.view("demo")
    first = weakref.ref(hub.view("namespace-0"))
    for number in range(1, 20):
        hub.view(f"namespace-{number}")
    assert first() is None
    assert hub.view("demo") is held


def test_a_view_shows_one_namespace_and_what_lives_in_none(fake, hub):
    fake.put(pod("mine", namespace="a"))
    fake.put(pod("yours", namespace="b"))
    fake.put({"kind": "Node", "metadata": {"name": "n1"}})
    hub.open("Pod")
    hub.open("Node")
    view = hub.view("a")
    assert hub.view("a") is view
    assert view.clock is hub.clock
    assert told(view) == ["LISTED mine Pending", "LISTED n1"]
    assert told(view, "Node") == ["LISTED n1"]
    before = view.snapshot()
    assert set(before.objects) == {("Pod", "a", "mine"), ("Node", "", "n1")}
    fake.put(pod("yours", "Running", namespace="b"))
    until(hub, lambda: "MODIFIED yours Running" in told(hub))
    assert view.snapshot() is before
    fake.remove("Pod", "mine", "a")
    until(view, lambda: set(view.snapshot().objects) == {("Node", "", "n1")})
    assert [record.number for record in view.records()] == [1, 3, 5]
    assert [record.number for record in view.records(after=1)] == [3, 5]


def test_a_view_shows_the_gaps_that_may_hide_something_of_it(fake, hub):
    hub.open("Pod")
    hub.open("Event", namespace="a")
    hub.open("Event", namespace="b")
    fake.wait_for_watches(3)
    fake.send({"type": "ERROR", "object": failure(410, "Expired", "gone")})
    until(hub, lambda: told(hub) == ["GAP"] * 3)
    assert sorted(record.kind for record in hub.view("a").records()) == ["Event", "Pod"]
    assert [record.kind for record in hub.view("c").records()] == ["Pod"]


#: seconds; a close that waited for the API server would take minutes
PROMPT = 10


def test_closing_is_prompt_while_watches_are_silent(fake, connection):
    hub = Hub(connection)
    for kind in ("Pod", "Event", "Node", "Deployment", "ReplicaSet", "ConfigMap", "Namespace"):
        hub.open(kind)
    fake.wait_for_watches(7)
    began = time.monotonic()
    hub.close()
    assert time.monotonic() - began < PROMPT
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("watch ")]


def test_closing_is_prompt_between_two_tries(fake, connection):
    hub = Hub(connection)
    fake.refuse("watch", 500, "InternalError", "not now", times=1000)
    hub.open("Pod")
    fake.until(lambda: len(fake.seen("watch")) >= 4)
    began = time.monotonic()
    hub.close()
    assert time.monotonic() - began < PROMPT
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("watch ")]


def test_closing_does_not_wait_for_a_request_that_hangs(fake, connection, monkeypatch):
    monkeypatch.setattr("seatrial.watch.hub.CLOSE_TIMEOUT", 0.05)
    gate = fake.hold("watch")
    hub = Hub(connection)
    hub.open("Pod")
    fake.until(lambda: fake.seen("watch"))
    began = time.monotonic()
    hub.close()
    assert time.monotonic() - began < PROMPT
    gate.set()
    for thread in threading.enumerate():
        if thread.name.startswith("watch "):
            thread.join(TIMEOUT)
            assert not thread.is_alive()
    assert hub.records() == []


def test_what_a_stream_that_was_stopped_still_brings_is_not_recorded(fake, hub):
    hub.open("Namespace")
    gate = fake.hold("read")
    with pytest.raises(ApiError):
        hub.open("Pod", timeout=0.01)
    fake.put(pod("web"))
    straggler = next(one for one in threading.enumerate() if one.name == "watch pods")
    gate.set()
    straggler.join(TIMEOUT)
    assert hub.records() == []


def test_what_was_recorded_stays_readable_after_closing(fake, connection):
    fake.put(pod("web"))
    with Hub(connection) as hub:
        hub.open("Pod")
    hub.close()
    fake.put(pod("later"))
    assert told(hub) == ["LISTED web Pending"]
    with pytest.raises(ClusterError, match="pods cannot be watched any more: the hub is closed"):
        hub.open("Pod")


def test_a_delivery_that_was_on_its_way_when_it_closed_is_dropped(fake, hub):
    hub.open("Pod")
    stream = next(iter(hub._streams.values()))
    hub.close()
    hub._receive(stream, [Delta(Change.ADDED, pod("web"))])
    assert hub.records() == []


def test_closing_ends_an_opening_that_waits(fake, connection, monkeypatch):
    monkeypatch.setattr("seatrial.watch.hub.CLOSE_TIMEOUT", 0.05)
    hub = Hub(connection)
    hub.open("Namespace")
    gate = fake.hold("read")
    caught = []

    def open_pods():
        try:
            hub.open("Pod")
        except ClusterError as error:
            caught.append(error.cause)

    thread = threading.Thread(target=open_pods)
    thread.start()
    fake.until(lambda: [one for one in fake.seen("read") if one.path.endswith("/pods")])
    hub.close()
    thread.join(TIMEOUT)
    gate.set()
    assert caught == ["pods cannot be watched any more: the hub is closed"]


def test_a_namespace_that_is_left_is_watched_no_more_and_the_rest_is(fake, hub):
    for namespace in ("mine", "other"):
        fake.put(pod("web", namespace=namespace))
        hub.open("Pod", "v1", namespace=namespace)
    fake.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "sea"}})
    hub.open("Node", "v1")
    fake.wait_for_watches(3)
    hub.leave("mine")
    assert told(hub.view("mine"), "Pod") == ["LISTED web Pending", "GAP", "DELETED web Pending"]
    assert hub.records()[-2].note == "pods in mine are not watched any more"
    assert [each["metadata"]["namespace"] for each in hub.snapshot().all("Pod")] == ["other"]
    fake.put(pod("more", namespace="mine"))
    fake.put(pod("more", namespace="other"))
    until(hub, lambda: hub.snapshot().get("Pod", "more", "other"))
    assert hub.snapshot().get("Pod", "more", "mine") is None
    assert hub.snapshot().get("Node", "sea")
    hub.check()


def test_a_namespace_may_be_entered_again(fake, hub):
    fake.put(pod("web", namespace="mine"))
    hub.open("Pod", "v1", namespace="mine")
    hub.leave("mine")
    hub.leave("mine")
    hub.open("Pod", "v1", namespace="mine")
    # the list tells of what the hub took for gone
    fake.put(pod("web", "Running", namespace="mine"))
    until(hub, lambda: hub.snapshot().get("Pod", "web", "mine"))


def test_streams_of_all_namespaces_are_not_left(fake, hub):
    fake.put(pod("web", namespace="mine"))
    hub.open("Pod", "v1")
    hub.leave("")
    hub.leave("mine")
    assert hub.snapshot().get("Pod", "web", "mine")
