"""What the engine's machine lacks that a Kubernetes node would like, found out and not assumed."""

from __future__ import annotations

from dataclasses import dataclass

import docker
import docker.errors
import requests

from seatrial.core.errors import ConfigurationError, EngineError
from seatrial.core.processes import OWNER_LABEL, ProcessId
from seatrial.tools.capabilities import CAP_SYS_RESOURCE, has_capability

__all__ = ["HostFacts", "probe"]

_LIMITS = (
    "podman asks for higher limits than this machine allows: end its service, which\n"
    "`seatrial setup` then starts with lower ones, or lower default_ulimits in\n"
    "/etc/containers/containers.conf"
)


@dataclass(frozen=True)
class HostFacts:
    """The facts that decide which patches a node's configuration needs."""

    cgroup_version: int
    """1 or 2. From 1.35 on the kubelet refuses 1 unless it is told otherwise."""
    sys_resource: bool
    """Whether a privileged container has CAP_SYS_RESOURCE. Without it nobody may lower an
    oom_score_adj, and runc fails with "can't get final child's PID from pipe"."""


def probe(client: docker.DockerClient, image: str) -> HostFacts:
    """Ask the engine, and a short-lived privileged container of `image`, which has `cat`.

    A container is asked since the engine may run on another machine than this process. Raises
    `EngineError` if it cannot be run, `ConfigurationError` if no image is named.
    """
    if not image:
        raise ConfigurationError(
            "the cluster's options name no node image",
            hint="`seatrial setup` prints the one it made: ClusterOptions(node_image=…)",
        )
    try:
        client.images.get(image)
        version = str(client.info().get("CgroupVersion", "2"))
        status = client.containers.run(
            image,
            ["/proc/self/status"],
            entrypoint="/bin/cat",
            privileged=True,
            network_mode="none",
            labels={OWNER_LABEL: ProcessId.mine().label},
            remove=True,
        )
    except docker.errors.ImageNotFound as error:
        raise EngineError(
            f"the node image {image} is not in the engine",
            hint="`seatrial setup` pulls or builds it",
        ) from error
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineError(
            "the engine cannot run a privileged container, which a Kubernetes node is",
            details=str(error),
            hint=_LIMITS
            if "rlimit" in str(error)
            else "rootless engines and user namespaces forbid it; `seatrial doctor` tells more",
        ) from error
    return HostFacts(
        cgroup_version=1 if version == "1" else 2,
        sys_resource=has_capability(status.decode(), CAP_SYS_RESOURCE),
    )
