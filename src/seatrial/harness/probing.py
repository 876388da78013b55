"""A probe of a Service that knows what else happened in its namespace meanwhile.

Events, and what became of pods, of the EndpointSlices that kube-proxy goes by, and of nodes, are
stamped on receipt with the clock that the probe's requests are stamped with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from seatrial.core.feed import Feed
from seatrial.core.model import Change, Object, ObjectRef, Record, dig
from seatrial.events import Timeline
from seatrial.http import Moment, Probe

__all__ = ["ServiceProbe", "changes"]

HINT = (
    "a pod may go only once nobody sends to it any more: a preStop hook that sleeps until every\n"
    "node has heard of it, an answer to all that was begun (SIGTERM), and a readiness probe that\n"
    "tells when a new pod takes requests; docs/http.md has all of it"
)


class ServiceProbe(Probe):
    """`k8s_http.probe(endpoint)`: a failure's text has the events and changes around it."""

    def __init__(self, url: str, *, feed: Feed, events: Timeline, **options: Any) -> None:
        super().__init__(url, clock=feed.clock, **options)
        self._feed = feed
        self._events = events
        # what is seen before this is told by a list, or is old news
        self._after = max((record.number for record in feed.records()), default=0)
        self._known = feed.snapshot()

    def _moments(self) -> Iterable[Moment]:
        for seen in self._events:
            if not seen.listed:
                yield Moment(seen.received, f"{seen.object} {seen.reason}: {_one_line(seen.text)}")
        before = {
            (ref.kind, ref.namespace, ref.name): obj
            for kind in _LOOKED_AT
            for obj in self._known.all(kind)
            for ref in [ObjectRef.of(obj)]
        }
        yield from changes(self._feed.records(after=self._after), before)

    def _hint(self) -> str:
        return HINT


def changes(
    records: Iterable[Record], before: Mapping[tuple[str, str, str], Object] | None = None
) -> Iterator[Moment]:
    """What these records say of whether pods are ready and going, of who is in which
    EndpointSlice, and of whether nodes take pods; `before` is what was known of them."""
    known: dict[tuple[str, str, str], Mapping[str, str]] = {}
    for key, obj in (before or {}).items():
        known[key] = _LOOKED_AT[key[0]](obj)
    for record in records:
        if record.kind not in _LOOKED_AT or record.change is Change.GAP:
            continue
        ref = record.ref
        key = (ref.kind, ref.namespace, ref.name)
        old = known.get(key, {})
        new = {} if record.change is Change.DELETED else _LOOKED_AT[record.kind](record.object)
        known[key] = new
        told = [
            f"{name} {new.get(name, 'is out' if '/' in name else 'is gone')}".strip()
            for name in dict.fromkeys([*old, *new])
            if old.get(name) != new.get(name)
        ]
        if told:
            yield Moment(record.received, f"{ref}: {', '.join(told)}")


def _pod(obj: Object) -> Mapping[str, str]:
    going = "is going" if dig(obj, "metadata", "deletionTimestamp") else "is there"
    conditions = dig(obj, "status", "conditions", default=[])
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    return {"": f"{going}, {'ready' if ready else 'not ready'}"}


def _slice(obj: Object) -> Mapping[str, str]:
    """What kube-proxy is told: who is ready, and who may only finish what it has begun."""
    found = {}
    for endpoint in dig(obj, "endpoints", default=[]):
        conditions = dig(endpoint, "conditions", default={})
        if conditions.get("ready", True):
            word = "takes requests"
        elif conditions.get("terminating"):
            word = "terminates, still serving" if conditions.get("serving") else "terminates"
        else:
            word = "is not ready"
        name = dig(endpoint, "targetRef", "name") or dig(endpoint, "addresses", 0, default="?")
        found[f"Pod/{name}"] = word
    return found


def _node(obj: Object) -> Mapping[str, str]:
    return {"": "takes no new pods" if dig(obj, "spec", "unschedulable") else "takes pods"}


_LOOKED_AT = {"Pod": _pod, "EndpointSlice": _slice, "Node": _node}


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else f"{line[:119]}…"
