"""The timeline of Kubernetes events, and patterns that say in which order they are expected."""

from seatrial.events.matching import TIE, Matcher, Slot, slots_of
from seatrial.events.occurrence import Occurrence
from seatrial.events.patterns import (
    AnyOrder,
    EachPod,
    EventPattern,
    Expectation,
    InOrder,
    Message,
    Never,
    Pattern,
    any_order,
    each_pod,
    event,
    in_order,
    never,
)
from seatrial.events.timeline import Match, Timeline

__all__ = [
    "TIE",
    "AnyOrder",
    "EachPod",
    "EventPattern",
    "Expectation",
    "InOrder",
    "Match",
    "Matcher",
    "Message",
    "Never",
    "Occurrence",
    "Pattern",
    "Slot",
    "Timeline",
    "any_order",
    "each_pod",
    "event",
    "in_order",
    "never",
    "slots_of",
]
