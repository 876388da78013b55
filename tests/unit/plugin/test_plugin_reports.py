"""What the report of a failed test says beside what pytest itself says."""

from __future__ import annotations

import pytest

SECTION = "*- Kubernetes events -*"

HAPPENS = """
    import pytest
    from seatrial import HttpExpectationError, NotReadyError, event

    @pytest.fixture
    def happened(k8s_cluster, k8s_namespace, k8s_events):
        # a Pod that could not be pulled
        body = {
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "type": "Warning",
            "reason": "BackOff", "message": "Back-off pulling image",
            "involvedObject": {"kind": "Pod", "name": "flask-1", "namespace": k8s_namespace},
        }
        k8s_cluster.objects.create(body, namespace=k8s_namespace)
        k8s_events.expect("BackOff", within=10)
"""


def run(machine, test, *args):
    return machine.tests(f"{HAPPENS}\n{test}", *args)


def test_a_failed_test_shows_the_events_of_its_namespace(machine):
    result = run(machine, "    def test_it(happened): assert 1 == 2")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "E *assert 1 == 2",
        SECTION,
        "   0.00s ! Pod/flask-1  BackOff  Back-off pulling image",
    ])  # fmt: skip


def test_a_failed_set_up_or_teardown_shows_them_as_well(machine):
    result = run(
        machine,
        """
    @pytest.fixture
    def early(happened): raise OSError("no disk")

    @pytest.fixture
    def late(happened):
        yield
        raise OSError("no disk")

    def test_early(early): pass
    def test_late(late): pass
        """,
    )
    result.assert_outcomes(passed=1, errors=2)
    assert sum("Kubernetes events" in line for line in result.outlines) == 2


def test_where_nothing_happened_that_is_said(machine):
    result = run(machine, "    def test_it(k8s_namespace): assert False")
    result.stdout.fnmatch_lines([SECTION, "none were seen"])


@pytest.mark.parametrize(
    "test",
    [
        "def test_it(happened): pass",
        "def test_it(happened): pytest.skip()",
        "def test_it(): assert False",
        "def test_it(happened): raise NotReadyError('it is told already')",
        "def test_it(happened, k8s_events): k8s_events.expect('Started')",
    ],
    ids=["passed", "skipped", "without a namespace", "not ready", "event mismatch"],
)
def test_no_events_are_shown_where_they_would_be_of_no_use(machine, test):
    result = run(machine, f"    {test}", "-rA")
    result.stdout.no_fnmatch_line(SECTION)


def test_other_unmet_expectations_show_them(machine):
    result = run(
        machine, "    def test_it(happened): raise HttpExpectationError('GET / did not succeed')"
    )
    result.stdout.fnmatch_lines(["*HttpExpectationError: GET / did not succeed", SECTION])


def test_an_expectation_that_is_not_met_is_reported_where_the_test_states_it(machine):
    result = run(machine, "    def test_it(k8s_events): k8s_events.expect(event('Started'))")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        ">*def test_it(k8s_events): k8s_events.expect(event('Started'))*",
        "E *EventMismatchError: *Started*",
    ])  # fmt: skip
    result.stdout.no_fnmatch_line("*seatrial/events/*")
    result.stdout.no_fnmatch_line("*timeline.py*")


def test_another_error_shows_where_it_comes_from(machine):
    # after one that hid the frames of the same module
    result = run(
        machine,
        """
    def test_first(k8s_events): k8s_events.expect(event('Started'))
    def test_it(k8s_events): k8s_events.expect()
        """,
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([
        "E *EventMismatchError: *Started*",
        ">*def test_it(k8s_events): k8s_events.expect()*",
        "*seatrial/events/timeline.py:*: ConfigurationError",
    ])  # fmt: skip


def test_frames_between_ours_are_the_testers_and_stay(machine):
    result = run(
        machine,
        """
    def helper(k8s_events):
        k8s_events.expect(event('Started'))

    def test_it(k8s_events):
        helper(k8s_events)
        """,
    )
    result.stdout.fnmatch_lines([">*helper(k8s_events)", ">*k8s_events.expect(event('Started'))"])
