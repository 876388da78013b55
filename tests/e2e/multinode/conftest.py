"""A cluster of a control plane and two workers, for this folder alone: `tox -e e2e-multinode`."""

from __future__ import annotations

import copy

import pytest
import yaml


@pytest.fixture(scope="session")
def k8s_cluster_options(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared")
    (folder / "file").write_text("from this machine")
    config = folder.with_name("kind.yaml")
    config.write_text("kind: Cluster\nnetworking: {podSubnet: 10.200.0.0/16}\n")
    return {
        "nodes": 3,
        "config_file": config,
        "feature_gates": {"AllAlpha": False},
        "extra_mounts": [{"hostPath": str(folder), "containerPath": "/shared", "readOnly": True}],
        # the engine picks the port
        "port_mappings": [{"containerPort": 31999, "hostPort": -1}],
    }


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
