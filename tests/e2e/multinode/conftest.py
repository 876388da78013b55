"""A cluster of a control plane and two workers, for this folder alone: `tox -e e2e-multinode`."""

from __future__ import annotations

import copy

import pytest
import yaml


@pytest.fixture(scope="session")
def k8s_cluster_options():
    return {"nodes": 3}


@pytest.fixture
def workers(k8s_cluster):
    """The names of the workers."""
    return [node.name for node in k8s_cluster.nodes if "worker" in node.name]


@pytest.fixture
def spread(manifests):
    """The application, one replica on each worker and no two on one."""

    def make(replicas=2, **spec):
        found = yaml.safe_load((manifests / "deployment.yaml").read_text())
        deployment = copy.deepcopy(found)
        deployment["spec"]["replicas"] = replicas
        deployment["spec"]["template"]["spec"] |= {
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": deployment["spec"]["selector"],
                    # else a node that is gone, or cordoned, counts as one with no replica
                    "nodeTaintsPolicy": "Honor",
                }
            ],
            **spec,
        }
        return [deployment, manifests / "service.yaml"]

    return make
