import pytest
from events_kit import rollout, seen, watching

from seatrial.core.errors import ConfigurationError
from seatrial.events import event, in_order
from seatrial.events.wordings import (
    ambiguous_selector,
    cgroup_v1_deprecated,
    created_container,
    image_already_present,
    image_disk_full,
    preempted,
    started_container,
)

PRESENT = 'Container image "flask:1" already present on machine'
UID = "8b1c6f0e-1f5c-4d5a-9f0e-6f6f2f0b7c11"

# the sentences of Kubernetes 1.34.4 and 1.37.2, filled in as their format strings say
SENTENCES = [
    (created_container(), "Created container: web"),
    (created_container("web"), "Created container: web"),
    (created_container("web"), "Container created"),
    (started_container(), "Started container web"),
    (started_container("web"), "Started container web"),
    (started_container("web"), "Container started"),
    (image_already_present(), PRESENT),
    (image_already_present("flask:1"), PRESENT),
    (image_already_present("flask:1"), PRESENT + " and can be accessed by the pod"),
    (
        image_disk_full(),
        "Failed to garbage collect required amount of images. Attempted to free 5 bytes, but only "
        "found 0 bytes eligible to free.",
    ),
    (
        image_disk_full(),
        "Insufficient free disk space on the node's image filesystem (97% of 10 GiB used). Failed "
        "to free sufficient space by deleting unused images (freed 0 bytes). Investigate disk "
        "usage, as it could be used by active images, logs, volumes, or other data.",
    ),
    (
        cgroup_v1_deprecated(),
        "cgroup v1 support is in maintenance mode, please migrate to cgroup v2",
    ),
    (
        cgroup_v1_deprecated(),
        "cgroup v1 detected. cgroup v1 support is deprecated and will be removed in a future "
        "release. Please migrate to cgroup v2.",
    ),
    (preempted(), f"Preempted by pod {UID} on node worker"),
    (preempted("worker"), f"Preempted by pod {UID} on node worker"),
    (preempted("worker"), f"Preempted by podgroup {UID} on node worker"),
    (preempted("worker"), f"Preempted by pod {UID} on node worker (in kube-scheduler memory)."),
    (
        ambiguous_selector(),
        "pods by selector app=flask are controlled by multiple HPAs: [trial/a trial/b]",
    ),
    (
        ambiguous_selector(),
        "pods by selector app=flask are controlled by more than one HPA (e.g. [trial/a trial/b])",
    ),
]


@pytest.mark.parametrize(("wording", "message"), SENTENCES)
def test_the_sentence_of_each_release_is_known(wording, message):
    assert wording(message)


@pytest.mark.parametrize(("wording", "message"), SENTENCES)
def test_a_sentence_of_another_kind_or_with_more_in_it_is_not_taken(wording, message):
    assert not wording(f"Error: {message}")
    assert not wording("")
    same = {w.name.partition("(")[0] for w, sentence in SENTENCES if w(message)}
    assert same == {wording.name.partition("(")[0]}


@pytest.mark.parametrize(
    ("wording", "message"),
    [
        (created_container("db"), "Created container: web"),
        (started_container("w.b"), "Started container web"),
        (image_already_present("flask:2"), PRESENT),
        (preempted("other"), f"Preempted by pod {UID} on node worker"),
    ],
)
def test_another_name_is_not_taken(wording, message):
    assert not wording(message)


@pytest.mark.parametrize("kubernetes", ["1.34", "1.37"])
def test_a_rollout_is_described_for_both_releases_with_the_same_words(kubernetes):
    _, _, timeline = watching(*rollout(kubernetes))
    match = timeline.expect(
        in_order(
            event("Pulled", message=image_already_present("flask:1")),
            event("Created", message=created_container("web")),
            event("Started", message=started_container()),
        ),
        within=5,
    )
    assert len(match) == 3


def test_the_container_that_a_message_no_longer_names_is_asked_of_the_event():
    wanted = event("Created", message=created_container("web"))
    assert wanted.matches(seen("Created", message="Container created", container="web"))
    assert not wanted.matches(seen("Created", message="Container created", container="db"))
    assert wanted == event("Created", message=created_container("web"), container="web")


def test_a_container_that_contradicts_the_wording_is_refused():
    with pytest.raises(ConfigurationError) as refused:
        event("Created", message=created_container("web"), container="db")
    assert str(refused.value) == (
        "event Created: created_container('web') is not about container 'db'"
    )


def test_a_wording_is_shown_as_it_was_written():
    assert event("Created", message=created_container("web")).conditions == (
        "message created_container('web')"
    )
    assert event("Pulled", message=image_already_present(), container="web").conditions == (
        "message image_already_present(), container web"
    )
