"""Readiness: status and diagnosis over snapshots, conditions made of them, and the wait."""

from seatrial.readiness.conditions import (
    Condition,
    all_of,
    any_of,
    condition,
    ready,
)
from seatrial.readiness.diagnosis import diagnose
from seatrial.readiness.finding import CAUSES, NEVER, Finding, LogSource, LogTail
from seatrial.readiness.judgement import Judgement
from seatrial.readiness.status import status
from seatrial.readiness.waiting import wait_until

__all__ = [
    "CAUSES",
    "NEVER",
    "Condition",
    "Finding",
    "Judgement",
    "LogSource",
    "LogTail",
    "all_of",
    "any_of",
    "condition",
    "diagnose",
    "ready",
    "status",
    "wait_until",
]
