"""The whole stack without an engine: what it declares, what it publishes, what stops it."""

import base64
import copy
import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
import yaml
from pulumi.runtime.rpc import UNKNOWN

from components.workload import DIGEST
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.pod_start import PodStart
from hops.kubernetes.values import at
from hops.model.finding import Place
from hops.model.hop import Backend, Entrance, Entrypoint, LiveAddresses, PortMapping
from hops.model.plan import plan
from hops.model.preflight import ClusterState, DockerContainer, DockerDaemon, Machine, mark
from hops.model.settings.stack_config import settings
from hops.model.settings.stack_settings import Settings
from hops.model.versions import CALICO, CONTOUR, GATEWAY_API, Manifest
from hops.observe.in_cluster.answers import RouteAnswer
from hops.observe.in_cluster.api import APIError
from hops.observe.local.authority import FOLDER
from hops.rules.configuration import configure
from hops.rules.judge import judge
from stacks import program
from stacks.build import BuiltStack, StackContext, build
from tests.conftest import committed, stack_config
from tests.elsewhere import HELM, contour, envoy, named, service
from tests.recording import Recording, run, strings

Objects = list[dict[str, Any]]

DOCKER = DockerDaemon("Debian", "linux", rootless=False, cgroup_version=2, memory=None, disk_free=None, containers=())
HEALTHY = Machine(docker=DOCKER)
NODE = "sam-test-cluster-worker"
OBJECTS: list[dict[str, Any]] = [
    {
        "kind": "Node",
        "metadata": {"name": NODE},
        "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.3"}]},
    },
    {
        "kind": "Pod",
        "metadata": {"namespace": "projectcontour", "name": "envoy-dzdlm", "labels": {"app": "envoy"}},
        "spec": {"nodeName": NODE},
        "status": {"podIP": "10.244.55.133"},
    },
    {
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": "example-pod"},
        "spec": {"nodeName": NODE},
        "status": {"podIP": "10.244.55.134"},
    },
    {
        "kind": "Service",
        "metadata": {"namespace": "default", "name": "my-service"},
        "spec": {"clusterIP": "10.96.106.9"},
    },
]
SEEN = LiveAddresses(
    node="172.18.0.3",
    envoy="10.244.55.133",
    services={"default/my-service": "10.96.106.9"},
    pods={"projectcontour/envoy-dzdlm": "10.244.55.133", "default/example-pod": "10.244.55.134"},
)

SEED_PRINT = plan(settings("seed", stack_config("seed"))).fingerprint

READ_OUTPUTS = "pulumi:pulumi:readStackOutputs"
READ_RESOURCES = "pulumi:pulumi:readStackResourceOutputs"

Run = Callable[..., Recording]


@dataclass
class Cluster:
    """A cluster of values. asked: what was looked for in it, in order."""

    objects: list[dict[str, Any]]
    answers: list[RouteAnswer] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def look(self, control_plane: str) -> list[dict[str, Any]]:
        self.asked.append((control_plane,))
        return self.objects

    async def answer(
        self, control_plane: str, entrypoint: Entrypoint, backends: Sequence[Backend]
    ) -> tuple[list[dict[str, Any]], list[RouteAnswer]]:
        requests = [f"{backend.host}{backend.request_path}" for backend in backends]
        self.asked.append((control_plane, entrypoint.node, entrypoint.mappings[0].node, requests))
        return self.objects, self.answers or [RouteAnswer(answered=True, pods={}, logs={}) for _ in backends]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(copy.deepcopy(OBJECTS))
    monkeypatch.setattr(program, "cluster_objects", made.look)
    monkeypatch.setattr("stacks.build.answers", made.answer)
    return made


def published_outputs(outputs: Mapping[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda given: {"name": given["name"], "outputs": outputs}


@pytest.fixture
def running(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    calico_objects: Objects,
    contour_objects: Objects,
    cluster: Cluster,  # noqa: ARG001 - nothing else is looked at
) -> Run:
    """Runs the program on a machine of values, with small published files.

    before: what the stack's last update published.
    """
    definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    gateways = [definition | {"metadata": {"name": "gateways.gateway.networking.k8s.io"}}]
    small = {CALICO: calico_objects, CONTOUR: contour_objects, GATEWAY_API: gateways}

    def published(manifest: Manifest, _: Path) -> Objects:
        return copy.deepcopy(small[manifest])

    def of(
        stack: str = "seed",
        machine: Machine = HEALTHY,
        config: Mapping[str, str] | None = None,
        recording: Recording | None = None,
        *,
        preview: bool = False,
        before: Mapping[str, Any] | None = None,
    ) -> Recording:
        def look(_: Entrypoint, __: Path) -> Machine:
            return machine

        monkeypatch.setattr(program, "look", look)
        recorded = recording or Recording(preview=preview)
        recorded.answers = {**recorded.answers, READ_OUTPUTS: published_outputs(before or {})}
        return run(program.run, recorded, stack, committed(stack) if config is None else config)

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INGRESS_HOPS_NODE_IMAGE", raising=False)
    monkeypatch.setattr(program, "published", published)
    return of


def hops(of: Settings, found: LiveAddresses | None = None) -> Any:
    paths = (plan(of, found) if found else plan(of)).paths
    every = json.loads(json.dumps([dataclasses.asdict(hop) for path in paths for hop in path.hops]))
    # The hops of a service's only route have no name of it.
    return [{key: value for key, value in hop.items() if key != "route" or value} for hop in every]


def without_unknown(value: Any) -> Any:
    """The same with None where a preview says that a value is not known yet."""
    if isinstance(value, dict):
        return {key: without_unknown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_unknown(item) for item in value]
    return None if value == UNKNOWN else value


def test_the_inventory_of_the_seed(running: Run) -> None:
    types = Counter(resource.type for resource in running().resources)
    assert types == {
        **{f"ingress-hops:index:{name}": 1 for name in ("KindCluster", "Calico", "Contour", "Workload", "Ingress")},
        "command:local:Command": 1,
        "pulumi:providers:kubernetes": 1,
        # Calico: node, controllers, settings; Contour: both Services, certificates, settings, control plane, Envoy.
        "kubernetes:apps/v1:DaemonSet": 2,
        "kubernetes:apps/v1:Deployment": 2,
        "kubernetes:batch/v1:Job": 1,
        "kubernetes:core/v1:ConfigMap": 2,
        "kubernetes:core/v1:Namespace": 1,
        # The workload.
        "kubernetes:core/v1:Pod": 1,
        "kubernetes:core/v1:Service": 3,
        "kubernetes:core/v1:ServiceAccount": 1,
        "kubernetes:networking.k8s.io/v1:NetworkPolicy": 1,
        "kubernetes:networking.k8s.io/v1:Ingress": 1,
    }


def test_a_namespace_of_its_own_comes_first(running: Run) -> None:
    recording = running("local")
    namespace = recording.one("Namespace", "apps")
    assert namespace.inputs["metadata"] == {
        "name": "apps",
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    }
    inside = [r for r in recording.resources if r.inputs.get("metadata", {}).get("namespace") == "apps"]
    assert len(inside) == 5
    components = {r.urn: r for r in recording.resources}
    for resource in inside:
        asked = set(resource.request.dependencies) | set(components[resource.parent].request.dependencies)
        assert namespace.urn in asked, resource.name


def test_everything_in_the_cluster_goes_with_it(running: Run) -> None:
    recording = running()
    provider = recording.one("kubernetes")
    everything = {r.urn: r for r in recording.resources}
    inside = [r for r in recording.resources if r.type.startswith("kubernetes:")]
    assert inside
    for resource in inside:
        # The engine lets a child inherit it.
        owner = everything.get(resource.parent, resource)
        assert provider.urn in (resource.request.deletedWith, owner.request.deletedWith), resource.name
        assert resource.request.provider.startswith(f"{provider.urn}::"), resource.name


def test_every_resource_is_somebodys_child_and_every_component_closes(running: Run) -> None:
    recording = running()
    components = {r.urn for r in recording.resources if r.type.startswith("ingress-hops:")}
    assert components <= set(recording.registered)
    alone = [r.name for r in recording.resources if "pulumi:pulumi:Stack" in r.parent and r.urn not in components]
    assert alone == []


@pytest.mark.parametrize("stack", ["seed", "local", "ci"])
def test_a_preview_publishes_the_plan(running: Run, stack: str) -> None:
    of = settings(stack, stack_config(stack))
    outputs = running(stack, preview=True).outputs
    folder = Path.cwd() / ".ingress-hops" / "kubeconfig"
    planned = hops(of)
    known = without_unknown(outputs.pop("hops"))
    assert [hop["address"] for hop in known] == [hop["address"] for hop in planned]
    for hop, plain in zip(known, planned, strict=True):
        differing = {key for key in plain if hop[key] != plain[key]}
        assert differing <= {"next", "details", "to"}, "an address that is not known yet may be a part of these alone"
    assert outputs == {
        "url": plan(of).paths[0].url,
        "curl": plan(of).paths[0].curl,
        "cluster": {
            "name": of.cluster.name,
            "context": f"kind-{of.cluster.name}",
            "kubeconfig": f"{folder}/{stack}-1.yaml",
            "kubeconfigLink": f"{folder}/{stack}.yaml",
            "generation": 1,
            "fixed": dict(plan(of).fixed),
        },
    }


def test_an_up_publishes_what_the_cluster_says(running: Run, seed: Settings) -> None:
    outputs = running().outputs
    assert outputs["hops"] == hops(seed, SEEN)
    assert all(hop["address"] for hop in outputs["hops"])
    assert set(outputs) == {"hops", "url", "curl", "cluster"}


@pytest.mark.parametrize("preview", [True, False])
def test_several_workers_publish_the_way_between_the_nodes(running: Run, *, preview: bool) -> None:
    several = committed("seed")
    key = "ingress-hops:cluster"
    several[key] = json.dumps(json.loads(several[key]) | {"workers": 3})
    outputs = running(config=several, preview=preview).outputs
    assert len(outputs["hops"]) == 12, "the twelve hops stay as they are"
    assert outputs["betweenNodes"] == [
        {
            "service": "default/my-service",
            "route": "",
            "pod": "default/example-pod",
            "source": NODE,
            "target": UNKNOWN if preview else NODE,
            "encapsulation": "VXLANCrossSubnet",
            "encapsulated": False,
            "known_at": "up",
        }
    ]


def test_further_publishing_workers_are_entrances(running: Run) -> None:
    several = committed("seed")
    key = "ingress-hops:cluster"
    further = {"workers": 2, "alsoPublish": [{"worker": 2, "httpPort": 8081}]}
    several[key] = json.dumps(json.loads(several[key]) | further)
    several["ingress-hops:contour"] = json.dumps({"envoyNodes": "publishing"})
    recording = running(config=several)
    (entrance,) = recording.outputs["entrances"]
    node = f"{json.loads(several[key])['name']}-worker"
    assert (entrance["service"], entrance["route"], entrance["node"]) == ("default/my-service", "", f"{node}2")
    assert ":8081/" in entrance["url"]
    assert entrance["curl"].endswith(entrance["url"])
    assert len(recording.outputs["hops"]) == 12
    envoy = recording.one("DaemonSet", "contour-daemonset-envoy").inputs["spec"]["template"]["spec"]
    assert f"'{node}', '{node}2'" in str(envoy["affinity"])


def test_a_hop_of_the_outputs_is_an_interface(running: Run) -> None:
    first, *_, last = running().outputs["hops"]
    assert first == {
        "service": "default/my-service",
        "number": 1,
        "name": "name",
        "component": "resolver of the host machine",
        "address": "my-service.local",
        "port": 80,
        "protocol": "DNS",
        "next": "127.0.0.1:80",
        "standing": "on path",
        "known_at": "preview",
        "details": {},
        "to": {"address": "127.0.0.1", "port": 80},
        "mappings": [],
        "match": None,
    }
    assert (last["number"], last["name"]) == (12, "reply-client")


def test_an_up_sends_the_documented_request_when_all_is_there(running: Run, cluster: Cluster) -> None:
    running()
    assert cluster.asked == [("sam-test-cluster-control-plane", NODE, 80, ["my-service.local/etc/passwd"])]


def test_a_preview_of_a_new_stack_looks_at_nothing(running: Run, cluster: Cluster) -> None:
    running(preview=True)
    assert cluster.asked == []


def test_a_preview_of_a_new_stack_says_that_addresses_are_not_known_yet(running: Run) -> None:
    """So that an update by a saved plan may find any."""
    listed = running(preview=True).outputs["hops"]
    addresses = {hop["name"]: hop["address"] for hop in listed}
    assert addresses["pod"] == addresses["host-port"] == addresses["service"] == UNKNOWN
    assert addresses["port-mapping"] == "0.0.0.0"


def own_cluster(folder: Path, **states: str) -> Machine:
    """The seed's own cluster of generation 17, by each node's state."""
    bind = f"{folder}/.ingress-hops/kubeconfig/seed.owner:{mark(17, SEED_PRINT)}:ro"
    containers = tuple(
        DockerContainer(f"sam-test-cluster-{role.replace('_', '-')}", "sam-test-cluster", state, (bind,), ())
        for role, state in states.items()
    )
    return replace(HEALTHY, docker=replace(DOCKER, containers=containers))


def test_a_running_cluster_keeps_its_generation(running: Run, tmp_path: Path) -> None:
    own = own_cluster(tmp_path, control_plane="running", worker="running")
    for preview in (True, False):
        recording = running(machine=own, preview=preview)
        assert recording.outputs["cluster"]["generation"] == 17
        assert recording.one("kubernetes").inputs["kubeconfig"].endswith("/seed-17.yaml")


def pod_digest(recording: Recording) -> str:
    return str(recording.one("Pod").inputs["metadata"]["annotations"][DIGEST])


def test_a_preview_of_a_running_cluster_shows_its_addresses_and_sends_nothing(
    running: Run, tmp_path: Path, seed: Settings, cluster: Cluster
) -> None:
    own = own_cluster(tmp_path, control_plane="running", worker="running")
    cluster.objects[2]["metadata"]["annotations"] = {DIGEST: pod_digest(running())}
    cluster.asked.clear()
    recording = running(machine=own, preview=True)
    assert cluster.asked == [("sam-test-cluster-control-plane",)]
    assert recording.outputs["hops"] == hops(seed, SEEN)
    assert pod_digest(recording) != UNKNOWN


def test_a_preview_says_that_a_changed_pod_is_made_anew(running: Run, tmp_path: Path, cluster: Cluster) -> None:
    own = own_cluster(tmp_path, control_plane="running", worker="running")
    cluster.objects[2]["metadata"]["annotations"] = {DIGEST: "another"}
    preview = running(machine=own, preview=True)
    assert pod_digest(preview) == UNKNOWN
    addresses = {hop["name"]: hop["address"] for hop in preview.outputs["hops"]}
    assert (addresses["pod"], addresses["service"]) == (UNKNOWN, "10.96.106.9")
    assert pod_digest(running(machine=own)) != UNKNOWN, "an up declares what it makes"


def test_a_cluster_that_is_gone_or_half_made_is_made_anew(running: Run, tmp_path: Path) -> None:
    there = running(machine=own_cluster(tmp_path, control_plane="running", worker="running"))
    for machine, before in ((HEALTHY, there.outputs), (own_cluster(tmp_path, control_plane="running"), {})):
        gone = running(machine=machine, preview=True, before=before)
        assert gone.outputs["cluster"]["generation"] == 18
        assert gone.one("Command").inputs["triggers"] != there.one("Command").inputs["triggers"]
        assert gone.warnings == [], "nothing is lost that was not lost before"


def test_a_cluster_that_is_gone_leaves_its_kubeconfig_file(running: Run, tmp_path: Path) -> None:
    folder = tmp_path / ".ingress-hops" / "kubeconfig"
    folder.mkdir(parents=True)
    for name in ("seed-21.yaml", "seed-4.yaml", "seed.yaml", "seed-x.yaml", "seed-b-99.yaml", "local-50.yaml"):
        (folder / name).write_text("")
    assert running(preview=True).outputs["cluster"]["generation"] == 22


def test_two_previews_are_equal(running: Run) -> None:
    first, second = running(preview=True), running(preview=True)
    assert first.outputs == second.outputs
    assert {r.urn: r.inputs for r in first.resources} == {r.urn: r.inputs for r in second.resources}


CHANGED = {"ingress-hops:calico": json.dumps({"blockSize": 27})}


def test_settings_that_a_running_cluster_cannot_take_are_announced(running: Run, tmp_path: Path) -> None:
    """Another block size is another cluster, and the preview says so; the same settings are not."""
    there = own_cluster(tmp_path, control_plane="running", worker="running")
    before = running(machine=there).outputs
    changed = running(machine=there, config=committed("seed") | CHANGED, preview=True, before=before)
    (said,) = changed.warnings
    assert "- ingress-hops:calico.blockSize: 26 -> 27" in said
    assert changed.outputs["cluster"]["generation"] == 18
    assert running(machine=there, preview=True, before=before).warnings == []


def test_an_up_asks_before_it_replaces_a_running_cluster(
    running: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INGRESS_HOPS_REPLACE", raising=False)
    there = own_cluster(tmp_path, control_plane="running", worker="running")
    before = running(machine=there).outputs
    urns = ["urn::kubernetes:core/v1:Pod::a", "urn::x$kubernetes:core/v1:Pod::b", "urn::pulumi:providers:kubernetes::c"]
    recording = Recording(answers={READ_RESOURCES: lambda _: {"outputs": {urn: {} for urn in urns}}})
    with pytest.raises(pulumi.RunError) as caught:
        running(machine=there, config=committed("seed") | CHANGED, recording=recording, before=before)
    first, *_, last = str(caught.value).splitlines()
    assert first == "nothing was changed: settings changed that the running cluster sam-test-cluster cannot take:"
    assert "(2 objects of this stack)" in str(caught.value)
    assert last == "To go on: .venv/bin/hops up seed --replace. To keep the cluster, set the old values again."
    assert recording.resources == []
    monkeypatch.setenv("INGRESS_HOPS_REPLACE", "1")
    replaced = running(machine=there, config=committed("seed") | CHANGED, before=before)
    assert replaced.outputs["cluster"]["generation"] == 18


def test_what_an_interrupted_start_left_is_replaced_without_a_question(running: Run, tmp_path: Path) -> None:
    left = own_cluster(tmp_path, worker="created")
    assert running(machine=left, config=committed("seed") | CHANGED).outputs["cluster"]["generation"] == 18
    inhabited = own_cluster(tmp_path, worker="running")
    with pytest.raises(pulumi.RunError, match="which ones is not known"):
        running(machine=inhabited, config=committed("seed") | CHANGED)


UNREADY = PodStart("Running", restarts=0)


def test_a_route_that_no_pod_answers_is_reported_and_the_others_are_published(
    running: Run, cluster: Cluster, seed: Settings
) -> None:
    cluster.answers = [
        RouteAnswer(answered=False, pods={"default/example-pod": UNREADY}, logs={"default/example-pod": ["a"]})
    ]
    recording = running()
    (said,) = recording.warnings
    assert said.startswith("ingress-hops:services[0] (my-service): no pod answered http://my-service.local/etc/passwd")
    assert "pod default/example-pod: Running, not ready" in said
    assert "log: a" in said
    assert recording.outputs["hops"] == hops(seed, SEEN)


def test_a_replica_that_is_not_ready_is_reported(running: Run, cluster: Cluster) -> None:
    cluster.answers = [RouteAnswer(answered=True, pods={"default/example-pod": UNREADY}, logs={})]
    assert running().warnings[0].startswith("ingress-hops:services[0] (my-service): not all pods are ready")
    cluster.answers = [
        RouteAnswer(answered=True, pods={"default/example-pod": PodStart("Running", ready=True)}, logs={})
    ]
    assert running().warnings == []


def test_a_running_cluster_that_the_state_has_lost_is_taken_over(
    running: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = own_cluster(tmp_path, control_plane="running", worker="running")
    lost = running(machine=there, preview=True, before={})
    announced = "the cluster sam-test-cluster runs, and this state knows nothing of it: an up takes it over"
    assert announced in [text for _, text in lost.logs]
    assert lost.outputs["cluster"]["generation"] == 17
    warned = ".venv/bin/hops up seed, or PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --stack seed"
    assert any(warned in text for _, text in lost.logs)
    monkeypatch.setenv("PULUMI_K8S_ENABLE_PATCH_FORCE", "true")
    forced = running(machine=there, preview=True, before={})
    assert announced in [text for _, text in forced.logs]
    assert not any(warned in text for _, text in forced.logs)
    monkeypatch.delenv("PULUMI_K8S_ENABLE_PATCH_FORCE")
    known = running(machine=there, preview=True, before=running(machine=there).outputs)
    assert announced not in [text for _, text in known.logs]
    assert not any(warned in text for _, text in known.logs)


def test_a_stopped_cluster_is_announced_and_started(running: Run, tmp_path: Path) -> None:
    stopped = own_cluster(tmp_path, control_plane="exited", worker="running")
    before = running(machine=stopped, preview=True)
    assert any("stopped, and started again by an up: sam-test-cluster-control-plane" in t for _, t in before.logs)
    assert not any(function == "command:local:run" for function, _ in before.calls)
    after = running(machine=stopped)
    (given,) = [given for function, given in after.calls if function == "command:local:run"]
    assert given["environment"]["NODES"] == "sam-test-cluster-control-plane"
    assert after.one("Command").inputs == before.one("Command").inputs


def test_a_node_with_another_address_is_announced_and_started_again(running: Run, tmp_path: Path) -> None:
    own = own_cluster(tmp_path, control_plane="running", worker="running")
    assert own.docker
    worker = replace(own.docker.containers[1], address="172.18.0.4", kept_address="172.18.0.2")
    moved = replace(own, docker=replace(own.docker, containers=(own.docker.containers[0], worker)))
    before = running(machine=moved, preview=True)
    reported = "sam-test-cluster-worker has the address 172.18.0.4, and its cluster was made with 172.18.0.2"
    assert any(reported in text for _, text in before.logs)
    assert not any(function == "command:local:run" for function, _ in before.calls)
    after = running(machine=moved)
    (given,) = [given for function, given in after.calls if function == "command:local:run"]
    assert given["environment"]["NODES"] == "sam-test-cluster-worker=172.18.0.2"


DOWN = Machine(docker_error="Cannot connect")


def test_a_preview_warns_of_what_an_up_refuses(running: Run) -> None:
    recording = running(machine=DOWN, preview=True)
    assert recording.warnings == [
        "an up would stop here: Docker does not answer (Cannot connect); start it and check with: docker info"
    ]
    assert len(recording.resources) == 22


def test_an_up_refuses_before_anything_is_declared(running: Run) -> None:
    recording = Recording()
    with pytest.raises(pulumi.RunError) as caught:
        running(machine=replace(DOWN, missing_tools=("kind",)), recording=recording)
    assert str(caught.value).splitlines() == [
        "nothing was changed, because",
        "- kind is not on PATH; `hops tools` fetches it into .tools/bin, or install it by your package manager",
        "- Docker does not answer (Cannot connect); start it and check with: docker info",
    ]
    assert recording.resources == []


@pytest.mark.parametrize("preview", [True, False])
def test_wrong_settings_stop_preview_and_up_before_anything_is_declared(running: Run, *, preview: bool) -> None:
    recording = Recording(preview=preview)
    with pytest.raises(pulumi.RunError, match=r"^ingress-hops:cluster\.httpPort is 0: .* in the stack's file$"):
        running(config={"ingress-hops:cluster": '{"httpPort": 0}'}, recording=recording)
    assert recording.resources == []


@pytest.mark.parametrize("manifest", [CALICO, CONTOUR])
@pytest.mark.parametrize("what", ["altered", "unreadable"])
def test_a_published_file_that_is_not_as_pinned_stops_both(
    manifest: Manifest, what: str, manifests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (CALICO, CONTOUR):
        (tmp_path / each.file_name).write_bytes((manifests / each.file_name).read_bytes())
    path = tmp_path / manifest.file_name
    if what == "altered":
        path.write_text(path.read_text() + "\n")
    else:
        path.unlink()
        path.mkdir()
    monkeypatch.setenv("INGRESS_HOPS_MANIFESTS", str(tmp_path))
    for preview in (True, False):
        recording = Recording(preview=preview)
        with pytest.raises(pulumi.RunError) as caught:
            run(program.run, recording, "seed", committed("seed"))
        assert str(caught.value).startswith(str(path))
        assert manifest.url in str(caught.value) or "Delete the file" in str(caught.value)
        assert recording.resources == []


def test_the_whole_stack_from_the_published_files(manifests: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGRESS_HOPS_MANIFESTS", str(manifests))
    monkeypatch.setattr(program, "look", lambda *_: HEALTHY)
    recording = run(program.run, Recording(preview=True), "seed", committed("seed"))
    assert len({resource.urn for resource in recording.resources}) == len(recording.resources) == 72
    envoy = recording.one("DaemonSet", "contour-daemonset-envoy").inputs["spec"]["template"]["spec"]["containers"][1]
    assert {p["name"]: (p.get("hostPort"), p["containerPort"]) for p in envoy["ports"]} == {
        "http": (80, 8080),
        "https": (443, 8443),
        "metrics": (None, 8002),
    }


def test_nothing_secret_is_published(running: Run) -> None:
    recording = running()
    texts = [*strings(recording.outputs), *(t for r in recording.resources for t in strings(r.inputs))]
    assert not any("client-key-data" in text or "BEGIN " in text for text in texts)


EXISTING = {"ingress-hops:cluster": '{"existing": "team-a"}'}


@dataclass
class Elsewhere:
    """An existing cluster. before, after: its objects before and after an update."""

    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    there = Elsewhere()
    monkeypatch.setattr(program, "context_objects", lambda _: there.before)
    monkeypatch.setattr("stacks.build.context_objects", lambda _: there.after)
    return there


def kept_in_state(*items: dict[str, Any]) -> dict[str, Any]:
    """What the engine tells of objects in the state (3.259)."""
    return {
        f"urn:pulumi:prod::p::a:b:C$kubernetes:v1:{item['kind']}::{number}": {
            "type": f"kubernetes:v1:{item['kind']}",
            "outputs": {"metadata": item["metadata"]},
        }
        for number, item in enumerate(items)
    }


def published_names(*items: dict[str, Any]) -> list[dict[str, Any]]:
    """Objects in the namespace of the published Contour."""
    return [item | {"metadata": item["metadata"] | {"namespace": "projectcontour"}} for item in items]


def existing(entrance: str, **contour: Any) -> dict[str, str]:
    return EXISTING | {"ingress-hops:contour": json.dumps({"entrance": entrance, **contour})}


@pytest.mark.usefixtures("elsewhere")
def test_an_existing_cluster_gets_contour_and_workloads_only(running: Run) -> None:
    recording = running("prod", Machine(missing_tools=("docker", "kind")), EXISTING)
    assert recording.warnings == []
    assert recording.of("Command") == recording.of("KindCluster") == recording.of("Calico") == []
    provider = recording.one("kubernetes")
    assert provider.inputs["context"] == "team-a"
    assert "deleteUnreachable" not in provider.inputs or provider.inputs["deleteUnreachable"] == "false"
    assert all(not resource.request.deletedWith for resource in recording.resources)
    assert entered(recording) == ("LoadBalancer", [("http", 80, None), ("https", 443, None)], [None, None])


def entered(recording: Recording) -> tuple[str, list[tuple[str, int, int | None]], list[int | None]]:
    """The type of Envoy's Service and its ports by name with their node ports; the host ports of Envoy."""
    spec = recording.one("Service", "contour-service-envoy").inputs["spec"]
    (template,) = [r.inputs["spec"]["template"] for r in recording.of("DaemonSet")]
    (envoy,) = [one for one in template["spec"]["containers"] if one["name"] == "envoy"]
    host_ports = [port.get("hostPort") for port in envoy["ports"] if port["name"] in ("http", "https")]
    return spec["type"], [(p["name"], p["port"], p.get("nodePort")) for p in spec["ports"]], host_ports


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (existing("NodePort"), ("NodePort", [("http", 80, 30080), ("https", 443, 30443)], [None, None])),
        (existing("HostPort"), ("ClusterIP", [("http", 80, None), ("https", 443, None)], [80, 443])),
        (
            {"ingress-hops:cluster": '{"existing": "team-a", "httpPort": 8080, "httpsPort": null}'},
            ("LoadBalancer", [("http", 8080, None)], [None, None]),
        ),
    ],
)
def test_how_requests_enter_an_existing_cluster(running: Run, config: dict[str, str], expected: Any) -> None:
    assert entered(running("prod", config=config)) == expected


def test_an_existing_clusters_hops(running: Run, elsewhere: Elsewhere) -> None:
    of = settings("prod", {"cluster": {"existing": "team-a"}})
    early = running("prod", config=EXISTING, preview=True).outputs
    assert [(hop["name"], hop["port"]) for hop in early["hops"]] == [(hop["name"], hop["port"]) for hop in hops(of)]
    assert {hop["address"] for hop in early["hops"] if hop["name"] != "name"} == {UNKNOWN}
    assert (early["curl"], early["url"]) == (UNKNOWN, "http://my-service.localhost/")
    assert early["cluster"] == {"context": "team-a", "fixed": {"cluster.existing": "team-a"}}
    ours = [contour("contour", namespace="projectcontour"), *published_names(*HELM[1:4])]
    elsewhere.after = [*ours, named("Pod", "my-service-pod", "apps", status={"podIP": "10.1.2.3"})]
    late = running("prod", config=EXISTING).outputs
    entrypoint = Entrypoint("203.0.113.7", None, BALANCED, Entrance.LOAD_BALANCER)
    there = LiveAddresses(entrance=entrypoint, pods={"apps/my-service-pod": "10.1.2.3"})
    assert late["hops"] == hops(of, there)
    assert late["curl"] == "curl --resolve my-service.localhost:80:203.0.113.7 http://my-service.localhost/"


BALANCED = (PortMapping("http", 80, 31080, 8080), PortMapping("https", 443, 31443, 8443))
THEIRS = EXISTING | {
    "ingress-hops:contour": '{"existing": "edge", "entrance": "NodePort"}',
    "ingress-hops:services": json.dumps([{"routes": [{"host": "a.test"}, {"host": "b.test", "kind": "HTTPProxy"}]}]),
}


def test_a_contour_that_is_there_is_used(running: Run, elsewhere: Elsewhere) -> None:
    """It is served under its class, admitted from its namespace and entered by its ports; nothing of it is declared."""
    apps = named("Namespace", "apps", None)
    elsewhere.before = [contour("release-contour", "--ingress-class-name=internal"), *HELM[1:], apps]
    preview = running("prod", config=THEIRS, preview=True)
    assert preview.warnings == []
    assert preview.of("Contour") == preview.of("DaemonSet") == preview.of("Namespace") == []
    assert preview.one("Ingress", "apps/my-service-ingress-ingress").inputs["spec"]["ingressClassName"] == "internal"
    assert preview.one("HTTPProxy", "apps/b.test-proxy").inputs["spec"]["ingressClassName"] == "internal"
    (admitted,) = preview.one("NetworkPolicy").inputs["spec"]["ingress"]
    assert admitted["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "edge"}
    entered = {hop["name"]: hop for hop in preview.outputs["hops"]}["node-port"]
    assert (entered["component"], entered["address"], entered["port"]) == ("node n2", "192.0.2.2", 31080)
    assert preview.outputs["curl"] == "curl --resolve a.test:31080:192.0.2.2 http://a.test:31080/"
    # No rule takes the published Contour for the one that serves.
    of = settings("prod", {key.partition(":")[2]: json.loads(value) for key, value in THEIRS.items()})
    inventory = Inventory(((item, Place()) for item in preview.objects()), today=date(2026, 1, 1), settings=of)
    assert [
        str(finding) for finding in judge(inventory, configure(of.policy)) if finding.code in ("IN09", "EX05")
    ] == []


def test_a_cluster_without_the_named_contour_stops_an_up(running: Run, elsewhere: Elsewhere) -> None:
    elsewhere.before = [named("Deployment", "web")]
    (said,) = running("prod", config=THEIRS, preview=True).warnings
    assert said.startswith("an up would stop here: ingress-hops:contour.existing is edge, and no Contour")
    recording = Recording()
    with pytest.raises(pulumi.RunError, match=r"the cluster has none: remove contour\.existing"):
        running("prod", config=THEIRS, recording=recording)
    assert recording.resources == []


def test_what_the_state_holds_is_the_stacks_own(running: Run, elsewhere: Elsewhere) -> None:
    elsewhere.before = [named("Namespace", "apps", None), named("Service", "my-service", "apps")]
    with pytest.raises(pulumi.RunError, match="the cluster has the Service apps/my-service already"):
        running("prod", config=EXISTING)
    state = kept_in_state(named("Namespace", "apps", None), named("Service", "my-service", "apps"))
    kept = Recording(answers={READ_RESOURCES: lambda _: {"outputs": state}})
    assert running("prod", config=EXISTING, recording=kept).one("Namespace", "apps")


def test_the_documented_cloud_cluster_is_previewed(running: Run, elsewhere: Elsewhere, project: Path) -> None:
    """The page's stack on EKS: new, and when its load balancer has a name."""
    page = (project / "docs" / "existing-clusters.md").read_text()
    example, call = page.partition("## Example: Amazon EKS")[2].split("```")[1:4:2]
    config = {key: json.dumps(value) for key, value in yaml.safe_load(example.removeprefix("yaml"))["config"].items()}
    named_by = [{"name": "FELIX_INTERFACEPREFIX", "value": "eni"}]
    agent = {"name": "calico-node", "image": "calico/node:v3", "env": named_by}
    labels = {"labels": {"k8s-app": "calico-node"}}
    elsewhere.before = [named("Pod", "c", "calico-system", metadata=labels, spec={"containers": [agent]})]
    new = running("team", Machine(missing_tools=("docker", "kind")), config, preview=True)
    assert new.warnings == []
    assert (new.outputs["url"], new.outputs["curl"]) == ("https://shop.example.com/", UNKNOWN)
    assert entered(new)[0] == "LoadBalancer"
    assert new.one("Deployment", "shop/shop").inputs["spec"]["replicas"] == 3
    own = kept_in_state(contour("contour", namespace="projectcontour"))
    balanced = service("LoadBalancer", "envoy", {"hostname": "a1b2-1.elb.eu-central-1.amazonaws.com"})
    elsewhere.before += [contour("contour", namespace="projectcontour"), *published_names(envoy("envoy"), balanced)]
    kept = Recording(preview=True, answers={READ_RESOURCES: lambda _: {"outputs": own}})
    up = running("team", config=config, recording=kept, preview=True)
    assert up.warnings == []
    assert up.outputs["curl"] == call.removeprefix("sh").strip()
    hops_ = {hop["name"]: hop for hop in up.outputs["hops"]}
    assert hops_["load-balancer"]["address"] == "a1b2-1.elb.eu-central-1.amazonaws.com"
    assert (hops_["endpoint"]["component"], hops_["node-port"]["port"]) == ("pod network", 31443)


def test_a_cluster_that_does_not_answer_stops_an_up(running: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: str) -> list[dict[str, Any]]:
        raise APIError("https://10.0.0.1 does not answer: timed out")

    monkeypatch.setattr(program, "context_objects", silent)
    (said,) = running("prod", config=EXISTING, preview=True).warnings
    assert said == (
        "an up would stop here: ingress-hops:cluster.existing is team-a: https://10.0.0.1 does not answer: timed out; "
        "check it with: kubectl --context team-a get nodes"
    )


HALF_WRITTEN = "invoke of pulumi:pulumi:readStackOutputs failed: failed to load checkpoint: EOF"


@pytest.mark.parametrize(
    ("reason", "times", "fails"), [(HALF_WRITTEN, 2, False), (HALF_WRITTEN, 99, True), ("no", 1, True)]
)
def test_a_state_that_is_being_written_is_read_again(
    running: Run, monkeypatch: pytest.MonkeyPatch, reason: str, times: int, *, fails: bool
) -> None:
    """A file backend writes it while the update begins."""
    invoke, failures = pulumi.runtime.invoke, [Exception(reason)] * times

    def failing(token: str, arguments: Any) -> Any:
        if token == READ_OUTPUTS and failures:
            raise failures.pop()
        return invoke(token, arguments)

    monkeypatch.setattr(pulumi.runtime, "invoke", failing)
    monkeypatch.setattr("stacks.program.time.sleep", lambda _: None)
    if fails:
        with pytest.raises(Exception, match=reason):
            running(preview=False)
    else:
        assert running().outputs["hops"]


def test_what_is_not_had_of_the_published_files_is_left_out(seed: Settings, contour_objects: Objects) -> None:
    def kinds(upstream: dict[str, Objects]) -> set[str]:
        ground = StackContext("/folder", "/folder/seed.owner", 17, ClusterState(), upstream)
        recording = run(lambda: build(seed, ground), Recording(preview=True))
        return {r.type.rsplit(":", 1)[1] for r in recording.resources if r.type.startswith("ingress-hops:")}

    assert kinds({}) == {"KindCluster", "Workload", "Ingress"}
    assert kinds({"contour": contour_objects}) == {"KindCluster", "Contour", "Workload", "Ingress"}


def test_pods_wait_for_calico(running: Run) -> None:
    recording = running()
    calico = recording.one("DaemonSet", "calico-daemonset-calico-node")
    for resource in (recording.one("Pod"), recording.one("DaemonSet", "contour-daemonset-envoy")):
        assert calico.urn in resource.request.dependencies


def test_a_built_stack_gives_what_a_resource_beside_it_needs(contour_objects: Objects, calico_objects: Objects) -> None:
    ground = StackContext(
        "/folder", "/folder/x.owner", 1, ClusterState(), {"calico": calico_objects, "contour": contour_objects}
    )
    built: list[BuiltStack] = []

    def declare() -> None:
        built.append(
            build(settings("x", {"cluster": {"httpPort": 8099}, "services": [{"host": "x.localhost"}]}), ground)
        )
        kubernetes.core.v1.Pod("own", metadata={"name": "own", "namespace": "apps"}, opts=built[0].inside_of("apps"))

    recording = run(declare, Recording(preview=True))
    assert (built[0].address, built[0].ports["http"]) == ("127.0.0.1", 8099)
    assert built[0].controller_namespace == "projectcontour"
    own, calico = recording.one("Pod", "own"), recording.one("DaemonSet", "calico-daemonset-calico-node")
    assert own.request.provider == calico.request.provider
    assert {calico.urn, recording.one("Namespace", "apps").urn} <= set(own.request.dependencies)


def test_the_routes_of_a_stack_are_objects_and_outputs(running: Run) -> None:
    proxy = {"kind": "HTTPProxy", "host": "api.localhost", "path": "/v1"}
    first = {**proxy, "rewrite": "/", "timeout": "30s", "websocket": True}
    away = {"kind": "HTTPProxy", "host": "api.localhost", "path": "/old", "redirect": {"path": "/v1", "status": 301}}
    services = [
        {
            "name": "web",
            "routes": [
                {"timeout": "5s", "websocket": True},
                {"path": "/a", "pathType": "Exact"},
                first,
            ],
        },
        {"name": "grpc", "routes": [{**proxy, "path": "/grpc", "protocol": "h2c"}, away]},
        {"name": "db", "routes": []},
    ]
    recording = running("alice", config={"ingress-hops:services": json.dumps(services)})
    ingresses = [one for one in recording.of("Ingress") if one.type.startswith("kubernetes:")]
    ingress, exact = sorted(ingresses, key=lambda one: str(one.inputs["metadata"]["name"]))
    assert ingress.inputs["metadata"]["annotations"] == {
        "pulumi.com/skipAwait": "true",
        "projectcontour.io/response-timeout": "5s",
        "projectcontour.io/websocket-routes": "/",
    }
    (path,) = exact.inputs["spec"]["rules"][0]["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/a", "Exact")
    (found,) = (one for one in recording.of("HTTPProxy") if one.type.startswith("kubernetes:"))
    assert found.inputs["metadata"]["name"] == "api.localhost"
    assert found.inputs["spec"] == {
        "virtualhost": {"fqdn": "api.localhost"},
        "routes": [
            {
                "conditions": [{"prefix": "/v1"}],
                "services": [{"name": "web", "port": 8080}],
                "pathRewritePolicy": {"replacePrefix": [{"replacement": "/"}]},
                "timeoutPolicy": {"response": "30s"},
                "enableWebsockets": True,
            },
            {"conditions": [{"prefix": "/grpc"}], "services": [{"name": "grpc", "port": 8080, "protocol": "h2c"}]},
            {"conditions": [{"prefix": "/old"}], "requestRedirectPolicy": {"path": "/v1", "statusCode": 301}},
        ],
    }
    annotated = {s.inputs["metadata"]["name"]: s.inputs["metadata"]["annotations"] for s in recording.of("Service")}
    assert annotated["grpc"]["projectcontour.io/upstream-protocol.h2c"] == "8080"
    assert set(annotated["web"]) == {"pulumi.com/skipAwait"}
    assert sorted(pod.inputs["metadata"]["name"] for pod in recording.of("Pod")) == ["db-pod", "grpc-pod", "web-pod"]
    outputs = recording.outputs
    assert [(route["kind"], route["url"], route["service"]) for route in outputs["routes"]] == [
        ("Ingress", "http://web.localhost/", "apps/web"),
        ("Ingress", "http://web.localhost/a", "apps/web"),
        ("HTTPProxy", "http://api.localhost/v1", "apps/web"),
        ("HTTPProxy", "http://api.localhost/grpc", "apps/grpc"),
        ("HTTPProxy", "http://api.localhost/old", "apps/grpc"),
    ]
    assert outputs["url"] == "http://web.localhost/"
    assert len(outputs["hops"]) == 4 * 12 + 8
    assert len({(hop["service"], hop["route"], hop["number"]) for hop in outputs["hops"]}) == 4 * 12 + 8


@pytest.mark.usefixtures("authority")
def test_httproutes_of_a_stack_have_a_gateway(running: Run) -> None:
    route = {"kind": "HTTPRoute", "host": "web.localhost"}
    canary = {
        **route,
        "weight": 90,
        "others": [{"service": "next", "weight": 10}],
        "mirror": {"service": "next"},
        "headers": [{"name": "X-Canary", "exact": "1"}],
        "query": [{"name": "v", "exact": "2"}],
        "rewrite": "/in",
        "path": "/out",
        "timeout": "5s",
    }
    secure = {"kind": "HTTPRoute", "host": "safe.localhost", "tls": True}
    away = {**route, "path": "/old", "redirect": {"path": "/out"}}
    services = [{"name": "web", "routes": [canary, away, secure, {}]}, {"name": "next", "namespace": "apps"}]
    recording = running("alice", config={"ingress-hops:services": json.dumps(services)})
    (gateway,) = (one for one in recording.of("Gateway") if one.type.startswith("kubernetes:"))
    assert [one["name"] for one in gateway.inputs["spec"]["listeners"]] == ["http", "https", "safe.localhost"]
    (grant,) = recording.of("ReferenceGrant")
    assert (grant.inputs["metadata"]["namespace"], grant.inputs["spec"]["to"][0]["name"]) == ("apps", "safe.localhost")
    definition = recording.one(
        "CustomResourceDefinition",
        next(one.name for one in recording.of("CustomResourceDefinition") if "gateways" in one.name),
    )
    parents = {one.urn: one for one in recording.resources}
    assert definition.urn in parents[gateway.parent].request.dependencies
    assert recording.one("Namespace", "apps").urn in parents[gateway.parent].request.dependencies
    found = {
        one.inputs["metadata"]["name"]: one for one in recording.of("HTTPRoute") if one.type.startswith("kubernetes:")
    }
    assert {name: one.inputs["spec"]["parentRefs"][0]["sectionName"] for name, one in found.items()} == {
        "web-route": "http",
        "web-route-2": "http",
        "web-route-3": "safe.localhost",
    }
    assert {definition.urn, recording.one("Secret", "apps/safe.localhost").urn} <= set(
        parents[found["web-route-3"].parent].request.dependencies
    )
    (rule,) = found["web-route"].inputs["spec"]["rules"]
    assert rule["backendRefs"] == [
        {"name": "web", "port": 8080, "weight": 90},
        {"name": "next", "port": 8080, "weight": 10},
    ]
    assert rule["matches"][0]["headers"] == [{"name": "X-Canary", "value": "1", "type": "Exact"}]
    assert rule["matches"][0]["queryParams"] == [{"name": "v", "value": "2", "type": "Exact"}]
    assert [one["type"] for one in rule["filters"]] == ["RequestMirror", "URLRewrite"]
    assert rule["timeouts"] == {"request": "5s"}
    configuration = next(one for one in recording.of("ConfigMap") if one.inputs["metadata"]["name"] == "contour")
    reference = yaml.safe_load(configuration.inputs["data"]["contour.yaml"])["gateway"]["gatewayRef"]
    assert reference == {key: gateway.inputs["metadata"][key] for key in ("name", "namespace")}
    assert [route["kind"] for route in recording.outputs["routes"]] == ["HTTPRoute"] * 3 + ["Ingress"] * 2


def test_a_stack_without_httproutes_has_no_gateway(running: Run) -> None:
    recording = running("alice", config={"ingress-hops:services": "[{}]"})
    assert not recording.of("Gateway")
    configuration = next(one for one in recording.of("ConfigMap") if one.inputs["metadata"]["name"] == "contour")
    assert "gateway" not in configuration.inputs["data"]["contour.yaml"]


def test_a_canary_of_a_stack_is_one_httpproxy(running: Run) -> None:
    proxy = {"kind": "HTTPProxy", "host": "web.localhost"}
    shared = {
        **proxy,
        "weight": 90,
        "others": [{"service": "next", "weight": 10}],
        "mirror": {"service": "next", "port": 81},
        "retries": 2,
        "idleTimeout": "1m",
        "requestHeaders": {"set": {"X-A": "1"}},
        "responseHeaders": {"remove": ["Server"]},
        "rateLimit": {"requests": 5},
        "cors": {"allowOrigin": ["*"]},
        "protocol": "h2c",
    }
    conditions = {"headers": [{"name": "X-Canary", "present": False}], "query": [{"name": "v", "contains": "2"}]}
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "copy", "port": 81, "targetPort": 8080}]
    services = [{"name": "web", "routes": [shared]}, {"name": "next", "ports": ports, "routes": [proxy | conditions]}]
    recording = running("alice", config={"ingress-hops:services": json.dumps(services)})
    (found,) = (one for one in recording.of("HTTPProxy") if one.type.startswith("kubernetes:"))
    assert found.inputs["spec"] == {
        "virtualhost": {
            "fqdn": "web.localhost",
            "corsPolicy": {"allowOrigin": ["*"], "allowMethods": ["GET", "HEAD", "POST"]},
        },
        "routes": [
            {
                "conditions": [{"prefix": "/"}],
                "services": [
                    {"name": "web", "port": 8080, "weight": 90, "protocol": "h2c"},
                    {"name": "next", "port": 80, "weight": 10, "protocol": "h2c"},
                    {"name": "next", "port": 81, "mirror": True, "protocol": "h2c"},
                ],
                "timeoutPolicy": {"idle": "1m"},
                "retryPolicy": {"count": 2},
                "requestHeadersPolicy": {"set": [{"name": "X-A", "value": "1"}]},
                "responseHeadersPolicy": {"remove": ["Server"]},
                "rateLimitPolicy": {"local": {"requests": 5, "unit": "second"}},
            },
            {
                "conditions": [
                    {"prefix": "/"},
                    {"header": {"name": "x-canary", "notpresent": True}},
                    {"queryParameter": {"name": "v", "contains": "2"}},
                ],
                "services": [{"name": "next", "port": 80}],
            },
        ],
    }
    first, second = recording.outputs["routes"]
    assert (first["url"], second["url"]) == ("http://web.localhost/", "http://web.localhost/?v=2")
    (route,) = (hop for hop in recording.outputs["hops"] if hop["service"] == "apps/web" and hop["name"] == "route")
    assert route["details"]["weights"] == "web:8080 90 of 100, next:80 10 of 100"


def test_routes_lead_to_the_ports_that_they_name(running: Run) -> None:
    proxy = {"kind": "HTTPProxy", "host": "rpc.localhost", "port": 81, "protocol": "h2c"}
    ports = [{"name": "web", "port": 80, "targetPort": 3000}, {"name": "rpc", "port": 81}]
    services = [
        {"name": "web", "ports": ports, "routes": [{}, {"path": "/a", "port": "rpc", "protocol": "h2c"}, proxy]}
    ]
    recording = running("alice", config={"ingress-hops:services": json.dumps(services)})
    backends = {
        one.inputs["metadata"]["name"]: one.inputs["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"]
        for one in recording.of("Ingress")
        if one.type.startswith("kubernetes:")
    }
    assert backends == {"web-ingress": {"number": 80}, "web-ingress-2": {"number": 81}}
    (found,) = (one for one in recording.of("HTTPProxy") if one.type.startswith("kubernetes:"))
    assert found.inputs["spec"]["routes"][0]["services"] == [{"name": "web", "port": 81, "protocol": "h2c"}]
    (service,) = (one.inputs for one in recording.of("Service") if one.inputs["metadata"]["name"] == "web")
    assert [port["targetPort"] for port in service["spec"]["ports"]] == [3000, 81]
    assert service["metadata"]["annotations"]["projectcontour.io/upstream-protocol.h2c"] == "81"


def test_a_migration_is_admitted_with_its_service(running: Run) -> None:
    services = [
        {"name": "db", "routes": [], "admit": ["api"]},
        {"name": "api", "image": "api:1", "migration": {"command": ["migrate"]}},
    ]
    recording = running("alice", config={"ingress-hops:services": json.dumps(services)})
    job = next(one for one in recording.of("Job") if one.name == "apps/api-migration")
    labels = job.inputs["spec"]["template"]["metadata"]["labels"]
    policies = {one.inputs["metadata"]["name"]: one.inputs["spec"] for one in recording.of("NetworkPolicy")}
    (rule,) = policies["db"]["ingress"]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["from"][1:]] == [{"service": "api-pod"}, labels]


def test_a_service_admits_the_pods_of_others(running: Run) -> None:
    services = [
        {"name": "db", "routes": [], "admit": ["api", "jobs/worker"]},
        {"name": "api", "image": "api:1"},
        {"name": "worker", "namespace": "jobs", "pod": "mine"},
    ]
    recording = running("alice", config={"ingress-hops:services": json.dumps(services)})
    policies = {one.inputs["metadata"]["name"]: one.inputs["spec"] for one in recording.of("NetworkPolicy")}
    (rule,) = policies["db"]["ingress"]
    peers = [
        (
            peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"],
            peer.get("podSelector", {}).get("matchLabels"),
        )
        for peer in rule["from"]
    ]
    assert peers == [("projectcontour", None), ("apps", {"service": "api-pod"}), ("jobs", {"service": "mine"})]
    assert len(policies["api"]["ingress"][0]["from"]) == 1


def test_replicas_and_services_of_a_stack(running: Run) -> None:
    services = [{"name": "a", "replicas": 2}, {"name": "b", "namespace": "other"}]
    recording = running("alice", config={"ingress-hops:services": json.dumps(services)})
    assert sorted(pod.inputs["metadata"]["name"] for pod in recording.of("Pod")) == ["a-pod", "a-pod-2", "b-pod"]
    assert {n.name for n in recording.of("Namespace")} == {"contour-namespace-projectcontour", "apps", "other"}
    assert len(recording.outputs["hops"]) == 24


def test_a_relaxed_container_is_named_and_its_namespace_admits_it(running: Run) -> None:
    services = [
        {"name": "a", "namespace": "rooted", "user": 0},
        {"name": "b", "readOnlyRoot": False, "volumes": [{"path": "/cache"}], "probes": {"liveness": {"http": "/"}}},
    ]
    recording = running("local", config={"ingress-hops:services": json.dumps(services)}, preview=True)
    said = [text for _, text in recording.logs if "ingress-hops:services[" in text]
    assert said == [
        "ingress-hops:services[0] (a): user is 0: the container runs as root",
        "ingress-hops:services[1] (b): readOnlyRoot is false: the container can write its root file system",
    ]
    levels = {
        namespace.name: namespace.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for namespace in recording.of("Namespace")
        if namespace.name in ("rooted", "apps")
    }
    assert levels == {"rooted": "baseline", "apps": "restricted"}
    (relaxed,) = (pod for pod in recording.of("Pod") if pod.inputs["metadata"]["name"] == "b-pod")
    (container,) = relaxed.inputs["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"] == {"path": "/", "port": 8080}
    assert container["volumeMounts"][1] == {"name": "volume-0", "mountPath": "/cache"}


WEB = {"ingress-hops:services": json.dumps([{"name": "web", "image": "web:1", "replicas": 2}])}


def deployed(version: str) -> list[dict[str, Any]]:
    """A Deployment and its pod in a running cluster. version: the digest of the pod's spec."""
    template = {"metadata": {"annotations": {DIGEST: version}}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"service": "web-pod"}}, "template": template}
    metadata = {
        "namespace": "apps",
        "name": "web-1-a",
        "labels": {"service": "web-pod"},
        "annotations": {DIGEST: version},
        "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": True}],
    }
    return [
        {"kind": "Deployment", "metadata": {"namespace": "apps", "name": "web"}, "spec": spec},
        {"kind": "Pod", "metadata": metadata, "status": {"podIP": "10.244.0.5"}},
    ]


def pod_of(recording: Recording) -> dict[str, Any]:
    return next(hop for hop in recording.outputs["hops"] if hop["name"] == "pod")


def test_a_deployment_is_declared_and_its_pod_is_published_by_an_up(running: Run, cluster: Cluster) -> None:
    before = running("local", config=WEB, preview=True)
    assert (pod_of(before)["component"], pod_of(before)["address"]) == ("deployment apps/web", UNKNOWN)
    spec = before.one("Deployment", "apps/web").inputs["spec"]
    assert spec["replicas"] == 2
    assert not [pod for pod in before.of("Pod") if pod.inputs["metadata"]["namespace"] == "apps"]
    digest = spec["template"]["metadata"]["annotations"][DIGEST]
    cluster.objects += deployed(digest)
    done = running("local", config=WEB)
    assert (pod_of(done)["component"], pod_of(done)["address"]) == ("pod apps/web-1-a", "10.244.0.5")


def test_a_preview_knows_the_pod_of_an_unchanged_deployment_only(
    running: Run, tmp_path: Path, cluster: Cluster
) -> None:
    config = committed("seed") | WEB
    spec = running(config=config, preview=True).one("Deployment", "apps/web").inputs["spec"]
    objects = list(cluster.objects)
    there = own_cluster(tmp_path, control_plane="running", worker="running")
    cluster.objects[:] = objects + deployed(spec["template"]["metadata"]["annotations"][DIGEST])
    same = running(machine=there, config=config, preview=True)
    assert pod_of(same)["address"] == "10.244.0.5"
    cluster.objects[:] = objects + deployed("another")
    changed = running(machine=there, config=config, preview=True)
    assert (pod_of(changed)["component"], pod_of(changed)["address"]) == ("deployment apps/web", UNKNOWN)


def switched(cluster: Cluster, selector: Mapping[str, str]) -> None:
    """The Service of `web` in the running cluster selects these pods."""
    metadata = {"namespace": "apps", "name": "web"}
    cluster.objects.append({"kind": "Service", "metadata": metadata, "spec": {"selector": selector}})


def test_a_service_changes_pods_only_when_the_new_ones_are_ready(
    running: Run, tmp_path: Path, cluster: Cluster
) -> None:
    there = own_cluster(tmp_path, control_plane="running", worker="running")
    config = committed("seed") | WEB
    switched(cluster, {"service": "old-pod"})
    running(machine=there, config=config)
    asked = [of[3] for of in cluster.asked if len(of) > 1]
    assert len(asked) == 2
    assert asked[0] == ["/"], "no route is asked while the Service leads to the old pods"
    cluster.asked.clear()
    cluster.answers = [RouteAnswer(answered=False, pods={"apps/web-1-a": PodStart("Running")}, logs={})]
    recording = Recording()
    with pytest.raises(Exception, match="The Service still leads to the old pods, and they stay"):
        running(machine=there, config=config, recording=recording)
    assert [one.name for one in recording.of("Deployment") if one.name == "apps/web"]
    assert not [one.name for one in recording.of("Service") if one.name == "apps/web"]


@pytest.mark.parametrize("selector", [{"service": "web-pod"}, None])
def test_a_service_of_the_same_pods_waits_for_nothing(
    running: Run, tmp_path: Path, cluster: Cluster, selector: Mapping[str, str] | None
) -> None:
    there = own_cluster(tmp_path, control_plane="running", worker="running")
    if selector:
        switched(cluster, selector)
    running(machine=there, config=committed("seed") | WEB)
    assert len([of for of in cluster.asked if len(of) > 1]) == 1


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of an authority that is not there yet."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "ca"))
    return tmp_path / "ca"


def with_tls(http: int = 8080, https: int = 8443) -> dict[str, str]:
    return {
        "ingress-hops:cluster": json.dumps({"httpPort": http, "httpsPort": https}),
        "ingress-hops:services": json.dumps([{"name": "web", "host": "web.localhost", "tls": True}, {"name": "plain"}]),
    }


def test_a_host_with_tls_has_a_secret_whose_key_is_nowhere_in_clear(running: Run, authority: Path) -> None:
    recording = running("alice", config=with_tls())
    secret, ingress = (
        recording.one("Secret", "apps/web.localhost"),
        recording.one("Ingress", "apps/web-ingress-ingress"),
    )
    assert secret.inputs["type"] == "kubernetes.io/tls"
    assert secret.inputs["metadata"] == {"name": "web.localhost", "namespace": "apps"}
    assert "data" in secret.request.additionalSecretOutputs
    assert ingress.inputs["spec"]["tls"] == [{"hosts": ["web.localhost"], "secretName": "web.localhost"}]
    # What a component depends on holds back its children.
    (component,) = (r for r in recording.resources if r.urn == ingress.parent)
    assert secret.urn in component.request.dependencies
    # The engine encrypts what carries the mark of a secret.
    data = secret.request.object["data"]
    assert data["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"
    planted = (authority / "hosts" / "web.localhost.pem").read_text().partition("-----BEGIN PRIVATE KEY-----")[2]
    line = planted.split()[0]
    encoded = base64.b64encode(("-----BEGIN PRIVATE KEY-----" + planted).encode()).decode()
    assert data["value"]["tls.key"] == encoded
    for text in (
        *(json.dumps(resource.inputs) for resource in recording.resources if resource is not secret),
        json.dumps(recording.registered),
        repr(recording.logs),
    ):
        assert line not in text
        assert encoded not in text


@pytest.mark.usefixtures("authority")
def test_the_routes_of_one_host_share_its_certificate(running: Run) -> None:
    routes = [
        {"host": "a.localhost", "tls": True},
        {"host": "a.localhost", "path": "/b", "tls": True},
        {"kind": "HTTPProxy", "host": "c.localhost", "tls": True},
        {"host": "d.localhost"},
    ]
    recording = running("alice", config={"ingress-hops:services": json.dumps([{"name": "web", "routes": routes}])})
    assert [secret.name for secret in recording.of("Secret")] == ["apps/a.localhost", "apps/c.localhost"]
    named = {
        ingress.inputs["metadata"]["name"]: [entry["secretName"] for entry in ingress.inputs["spec"].get("tls") or []]
        for ingress in recording.of("Ingress")
        if "spec" in ingress.inputs
    }
    assert named == {"web-ingress": ["a.localhost"], "web-ingress-2": ["a.localhost"], "web-ingress-3": []}
    proxy = recording.one("HTTPProxy", "apps/c.localhost-proxy")
    assert proxy.inputs["spec"]["virtualhost"]["tls"] == {"secretName": "c.localhost"}
    (component,) = (r for r in recording.resources if r.urn == proxy.parent)
    assert recording.one("Secret", "apps/c.localhost").urn in component.request.dependencies


def test_a_preview_of_a_stack_with_tls_writes_nothing(running: Run, authority: Path) -> None:
    recording = running("alice", config=with_tls(), preview=True)
    assert recording.one("Secret", "apps/web.localhost")
    assert not authority.exists()


def test_a_second_up_declares_the_same_certificate(running: Run, authority: Path) -> None:
    first = running("alice", config=with_tls()).one("Secret", "apps/web.localhost").inputs
    assert running("alice", config=with_tls()).one("Secret", "apps/web.localhost").inputs == first
    assert authority.exists()


def test_the_outputs_of_a_stack_with_tls(running: Run, authority: Path) -> None:
    outputs = running("alice", config=with_tls()).outputs
    assert outputs["url"] == "https://web.localhost:8443/"
    assert outputs["curl"] == (
        f"curl --cacert {authority}/authority.pem --resolve web.localhost:8443:127.0.0.1 https://web.localhost:8443/"
    )


@pytest.mark.parametrize(("http", "https", "redirects"), [(80, 443, True), (8080, 8443, False), (80, 8443, False)])
@pytest.mark.usefixtures("authority")
def test_http_is_redirected_at_the_usual_ports_and_refused_at_others(
    running: Run,
    http: int,
    https: int,
    redirects: bool,  # noqa: FBT001
) -> None:
    recording = running("alice", config=with_tls(http, https))
    annotations = recording.one("Ingress", "apps/web-ingress-ingress").inputs["metadata"]["annotations"]
    assert (annotations.get("ingress.kubernetes.io/force-ssl-redirect") == "true") is redirects
    assert (annotations.get("kubernetes.io/ingress.allow-http") == "false") is not redirects
    plain = recording.one("Ingress", "apps/plain-ingress-ingress").inputs["metadata"]["annotations"]
    assert list(plain) == ["pulumi.com/skipAwait"]


def test_a_stack_without_tls_makes_no_authority(running: Run, authority: Path) -> None:
    assert not running().of("Secret:kubernetes")
    assert not authority.exists()


FOREIGN = {
    "ingress-hops:services": json.dumps(
        [
            {
                "name": "web",
                "namespace": "shop",
                "kind": "Service",
                "port": 80,
                "routes": [{}, {"kind": "HTTPProxy", "host": "x.localhost"}],
            },
            {"name": "api"},
        ]
    )
}


def test_only_the_routes_of_a_foreign_service_are_declared(running: Run, cluster: Cluster) -> None:
    before = running("local", config=FOREIGN, preview=True)
    assert (pod_of(before)["component"], pod_of(before)["address"]) == ("pod of service shop/web", UNKNOWN)
    own = [one for one in before.resources if at(one.inputs, "metadata", "namespace") == "shop"]
    assert sorted(one.type.rpartition(":")[2] for one in own) == ["HTTPProxy", "Ingress"]
    assert not [one for one in before.of("Namespace") if one.inputs["metadata"]["name"] == "shop"]
    service = {"namespace": "shop", "name": "web"}
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 3000}], "clusterIP": "10.96.1.1"}
    pod = {"namespace": "shop", "name": "web-1", "labels": {"app": "web"}}
    cluster.objects += [
        {"kind": "Service", "metadata": service, "spec": spec},
        {"kind": "Pod", "metadata": pod, "status": {"podIP": "10.244.0.5"}},
    ]
    after = pod_of(running("local", config=FOREIGN))
    assert (after["component"], after["address"], after["port"]) == ("pod shop/web-1", "10.244.0.5", 3000)


def test_a_foreign_service_that_does_not_answer_is_named(running: Run, cluster: Cluster) -> None:
    cluster.answers = [RouteAnswer(answered=number > 0, pods={}, logs={}) for number in range(3)]
    (said,) = running("local", config=FOREIGN).warnings
    assert "the stack does not make Service shop/web and its pods" in said
