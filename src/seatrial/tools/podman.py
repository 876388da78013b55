"""podman on a machine that does not let it have the limits it asks for."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from pathlib import Path

from seatrial.tools.capabilities import CAP_SYS_RESOURCE, has_capability

__all__ = ["environment"]

#: podman gives itself, and so all below it, no more processes than this
MOST_PROCESSES = 32768

#: what root's podman reads beside its own defaults, containers.conf(5)
CONFIGURATION = Path("/etc/containers/containers.conf")


def environment(state_dir: Path, *, status: Path = Path("/proc/self/status")) -> Mapping[str, str]:
    """What a podman has to find in its environment, for it to be able to start containers.

    root's podman gives each container higher limits than its own. Where CAP_SYS_RESOURCE is missing
    that is forbidden ("error setting rlimit type 7"), so there it is given a containers.conf of
    ours, with the limits of this process. A configuration of the user's own is never overruled.
    """
    if os.geteuid() or has_capability(status.read_text(), CAP_SYS_RESOURCE):
        return {}
    if os.environ.get("CONTAINERS_CONF") or CONFIGURATION.exists():
        return {}
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, processes = resource.getrlimit(resource.RLIMIT_NPROC)
    if processes == resource.RLIM_INFINITY or processes > MOST_PROCESSES:
        processes = MOST_PROCESSES
    place = state_dir / "podman" / "containers.conf"
    place.parent.mkdir(parents=True, exist_ok=True)
    # its readers may be at work: it is the same each time
    limits = f'"nofile={files}:{files}", "nproc={processes}:{processes}"'
    text = f"[containers]\ndefault_ulimits = [{limits}]\n"
    if not place.is_file() or place.read_text() != text:
        place.write_text(text)
    return {"CONTAINERS_CONF": str(place)}
