"""Images that cannot be had.

`waiting.reason` flips between ErrImagePull and ImagePullBackOff, and the back-off's message has the
registry's own error only since Kubernetes 1.32 or so; before that it is in the Failed event alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from seatrial.core.model import dig
from seatrial.core.references import Reference
from seatrial.readiness.finding import Finding
from seatrial.readiness.pods import ContainerView
from seatrial.readiness.wording import one_line
from seatrial.readiness.workload import Workload

__all__ = ["find"]

_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_BARE_BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"$')
#: the layers of wrapping that the kubelet, gRPC and containerd put around a registry's answer
_WRAPPING = re.compile(
    r'^(?:Back-off pulling image "[^"]*": |Failed to pull image "[^"]*": |ErrImagePull: '
    r"|rpc error: code = \w+ desc = |Error response from daemon: "
    r'|failed to pull and unpack image "[^"]*": '
    r'|failed to resolve (?:reference "[^"]*"|image): |failed to do request: )'
)

#: quoted names and addresses, in which any word may stand
_NAMES = re.compile(r'"[^"]*"')

_LOAD = (
    "was the image loaded into this cluster (fixture k8s_image does it), and under this very name?"
)
_ALWAYS = (
    "imagePullPolicy is Always, so the node asks the registry even if the image was loaded into "
    "it: set imagePullPolicy: IfNotPresent, and a tag other than :latest, which implies Always"
)
#: the feature gate KubeletEnsureSecretPulledImages, on by default from 1.35
_VERIFIED = (
    "the node has this image, but its kubelet (Kubernetes 1.35 and newer) asks the registry first, "
    "since it once pulled the same image under another name: give what is pulled and what is "
    "loaded different content, or the node's kubelet imagePullCredentialsVerificationPolicy: "
    "NeverVerify"
)


@dataclass(frozen=True)
class _Answer:
    """One kind of answer to a pull."""

    pattern: re.Pattern[str]
    text: str
    """What it comes down to; empty: the answer itself is the best text."""
    grace: float
    """Seconds: 0 for what asking again cannot change."""
    hint: str
    may_be_loaded: bool = False
    """Whether an image that was not loaded into the node looks like this."""


def _answer(
    pattern: str, text: str, grace: float, hint: str = "", *, may_be_loaded: bool = False
) -> _Answer:
    return _Answer(re.compile(pattern, re.IGNORECASE), text, grace, hint, may_be_loaded)


# The first that matches wins: "no match for platform in manifest: not found" is not a "not found".
_ANSWERS = (
    _answer(
        r"no match for platform|no matching manifest",
        "it has no variant for the node's platform",
        0.0,
        "build it for the node's architecture (docker build --platform)",
    ),
    _answer(
        r"too ?many ?requests|\b429\b",
        "the registry limits the rate of pulls",
        30.0,
        "load the image into the cluster, or log in at the registry",
    ),
    _answer(
        r"no space left on device",
        "the node's disk is full",
        10.0,
        "docker system df shows what takes the space",
    ),
    _answer(
        r"pull access denied|unauthorized|authorization failed|\b40[13]\b|forbidden|denied",
        "the registry denies access, or has no such repository",
        0.0,
        "a private repository needs imagePullSecrets",
        may_be_loaded=True,
    ),
    _answer(
        r"\blookup \S+.*(?:no such host|server misbehaving|i/o timeout|refused|try again|failure)",
        "the registry's name cannot be resolved",
        5.0,
        may_be_loaded=True,
    ),
    _answer(
        r"i/o timeout|handshake timeout|deadline ?exceeded|connection reset|\bEOF\b|\b50[0234]\b"
        r"|try again",
        "the registry does not answer in time",
        30.0,
        may_be_loaded=True,
    ),
    _answer(
        r"connection refused|no route to host|network is unreachable|registry is unavailable",
        "the registry cannot be reached",
        5.0,
        may_be_loaded=True,
    ),
    _answer(
        r"x509|certificate|server gave HTTP response to HTTPS client",
        "the registry's certificate is not trusted, or it does not speak HTTPS",
        5.0,
        "make the registry known to the nodes' containerd (certs.d/…/hosts.toml)",
        may_be_loaded=True,
    ),
    _answer(r"signature validation failed", "its signature is not valid", 0.0),
    _answer(r"not found|manifest unknown|\b404\b", "not found", 0.0, may_be_loaded=True),
)
#: an answer that none of these knows is given two more tries of the kubelet, at 10 and 20 seconds
_UNKNOWN = _answer("", "", 30.0)


def find(workload: Workload) -> Iterator[Finding]:
    """One per container that waits for its image in vain."""
    for pod in workload.pods:
        for container in pod.containers:
            if found := _finding(container):
                yield found


def _finding(container: ContainerView) -> Finding | None:
    reason = container.waiting_reason
    if reason == "InvalidImageName":
        return _cannot(
            container,
            "InvalidImageName",
            f'its image name "{container.image}" cannot be parsed',
            "an image name is lower case: [registry/]repository[:tag][@digest]",
        )
    if reason == "ErrImageNeverPull":
        return _cannot(
            container,
            "ImageAbsent",
            f'image "{container.image}" is not on the node, and imagePullPolicy is Never',
            _LOAD,
        )
    if reason not in _REASONS:
        return None
    said = _said(container)
    words = _NAMES.sub("", said.replace(container.image, ""))
    answer = next((known for known in _ANSWERS if known.pattern.search(words)), _UNKNOWN)
    text = answer.text or said or "the kubelet does not say why"
    return _cannot(
        container,
        "ImagePullFailed",
        f'image "{container.image}" cannot be pulled: {text}',
        _hint(container, answer),
        answer.grace,
    )


def _cannot(
    container: ContainerView, cause: str, text: str, hint: str, grace: float = 0.0
) -> Finding:
    return container.pod.finding(
        cause,
        f"{container.pod.ref} cannot start: {text} (container {container.name})",
        evidence=container.evidence("Failed", "BackOff", "ErrImageNeverPull", "InspectFailed"),
        hint=hint,
        grace=grace,
        container=container.name,
    )


def _said(container: ContainerView) -> str:
    """What the registry or the runtime said, without what others wrapped around it."""
    message = container.waiting_message
    if not message or _BARE_BACK_OFF.match(message):
        pulls = [
            str(event.get("message"))
            for event in container.events_of("Failed")
            if "Failed to pull image" in str(event.get("message"))
        ]
        message = pulls[-1].split("(combined from similar events): ")[-1] if pulls else ""
    message = one_line(message, 1000)
    while wrapped := _WRAPPING.match(message):
        message = message[wrapped.end() :]
    return message


def _hint(container: ContainerView, answer: _Answer) -> str:
    lines = [answer.hint] if answer.hint else []
    if answer.may_be_loaded:
        always = container.spec.get("imagePullPolicy") == "Always"
        lines.insert(0, _ALWAYS if always else _VERIFIED if _is_on_node(container) else _LOAD)
    return "\n".join(lines)


def _is_on_node(container: ContainerView) -> bool:
    """Whether the node tells of an image of that name; it does so every few minutes."""
    node = container.pod.snapshot.get(
        "Node", dig(container.pod.object, "spec", "nodeName", default="")
    )
    try:
        wanted = str(Reference.parse(container.image))
    except ValueError:
        return False
    images = dig(node, "status", "images", default=[]) if node else []
    # an image that has lost its last name is told with null
    return any(wanted in (image.get("names") or ()) for image in images)
