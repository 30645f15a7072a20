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
    ClusterStatus,
    DockerContainer,
    DockerDaemon,
    Machine,
    PublishedCluster,
    cluster_state,
    generation,
    mark,
    problems,
    published_cluster,
    rebuild,
    standing,
)
from hops.model.settings.stack_config import settings
from hops.model.settings.stack_settings import Settings
from tests.conftest import stack_config

OWNER = "/home/alice/hops/seed.owner"
PRINT = plan(settings("seed", stack_config("seed"))).fingerprint
OURS = (f"{OWNER}:{mark(17, PRINT)}:ro",)
CLUSTER = "sam-test-cluster"

DOCKER = DockerDaemon(
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


def node(role: str, cluster: str = CLUSTER, **changes: Any) -> DockerContainer:
    plain = DockerContainer(name=f"{cluster}-{role}", cluster=cluster, state="running", binds=OURS, published=())
    return replace(plain, **changes)


def with_docker(**changes: Any) -> Machine:
    return replace(HEALTHY, docker=replace(DOCKER, **changes))


def found(settings: Settings, machine: Machine) -> list[str]:
    intended = plan(settings)
    state = cluster_state(machine, intended, settings.cluster.name, OWNER)
    return problems(settings, intended, machine, state)


def test_a_healthy_machine_has_no_problem(seed: Settings) -> None:
    assert found(seed, HEALTHY) == []


STRANGER = DockerContainer("web", None, "running", (), (("0.0.0.0", 80),))

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
        "kind is not on PATH; `hops tools` fetches it",
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
def test_a_problem_is_reported_and_its_healthy_twin_is_not(
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


FURTHER = {"workers": 2, "httpPort": 8080, "httpsPort": None, "alsoPublish": [{"worker": 2, "httpPort": 90}]}


def test_the_ports_of_a_further_publishing_worker_are_looked_at() -> None:
    two = settings("alice", {"cluster": FURTHER})
    enough = {"memory": None, "disk_free": None, "rootless": True}
    machine = replace(with_docker(**enough), inotify_instances=None, inotify_watches=None)
    (problem,) = found(two, replace(machine, lowest_port=1024))
    assert "set ingress-hops:cluster.alsoPublish[0].httpPort higher" in problem
    (problem,) = found(two, replace(machine, busy=(90,)))
    assert "set ingress-hops:cluster.alsoPublish[0].httpPort to another" in problem
    assert found(two, machine) == []


def test_a_cluster_that_is_there_needs_no_more_disk(seed: Settings) -> None:
    nodes = (node("control-plane"), node("worker"))
    assert found(seed, with_docker(disk_free=0, containers=nodes)) == []
    (problem,) = found(seed, with_docker(disk_free=0, containers=nodes[:1]))
    assert "Docker's disk has 0 MiB left" in problem


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

STATES: list[tuple[str, tuple[DockerContainer, ...], ClusterState]] = [
    ("none", (), ClusterState()),
    ("another's", (node("control-plane", "another", binds=()),), ClusterState()),
    ("own", (node("control-plane"), WORKER), ClusterState(generation=17, marked=17)),
    ("foreign", (node("control-plane", binds=()), node("worker", binds=())), ClusterState(foreign=True)),
    ("one node foreign", (node("control-plane"), node("worker", binds=())), ClusterState(foreign=True, marked=17)),
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
    ("half-made", (node("control-plane"),), ClusterState(marked=17)),
    ("one too many", (node("control-plane"), WORKER, node("worker2")), ClusterState(marked=17)),
    (
        "of two generations",
        (node("control-plane"), node("worker", binds=(f"{OWNER}:{mark(18, PRINT)}",))),
        ClusterState(marked=18),
    ),
    (
        "of settings that cannot change in it",
        (node("control-plane", binds=(f"{OWNER}:{mark(17, '0' * 8)}",)), WORKER),
        ClusterState(outdated=True, marked=17),
    ),
    (
        "stopped",
        (node("worker", state="exited"), node("control-plane", state="paused")),
        ClusterState(generation=17, stopped=(f"{CLUSTER}-control-plane", f"{CLUSTER}-worker"), marked=17),
    ),
]


def _swapped(*, running: bool) -> tuple[DockerContainer, ...]:
    """Nodes whose cluster was made with .3 and .2, and that Docker gave .2 and .3."""
    nodes = (("control-plane", "172.18.0.2", "172.18.0.3"), ("worker", "172.18.0.3", "172.18.0.2"))
    return tuple(
        node(
            role,
            published=(("0.0.0.0", 80), ("0.0.0.0", 443)) if role == "worker" else (),
            state="running" if running else "exited",
            address=now if running else "",
            kept_address=kept,
        )
        for role, now, kept in nodes
    )


def test_nodes_with_swapped_addresses_do_not_run(seed: Settings) -> None:
    state = cluster_state(with_docker(containers=_swapped(running=True)), plan(seed), CLUSTER, OWNER)
    assert not state.running
    assert (state.stopped, state.moved) == ((), (f"{CLUSTER}-control-plane", f"{CLUSTER}-worker"))
    assert state.to_start == (f"{CLUSTER}-worker", f"{CLUSTER}-control-plane")
    right = [replace(one, address=one.kept_address) for one in _swapped(running=True)]
    assert cluster_state(with_docker(containers=tuple(right)), plan(seed), CLUSTER, OWNER).running


def test_stopped_nodes_start_in_the_order_of_their_addresses(seed: Settings) -> None:
    state = cluster_state(with_docker(containers=_swapped(running=False)), plan(seed), CLUSTER, OWNER)
    assert state.moved == ()
    assert state.to_start == (f"{CLUSTER}-worker", f"{CLUSTER}-control-plane")
    assert state.addresses == {f"{CLUSTER}-control-plane": "172.18.0.3", f"{CLUSTER}-worker": "172.18.0.2"}


def test_nodes_whose_image_configures_them_anew_start_control_plane_first(seed: Settings) -> None:
    nodes = tuple(replace(one, kept_address="") for one in _swapped(running=False))
    state = cluster_state(with_docker(containers=nodes), plan(seed), CLUSTER, OWNER)
    assert (state.to_start, state.addresses) == ((f"{CLUSTER}-control-plane", f"{CLUSTER}-worker"), {})


def test_an_address_that_another_container_has_is_named(seed: Settings) -> None:
    other = DockerContainer("other", None, "running", (), (), address="172.18.0.2")
    (problem,) = found(seed, with_docker(containers=(*_swapped(running=False), other)))
    assert problem.startswith(f"{CLUSTER}-worker needs the address 172.18.0.2, which its cluster was made with")
    assert "docker stop other;" in problem
    assert found(seed, with_docker(containers=_swapped(running=True))) == []
    assert found(seed, with_docker(containers=(*_swapped(running=False), replace(other, address="172.18.0.4")))) == []


@pytest.mark.parametrize(("containers", "state"), [s[1:] for s in STATES], ids=[s[0] for s in STATES])
def test_whose_a_cluster_is(seed: Settings, containers: tuple[DockerContainer, ...], state: ClusterState) -> None:
    seen = cluster_state(with_docker(containers=containers), plan(seed), CLUSTER, OWNER)
    assert seen == state
    assert seen.running == (state == ClusterState(generation=17, marked=17))


WORDS = {
    "none": ClusterStatus.ABSENT,
    "another's": ClusterStatus.ABSENT,
    "own": ClusterStatus.RUNNING,
    "foreign": ClusterStatus.FOREIGN,
    "half-made": ClusterStatus.HALF_MADE,
    "one too many": ClusterStatus.HALF_MADE,
    "of settings that cannot change in it": ClusterStatus.OUTDATED,
    "stopped": ClusterStatus.STOPPED,
}


@pytest.mark.parametrize(("containers", "state", "word"), [(*s[1:], WORDS[s[0]]) for s in STATES if s[0] in WORDS])
def test_how_a_cluster_stands(
    containers: tuple[DockerContainer, ...], state: ClusterState, word: ClusterStatus
) -> None:
    assert standing(with_docker(containers=containers), CLUSTER, state) == word


def test_a_cluster_whose_nodes_have_other_addresses_does_not_run(seed: Settings) -> None:
    machine = with_docker(containers=_swapped(running=True))
    assert standing(machine, CLUSTER, cluster_state(machine, plan(seed), CLUSTER, OWNER)) == ClusterStatus.MOVED
    machine = with_docker(containers=_swapped(running=False))
    assert standing(machine, CLUSTER, cluster_state(machine, plan(seed), CLUSTER, OWNER)) == ClusterStatus.STOPPED


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
def test_the_ports_of_the_stacks_own_cluster_are_not_taken(
    seed: Settings, containers: tuple[DockerContainer, ...]
) -> None:
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


OUTPUTS = {
    "cluster": {
        "name": CLUSTER,
        "kubeconfig": f"{OWNER.rpartition('/')[0]}/seed-17.yaml",
        "generation": 17.0,
        "fixed": {"cluster.workers": 1.0, "cluster.httpsPort": None},
    }
}


def published(seed: Settings, **changes: Any) -> PublishedCluster:
    return replace(published_cluster(OUTPUTS), fixed=dict(plan(seed).fixed), **changes)


@pytest.mark.parametrize(
    "outputs", [{}, {"cluster": None}, {"cluster": {"name": 1, "kubeconfig": 2, "generation": "x", "fixed": 3}}]
)
def test_what_was_not_published_is_not_known(outputs: dict[str, Any]) -> None:
    assert published_cluster(outputs) == PublishedCluster()


def test_what_was_published_is_read_back() -> None:
    assert published_cluster(OUTPUTS) == PublishedCluster(
        CLUSTER, OWNER.rpartition("/")[0], 17, {"cluster.workers": 1, "cluster.httpsPort": None}
    )


@pytest.mark.parametrize(
    ("state", "before", "kept", "expected"),
    [
        (ClusterState(generation=17, marked=17), 30, [31], 17),
        (ClusterState(), 0, [], 1),
        (ClusterState(), 5, [], 6),
        (ClusterState(), 5, [7, 2], 8),
        (ClusterState(outdated=True, marked=9), 5, [7], 10),
        (ClusterState(), 1767225600, [], 1767225601),
    ],
    ids=["running", "first", "deleted by hand", "deleted before it published", "outdated", "of a clock"],
)
def test_the_generation_is_one_above_all_that_are_known(
    state: ClusterState, before: int, kept: list[int], expected: int
) -> None:
    assert generation(state, PublishedCluster(generation=before), kept) == expected


OWN = (node("control-plane"), WORKER)


def test_a_cluster_of_another_name_is_found_by_what_was_published(seed: Settings) -> None:
    """Its owner's mark is what counts: a foreign cluster of that name is nothing to lose."""
    moved = settings("seed", {"cluster": {"name": "other"}})
    now = cluster_state(with_docker(containers=OWN), plan(moved), "other", OWNER, published(seed))
    assert now == ClusterState(outdated=True, marked=17)
    foreign = (node("control-plane", binds=()),)
    there = with_docker(containers=foreign)
    assert cluster_state(there, plan(moved), "other", OWNER, published(seed)) == ClusterState()
    taken = (*OWN, node("control-plane", "other", binds=()))
    there = with_docker(containers=taken)
    assert cluster_state(there, plan(moved), "other", OWNER, published(seed)).foreign


def test_a_cluster_of_another_folder_is_the_stacks_own(seed: Settings) -> None:
    there = with_docker(containers=OWN)
    assert cluster_state(there, plan(seed), CLUSTER, "/new/seed.owner", published(seed)).outdated
    assert cluster_state(there, plan(seed), CLUSTER, "/new/seed.owner").foreign


def test_moving_to_an_existing_cluster_loses_the_own_one(seed: Settings) -> None:
    existing = settings("seed", {"cluster": {"existing": "team-a"}})
    there = with_docker(containers=OWN)
    assert cluster_state(there, plan(existing), "x", OWNER, published(seed)).outdated
    assert not cluster_state(with_docker(), plan(existing), "x", OWNER, published(seed)).outdated


def test_a_rebuild_is_reported_with_key_old_and_new_value_and_what_is_lost(seed: Settings) -> None:
    other = settings(
        "seed", {"cluster": {"name": CLUSTER, "httpPort": 8081, "httpsPort": None}, "calico": {"blockSize": 27}}
    )
    before = published(seed)
    said = rebuild(plan(other), before.folder, before, 84).splitlines()
    assert said[0] == f"settings changed that the running cluster {CLUSTER} cannot take:"
    assert "- ingress-hops:cluster.httpPort: 80 -> 8081" in said
    assert "- ingress-hops:cluster.httpsPort: 443 -> none" in said
    assert "- ingress-hops:calico.blockSize: 26 -> 27" in said
    assert not any("workers" in line or "kubeconfigFolder" in line for line in said)
    assert said[-1] == (
        "The cluster is deleted with all in it (84 objects of this stack) and everything stored in its pods. "
        "The new one is there after about a minute."
    )


def test_a_rebuild_for_another_folder_or_an_existing_cluster_names_that_alone(seed: Settings) -> None:
    before = published(seed)
    moved = rebuild(plan(seed), "/new", before, None).splitlines()
    assert moved[1:-1] == [f"- ingress-hops:cluster.kubeconfigFolder: {before.folder} -> /new"]
    existing = plan(settings("seed", {"cluster": {"existing": "team-a"}}))
    lines = rebuild(existing, before.folder, before, None).splitlines()
    assert lines[1:-1] == ["- ingress-hops:cluster.existing: none -> team-a"]
    assert lines[-1] == "The cluster is deleted with all in it and everything stored in its pods."


def test_old_values_that_are_not_known_are_said_to_be_so(seed: Settings) -> None:
    said = rebuild(plan(seed), "/f", PublishedCluster(name=CLUSTER), None)
    assert "- which ones is not known: an older version of ingress-hops made the cluster" in said


def test_every_setting_behind_the_fingerprint_is_reported() -> None:
    """Two stacks have the same fingerprint only where they have the same fixed settings."""
    variants: list[dict[str, Any]] = [
        {"workers": 2},
        {"nodeImage": "kindest/node:v1.33.0"},
        {"podSubnet": "10.10.0.0/16"},
        {"serviceSubnet": "10.11.0.0/16"},
        {"listenAddress": "127.0.0.2"},
        {"httpPort": 81},
        {"publishingWorker": 2},
        {"alsoPublish": [{"worker": 2, "httpPort": 81}]},
        {"name": "x"},
    ]
    for variant in variants:
        two = {"name": CLUSTER, "workers": 3}
        other = plan(settings("seed", {"cluster": {**two, **variant}}))
        base = plan(settings("seed", {"cluster": two}))
        assert other.fingerprint != base.fingerprint
        assert [key for key, value in other.fixed.items() if base.fixed.get(key) != value] == [
            f"cluster.{key}" for key in variant
        ]


def test_a_kubeconfig_folder_that_cannot_be_written_is_a_problem(seed: Settings) -> None:
    (problem,) = found(seed, replace(with_docker(), folder_error="/a is no folder"))
    assert problem == (
        "ingress-hops:cluster.kubeconfigFolder is .ingress-hops/kubeconfig: /a is no folder; "
        "set it to a folder that you can write"
    )


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        (
            replace(HEALTHY, no_ipv6="this machine has no IPv6 (Cannot assign requested address)"),
            (
                "ingress-hops:cluster.ipFamily is dual, and this machine has no IPv6 (Cannot assign requested "
                "address); enable IPv6: sudo sysctl net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0, "
                "or set ingress-hops:cluster.ipFamily to ipv4"
            ),
        ),
        (
            replace(HEALTHY, network_without_ipv6="kind"),
            (
                "ingress-hops:cluster.ipFamily is dual, and Docker's network kind has no IPv6; delete all kind "
                "clusters and run docker network rm kind, so that kind makes it again with IPv6, or set "
                "ingress-hops:cluster.ipFamily to ipv4"
            ),
        ),
        (
            with_docker(containers=(DockerContainer("web", None, "running", (), (("::", 80),)),)),
            (
                "ingress-hops:cluster.httpPort is 80, and the container web has that port on 127.0.0.1 or ::1; "
                "free it, or set ingress-hops:cluster.httpPort to another"
            ),
        ),
    ],
)
def test_a_machine_without_ipv6_takes_no_cluster_with_it(machine: Machine, said: str) -> None:
    dual = settings("alice", {"cluster": {"ipFamily": "dual"}})
    (problem,) = found(dual, machine)
    assert problem == said
    assert found(dual, HEALTHY) == []


def test_a_machine_without_ipv6_takes_an_ipv4_cluster(seed: Settings) -> None:
    assert found(seed, replace(HEALTHY, no_ipv6="this machine has no IPv6", network_without_ipv6="kind")) == []


def test_the_same_port_of_the_other_family_is_free() -> None:
    six = settings("alice", {"cluster": {"ipFamily": "ipv6"}})
    assert found(six, with_docker(containers=(STRANGER,))) == []
