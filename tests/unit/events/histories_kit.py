"""Histories of clusters, made up from what causes what, for the oracle.

Nothing here knows the matcher. What a legal interleaving is, is said here once more, from the side
of the cluster:

1. An *action* (a Pod is bound, a container started) is done by a *process* (scheduler, kubelet, …)
   at some time, and not before any of its causes.
2. The process puts an event of it into its queue in the order of its actions. About one object the
   queue is first in, first out.
3. The event is written at the time of the action or up to `TIE` seconds later.
4. Events are received in the order in which they are written.

`play` does this with random times. `is_legal` asks of a finished history whether any times of the
actions could have led to it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, count, islice, permutations, product

from events_kit import EPOCH, ref, stamp

from seatrial.core.model import Change
from seatrial.events import Occurrence, any_order, event, in_order, one_of, optional, repeated
from seatrial.events import sequences as named

TIE = 2.0
QUARTER = 0.25
"""Times are multiples of it, which floats hold exactly: ties are met to the point."""

DEPLOYMENTS, REPLICASETS = "deployment-controller", "replicaset-controller"
SCHEDULER, KUBELET, NODES = "default-scheduler", "kubelet", "node-controller"


@dataclass(frozen=True)
class Action:
    process: str
    reason: str
    object: str
    causes: tuple[int, ...] = ()
    """The numbers of the actions before it that are expected to be so; the ones before those go
    without saying."""
    after: tuple[int, ...] = ()
    """Further ones that it comes after, of which nothing is asserted."""
    message: str = ""
    type: str = "Normal"
    container: str = ""
    asserted: bool = True
    """Is it expected at all?"""

    @property
    def queue(self):
        return self.process, self.object

    @property
    def looks(self):
        """What tells its event from others."""
        return self.process, self.reason, self.object, self.container, self.message


@dataclass
class Plan:
    """What happens, and what is expected of it."""

    actions: list[Action] = field(default_factory=list)
    expected: object = None
    """A pattern, or a named sequence, that every legal interleaving fits."""
    interchangeable: list[list[str]] = field(default_factory=list)
    """Names of Pods of one ReplicaSet each."""
    before: list[set[int]] = field(default_factory=list)
    """For each action all that must have been before it."""

    def does(self, process, reason, object, causes=(), **more):  # noqa: A002 - Kubernetes' word
        self.actions.append(Action(process, reason, object, tuple(causes), **more))
        self.before.append(set(causes).union(*(self.before[cause] for cause in causes)))
        return len(self.actions) - 1


@dataclass(frozen=True)
class Written:
    """The event of an action as it was written. A history is a list of these in their order."""

    action: Action
    number: int
    at: float
    happened: float = 0.0


def play(plan, random, *, latest=TIE):
    """One legal interleaving: random times of the actions, random delays of the writing.

    `latest` is how many seconds after its action an event is written, at most.
    """
    pace = random.choice((0, 1, 1, 4, 16))
    slowness = int(random.choice((0.0, 0.5, 1.0, 1.0)) * latest / QUARTER)
    rank = []
    for action in plan.actions:
        causes = action.causes + action.after
        rank.append(max((rank[cause] for cause in causes), default=0.0) + random.random())
    done, queues, history = [0] * len(rank), {}, []
    for number in sorted(range(len(rank)), key=rank.__getitem__):
        action = plan.actions[number]
        happened, written = queues.get(action.queue, (0, 0))
        happened = max([happened, *(done[cause] for cause in action.causes + action.after)])
        happened += int(random.random() * (pace + 1))
        # the queue holds up what is behind, so it comes no later than what it waits for
        written = max(happened + int(random.random() * (slowness + 1)), written)
        queues[action.queue] = happened, written
        done[number] = happened
        history.append((written, number, happened))
    return in_the_order_of_writing(plan, history, random)


def in_the_order_of_writing(plan, history, random):
    """From (quarter of the writing, number, quarter of the action), in the order of the actions.

    What is written at one moment comes in any order, but for that of each queue.
    """
    tickets = [random.random() for _ in history]
    places = sorted(range(len(history)), key=lambda place: (history[place][0], tickets[place]))
    queues = {}
    for step in history:
        queues.setdefault(plan.actions[step[1]].queue, []).append(step)
    turns = []
    for place in places:
        # sorted by time, as the queue is: so each takes the time that is its own
        written, number, happened = queues[plan.actions[history[place][1]].queue].pop(0)
        action = plan.actions[number]
        turns.append(Written(action, number, written * QUARTER, happened * QUARTER))
    return turns


def is_legal(plan, history):
    """Could the actions that are expected have led to this history, at some times?

    If it has more events that look alike than there are such actions, some are not of them. Which
    of the Pods of one ReplicaSet is which, nobody can tell, so they may all change their names.
    """
    wanted = Counter(action.looks for action in plan.actions)
    places = {}
    for place, written in enumerate(history):
        places.setdefault(written.action.looks, []).append(place)
    spare = [
        combinations(its, len(its) - wanted[looks])
        for looks, its in places.items()
        if len(its) > wanted[looks] > 0
    ]
    left_out = [set(chain(*each)) for each in product(*spare)]
    return any(
        _is_legal(plan, [each for place, each in enumerate(renamed) if place not in gone])
        for renamed in _renamed(plan, history)
        for gone in left_out
    )


def _renamed(plan, history):
    yield history
    if not plan.interchangeable:
        return
    orders = [permutations(pods) for pods in plan.interchangeable]
    for order in islice(product(*orders), 1, None):
        names = dict(
            pair
            for pods, others in zip(plan.interchangeable, order, strict=True)
            for pair in zip(pods, others, strict=True)
        )
        yield [_with_names(written, names) for written in history]


def _with_names(written, names):
    action = written.action
    kind, _, name = action.object.partition("/")
    pod = name if kind == "Pod" else action.message.rpartition(" ")[2]
    other = names.get(pod, pod)
    if other == pod:
        return written
    action = replace(
        action,
        object=action.object.replace(pod, other),
        message=action.message.replace(pod, other),
    )
    return Written(action, written.number, written.at)


def _is_legal(plan, history):
    """Each action needs an event of its own.

    Its earliest time is `TIE` before the writing, but not before the earliest of its causes; and it
    must not be after the writing. In one queue, what was caused stands after what caused it.
    """
    events = {}
    for place, written in enumerate(history):
        events.setdefault(written.action.looks, []).append((place, written.at))
    earliest, places = [], []
    for number, action in enumerate(plan.actions):
        time = max((earliest[cause] for cause in action.causes), default=float("-inf"))
        place = None
        if action.asserted:
            its = events.get(action.looks)
            if not its:
                return False
            place, at = its.pop(0)
            time = max(time, at - TIE)
            if time > at:
                return False
            for cause in plan.before[number]:
                behind = plan.actions[cause]
                if behind.asserted and behind.queue == action.queue and places[cause] > place:
                    return False
        earliest.append(time)
        places.append(place)
    return True


def occurrences(history):
    """What a timeline shows of a history. An Event object counts what looks the same."""
    counts, found = {}, []
    for number, written in enumerate(history, start=1):
        action = written.action
        times = counts[action.looks] = counts.get(action.looks, 0) + 1
        found.append(
            Occurrence(
                number=number,
                received=written.at,
                wall=EPOCH,
                reason=action.reason,
                type=action.type,
                message=action.message,
                count=times,
                new=1,
                object=_ref(action.object),
                container=action.container,
                source=action.process,
            )
        )
    return found


_refs = {}


def _ref(on):
    if on not in _refs:
        _refs[on] = ref(on)
    return _refs[on]


def deliveries(history, random):
    """The same as a feed delivers it: (second, change, Event object) in turn.

    The first of them are listed: each object once, as it is by then, in any order. The others are
    watched, and some delivered twice.
    """
    objects, watched = {}, []
    listed = random.randint(0, len(history))
    now = history[listed - 1].at if listed else 0.0
    for revision, written in enumerate(history, start=100):
        looks = written.action.looks
        change = Change.MODIFIED if looks in objects else Change.ADDED
        times = objects[looks]["count"] + 1 if looks in objects else 1
        objects[looks] = _raw(written, times, revision)
        if revision == 100 + listed - 1:
            first = list(objects.values())
            random.shuffle(first)
            watched += [(now, Change.LISTED, obj) for obj in first]
        elif revision >= 100 + listed:
            watched.append((written.at, change, objects[looks]))
            if random.random() < 0.1:
                watched.append((written.at, Change.MODIFIED, objects[looks]))
    return watched


def _raw(written, times, revision):
    action = written.action
    about = _ref(action.object)
    involved = {"kind": about.kind, "name": about.name, "namespace": "trial", "uid": about.uid}
    if action.container:
        involved["fieldPath"] = f"spec.containers{{{action.container}}}"
    uid = "|".join(action.looks)
    return {
        "kind": "Event",
        "metadata": {"name": uid, "uid": uid, "resourceVersion": str(revision)},
        "involvedObject": involved,
        "reason": action.reason,
        "message": action.message,
        "type": action.type,
        "count": times,
        "source": {"component": action.process},
        "lastTimestamp": stamp(written.happened),
    }


# ---- random nets of causes


PROCESSES = {
    "Deployment/a": (DEPLOYMENTS,),
    "ReplicaSet/a-1": (REPLICASETS, DEPLOYMENTS),
    "Pod/a-1-x": (SCHEDULER, KUBELET, KUBELET),
    "Pod/a-1-y": (SCHEDULER, KUBELET, KUBELET),
    "Node/n": (KUBELET, NODES),
}


class _Net:
    """A random net of causes, and the pattern that says it.

    Every event is told from the others by its reason, so a history can be read in one way only.
    """

    def __init__(self, random):
        self.random = random
        self.plan = Plan()
        self.reasons = count()
        self.objects = random.sample(list(PROCESSES), random.randint(1, 4))

    def part(self, size, causes, *, choices=False, happens=True):
        """A pattern of about that many events, and the numbers of the actions it stands for."""
        if size == 1:
            return self.leaf(causes, happens)
        in_turn = self.random.random() < 0.65
        patterns, numbers, latest = [], [], causes
        for share in self.shares(size):
            make = self.choice if choices and self.random.random() < 0.4 else self.part
            pattern, its = make(share, latest, choices=choices, happens=happens)
            patterns.append(pattern)
            numbers += its
            if in_turn and its:
                latest = tuple(its)
        return (in_order if in_turn else any_order)(*patterns), numbers

    def shares(self, size):
        left = size
        while left:
            share = self.random.randint(1, min(left, size - 1))
            left -= share
            yield share

    def leaf(self, causes, happens):
        on = self.random.choice(self.objects)
        process = self.random.choice(PROCESSES[on])
        reason = f"R{next(self.reasons)}"
        times = 1 if self.random.random() < 0.9 else self.random.randint(2, 3)
        numbers = []
        for _ in range(times if happens else 0):
            numbers.append(self.plan.does(process, reason, on, causes))
            causes = (numbers[-1],)
        pattern = event(reason, on=on, source=process)
        return (pattern if times == 1 else repeated(pattern, at_least=times)), numbers

    def choice(self, size, causes, *, choices, happens):
        del choices  # none inside another: what may be missing cannot be chosen
        taken = self.random.randrange(2)
        if self.random.random() < 0.5:
            pattern, numbers = self.part(size, causes, happens=happens and bool(taken))
            return optional(pattern), numbers
        ways = [self.part(size, causes, happens=happens and way == taken) for way in range(2)]
        return one_of(*(pattern for pattern, _ in ways)), ways[taken][1]


def net(random, size):
    """A plan whose pattern fits exactly what is legal."""
    made = _Net(random)
    made.plan.expected, _ = made.part(size, ())
    return made.plan


def net_with_choices(random, size):
    """A plan with optional parts and alternatives, some of which happen."""
    made = _Net(random)
    # an event that must be there comes first, since a pattern has to ask for something
    first, numbers = made.leaf((), happens=True)
    rest, _ = made.part(max(2, size - 1), tuple(numbers), choices=True)
    made.plan.expected = in_order(first, rest)
    return made.plan


# ---- stories of a cluster, for the named sequences


class _Story:
    """What the components of a cluster do to a Deployment, named as Kubernetes names it."""

    def __init__(self, random, name="flask"):
        self.random = random
        self.plan = Plan()
        self.on = f"Deployment/{name}"
        self.name = name
        self.pods = {}
        self.created = {}
        self.serial = count(1)
        self.containers = random.choice((["web"], ["web"], ["web", "proxy"]))
        self.told = []

    def step(self, replica_set, before, after, *, after_these=(), asserted=True):
        word = "up" if after > before else "down"
        text = f"Scaled {word} replica set {replica_set} from {before} to {after}"
        # one goroutine scales a Deployment, one step after the other
        number = self.plan.does(
            DEPLOYMENTS,
            "ScalingReplicaSet",
            self.on,
            after=(*self.told, *after_these),
            message=text,
            asserted=asserted,
        )
        self.told = [number]
        return number

    def start(self, replica_set, cause, *, pulls=False, asserted=True):
        """A Pod from its creation on; gives the number of the last of its starts."""
        pod = f"{replica_set}-{next(self.serial):05}"
        does, more = self.plan.does, {"asserted": asserted}
        message = f"Created pod: {pod}"
        last = does(
            REPLICASETS, "SuccessfulCreate", f"ReplicaSet/{replica_set}", cause,
            message=message, **more,
        )  # fmt: skip
        scheduled = does(SCHEDULER, "Scheduled", f"Pod/{pod}", (last,), **more)
        previous, starts = (), []
        for container in self.containers:
            on = {"container": container, **more}
            message = 'Container image "flask:1" already present on machine'
            last = scheduled
            if pulls:
                message = 'Successfully pulled image "flask:1" in 14ms'
                last = does(KUBELET, "Pulling", f"Pod/{pod}", (last,), after=previous, **on)
            for reason, text in [("Pulled", message), ("Created", ""), ("Started", "")]:
                last = does(
                    KUBELET, reason, f"Pod/{pod}", (last,), after=previous, message=text, **on
                )
                previous = (last,)
            starts.append(last)
        self.pods.setdefault(replica_set, []).append((pod, tuple(starts)))
        self.created.setdefault(replica_set, []).append(pod)
        return starts[-1]

    def rise(self, replica_set, before, after, *, pulls=False, asserted=True, after_these=()):
        step = self.step(replica_set, before, after, after_these=after_these, asserted=asserted)
        return [
            self.start(replica_set, (step,), pulls=pulls, asserted=asserted)
            for _ in range(after - before)
        ]

    def fall(self, replica_set, before, after, *, asserted=True, after_these=()):
        step = self.step(replica_set, before, after, after_these=after_these, asserted=asserted)
        for _ in range(before - after):
            pods = self.pods[replica_set]
            pod, starts = pods.pop(self.random.randrange(len(pods)))
            deleted = self.plan.does(
                REPLICASETS, "SuccessfulDelete", f"ReplicaSet/{replica_set}", (step,),
                after=starts, message=f"Deleted pod: {pod}", asserted=asserted,
            )  # fmt: skip
            self.kill(pod, (deleted,), starts, asserted=asserted)

    def kill(self, pod, causes, starts, *, asserted=True):
        self.plan.does(
            KUBELET, "Killing", f"Pod/{pod}", causes, after=starts,
            message="Stopping container web", container="web", asserted=asserted,
        )  # fmt: skip

    def update(self, old, new, replicas, *, asserted=True):
        """A rolling update with a maxSurge of 1 and no unavailable Pod."""
        ready = ()
        for number in range(replicas):
            started = self.rise(new, number, number + 1, asserted=asserted, after_these=ready)
            left = replicas - number
            self.fall(old, left, left - 1, asserted=asserted, after_these=started)
            ready = tuple(started)
        return ready

    def noise(self):
        """Events that nobody asks for, about the same objects and about others."""
        pods = [pod for pods in self.pods.values() for pod, _ in pods]
        for _ in range(self.random.randint(0, 3)):
            on = self.random.choice(pods or ["flask-old"])
            reason = self.random.choice(("Unhealthy", "FailedMount", "Scheduled"))
            if reason == "Scheduled":
                on = f"other-6d4-{next(self.serial)}"
            self.plan.does(KUBELET, reason, f"Pod/{on}", type="Warning", asserted=False)

    def told_as(self, sequence, **more):
        self.noise()
        whose = self.random.random()
        if whose < 0.7:
            sequence = sequence.of(self.on, **(more if whose < 0.4 else {}))
        self.plan.expected = sequence
        self.plan.interchangeable = [pods for pods in self.created.values() if len(pods) > 1]
        return self.plan


def _rollout(random):
    story, replicas = _Story(random), random.randint(1, 3)
    story.rise("flask-6d4", 0, replicas)
    return story.told_as(named.FRESH_ROLLOUT, replicas=replicas)


def _pulling(random):
    story, replicas = _Story(random), random.randint(1, 2)
    story.rise("flask-6d4", 0, replicas, pulls=True)
    return story.told_as(named.FRESH_ROLLOUT_WITH_PULL, replicas=replicas)


def _updating(random):
    story, replicas = _Story(random), random.randint(1, 2)
    ready = story.rise("flask-6d4", 0, replicas, asserted=False)
    story.told += ready
    story.update("flask-6d4", "flask-7e5", replicas)
    return story.told_as(named.ROLLING_UPDATE, replicas=replicas)


def _rolling_back(random):
    story = _Story(random)
    story.told += story.rise("flask-6d4", 0, 1, asserted=False)
    story.told += story.update("flask-6d4", "flask-7e5", 1, asserted=False)
    story.told = list(range(len(story.plan.actions)))
    story.update("flask-7e5", "flask-6d4", 1)
    return story.told_as(named.ROLLBACK, replicas=1)


def _scaling_up(random):
    story, before = _Story(random), random.randint(1, 2)
    story.told += story.rise("flask-6d4", 0, before, asserted=False)
    after = before + random.randint(1, 2)
    story.rise("flask-6d4", before, after)
    return story.told_as(named.SCALE_UP, replicas=after)


def _scaling_down(random):
    story, before = _Story(random), random.randint(1, 3)
    story.told += story.rise("flask-6d4", 0, before, asserted=False)
    after = random.randrange(before)
    story.fall("flask-6d4", before, after)
    return story.told_as(named.SCALE_DOWN, replicas=after)


def _deleting(random):
    story, replicas = _Story(random), random.randint(1, 3)
    started = story.rise("flask-6d4", 0, replicas, asserted=False)
    pod, starts = story.pods["flask-6d4"].pop(random.randrange(replicas))
    # somebody deletes it; neither of the two effects is there because of the other
    story.kill(pod, (), starts)
    created = len(story.plan.actions)
    story.start("flask-6d4", ())
    actions = story.plan.actions
    first = actions[created]
    actions[created] = Action(
        first.process, first.reason, first.object, after=tuple(started), message=first.message
    )
    return story.told_as(named.POD_DELETION, replicas=1)


def _crashing(random):
    story = _Story(random)
    story.rise("flask-6d4", 0, 1, asserted=False)
    pod, starts = story.pods["flask-6d4"][0]
    does, on = story.plan.does, {"container": "web"}
    first = starts[0]
    actions = story.plan.actions
    a = actions[first]
    actions[first] = Action(a.process, a.reason, a.object, (), a.causes + a.after, container="web")
    story.plan.before[first] = set()
    again = does(KUBELET, "Started", f"Pod/{pod}", (first,), **on)
    does(KUBELET, "BackOff", f"Pod/{pod}", (again,), type="Warning", **on)
    return story.told_as(named.CRASH_LOOP)


def _failing_to_pull(random):
    story = _Story(random)
    does, on = story.plan.does, {"container": "web"}
    pod = "Pod/flask-6d4-00001"
    last = does(SCHEDULER, "Scheduled", pod)
    for reason, kind, text in [
        ("Pulling", "Normal", 'Pulling image "no"'),
        ("Failed", "Warning", 'Failed to pull image "no": it is not there'),
        ("BackOff", "Normal", 'Back-off pulling image "no"'),
    ]:
        last = does(KUBELET, reason, pod, (last,), type=kind, message=text, **on)
        if reason == "Failed":
            does(
                KUBELET, "Failed", pod, after=(last,), type=kind,
                message="Error: ErrImagePull", asserted=False, **on,
            )  # fmt: skip
    return story.told_as(named.FAILED_PULL)


def _starting_a_node(random):
    plan = Plan(expected=random.choice((named.NODE_START, named.NODE_START.of("Node/n"))))
    starting = plan.does(KUBELET, "Starting", "Node/n")
    plan.does(KUBELET, "NodeAllocatableEnforced", "Node/n", (starting,))
    conditions = [
        plan.does(KUBELET, reason, "Node/n", (starting,))
        for reason in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID")
    ]
    plan.does(NODES, "RegisteredNode", "Node/n", (starting,))
    plan.does(KUBELET, "NodeReady", "Node/n", conditions)
    plan.does("kube-proxy", "Starting", "Node/n", after=(starting,), asserted=False)
    return plan


STORIES = (
    _rollout,
    _pulling,
    _updating,
    _rolling_back,
    _scaling_up,
    _scaling_down,
    _deleting,
    _crashing,
    _failing_to_pull,
    _starting_a_node,
)


def story(random):
    """What happens to a Deployment or a Node, expected as one of the named sequences."""
    return random.choice(STORIES)(random)


# ---- what makes a history illegal


def without_one(plan, history, random):
    """An event that is expected is missing."""
    wanted = [place for place, written in enumerate(history) if written.action.asserted]
    gone = random.choice(wanted)
    return history[:gone] + history[gone + 1 :]


def _related(plan, history, random, *, same_queue):
    """Places of a cause and of its effect, of one queue or of two; None if there are none."""
    places = {written.number: place for place, written in enumerate(history)}
    pairs = [
        (places[cause], places[number])
        for number, action in enumerate(plan.actions)
        if action.asserted
        for cause in plan.before[number]
        if plan.actions[cause].asserted
        and (plan.actions[cause].queue == action.queue) is same_queue
        and plan.actions[cause].looks != action.looks
    ]
    return random.choice(pairs) if pairs else None


def swapped(plan, history, random):
    """Two events of one queue have changed places, one of which was the other's cause."""
    pair = _related(plan, history, random, same_queue=True)
    if pair is None:
        return None
    one, other = (history[place] for place in pair)
    changed = list(history)
    changed[pair[0]] = Written(other.action, other.number, one.at)
    changed[pair[1]] = Written(one.action, one.number, other.at)
    return changed


def _moved(history, place, at):
    moved = [*history[:place], *history[place + 1 :]]
    one = Written(history[place].action, history[place].number, at)
    return sorted([*moved, one], key=lambda written: written.at)


def too_late(plan, history, random):
    """A cause is written later than a tie after its effect."""
    pair = _related(plan, history, random, same_queue=False)
    if pair is None:
        return None
    at = history[pair[1]].at + TIE + QUARTER * random.randint(1, 9)
    return _moved(history, pair[0], at)


def too_early(plan, history, random):
    """An effect is written more than a tie before its cause."""
    pair = _related(plan, history, random, same_queue=False)
    if pair is None:
        return None
    at = history[pair[0]].at - TIE - QUARTER * random.randint(1, 9)
    return _moved(history, pair[1], at)


def on_another(plan, history, random):
    """An event that is expected is about another object, or from another component."""
    wanted = [place for place, written in enumerate(history) if written.action.asserted]
    place = random.choice(wanted)
    action = history[place].action
    kind = action.object.partition("/")[0]
    changed = list(history)
    other = Action(
        action.process, action.reason, f"{kind}/zzz", message=action.message,
        type=action.type, container=action.container, asserted=False,
    )  # fmt: skip
    changed[place] = Written(other, history[place].number, history[place].at)
    return changed


def is_hidden(plan, history):
    """Does a named sequence not see that it is broken, as its docstring says?

    It reads from the steps of a Deployment what it is about. It knows nothing of a step that it
    was not told of, unless it knows the number of replicas; and nothing of the order of steps. And
    where any Deployment will do, another one is as good.
    """
    moved = any(written.action.object == "Deployment/zzz" for written in history)
    if moved and getattr(plan.expected, "on", "") == "Deployment":
        return True
    told = [n for n, action in enumerate(plan.actions) if action.reason == "ScalingReplicaSet"]
    steps = [
        written.number
        for written in history
        if written.number in told and written.action.object != "Deployment/zzz"
    ]
    knows = getattr(plan.expected, "replicas", None) is not None
    return steps != sorted(steps) or (len(told) > 1 and not knows and len(steps) < len(told))


BREAKS = (without_one, swapped, too_late, too_early, on_another)


def shaken(plan, history, random):
    """Some events at other times and places, or gone, or twice: legal or not."""
    changed = list(history)
    for _ in range(random.randint(1, 3)):
        if not changed:
            break
        place = random.randrange(len(changed))
        roll = random.random()
        if roll < 0.08:
            changed.pop(place)
        elif roll < 0.16:
            changed.insert(random.randrange(len(changed) + 1), changed[place])
            times = sorted(written.at for written in changed)
            changed = [
                Written(written.action, written.number, at)
                for written, at in zip(changed, times, strict=True)
            ]
        else:
            at = changed[place].at + QUARTER * random.randint(-14, 14)
            changed = _moved(changed, place, at)
    return changed
