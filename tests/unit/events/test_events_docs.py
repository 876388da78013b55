"""The examples of docs/event-order.md, run as they are written on a rollout that is scripted."""

import re
from pathlib import Path

import pytest
from events_kit import added, watching

PAGE = Path(__file__).parents[3] / "docs" / "event-order.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

FLASK, REPLICASET = "Deployment/flask", "ReplicaSet/flask-6d4"
PRESENT = 'Container image "flask:1" already present on machine'


def pod(at, name):
    on = f"Pod/{name}"
    return [
        added(at, "SuccessfulCreate", REPLICASET, message=f"Created pod: {name}"),
        added(at + 0.01, "Scheduled", on),
        added(at + 0.2, "Pulled", on, message=PRESENT, container="web"),
        added(at + 0.3, "Created", on, container="web"),
        added(at + 0.4, "Started", on, container="web"),
    ]


def step(at, before, after):
    text = f"Scaled up replica set flask-6d4 from {before} to {after}"
    return added(at, "ScalingReplicaSet", FLASK, message=text)


@pytest.fixture
def k8s_events():
    _, _, timeline = watching(
        step(0.1, 0, 2),
        *pod(0.2, "flask-6d4-a"),
        *pod(0.2, "flask-6d4-b"),
        step(8.0, 2, 3),
        *pod(8.1, "flask-6d4-c"),
    )
    return timeline


def test_the_page_has_examples():
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs_as_it_is_written(example, k8s_events):
    exec(compile(example, str(PAGE), "exec"), {"k8s_events": k8s_events})  # noqa: S102 - our own
