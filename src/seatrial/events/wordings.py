"""Messages whose wording depends on the release of Kubernetes, matched in each of them.

    event("Created", message=created_container("web"))

Reasons are what to match on. Where a message has to be looked at, a text that was copied from one
release may not be that of the next. These are the events whose wording was found to differ when the
sources of Kubernetes 1.34.4 and 1.37.2 were compared (kubelet, scheduler, controllers, kube-proxy);
each function says how. What differs in its reason, not its message alone, is not here: use
`one_of(event(…), event(…))` for it.

| event | 1.34.4 | 1.37.2 |
|---|---|---|
| unusable image id, on the Node | the sentence itself was the reason (a slip) | `InvalidImageID` |
| pod resize begins | no event | `ResizeStarted`, `ResizeError` |
| kube-proxy, no mode set | no event | `KubeProxyDefaultMode` |
| kube-proxy in ipvs mode | no event | `IPVSDeprecation` |
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = [
    "Wording",
    "ambiguous_selector",
    "cgroup_v1_deprecated",
    "created_container",
    "image_already_present",
    "image_disk_full",
    "preempted",
    "started_container",
]


@dataclass(frozen=True)
class Wording:
    """A message as several releases word it; give it to `event(message=…)`."""

    name: str
    """As it was written, for a person: `created_container('web')`."""
    expressions: tuple[str, ...]
    """Regular expressions, one of which the whole message matches."""
    container: str = ""
    """The container that it is about, which `event()` asks for as well: some wordings lack it."""

    def __call__(self, message: str) -> bool:
        return any(re.fullmatch(each, message, re.DOTALL) for each in self.expressions)

    def __str__(self) -> str:
        return self.name


def created_container(container: str = "") -> Wording:
    """For `Created`: up to 1.34 `Created container: web`, from 1.35 on `Container created`.

    The container's name left the message with https://github.com/kubernetes/kubernetes/pull/134043;
    in every release the event's `fieldPath` has it. An empty name means any container.
    """
    return Wording(
        _called("created_container", container),
        (rf"Created container:? {_name(container)}", "Container created"),
        container,
    )


def started_container(container: str = "") -> Wording:
    """For `Started`: up to 1.34 `Started container web`, from 1.35 on `Container started`.

    See `created_container`.
    """
    return Wording(
        _called("started_container", container),
        (rf"Started container {_name(container)}", "Container started"),
        container,
    )


def image_already_present(image: str = "") -> Wording:
    """For `Pulled` where nothing had to be pulled.

    `Container image "flask:1" already present on machine`; from 1.35 on, where the feature
    KubeletEnsureSecretPulledImages is on by default, `… and can be accessed by the pod` follows.
    """
    return Wording(
        _called("image_already_present", image),
        (
            rf'Container image "{_name(image)}" already present on machine'
            r"( and can be accessed by the pod)?",
        ),
    )


def image_disk_full() -> Wording:
    """For `FreeDiskSpaceFailed` on a Node: unused images do not free enough of the disk.

    In 1.34.4 `Failed to garbage collect required amount of images. …`, in 1.37.2 `Insufficient free
    disk space on the node's image filesystem (…). …`.
    """
    return Wording(
        "image_disk_full()",
        (
            r"Failed to garbage collect required amount of images\..*",
            r"Insufficient free disk space on the node's image filesystem .*",
        ),
    )


def cgroup_v1_deprecated() -> Wording:
    """For `CgroupV1` on a Node: the kubelet's warning at its start.

    In 1.34.4 `cgroup v1 support is in maintenance mode, …`, in 1.37.2 `cgroup v1 detected. cgroup
    v1 support is deprecated …`.
    """
    return Wording(
        "cgroup_v1_deprecated()",
        (r"cgroup v1 support is in maintenance mode.*", r"cgroup v1 detected\..*"),
    )


def preempted(node: str = "") -> Wording:
    """For `Preempted`: the Pod had to leave its node to a more important one.

    `Preempted by pod UID on node worker`. In 1.37.2 it may be a `podgroup` or the like instead of a
    `pod`, and `(in kube-scheduler memory).` follows if the victim was not yet bound.
    """
    return Wording(
        _called("preempted", node),
        (rf"Preempted by \S+ \S+ on node {_name(node)}( \(in kube-scheduler memory\)\.)?",),
    )


def ambiguous_selector() -> Wording:
    """For `AmbiguousSelector` of a HorizontalPodAutoscaler that shares its Pods with another.

    In 1.34.4 `… are controlled by multiple HPAs: …`, in 1.37.2 `… are controlled by more than one
    HPA (e.g. …)`.
    """
    return Wording(
        "ambiguous_selector()",
        (r"pods by selector .* are controlled by (multiple HPAs: .*|more than one HPA \(.*\))",),
    )


def _called(function: str, argument: str) -> str:
    return f"{function}({argument!r})" if argument else f"{function}()"


def _name(wanted: str) -> str:
    return re.escape(wanted) if wanted else r"\S+"
