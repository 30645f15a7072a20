"""What a machine lacks: each problem beside its healthy twin, and whose a cluster is."""

from dataclasses import replace
from typing import Any

import pytest

from hops.model.plan import plan
from hops.model.preflight import (
    DISK_PER_NODE,
    INOTIFY_INSTANCES_PER_NODE,
    INOTIFY_WATCHES_PER_NODE,
    MEBIBYTE,
    MEMORY_PER_NODE,
    ClusterState,
    Container,
    Docker,
    Machine,
    Standing,
    cluster_state,
    mark,
    problems,
    standing,
)
from hops.model.settings import Settings, settings
from tests.conftest import stack_config

OWNER = "/home/alice/hops/seed.owner"
PRINT = plan(settings("seed", stack_config("seed"))).fingerprint
OURS = (f"{OWNER}:{mark(17, PRINT)}:ro",)
CLUSTER = "sam-test-cluster"

DOCKER = Docker(
    product="Debian GNU/Linux 12 (bookworm)",
    containers_os="linux",
    rootless=False,
    cgroup_version=2,
    memory=2 * MEMORY_PER_NODE,
    disk_free=2 * DISK_PER_NODE,
    containers=(),
)
HEALTHY = Machine(
    docker=DOCKER,
    inotify_instances=2 * INOTIFY_INSTANCES_PER_NODE,
    inotify_watches=2 * INOTIFY_WATCHES_PER_NODE,
    lowest_port=80,
)


def node(role: str, cluster: str = CLUSTER, **changes: Any) -> Container:
    plain = Container(name=f"{cluster}-{role}", cluster=cluster, state="running", binds=OURS, published=())
    return replace(plain, **changes)


def with_docker(**changes: Any) -> Machine:
    return replace(HEALTHY, docker=replace(DOCKER, **changes))


def found(settings: Settings, machine: Machine) -> list[str]:
    intended = plan(settings)
    state = cluster_state(machine, intended, settings.cluster.name, OWNER)
    return problems(settings, intended, machine, state)


def test_a_healthy_machine_has_no_problem(seed: Settings) -> None:
    assert found(seed, HEALTHY) == []


STRANGER = Container("web", None, "running", (), (("0.0.0.0", 80),))

# what, the machine, what is said, the nearest machine without the problem
CASES: list[tuple[str, Machine, str, Machine]] = [
    (
        "no docker",
        Machine(missing_tools=("docker",)),
        "docker is not on PATH; install Docker",
        replace(HEALTHY, missing_tools=()),
    ),
    (
        "no kind",
        replace(HEALTHY, missing_tools=("kind",)),
        "kind is not on PATH; `make tools` fetches it",
        replace(HEALTHY, missing_tools=()),
    ),
    (
        "another provider",
        replace(HEALTHY, kind_provider="podman"),
        "KIND_EXPERIMENTAL_PROVIDER is podman; ingress-hops works with Docker: unset it",
        replace(HEALTHY, kind_provider="docker"),
    ),
    (
        "daemon down",
        replace(HEALTHY, docker=None, docker_error="Cannot connect to the Docker daemon"),
        "Docker does not answer (Cannot connect to the Docker daemon); start it and check with: docker info",
        HEALTHY,
    ),
    (
        "docker elsewhere",
        replace(HEALTHY, remote="ssh://build.example"),
        "Docker is elsewhere (ssh://build.example)",
        HEALTHY,
    ),
    ("podman", with_docker(product="Podman"), "Podman answers as docker", with_docker(product="Docker Desktop")),
    (
        "windows containers",
        with_docker(containers_os="windows"),
        "Docker runs windows containers; kind needs linux ones",
        with_docker(containers_os="linux"),
    ),
    (
        "rootless and low ports",
        replace(with_docker(rootless=True), lowest_port=1024),
        (
            "rootless Docker publishes no port below 1024; set ingress-hops:cluster.httpPort and "
            "ingress-hops:cluster.httpsPort higher"
        ),
        replace(with_docker(rootless=True), lowest_port=80),
    ),
    (
        "too little memory",
        with_docker(memory=2 * MEMORY_PER_NODE - MEBIBYTE),
        "Docker has 2047 MiB of memory; 2 nodes need 2048: raise it",
        with_docker(memory=None),
    ),
    (
        "too little disk",
        with_docker(disk_free=2 * DISK_PER_NODE - MEBIBYTE),
        "Docker's disk has 4095 MiB left; 2 nodes need 4096: make room",
        with_docker(disk_free=None),
    ),
    (
        "few inotify instances",
        replace(HEALTHY, inotify_instances=47),
        "fs.inotify.max_user_instances is 47; 2 nodes on this machine need 48: sudo sysctl",
        replace(HEALTHY, inotify_instances=None),
    ),
    (
        "few inotify watches",
        replace(HEALTHY, inotify_watches=1023),
        "fs.inotify.max_user_watches is 1023; 2 nodes on this machine need 1024: sudo sysctl",
        replace(HEALTHY, inotify_watches=None),
    ),
    (
        "a foreign cluster",
        with_docker(containers=(node("control-plane", binds=()),)),
        (
            f"a kind cluster named {CLUSTER} exists ({CLUSTER}-control-plane) and is not of this stack; set "
            f"ingress-hops:cluster.name to another name, or remove it: kind delete cluster --name {CLUSTER}"
        ),
        with_docker(containers=(node("control-plane", "another", binds=(), state="exited"),)),
    ),
    (
        "a container on the port",
        with_docker(containers=(STRANGER,)),
        "ingress-hops:cluster.httpPort is 80, and the container web has that port on 0.0.0.0; free it, or set",
        with_docker(containers=(replace(STRANGER, published=(("0.0.0.0", 8080),)),)),
    ),
    (
        "a process on the port",
        replace(HEALTHY, busy=(443,)),
        "ingress-hops:cluster.httpsPort is 443, and another process (see: ss -ltnp sport = :443) has that port",
        replace(HEALTHY, busy=(8443,)),
    ),
]


@pytest.mark.parametrize(("machine", "said", "twin"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_problem_is_told_and_its_healthy_twin_is_not(
    seed: Settings, machine: Machine, said: str, twin: Machine
) -> None:
    (problem,) = found(seed, machine)
    assert problem.startswith(said)
    assert found(seed, twin) == []


def test_an_old_cgroup_takes_no_newer_kubernetes() -> None:
    def on(version: int, image: str) -> list[str]:
        newer = settings("alice", {"cluster": {"nodeImage": image}})
        return found(newer, with_docker(cgroup_version=version))

    (problem,) = on(1, "kindest/node:v1.35.0")
    assert "cgroup v1, which Kubernetes takes up to 1.34, and ingress-hops:cluster.nodeImage is" in problem
    assert on(1, "kindest/node:v1.34.8") == []
    assert on(2, "kindest/node:v1.35.0") == []
    assert on(1, "mine:latest") == [], "a tag without a version says nothing"


def test_only_the_low_port_is_named() -> None:
    one = settings("alice", {"cluster": {"httpPort": 8080, "httpsPort": 443}})
    (problem,) = found(one, replace(with_docker(rootless=True), lowest_port=1024))
    assert "set ingress-hops:cluster.httpsPort higher" in problem


def test_each_worker_needs_memory() -> None:
    three = settings("alice", {"cluster": {"workers": 3}})
    said = " ".join(found(three, HEALTHY))
    assert "MiB of memory; 4 nodes need 4096" in said
    assert "MiB left; 4 nodes need 8192" in said


def test_nodes_of_other_clusters_share_the_limits(seed: Settings) -> None:
    """A limit that serves one cluster is too low beside another one that runs, and not beside one that is stopped."""
    other = with_docker(containers=(node("worker", "other"), node("control-plane", "other")))
    enough_for_one = replace(
        other, inotify_instances=HEALTHY.inotify_instances, inotify_watches=HEALTHY.inotify_watches
    )
    assert [problem[:31] for problem in found(seed, enough_for_one)] == [
        "fs.inotify.max_user_instances i",
        "fs.inotify.max_user_watches is ",
    ]
    asleep = with_docker(containers=(node("worker", "other", state="exited"),))
    assert found(seed, asleep) == []


def test_an_empty_provider_variable_is_none(seed: Settings) -> None:
    assert found(seed, replace(HEALTHY, kind_provider="")) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.7"])
def test_a_port_on_all_addresses_clashes_with_each(seed: Settings, local: Settings, address: str) -> None:
    taken = with_docker(containers=(replace(STRANGER, published=((address, 80), (address, 8080))),))
    assert len(found(seed, taken)) == 1
    assert len(found(local, taken)) == (address == "127.0.0.1")


def test_an_existing_cluster_asks_nothing_of_this_machine() -> None:
    prod = settings("prod", {"cluster": {"existing": "team-a"}})
    assert found(prod, Machine(missing_tools=("docker", "kind"))) == []


WORKER = node("worker", published=(("0.0.0.0", 80), ("0.0.0.0", 443)))

STATES: list[tuple[str, tuple[Container, ...], ClusterState]] = [
    ("none", (), ClusterState()),
    ("another's", (node("control-plane", "another", binds=()),), ClusterState()),
    ("own", (node("control-plane"), WORKER), ClusterState(generation=17)),
    ("foreign", (node("control-plane", binds=()), node("worker", binds=())), ClusterState(foreign=True)),
    ("one node foreign", (node("control-plane"), node("worker", binds=())), ClusterState(foreign=True)),
    (
        "of another folder that ends alike",
        (node("control-plane", binds=(f"/mnt{OWNER}:{mark(17, PRINT)}",)),),
        ClusterState(foreign=True),
    ),
    (
        "of another mount",
        (node("control-plane", binds=(f"{OWNER}:/data", f"{OWNER}:/ingress-hops/x")),),
        ClusterState(foreign=True),
    ),
    ("half-made", (node("control-plane"),), ClusterState()),
    ("one too many", (node("control-plane"), WORKER, node("worker2")), ClusterState()),
    (
        "of two generations",
        (node("control-plane"), node("worker", binds=(f"{OWNER}:{mark(18, PRINT)}",))),
        ClusterState(),
    ),
    (
        "of settings that cannot change in it",
        (node("control-plane", binds=(f"{OWNER}:{mark(17, '0' * 8)}",)), WORKER),
        ClusterState(outdated=True),
    ),
    (
        "stopped",
        (node("worker", state="exited"), node("control-plane", state="paused")),
        ClusterState(generation=17, stopped=(f"{CLUSTER}-control-plane", f"{CLUSTER}-worker")),
    ),
]


@pytest.mark.parametrize(("containers", "state"), [s[1:] for s in STATES], ids=[s[0] for s in STATES])
def test_whose_a_cluster_is(seed: Settings, containers: tuple[Container, ...], state: ClusterState) -> None:
    seen = cluster_state(with_docker(containers=containers), plan(seed), CLUSTER, OWNER)
    assert seen == state
    assert seen.running == (state == ClusterState(generation=17))


WORDS = {
    "none": Standing.ABSENT,
    "another's": Standing.ABSENT,
    "own": Standing.RUNNING,
    "foreign": Standing.FOREIGN,
    "half-made": Standing.HALF_MADE,
    "one too many": Standing.HALF_MADE,
    "of settings that cannot change in it": Standing.OUTDATED,
    "stopped": Standing.STOPPED,
}


@pytest.mark.parametrize(("containers", "state", "word"), [(*s[1:], WORDS[s[0]]) for s in STATES if s[0] in WORDS])
def test_how_a_cluster_stands(containers: tuple[Container, ...], state: ClusterState, word: Standing) -> None:
    assert standing(with_docker(containers=containers), CLUSTER, state) == word


def test_no_docker_shows_no_cluster(seed: Settings) -> None:
    """And does not make it absent."""
    assert cluster_state(Machine(), plan(seed), CLUSTER, OWNER) == ClusterState()
    assert standing(Machine(), CLUSTER, ClusterState()) is None


def test_a_stopped_container_takes_no_port(seed: Settings) -> None:
    assert found(seed, with_docker(containers=(replace(STRANGER, state="exited"),))) == []
    assert found(seed, with_docker(containers=(STRANGER,))) != []


def test_a_stopped_cluster_of_its_own_does_not_hide_who_has_its_port(seed: Settings) -> None:
    nodes = (node("control-plane", state="exited"), replace(WORKER, state="exited"))
    (problem,) = found(seed, replace(with_docker(containers=nodes), busy=(80,)))
    assert problem.startswith("ingress-hops:cluster.httpPort is 80, and another process")


@pytest.mark.parametrize("containers", [(node("control-plane"), WORKER), (WORKER,)], ids=["whole", "half-made"])
def test_the_ports_of_the_stacks_own_cluster_are_not_taken(seed: Settings, containers: tuple[Container, ...]) -> None:
    assert found(seed, replace(with_docker(containers=containers), busy=(80, 443))) == []


def test_a_port_that_a_running_cluster_is_to_move_to_is_looked_at(seed: Settings) -> None:
    other = (f"{OWNER}:{mark(17, '0' * 8)}",)
    old = node("worker", binds=other, published=(("0.0.0.0", 8080), ("0.0.0.0", 443)))
    moved = replace(with_docker(containers=(node("control-plane", binds=other), old)), busy=(80, 443))
    (problem,) = found(seed, moved)
    assert problem.startswith("ingress-hops:cluster.httpPort is 80, and another process")


def test_nodes_come_control_plane_first() -> None:
    machine = with_docker(containers=(node("worker2"), node("worker"), node("control-plane"), STRANGER))
    assert [n.name for n in machine.nodes(CLUSTER)] == [
        f"{CLUSTER}-control-plane",
        f"{CLUSTER}-worker",
        f"{CLUSTER}-worker2",
    ]
