"""One occurrence of a Kubernetes event, read from the Event object that stands for it.

An Event object is a counter rather than a log line: a repetition raises its count and is delivered
as a change of the same object. So each delivery becomes an `Occurrence` of its own, which knows how
many repetitions it stands for.

There are two recorders, and two APIs that show what either of them wrote, under the same uid:
- client-go's `record` (the kubelet, most controllers). core/v1 shows `involvedObject`, `message`,
  `count`, `lastTimestamp` and `source`; events.k8s.io/v1 shows `regarding`, `note` and the others
  with `deprecated` before their names.
- client-go's `events` (the scheduler, kube-proxy). Either API shows `eventTime` and `series`, the
  first with `reportingComponent`, the second with `reportingController`; there is no `count`,
  `lastTimestamp` or `source`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from seatrial.core.model import Change, Object, ObjectRef, Record, dig

__all__ = ["Occurrence"]

# client-go's EventAggregator puts this before the message once it merges similar events
_AGGREGATED = re.compile(r"\(combined from similar events\):?\s*")

# the kubelet names a container of a Pod as `spec.containers{web}`, `spec.initContainers{init}`, …
_CONTAINER = re.compile(r"^spec\.\w+\{(?P<name>[^}]+)\}$")

_ITS_OWN_TIMES = (
    ("series", "lastObservedTime"),
    ("lastTimestamp",),
    ("deprecatedLastTimestamp",),
    ("eventTime",),
    ("firstTimestamp",),
    ("deprecatedFirstTimestamp",),
    ("metadata", "creationTimestamp"),
)


@dataclass(frozen=True)
class Occurrence:
    """One delivery of an Event object that stands for at least one new occurrence."""

    number: int
    """Its place in the timeline: 1, 2, 3, …"""
    received: float
    """Seconds on the feed's monotonic clock."""
    wall: datetime
    """The time of day at the receipt, UTC."""
    reason: str
    """One CamelCase word, such as `Scheduled`: what to match on, since messages change."""
    type: str
    """`Normal` or `Warning`."""
    message: str
    count: int
    """How often the event had occurred after this occurrence."""
    new: int
    """How many of those this delivery stands for: 3 if the count rose from 1 to 4."""
    object: ObjectRef
    """What the event is about."""
    field_path: str = ""
    """The part of the object, such as `spec.containers{web}`."""
    container: str = ""
    """The container's name, where the field path has one."""
    source: str = ""
    """The component that reported it, such as `kubelet`."""
    uid: str = ""
    """Uid of the Event object."""
    revision: int = 0
    """The Event object's resourceVersion: the API server's write order; 0 where it has none."""
    listed: bool = False
    """A list delivered it, not the watch: its receipt says nothing of when it happened."""
    aggregated: bool = False
    """It stands for several similar events, whose messages differed."""
    stamped: datetime | None = None
    """The time its component gave it, UTC, often cut to whole seconds."""

    @classmethod
    def of(cls, record: Record, *, number: int = 0, known: int = 0) -> Occurrence:
        """Read the record of an Event; `known` is the count that its object had before."""
        event = record.object
        regarding = dig(event, "involvedObject") or dig(event, "regarding", default={})
        message = dig(event, "message") or dig(event, "note", default="")
        field_path = dig(regarding, "fieldPath", default="")
        container = _CONTAINER.match(field_path)
        count = count_of(event)
        return cls(
            number=number,
            received=record.received,
            wall=record.wall,
            reason=dig(event, "reason", default=""),
            type=dig(event, "type", default=""),
            message=message,
            count=count,
            new=count - known,
            object=ObjectRef(
                kind=dig(regarding, "kind", default=""),
                name=dig(regarding, "name", default=""),
                namespace=dig(regarding, "namespace", default=""),
                uid=dig(regarding, "uid", default=""),
            ),
            field_path=field_path,
            container=container["name"] if container else "",
            source=_source_of(event),
            uid=dig(event, "metadata", "uid", default=""),
            revision=_number(dig(event, "metadata", "resourceVersion")),
            listed=record.change is Change.LISTED,
            aggregated=_AGGREGATED.match(message) is not None,
            stamped=_stamp_of(event),
        )

    @property
    def text(self) -> str:
        """The message without what client-go puts before that of merged events."""
        return _AGGREGATED.sub("", self.message, count=1) if self.aggregated else self.message

    def __str__(self) -> str:
        return f"{self.object} {self.reason}: {self.message}"


def count_of(event: Object) -> int:
    """How often an Event object says it occurred; one without a counter occurred once.

    A series counts from its second time on, which it says is 2. Where several counters are there,
    the highest is right: the API server shows those of either recorder in both of its APIs.
    """
    counters = (("series", "count"), ("count",), ("deprecatedCount",))
    return max(1, *(_number(dig(event, *path)) for path in counters))


def _source_of(event: Object) -> str:
    for path in (
        ("source", "component"),
        ("reportingComponent",),
        ("reportingController",),
        ("deprecatedSource", "component"),
    ):
        source = dig(event, *path)
        if source:
            return str(source)
    return ""


def _stamp_of(event: Object) -> datetime | None:
    for path in _ITS_OWN_TIMES:
        text = dig(event, *path)
        if not text:
            continue
        try:
            # Python 3.10 does not read the Z that Kubernetes writes
            stamp = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        except ValueError:
            continue
        return stamp if stamp.tzinfo else stamp.replace(tzinfo=timezone.utc)
    return None


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
