"""Progress as a person sees it: in a log line by line, on a terminal in one line that lives."""

import io
import threading
from types import SimpleNamespace

import pytest
from rich.console import Console

from seatrial.report import console as module
from seatrial.report.console import ConsoleProgress


class Output(io.StringIO):
    """What was printed; `printed(text)` waits until it has been."""

    def __init__(self):
        super().__init__()
        self._grown = threading.Condition()

    def write(self, text):
        with self._grown:
            self._grown.notify_all()
            return super().write(text)

    def printed(self, text):
        with self._grown:
            return self._grown.wait_for(lambda: text in self.getvalue(), timeout=20)


@pytest.fixture
def output():
    return Output()


@pytest.fixture
def time(monkeypatch):
    """The seconds that `time.monotonic()` gives there."""
    time = SimpleNamespace(now=100.0, monotonic=lambda: time.now)
    monkeypatch.setattr(module, "time", time)
    return time


@pytest.fixture
def plain(output):
    return ConsoleProgress(Console(file=output, force_terminal=False, width=200))


@pytest.fixture
def live(output):
    return ConsoleProgress(
        Console(file=output, force_terminal=True, width=60, color_system=None, legacy_windows=False)
    )


def test_in_a_log_a_step_is_one_line_at_its_start_and_one_at_its_end(plain, output, time):
    with plain.step("building kind with Go") as step:
        assert output.getvalue() == "… building kind with Go\n"
        step.line("compiling")
        time.now += 3.25
    assert output.getvalue().splitlines() == [
        "… building kind with Go",
        "✓ building kind with Go (3.2 s)",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 0 s"), (125.9, "2 min 5 s"), (3600, "60 min 0 s")],
)
def test_the_time_is_told_in_seconds_and_from_a_minute_on_in_minutes(
    plain, output, time, seconds, said
):
    with plain.step("x"):
        time.now += seconds
    assert output.getvalue().endswith(f"✓ x ({said})\n")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_step_that_fails_is_marked_and_its_error_goes_on(plain, output, error):
    def fail():
        with plain.step("building kind"):
            raise error

    with pytest.raises(error):
        fail()
    assert output.getvalue().splitlines() == ["… building kind", "✗ building kind: failed"]


def test_a_note_is_one_line(plain, output):
    plain.note("cluster trial is there, and healthy")
    assert output.getvalue() == "✓ cluster trial is there, and healthy\n"


def test_what_looks_like_markup_is_shown_as_it_is(plain, output):
    plain.note("[red]/[/x]")
    with plain.step("making [bold]x[/y]"):
        pass
    assert output.getvalue().startswith("✓ [red]/[/x]\n… making [bold]x[/y]\n✓ making [bold]x[/y] ")


def test_a_log_shows_now_and_then_that_the_work_goes_on(plain, output, time, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.005)
    with plain.step("building") as step:
        step.line("  compiling k8s.io/api [1/9]\n")
        time.now += 90
        assert output.printed("  1 min 30 s: compiling k8s.io/api [1/9]\n")


def test_a_line_of_a_heartbeat_is_never_long(plain, output, time, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.005)
    with plain.step("building") as step:
        step.line("x" * 1000)
        assert output.printed("  0.0 s: xxx")
    assert max(len(line) for line in output.getvalue().splitlines()) == 160


def test_a_step_that_is_done_is_silent(plain, output, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.005)
    with plain.step("building") as step:
        pass
    step._heart.join(20)
    assert not step._heart.is_alive()


def test_a_short_step_shows_no_heartbeat(plain, output):
    with plain.step("building") as step:
        step.line("compiling")
    assert "compiling" not in output.getvalue()


def test_on_a_terminal_the_latest_line_of_output_is_shown(live, output):
    with live.step("building") as step:
        for line in ("compiling a", "  compiling b [1/9]\n"):
            step.line(line)
            step._bars.refresh()
    shown = output.getvalue()
    assert shown.index("compiling a") < shown.index("compiling b (1/9]")
    assert "building" in shown
    assert shown.endswith("s)\n")
    assert "✓ building (0.0 s)" in shown


def test_on_a_terminal_a_long_line_is_cut_to_the_room_there_is(live, output):
    with live.step("building") as step:
        step.line("y" * 500)
        step._bars.refresh()
    # 60 columns, less the title's and those of spinner and time
    assert "y" * 36 in output.getvalue()
    assert "y" * 37 not in output.getvalue()


def test_on_a_terminal_a_title_is_no_markup(live, output):
    with live.step("making [bold]x[/y]") as step:
        step._bars.refresh()
    assert "making [bold]x[/y]" in output.getvalue()


def test_on_a_terminal_a_failed_step_is_marked(live, output):
    def fail():
        with live.step("building"):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no words
        fail()
    assert output.getvalue().endswith("✗ building: failed\n")


def test_a_line_before_the_step_began_shows_nothing(live, output):
    module._LiveStep(live.console, "building").line("too early")
    assert output.getvalue() == ""


def test_progress_goes_to_standard_error_so_that_output_can_be_piped(capsys):
    ConsoleProgress().note("done")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "✓ done\n")
