"""A timeline of a recorded test, looked at on a desk."""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial import EventMismatchError
from seatrial.core.errors import ConfigurationError
from seatrial.events import Timeline, event, in_order, never

RECORDINGS = Path(__file__).parent.parent / "recordings"


@pytest.mark.parametrize("kubernetes", ["1.34.4", "1.37.2"])
def test_all_events_of_a_recording_are_there_at_once(kubernetes):
    [path] = (RECORDINGS / kubernetes).glob("*test_rollout.jsonl")
    timeline = Timeline.from_file(path)
    assert {"ScalingReplicaSet", "Scheduled", "Pulled", "Created", "Started"} <= {
        seen.reason for seen in timeline
    }
    timeline.expect(
        in_order(event("ScalingReplicaSet", on="Deployment/flask"), "Scheduled", "Started"),
        never("BackOff"),
    )
    # a bound counts from the beginning of the recording
    timeline.expect(event("Started", within=30))
    with pytest.raises(EventMismatchError):
        timeline.expect(event("Started", within=0.001))
    with pytest.raises(EventMismatchError, match="BackOff"):
        timeline.expect("BackOff", within=5)


def test_what_is_no_recording_is_refused(tmp_path):
    (tmp_path / "x.jsonl").write_text("hello\n")
    with pytest.raises(ConfigurationError, match="is not a recording"):
        Timeline.from_file(tmp_path / "x.jsonl")
