"""KindCluster: what kind gets, what makes another cluster, and the scripts with stand-ins for docker and kind."""

import json
import os
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import ArgumentError, Ingress, KindCluster, KindClusterArgs, cluster
from components.cluster import _CREATE, _DELETE, _LINK, _START, kind_config, resolved
from hops.model.preflight import MARK, DockerContainer, DockerDaemon, Machine
from hops.model.versions import NODE_IMAGE
from tests.recording import Declared, Recording, run, strings


def args(**changes: Any) -> KindClusterArgs:
    plain: Any = {
        "name": "sam-test-cluster",
        "image": "kindest/node:v1.34.8",
        "workers": 1,
        "pod_subnet": "10.244.0.0/16",
        "service_subnet": "10.96.0.0/16",
        "listen_address": "0.0.0.0",
        "owner": "/folder/seed.owner",
        "generation": 17,
        "kubeconfig": "/folder/seed-17.yaml",
        "fingerprint": "0123abcd",
        "stopped": (),
    }
    whole: KindClusterArgs = plain | changes
    return whole


def recorded(*, preview: bool = False, **changes: Any) -> Recording:
    return run(lambda: KindCluster("cluster", args(**changes)), Recording(preview=preview))


def command(**changes: Any) -> Declared:
    return recorded(**changes).one("Command")


def test_the_documented_cluster() -> None:
    config = kind_config(resolved("cluster", args()))
    worker = config["nodes"][1]
    assert worker["extraPortMappings"][0] == {
        "containerPort": 80,
        "hostPort": 80,
        "listenAddress": "0.0.0.0",
        "protocol": "TCP",
    }
    assert [(m["hostPort"], m["containerPort"]) for m in worker["extraPortMappings"]] == [(80, 80), (443, 443)]
    assert config["networking"] == {
        "disableDefaultCNI": True,
        "podSubnet": "10.244.0.0/16",
        "serviceSubnet": "10.96.0.0/16",
    }
    assert [node["role"] for node in config["nodes"]] == ["control-plane", "worker"]
    assert (config["kind"], config["apiVersion"], config["name"]) == (
        "Cluster",
        "kind.x-k8s.io/v1alpha4",
        "sam-test-cluster",
    )


def test_every_node_carries_the_mark_and_the_first_worker_the_ports() -> None:
    nodes = kind_config(resolved("cluster", args(workers=3)))["nodes"]
    mark = [{"hostPath": "/folder/seed.owner", "containerPath": "/ingress-hops/17-0123abcd", "readOnly": True}]
    assert [node["extraMounts"] for node in nodes] == [mark] * 4
    assert ["extraPortMappings" in node for node in nodes] == [False, True, False, False]


def test_the_publishing_workers_have_ports_of_their_own() -> None:
    further = [{"worker": 1, "http_port": 8081}, {"worker": 3, "http_port": 8082, "https_port": 8444}]
    values = resolved("cluster", args(workers=3, publishing_worker=2, also_publish=further))
    published = [
        [(one["hostPort"], one["containerPort"], one["listenAddress"]) for one in node.get("extraPortMappings", ())]
        for node in kind_config(values)["nodes"]
    ]
    anywhere = "0.0.0.0"
    assert published == [
        [],
        [(8081, 80, anywhere)],
        [(80, 80, anywhere), (443, 443, anywhere)],
        [(8082, 80, anywhere), (8444, 443, anywhere)],
    ]


def test_a_control_plane_alone_has_the_ports() -> None:
    (node,) = kind_config(resolved("cluster", args(workers=0)))["nodes"]
    assert node["role"] == "control-plane"
    assert [mapping["containerPort"] for mapping in node["extraPortMappings"]] == [80, 443]


def test_the_children_are_the_components() -> None:
    recording = recorded()
    component, *children = recording.resources
    assert (component.type, component.name) == ("ingress-hops:index:KindCluster", "cluster")
    assert [(child.type, child.name) for child in children] == [
        ("command:local:Command", "cluster-kind"),
        ("pulumi:providers:kubernetes", "cluster-kubernetes"),
    ]
    assert all(child.parent == component.urn for child in children)
    assert all("ingress-hops:index:KindCluster$" in child.urn for child in children)
    assert recording.registered[component.urn] == {
        "kubeconfig": "/folder/seed-17.yaml",
        "context": "kind-sam-test-cluster",
        "service_subnet": "10.96.0.0/16",
    }


def test_the_command_states_all_three() -> None:
    inputs = command().inputs
    assert (inputs["create"], inputs["update"], inputs["delete"]) == (_CREATE, _LINK, _DELETE)
    assert yaml.safe_load(inputs["stdin"]) == kind_config(resolved("cluster", args()))
    assert inputs["environment"] == {
        "CLUSTER": "sam-test-cluster",
        "IMAGE": "kindest/node:v1.34.8",
        "OWNER": "/folder/seed.owner",
        "MARK": "/ingress-hops/",
        "KUBECONFIG_FILE": "/folder/seed-17.yaml",
    }
    assert inputs["addPreviousOutputInEnv"] is False


def test_the_old_cluster_goes_before_the_new_one_comes() -> None:
    assert command().request.deleteBeforeReplace


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"image": "kindest/node:v1.34.9"},
        {"workers": 2},
        {"pod_subnet": "10.245.0.0/16"},
        {"service_subnet": "10.97.0.0/16"},
        {"listen_address": "127.0.0.1"},
        {"https_port": None},
        {"generation": 18},
        {"kubeconfig": "/folder/seed-18.yaml"},
        {"fingerprint": "0123abce"},
    ],
)
def test_what_makes_another_cluster(change: dict[str, Any]) -> None:
    assert command(**change).inputs["triggers"] != command().inputs["triggers"]


def test_a_stopped_node_makes_no_other_cluster() -> None:
    assert command(stopped=("sam-test-cluster-worker",)).inputs == command().inputs


def test_mirrors_are_written_before_anything_is_pulled_and_make_no_other_cluster() -> None:
    recording = recorded(registries={"docker.io": ["http://mirror:5000"]})
    kind, mirrors = (each for each in recording.resources if each.type == "command:local:Command")
    assert kind.inputs == command().inputs
    written = {"cluster": "sam-test-cluster", "registries": {"docker.io": ["http://mirror:5000"]}}
    assert json.loads(mirrors.inputs["stdin"]) == written
    assert mirrors.inputs["update"] == mirrors.inputs["create"], "a running cluster takes another value"
    assert mirrors.urn in recording.one("kubernetes").request.dependencies
    assert mirrors.request.deletedWith == kind.urn


def test_the_provider_is_of_this_generation() -> None:
    inputs = recorded().one("kubernetes").inputs
    assert inputs["kubeconfig"] == "/folder/seed-17.yaml"
    assert inputs["context"] == "kind-sam-test-cluster"
    assert inputs["clusterIdentifier"] == "sam-test-cluster-17"
    assert inputs["deleteUnreachable"] == "true"


def test_no_content_of_a_kubeconfig_is_declared() -> None:
    recording = recorded()
    texts = [text for resource in recording.resources for text in strings(resource.inputs)]
    assert not any(word in text for text in texts for word in ("client-key", "certificate-authority-data", "token"))


STOPPED = ("sam-test-cluster-control-plane", "sam-test-cluster-worker")


def test_an_up_starts_what_is_stopped() -> None:
    recording = recorded(stopped=STOPPED)
    ((function, given),) = recording.calls
    assert function == "command:local:run"
    assert given["command"] == _START
    assert given["environment"] == {"NODES": " ".join(STOPPED), "CONTROL_PLANE": STOPPED[0]}
    assert recording.one("kubernetes").inputs["kubeconfig"] == "/folder/seed-17.yaml"


def test_an_up_gives_a_container_the_address_that_it_needs() -> None:
    recording = recorded(stopped=STOPPED, addresses={STOPPED[1]: "172.18.0.2"})
    ((_, given),) = recording.calls
    assert given["environment"]["NODES"] == f"{STOPPED[0]} {STOPPED[1]}=172.18.0.2"
    assert command(stopped=STOPPED, addresses={STOPPED[1]: "172.18.0.2"}).inputs == command().inputs


def test_a_preview_starts_nothing() -> None:
    assert recorded(stopped=STOPPED, preview=True).calls == []


# The scripts, run by sh. `docker` and `kind` are stand-ins that note each call, and whose answers are files.

DOCKER = """#!/bin/sh
echo "docker $*" >> "$CALLS"
case "$1" in
  ps) ls "$NODES_HERE" ;;
  inspect) for name; do :; done; cat "$NODES_HERE/$name" ;;
  unpause) exit 1 ;;
  exec)
    case "$*" in *"get nodes"*) ls "$NODES_HERE"; exit 0 ;; esac
    [ ! -e "$DEAF" ] || { rm "$DEAF"; exit 1; }; [ -z "${ANSWER:-}" ] || echo "$ANSWER" ;;
esac
"""
KIND = """#!/bin/sh
echo "kind $*" >> "$CALLS"
case "$1" in
  create) cat > "$CALLS.stdin"; echo secret > "$KUBECONFIG_FILE" ;;
  export) echo secret > "$KUBECONFIG_FILE" ;;
  delete) rm -f "$NODES_HERE"/* ;;
esac
"""


CONFIG = json.dumps(
    {"nodes": [{"role": role, "extraMounts": [{"containerPath": "/ingress-hops/9-0a"}]} for role in "cw"]}
)


@dataclass
class Room:
    """A machine of stand-ins. nodes: a file for each container, which holds its mounts."""

    folder: Path
    environment: dict[str, str]

    @property
    def nodes(self) -> Path:
        return self.folder / "nodes"

    @property
    def owner(self) -> Path:
        return self.folder / "kubeconfig" / "seed.owner"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig" / "seed-17.yaml"

    def run(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "-c", script],
            input=CONFIG,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )

    def calls(self, tool: str) -> list[str]:
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.removeprefix(f"{tool} ") for line in lines if line.startswith(f"{tool} ")]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    tools = tmp_path / "bin"
    for folder in (tools, tmp_path / "nodes"):
        folder.mkdir()
    for name, script in (("docker", DOCKER), ("kind", KIND)):
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    environment = {
        "PATH": f"{tools}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "NODES_HERE": str(tmp_path / "nodes"),
        "DEAF": str(tmp_path / "deaf"),
        "CLUSTER": "sam",
        "IMAGE": "node:1",
        "MARK": MARK,
        "CONTROL_PLANE": "sam-control-plane",
        "WORKER": "sam-worker",
    }
    made = Room(tmp_path, environment)
    environment |= {"OWNER": str(made.owner), "KUBECONFIG_FILE": str(made.kubeconfig)}
    return made


DELETE_CALL = "delete cluster --name sam --kubeconfig {kubeconfig}"
CREATE_CALL = "create cluster --name sam --image node:1 --kubeconfig {kubeconfig} --config -"


def test_create_makes_a_cluster_where_there_is_none(room: Room) -> None:
    done = room.run(_CREATE)
    assert (done.returncode, done.stdout) == (0, "")
    assert room.calls("kind") == [CREATE_CALL.format(kubeconfig=room.kubeconfig)]
    assert (room.folder / "calls.stdin").read_text() == CONFIG
    assert room.calls("docker") == ["ps --all --quiet --filter label=io.x-k8s.kind.cluster=sam"]
    assert room.owner.is_dir()
    assert stat.S_IMODE(room.kubeconfig.stat().st_mode) == 0o600
    assert stat.S_IMODE(room.owner.parent.stat().st_mode) == 0o700


FOREIGN = {
    "no mount": "",
    "another mount": "/lib/modules:/lib/modules:ro\n",
    "another stack's": "/folder/other.owner:/ingress-hops/17:ro\n",
    "a folder that ends like ours": "/mnt{owner}:/ingress-hops/17:ro\n",
    "our folder elsewhere": "{owner}:/data\n",
}


@pytest.mark.parametrize("mounts", FOREIGN.values(), ids=list(FOREIGN))
def test_create_refuses_a_foreign_cluster_and_touches_nothing(room: Room, mounts: str) -> None:
    (room.nodes / "b").write_text(mounts.format(owner=room.owner))
    (room.nodes / "a").write_text(f"{room.owner}:/ingress-hops/17:ro\n")
    done = room.run(_CREATE)
    assert done.returncode == 1
    assert "a kind cluster named sam exists and is not of this stack: nothing was touched." in done.stderr
    assert "Set ingress-hops:cluster.name to another name" in done.stderr
    assert room.calls("kind") == []
    assert not room.owner.exists()


def test_create_removes_a_half_made_cluster_of_its_own_first(room: Room) -> None:
    (room.nodes / "a").write_text(f"/lib/modules:/lib/modules:ro\n{room.owner}:/ingress-hops/9:ro\n")
    assert room.run(_CREATE).returncode == 0
    assert room.calls("kind") == [call.format(kubeconfig=room.kubeconfig) for call in (DELETE_CALL, CREATE_CALL)]


def whole(room: Room) -> None:
    """Both nodes of the configuration run, with its mark."""
    for name in ("control-plane", "worker"):
        (room.nodes / name).write_text(f"true\n/lib/modules:/lib/modules:ro\n{room.owner}:/ingress-hops/9-0a:ro\n")


def test_create_takes_over_a_running_cluster_of_its_own(room: Room) -> None:
    whole(room)
    assert room.run(_CREATE).returncode == 0
    assert room.calls("kind") == [f"export kubeconfig --name sam --kubeconfig {room.kubeconfig}"]
    assert stat.S_IMODE(room.kubeconfig.stat().st_mode) == 0o600


@pytest.mark.parametrize("lack", ["a node", "a running node", "the mark of this generation", "the last step"])
def test_create_takes_over_nothing_that_lacks(room: Room, lack: str) -> None:
    whole(room)
    worker = room.nodes / "worker"
    match lack:
        case "a node":
            worker.unlink()
        case "a running node":
            worker.write_text(worker.read_text().replace("true", "false"))
        case "the mark of this generation":
            worker.write_text(worker.read_text().replace("9-0a", "8-0a"))
        case "the last step":
            (room.folder / "deaf").touch()
    assert room.run(_CREATE).returncode == 0
    assert room.calls("kind") == [call.format(kubeconfig=room.kubeconfig) for call in (DELETE_CALL, CREATE_CALL)]


def test_create_stops_where_docker_does_not_answer(room: Room) -> None:
    (room.folder / "bin" / "docker").write_text("#!/bin/sh\nexit 1\n")
    assert room.run(_CREATE).returncode != 0
    assert room.calls("kind") == []


def test_delete_removes_cluster_and_kubeconfig(room: Room) -> None:
    room.run(_CREATE)
    (room.nodes / "a").write_text(f"{room.owner}:/ingress-hops/17:ro\n")
    done = room.run(_DELETE)
    assert (done.returncode, done.stdout) == (0, "")
    assert room.calls("kind")[1:] == [DELETE_CALL.format(kubeconfig=room.kubeconfig)]
    assert not room.kubeconfig.exists()
    assert not room.owner.exists()


def link(room: Room) -> Path:
    return room.owner.parent / "seed.yaml"


def test_a_link_of_a_name_that_stays_leads_to_the_kubeconfig(room: Room) -> None:
    room.run(_CREATE)
    assert link(room).readlink() == Path("seed-17.yaml")
    assert link(room).read_text() == "secret\n"
    room.run(_CREATE, KUBECONFIG_FILE=str(room.owner.parent / "seed-18.yaml"))
    assert link(room).readlink() == Path("seed-18.yaml"), "it follows the newest"
    room.run(_DELETE)
    assert link(room).is_symlink(), "an older cluster's end leaves it alone"
    room.run(_DELETE, KUBECONFIG_FILE=str(room.owner.parent / "seed-18.yaml"))
    assert not link(room).is_symlink()


def test_an_update_makes_the_link_of_a_cluster_that_has_none(room: Room) -> None:
    assert room.run(_LINK).returncode == 0
    assert not link(room).is_symlink(), "there is no kubeconfig to lead to"
    room.kubeconfig.parent.mkdir()
    room.kubeconfig.write_text("secret")
    assert room.run(_LINK).returncode == 0
    assert link(room).read_text() == "secret"


def test_delete_leaves_a_foreign_cluster_alone(room: Room) -> None:
    room.kubeconfig.parent.mkdir()
    room.kubeconfig.write_text("secret")
    (room.nodes / "a").write_text(FOREIGN["a folder that ends like ours"].format(owner=room.owner))
    done = room.run(_DELETE)
    assert done.returncode == 0
    assert "the cluster sam is not of this stack: left alone" in done.stderr
    assert room.calls("kind") == []
    assert not room.kubeconfig.exists(), "it leads to a cluster of this stack that is gone"


def test_delete_of_what_is_gone_succeeds(room: Room) -> None:
    assert room.run(_DELETE).returncode == 0


def test_start_keeps_the_order_and_waits_for_the_api(room: Room) -> None:
    (room.folder / "deaf").write_text("")
    done = room.run(_START, NODES="sam-control-plane sam-worker")
    assert (done.returncode, done.stdout) == (0, "")
    started = [call for call in room.calls("docker") if call.startswith("start ")]
    assert started == ["start sam-control-plane", "start sam-worker"]
    asked = [call for call in room.calls("docker") if call.startswith("exec ")]
    assert len(asked) == 2, "the API server was deaf once"
    assert all("get --raw /readyz" in call for call in asked)


def test_start_gives_nodes_their_addresses_back(room: Room) -> None:
    """All of them leave the network first, because each may have the address of another."""
    for node in ("sam-worker", "sam-control-plane"):
        (room.nodes / node).write_text("kind\n")
    done = room.run(_START, NODES="sam-worker=172.18.0.2 sam-control-plane=172.18.0.3 sam-worker2")
    assert done.returncode == 0
    changing = ("stop", "network", "start")
    assert [call for call in room.calls("docker") if call.startswith(changing)] == [
        "stop sam-worker",
        "network disconnect kind sam-worker",
        "stop sam-control-plane",
        "network disconnect kind sam-control-plane",
        "network connect --ip 172.18.0.2 kind sam-worker",
        "start sam-worker",
        "network connect --ip 172.18.0.3 kind sam-control-plane",
        "start sam-control-plane",
        "start sam-worker2",
    ]


def test_start_takes_the_lowest_address_where_docker_takes_none(room: Room) -> None:
    script = (room.folder / "bin" / "docker").read_text()
    refuses = 'case "$*" in "network connect --ip"*) exit 1 ;; esac\ncase "$1" in'
    (room.folder / "bin" / "docker").write_text(script.replace('case "$1" in', refuses, 1))
    (room.nodes / "sam-worker").write_text("kind\n")
    assert room.run(_START, NODES="sam-worker=172.18.0.2").returncode == 0
    calls = room.calls("docker")
    assert calls.index("network connect kind sam-worker") < calls.index("start sam-worker")


def test_start_wakes_a_paused_node(room: Room) -> None:
    script = (room.folder / "bin" / "docker").read_text().replace("unpause) exit 1", "unpause) exit 0")
    (room.folder / "bin" / "docker").write_text(script)
    assert room.run(_START, NODES="sam-worker").returncode == 0
    assert not any(call.startswith("start") for call in room.calls("docker"))


def test_start_fails_where_a_node_does_not_start(room: Room) -> None:
    script = (room.folder / "bin" / "docker").read_text().replace("unpause)", "start) exit 1 ;;\n  unpause)")
    (room.folder / "bin" / "docker").write_text(script)
    assert room.run(_START, NODES="sam-worker").returncode != 0


# The defaults, and what the component finds out by itself.


@pytest.fixture
def docker_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Sets what Docker says; before that it says that there are no containers."""

    def say(*containers: DockerContainer) -> None:
        docker = DockerDaemon(
            "Debian", "linux", rootless=False, cgroup_version=2, memory=None, disk_free=None, containers=containers
        )
        monkeypatch.setattr(cluster, "look", lambda _: Machine(docker=docker))

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INGRESS_HOPS_NODE_IMAGE", raising=False)
    say()
    return say


def few() -> Recording:
    return run(lambda: KindCluster("demo", {"http_port": 8080, "https_port": None}), Recording())


def test_two_arguments_are_enough(docker_of: Callable[..., None], tmp_path: Path) -> None:  # noqa: ARG001
    command = few().one("Command", "demo-kind").inputs
    folder = tmp_path / ".ingress-hops" / "kubeconfig"
    assert command["environment"] == {
        "CLUSTER": "demo",
        "IMAGE": NODE_IMAGE,
        "OWNER": f"{folder}/demo.owner",
        "MARK": "/ingress-hops/",
        "KUBECONFIG_FILE": f"{folder}/demo-1.yaml",
    }
    config = yaml.safe_load(command["stdin"])
    assert config["nodes"][1]["extraPortMappings"] == [
        {"containerPort": 80, "hostPort": 8080, "listenAddress": "127.0.0.1", "protocol": "TCP"}
    ]


def nodes(folder: Path, generation: int, state: str = "running") -> list[DockerContainer]:
    config = kind_config(resolved("demo", {"http_port": 8080, "https_port": None, "generation": generation}))
    (mount,) = config["nodes"][0]["extraMounts"]
    bind = f"{mount['hostPath']}:{mount['containerPath']}:ro"
    assert str(folder) in bind
    return [DockerContainer(f"demo-{role}", "demo", state, (bind,), ()) for role in ("control-plane", "worker")]


def test_a_running_cluster_keeps_its_number(docker_of: Callable[..., None], tmp_path: Path) -> None:
    docker_of(*nodes(tmp_path, 5))
    recording = few()
    assert recording.one("kubernetes").inputs["clusterIdentifier"] == "demo-5"
    assert recording.calls == []


def test_a_stopped_cluster_is_started(docker_of: Callable[..., None], tmp_path: Path) -> None:
    docker_of(*nodes(tmp_path, 5, "exited"))
    ((_, given),) = few().calls
    assert given["environment"]["NODES"] == "demo-control-plane demo-worker"


def test_a_cluster_whose_nodes_have_other_addresses_is_started_again(
    docker_of: Callable[..., None], tmp_path: Path
) -> None:
    old = zip(nodes(tmp_path, 5), ("172.18.0.3", "172.18.0.2"), strict=True)
    docker_of(*(replace(node, address="172.18.0.9", kept_address=kept) for node, kept in old))
    ((_, given),) = few().calls
    assert given["environment"]["NODES"] == "demo-worker=172.18.0.2 demo-control-plane=172.18.0.3"


def test_a_cluster_that_was_deleted_by_hand_is_made_anew(docker_of: Callable[..., None], tmp_path: Path) -> None:  # noqa: ARG001
    """Its kubeconfig file is still there, so the number is another one, and all in the cluster is made anew too."""
    folder = tmp_path / ".ingress-hops" / "kubeconfig"
    folder.mkdir(parents=True)
    (folder / "demo-5.yaml").touch()
    (folder / "demo-old-9.yaml").touch()
    assert few().one("kubernetes").inputs["clusterIdentifier"] == "demo-6"


def test_what_lives_inside_goes_with_the_cluster(docker_of: Callable[..., None]) -> None:  # noqa: ARG001
    def program() -> None:
        inside = KindCluster("demo", {"http_port": 8080}).inside
        Ingress("web", {"host": "a.local", "service": "a", "port": 80}, inside)

    recording = run(program, Recording())
    web, provider = recording.one("Ingress", "web").request, recording.one("kubernetes").urn
    assert web.deletedWith == provider
    assert web.providers["kubernetes"].startswith(f"{provider}::")
    assert recording.one("Ingress", "web-ingress").request.provider.startswith(f"{provider}::")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"http_port": 0},
            "KindCluster cluster: the argument http_port is 0: it has to be a whole number from 1 to 65535.",
        ),
        ({"name": "Demo"}, 'the argument name is "Demo": a cluster\'s name is 1 to 49 lower-case letters'),
        ({"workers": 10}, "the argument workers is 10: it has to be a whole number from 0 to 9"),
        ({"https_port": 80}, "KindCluster cluster: httpPort and httpsPort are both 80; give each its own"),
        ({"service_subnet": "10.244.0.0/16"}, "podSubnet 10.244.0.0/16 and serviceSubnet 10.244.0.0/16 overlap"),
        ({"publishing_worker": 2}, "KindCluster cluster: publishingWorker is 2, and workers is 1; take a number from"),
        ({"also_publish": [{"worker": 2}]}, "the argument also_publish[0]"),
        ({"other": None}, "there is no argument other; the arguments are name, http_port"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_declared(change: dict[str, Any], message: str) -> None:
    recording = Recording()
    with pytest.raises(ArgumentError) as caught:
        run(lambda: KindCluster("cluster", args(**change)), recording)
    assert message in str(caught.value)
    assert recording.resources == []


def test_a_cluster_of_both_families() -> None:
    config = kind_config(resolved("cluster", args(ip_family="dual", listen_address="127.0.0.1")))
    assert config["networking"] == {
        "disableDefaultCNI": True,
        "ipFamily": "dual",
        "podSubnet": "10.244.0.0/16,fd00:10:244::/56",
        "serviceSubnet": "10.96.0.0/16,fd00:10:96::/112",
    }
    mapped = [(one["listenAddress"], one["hostPort"]) for one in config["nodes"][1]["extraPortMappings"]]
    assert mapped == [("127.0.0.1", 80), ("127.0.0.1", 443), ("::1", 80), ("::1", 443)]


def test_a_cluster_of_ipv6() -> None:
    recording = recorded(ip_family="ipv6", listen_address="127.0.0.1", service_subnet_ipv6="fd00:20:96::/112")
    config = json.loads(recording.one("Command").inputs["stdin"])
    assert config["networking"] == {
        "disableDefaultCNI": True,
        "ipFamily": "ipv6",
        "podSubnet": "fd00:10:244::/56",
        "serviceSubnet": "fd00:20:96::/112",
    }
    assert [one["listenAddress"] for one in config["nodes"][1]["extraPortMappings"]] == ["::1", "::1"]
    component = recording.resources[0]
    assert recording.registered[component.urn]["service_subnet"] == "fd00:20:96::/112"
    assert component.inputs["ip_family"] == "ipv6"


def test_without_ipv6_a_cluster_is_what_it_was() -> None:
    assert not [name for name in recorded().resources[0].inputs if "ip" in name.split("_") or "ipv6" in name]
