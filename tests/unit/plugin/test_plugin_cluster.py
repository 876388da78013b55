"""The session's fixtures: when a cluster is made, from what, and whether it stays."""

from pathlib import Path

import pytest

from seatrial.core.errors import ClusterError, EngineError
from seatrial.harness import Cluster, SessionNamespaces
from seatrial.setup import provision

USES = "def test_it(k8s_cluster): pass\n"
FAILS = "def test_it(k8s_cluster): assert False\n"
WITH_A_NAMESPACE = "def test_it(k8s_namespace): pass\n"

MADE, DELETED = "ensure seatrial", "delete seatrial"


def test_a_run_that_needs_no_cluster_makes_none(machine):
    machine.tests("def test_it(k8s_settings): pass").assert_outcomes(passed=1)
    assert machine.log == []


def test_the_cluster_is_made_once_and_deleted_in_the_end(machine):
    result = machine.tests(USES + "def test_more(k8s_cluster): assert k8s_cluster.name")
    result.assert_outcomes(passed=2)
    assert machine.log == ["prepare", MADE, DELETED]


def test_the_cluster_is_made_from_the_settings(machine):
    machine.tests(
        """
        from pathlib import Path

        def test_it(k8s_cluster):
            assert k8s_cluster.name == "shop"
            assert k8s_cluster.kind_path == Path("/tools/kind")
            assert k8s_cluster.kubectl_path == Path("/k")
            assert k8s_cluster.node_image == "node:1"
            assert k8s_cluster.client == "engine"
            assert k8s_cluster.objects.get("v1", "Namespace", "nowhere") is None
        """,
        "--seatrial-cluster-name=shop",
        "--seatrial-kubernetes=1.36.3",
    ).assert_outcomes(passed=1)
    [options] = machine.made_of
    assert (options.name, options.kubernetes, options.node_image) == ("shop", "1.36.3", "node:1")


def test_the_clusters_options_can_be_overridden(machine):
    machine.tests(
        """
        import pytest

        @pytest.fixture(scope="session")
        def k8s_cluster_options():
            return {"workers": 2, "node_image": "own:1"}

        def test_it(k8s_cluster):
            assert k8s_cluster.node_image == "own:1"
        """
    ).assert_outcomes(passed=1)
    [options] = machine.made_of
    assert (options.name, options.workers, options.node_image) == ("seatrial", 2, "own:1")


@pytest.mark.parametrize("source", [USES, FAILS])
def test_a_cluster_may_be_kept_always(machine, source):
    machine.tests(source, "--seatrial-keep=always")
    assert machine.clusters == [MADE]


@pytest.mark.parametrize("source", [USES, FAILS])
def test_a_cluster_is_never_kept_by_default(machine, source):
    machine.tests(source)
    assert machine.clusters == [MADE, DELETED]


SETUP_FAILS = """
    import pytest

    @pytest.fixture
    def broken(k8s_cluster):
        raise OSError("no disk")

    def test_it(broken): pass
    def test_more(k8s_cluster): pass
"""
TEARDOWN_FAILS = """
    import pytest

    @pytest.fixture
    def broken(k8s_cluster):
        yield
        raise OSError("no disk")

    def test_it(broken): pass
    def test_more(k8s_cluster): pass
"""
EXPECTED_TO_FAIL = """
    import pytest

    @pytest.mark.xfail(strict=True)
    def test_it(k8s_cluster): assert False

    def test_more(k8s_cluster): pytest.skip("not today")
"""


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        (FAILS, True),
        (SETUP_FAILS, True),
        (TEARDOWN_FAILS, True),
        (USES, False),
        (EXPECTED_TO_FAIL, False),
    ],
    ids=["a test", "a set-up", "a teardown", "nothing", "what was expected to"],
)
def test_a_cluster_is_kept_on_failure_only_if_something_failed(machine, source, kept):
    machine.tests(source, "--seatrial-keep=on-failure")
    assert machine.clusters == ([MADE] if kept else [MADE, DELETED])


def test_a_failure_of_an_earlier_run_keeps_no_cluster_of_this_one(machine):
    machine.tests(FAILS)
    machine.log.clear()
    machine.tests(USES, "--seatrial-keep=on-failure")
    assert machine.clusters == [MADE, DELETED]


@pytest.mark.parametrize("keep", ["never", "on-failure"])
def test_an_interrupted_run_deletes_its_cluster_and_namespaces(machine, keep):
    result = machine.tests(
        "def test_it(k8s_namespace): raise KeyboardInterrupt",
        f"--seatrial-keep={keep}",
        no_reraise_ctrlc=True,
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert machine.clusters == [MADE, DELETED]


def test_a_cluster_that_cannot_be_deleted_is_told_and_fails_the_run(machine, capfd):
    def delete(provider, name, progress):
        raise ClusterError(f"{name} does not go", hint="docker rm")

    machine.monkeypatch.setattr(
        provision, "KindProvider", type("Stuck", (provision.KindProvider,), {"delete": delete})
    )
    result = machine.tests(USES)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    assert "seatrial: seatrial does not go\n-> docker rm" in capfd.readouterr().err


def test_a_kept_cluster_is_left_when_its_namespaces_are_gone(machine):
    machine.tests(WITH_A_NAMESPACE, "--seatrial-keep=always").assert_outcomes(passed=1)
    assert machine.clusters == [MADE]
    assert machine.api.namespaces() == []


def test_the_streams_end_even_if_a_namespace_does_not_go(machine):
    closed = []
    close = Cluster.close
    machine.monkeypatch.setattr(SessionNamespaces, "await_deleted", lambda _: 1 / 0)
    machine.monkeypatch.setattr(Cluster, "close", lambda one: (closed.append(one), close(one)))
    result = machine.tests(WITH_A_NAMESPACE, "--seatrial-keep=always")
    result.assert_outcomes(passed=1, errors=1)
    assert len(closed) == 1


def test_progress_is_seen_although_output_is_captured(machine, capfd):
    machine.tests(USES)
    said = capfd.readouterr().err
    assert "✓ the machine is ready" in said
    assert "✓ the cluster is up" in said


def test_progress_is_seen_where_nothing_is_captured(machine):
    result = machine.tests(USES, "-p", "no:capture")
    result.assert_outcomes(passed=1)
    assert "the machine is ready" in "\n".join(result.outlines + result.errlines)


def test_a_machine_that_cannot_be_prepared_fails_the_set_up(machine):
    def prepare(settings, progress):
        raise EngineError("no Docker engine answers", hint="seatrial setup")

    machine.monkeypatch.setattr("seatrial.setup.provision.prepare", prepare)
    result = machine.tests(USES)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["E   *EngineError: no Docker engine answers", "E * seatrial setup"]
    )
    assert machine.log == []


# --- images


def test_the_image_is_built_from_the_folder_of_the_configuration(machine):
    machine.ini()
    machine.tests(
        "def test_it(k8s_image): assert k8s_image == 'an image'", "--seatrial-extra-ca=none"
    ).assert_outcomes(passed=1)
    assert machine.images == [
        {"base": "on engine", "extra_ca": None, "progress": None, "path": machine.pytester.path}
    ]


def test_the_images_options_can_be_overridden_and_more_images_built(machine):
    bundle = Path(machine.folder / "ca.pem")
    bundle.touch()
    machine.tests(
        """
        import pytest

        @pytest.fixture(scope="session")
        def k8s_image_options():
            return {"path": "app", "repository": "flask"}

        def test_it(k8s_image, k8s_build_image):
            k8s_build_image(path="db", load=False)
        """,
        f"--seatrial-extra-ca={bundle}",
    ).assert_outcomes(passed=1)
    common = {"base": "on engine", "extra_ca": bundle, "progress": None}
    assert machine.images == [
        {**common, "path": "app", "repository": "flask"},
        {**common, "path": "db", "load": False},
    ]
