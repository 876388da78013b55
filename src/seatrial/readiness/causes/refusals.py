"""Pods that were never created, since the API server refused them.

A ReplicaSet keeps the first refusal in its ReplicaFailure condition and takes it away once it
succeeds; every controller writes FailedCreate events, which stay. So an event counts only as long
as pods are missing, and no SuccessfulCreate has come after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from seatrial.core.model import Object, ObjectRef, dig
from seatrial.readiness.events import event_line, events_about, latest_of_each
from seatrial.readiness.finding import Finding
from seatrial.readiness.wording import one_line, quantity
from seatrial.readiness.workload import Workload

__all__ = ["find"]


@dataclass(frozen=True)
class _Refusal:
    pattern: re.Pattern[str]
    cause: str
    text: str
    """How the first line goes on; `{0}` is the pattern's first group."""
    hint: str
    grace: float
    """Seconds, as in `Finding.grace`."""


def _refusal(pattern: str, cause: str, text: str, hint: str, grace: float = 0.0) -> _Refusal:
    return _Refusal(re.compile(pattern, re.IGNORECASE), cause, text, hint, grace)


#: seconds: a ReplicaSet that was refused tries again 5 and 10 s later, then ever more rarely; so
#: this is for what was freed within ten seconds
FREED = 15.0
#: seconds: the tries after that come 20 and 40 s later, and a webhook's pods may take half a minute
COMING_UP = 45.0
#: seconds: a pod that asks for more than the whole quota is never let in
TOO_LARGE = 3.0

_QUOTA = re.compile(r"requested: (.+), used: (.+), limited: (.+)$")
_ACCOUNT = re.compile(r'service ?account "([^"]+)" not found', re.IGNORECASE)

# The first that matches wins. What other pods or controllers may still change has a grace: quotas
# are freed by pods that end, service accounts follow their namespace, webhooks come up.
_REFUSALS = (
    _refusal(
        r"exceeded quota: (.+)",
        "QuotaExceeded",
        "exceeded quota {0}",
        "free or raise the ResourceQuota, or lower the pod's requests and limits",
        FREED,
    ),
    _refusal(
        r"failed quota: (.+)",
        "QuotaExceeded",
        "the quota wants more to be said: {0}",
        "set what the quota counts (requests, limits) on every container",
    ),
    _refusal(
        r"(violates PodSecurity .+)",
        "PodSecurityViolated",
        "{0}",
        "set in the manifest's securityContext what the message asks for, "
        "or lower the namespace's label pod-security.kubernetes.io/enforce",
    ),
    _refusal(
        r'service ?account "?([^"\s:]+)"?(?:: .*)? not found',
        "ServiceAccountMissing",
        "service account {0} does not exist",
        "apply the ServiceAccount with the workload, or correct spec.serviceAccountName",
        5.0,
    ),
    _refusal(
        r"forbidden: \[?((?:minimum|maximum) .+? usage per .+?|.+ max limit to request .+?)\]?$",
        "LimitRangeViolated",
        "outside a LimitRange: {0}",
        "bring the container's requests and limits into the namespace's LimitRange",
    ),
    _refusal(
        r'failed calling webhook (.+service "[^"]+" not found.*)',
        "AdmissionUnreachable",
        "an admission webhook does not answer: {0}",
        "apply what serves the webhook, or delete its configuration",
        8.0,
    ),
    _refusal(
        r"failed calling webhook (.+)",
        "AdmissionUnreachable",
        "an admission webhook does not answer: {0}",
        "is the webhook's own Deployment ready?",
        COMING_UP,
    ),
    _refusal(
        r"(admission webhook .+ denied the request.*)",
        "AdmissionRefused",
        "{0}",
        "the webhook's message says what it wants",
    ),
)


def find(workload: Workload) -> Iterator[Finding]:
    """At most one: the latest refusal, while pods are missing because of it."""
    controller = workload.controller
    if controller is None or workload.root.kind == "Service" or not _lacks_pods(workload):
        return
    ref = ObjectRef.of(controller)
    condition = _failure_condition(controller)
    failed = _failed_last(events_about(workload.snapshot, ref), even_if_healed=bool(condition))
    said = str(failed[-1].get("message", "")) if failed else condition
    if not said:
        return
    message = one_line(said)
    if (account := _ACCOUNT.search(message)) and workload.snapshot.get(
        "ServiceAccount", account[1], ref.namespace
    ):
        return  # it has come by now; the controller has yet to try again
    cause, text, hint, grace = _classify(message)
    events = tuple(event_line(event) for event in latest_of_each(failed)[-2:])
    yield Finding(
        cause,
        ref,
        f"{workload.root}: its pods cannot be created: {text}",
        evidence=events or (f"ReplicaFailure: {message}",),
        hint=hint,
        grace=grace,
        owner=ref,
    )


def _failed_last(events: list[Object], *, even_if_healed: bool) -> list[Object]:
    """The FailedCreate events, unless a pod has been created after the last of them."""
    attempts = [e for e in events if e.get("reason") in ("FailedCreate", "SuccessfulCreate")]
    if not attempts or (attempts[-1]["reason"] == "SuccessfulCreate" and not even_if_healed):
        return []
    return [event for event in attempts if event["reason"] == "FailedCreate"]


def _classify(message: str) -> tuple[str, str, str, float]:
    for refusal in _REFUSALS:
        if found := refusal.pattern.search(message):
            if refusal.grace == FREED and _is_too_large(message):
                hint = "raise the ResourceQuota, or lower the pod's requests and limits"
                return refusal.cause, refusal.text.format(found[1]), hint, TOO_LARGE
            return refusal.cause, refusal.text.format(found[1]), refusal.hint, refusal.grace
    refused = re.search(r"(?:is forbidden|is invalid): (.+)", message)
    text = refused[1] if refused else message.removeprefix("Error creating: ")
    # Without those two words it may be the API server's own trouble, such as a timeout.
    grace = 0.0 if refused else FREED
    return "AdmissionRefused", text, "correct the pod template as the message says", grace


def _is_too_large(message: str) -> bool:
    """Whether the pod alone asks for more than the quota's whole."""
    found = _QUOTA.search(message)
    if not found:
        return False
    requested, limited = (
        dict(part.split("=", 1) for part in text.split(",") if "=" in part)
        for text in (found[1], found[3])
    )
    return any(
        quantity(amount) > quantity(limited[name])
        for name, amount in requested.items()
        if name in limited
    )


def _failure_condition(controller: Object) -> str:
    for condition in dig(controller, "status", "conditions", default=[]):
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message", ""))
    return ""


def _lacks_pods(workload: Workload) -> bool:
    controller = workload.controller
    kind = dig(controller, "kind", default="")
    if kind == "DaemonSet":
        wanted = dig(controller, "status", "desiredNumberScheduled", default=0)
    elif kind == "Job":
        if dig(controller, "status", "succeeded", default=0):
            return False
        wanted = dig(controller, "spec", "parallelism", default=1)
    else:
        wanted = dig(controller, "spec", "replicas", default=1)
    return len(workload.pods) < int(wanted)
