"""No false alarm: a thousand slow and healthy starts, each played in virtual time."""

from __future__ import annotations

from collections import Counter

import pytest
from histories import DELAYS, healthy, stuck

from seatrial.core.errors import NotReadyError
from seatrial.readiness import ready, wait_until

FLASK = ready("Deployment/flask", "shop")
HISTORIES = 1000


def test_a_thousand_slow_and_healthy_starts_raise_no_alarm():
    alarms, delays = [], Counter()
    for seed in range(HISTORIES):
        history = healthy(seed)
        delays.update(history.delays)
        feed = history.feed()
        try:
            # a Secret that came late is found when it is asked for
            wait_until(FLASK, feed, timeout=1000, exists=lambda ref, key: True)
        except NotReadyError as error:
            alarms.append(f"{seed} {history.delays} at {feed.clock.now:.1f} s: {error.cause}")
            continue
        assert feed.clock.now == pytest.approx(history.now, abs=0.3)
    assert alarms == []
    # every delay had its turn, and often
    assert {name for name, count in delays.items() if count >= 20} == {d.__name__ for d in DELAYS}


@pytest.mark.parametrize("delay", DELAYS, ids=lambda delay: delay.__name__)
def test_each_delay_is_found_where_it_stays(delay):
    """So that the thousand cannot pass just because nothing is ever found."""
    history = stuck(delay)

    with pytest.raises(NotReadyError) as raised:
        wait_until(FLASK, history.feed(), timeout=400)

    told = f"{raised.value.cause} / {raised.value.details}"
    assert FOUND[delay.__name__] in told
    # what is no fault by itself is left to the timeout
    assert ("still so" in raised.value.cause) == (delay.__name__ in LEFT_TO_THE_TIMEOUT)


FOUND = {
    "quota_freed_later": "exceeded quota small",
    "account_comes_late": "service account shop/robot does not exist",
    "node_becomes_ready_late": "no node is ready",
    "claim_is_bound_late": "PersistentVolumeClaim is not bound",
    "claim_comes_late": 'PersistentVolumeClaim "data", which does not exist',
    "room_is_made": "no node has enough cpu left",
    "volume_waits_for_config_map": 'volume c needs ConfigMap "late"',
    "sandbox_fails_at_first": "its sandbox cannot be set up",
    "pull_is_slow": "Pulling image",
    "registry_hesitates": "the registry does not answer in time",
    "config_map_comes_late": 'needs ConfigMap "settings"',
    "secret_comes_late": 'needs Secret "login"',
    "name_is_still_taken": "container name is reserved",
    "first_run_ends": "crashed once with exit code 1",
    "node_is_restarted": "Available: 0/1",
    "probe_fails_for_a_while": "the readiness probe of container web fails",
}
LEFT_TO_THE_TIMEOUT = ("pull_is_slow", "first_run_ends", "node_is_restarted")
