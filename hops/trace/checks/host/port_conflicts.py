"""What can break: hop 2, where somebody else has the port that Docker should publish."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hops.kubernetes.resources import docker_containers
from hops.kubernetes.values import text
from hops.model.finding import Finding, Identity
from hops.model.hop import HopName, reached_at
from hops.trace.checks.host.name import balanced
from hops.trace.code import Code
from hops.trace.facts.evidence import request_line
from hops.trace.facts.path_facts import PathFacts, container
from hops.trace.facts.remedies import command, make
from hops.trace.observed.observation import Listener
from hops.trace.readers.published_ports import Published, published

_FORWARDERS = (
    *("docker-proxy", "dockerd", "rootlesskit", "rootlesskit-docker-proxy", "slirp4netns", "pasta", "vpnkit"),
    *("com.docker.backend", "com.docker.vpnkit", "limactl", "ssh", "OrbStack Helper", "wslrelay.exe", "wslrelay"),
)
"""Who holds a published port: Docker's own copier; dockerd itself with `userland-proxy: false`; rootless Docker's and
Docker Desktop's forwarders, and those of other virtual machines that Docker runs in."""
_COMM = 15
"""Characters that the kernel keeps of a process's name (proc(5), /proc/PID/comm)."""

T08 = Code(
    code="T08",
    hop=HopName.PORT_MAPPING,
    title="Another process or container has the port",
    symptom="A page of another program, or a refused connection. The node's container does not start.",
    cause="Another program took the port before Docker could publish it, or while the node was stopped.",
    confirmed_by="The owner of the socket is not one of Docker's forwarders, or another container publishes the port.",
    remedy="Stop the program or container that has the port, then start the node.",
)


def occupied(view: PathFacts) -> Iterator[Finding]:
    """T08: another container, a process, or at least a server that isn't Envoy."""
    claim = None if view.asked.from_node or other_entrypoint(view) else _claim(view)
    if claim is None or (claim.held and view.through_envoy("client")):
        return
    aimed = _aimed(view, claim)
    then = f" && {_start(view, claim)}" if not claim.held else ""
    for name, item in view.containers.items():
        if name in view.node_containers or not view.running(name):
            continue
        theirs = [one for one in published(name, item) if one.port == view.asked.port and _meets(view, one, aimed)]
        if theirs:
            evidence = [f"docker: {one} -> {name}:{one.inside}" for one in theirs]
            message = f"The container {name} has port {view.asked.port} of this machine, which is {claim.node}'s."
            yield T08.finding(
                container(name), message, command("docker", "stop", name) + then, evidence, about=claim.about
            )
            return
    for listener in view.observation.host.listeners if view.observation.host else ():
        here = Published("", listener.address.removeprefix("::ffff:"), listener.port, 0, bound=True)
        foreign = not _forwards(listener) if listener.process else not claim.held
        if foreign and _meets(view, here, aimed):
            yield _by_process(view, listener, claim, then)
            return
    yield from _by_answer(view, claim)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (occupied,)


def absent(view: PathFacts) -> bool:
    """Whether Docker was seen to have no node of the stack's kind cluster."""
    stack = view.observation.stack
    if view.observation.docker is None or stack is None or stack.settings.cluster.existing:
        return False
    clusters = map(docker_containers.cluster, view.containers.values())
    return stack.settings.cluster.name not in clusters


def other_entrypoint(view: PathFacts) -> bool:
    """Whether requests enter by another way than a node's published port."""
    planned = view.planned
    return bool((planned and not planned.nodes) or balanced(view)) or (
        not view.published and view.through_envoy("client")
    )


@dataclass(frozen=True)
class _Claim:
    """Where the cluster publishes the port, or would.

    held: whether Docker holds it for the cluster now. about: what can't run while another has the port.
    """

    node: str
    addresses: tuple[str, ...]
    held: bool
    about: tuple[Identity, ...]


def _claim(view: PathFacts) -> _Claim | None:
    if view.published:
        first = view.published[0]
        held = docker_containers.running(view.node_containers[first.container])
        addresses = tuple(one.address or "0.0.0.0" for one in view.published)
        return _Claim(first.container, addresses, held, (container(first.container),))
    stack, entrypoint = view.observation.stack, view.entrypoint if view.planned and absent(view) else None
    if stack is None or entrypoint is None or entrypoint.node is None or stack.settings.cluster.existing:
        return None
    # Only a cluster that was never made is missing because of the port.
    unmade = () if stack.outputs else (container(stack.settings.cluster.name),)
    return _Claim(entrypoint.node, (entrypoint.listen or "0.0.0.0",), held=False, about=unmade)


def _aimed(view: PathFacts, claim: _Claim) -> Sequence[str]:
    """The addresses that requests go to."""
    return view.resolved or [reached_at(address) for address in claim.addresses]


def _meets(view: PathFacts, one: Published, aimed: Sequence[str]) -> bool:
    own = view.observation.host.addresses if view.observation.host else ()
    # A socket on :: takes IPv4 too, unless IPV6_V6ONLY is set.
    return any(one.serves(address, own) or (one.address == "::" and ":" not in address) for address in aimed)


def _forwards(listener: Listener) -> bool:
    return any((listener.process or "")[:_COMM] == name[:_COMM] for name in _FORWARDERS)


def _by_process(view: PathFacts, listener: Listener, claim: _Claim, then: str) -> Finding:
    who = f"{listener.process} (pid {listener.pid})" if listener.process else "a process of another user"
    end = command("kill", listener.pid) if listener.pid else command("sudo", "fuser", "--kill", f"{listener.port}/tcp")
    evidence = [f"{listener.address}:{listener.port} is held by {who}"]
    state = docker_containers.state(view.node_containers.get(claim.node))
    evidence += [f"docker: {claim.node} is {state}"] if state else []
    message = f"Port {listener.port} of this machine is held by {who}, and not by Docker for {claim.node}."
    subject = Identity("", "Process", None, listener.process or str(listener.port))
    return T08.finding(subject, message, end + then, evidence, about=claim.about)


def _by_answer(view: PathFacts, claim: _Claim) -> Iterator[Finding]:
    """Where processes can't be seen: the client was answered by another server than the node's port has."""
    client, node = view.request("client"), view.request("node")
    server = text((client.headers if client else {}).get("server"))
    if client is None or node is None or not claim.held or not server or client.by_envoy or not node.by_envoy:
        return
    evidence = [request_line(client), request_line(node)]
    message = f"{client.address}:{client.port} is answered by {server}, and not by the Envoy behind {claim.node}."
    freed, again = command("sudo", "fuser", "--kill", f"{client.port}/tcp"), command("docker", "restart", claim.node)
    subject = Identity("", "Process", None, server)
    yield T08.finding(subject, message, f"{freed} && {again}", evidence, about=claim.about)


def _start(view: PathFacts, claim: _Claim) -> str:
    if claim.node in view.node_containers:
        return command("docker", "start", claim.node)
    return make(view)
