"""What a person reads when something goes wrong."""

import pytest

from seatrial.core import errors
from seatrial.core.errors import (
    ApiError,
    CommandError,
    ConfigurationError,
    EngineError,
    EventMismatchError,
    ExpectationError,
    HttpExpectationError,
    ManifestError,
    NodeImageError,
    NotReadyError,
    ProvenanceError,
    SeatrialError,
    SetupError,
    ToolError,
)


def test_the_cause_comes_first_then_the_evidence_then_the_way_out():
    error = SeatrialError("it broke", details="one\ntwo\n", hint="do this\nand that\n")
    assert str(error) == "it broke\n  one\n  two\n-> do this\n   and that"


def test_an_error_without_evidence_and_hint_is_one_line():
    assert str(SeatrialError("it broke")) == "it broke"


def test_every_error_has_the_one_root():
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), SeatrialError)


@pytest.mark.parametrize(
    "kind", [NotReadyError, EventMismatchError, HttpExpectationError, ProvenanceError]
)
def test_a_fault_of_the_product_is_a_failed_assertion(kind):
    with pytest.raises(AssertionError, match="not ready"):
        raise kind("not ready")
    assert issubclass(kind, ExpectationError)


def test_a_fault_around_the_test_is_no_failed_assertion():
    around = {getattr(errors, name) for name in errors.__all__} - {
        ExpectationError, NotReadyError, EventMismatchError, HttpExpectationError, ProvenanceError,
    }  # fmt: skip
    assert not any(issubclass(kind, AssertionError) for kind in around)


def test_what_is_special_is_also_what_is_general():
    assert issubclass(ManifestError, ConfigurationError)
    for kind in (EngineError, ToolError, NodeImageError):
        assert issubclass(kind, SetupError)


def test_an_api_error_carries_status_and_reason():
    error = ApiError("pods is forbidden", status=403, reason="Forbidden", hint="grant it")
    assert (error.status, error.reason) == (403, "Forbidden")
    assert str(error) == "pods is forbidden\n-> grant it"


def test_a_command_error_can_be_pasted_into_a_shell():
    error = CommandError(
        ["/opt/bin/kind", "create", "a b", "it's"], status=3, output="starting\nno space left\n"
    )
    assert str(error).splitlines() == [
        "kind ended with status 3",
        """  $ /opt/bin/kind create 'a b' 'it'"'"'s'""",
        "  starting",
        "  no space left",
    ]
    assert error.argv == ("/opt/bin/kind", "create", "a b", "it's")
    assert error.status == 3


def test_a_command_error_shows_the_last_lines_and_says_how_many_it_leaves_out():
    output = "\n".join(f"line {number}" for number in range(1, 101))
    error = CommandError(["make"], status=2, output=output, hint="try again")
    lines = str(error).splitlines()
    assert lines[2] == "  … 60 lines before this …"
    assert lines[3] == "  line 61"
    assert lines[-2:] == ["  line 100", "-> try again"]
    assert error.output == output


def test_output_of_just_as_many_lines_as_are_shown_is_shown_whole():
    output = "\n".join(str(number) for number in range(CommandError.SHOWN_LINES))
    assert "…" not in str(CommandError(["make"], status=2, output=output))


def test_a_command_that_did_not_end_says_why_instead_of_a_status():
    error = CommandError(["kind"], status=None, output="", because="did not end within 5 s")
    assert str(error) == "kind did not end within 5 s\n  $ kind"
