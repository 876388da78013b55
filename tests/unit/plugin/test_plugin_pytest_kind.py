"""A suite that uses pytest-kind: its `kind_cluster` is attached to our cluster."""

import pytest

# its options and its fixture, as pytest-kind 22.11.1 has them; it need not be installed here
KIND = """
    import pytest

    class KindCluster:
        pass

    @pytest.fixture(scope="session")
    def kind_cluster(request):
        cluster = KindCluster()
        names = "cluster_name kubeconfig kind_bin kind_kubectl_bin kind_image keep_cluster"
        for name in names.split():
            setattr(cluster, name, request.config.getoption(name))
        yield cluster
        # what it works with has to be there until it is done
        print("kind_cluster ends")

    def pytest_addoption(parser):
        group = parser.getgroup("kind")
        group.addoption("--cluster-name", default="pytest-kind")
        group.addoption("--keep-cluster", action="store_true")
        for name in ("kubeconfig", "kind-image", "kind-bin", "kind-kubectl-bin"):
            group.addoption(f"--{name}", default=None)
"""


@pytest.fixture
def kind(machine):
    machine.pytester.makepyfile(stub_of_pytest_kind=KIND)
    machine.pytester.syspathinsert()
    return ("-p", "stub_of_pytest_kind")


def test_kind_cluster_is_our_cluster(machine, kind):
    machine.tests(
        """
        def test_it(kind_cluster):
            assert kind_cluster.cluster_name == "shop"
            assert kind_cluster.kubeconfig.endswith("/kubeconfig")
            assert kind_cluster.kind_bin == "/tools/kind"
            assert kind_cluster.kind_kubectl_bin == "/k"
            assert kind_cluster.kind_image == "node:1"
            assert kind_cluster.keep_cluster is True

        def test_same(kind_cluster, k8s_cluster):
            assert kind_cluster.cluster_name == k8s_cluster.name
            assert kind_cluster.kubeconfig == str(k8s_cluster.kubeconfig_path)
        """,
        "--seatrial-cluster-name=shop",
        *kind,
    ).assert_outcomes(passed=2)
    assert machine.clusters == ["ensure shop", "delete shop"]


def test_our_cluster_outlives_kind_cluster(machine, kind):
    machine.pytester.makeconftest("")
    result = machine.tests(
        """
        def test_it(kind_cluster): pass
        """,
        "--setup-show",
        *kind,
    )
    result.stdout.fnmatch_lines([
        "*SETUP    S k8s_cluster*",
        "*SETUP    S kind_cluster*",
        "*TEARDOWN S kind_cluster*",
        "*TEARDOWN S k8s_cluster*",
    ])  # fmt: skip


def test_without_kind_cluster_no_cluster_is_made(machine, kind):
    machine.tests("def test_it(pytestconfig): pass", *kind).assert_outcomes(passed=1)
    assert machine.clusters == []


def test_a_kind_cluster_that_is_not_pytest_kinds_is_left_alone(machine):
    machine.tests(
        """
        import pytest

        @pytest.fixture
        def kind_cluster(): return "mine"

        def test_it(kind_cluster): assert kind_cluster == "mine"
        """
    ).assert_outcomes(passed=1)
    assert machine.clusters == []
