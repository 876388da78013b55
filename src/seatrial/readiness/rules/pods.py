"""Pods, and what runs them to an end: Job and CronJob."""

from __future__ import annotations

from seatrial.core.model import Object, ObjectRef, Snapshot, Verdict, dig
from seatrial.readiness.rules.reading import condition_of, count, told
from seatrial.readiness.wording import listed, one_line

__all__ = ["cron_job", "job", "pod"]


def pod(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    phase = str(dig(obj, "status", "phase", default="Pending"))
    if phase == "Failed":
        said = [dig(obj, "status", field) for field in ("reason", "message")]
        text = one_line(": ".join(["the pod has failed", *(part for part in said if part)]))
        return Verdict.impossible("PodFailed", text, object=ref)
    if phase == "Succeeded":
        if dig(obj, "spec", "restartPolicy", default="Always") == "Always":
            return Verdict.impossible("PodEnded", "the pod has ended, for good", object=ref)
        return Verdict.satisfied("Succeeded", "the pod has ended well", object=ref)
    containers = dig(obj, "status", "containerStatuses", default=[])
    total = max(len(dig(obj, "spec", "containers", default=[])), len(containers))
    ready = sum(1 for container in containers if container.get("ready"))
    progress = f"Ready: {ready}/{total}"
    if condition_of(obj, "Ready").get("status") == "True":
        return Verdict.satisfied("Ready", progress, object=ref)
    return Verdict.waiting("NotReady", f"{progress}{_pod_stage(obj)}", object=ref)


def _pod_stage(obj: Object) -> str:
    """Which step of its life the pod has not taken yet."""
    if condition_of(obj, "PodScheduled").get("status") != "True":
        return ", not scheduled yet"
    inits = dig(obj, "status", "initContainerStatuses", default=[])
    if condition_of(obj, "Initialized").get("status") == "False" and inits:
        done = sum(
            1
            for status in inits
            if status.get("started") or dig(status, "state", "terminated", "exitCode") == 0
        )
        return f", init containers: {done}/{len(inits)}"
    waiting = {
        str(dig(status, "state", "waiting", "reason"))
        for status in dig(obj, "status", "containerStatuses", default=[])
        if dig(status, "state", "waiting", "reason")
    }
    if waiting:
        return f", {listed(sorted(waiting))}"
    if condition_of(obj, "ContainersReady").get("status") == "True":
        gates = [
            gate.get("conditionType") for gate in dig(obj, "spec", "readinessGates", default=[])
        ]
        missing = [g for g in gates if condition_of(obj, str(g)).get("status") != "True"]
        return (
            f", readiness gates not passed: {listed([str(g) for g in missing])}" if missing else ""
        )
    return ""


def job(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """It is ready when it is done. kstatus is content with its start, a test is not."""
    for kind in ("Failed", "FailureTarget"):
        failed = condition_of(obj, kind)
        if failed.get("status") == "True":
            return Verdict.impossible("JobFailed", told(failed), object=ref)
    progress = (
        f"Succeeded: {count(obj, 'status', 'succeeded')}/"
        f"{dig(obj, 'spec', 'completions', default=1)}"
    )
    if condition_of(obj, "Complete").get("status") == "True":
        return Verdict.satisfied("Complete", progress, object=ref)
    if dig(obj, "spec", "suspend"):
        return Verdict.waiting("Suspended", f"{progress}, and the Job is suspended", object=ref)
    return Verdict.waiting("NotComplete", progress, object=ref)


def cron_job(obj: Object, ref: ObjectRef, _: Snapshot) -> Verdict:
    """It is ready to run its Jobs as soon as it exists; that one has run is not asked for."""
    schedule = dig(obj, "spec", "schedule", default="?")
    suspended = ", but it is suspended" if dig(obj, "spec", "suspend") else ""
    return Verdict.satisfied("Exists", f"Schedule: {schedule}{suspended}", object=ref)
