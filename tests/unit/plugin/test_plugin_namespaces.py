"""The fixtures of one test: its namespace, and what works in it."""

import pytest

from seatrial.core.settings import Settings

DEPLOYMENT = """
    DEPLOYMENT = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "flask"},
        "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "flask"}]}}},
    }
"""


def created(machine):
    return [seen.body for seen in machine.api.seen("POST") if seen.path == "/api/v1/namespaces"]


def deleted(machine):
    return [seen.path.rpartition("/")[2] for seen in machine.api.seen("DELETE")]


def test_each_test_has_a_namespace_of_its_own_which_is_deleted(machine):
    machine.tests(
        """
        import pytest

        seen = []

        @pytest.mark.parametrize("n", [1, 2])
        def test_it(n, k8s_namespace, k8s_cluster):
            assert k8s_cluster.objects.get("v1", "Namespace", k8s_namespace)
            for before in seen:
                assert k8s_cluster.objects.get("v1", "Namespace", before) is None
            seen.append(k8s_namespace)
        """
    ).assert_outcomes(passed=2)
    names = [body["metadata"]["name"] for body in created(machine)]
    assert len(set(names)) == 2
    assert names[0].startswith("test-it-1-")
    assert deleted(machine) == names
    module = next(machine.pytester.path.glob("test_*.py")).name
    [first, second] = [body["metadata"] for body in created(machine)]
    assert first["annotations"]["seatrial.dev/test-id"] == f"{module}::test_it[1]"
    assert first["labels"]["seatrial.dev/session"] == second["labels"]["seatrial.dev/session"]


@pytest.mark.parametrize("body", ["assert False", "raise KeyboardInterrupt"])
def test_the_namespace_of_a_test_that_fails_is_deleted_as_well(machine, body):
    machine.tests(f"def test_it(k8s_namespace): {body}", no_reraise_ctrlc=True)
    assert len(deleted(machine)) == 1


def test_namespaces_can_be_kept(machine):
    machine.tests(
        "def test_it(k8s_namespace): pass", "--seatrial-keep-namespace", "--seatrial-keep=always"
    ).assert_outcomes(passed=1)
    assert deleted(machine) == []
    assert len(machine.api.namespaces()) == 1


@pytest.mark.parametrize(
    "arguments", ['"restricted"', 'level="restricted"'], ids=["by place", "by name"]
)
def test_a_marker_enforces_pod_security(machine, arguments):
    machine.tests(
        f"""
        import pytest

        @pytest.mark.k8s_pod_security({arguments})
        def test_it(k8s_namespace): pass

        def test_more(k8s_namespace): pass
        """,
        "--strict-markers",
    ).assert_outcomes(passed=2)
    levels = [
        body["metadata"]["labels"].get("pod-security.kubernetes.io/enforce")
        for body in created(machine)
    ]
    assert levels == ["restricted", None]


def test_a_marker_without_a_level_is_an_error(machine):
    result = machine.tests(
        """
        import pytest

        @pytest.mark.k8s_pod_security
        def test_it(k8s_namespace): pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*TypeError: *missing 1 required positional argument: 'level'"])


def test_the_namespaces_options_can_be_overridden(machine):
    machine.tests(
        """
        import pytest

        @pytest.fixture
        def k8s_namespace_options():
            return {"pod_security": "baseline"}

        def test_it(k8s_namespace): pass
        """
    ).assert_outcomes(passed=1)
    [body] = created(machine)
    assert body["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"


def test_what_is_deployed_is_labelled_and_waited_for_as_long_as_the_settings_say(machine):
    machine.tests(
        DEPLOYMENT
        + """

    def test_it(k8s_deploy, k8s_namespace, k8s_cluster):
        release = k8s_deploy(DEPLOYMENT)
        assert release.namespace == k8s_namespace
        labels = release["Deployment/flask"]["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "seatrial"
        assert "test_it" in labels["seatrial.dev/test"]
        assert labels["seatrial.dev/session"] == k8s_cluster.namespaces.session
        assert k8s_deploy.ready_timeout == 7.0
        """,
        "--seatrial-ready-timeout=7",
    ).assert_outcomes(passed=1)


OUTSIDE = """
    def test_it(k8s_deploy):
        body = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass"}
        k8s_deploy({**body, "metadata": {"name": "fast"}, "provisioner": "none"})
"""


@pytest.mark.parametrize(("options", "left"), [([], 0), (["--seatrial-keep-namespace"], 1)])
def test_what_lives_in_no_namespace_goes_with_the_test_or_stays_with_its_namespace(
    machine, options, left
):
    machine.tests(OUTSIDE, *options).assert_outcomes(passed=1)
    classes = [name for kind, _, name in machine.api.objects if kind == "StorageClass"]
    assert len(classes) == left


def test_an_endpoint_that_a_test_leaves_open_is_closed_after_it(machine):
    machine.tests(
        """
        opened = []

        def test_it(k8s_http, k8s_deploy):
            port = {"port": 5000}
            service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "flask"}}
            k8s_deploy({**service, "spec": {"selector": {"app": "flask"}, "ports": [port]}})
            endpoint = k8s_http.service("flask", port=5000)
            endpoint.route.close = lambda: opened.append("closed")

        def test_after_it():
            assert opened == ["closed"]
        """
    ).assert_outcomes(passed=2)


def test_helm_is_the_one_of_the_settings(machine, tmp_path):
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    machine.tests(
        f"def test_it(k8s_deploy): assert str(k8s_deploy.helm) == {str(program)!r}",
        f"--seatrial-helm={program}",
    ).assert_outcomes(passed=1)
    machine.tests("def test_it(k8s_deploy): assert k8s_deploy.helm == 'helm'").assert_outcomes(
        passed=1
    )


def test_the_way_to_the_application_has_the_settings_timeout(machine):
    machine.tests(
        """
        def test_it(k8s_http, k8s_namespace, k8s_cluster):
            assert k8s_http.timeout == 3.0
            assert k8s_http.namespace == k8s_namespace
            assert k8s_http.cluster is k8s_cluster
        """,
        "--seatrial-http-timeout=3",
    ).assert_outcomes(passed=1)


def test_events_are_recorded_since_before_the_first_apply(machine):
    machine.tests(
        """
        def test_it(k8s_namespace, k8s_cluster, request):
            event = {
                "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"},
                "reason": "Scheduled", "involvedObject": {"kind": "Pod", "name": "flask-1"},
            }
            k8s_cluster.objects.create(event, namespace=k8s_namespace)
            # asked for only now
            timeline = request.getfixturevalue("k8s_events")
            assert timeline.expect("Scheduled", within=10)["Scheduled"].object.name == "flask-1"
            assert timeline._tie == 7.0
        """,
        "--seatrial-event-tie=7",
    ).assert_outcomes(passed=1)


def test_the_timeouts_that_are_set_here_are_not_the_defaults():
    defaults = Settings()
    assert (defaults.event_tie, defaults.http_timeout, defaults.ready_timeout) == (2.0, 10.0, 60.0)
