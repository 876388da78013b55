"""The matcher against a brute-force reading of its rule, and against histories of rollouts."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import product

from events_kit import EPOCH, seen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.events import (
    EventPattern,
    InOrder,
    Matcher,
    any_order,
    each_pod,
    event,
    in_order,
    slots_of,
)
from seatrial.events.patterns import leaves
from seatrial.events.precedence import Precedence, first_of, last_of

# how fast the machine is, and what else it does, is not what is tested here
unhurried = partial(settings, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# ---- an oracle that tries everything


def written(occurrences):
    """When each was written: for listed ones the latest stamp up to there."""
    own = [
        s.received - max(0.0, (s.wall - s.stamped).total_seconds()) if s.stamped else s.received
        for s in occurrences
    ]
    return [max(own[: place + 1]) for place in range(len(own))]


def may_follow(occurrences, tie, first, second):
    a, b = occurrences[first], occurrences[second]
    if (a.source, a.object) == (b.source, b.object):
        return second > first
    times = written(occurrences)
    return second > first or times[first] - times[second] <= tie


def holds(pattern, places, follows):
    """Is every in_order of the pattern kept, its leaves being given these places in turn?"""
    if isinstance(pattern, EventPattern):
        return True
    places = list(places)
    parts = []
    for child in pattern.patterns:
        count = len(list(leaves(child)))
        parts.append((child, places[:count]))
        places = places[count:]
    if not all(holds(child, part, follows) for child, part in parts):
        return False
    return not isinstance(pattern, InOrder) or all(
        follows(a, b)
        for i, (_, earlier) in enumerate(parts)
        for _, later in parts[i + 1 :]
        for a in earlier
        for b in later
    )


def is_fit(pattern, occurrences, tie, places):
    return (
        len(set(places)) == len(places)
        and all(
            leaf.matches(occurrences[place])
            for leaf, place in zip(leaves(pattern), places, strict=True)
        )
        and holds(pattern, places, lambda a, b: may_follow(occurrences, tie, a, b))
    )


def some_fit(pattern, occurrences, tie):
    candidates = [
        [place for place, s in enumerate(occurrences) if leaf.matches(s)]
        for leaf in leaves(pattern)
    ]
    return any(is_fit(pattern, occurrences, tie, places) for places in product(*candidates))


REASONS, OBJECTS = "AABC", ["Pod/x", "Pod/y"]
TIES = st.sampled_from([0.0, 0.5, 1.5, 100.0])


@st.composite
def timelines(draw):
    """Occurrences in the order of a timeline; times are quarters, which floats hold exactly."""
    at, found = 0.0, []
    listed = draw(st.sampled_from([0, 0, 3, 7]))
    for place in range(draw(st.integers(1, 7))):
        at += draw(st.sampled_from([0.0, 0.25, 0.75, 1.5]))
        was_listed = place < listed
        stamp = EPOCH + timedelta(seconds=at + draw(st.sampled_from([-3, 0, 0, 1, 99])))
        found.append(
            seen(
                draw(st.sampled_from(REASONS)),
                draw(st.sampled_from(OBJECTS)),
                at=20.0 if was_listed else 20.0 + at,
                source=draw(st.sampled_from(["kubelet", "kubelet", "scheduler"])),
                listed=was_listed,
                stamped=stamp if was_listed else None,
            )
        )
    return found


@st.composite
def patterns(draw, occurrences):
    """Up to five leaves in nested groups, each leaf made so that something matches it."""

    def part(count):
        if count == 1:
            model = draw(st.sampled_from(occurrences))
            leaf = event(model.reason, on=draw(st.sampled_from([None, str(model.object)])))
            return draw(st.sampled_from([leaf, in_order(leaf), any_order(leaf)]))
        group = draw(st.sampled_from([in_order, any_order]))
        left = draw(st.integers(1, count - 1))
        return group(part(left), part(count - left))

    return part(draw(st.integers(1, 5)))


@unhurried(max_examples=300)
@given(st.data(), timelines(), TIES)
def test_the_matcher_finds_a_fit_exactly_where_there_is_one(data, occurrences, tie):
    pattern = data.draw(patterns(occurrences))
    places = Matcher(occurrences, tie=tie).fit(slots_of(pattern, occurrences))
    if places is None:
        assert not some_fit(pattern, occurrences, tie)
    else:
        assert is_fit(pattern, occurrences, tie, places)


@st.composite
def puzzles(draw):
    """Chains in which the same reasons stand in different orders, so that greedy choices fail."""
    length = draw(st.integers(2, 5))
    reasons = [chr(ord("A") + number) for number in range(length)]
    pace = draw(st.sampled_from([0.0, 0.25]))
    steps = [
        (reason, f"Pod/{chain}")
        for chain in range(draw(st.integers(1, 3)))
        for reason in draw(st.permutations(reasons))[: draw(st.integers(1, length))]
    ]
    if draw(st.booleans()):
        steps.sort(key=lambda step: reasons.index(step[0]), reverse=True)
    return reasons, [seen(reason, on, at=i * pace) for i, (reason, on) in enumerate(steps)]


@unhurried(max_examples=300)
@given(puzzles(), st.data(), st.sampled_from([0.0, 0.5, 100.0]))
def test_chains_that_compete_for_the_same_leaves_are_decided_exactly(puzzle, data, tie):
    reasons, occurrences = puzzle
    many = data.draw(st.integers(1, len(reasons)))
    if data.draw(st.booleans()):
        pattern = in_order(*reasons)
    else:
        pattern = any_order(in_order(*reasons[:many]), in_order(*reasons), reasons[0])
    places = Matcher(occurrences, tie=tie).fit(slots_of(pattern, occurrences))
    assert (places is not None) is some_fit(pattern, occurrences, tie)


@unhurried(max_examples=60)
@given(timelines(), st.data(), TIES)
def test_sets_of_places_follow_each_other_as_their_members_do(occurrences, data, tie):
    every = range(len(occurrences))
    places = data.draw(st.lists(st.sampled_from(every), min_size=1, unique=True))
    bits = sum(1 << place for place in places)
    precedence = Precedence(occurrences, tie=tie)
    follows = [p for p in every if any(may_follow(occurrences, tie, q, p) for q in places)]
    precedes = [p for p in every if any(may_follow(occurrences, tie, p, q) for q in places)]
    assert [p for p in every if precedence.after_any(bits) >> p & 1] == follows
    assert [p for p in every if precedence.before_any(bits) >> p & 1] == precedes
    assert (first_of(bits), last_of(bits)) == (min(places), max(places))


# ---- histories of rollouts

TIE = 2.0
DEPLOYMENT, REPLICASET = "Deployment/flask", "ReplicaSet/flask-6d4"
KUBELET = ["Pulling", "Pulled", "Created", "Started"]

ROLLOUT = in_order(
    event("ScalingReplicaSet", on=DEPLOYMENT),
    each_pod("Scheduled", *KUBELET, of=DEPLOYMENT),
)
CREATION = in_order(
    event("ScalingReplicaSet", on=DEPLOYMENT),
    event("SuccessfulCreate", on="ReplicaSet/flask-*"),
    any_order(event("Scheduled", on="Pod/flask-*"), event("Started", on="Pod/flask-*")),
)

quarters = st.integers(0, 12).map(lambda n: n / 4)
delays = st.integers(0, int(TIE * 4)).map(lambda n: n / 4)


@st.composite
def rollouts(draw, *, delays=delays):
    """What a rollout of some pods writes, each event up to the tie after what it tells of.

    A list of (happened, occurrence), in the order of the writing, in which a component never
    overtakes itself about one object.
    """
    done, histories = 0.0, []
    chains = {}

    def tell(happened, reason, on):
        occurrence = seen(reason, on)
        key = occurrence.source, occurrence.object
        at = max(happened + draw(delays), chains.get(key, 0.0))
        chains[key] = at
        histories.append((at, len(histories), replace(occurrence, received=at)))

    done += draw(quarters)
    tell(done, "ScalingReplicaSet", DEPLOYMENT)
    for number in range(draw(st.integers(1, 3))):
        pod, happened = f"Pod/flask-6d4-{number}", done + draw(quarters)
        tell(happened, "SuccessfulCreate", REPLICASET)
        for reason in ["Scheduled", *KUBELET]:
            happened += draw(quarters)
            tell(happened, reason, pod)
    # a stable sort but for draws: chains keep their order, since `number` grows along each
    return [occurrence for _, _, occurrence in sorted(histories, key=lambda step: step[:2])]


def fits(pattern, occurrences):
    return Matcher(occurrences, tie=TIE).fit(slots_of(pattern, occurrences)) is not None


@unhurried(max_examples=60)
@given(rollouts())
def test_every_order_that_kubernetes_may_write_a_rollout_in_fits(occurrences):
    assert fits(ROLLOUT, occurrences)
    assert fits(CREATION, occurrences)


@unhurried(max_examples=60)
@given(rollouts(), st.data())
def test_a_rollout_of_which_one_event_is_missing_does_not_fit(occurrences, data):
    asked_for = [place for place, s in enumerate(occurrences) if s.reason != "SuccessfulCreate"]
    gone = data.draw(st.sampled_from(asked_for))
    assert not fits(ROLLOUT, [*occurrences[:gone], *occurrences[gone + 1 :]])


@unhurried(max_examples=60)
@given(rollouts(), st.data())
def test_two_events_of_one_component_about_one_object_cannot_change_places(occurrences, data):
    pod = data.draw(st.sampled_from([s.object for s in occurrences if s.reason == "Started"]))
    chain = [
        place for place, s in enumerate(occurrences) if (s.source, s.object) == ("kubelet", pod)
    ]
    one, other = sorted(data.draw(st.permutations(chain))[:2])
    swapped = list(occurrences)
    swapped[one] = replace(occurrences[other], received=occurrences[one].received)
    swapped[other] = replace(occurrences[one], received=occurrences[other].received)
    assert not fits(ROLLOUT, swapped)


@unhurried(max_examples=60)
@given(rollouts(), st.data())
def test_an_event_of_another_component_that_is_later_than_a_tie_does_not_fit(occurrences, data):
    late = data.draw(
        st.sampled_from([p for p, s in enumerate(occurrences) if s.reason == "Scheduled"])
    )
    first = next(
        s for s in occurrences if s.object == occurrences[late].object and s.reason == "Pulling"
    )
    at = first.received + TIE + 0.25
    moved = [s for place, s in enumerate(occurrences) if place != late]
    moved.append(replace(occurrences[late], received=at))
    moved.sort(key=lambda s: s.received)
    assert not fits(ROLLOUT, moved)
