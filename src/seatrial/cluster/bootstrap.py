"""From a control plane that is up to a cluster that can be used."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from seatrial.cluster.health import ailments
from seatrial.cluster.kind_config import conflist
from seatrial.cluster.pod_routes import keep_routes
from seatrial.cluster.provider import Node
from seatrial.tools.running import run

__all__ = ["Bootstrap"]


@dataclass(frozen=True)
class Bootstrap:
    """Waits by `kubectl wait`, which watches and ends by itself. Raises `CommandError`."""

    kubectl_path: Path
    kubeconfig: Path
    timeout: float = 300.0
    """Seconds that each wait may take."""

    def set_up_network(self, nodes: Sequence[Node]) -> None:
        """Give each node its pod network, and routes to the pods of the others.

        For node images without a network of their own.
        """
        self.wait("nodes", "--all", "--for=jsonpath={.spec.podCIDR}")
        listed = json.loads(self.kubectl("get", "nodes", "--output=json"))
        ranges = {item["metadata"]["name"]: item["spec"]["podCIDR"] for item in listed["items"]}
        keep_routes(nodes, ranges)
        for node in nodes:
            place = "/etc/cni/net.d/10-seatrial.conflist"
            node.exec(["mkdir", "-p", "/etc/cni/net.d"])
            content = conflist(ranges[node.name]).encode()
            node.exec(["cp", "/dev/stdin", place], stdin=[content])

    def wait_until_usable(self) -> None:
        """Wait for Ready nodes, DNS, and the account that pods run as."""
        waits = (
            ("nodes", "--all", "--for=condition=Ready"),
            ("deployment/coredns", "--namespace=kube-system", "--for=condition=Available"),
            ("serviceaccount/default", "--namespace=default", "--for=create"),
        )
        # together they take as long as the slowest
        with ThreadPoolExecutor(len(waits)) as pool:
            for waited in [pool.submit(self.wait, *wait) for wait in waits]:
                waited.result()

    def ailments(self) -> Sequence[str]:
        """What is wrong with a cluster that was up before; nothing, if it can be used."""
        # one command: each takes a tenth of a second to start
        listed = ["get", "nodes,deployments", "--namespace=kube-system", "--output=json",
                  "--request-timeout=5s"]  # fmt: skip
        done = run([*self._argv, *listed], env=self._env, check=False)
        if done.status != 0:
            last = done.output.splitlines()[-1:] or ["no answer"]
            return [f"its API server does not answer ({last[0]})"]
        return ailments(json.loads(done.stdout))

    def recover(self, timeout: float) -> Sequence[str]:
        """Wait until what was ill is well, and say what still ails after `timeout` seconds."""
        again = Retrying(
            stop=stop_after_delay(timeout), wait=wait_fixed(1), retry=retry_if_result(bool),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
        )  # fmt: skip
        # an API server that is down cannot be watched
        ailing: Sequence[str] = again(self.ailments)
        return ailing

    def wait(self, *args: str) -> None:
        """`kubectl wait`."""
        self.kubectl("wait", f"--timeout={self.timeout:g}s", *args)

    def kubectl(self, *args: str) -> str:
        """Run kubectl and give its standard output."""
        # kubectl ends by itself; this is for one that does not
        return run([*self._argv, *args], env=self._env, timeout=self.timeout + 30).stdout

    @property
    def _argv(self) -> list[str]:
        return [str(self.kubectl_path), f"--kubeconfig={self.kubeconfig}"]

    @property
    def _env(self) -> dict[str, str]:
        # kubectl would keep what it discovers below the user's own ~/.kube
        return {"KUBECACHEDIR": str(self.kubeconfig.parent / "cache")}
