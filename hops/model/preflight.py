"""What a stack needs of the machine that it runs on, judged from plain values."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hops.model.commands import of_stack
from hops.model.hop import ip_version
from hops.model.kind_names import is_control_plane
from hops.model.plan import Plan
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_settings import Settings

MARK = "/ingress-hops/"
"""Where a cluster's owner is mounted in its nodes; generation and fingerprint follow."""
MEBIBYTE = 1024 * 1024
# What a node of this project's clusters was measured to use (ARCHITECTURE.md, "What a cluster needs").
MEMORY_PER_NODE = 1024 * MEBIBYTE
DISK_PER_NODE = 2048 * MEBIBYTE
INOTIFY_INSTANCES_PER_NODE = 24
INOTIFY_WATCHES_PER_NODE = 512


@dataclass(frozen=True)
class DockerContainer:
    """A Docker container.

    name: as Docker has it.
    cluster: the kind cluster that it is a node of.
    state: such as running or exited.
    binds: HOST:CONTAINER[:OPTIONS].
    published: IPv4 address and TCP port on the host machine, which it has while it runs.
    address: the IPv4 address that Docker gave it, "" while it does not run.
    kept_address: the one that a kind node's kubelet is configured with, "" where it is not known, or where the node's
        image configures it at each start.
    """

    name: str
    cluster: str | None
    state: str
    binds: tuple[str, ...]
    published: tuple[tuple[str, int], ...]
    address: str = ""
    kept_address: str = ""

    @property
    def holds(self) -> tuple[tuple[str, int], ...]:
        """What it has published now; a paused container keeps its ports."""
        return self.published if self.state in ("running", "paused", "restarting") else ()


@dataclass(frozen=True)
class DockerDaemon:
    """What a Docker daemon says of itself.

    product: the name of its platform.
    containers_os: the operating system of its containers, such as linux.
    rootless: whether it runs without root.
    cgroup_version: 1 or 2.
    memory: bytes; None if it does not say.
    disk_free: bytes; None if it does not say.
    containers: those that it has, in any state.
    """

    product: str
    containers_os: str
    rootless: bool
    cgroup_version: int
    memory: int | None
    disk_free: int | None
    containers: tuple[DockerContainer, ...]


@dataclass(frozen=True)
class Machine:
    """What was seen of this machine.

    missing_tools: names of programs that are not there.
    docker: None where none answers.
    docker_error: why none answers, in Docker's words.
    remote: the address of a Docker elsewhere.
    kind_provider: KIND_EXPERIMENTAL_PROVIDER of the environment; None if it is not set.
    busy: the planned ports that something listens on.
    inotify_instances, inotify_watches: the limits of this user; None outside Linux.
    lowest_port: the lowest port that a process without root may bind.
    folder_error: why the kubeconfig folder cannot be made or written, empty where it can.
    no_ipv6: why this machine cannot publish on an IPv6 address, empty where it can or none is wanted.
    network_without_ipv6: the name of kind's Docker network, where it exists and has no IPv6.
    """

    missing_tools: tuple[str, ...] = ()
    docker: DockerDaemon | None = None
    docker_error: str = ""
    remote: str | None = None
    kind_provider: str | None = None
    busy: tuple[int, ...] = ()
    inotify_instances: int | None = None
    inotify_watches: int | None = None
    lowest_port: int = 0
    folder_error: str = ""
    no_ipv6: str = ""
    network_without_ipv6: str = ""

    def nodes(self, cluster: str) -> tuple[DockerContainer, ...]:
        """The node containers of a kind cluster, whoever made it; the control plane first."""
        nodes = [c for c in (self.docker.containers if self.docker else ()) if c.cluster == cluster]
        return tuple(sorted(nodes, key=lambda node: (not is_control_plane(node.name), node.name)))


@dataclass(frozen=True)
class ClusterState:
    """What was seen of a stack's own kind cluster.

    generation: which one of them it is, None where none can be kept.
    foreign: one exists and is somebody else's.
    outdated: it was made by settings that cannot change in it.
    stopped: containers that exist and do not run.
    marked: the highest generation that a node of this stack carries, 0 without one.
    moved: containers that run at another address than the cluster was made with, which therefore does not answer.
    addresses: the address that each of the stopped and moved containers needs, where it is known.
    """

    generation: int | None = None
    foreign: bool = False
    outdated: bool = False
    stopped: tuple[str, ...] = ()
    marked: int = 0
    moved: tuple[str, ...] = ()
    addresses: Mapping[str, str] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return self.generation is not None and not self.stopped and not self.moved

    @property
    def to_start(self) -> tuple[str, ...]:
        """The containers to start or to start again, in the order of their addresses, those without one first.

        Docker gives out the lowest free address.
        """
        names = (*self.stopped, *self.moved)
        return tuple(sorted(names, key=lambda name: _octets(self.addresses.get(name, ""))))


class ClusterStatus(StrEnum):
    """How a stack's own kind cluster stands, in a word or two."""

    RUNNING = "running"
    STOPPED = "stopped"
    MOVED = "at other addresses"
    ABSENT = "absent"
    HALF_MADE = "half made"
    OUTDATED = "of older settings"
    FOREIGN = "somebody else's"


def standing(machine: Machine, cluster: str, state: ClusterState) -> ClusterStatus | None:
    """None where no Docker answers: what cannot be seen is not absent."""
    if not machine.docker:
        return None
    if state.foreign:
        return ClusterStatus.FOREIGN
    if state.outdated:
        return ClusterStatus.OUTDATED
    if state.generation is None:
        return ClusterStatus.HALF_MADE if machine.nodes(cluster) else ClusterStatus.ABSENT
    if state.stopped:
        return ClusterStatus.STOPPED
    return ClusterStatus.MOVED if state.moved else ClusterStatus.RUNNING


def mark(generation: int, fingerprint: str) -> str:
    """Where a node of that cluster has its owner's folder mounted."""
    return f"{MARK}{generation}-{fingerprint}"


@dataclass(frozen=True)
class PublishedCluster:
    """What a stack's last update published of its cluster.

    name: the kind cluster's, None where there was none.
    folder: the absolute one of its kubeconfig files, empty where it is not known.
    generation: 0 where it is not known.
    fixed: see `Plan.fixed`; None where an older version published it.
    """

    name: str | None = None
    folder: str = ""
    generation: int = 0
    fixed: Mapping[str, Any] | None = None


def published_cluster(outputs: Mapping[str, Any]) -> PublishedCluster:
    """Reads a stack's output `cluster`; what is missing or has another form is not known."""
    cluster = outputs.get("cluster")
    if not isinstance(cluster, Mapping):
        return PublishedCluster()
    name, file = cluster.get("name"), cluster.get("kubeconfig")
    number, fixed = cluster.get("generation"), cluster.get("fixed")
    return PublishedCluster(
        name=name if isinstance(name, str) else None,
        folder=file.rpartition("/")[0] if isinstance(file, str) else "",
        generation=int(number) if isinstance(number, int | float) else 0,
        # The engine hands whole numbers over as floats.
        fixed=json.loads(json.dumps(dict(fixed)), parse_float=lambda text: int(float(text)))
        if isinstance(fixed, Mapping)
        else None,
    )


def cluster_state(
    machine: Machine, plan: Plan, cluster: str, owner: str, published: PublishedCluster | None = None
) -> ClusterState:
    """What is there of a cluster that `owner`, an absolute folder, marks as its own.

    published: what the stack's last update published; a cluster of another name or folder is found by it.
    """
    before = published or PublishedCluster()
    former = f"{before.folder}/{owner.rpartition('/')[2]}" if before.folder else owner
    moved = [m for node in machine.nodes(before.name or cluster) if (m := _mark(node, former))]
    nodes = machine.nodes(cluster)
    marks = {_mark(node, owner) for node in nodes}
    marked = max((found[0] for found in (*marks, *moved) if found), default=0)
    if moved and (former != owner or before.name not in (None, cluster) or not plan.nodes):
        others = {node.name for node in nodes if not _mark(node, owner) and not _mark(node, former)}
        return ClusterState(foreign=bool(others), outdated=not others, marked=marked)
    if not nodes:
        return ClusterState()
    if None in marks:
        return ClusterState(foreign=True, marked=marked)
    if any(found and found[1] != plan.fingerprint for found in marks):
        return ClusterState(outdated=True, marked=marked)
    if {node.name for node in nodes} != set(plan.nodes) or len(marks) > 1:
        return ClusterState(marked=marked)
    stopped = tuple(node.name for node in nodes if node.state != "running")
    needed = {node.name: node.kept_address for node in nodes if _has_moved(node)}
    elsewhere = tuple(name for name in needed if name not in stopped)
    return ClusterState(generation=marked, stopped=stopped, marked=marked, moved=elsewhere, addresses=needed)


def _has_moved(node: DockerContainer) -> bool:
    return bool(node.kept_address) and node.kept_address != node.address


def _octets(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split(".") if part.isdecimal())


def _mark(node: DockerContainer, owner: str) -> tuple[int, str] | None:
    """Generation and fingerprint of a node that `owner` marks."""
    for bind in node.binds:
        if found := re.fullmatch(re.escape(f"{owner}:{MARK}") + r"(\d+)-([0-9a-f]{8})(:.*)?", bind):
            return int(found[1]), found[2]
    return None


def generation(state: ClusterState, published: PublishedCluster, kept: Iterable[int]) -> int:
    """The generation of the cluster to have: the running one's, else one above all that are known.

    kept: the generations whose kubeconfig files are still there.
    """
    if state.generation is not None:
        return state.generation
    return 1 + max(state.marked, published.generation, *kept, 0)


def rebuild(plan: Plan, folder: str, published: PublishedCluster, objects: int | None) -> str:
    """What changed that a running cluster cannot take, and what is lost with it.

    folder: the absolute one of the kubeconfig files.
    objects: how many Kubernetes objects of the stack go with the cluster, None where that is not known.
    """
    name = published.name or "of this stack"
    lines = [f"settings changed that the running cluster {name} cannot take:"]
    if published.fixed is None:
        lines.append("- which ones is not known: an older version of ingress-hops made the cluster")
        changed: dict[str, tuple[Any, Any]] = {}
    else:
        keys = plan.fixed if "cluster.existing" in plan.fixed else {**published.fixed, **plan.fixed}
        changed = {key: (published.fixed.get(key), plan.fixed.get(key)) for key in keys}
    if published.folder and "cluster.existing" not in plan.fixed:
        changed["cluster.kubeconfigFolder"] = (published.folder, folder)
    lines += [
        f"- {NAMESPACE}:{key}: {_shown(old)} -> {_shown(new)}" for key, (old, new) in changed.items() if old != new
    ]
    what = "all in it" if objects is None else f"all in it ({objects} objects of this stack)"
    then = "" if "cluster.existing" in plan.fixed else " The new one is there after about a minute."
    lines.append(f"The cluster is deleted with {what} and everything stored in its pods.{then}")
    return "\n".join(lines)


def consent(stack: str, *, makefile: bool) -> str:
    """How to allow a rebuild.

    stack: the stack's name.
    makefile: whether the project has the Makefile of ingress-hops.
    """
    command = of_stack("up", stack, makefile=makefile, replace=True)
    return f"To go on: {command}. To keep the cluster, set the old values again."


def _shown(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def problems(settings: Settings, plan: Plan, machine: Machine, state: ClusterState) -> list[str]:
    """Why a stack cannot be brought up on this machine: place, value, bound and remedy, a sentence each."""
    return list(_problems(settings, plan, machine, state))


def _problems(settings: Settings, plan: Plan, machine: Machine, state: ClusterState) -> Iterator[str]:
    if settings.cluster.existing:
        return
    if machine.folder_error:
        yield (
            f"{_KEY}.kubeconfigFolder is {settings.cluster.kubeconfig_folder}: {machine.folder_error}; "
            "set it to a folder that you can write"
        )
    if "docker" in machine.missing_tools:
        yield "docker is not on PATH; install Docker Engine or Docker Desktop"
    if "kind" in machine.missing_tools:
        yield "kind is not on PATH; `hops tools` fetches it into .tools/bin, or install it by your package manager"
    if machine.kind_provider not in (None, "", "docker"):
        yield f"KIND_EXPERIMENTAL_PROVIDER is {machine.kind_provider}; ingress-hops works with Docker: unset it"
    if not machine.docker:
        if "docker" not in machine.missing_tools:
            yield f"Docker does not answer ({machine.docker_error}); start it and check with: docker info"
        return
    yield from _unfit(settings, machine, machine.docker)
    yield from _without_ipv6(settings, machine)
    yield from _short(settings, machine, machine.docker, state)
    if state.foreign:
        names = ", ".join(node.name for node in machine.nodes(settings.cluster.name))
        yield (
            f"a kind cluster named {settings.cluster.name} exists ({names}) and is not of this stack; set "
            f"{_KEY}.name to another name, or remove it: kind delete cluster --name {settings.cluster.name}"
        )
    else:
        yield from _taken(plan, machine, machine.docker, settings.cluster.name)
        yield from _occupied(machine.docker, settings.cluster.name, state)


_KEY = f"{NAMESPACE}:cluster"


def _unfit(settings: Settings, machine: Machine, docker: DockerDaemon) -> Iterator[str]:
    if machine.remote:
        yield (
            f"Docker is elsewhere ({machine.remote}), so its ports are not published on this machine; "
            "choose a local one: docker context use default, and unset DOCKER_HOST"
        )
    if docker.product.startswith("Podman"):
        yield f"{docker.product} answers as docker, and kind needs Docker itself here; install Docker Engine"
    if docker.containers_os != "linux":
        yield f"Docker runs {docker.containers_os} containers; kind needs linux ones: switch Docker Desktop to Linux"
    version = re.search(r":v1\.(\d+)", settings.cluster.node_image)
    if docker.cgroup_version < 2 and version and int(version[1]) > 34:
        yield (
            f"the host has cgroup v{docker.cgroup_version}, which Kubernetes takes up to 1.34, and "
            f"{_KEY}.nodeImage is {settings.cluster.node_image}; take an image of 1.34, or boot with cgroup v2"
        )
    low = [
        f"{_KEY}.{_port_key(number, scheme)}"
        for number, one in enumerate(settings.cluster.publishers)
        for scheme, port in (("http", one.http_port), ("https", one.https_port))
        if docker.rootless and port and port < machine.lowest_port
    ]
    if low:
        yield (
            f"rootless Docker publishes no port below {machine.lowest_port}; set {' and '.join(low)} higher, or allow "
            "them: sudo sysctl net.ipv4.ip_unprivileged_port_start=80"
        )


def _without_ipv6(settings: Settings, machine: Machine) -> Iterator[str]:
    family = settings.cluster.ip_family
    if family == "ipv4":
        return
    if machine.no_ipv6:
        yield (
            f"{_KEY}.ipFamily is {family}, and {machine.no_ipv6}; enable IPv6: sudo sysctl "
            f"net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lo.disable_ipv6=0, or set {_KEY}.ipFamily to ipv4"
        )
    if name := machine.network_without_ipv6:
        yield (
            f"{_KEY}.ipFamily is {family}, and Docker's network {name} has no IPv6; delete all kind clusters and run "
            f"docker network rm {name}, so that kind makes it again with IPv6, or set {_KEY}.ipFamily to ipv4"
        )


def _short(settings: Settings, machine: Machine, docker: DockerDaemon, state: ClusterState) -> Iterator[str]:
    nodes = 1 + settings.cluster.workers
    memory, disk = MEMORY_PER_NODE * nodes, DISK_PER_NODE * nodes
    if docker.memory is not None and docker.memory < memory:
        yield (
            f"Docker has {docker.memory // MEBIBYTE} MiB of memory; {nodes} nodes need "
            f"{memory // MEBIBYTE}: raise it in Docker Desktop's settings, or lower {_KEY}.workers"
        )
    # Nodes that are there have their share of the disk.
    if state.generation is None and docker.disk_free is not None and docker.disk_free < disk:
        yield (
            f"Docker's disk has {docker.disk_free // MEBIBYTE} MiB left; {nodes} nodes need {disk // MEBIBYTE}: "
            "make room, for example with docker system prune"
        )
    # The limits are of one user, and the processes of all nodes are root's.
    others = sum(c.state == "running" and c.cluster not in (None, settings.cluster.name) for c in docker.containers)
    for name, found, each in (
        ("max_user_instances", machine.inotify_instances, INOTIFY_INSTANCES_PER_NODE),
        ("max_user_watches", machine.inotify_watches, INOTIFY_WATCHES_PER_NODE),
    ):
        bound = each * (nodes + others)
        if found is not None and found < bound:
            yield (
                f"fs.inotify.{name} is {found}; {nodes + others} nodes on this machine need {bound}: "
                f"sudo sysctl fs.inotify.{name}={4 * bound}"
            )


def _taken(plan: Plan, machine: Machine, docker: DockerDaemon, cluster: str) -> Iterator[str]:
    # What the stack's own cluster has, it keeps or gives back.
    own = {port for node in machine.nodes(cluster) for _, port in node.holds}
    listens = plan.entrypoint.listens
    for number, mapping in (
        (number, mapping) for number, entrypoint in enumerate(plan.entrypoints) for mapping in entrypoint.mappings
    ):
        if mapping.host in own:
            continue
        key = f"{_KEY}.{_port_key(number, mapping.scheme)}"
        owner = next(
            (
                container.name
                for container in docker.containers
                for address, port in container.holds
                if port == mapping.host and any(_overlap(address, listen) for listen in listens)
            ),
            None,
        )
        if owner or mapping.host in machine.busy:
            who = f"the container {owner}" if owner else f"another process (see: ss -ltnp sport = :{mapping.host})"
            where = " or ".join(listens)
            yield f"{key} is {mapping.host}, and {who} has that port on {where}; free it, or set {key} to another"


def _port_key(number: int, scheme: str) -> str:
    """The key of a port that a worker publishes, below `cluster`. number: of the publishing worker, from 0."""
    return f"alsoPublish[{number - 1}].{scheme}Port" if number else f"{scheme}Port"


def _occupied(docker: DockerDaemon, cluster: str, state: ClusterState) -> Iterator[str]:
    # The stack's own nodes give their addresses back.
    others = {container.address: container.name for container in docker.containers if container.cluster != cluster}
    for name, address in state.addresses.items():
        if owner := others.get(address):
            yield (
                f"{name} needs the address {address}, which its cluster was made with, and the container {owner} has "
                f"it; stop that one: docker stop {owner}; or take the stack down, and bring it up again"
            )


def _overlap(one: str, other: str) -> bool:
    # Docker takes both families on `::`, or IPv6 only; a port on all addresses of IPv4 leaves those of IPv6 free.
    return one == other or "::" in (one, other) or ("0.0.0.0" in (one, other) and ip_version(one) == ip_version(other))
