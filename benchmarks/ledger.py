"""Holds what a hub recorded against what etcd holds: nothing missing, nothing twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.etcd_events import Etcd, StoredEvent

from seatrial.core.clock import Deadline, SystemClock
from seatrial.core.feed import wait_on
from seatrial.core.model import Change, Object, Record, dig
from seatrial.events import Timeline
from seatrial.events.occurrence import count_of
from seatrial.harness.cluster import WATCHED
from seatrial.kube import Objects
from seatrial.watch import Hub

__all__ = ["Ledger", "Tally"]

#: seconds for the hub to show what etcd holds, after the last fault: a dead stream is noticed
#: after 90, then there is a pause of 2 between two tries
CATCH_UP = 130.0
#: seconds within which a list that follows a gap is delivered: it comes in one piece
ONE_PIECE = 1.0


@dataclass
class Tally:
    """What one comparison found."""

    events: int = 0
    """Events in etcd."""
    writes: int = 0
    """How often they were written there."""
    told: int = 0
    """How many of those writes the hub has recorded."""
    merged: int = 0
    """Writes that a list after a reported gap gave as one."""
    gaps: int = 0
    """Gaps of the stream of events, so far."""
    seconds: float = 0.0
    """How long it took until the hub had all."""
    faults: list[str] = field(default_factory=list)
    """Whatever is wrong, each as a line; empty as it should be."""


@dataclass
class Ledger:
    """Compares, once everything is quiet."""

    hub: Hub
    timeline: Timeline
    etcd: Etcd
    objects: Objects
    """Past the proxy."""
    since: int
    """Revision at which the hub had listed the events: writes before it are not its own."""

    def compare(self) -> Tally:
        tally = Tally()
        clock = SystemClock()
        began = clock.monotonic()
        stored = self._await_events(Deadline.after(CATCH_UP, clock), tally)
        tally.seconds = clock.monotonic() - began
        records = self.hub.records("Event")
        tally.gaps = sum(record.change is Change.GAP for record in records)
        self._count_writes(stored, records, tally)
        self._find_doubles(records, tally)
        self._count_occurrences(tally)
        self._compare_states(Deadline.after(CATCH_UP, clock), tally)
        return tally

    def _await_events(self, deadline: Deadline, tally: Tally) -> Sequence[StoredEvent]:
        """Wait until the latest version of each Event in etcd has been recorded."""
        missing: list[StoredEvent] = []
        while True:
            stored, _ = self.etcd.events()

            def look(stored: Sequence[StoredEvent] = stored) -> bool | None:
                has = {
                    (each["metadata"]["namespace"], each["metadata"]["name"]): each["metadata"][
                        "resourceVersion"
                    ]
                    for each in self.hub.snapshot().objects.values()
                    if each["kind"] == "Event"
                }
                missing[:] = [
                    each
                    for each in stored
                    if int(has.get((each.namespace, each.name), 0)) < each.modified
                ]
                return True if not missing else None

            patience = Deadline.after(min(5.0, deadline.remaining), self.hub.clock)
            if wait_on(self.hub, look, patience):
                return stored
            if deadline.passed:
                tally.faults += [f"not in the timeline: {each}" for each in missing]
                return stored

    def _count_writes(
        self, stored: Sequence[StoredEvent], records: Sequence[Record], tally: Tally
    ) -> None:
        """Every write since the beginning is a record, or lies before one that follows a gap."""
        gaps = [record for record in records if record.change is Change.GAP]
        told: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in records:
            if record.change in (Change.LISTED, Change.ADDED, Change.MODIFIED):
                meta = record.object["metadata"]
                told[meta["namespace"], meta["name"]].append(record)
        for event in stored:
            tally.events += 1
            if event.created <= self.since:
                continue  # what was before cannot have been told one by one
            own = told[event.namespace, event.name]
            tally.writes += event.writes
            # the hub may be ahead of what was read from etcd a moment ago
            seen = sum(
                int(dig(one.object, "metadata", "resourceVersion")) <= event.modified for one in own
            )
            tally.told += seen
            if seen < event.writes:
                if _covered(own, gaps):
                    tally.merged += event.writes - seen
                else:
                    tally.faults.append(
                        f"{event.writes - seen} of {event.writes} writes not told: {event}"
                    )

    def _find_doubles(self, records: Sequence[Record], tally: Tally) -> None:
        versions = Counter(
            (record.object["metadata"]["uid"], record.object["metadata"]["resourceVersion"])
            for record in self.hub.records()
            if record.change in (Change.LISTED, Change.ADDED, Change.MODIFIED)
        )
        tally.faults += [f"{n} times: {uid}" for (uid, _), n in versions.items() if n > 1]
        numbers = [record.number for record in records]
        if numbers != sorted(set(numbers)):
            tally.faults.append("the numbers of the records do not rise")

    def _count_occurrences(self, tally: Tally) -> None:
        """The timeline's occurrences of an Event add up to its count, gap or not."""
        occurred: Counter[str] = Counter()
        for each in self.timeline:
            occurred[each.uid] += each.new
        for event in self.hub.snapshot().all("Event"):
            uid = event["metadata"]["uid"]
            if occurred[uid] != count_of(event):
                tally.faults.append(
                    f"{occurred[uid]} occurrences of {count_of(event)}: "
                    f"{event['metadata']['name']} {event.get('reason')}"
                )

    def _compare_states(self, deadline: Deadline, tally: Tally) -> None:
        """Of every kind the hub has the objects that the API server lists, at their versions."""
        for kind, api_version in WATCHED:
            tally.faults += self._differing(kind, api_version, deadline)

    def _differing(self, kind: str, api_version: str, deadline: Deadline) -> list[str]:
        wrong: list[str] = []
        while True:
            listed, _ = self.objects.list(api_version, kind)
            live = _versions(listed)

            def look(live: dict[str, str] = live) -> bool | None:
                seen = _versions([*self.hub.snapshot().all(kind)])
                uids = live.keys() | seen.keys()
                wrong[:] = [uid for uid in uids if live.get(uid) != seen.get(uid)]
                return True if not wrong else None

            # a Node changes now and then: what has moved on is listed anew
            if wait_on(self.hub, look, Deadline.after(2.0, self.hub.clock)):
                return []
            if deadline.passed:
                return [f"{kind} differs: {uid}" for uid in wrong]


def _covered(own: Sequence[Record], gaps: Sequence[Record]) -> bool:
    """Whether one of an Event's records is of the list after a gap, so may stand for several."""
    return any(
        gap.number < record.number and record.received - gap.received < ONE_PIECE
        for gap in gaps
        for record in own
    )


def _versions(objects: Sequence[Object]) -> dict[str, str]:
    return {each["metadata"]["uid"]: each["metadata"]["resourceVersion"] for each in objects}
