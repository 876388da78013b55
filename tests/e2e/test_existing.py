"""A cluster that was there before, used by an account with no more rights than the docs name.

The cluster is the suite's own. Sessions of pytest use it from outside, as somebody else's: with a
kubeconfig and a service account of their own, and a registry that they push to.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

# it counts the cluster's namespaces, and marks the cluster
pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "existing.md").read_text()

TESTS = """
import pytest
from seatrial import FRESH_ROLLOUT_WITH_PULL
from seatrial.core.errors import ClusterError, ConfigurationError

ROOT = {root!r}
CONFIG_MAP = {{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "more"}}}}


@pytest.fixture(scope="session")
def k8s_image_options():
    # a copy with an id of its own: a kubelet asks the registry for what it has once pulled
    return {{"path": ROOT, "repository": "flask", "labels": {{"test": "existing"}}}}


def test_the_main_job(k8s_deploy, k8s_image, k8s_events, k8s_http):
    assert k8s_image.reference.startswith({nodes!r} + "/flask@sha256:")
    release = k8s_deploy(ROOT + "/fixtures/manifests", images={{"flask": k8s_image}})
    release.wait_ready()
    release.assert_runs(k8s_image, pinned=True)
    k8s_events.expect(FRESH_ROLLOUT_WITH_PULL.of("Deployment/flask"), within=30)
    with k8s_http.service("flask", port=5000) as endpoint:
        assert "Hello from Flask" in endpoint.get("/").text
        assert endpoint.route.describe().startswith("port-forward 127.0.0.1:")
    with pytest.raises(ConfigurationError, match="no node port that is published"):
        k8s_http.service("flask", port=5000, route="node-port")


def test_more_than_was_granted(k8s_deploy):
    with pytest.raises(ClusterError) as refused:
        k8s_deploy([CONFIG_MAP, {{**CONFIG_MAP, "kind": "Secret"}}])
    print("REFUSED:", refused.value)


def test_other_namespaces(k8s_cluster, k8s_namespace):
    assert k8s_cluster.nodes == ()
    assert k8s_cluster.events(k8s_namespace) is not None
    with pytest.raises(ConfigurationError, match="namespace default is not watched"):
        k8s_cluster.events()


def test_nothing(k8s_cluster):
    print("VERSION", k8s_cluster.connection.version())
"""


@dataclass
class Guest:
    """An account of the cluster, with a kubeconfig, and sessions of pytest that use it."""

    folder: Path
    kubeconfig: Path
    account: str
    state_dir: Path
    registry: tuple[str, ...] = ()

    def run(self, *args, allowed=True):
        before = self.kubeconfig.read_bytes()
        command = [
            sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *args,
            "--seatrial-provider=existing", f"--seatrial-kubeconfig={self.kubeconfig}",
            "--seatrial-context=guest", f"--seatrial-state-dir={self.state_dir}",
            *(["--seatrial-allowed-contexts=gue*"] if allowed else []), *self.registry,
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=self.folder, text=True, timeout=240, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        print(done.stdout)  # noqa: T201 - seen where the test fails
        assert self.kubeconfig.read_bytes() == before
        assert [each for each in (self.state_dir / "existing").iterdir() if each.is_dir()] == []
        return done


def granted(namespace, text=DOCS):
    """The manifest of the docs, for an account of that namespace."""
    [block] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    documents = list(yaml.safe_load_all(block))
    documents[-1]["subjects"][0]["namespace"] = namespace
    return documents


@pytest.fixture
def tidy_engine(k8s_cluster, registry):
    """Takes the names out of the engine that images were pushed by."""
    yield
    for image in k8s_cluster.client.images.list(f"{registry.published}/team/flask"):
        for tag in image.tags:
            if tag.startswith(f"{registry.published}/"):
                k8s_cluster.client.api.remove_image(tag)


@pytest.fixture
def guest(tmp_path, k8s_cluster, k8s_deploy, k8s_namespace, k8s_settings):
    """An account that may do nothing yet; its kubeconfig has another context as well."""
    k8s_deploy({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "seatrial"}})
    token = k8s_cluster.kubectl("create", "token", "seatrial", f"--namespace={k8s_namespace}")
    own = yaml.safe_load(k8s_cluster.kubeconfig_path.read_text())
    cluster = own["clusters"][0]["cluster"]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "production",
        "clusters": [
            {"name": "theirs", "cluster": cluster},
            {"name": "production", "cluster": {"server": "https://production.invalid"}},
        ],
        "users": [{"name": "guest", "user": {"token": token.strip()}}],
        "contexts": [
            {"name": "guest", "context": {"cluster": "theirs", "user": "guest"}},
            {"name": "production", "context": {"cluster": "production", "user": "guest"}},
        ],
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(document))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TESTS.format(root=str(ROOT), nodes="nowhere"))
    account = f"system:serviceaccount:{k8s_namespace}:seatrial"
    return Guest(tmp_path, kubeconfig, account, k8s_settings.state_dir)


def namespaces(cluster):
    return set(
        cluster.kubectl("get", "namespaces", "--output=jsonpath={.items[*].metadata.name}").split()
    )


def test_the_rights_in_the_docs_are_enough_and_no_more_is_there(
    guest, k8s_cluster, k8s_deploy, k8s_namespace, registry, tidy_engine
):
    k8s_deploy(granted(k8s_namespace))
    nodes = f"localhost:{registry.node_port}/team"
    (guest.folder / "test_it.py").write_text(TESTS.format(root=str(ROOT), nodes=nodes))
    guest.registry = (
        f"--seatrial-registry={registry.published}/team",
        f"--seatrial-pull-registry={nodes}",
    )
    before = namespaces(k8s_cluster)
    done = guest.run()
    assert done.returncode == 0
    assert "4 passed" in done.stdout
    assert "may be used: its context guest is allowed by gue*" in done.stdout
    assert "nodes may not be watched" in done.stdout
    assert "pushing image flask:sha-" in done.stdout
    refused = done.stdout.partition("REFUSED: ")[2]
    assert refused.startswith(
        f"account {guest.account} may not apply these manifests into namespace test-more-than"
    )
    # all of it at once
    assert "configmaps: create, patch" in refused
    assert "secrets: get, create, patch" in refused
    assert f"seatrial rbac --service-account={k8s_namespace}/seatrial MANIFESTS" in refused
    # what it made is gone, and the cluster is not
    assert namespaces(k8s_cluster) <= before
    bindings = k8s_cluster.kubectl("get", "rolebindings", "--all-namespaces", "--output=name")
    assert "seatrial-namespace" not in bindings
    # the base is there by now, and only what is new is sent
    recipe = f"FROM {_pushed(k8s_cluster, registry)}\nLABEL more=than-before\n"
    (guest.folder / "image").mkdir()
    (guest.folder / "image" / "Dockerfile").write_text(recipe)
    (guest.folder / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def k8s_image_options(): return {'path': 'image', 'repository': 'flask'}\n"
        "def test_it(k8s_image): pass\n"
    )
    again = guest.run()
    assert again.returncode == 0
    assert re.search(r"0 of its \d+ layers were not there yet", again.stdout)


def _pushed(cluster, registry):
    """The name under which the engine has what was pushed."""
    repository = f"{registry.published}/team/flask"
    names = [tag for image in cluster.client.images.list(repository) for tag in image.tags]
    return next(name for name in names if name.startswith(f"{repository}:"))


def test_a_cluster_that_is_neither_listed_nor_marked_is_refused(guest, k8s_cluster, k8s_namespace):
    before = namespaces(k8s_cluster)
    done = guest.run("test_it.py::test_nothing", allowed=False)
    assert done.returncode == 1
    assert "is not one that tests may run on" in done.stdout
    assert "context 'guest' is not among the allowed ones: none" in done.stdout
    assert "--seatrial-allowed-contexts=guest" in done.stdout
    assert namespaces(k8s_cluster) <= before


def test_a_cluster_that_is_marked_may_be_used(guest, k8s_cluster, k8s_deploy, k8s_namespace):
    k8s_deploy(granted(k8s_namespace))
    mark = "seatrial.dev/tests-allowed"
    k8s_cluster.kubectl("label", "namespace", "kube-system", f"{mark}=true")
    try:
        done = guest.run("test_it.py::test_nothing", allowed=False)
    finally:
        k8s_cluster.kubectl("label", "namespace", "kube-system", f"{mark}-")
    assert done.returncode == 0
    assert f"it carries the label {mark}" in done.stdout


def test_an_account_without_rights_is_told_all_that_it_lacks(guest, k8s_cluster, k8s_namespace):
    before = namespaces(k8s_cluster)
    done = guest.run("test_it.py::test_nothing")
    assert done.returncode == 1
    for line in (
        f"account {guest.account} lacks rights on cluster theirs",
        "namespaces: create, get, delete in all of the cluster",
        "pods: get, list, watch in the namespaces of tests",
        "pods/portforward: create in the namespaces of tests",
        "endpointslices.discovery.k8s.io: list, watch in the namespaces of tests",
        f"seatrial rbac --service-account={k8s_namespace}/seatrial MANIFESTS | kubectl apply -f -",
    ):
        assert line in done.stdout
    assert namespaces(k8s_cluster) <= before


def test_a_role_that_lacks_something_is_told_what(guest, k8s_deploy, k8s_namespace):
    documents = granted(k8s_namespace)
    role = documents[1]
    assert role["metadata"]["name"] == "seatrial-namespace"
    role["rules"] = [rule for rule in role["rules"] if rule["resources"] != ["pods/log"]]
    k8s_deploy(documents)
    done = guest.run("test_it.py::test_nothing")
    assert done.returncode == 1
    assert "pods/log: get in ClusterRole seatrial-namespace" in done.stdout
    assert "namespaces: " not in done.stdout


def test_a_token_that_is_not_good_is_told(guest):
    document = yaml.safe_load(guest.kubeconfig.read_text())
    document["users"][0]["user"]["token"] = "no-token"  # noqa: S105 - it is none
    guest.kubeconfig.write_text(yaml.safe_dump(document))
    done = guest.run("test_it.py::test_nothing")
    assert done.returncode == 1
    assert "does not accept the credentials of its context (any more)" in done.stdout
