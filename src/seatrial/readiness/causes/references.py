"""ConfigMaps and Secrets that a pod refers to and that are not there, or lack a key.

The kubelet says so in a container's waiting message (environment) or in FailedMount events
(volumes). Both stay for a while after the object has come, since the kubelet tries again only after
seconds; so where ConfigMaps or Secrets are watched, the snapshot has the last word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from seatrial.core.model import Object, ObjectRef, Snapshot, dig
from seatrial.readiness.finding import Finding
from seatrial.readiness.pods import PodView
from seatrial.readiness.wording import listed

__all__ = ["GRACE", "MissingReference", "missing_reference"]

#: seconds: who applies a ConfigMap after the Deployment that needs it does so well within it
GRACE = 10.0

_KINDS = {"configmap": "ConfigMap", "secret": "Secret"}
_ABSENT = re.compile(r'\b(configmap|secret) "([^"]+)" not found', re.IGNORECASE)
_NO_KEY = re.compile(r"couldn't find key (\S+) in (ConfigMap|Secret) [^/\s]*/(\S+)")
_NO_VOLUME_KEY = re.compile(r"references non-existent (config|secret) key: (\S+)")
_VOLUME = re.compile(r'for volume "([^"]+)"')


@dataclass(frozen=True)
class MissingReference:
    """What a pod needs and cannot have."""

    kind: str
    name: str
    key: str = ""

    @property
    def cause(self) -> str:
        return "ConfigKeyMissing" if self.key else f"{self.kind}Missing"

    def is_there(self, snapshot: Snapshot, namespace: str) -> bool:
        """Whether the snapshot has it by now."""
        obj = snapshot.get(self.kind, self.name, namespace)
        if obj is None:
            return False
        if not self.key:
            return True
        return any(self.key in dig(obj, field, default={}) for field in ("data", "binaryData"))

    def finding(self, pod: PodView, who: str, container: str, evidence: tuple[str, ...]) -> Finding:
        """`who` is what needs it: `container web`, `volume settings`."""
        if self.key:
            need = f'key "{self.key}" of {self.kind} "{self.name}", which has no such key'
            hint = f"add the key to the {self.kind}, or mark the reference as optional"
        else:
            need = f'{self.kind} "{self.name}", which does not exist'
            hint = (
                f"apply the {self.kind} into namespace {pod.namespace} before the pod or with it; "
                "a name differs easily by one letter"
            )
        there = [str(dig(o, "metadata", "name")) for o in self._others(pod)]
        if there:
            evidence = (*evidence, f"{self.kind}s in the namespace: {listed(there)}")
        return pod.finding(
            self.cause,
            f"{pod.ref} cannot start: {who} needs {need}",
            evidence=evidence,
            hint=hint,
            grace=GRACE,
            container=container,
            missing=(ObjectRef(self.kind, self.name, pod.namespace), self.key),
        )

    def _others(self, pod: PodView) -> list[Object]:
        return list(pod.snapshot.all(self.kind, pod.namespace))


def missing_reference(message: str, pod: PodView) -> MissingReference | None:
    """What a kubelet's message says is missing, or None if it is about something else."""
    if found := _NO_KEY.search(message):
        key, kind, name = found.groups()
        return MissingReference(kind, name, key)
    if found := _NO_VOLUME_KEY.search(message):
        kind = "ConfigMap" if found[1] == "config" else "Secret"
        return MissingReference(kind, _source_of(message, kind, pod), found[2])
    if found := _ABSENT.search(message):
        return MissingReference(_KINDS[found[1].lower()], found[2])
    return None


def _source_of(message: str, kind: str, pod: PodView) -> str:
    """The name of the ConfigMap or Secret behind the volume that the message names."""
    volume = _VOLUME.search(message)
    for spec in dig(pod.object, "spec", "volumes", default=[]):
        if volume and spec.get("name") == volume[1]:
            source = spec.get("configMap" if kind == "ConfigMap" else "secret", {})
            return str(source.get("name") or source.get("secretName") or volume[1])
    return volume[1] if volume else "?"
