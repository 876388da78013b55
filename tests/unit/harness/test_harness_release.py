"""Manifests that are applied, waited for, changed and deleted, in virtual time."""

import pytest
from harness_kit import (
    NAMESPACE,
    config_map,
    crashed,
    definition,
    deployment,
    endpoints,
    established,
    pod,
    replica_set,
    rolled_out,
    service,
    shared,
    unpullable,
)

from seatrial.core.errors import (
    ApiError,
    ClusterError,
    ConfigurationError,
    ManifestError,
    NotReadyError,
    ProvenanceError,
)
from seatrial.core.model import State
from seatrial.harness import Deployer
from seatrial.harness.release import DEFINED_TIMEOUT, SEEN_TIMEOUT, SETTLING
from seatrial.images import Image

OURS = {"app.kubernetes.io/managed-by": "seatrial"}


@pytest.fixture
def deploy(world):
    return Deployer(world.cluster, NAMESPACE, labels=OURS, ready_timeout=20)


def names(pods):
    return [each["metadata"]["name"] for each in pods]


# --- applying


def test_the_streams_are_open_before_the_first_manifest_is_applied(world, deploy):
    deploy([config_map(), deployment()])
    assert world.log == [
        "watch ConfigMap v1",
        "watch Deployment apps/v1",
        "apply ConfigMap/look by seatrial",
        "apply Deployment/flask by seatrial",
    ]


def test_what_is_applied_carries_the_labels_and_goes_into_the_namespace(world, deploy):
    release = deploy(deployment())
    stored = world.objects.stored["Deployment", NAMESPACE, "flask"]
    assert stored["metadata"]["labels"] == OURS
    assert "labels" not in release.manifests[0].object["metadata"]


def test_images_are_put_in_before_anything_is_applied(world, deploy):
    release = deploy(deployment(), images={"flask": "flask:sha-1"})
    [container] = release["Deployment/flask"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "flask:sha-1"
    with pytest.raises(ManifestError, match="no container is named 'flaks'"):
        deploy(deployment("other"), images={"flaks": "flask:1"})
    assert world.wrote("apply") == ["apply Deployment/flask by seatrial"]


def test_a_release_is_given_only_when_the_streams_show_it(world, deploy):
    world.objects.lag = 3.0
    release = deploy([deployment(), service()])
    assert world.clock.now == 3.0
    snapshot = release.feed.snapshot()
    assert snapshot.get("Deployment", "flask", NAMESPACE)
    assert snapshot.get("Service", "flask", NAMESPACE)


def test_a_namesake_from_before_is_not_taken_for_what_was_applied(world, deploy):
    world.objects.lag = 3.0
    old = {**deployment(), "metadata": {"name": "flask", "namespace": NAMESPACE, "generation": 9}}
    world.hub.shows(old)
    deploy(deployment())
    assert world.clock.now == 3.0


def test_secrets_are_not_watched_and_are_there_once_they_are_applied(world, deploy):
    world.objects.lag = None
    release = deploy({**config_map("login"), "kind": "Secret"})
    assert release.wait_ready().message == "it was applied, and is not watched"
    assert release.wait_ready("Secret/login", holds_for=1).reason == "Applied"
    assert world.wrote("watch") == []
    assert world.clock.now == pytest.approx(1.0, abs=0.3)


def test_kinds_that_cannot_be_watched_are_there_once_they_are_applied(world, deploy):
    world.hub.discovery.unwatchable.add("ConfigMap")
    world.objects.lag = None
    assert deploy(config_map()).wait_ready().reason == "Applied"
    assert world.wrote("watch") == []


def test_an_older_version_of_what_was_applied_is_not_taken_for_it(world, deploy):
    def numbered(version):
        meta = {"name": "look", "namespace": NAMESPACE, "resourceVersion": version}
        return {**config_map(), "metadata": meta}

    world.objects.lag = None
    stored = {**numbered("10")["metadata"], "uid": "uid-1"}
    world.objects.on_write.append(lambda obj: obj["metadata"].update(stored))
    world.hub.shows({**numbered("9"), "metadata": {**stored, "resourceVersion": "9"}})
    world.hub.shows({**numbered("11"), "metadata": {**stored, "resourceVersion": "11"}}, after=2.0)
    deploy(config_map())
    assert world.clock.now == pytest.approx(2.0, abs=1.0)
    assert world.clock.now >= 2.0


def test_a_watch_that_never_shows_what_was_applied_is_an_error_of_the_cluster(world, deploy):
    world.objects.lag = None
    with pytest.raises(ClusterError) as raised:
        deploy([deployment(), service(), config_map()])
    assert world.clock.now == pytest.approx(SEEN_TIMEOUT)
    assert str(raised.value) == (
        "the watch of namespace shop did not show within 30 s what was applied\n"
        "  ConfigMap/look, Service/flask, Deployment/flask\n"
        "-> is the API server overloaded? `seatrial doctor` tells of this machine"
    )


# --- waiting


def test_waiting_ends_when_workloads_and_services_are_ready(world, deploy):
    world.rolls_out(4.0)
    release = deploy([deployment(), service(), config_map()])
    verdict = release.wait_ready()
    assert verdict.state is State.SATISFIED
    assert world.clock.now == pytest.approx(4.0, abs=0.3)


def test_one_object_can_be_waited_for_alone(world, deploy):
    release = deploy([deployment(), service()])
    world.hub.shows(endpoints("flask"))
    assert release.wait_ready("Service/flask").reason == "HasEndpoints"
    assert world.clock.now == 0


def test_the_timeout_is_that_of_the_settings_unless_one_is_given(world, deploy):
    release = deploy(deployment())
    with pytest.raises(NotReadyError, match="still so after 20 s"):
        release.wait_ready()
    with pytest.raises(NotReadyError, match="still so after 2 s"):
        release.wait_ready(timeout=2)
    with pytest.raises(NotReadyError, match="still so after 0 s"):
        release.wait_ready(timeout=0)


def test_ready_may_have_to_last(world, deploy):
    world.rolls_out(0.0)
    deploy(deployment()).wait_ready(holds_for=5)
    assert world.clock.now == pytest.approx(5.0, abs=0.3)


def test_a_crash_loop_ends_the_wait_and_its_log_is_shown(world, deploy):
    world.objects.text_of_log = "no database\n"
    release = deploy(pod("flask"))
    world.hub.shows(pod("flask", ready=False, status=crashed(2), uid="uid-1"))
    with pytest.raises(NotReadyError) as raised:
        release.wait_ready()
    assert world.clock.now < 1
    assert raised.value.cause == (
        'Pod/flask: container flask crashed 2 times with exit code 3 (last log: "no database")'
    )
    assert world.wrote("logs") == ["logs shop flask flask previous=True tail=20"]


def test_restarts_that_are_planned_are_no_crash_loop(world, deploy):
    release = deploy(pod("flask"))
    world.hub.shows(pod("flask", ready=False, status=crashed(2), uid="uid-1"))
    with pytest.raises(NotReadyError, match="still so after"):
        release.wait_ready(timeout=3, expect_restarts=1)


def test_a_cause_that_will_be_mended_is_given_its_grace(world, deploy):
    release = deploy(pod("flask"))
    world.hub.shows(pod("flask", ready=False, status=unpullable(), uid="uid-1"))
    world.hub.shows(pod("flask", uid="uid-1"), after=6.0)
    with pytest.raises(NotReadyError, match="cannot be pulled: not found"):
        release.wait_ready()
    assert world.clock.now == 0
    release.wait_ready(graces={"ImagePullFailed": 10})
    assert world.clock.now == pytest.approx(6.0, abs=0.3)


def test_an_unknown_object_is_refused_with_the_one_that_was_meant(deploy):
    release = deploy([deployment(), service()])
    for ask in (release.wait_ready, release.pods, release.__getitem__):
        with pytest.raises(ConfigurationError) as raised:
            ask("Deployment/flaks")
        assert str(raised.value) == (
            "the release holds no Deployment/flaks\n"
            "  it holds Deployment/flask, Service/flask\n"
            "-> did you mean 'Deployment/flask'?"
        )


def test_a_release_of_what_only_has_to_be_there_is_ready_at_once(world, deploy):
    assert deploy(config_map()).wait_ready().reason == "Exists"
    assert world.clock.now == 0


def test_every_kind_is_watched_and_waited_for(world, deploy):
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"}, "spec": {}}
    release = deploy([job, config_map()])
    assert world.wrote("watch") == ["watch Job batch/v1", "watch ConfigMap v1"]
    done = {**release["Job/migrate"], "status": {"conditions": [{"type": "Complete",
            "status": "True"}], "succeeded": 1}}  # fmt: skip
    world.hub.shows(done, after=2.0)
    release.wait_ready()
    assert world.clock.now == pytest.approx(2.0, abs=0.3)
    assert release.wait_ready("Job/migrate").message == "Succeeded: 1/1"


def test_what_lives_in_no_namespace_is_not_looked_for_in_one(world, deploy):
    release = deploy([shared("Namespace", "annex"), config_map()])
    with pytest.raises(NotReadyError) as raised:
        release.wait_ready(timeout=1)
    assert raised.value.cause == "Namespace/annex: Phase: ? (still so after 1 s)"
    active = {**release["Namespace/annex"], "status": {"phase": "Active"}}
    world.hub.shows(active)
    assert release.wait_ready("Namespace/annex").message == "Phase: Active"
    release.wait_ready()


def test_storage_classes_are_watched_with_claims_as_far_as_that_is_allowed(world, deploy):
    claim = {**config_map("data"), "kind": "PersistentVolumeClaim"}
    deploy(claim)
    assert world.wrote("watch") == [
        "watch PersistentVolumeClaim v1",
        "watch StorageClass storage.k8s.io/v1",
    ]
    world.hub.refusals["StorageClass"] = ApiError("no right to list storageclasses", status=403)
    deploy({**claim, "metadata": {"name": "more"}})


def test_a_watch_that_is_refused_is_told(world, deploy):
    world.hub.refusals["ConfigMap"] = ApiError("no right to list configmaps", status=403)
    with pytest.raises(ApiError, match="no right to list configmaps"):
        deploy(config_map())
    assert world.wrote("apply") == []


def boat(name="dinghy"):
    return {"apiVersion": "sea.dev/v1", "kind": "Boat", "metadata": {"name": name}}


def test_objects_of_a_kind_that_the_release_defines_wait_for_it(world, deploy):
    world.hub.discovery.served_from["Boat"] = 3.0

    def establish(obj):
        if obj["kind"] == "CustomResourceDefinition":
            world.hub.shows(established(obj), after=2.0)

    world.objects.on_write.append(establish)
    release = deploy([boat(), definition(), config_map()])
    # established after 2 s, and served only after 3
    assert world.clock.now == pytest.approx(3.0, abs=0.3)
    assert world.log == [
        "watch CustomResourceDefinition apiextensions.k8s.io/v1",
        "watch ConfigMap v1",
        "apply CustomResourceDefinition/boats.sea.dev by seatrial",
        "apply ConfigMap/look by seatrial",
        "watch Boat sea.dev/v1",
        "apply Boat/dinghy by seatrial",
    ]
    release.wait_ready()


@pytest.mark.parametrize(("status", "waits"), [(404, True), (403, False)])
def test_a_kind_that_is_known_before_it_is_served_is_tried_again(status, waits, world, deploy):
    world.hub.discovery.served_from["Boat"] = 1.0

    def react(obj):
        if obj["kind"] == "CustomResourceDefinition":
            world.hub.shows(established(obj))

    def relent(now):
        if now >= 2.0:
            world.hub.refusals.clear()

    world.objects.on_write.append(react)
    world.hub.refusals["Boat"] = ApiError("refused to list boats", status=status)
    world.clock.on_move.append(relent)
    if waits:
        deploy([definition(), boat()])
        assert world.clock.now == pytest.approx(2.0, abs=0.3)
    else:
        with pytest.raises(ApiError, match="refused to list boats"):
            deploy([definition(), boat()])
        assert world.clock.now == pytest.approx(1.0, abs=0.3)


def test_a_kind_that_is_never_served_is_an_error(world, deploy):
    world.hub.discovery.served_from["Boat"] = 3000.0
    world.objects.on_write.append(
        lambda obj: world.hub.shows(established(obj)) if "Custom" in obj["kind"] else None
    )
    with pytest.raises(ManifestError, match="knows no kind 'Boat'") as raised:
        deploy([definition(), boat()])
    assert "applied before it: CustomResourceDefinition/boats.sea.dev" in raised.value.details
    assert world.clock.now == pytest.approx(DEFINED_TIMEOUT, abs=0.5)


def test_a_kind_that_nobody_knows_is_refused_when_it_is_applied(world, deploy):
    world.hub.discovery.served_from["Boat"] = 3000.0
    with pytest.raises(ManifestError, match="knows no kind 'Boat'") as raised:
        deploy([config_map(), boat()])
    assert "from a dictionary" in raised.value.details


def lasting(manifest):
    return {**manifest, "spec": {**manifest["spec"], "minReadySeconds": 5}}


UNPROBED = [
    deployment(probe={}),
    deployment() | {"kind": "Pod", "apiVersion": "v1", "spec": {"containers": [{"name": "a"}]}},
]
PROBED = [
    deployment(probe={"startupProbe": {}}),
    lasting(deployment(probe={})),
    deployment() | {"kind": "Job", "apiVersion": "batch/v1", "spec": deployment(probe={})["spec"]},
    deployment()
    | {"kind": "Pod", "spec": {"restartPolicy": "OnFailure", "containers": [{"name": "a"}]}},
    config_map(),
]


@pytest.mark.parametrize("manifest", UNPROBED)
def test_a_workload_without_probes_has_to_stay_ready_for_a_while(manifest, world, deploy):
    release = deploy(manifest)
    _make_ready(world, release)
    release.wait_ready()
    assert world.clock.now == pytest.approx(SETTLING, abs=0.3)
    release.wait_ready(holds_for=0)
    assert world.clock.now == pytest.approx(SETTLING, abs=0.3)


@pytest.mark.parametrize("manifest", PROBED)
def test_what_has_probes_or_ends_by_itself_has_not(manifest, world, deploy):
    release = deploy(manifest)
    _make_ready(world, release)
    release.wait_ready()
    assert world.clock.now == 0


def _make_ready(world, release):
    [obj] = [release[str(ref)] for ref in release.refs]
    conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "Complete")]
    counts = {"updatedReplicas": 1, "availableReplicas": 1}
    generation = obj["metadata"].get("generation", 0)
    status = {"observedGeneration": generation, "conditions": conditions, **counts}
    world.hub.shows({**obj, "status": status})


def test_a_crash_soon_after_the_start_is_not_missed(world, deploy):
    release = deploy(deployment(probe={}))
    obj = release["Deployment/flask"]
    owned = replica_set(obj)
    for after, available, status in (
        (0.5, 1, None),
        (1.0, 0, crashed(1)),
        (1.5, 1, None),
        (2.0, 0, crashed(2)),
    ):
        counts = {"updatedReplicas": 1, "replicas": 1, "availableReplicas": available}
        status_of = {**obj, "status": {"observedGeneration": 1, **counts}}
        meta = {**obj["metadata"], "annotations": owned["metadata"]["annotations"]}
        world.hub.shows(owned, after)
        world.hub.shows(
            pod("flask-1-0", ready=bool(available), status=status, owner=owned["metadata"]["uid"]),
            after,
        )
        world.hub.shows({**status_of, "metadata": meta}, after)
    with pytest.raises(NotReadyError, match="crashed 2 times with exit code 3"):
        release.wait_ready()
    assert world.clock.now == pytest.approx(2.0, abs=0.3)


def needs_secret(key=""):
    """The container status of one that needs a Secret, or a key of it, in its environment."""
    said = f"couldn't find key {key} in Secret shop/login" if key else 'secret "login" not found'
    waiting = {"reason": "CreateContainerConfigError", "message": said}
    return {"ready": False, "state": {"waiting": waiting}}


@pytest.mark.parametrize(
    ("key", "data", "found"),
    [("", {}, True), ("user", {"user": "eA=="}, True), ("user", {}, False), ("", None, False)],
)
def test_a_late_secret_is_asked_for_before_its_absence_ends_the_wait(
    key, data, found, world, deploy
):
    release = deploy(pod("flask"))
    world.hub.shows(pod("flask", ready=False, status=needs_secret(key), uid="uid-1"))
    world.hub.shows(pod("flask", uid="uid-1"), after=16.0)
    if data is not None:
        meta = {"name": "login", "namespace": NAMESPACE}
        world.objects.keep({"kind": "Secret", "metadata": meta, "data": data})
    if found:
        release.wait_ready()
        assert world.clock.now == pytest.approx(16.0, abs=0.3)
    else:
        with pytest.raises(NotReadyError, match='Secret "login"'):
            release.wait_ready()
        assert world.clock.now == pytest.approx(10.0, abs=0.3)


def test_a_secret_that_may_not_be_read_counts_as_absent(world, deploy, monkeypatch):
    release = deploy(pod("flask"))
    world.hub.shows(pod("flask", ready=False, status=needs_secret(), uid="uid-1"))

    def refused(*_):
        raise ApiError("no right to read secrets", status=403)

    monkeypatch.setattr(world.objects, "get", refused)
    with pytest.raises(NotReadyError, match='needs Secret "login", which does not exist'):
        release.wait_ready()


# --- looking


def test_the_live_object_is_given(world, deploy):
    release = deploy(deployment())
    assert release["Deployment/flask"]["metadata"]["uid"] == "uid-1"
    world.objects.stored.clear()
    with pytest.raises(ConfigurationError, match="Deployment/flask is not in namespace shop any"):
        release["Deployment/flask"]


def test_the_pods_are_those_of_the_newest_rollout(world, deploy):
    world.rolls_out(0.0)
    release = deploy([deployment(replicas=2), service()])
    release.wait_ready("Deployment/flask")
    older = replica_set(release["Deployment/flask"], revision=0)
    world.hub.shows(older)
    world.hub.shows(pod("flask-0-0", owner=older["metadata"]["uid"]))
    world.hub.shows(pod("flask-1-9", owner="rs-uid-1-1", deletionTimestamp="2030-01-01T00:00:00Z"))
    world.hub.shows(pod("stranger", "stranger"))
    assert names(release.pods()) == ["flask-1-0", "flask-1-1"]
    # a Service leads to whatever it selects
    assert names(release.pods("Service/flask")) == ["flask-0-0", "flask-1-0", "flask-1-1"]


def test_the_pods_of_one_workload_can_be_asked_for(world, deploy):
    world.rolls_out(0.0)
    release = deploy([deployment("flask"), deployment("db")])
    release.wait_ready()
    assert names(release.pods()) == ["db-1-0", "flask-1-0"]
    assert names(release.pods("Deployment/db")) == ["db-1-0"]


def test_a_workload_that_is_gone_has_no_pods(world, deploy):
    release = deploy(config_map())
    assert release.pods() == []
    assert release.pods("ConfigMap/look") == []


def test_what_a_container_wrote_can_be_read(world, deploy):
    world.objects.text_of_log = "hello\n"
    assert deploy(deployment()).logs("flask-1", "flask", previous=True) == "hello\n"
    assert world.wrote("logs") == ["logs shop flask-1 flask previous=True tail=None"]


def test_what_runs_is_held_against_the_image_of_the_newest_rollout(world, deploy):
    built = Image("flask:2", "sha256:" + "b" * 64, None, 1)
    world.rolls_out(0.0)
    release = deploy([deployment("flask"), deployment("db")])
    release.wait_ready()
    for name, image_id in (("flask", built.id), ("db", "sha256:0")):
        (shown,) = release.pods(f"Deployment/{name}")
        shown["spec"] = {"containers": [{"name": "web", "image": "flask:2"}]}
        shown["status"]["containerStatuses"] = [{"name": "web", "imageID": image_id}]
        world.hub.shows(shown)
    release.assert_runs(built, "Deployment/flask")
    with pytest.raises(ProvenanceError, match="container web of Pod/db-1-0"):
        release.assert_runs(built)
    with pytest.raises(ProvenanceError, match="is not pinned"):
        release.assert_runs(built, "Deployment/flask", pinned=True)
    with pytest.raises(ConfigurationError, match="no container is named 'wep'"):
        release.assert_runs(built, "Deployment/flask", container="wep")
    with pytest.raises(ConfigurationError, match="the release holds no Deployment/flsk"):
        release.assert_runs(built, "Deployment/flsk")


# --- changing


def test_a_ready_older_generation_does_not_satisfy_the_wait_after_a_patch(world, deploy):
    world.rolls_out(0.0)
    release = deploy(deployment())
    release.wait_ready()
    world.objects.on_write.clear()
    world.objects.lag = 2.0
    world.rolls_out(6.0)
    verdict = release.rollout(patch={"spec": {"replicas": 3}})
    assert world.clock.now == pytest.approx(6.0, abs=0.3)
    assert verdict.state is State.SATISFIED
    seen = release.feed.snapshot().get("Deployment", "flask", NAMESPACE)
    assert seen["status"]["updatedReplicas"] == 3


def test_new_images_are_applied_and_waited_for(world, deploy):
    world.rolls_out(0.0)
    release = deploy(deployment())
    release.wait_ready()
    world.objects.on_write.clear()
    world.rolls_out(5.0)
    release.rollout(images={"flask": "flask:2"})
    assert world.clock.now == pytest.approx(5.0, abs=0.3)
    [container] = release["Deployment/flask"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "flask:2"


def test_a_change_keeps_those_before_it(world, deploy):
    world.rolls_out(0.0)
    release = deploy(deployment())
    release.rollout(patch={"spec": {"replicas": 2}}, images={"flask": "flask:2"})
    release.rollout(patch={"spec": {"minReadySeconds": 1}})
    release.rollout(images={"flask:2": "flask:3"})
    spec = release["Deployment/flask"]["spec"]
    assert (spec["replicas"], spec["minReadySeconds"]) == (2, 1)
    assert spec["template"]["spec"]["containers"][0]["image"] == "flask:3"


def test_a_patch_goes_to_the_only_workload_or_to_the_one_that_is_named(world, deploy):
    world.rolls_out(0.0)
    release = deploy([deployment("flask"), deployment("db"), service()])
    with pytest.raises(ConfigurationError) as raised:
        release.rollout(patch={"spec": {"replicas": 2}})
    assert str(raised.value) == (
        "rollout(patch=…) needs to know which object to change\n"
        "  the release holds Deployment/flask, Deployment/db\n"
        '-> name it: release.rollout("Deployment/flask", patch=…)'
    )
    release.rollout("Deployment/db", patch={"spec": {"replicas": 2}})
    assert names(release.pods("Deployment/db")) == ["db-2-0", "db-2-1"]
    assert names(release.pods("Deployment/flask")) == ["flask-1-0"]


def test_a_patch_without_a_workload_is_refused(deploy):
    with pytest.raises(ConfigurationError, match="which object to change") as raised:
        deploy([config_map(), service()]).rollout(patch={"data": {"a": "b"}})
    assert raised.value.details == "the release holds no workload"


def test_a_rollout_that_fails_is_told_within_its_own_timeout(world, deploy):
    world.rolls_out(0.0)
    release = deploy(deployment())
    release.wait_ready()
    world.objects.on_write.clear()
    with pytest.raises(NotReadyError, match=r"Generation: 1/2 seen by its controller"):
        release.rollout(patch={"spec": {"replicas": 2}}, timeout=3)
    assert world.clock.now == pytest.approx(3.0, abs=0.3)


# --- deleting


def test_what_was_applied_is_deleted_last_first_and_waited_for(world, deploy):
    release = deploy([config_map(), deployment()])
    world.objects.going = 2.0
    release.delete()
    assert world.wrote("delete") == [
        "delete Deployment/flask Foreground",
        "delete ConfigMap/look Foreground",
    ]
    assert world.clock.now == pytest.approx(2.0, abs=0.3)
    assert world.objects.stored == {}


def test_what_the_end_of_the_namespace_ends_is_left_to_it(world, deploy):
    deploy([config_map(), deployment()])
    deploy.close()
    assert world.wrote("delete") == []


def test_a_release_with_a_part_outside_of_the_namespace_is_deleted_after_the_test(world, deploy):
    """All of it: a volume stays as long as the claim, a definition as long as its resources."""
    deploy([config_map("first"), shared("PersistentVolume", "disk")])
    deploy(deployment())
    deploy(shared("StorageClass", "fast", "storage.k8s.io/v1"))
    deploy.close()
    assert world.wrote("delete") == [
        "delete StorageClass/fast Foreground",
        "delete PersistentVolume/disk Foreground",
        "delete ConfigMap/first Foreground",
    ]
    deploy.close()
    assert len(world.wrote("delete")) == 3


def test_a_release_that_was_refused_half_way_is_not_forgotten(world, deploy):
    def refuse(obj):
        if obj["kind"] == "Deployment":
            raise ApiError("the API server refused to apply it", status=422)

    world.objects.on_write.append(refuse)
    with pytest.raises(ApiError):
        deploy([shared("StorageClass", "fast", "storage.k8s.io/v1"), deployment()])
    deploy.close()
    assert "delete StorageClass/fast Foreground" in world.wrote("delete")


def test_the_kits_rollout_is_what_readiness_calls_ready(world):
    """The fakes are of use only if the real rules apply to them."""
    written = world.objects.put({**deployment(), "metadata": {"name": "a", "namespace": "shop"}})
    shown = {each["kind"] for each in rolled_out(written)}
    assert shown == {"Deployment", "ReplicaSet", "Pod", "EndpointSlice"}
