"""Small rollouts that go on while a cluster is being damaged, and whether each was judged rightly.

Changes are written past the proxy; they are judged through the hub, which sits behind it.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from seatrial.core.clock import Deadline, SystemClock
from seatrial.core.errors import ApiError, NotReadyError
from seatrial.core.feed import wait_on
from seatrial.core.model import Object, State, dig
from seatrial.kube import Objects
from seatrial.readiness import ready, wait_until
from seatrial.watch import Hub

__all__ = ["Fleet"]

#: seconds for one rollout, a restart of the node in the middle of it included
PATIENCE = 150.0
#: the same for one that cannot succeed; its cause is named after a few seconds
BROKEN_PATIENCE = 20.0
#: how often a rollout is waited for
TRIES = 3
#: seconds for an API server to come back, after all that is done to it
AWAY = 120.0
#: an image that every node has
IMAGE = "registry.k8s.io/pause:3.10.2"
#: and one that none can have: `.invalid` never resolves (RFC 6761)
NO_IMAGE = "registry.invalid/nothing:here"


class Fleet:
    """Deployments that are scaled, restarted and broken in turn, each by a thread of its own."""

    def __init__(self, hub: Hub, objects: Objects, namespace: str, count: int, seed: int) -> None:
        self._view = hub.view(namespace)
        self._objects = objects
        self._namespace = namespace
        self._going = threading.Event()
        self._ended = threading.Event()
        self._idle = [threading.Event() for _ in range(count)]
        #: verdicts by what was done: `scale`, `restart`, `break`, `mend`
        self.verdicts: Counter[str] = Counter()
        self.wrong: list[str] = []
        #: verdicts "not yet" at the end of a wait, with which the API server agreed
        self.late = 0
        self._threads = [
            threading.Thread(target=self._sail, args=(f"ship-{n}", n, seed + n), daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def go(self) -> None:
        self._going.set()

    def rest(self) -> None:
        """Stop changing things, and wait until the last changes are rolled out and judged."""
        self._going.clear()
        for idle in self._idle:
            if not idle.wait(PATIENCE + AWAY):
                self.wrong.append("a rollout was never judged")

    def end(self) -> None:
        self._ended.set()
        self._going.set()
        for thread in self._threads:
            thread.join(5)

    def _sail(self, name: str, number: int, seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - dice, to be thrown again
        idle = self._idle[number]
        for turn in itertools.count():
            if not self._going.is_set():
                idle.set()
                self._going.wait()
            if self._ended.is_set():
                return
            idle.clear()
            broken = dice.random() < 0.1
            what = "break" if broken else "mend" if turn == 0 else dice.choice(("scale", "restart"))
            replicas = dice.randint(1, 3)
            try:
                self._change(name, turn, replicas, NO_IMAGE if broken else IMAGE)
                self._judge(name, what, expected=not broken)
                if broken:
                    self._change(name, turn, replicas, IMAGE)
                    self._judge(name, "mend", expected=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no right verdict
                self.wrong.append(f"{name} {what}: {type(error).__name__}: {error}")
            time.sleep(dice.uniform(0.2, 1.0))  # as people do

    def _change(self, name: str, turn: int, replicas: int, image: str) -> None:
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {
                        "labels": {"app": name},
                        "annotations": {"turn": str(turn // 2)},
                    },
                    "spec": {
                        "terminationGracePeriodSeconds": 0,
                        "containers": [{"name": "ship", "image": image}],
                    },
                },
            },
        }
        written = self._insist(
            lambda: self._objects.apply(
                deployment, namespace=self._namespace, field_manager="benchmark", force=True
            )
        )
        generation = written["metadata"]["generation"]

        def seen() -> bool | None:
            there = self._view.snapshot().get("Deployment", name, self._namespace)
            return True if dig(there, "metadata", "generation", default=0) >= generation else None

        if not wait_on(self._view, seen, Deadline.after(AWAY, SystemClock())):
            self.wrong.append(f"{name}: generation {generation} was never seen")

    def _judge(self, name: str, what: str, *, expected: bool) -> None:
        """Wait for the verdict, and hold it against what the API server says of the Deployment."""
        for _ in range(TRIES):
            began = time.monotonic()
            timeout = PATIENCE if expected else BROKEN_PATIENCE
            verdict, said = self._wait(name, timeout)
            self.verdicts[what] += 1
            late = expected and not verdict and time.monotonic() - began >= timeout
            if verdict is not expected and not late:
                self.wrong.append(f"{name} {what}: {'ready' if verdict else said}")
                return
            self._compare(name, what, rolled_out=verdict)
            if not late:
                return
            # whoever kills the API server stops the controllers as well: theirs is the delay
            self.late += 1
        self.wrong.append(f"{name} {what}: {said}")

    def _wait(self, name: str, timeout: float) -> tuple[bool, str]:
        try:
            wait_until(
                ready(f"Deployment/{name}", self._namespace),
                self._view,
                timeout=timeout,
                # a node that restarts heals
                graces={"NodeNotReady": PATIENCE},
            )
        except NotReadyError as error:
            return False, str(error).splitlines()[0]
        return True, ""

    def _compare(self, name: str, what: str, *, rolled_out: bool) -> None:
        """At one and the same version, the rule of `kubectl rollout status` and ours agree."""
        deadline = Deadline.after(AWAY, SystemClock())
        while not deadline.passed:
            live = self._insist(
                lambda: self._objects.get("apps/v1", "Deployment", name, self._namespace)
            )
            version = live["metadata"]["resourceVersion"]

            def same(version: str = version) -> bool | None:
                seen = self._view.snapshot().get("Deployment", name, self._namespace)
                return True if dig(seen, "metadata", "resourceVersion") == version else None

            with self._view.changed:
                # one that has changed since is read anew
                if not wait_on(self._view, same, Deadline.after(2.0, SystemClock())):
                    continue
                snapshot = self._view.snapshot()
            state = ready(f"Deployment/{name}", self._namespace).judge(snapshot)
            done = _is_rolled_out(live)
            if (state.verdict.state is State.SATISFIED) is not done:
                self.wrong.append(f"{name} {what}: {state.verdict.message}, and live: {done}")
            # a pod may be lost after the verdict, but what is updated stays so
            if rolled_out and not _is_updated(live):
                self.wrong.append(f"{name} {what}: called ready before it was updated")
            return
        self.wrong.append(f"{name} {what}: its live state was never seen")

    def _insist(self, request: Callable[[], Any]) -> Any:
        """Ask again while the API server is away. Applying twice is no harm."""
        deadline = Deadline.after(AWAY, SystemClock())
        while True:
            try:
                return request()
            except ApiError as error:
                if error.status in (400, 404, 409, 422) or deadline.passed:
                    raise
            time.sleep(0.3)


def _is_updated(live: Object) -> bool:
    status = dig(live, "status", default={})
    return bool(
        status.get("observedGeneration", 0) >= live["metadata"]["generation"]
        and status.get("updatedReplicas", 0) >= live["spec"]["replicas"]
    )


def _is_rolled_out(live: Object) -> bool:
    """The rule of `kubectl rollout status`.

    By it a Deployment that is being scaled down is done as soon as its controller has looked at it.
    """
    status = dig(live, "status", default={})
    updated = status.get("updatedReplicas", 0)
    return (
        _is_updated(live)
        and status.get("replicas", 0) <= updated
        and status.get("availableReplicas", 0) >= updated
    )
