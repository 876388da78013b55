"""What the watch of a session bears on a real cluster."""

from __future__ import annotations

import pytest

from seatrial.core.clock import Deadline
from seatrial.core.errors import NotReadyError
from seatrial.core.feed import wait_on
from seatrial.core.model import Change
from seatrial.watch import stream

SHIPS = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ships.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {kind: Ship, plural: ships, singular: ship}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema:
        openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
---
apiVersion: GROUP/v1
kind: Ship
metadata: {name: argo}
"""


def test_a_definition_that_is_deleted_takes_its_watch_along_and_nothing_else(
    k8s_deploy, k8s_cluster, k8s_namespace, manifests, k8s_image
):
    group = f"{k8s_namespace}.seatrial.dev"
    ships = SHIPS.replace("GROUP", group)
    hub = k8s_cluster.hub
    release = k8s_deploy(ships)
    try:
        release.wait_ready()
        before = hub.records()[-1].number

        def gaps():
            # Ships of other tests' groups may have ended in this hub as well
            return [
                record.note
                for record in hub.records("Ship")
                if record.change is Change.GAP and record.number > before
            ]

        # by somebody else, with the ship still at sea
        k8s_cluster.kubectl("delete", "crd", f"ships.{group}")
        ended = wait_on(
            hub,
            lambda: [note for note in gaps() if note.startswith("ships")] or None,
            Deadline.after(stream.FORBEARANCE + 20, hub.clock),
        )
        assert ended, "the watch of a kind that is gone goes on"
        assert ended == ["ships are not served any more"]
        assert hub.snapshot().get("Ship", "argo", k8s_namespace) is None
        with pytest.raises(NotReadyError, match=r"Ship/argo"):
            release.wait_ready("Ship/argo", timeout=1)
        # what all other tests of the session do goes on, and so does this kind, defined again
        k8s_deploy(manifests, images={"flask": k8s_image}).wait_ready()
        release.apply()
        release.wait_ready()
        assert hub.snapshot().get("Ship", "argo", k8s_namespace) is not None
    finally:
        release.delete()
