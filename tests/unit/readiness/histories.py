"""Generated histories of starts: what the streams would bring of a rollout that takes its time.

A history is a row of (seconds, change, object). `healthy` draws one in which any number of things
delay the start and all of them pass; each delay ends with what a person or a controller does about
it, and with what the cluster still shows for a while after that (a kubelet that has yet to try
again, an event that stays). `stuck` is a start that one of them holds up for good.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from readiness_objects import deployment, event, merged, pod, replica_set

from seatrial.core.model import Change, Snapshot
from seatrial.testing import ScriptedFeed

PROBED = {"containers": [{"name": "web", "image": "flask:1", "readinessProbe": {"httpGet": {}}}]}


def web(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "web", "restartCount": 0, "state": state, **more}]}


class Feed(ScriptedFeed):
    """A scripted feed that adds its records up only after a change, as a hub does."""

    _added_up: tuple[int, Snapshot] = (-1, Snapshot())

    def snapshot(self) -> Snapshot:
        if self._added_up[0] != len(self._records):
            self._added_up = (len(self._records), super().snapshot())
        return self._added_up[1]


@dataclass
class History:
    """What happens, and which delays it is made of."""

    rng: random.Random
    steps: list[tuple[float, Change, dict[str, Any]]] = field(default_factory=list)
    delays: list[str] = field(default_factory=list)
    now: float = 0.0
    restarts: int = 0
    has_sandbox: bool = False
    _events: int = 0

    def tell(self, obj: dict[str, Any], change: Change = Change.MODIFIED) -> None:
        self.steps.append((self.now, change, obj))

    def lasts(self, at_most: float) -> None:
        self.now += self.rng.uniform(0.0, at_most)

    def pod(self, status: dict[str, Any] | None = None) -> None:
        obj = pod(merged({"spec": PROBED}, {"status": status or {}}))
        if self.has_sandbox:
            sandbox = {"type": "PodReadyToStartContainers", "status": "True"}
            obj["status"]["conditions"] = [*obj["status"]["conditions"], sandbox]
        self.tell(obj)

    def event(self, reason: str, message: str, *, about: str = "pod", inside: str = "web") -> None:
        self._events += 1
        more = {"about": about, "reason": reason, "message": message}
        if about == "pod":
            more["in"] = inside
        self.tell(event(more, self._events), Change.ADDED)

    def waits(self, reason: str, message: str = "") -> None:
        self.pod(web({"waiting": {"reason": reason, "message": message}}))

    def unscheduled(self, message: str) -> None:
        condition = {"type": "PodScheduled", "status": "False", "message": message}
        self.pod({"conditions": [condition], "containerStatuses": None})

    def node(self, status: str, *taints: str) -> None:
        condition = {"type": "Ready", "status": status, "message": "as it says"}
        keys = [{"key": f"node.kubernetes.io/{taint}", "effect": "NoSchedule"} for taint in taints]
        self.tell({
            "kind": "Node",
            "metadata": {"name": "node-1"},
            "spec": {"taints": keys},
            "status": {"conditions": [condition]},
        })  # fmt: skip

    def bare(self, kind: str, name: str, **body: Any) -> None:
        self.tell({"kind": kind, "metadata": {"name": name, "namespace": "shop"}, **body})

    def feed(self) -> ScriptedFeed:
        feed = Feed()
        for seconds, change, obj in self.steps:
            feed.at(seconds, change, obj)
        return feed


# --- what may delay a start: before the pod is there, before it has a node, before it runs, after


def quota_freed_later(h: History) -> None:
    said = "exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1"
    refused = f'Error creating: pods "flask-7d4-q" is forbidden: {said}'
    condition = {"type": "ReplicaFailure", "status": "True", "message": refused}
    h.tell(replica_set({"status": {"replicas": 0, "conditions": [condition]}}))
    h.event("FailedCreate", refused, about="replicaset")
    # freed within ten seconds, and found free by the next try, at 10.2 s
    h.now += h.rng.uniform(0.0, 12.0)
    h.tell(replica_set())
    h.event("SuccessfulCreate", "Created pod: flask-7d4-x", about="replicaset")


def account_comes_late(h: History) -> None:
    refused = (
        'Error creating: pods "flask-7d4-" is forbidden: error looking up service account '
        'shop/robot: serviceaccount "robot" not found'
    )
    h.event("FailedCreate", refused, about="replicaset")
    h.lasts(4.5)
    h.bare("ServiceAccount", "robot")
    h.lasts(20.0)  # until the controller tries again
    h.event("SuccessfulCreate", "Created pod: flask-7d4-x", about="replicaset")


def node_becomes_ready_late(h: History) -> None:
    h.node("False", "not-ready")
    h.unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint(s).")
    h.lasts(28.0)
    h.node("True")


def claim_is_bound_late(h: History) -> None:
    h.unscheduled("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.")
    h.lasts(28.0)


def claim_comes_late(h: History) -> None:
    h.unscheduled('0/1 nodes are available: persistentvolumeclaim "data" not found.')
    h.lasts(4.5)


def room_is_made(h: History) -> None:
    h.unscheduled("0/1 nodes are available: 1 Insufficient cpu.")
    h.lasts(9.0)


def volume_waits_for_config_map(h: History) -> None:
    h.waits("ContainerCreating")
    message = 'MountVolume.SetUp failed for volume "c" : configmap "late" not found'
    h.event("FailedMount", message, inside="")
    h.lasts(9.5)
    h.bare("ConfigMap", "late")
    h.lasts(60.0)  # until the kubelet tries again


def sandbox_fails_at_first(h: History) -> None:
    h.waits("ContainerCreating")
    message = "Failed to create pod sandbox: rpc error: plugin type=ptp failed"
    h.event("FailedCreatePodSandBox", message, inside="")
    h.lasts(28.0)
    h.has_sandbox = True
    h.waits("ContainerCreating")


def pull_is_slow(h: History) -> None:
    h.waits("ContainerCreating")
    h.event("Pulling", 'Pulling image "flask:1"')
    h.lasts(120.0)
    h.event("Pulled", 'Successfully pulled image "flask:1"')


def registry_hesitates(h: History) -> None:
    ended = h.now + h.rng.uniform(0.0, 28.0)
    while h.now < ended:
        h.waits("ErrImagePull", "dial tcp 192.0.2.1:443: i/o timeout")
        h.event("Failed", 'Failed to pull image "flask:1": dial tcp 192.0.2.1:443: i/o timeout')
        h.now = min(h.now + h.rng.uniform(0.5, 3.0), ended)
        if h.now < ended:
            h.waits("ImagePullBackOff", 'Back-off pulling image "flask:1"')
            h.now = min(h.now + h.rng.uniform(0.5, 12.0), ended)
    h.waits("ContainerCreating")


def config_map_comes_late(h: History) -> None:
    h.waits("CreateContainerConfigError", 'configmap "settings" not found')
    h.lasts(9.5)
    h.bare("ConfigMap", "settings")
    h.lasts(15.0)  # until the kubelet tries again
    h.waits("ContainerCreating")


def secret_comes_late(h: History) -> None:
    h.waits("CreateContainerConfigError", 'secret "login" not found')
    h.lasts(9.5)
    # nobody sees that it has come; the kubelet tries again in its own time
    h.lasts(9.0)
    h.waits("ContainerCreating")


def name_is_still_taken(h: History) -> None:
    h.waits("CreateContainerError", "container name is reserved")
    h.lasts(25.0)
    h.waits("ContainerCreating")


def first_run_ends(h: History) -> None:
    ended = {"exitCode": 1, "reason": "Error"}
    h.pod({"phase": "Running", **web({"terminated": ended})})
    h.lasts(2.0)
    backing_off = {"waiting": {"reason": "CrashLoopBackOff"}}
    h.pod({"phase": "Running", **web(backing_off, lastState={"terminated": ended})})
    h.lasts(10.0)
    h.restarts = 1


def node_is_restarted(h: History) -> None:
    lost = {"exitCode": 255, "reason": "Unknown"}
    for restarts in (1, 2, 3):
        state = {"phase": "Running", **web({"running": {}}, lastState={"terminated": lost})}
        state["containerStatuses"][0]["restartCount"] = restarts
        h.pod(state)
        h.lasts(5.0)


def probe_fails_for_a_while(h: History) -> None:
    last = {"lastState": {"terminated": {"exitCode": 1}}} if h.restarts else {}
    running = web({"running": {}}, ready=False, restartCount=h.restarts, **last)
    h.pod({"phase": "Running", **running})
    said = h.rng.choice(
        [
            "HTTP probe failed with statuscode: 503",
            "HTTP probe failed with statuscode: 404",
            'Get "http://10.0.0.1:5000/": dial tcp: connect: connection refused',
        ]
    )
    h.event("Unhealthy", f"Readiness probe failed: {said}")
    h.lasts(140.0)  # five rounds of three failures at the default period of 10 s


BEFORE_THE_POD = (quota_freed_later, account_comes_late)
BEFORE_THE_NODE = (
    node_becomes_ready_late,
    claim_is_bound_late,
    claim_comes_late,
    room_is_made,
)
BEFORE_IT_RUNS = (
    volume_waits_for_config_map,
    sandbox_fails_at_first,
    pull_is_slow,
    registry_hesitates,
    config_map_comes_late,
    secret_comes_late,
    name_is_still_taken,
)
ONCE_IT_RUNS = (first_run_ends, node_is_restarted)
DELAYS = (
    *BEFORE_THE_POD,
    *BEFORE_THE_NODE,
    *BEFORE_IT_RUNS,
    *ONCE_IT_RUNS,
    probe_fails_for_a_while,
)


def healthy(seed: int) -> History:
    """A start that any of the delays may hold up, each at most once, and that is ready at last."""
    rng = random.Random(seed)  # noqa: S311 - the same histories every time
    h = History(rng)
    h.tell(deployment(), Change.ADDED)
    h.lasts(1.0)
    if seed % 4:
        h.tell(replica_set(), Change.ADDED)
    else:
        h.tell(replica_set({"status": {"replicas": 0}}), Change.ADDED)
        _some(h, BEFORE_THE_POD, 1)
    h.lasts(0.5)
    _some(h, BEFORE_THE_NODE, rng.choice([0, 0, 1]))
    h.waits("ContainerCreating")
    h.lasts(1.0)
    _some(h, BEFORE_IT_RUNS, rng.choice([0, 1, 1, 2]))
    _some(h, ONCE_IT_RUNS, rng.choice([0, 0, 1]))
    _some(h, (probe_fails_for_a_while,), rng.choice([0, 1]))
    ready = web({"running": {}}, ready=True, restartCount=h.restarts)
    h.pod({"phase": "Running", **ready})
    counts = {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1}
    h.tell(deployment({"status": counts}))
    return h


def _some(h: History, delays: tuple[Any, ...], count: int) -> None:
    chosen = h.rng.sample(delays, min(count, len(delays)))
    # in the order of a pod's life
    for delay in sorted(chosen, key=delays.index):
        delay(h)
        h.delays.append(delay.__name__)


def stuck(delay: Any) -> History:
    """A start that one delay holds up: what it tells at first is all that ever happens."""
    h = History(random.Random(7))  # noqa: S311 - as above
    h.tell(deployment(), Change.ADDED)
    h.tell(replica_set(), Change.ADDED)
    if delay not in BEFORE_THE_POD:
        h.waits("ContainerCreating")
    h.now = 1.0
    delay(h)
    h.steps = [step for step in h.steps if step[0] <= 1.0]
    return h
