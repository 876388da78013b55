"""seatrial: puts a deployment through its sea trial on a real Kubernetes cluster.

The fixtures come with the pytest plugin (`pytest --fixtures`); what a test writes itself is here:
event patterns, readiness conditions, patches and charts, and the errors.
"""

from typing import TYPE_CHECKING

from seatrial.core.errors import (
    EventMismatchError,
    ExpectationError,
    HttpExpectationError,
    NotReadyError,
    ProvenanceError,
    SeatrialError,
)

if TYPE_CHECKING:
    from seatrial.events import (
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
        any_order,
        budget,
        each_pod,
        event,
        in_order,
        never,
        one_of,
        optional,
        repeated,
    )
    from seatrial.manifests import Chart, Patch
    from seatrial.readiness import ready

__all__ = [
    "CRASH_LOOP",
    "FAILED_PULL",
    "FRESH_ROLLOUT",
    "FRESH_ROLLOUT_WITH_PULL",
    "NODE_START",
    "POD_DELETION",
    "ROLLBACK",
    "ROLLING_UPDATE",
    "SCALE_DOWN",
    "SCALE_UP",
    "Chart",
    "EventMismatchError",
    "ExpectationError",
    "HttpExpectationError",
    "NotReadyError",
    "Patch",
    "ProvenanceError",
    "SeatrialError",
    "any_order",
    "budget",
    "each_pod",
    "event",
    "in_order",
    "never",
    "one_of",
    "optional",
    "ready",
    "repeated",
]

_EVENTS = frozenset(
    (
        "CRASH_LOOP",
        "FAILED_PULL",
        "FRESH_ROLLOUT",
        "FRESH_ROLLOUT_WITH_PULL",
        "NODE_START",
        "POD_DELETION",
        "ROLLBACK",
        "ROLLING_UPDATE",
        "SCALE_DOWN",
        "SCALE_UP",
        "any_order",
        "budget",
        "each_pod",
        "event",
        "in_order",
        "never",
        "one_of",
        "optional",
        "repeated",
    )
)


def __getattr__(name: str) -> object:
    # on first use: this package is imported by every pytest run, used in few
    if name in _EVENTS:
        from seatrial import events  # noqa: PLC0415 - see above

        return getattr(events, name)
    if name in ("Chart", "Patch"):
        from seatrial import manifests  # noqa: PLC0415 - see above

        return getattr(manifests, name)
    if name == "ready":
        from seatrial.readiness import ready  # noqa: PLC0415 - see above

        return ready
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
