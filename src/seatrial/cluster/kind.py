"""Clusters made by kind, each on a network of its own, in Docker or in podman.

What is known of a cluster is written on its network, as labels: whose it is and what it was made
from. kind gives containers no labels of ours, but every node is on that network. No state is kept
beside the engine, except for the kubeconfig, which can be had again from the node.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import docker
import docker.errors
import requests
from docker.models.containers import Container
from docker.models.networks import Network
from docker.models.volumes import Volume
from filelock import FileLock
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from seatrial.cluster.bootstrap import Bootstrap
from seatrial.cluster.container_node import ContainerNode
from seatrial.cluster.health import disk_ailments
from seatrial.cluster.host import probe
from seatrial.cluster.kind_config import kind_config
from seatrial.cluster.provider import ClusterOptions
from seatrial.core.errors import ClusterError, CommandError, SeatrialError
from seatrial.core.interrupts import Interrupts
from seatrial.core.leases import Leases
from seatrial.core.processes import OWNER_LABEL, ProcessId
from seatrial.core.progress import Progress, Step
from seatrial.tools import podman
from seatrial.tools.engine import is_podman
from seatrial.tools.running import run

__all__ = ["KindCluster", "KindProvider"]

#: kind's own label on its node containers
KIND_LABEL = "io.x-k8s.kind.cluster"
CLUSTER_LABEL = "seatrial.dev/cluster"
OPTIONS_LABEL = "seatrial.dev/options"
#: the state folder whose sessions' leases count
STATE_LABEL = "seatrial.dev/state"
#: on a node image whose pod network is not in it
CNI_LABEL = "seatrial.dev/cni"

#: seconds for a stopped cluster to come back; it took 10 to 12 where this was written
MENDING = 60.0


@dataclass(frozen=True)
class KindCluster:
    """A kind cluster that is up."""

    name: str
    kubeconfig_path: Path
    client: docker.DockerClient
    command: str = "docker"
    """The engine's own command: `docker` or `podman`."""
    provider: str = "kind"
    tenancy: None = None

    @cached_property
    def nodes(self) -> Sequence[ContainerNode]:
        found = _containers(self.client, self.name)
        return tuple(ContainerNode(str(container.name), self.command) for container in found)

    def host_port(self, node_port: int) -> int | None:
        # asked each time: an engine that restarts a node picks other ports for it
        for container in _containers(self.client, self.name):
            for published in container.ports.get(f"{node_port}/tcp") or ():
                return int(published["HostPort"])
        return None


@dataclass(frozen=True)
class KindProvider:
    """Makes, finds and deletes kind clusters of ours, and touches no others."""

    client: docker.DockerClient
    kind: Path
    """The kind executable."""
    kubectl: Path
    """The kubectl executable."""
    state_dir: Path
    """Folder of kubeconfigs and locks."""
    timeout: float = 300.0
    """Seconds for a new cluster's control plane to be up, and again for it to be usable."""

    @property
    def realm(self) -> str:
        """`podman`, whose clusters may have the names of Docker's; nothing for Docker itself."""
        return "podman" if self._command == "podman" else ""

    def list(self) -> Sequence[str]:
        """The names of all clusters of ours."""
        networks = self.client.networks.list(filters={"label": CLUSTER_LABEL})
        return sorted(network.attrs["Labels"][CLUSTER_LABEL] for network in networks)

    def find(self, name: str) -> KindCluster | None:
        """The cluster of ours with that name, or None. Raises `ClusterError` if it is another's."""
        if self._network(name) is None:
            # what is on a network of ours by name was left by an interrupted deletion
            if any(not _is_on(c, name) for c in _containers(self.client, name)):
                raise ClusterError(
                    f"there is a kind cluster {name!r} that seatrial did not make",
                    hint="choose another name (--seatrial-cluster-name=…), or delete it yourself:\n"
                    f"kind delete cluster --name {name}",
                )
            return None
        return KindCluster(name, self._kubeconfig(name), self.client, self._command)

    def ensure(self, options: ClusterOptions, progress: Progress) -> KindCluster:
        """Give a usable cluster: the one that is there if it is the same, or a new one."""
        with self._lock(options.name):
            if found := self.find(options.name):
                self._require_same(options)
                ailing = self._ailments(found)
                if not ailing:
                    progress.note(f"cluster {options.name} is there, and healthy")
                    return found
                self._require_unused(options.name, ailing)
                if self._mend(found, ailing, progress):
                    return found
                progress.note(f"cluster {options.name} is beyond mending: replacing it")
                self._delete(options.name)
            with progress.step(
                f"creating cluster {options.name} (kind, Kubernetes {options.kubernetes})"
            ) as step:
                return self._create(options, step)

    def delete(self, name: str, progress: Progress) -> None:
        """Take the cluster away: containers, volumes, network, kubeconfig."""
        with self._lock(name):
            if self.find(name) is not None or _containers(self.client, name):
                with progress.step(f"deleting cluster {name}"):
                    self._delete(name)
            else:
                shutil.rmtree(self._kubeconfig(name).parent, ignore_errors=True)

    # --- creating

    def _create(self, options: ClusterOptions, step: Step) -> KindCluster:
        facts = probe(self.client, options.node_image)
        labels: Mapping[str, str] = self.client.images.get(options.node_image).labels
        own_network = labels.get(CNI_LABEL) == "host"
        config = kind_config(options, facts, own_network=own_network)
        kubeconfig = self._kubeconfig(options.name)
        kubeconfig.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._gone_if_it_fails(options):
            self.client.networks.create(
                _network_name(options.name),
                labels={
                    CLUSTER_LABEL: options.name,
                    OPTIONS_LABEL: json.dumps(asdict(options), sort_keys=True),
                    OWNER_LABEL: ProcessId.mine().label,
                    STATE_LABEL: str(self.state_dir),
                },
            )
            run(
                [self.kind, "create", "cluster", f"--name={options.name}",
                 f"--image={options.node_image}", "--config=-", f"--kubeconfig={kubeconfig}",
                 "--retain"],
                stdin=[config.encode()],
                env=self._kind_env(options.name),
                on_line=step.line,
                timeout=self.timeout,
            )  # fmt: skip
            kubeconfig.chmod(0o600)
            cluster = KindCluster(options.name, kubeconfig, self.client, self._command)
            bootstrap = Bootstrap(self.kubectl, kubeconfig, self.timeout)
            if own_network:
                step.line("setting up the pod network")
                bootstrap.set_up_network(cluster.nodes)
            step.line("waiting for nodes, DNS and the default service account")
            bootstrap.wait_until_usable()
            self._whole(options.name).touch()
        return cluster

    @contextmanager
    def _gone_if_it_fails(self, options: ClusterOptions) -> Iterator[None]:
        try:
            yield
        except (SeatrialError, docker.errors.DockerException, requests.RequestException) as error:
            try:
                logs = self._logs(options.name)
            finally:
                self._delete(options.name)
            raise ClusterError(
                f"cluster {options.name} could not be created",
                details=f"{error}\n{logs}",
                hint="`seatrial doctor` tells what this machine lacks",
            ) from error
        except BaseException:
            self._delete(options.name)
            raise

    # --- reusing

    def _require_same(self, options: ClusterOptions) -> None:
        network = self._network(options.name)
        written = network.attrs["Labels"].get(OPTIONS_LABEL, "{}") if network else "{}"
        try:
            made_from = ClusterOptions(**json.loads(written))
        except (TypeError, ValueError) as error:
            differences = [f"it was made by another version of seatrial ({error})"]
        else:
            differences = made_from.differences(options)
        if differences:
            raise ClusterError(
                f"cluster {options.name} is there, but was made from another configuration",
                details="\n".join(differences),
                hint="delete it (`seatrial cluster down "
                f"--name {options.name}`), or choose another name (--seatrial-cluster-name=…)",
            )

    def _ailments(self, cluster: KindCluster) -> Sequence[str]:
        """What is wrong with a cluster that is there; nothing, if it can be used as it is."""
        containers = _containers(self.client, cluster.name)
        if not containers:
            return ["it has no nodes"]
        stopped = [f"node {c.name} is {c.status}" for c in containers if c.status != "running"]
        if stopped or not cluster.kubeconfig_path.is_file():
            return stopped or ["its kubeconfig is gone"]
        bootstrap = Bootstrap(self.kubectl, cluster.kubeconfig_path)
        with ThreadPoolExecutor(1 + len(containers)) as pool:
            # at once: each takes a tenth of a second, most of it to start
            answer = pool.submit(bootstrap.ailments)
            disks = [pool.submit(_disk_ailments, node) for node in cluster.nodes]
            return [*answer.result(), *(each for disk in disks for each in disk.result())]

    def _require_unused(self, name: str, ailing: Sequence[str]) -> None:
        users = Leases(self.state_dir).users(self._place(name))
        if users:
            raise ClusterError(
                f"cluster {name} is in trouble, and is used by {', '.join(map(str, users))}",
                details="\n".join(ailing),
                hint="wait until they have ended, or take it away from them:\n"
                f"seatrial cluster down --name {name} --force",
            )

    def _mend(self, cluster: KindCluster, ailing: Sequence[str], progress: Progress) -> bool:
        """Start what was stopped, and wait for what is slow. Whether it can be used then."""
        name, kubeconfig = cluster.name, cluster.kubeconfig_path
        containers = _containers(self.client, name)
        # one that was never whole, as its session was killed, does not become so by waiting
        if not containers or not self._whole(name).exists():
            return False
        with progress.step(f"mending cluster {name}: {', '.join(ailing)}") as step:
            try:
                for container in containers:
                    if container.status != "running":
                        step.line(f"starting {container.name}")
                        container.start()
                if not kubeconfig.is_file():
                    kubeconfig.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    words = [f"--name={name}", f"--kubeconfig={kubeconfig}"]
                    run([self.kind, "export", "kubeconfig", *words], env=self._kind_env(name))
                    kubeconfig.chmod(0o600)
                step.line("waiting for its nodes and its DNS")
                Bootstrap(self.kubectl, kubeconfig).recover(MENDING)
                left = self._ailments(cluster)
            except (CommandError, docker.errors.DockerException, OSError) as error:
                left = [str(error)]
        for each in left:
            progress.note(f"cluster {name}: {each}")
        return not left

    # --- deleting

    def _delete(self, name: str) -> None:
        """Everything of that name, also what is left of a cluster that was never whole."""
        with Interrupts.shielded():
            again = Retrying(
                stop=stop_after_attempt(5), wait=wait_fixed(0.5), reraise=True,
                retry=retry_if_exception_type(docker.errors.APIError),
            )  # fmt: skip
            # a node may still be on its way to the engine when kind was killed
            again(self._remove, name)
            shutil.rmtree(self._kubeconfig(name).parent, ignore_errors=True)

    def _remove(self, name: str) -> None:
        for container in _containers(self.client, name):
            with suppress(docker.errors.NotFound):
                container.remove(force=True, v=True)
        if self.realm:
            for volume in self._volumes(name):
                with suppress(docker.errors.NotFound):
                    volume.remove(force=True)
        if network := self._network(name):
            with suppress(docker.errors.NotFound):
                network.remove()

    def _volumes(self, name: str) -> Iterator[Volume]:
        """Those that kind makes beforehand on podman, with the node's name as a label of each.

        podman does not take them for the container's own, and leaves them when that is removed.
        """
        node = re.compile(rf"{name}-(control-plane|worker)\d*")
        for volume in self.client.volumes.list():
            if any(node.fullmatch(label) for label in volume.attrs.get("Labels") or ()):
                yield volume

    # --- what all of them use

    def _logs(self, name: str) -> str:
        """What explains a failed start: the ends of the logs of each node's parts."""
        commands = (
            ["logs", "--tail=15", "{}"],
            ["exec", "{}", "crictl", "ps", "--all"],
            ["exec", "{}", "journalctl", "--no-pager", "--lines=25", "--unit=kubelet"],
            ["exec", "{}", "journalctl", "--no-pager", "--lines=10", "--unit=containerd"],
        )
        parts = []
        for container in _containers(self.client, name):
            for command in commands:
                argv = [self._command, *(word.format(container.name) for word in command)]
                try:
                    output = run(argv, check=False, timeout=20).output
                except CommandError as error:
                    # a node that does not answer has other logs that tell why
                    output = error.cause
                parts.append(f"$ {' '.join(argv)}\n{output}")
        return "\n".join(parts)

    def _kind_env(self, name: str) -> dict[str, str]:
        engine = self._command
        return {
            **(podman.environment(self.state_dir) if engine == "podman" else {}),
            "KIND_EXPERIMENTAL_PROVIDER": engine,
            f"KIND_EXPERIMENTAL_{engine.upper()}_NETWORK": _network_name(name),
            # kind falls back on the user's own file where this is not set
            "KUBECONFIG": str(self._kubeconfig(name)),
        }

    @cached_property
    def _command(self) -> str:
        """The engine's own command, which kind calls for all it does."""
        return "podman" if is_podman(self.client) else "docker"

    def _kubeconfig(self, name: str) -> Path:
        return self.state_dir / "clusters" / self._place(name) / "kubeconfig"

    def _whole(self, name: str) -> Path:
        """There if the cluster was usable once."""
        return self._kubeconfig(name).with_name("whole")

    def _lock(self, name: str) -> FileLock:
        locks = self.state_dir / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        return FileLock(locks / f"{self._place(name)}.lock")

    def _place(self, name: str) -> str:
        """A name of its own for each engine: a cluster of the same name may be in the other one."""
        # no cluster's name has a dot in it
        return f"{name}.{self.realm}" if self.realm else name

    def _network(self, name: str) -> Network | None:
        label = f"{CLUSTER_LABEL}={name}"
        return next(iter(self.client.networks.list(filters={"label": label})), None)


def _containers(client: docker.DockerClient, name: str) -> Sequence[Container]:
    found = client.containers.list(all=True, filters={"label": f"{KIND_LABEL}={name}"})
    return sorted(found, key=lambda container: str(container.name))


def _is_on(container: Container, name: str) -> bool:
    """Whether a container was made for our cluster of that name, its network there or not."""
    mode: object = container.attrs.get("HostConfig", {}).get("NetworkMode")
    return mode == _network_name(name)


def _disk_ailments(node: ContainerNode) -> Sequence[str]:
    return disk_ailments(node.name, node.exec(["df", "--output=pcent,ipcent", "/var"]))


def _network_name(name: str) -> str:
    return f"seatrial-{name}"
