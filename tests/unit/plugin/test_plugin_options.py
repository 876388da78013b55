"""What can be set, where, and what is said of it."""

from importlib.metadata import entry_points

import pytest

from seatrial.core.settings import Settings

SHOW = """
    def test_it(k8s_settings):
        for name in ("cluster_name", "ready_timeout", "keep_namespace", "keep"):
            print(f"{name}: {getattr(k8s_settings, name)} ({k8s_settings.source(name)})")
"""


def test_every_pytest_finds_the_plugin():
    [ours] = entry_points(group="pytest11", name="seatrial")
    assert ours.value == "seatrial.plugin"


def test_help_shows_every_option_with_its_default_in_a_line(machine):
    machine.monkeypatch.setenv("COLUMNS", "240")
    result = machine.run("--help")
    lines = [" ".join(line.split()) for line in result.outlines]
    assert "seatrial: deployments on a real Kubernetes cluster:" in lines
    for option in Settings.options():
        text = f"{option.help} (default: {option.default})"
        [at] = [n for n, line in enumerate(lines) if line.startswith(shown(option))]
        assert text in (lines[at + 1], lines[at].removeprefix(shown(option)).strip())
        [at] = [n for n, line in enumerate(lines) if line.startswith(f"{option.ini} (")]
        assert lines[at + 1] == f"{text}; also {option.flag}, {option.environment}"
    assert "leave each test's namespace in place, to look at afterwards (default: no)" in lines
    assert "how long a deployment may take to become ready (default: 60 s)" in lines


def test_a_percent_sign_in_a_help_text_is_shown_as_it_is(machine):
    [first, *_] = Settings.options()
    options = (first._replace(help="half, that is 50 % (of all)"),)
    machine.monkeypatch.setattr(Settings, "options", lambda: options)
    lines = " ".join(" ".join(machine.run("--help").outlines).split())
    assert lines.count("half, that is 50 % (of all) (default: kind)") == 2


def shown(option):
    if option.is_flag:
        return option.flag
    value = f"{{{','.join(option.choices)}}}" if option.choices else option.name.upper()
    return f"{option.flag}={value}"


def test_the_marker_is_explained(machine):
    result = machine.run("--markers")
    result.stdout.fnmatch_lines([
        "@pytest.mark.k8s_pod_security(level): enforce a Pod Security Standard *restricted*"
    ])  # fmt: skip


def test_every_fixture_says_what_it_is_for(machine):
    result = machine.run("--fixtures")
    lines = result.outlines
    for name in (
        "settings", "cluster_options", "cluster", "image_options", "build_image", "image",
        "namespace_options", "namespace", "deploy", "events", "http",
    ):  # fmt: skip
        [at] = [n for n, line in enumerate(lines) if line.startswith(f"k8s_{name} ")]
        assert lines[at + 1].startswith("    ")
        assert "no docstring" not in lines[at + 1]


def test_the_command_line_wins_over_the_environment_over_the_ini(machine):
    machine.ini(
        seatrial_cluster_name="from-ini", seatrial_ready_timeout="5", seatrial_keep_namespace="yes"
    )
    machine.monkeypatch.setenv("SEATRIAL_CLUSTER_NAME", "from-env")
    machine.monkeypatch.setenv("SEATRIAL_READY_TIMEOUT", "2m")
    result = machine.tests(SHOW, "-s", "--seatrial-cluster-name=from-line")
    result.stdout.fnmatch_lines([
        "seatrial: cluster_name=from-line (command line --seatrial-cluster-name), "
        "keep_namespace=yes (ini seatrial_keep_namespace), "
        "ready_timeout=120 s (environment SEATRIAL_READY_TIMEOUT)",
        "*cluster_name: from-line (command line --seatrial-cluster-name)",
        "ready_timeout: 120.0 (environment SEATRIAL_READY_TIMEOUT)",
        "keep_namespace: True (ini seatrial_keep_namespace)",
        "keep: never (default)",
    ])  # fmt: skip
    result.assert_outcomes(passed=1)


def test_a_flag_is_given_without_a_value(machine):
    result = machine.tests(SHOW, "-s", "--seatrial-keep-namespace")
    result.stdout.fnmatch_lines(["keep_namespace: True (command line --seatrial-keep-namespace)"])


def test_where_all_is_as_by_default_the_header_says_nothing(machine, tmp_path):
    # found by itself in the environment, so nobody has to be told
    bundle = tmp_path / "ca.pem"
    bundle.touch()
    machine.monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    result = machine.tests("def test_it(): pass")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("seatrial:*")


@pytest.mark.parametrize("quiet", [(), ("-q",), ("--no-header",)], ids=["", "-q", "--no-header"])
def test_a_value_that_cannot_be_used_is_told_in_a_line(machine, quiet):
    result = machine.tests(SHOW, "--seatrial-ready-timeout=soon", *quiet)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[0] == (
        "ERROR: ready timeout 'soon' is not a duration such as 60, 60s or 2m"
    )
    assert result.errlines[1:3] == [
        "  from: command line --seatrial-ready-timeout",
        "-> give --seatrial-ready-timeout, SEATRIAL_READY_TIMEOUT or ini seatrial_ready_timeout "
        "another value: how long a deployment may take to become ready",
    ]
    said = "\n".join(result.outlines + result.errlines)
    assert "Traceback" not in said
    assert "test session starts" not in said


def test_an_ini_value_that_cannot_be_used_is_told_in_a_line(machine):
    machine.ini(seatrial_keep="on-failur")
    result = machine.tests("def test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[:3] == [
        "ERROR: keep 'on-failur' must be one of never, on-failure, always",
        "  from: ini seatrial_keep",
        "-> did you mean 'on-failure'?",
    ]


def test_a_choice_that_there_is_not_is_refused_by_pytest_itself(machine):
    result = machine.run("--seatrial-keep=sometimes")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*argument --seatrial-keep: invalid choice: 'sometimes'*"])


def test_an_unknown_variable_of_ours_is_a_misspelt_one(machine):
    machine.monkeypatch.setenv("SEATRIAL_CLUSTR_NAME", "x")
    result = machine.tests("def test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines[:2] == [
        "ERROR: environment SEATRIAL_CLUSTR_NAME: there is no such setting",
        "-> did you mean SEATRIAL_CLUSTER_NAME?",
    ]


def test_help_is_there_whatever_the_environment_says(machine):
    machine.monkeypatch.setenv("SEATRIAL_CLUSTR_NAME", "x")
    assert machine.run("--help").ret == 0
