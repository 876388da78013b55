"""Containers that run, and whose readiness or startup probe fails.

That is what a slow start looks like as well, also one that answers 404 until all is loaded. So a
probe fails "for good" only when it was seen failing for five times as long as the manifest's author
allows before a pod counts as not ready, and for a minute at the least. Who knows better says so:
`graces={"ProbeFailing": 10}`. A startup probe has a limit of its own, after which the kubelet
restarts the container: `crashing` counts that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from seatrial.core.model import Object, dig
from seatrial.readiness.events import message_of
from seatrial.readiness.finding import NEVER, Finding, LogSource
from seatrial.readiness.pods import ContainerView
from seatrial.readiness.wording import one_line
from seatrial.readiness.workload import Workload

__all__ = ["find"]

#: seconds a readiness probe may fail at the least
SHORTEST_GRACE = 60.0
#: how many times over the probe's own failureThreshold must be reached
ROUNDS = 5

#: seconds for a probe's command that is not in the image: only a new image changes that
MISTAKE_GRACE = 3.0

_NO_COMMAND = re.compile(r'exec: "([^"]+)": (?:executable file not found|.*no such file)')
_FAILED = re.compile(r"^(Readiness|Startup) probe (?:failed|errored[^:]*): (.+)", re.DOTALL)


def find(workload: Workload) -> Iterator[Finding]:
    """One per container that runs, is not ready, and whose probe was seen failing."""
    for pod in workload.pods:
        for container in pod.containers:
            if container.is_running and not container.is_ready and not container.is_init:
                yield from _failing(container)


def _failing(container: ContainerView) -> Iterator[Finding]:
    events = [
        (event, found)
        for event in container.events_of("Unhealthy")
        if (found := _FAILED.match(message_of(event)))
    ]
    if not events:
        return
    _, found = events[-1]
    kind, said = found[1].lower(), one_line(found[2])
    absent = _NO_COMMAND.search(said)
    if absent:
        said = f'its command "{absent[1]}" is not in the image'
    grace = _grace(dig(container.spec, "readinessProbe", default={}))
    pod = container.pod
    yield pod.finding(
        "ProbeFailing",
        f"{pod.ref} is not ready: the {kind} probe of container {container.name} fails: {said}",
        evidence=container.evidence("Unhealthy"),
        hint=_hint(said, container, dig(container.spec, f"{kind}Probe", default={})),
        grace=MISTAKE_GRACE if absent else grace if kind == "readiness" else NEVER,
        container=container.name,
        log=LogSource(pod.namespace, pod.ref.name, container.name, previous=False),
    )


def _grace(probe: Object) -> float:
    """The API's defaults: every 10 s, 3 failures, no delay."""
    rounds = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3) * ROUNDS
    return max(SHORTEST_GRACE, float(probe.get("initialDelaySeconds", 0) + rounds))


def _hint(said: str, container: ContainerView, probe: Object) -> str:
    port = next(
        (found for how in ("httpGet", "tcpSocket", "grpc") if (found := dig(probe, how, "port"))),
        "",
    )
    if said.startswith("its command"):
        return "use httpGet, tcpSocket or grpc, or a command that the image has"
    if "connection refused" in said:
        return (
            f"nothing listens on port {port} of the pod's address: does the application listen on "
            "that port, and on 0.0.0.0 rather than on 127.0.0.1?"
        )
    if "statuscode: 404" in said:
        path = dig(probe, "httpGet", "path", default="/")
        return f"the application has no {path}: compare the probe's path with its routes"
    return f"kubectl logs {container.pod.ref.name} -c {container.name} shows what it does instead"
