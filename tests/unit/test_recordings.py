"""Recordings of real clusters, of two versions of Kubernetes: the verdicts are those of the day.

`docs/recording.md` says how they are made.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from seatrial.core.errors import NotReadyError
from seatrial.core.model import ObjectRef, State
from seatrial.core.recording import Recording
from seatrial.events import Timeline, event, in_order, never
from seatrial.events.sequences import (
    CRASH_LOOP,
    FAILED_PULL,
    FRESH_ROLLOUT,
    FRESH_ROLLOUT_WITH_PULL,
    ROLLING_UPDATE,
    SCALE_UP,
)
from seatrial.events.wordings import created_container, image_already_present, started_container
from seatrial.harness.replaying import replay_all
from seatrial.readiness import diagnose, ready, status, wait_until

FOLDER = Path(__file__).parent / "recordings"
VERSIONS = ("1.34.4", "1.37.2")
STORIES = ("config", "crash", "pull", "rollout", "update")

#: what the wait of a story that fails says, and by which cause
FAILURES = {
    "config": ("ConfigMapMissing", 'container flask needs ConfigMap "look", which does not exist'),
    "crash": ("CrashLoop", 'crashed 2 times with exit code 3 (last log: "no database at db:5432")'),
    "pull": ("ImagePullFailed", 'image "registry.invalid/team/flask:nope" cannot be pulled'),
}


def path_of(kubernetes, story):
    [path] = (FOLDER / kubernetes).glob(f"*test_{story}.jsonl")
    return path


@pytest.fixture(params=VERSIONS)
def kubernetes(request):
    return request.param


@pytest.fixture
def recorded(kubernetes):
    return lambda story: Recording.read(path_of(kubernetes, story))


@pytest.fixture
def timeline(kubernetes):
    return lambda story: Timeline.from_file(path_of(kubernetes, story))


def test_there_are_recordings_of_every_story_and_they_are_small():
    assert {(p.parent.name, p.stem.partition("-test_")[2].rpartition("test_")[2])
            for p in FOLDER.glob("*/*")} == {(v, s) for v in VERSIONS for s in STORIES}  # fmt: skip
    assert sum(path.stat().st_size for path in FOLDER.glob("*/*")) < 300_000


@pytest.mark.parametrize("story", STORIES)
def test_all_that_the_test_asked_has_the_answer_of_the_day(recorded, kubernetes, story):
    recording = recorded(story)
    assert recording.header.kubernetes == kubernetes
    assert recording.contents.ended is not None
    answers = replay_all(recording)
    assert answers
    assert [answer.same for answer in answers] == [True] * len(answers)
    for answer in answers:
        day = answer.asked.ended - answer.asked.started
        # a wait looks every quarter of a second, at moments of its own
        assert answer.seconds == pytest.approx(day, abs=0.5)


@pytest.mark.parametrize("story", ["rollout", "update"])
def test_what_became_ready_becomes_ready_again(recorded, story):
    feed = recorded(story)
    verdict = wait_until(ready("Deployment/flask"), feed, timeout=60)
    assert verdict.message == "Available: 1/1"
    assert feed.clock.monotonic() > feed.header.started, "that took its time"


def test_a_dip_is_seen_that_came_and_went(recorded):
    """During the update a moment comes at which the new ReplicaSet is not yet observed."""
    feed = recorded("update")
    _, second, *_ = feed.asked
    wait_until(ready("Deployment/flask"), feed, timeout=60)
    with pytest.raises(NotReadyError):
        # from before the update until after it, without a break
        wait_until(
            ready("Deployment/flask").holds_for(second.ended - feed.clock.monotonic() + 1),
            feed,
            timeout=second.ended - feed.clock.monotonic() + 1,
        )


@pytest.mark.parametrize("story", FAILURES)
def test_what_failed_fails_for_the_same_cause(recorded, story):
    cause, message = FAILURES[story]
    feed = recorded(story)
    [asked, *_] = feed.asked
    feed.move_to(asked.ended)
    findings = diagnose(feed.snapshot(), ObjectRef("Deployment", "flask", feed.header.namespace))
    assert findings[0].cause == cause
    assert findings[0].message.partition(" (last log")[0] in asked.cause
    assert message in asked.cause


@pytest.mark.parametrize("story", STORIES)
def test_every_state_on_the_way_can_be_judged(recorded, story):
    feed = recorded(story)
    root = ObjectRef("Deployment", "flask", feed.header.namespace)
    states = set()
    while feed.upcoming is not None:
        feed.move_to(feed.upcoming)
        states.add(status(root, feed.snapshot()).state)
        diagnose(feed.snapshot(), root)
    assert State.IMPOSSIBLE not in states
    # one that is about to crash is ready for a moment, which is why a release's wait goes on
    assert (State.SATISFIED in states) is (story in ("rollout", "update")) or story == "crash"


@pytest.mark.parametrize(
    ("story", "sequence"),
    [
        ("rollout", FRESH_ROLLOUT.of("Deployment/flask", replicas=1)),
        ("update", ROLLING_UPDATE.of("Deployment/flask")),
        ("crash", CRASH_LOOP),
        ("pull", FAILED_PULL),
    ],
)
def test_a_ready_made_sequence_fits_what_it_is_made_for(timeline, story, sequence):
    timeline(story).expect(sequence)


@pytest.mark.parametrize(
    ("story", "sequence"),
    [
        ("rollout", ROLLING_UPDATE),
        ("rollout", FRESH_ROLLOUT_WITH_PULL),
        ("rollout", CRASH_LOOP),
        ("update", FAILED_PULL),
        ("update", SCALE_UP),
        ("crash", FAILED_PULL),
        ("pull", FRESH_ROLLOUT),
        ("config", FRESH_ROLLOUT),
    ],
)
def test_and_does_not_fit_what_it_is_not_made_for(timeline, story, sequence):
    with pytest.raises(AssertionError):
        timeline(story).expect(sequence)


def test_messages_are_matched_in_the_wording_of_either_version(timeline, kubernetes):
    seen = timeline("rollout")
    seen.expect(
        in_order(
            event("Pulled", message=image_already_present()),
            event("Created", message=created_container("flask")),
            event("Started", message=started_container("flask")),
        ),
        never(event("Failed")),
    )
    old = kubernetes == "1.34.4"
    [created] = seen.of("Pod", reason="Created")
    assert created.message == ("Created container: flask" if old else "Container created")
    assert created.container == "flask"


def test_the_schedulers_events_are_read_in_their_own_shape(timeline):
    [scheduled] = timeline("rollout").of("Pod", reason="Scheduled")
    assert scheduled.source == "default-scheduler"
    assert scheduled.stamped is not None
    assert not scheduled.listed


def test_nothing_of_a_config_map_but_its_keys_is_kept(recorded):
    feed = recorded("rollout")
    feed.finish()
    [roots] = feed.snapshot().all("ConfigMap")
    assert roots["data"] == {"ca.crt": "<hidden>"}
    assert not any("managedFields" in str(record.object) for record in feed.records())
