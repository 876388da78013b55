"""Events as evidence: those of one object, and each as one line.

Their order is that of `resourceVersion`, never of timestamps, which have a granularity of a second
and come from different machines' clocks.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable

from seatrial.core.model import Object, ObjectRef, Snapshot, dig
from seatrial.readiness.wording import one_line

__all__ = [
    "count_of",
    "event_line",
    "events_about",
    "is_about",
    "latest_of_each",
    "likeness",
    "message_of",
]

#: what differs between events that say the same: names in quotes, ids, names of pods
_PARTICULARS = re.compile(r'"[^"]*"|\b[0-9a-f]{12,}\b|\S*/\S*')
_COMBINED = "(combined from similar events): "


def is_about(event: Object, ref: ObjectRef) -> bool:
    """Whether the event's `involvedObject` is that object (and not a namesake from before it)."""
    involved = dig(event, "involvedObject", default={})
    if involved.get("kind") != ref.kind or involved.get("name") != ref.name:
        return False
    if ref.namespace and involved.get("namespace", ref.namespace) != ref.namespace:
        return False
    return not ref.uid or involved.get("uid", ref.uid) == ref.uid


def events_about(snapshot: Snapshot, ref: ObjectRef) -> list[Object]:
    """The object's events, the one that was written last at the end."""
    found = [event for event in snapshot.all("Event", ref.namespace) if is_about(event, ref)]
    return sorted(found, key=_version)


def _version(event: Object) -> int:
    version = str(dig(event, "metadata", "resourceVersion", default=""))
    return int(version) if version.isdigit() else 0


def count_of(event: Object) -> int:
    """How often it happened: `count`, or `series.count` of events written the newer way."""
    return max(int(dig(event, *path, default=1)) for path in (("count",), ("series", "count")))


def message_of(event: Object) -> str:
    """The message, without the mark of one that stands for several."""
    return str(dig(event, "message", default="")).removeprefix(_COMBINED)


def likeness(event: Object) -> Hashable:
    """What is the same for events that differ only in a name or an id."""
    involved = [dig(event, "involvedObject", k, default="") for k in ("kind", "name", "fieldPath")]
    return (*involved, event.get("reason"), _PARTICULARS.sub("…", message_of(event)))


def latest_of_each(events: Iterable[Object]) -> list[Object]:
    """The latest event of each likeness, in their order."""
    latest: dict[Hashable, Object] = {}
    for event in events:
        latest.pop(likeness(event), None)
        latest[likeness(event)] = event
    return list(latest.values())


def event_line(event: Object) -> str:
    """`Warning Failed Pod/flask-x (3 times): Error: ErrImagePull`."""
    count = count_of(event)
    kind, name = (dig(event, "involvedObject", key, default="?") for key in ("kind", "name"))
    often = f" ({count} times)" if count > 1 else ""
    return one_line(
        f"{dig(event, 'type', default='Normal')} {dig(event, 'reason', default='?')} "
        f"{kind}/{name}{often}: {dig(event, 'message', default='')}"
    )
