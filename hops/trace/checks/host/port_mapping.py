"""What can break: hop 2, Docker's port mapping."""

import json
from collections.abc import Callable, Iterator

from hops.kubernetes import objects
from hops.kubernetes.resources import docker_containers
from hops.kubernetes.resources.docker_containers import API_PORT, KIND_LABEL
from hops.kubernetes.resources.pods import as_pod
from hops.model.finding import Finding
from hops.model.hop import HopName
from hops.model.kind_names import is_control_plane
from hops.model.plan import ENVOY_PORTS, NODE_PORTS
from hops.trace.checks.host.name import LOOPBACK, client_address
from hops.trace.checks.host.port_conflicts import absent, other_entrypoint
from hops.trace.code import Code
from hops.trace.facts.path_facts import PathFacts, container
from hops.trace.facts.remedies import command, kubectl, make, mend, rebuild, setting_of
from hops.trace.readers.netfilter import taken, translations
from hops.trace.readers.published_ports import Published, published

T05 = Code(
    code="T05",
    hop=HopName.PORT_MAPPING,
    title="No node publishes the port",
    symptom="curl ends with 7, connection refused.",
    cause="The kind cluster was created without extraPortMappings for this port. kind cannot add them later.",
    confirmed_by="Docker shows the cluster's node containers, and none of them has a binding for the port.",
    remedy="Create the cluster again with the mapping, or let another container forward the port.",
    references=("https://kind.sigs.k8s.io/docs/user/configuration/#extra-port-mappings",),
)
T06 = Code(
    code="T06",
    hop=HopName.PORT_MAPPING,
    title="The port is published by a node that has no Envoy",
    symptom="curl ends with 52 or 56: Docker accepts the connection and closes it without an answer.",
    cause="The mapping is on the control plane, or Envoy's DaemonSet does not run on the publishing node.",
    confirmed_by="Docker publishes the port on one node, and Envoy's pods run on others.",
    remedy="Run Envoy on the publishing node, or publish the port on a node that runs Envoy.",
    references=("https://github.com/kubernetes-sigs/kind/issues/758",),
)
T07 = Code(
    code="T07",
    hop=HopName.PORT_MAPPING,
    title="The port leads to a port of the node on which nothing listens",
    symptom="curl ends with 52 or 56: Docker accepts the connection and closes it without an answer.",
    cause="containerPort of the extraPortMapping differs from hostPort of Envoy's container.",
    confirmed_by="Docker forwards to one port of the node, Envoy's pod uses another, and no DNAT rule exists for the "
    "first.",
    remedy="Set Envoy's hostPort to the containerPort of the mapping.",
    references=("https://github.com/kubernetes-sigs/kind/issues/2635",),
)
T09 = Code(
    code="T09",
    hop=HopName.PORT_MAPPING,
    title="The port is published on another address",
    symptom="curl ends with 7, connection refused.",
    cause="listenAddress of the mapping is an address to which the host name does not resolve.",
    confirmed_by="The name resolves to 127.0.0.1 or to the planned address, and Docker's binding has another address.",
    remedy="Publish on the address to which the name resolves.",
)
T10 = Code(
    code="T10",
    hop=HopName.PORT_MAPPING,
    title="A node of the path is stopped or paused",
    symptom="If the publishing node is stopped, curl ends with 7; if it is paused, with 28, timed out. If the node "
    "of the pod is stopped, Envoy answers 503.",
    cause="The node's container was stopped or paused, or did not come back after a restart of Docker.",
    confirmed_by="Docker shows the container with its binding, its state is not running, and nothing else has the "
    "port. A stopped node of the pod is reported at hop 7.",
    remedy="Start or unpause the node's container.",
    yields_to=("T08",),
)
T48 = Code(
    code="T48",
    hop=HopName.PORT_MAPPING,
    title="The stack's cluster is gone",
    symptom="curl ends with 7, connection refused.",
    cause="The kind cluster was deleted outside of Pulumi, or was never created.",
    confirmed_by="Docker answers and has no container of the kind cluster. The stack's outputs do not matter.",
    remedy="Bring the stack up again: `up` notices that the cluster is gone.",
    yields_to=("T08",),
)


def gone(view: PathFacts) -> Iterator[Finding]:
    """T48."""
    stack = view.observation.stack
    if not absent(view) or view.through_envoy("client") or stack is None:
        return
    cluster = stack.settings.cluster.name
    up = bool(stack.outputs)
    evidence = [
        f"docker: no container with the label {KIND_LABEL}={cluster}",
        f"stack {stack.name}: {'its outputs say that it is up' if up else 'no outputs'}",
    ]
    said = f"the stack {stack.name} is up by its outputs, and " if up else f"the stack {stack.name} is not up: "
    message = f"{said}Docker has no container of the kind cluster {cluster}."
    yield T48.finding(container(cluster), message[0].upper() + message[1:], make(view), evidence)


def unpublished(view: PathFacts) -> Iterator[Finding]:
    """T05."""
    if view.asked.from_node or not view.node_containers or view.published or other_entrypoint(view):
        return
    port = view.asked.port
    every = (one for name, item in view.node_containers.items() for one in published(name, item))
    others = [one for one in every if one.inside != API_PORT]
    evidence = [f"docker: {one} -> {one.container}:{one.inside}" for one in others] or [
        f"docker: {name} publishes nothing but the API" for name in sorted(view.node_containers)
    ]
    message = f"No node of the kind cluster {view.observation.cluster_name} publishes port {port} of this machine."
    useful = next((one for one in others if one.inside in NODE_PORTS.values()), None)
    node = view.publishing or min(view.node_containers, key=is_control_plane)
    look, remedy = "", rebuild(view)
    if not view.observation.stack:
        inside = NODE_PORTS[view.asked.scheme]
        socat = ("docker.io/alpine/socat", "TCP-LISTEN:80,fork", f"TCP:{node}:{inside}")
        remedy = command(
            *("docker", "run", "--detach", "--network", "kind", "--publish", f"{LOOPBACK}:{port}:80", *socat)
        )
        if useful:
            address = f"http://{LOOPBACK}:{useful.port}{view.asked.path}"
            look = command("curl", "--header", f"Host: {view.asked.host}", address)
    # A stack publishes https only if its settings name the port.
    wrong = setting_of(view, "cluster.httpsPort") if view.asked.scheme == "https" else ""
    yield T05.finding(container(node), message, remedy, evidence, look=look, setting=wrong)


def misplaced(view: PathFacts) -> Iterator[Finding]:
    """T06."""
    node = _running_publisher(view)
    if node is None or view.asked.from_node or not view.sees("Pod") or view.envoys_on(node.container):
        return
    elsewhere = {
        str(objects.node_of(pod)): objects.name(pod)
        for pod in view.envoy_pods
        if objects.phase(pod) == "Running" and not objects.deleting(pod)
    }
    if not elsewhere:
        return
    evidence = [
        f"docker: {node} -> {node.container}:{node.inside}",
        *(f"pod {view.home}/{pod} runs on {other}" for other, pod in sorted(elsewhere.items())),
    ]
    message = (
        f"Port {node.port} is published by {node.container}, which has no Envoy; Envoy runs on "
        f"{' and '.join(sorted(elsewhere))}."
    )
    spec = {"nodeSelector": {"kubernetes.io/hostname": node.container}, "tolerations": [{"operator": "Exists"}]}
    patch = json.dumps({"spec": {"template": {"spec": spec}}}, separators=(",", ":"))
    words = ("patch", "daemonset", view.envoy_workload.name, "--type", "merge", "--patch", patch)
    remedy = mend(view, view.envoy_workload, kubectl(view, *words, namespace=view.home))
    if view.planned and view.planned.publishing and node.container not in view.planned.publishing:
        remedy = rebuild(view)
    yield T06.finding(container(node.container), message, remedy, evidence)


def dead_end(view: PathFacts) -> Iterator[Finding]:
    """T07."""
    node = _running_publisher(view)
    if node is None or view.asked.from_node or node.inside in expected(view):
        return
    envoy = next(iter(view.envoys_on(node.container)), None)
    inside = view.node(node.container)
    claims = _host_ports(view, node.container)
    if envoy is None or node.inside in claims or as_pod(envoy).host_network:
        return
    address = view.address_of(node.container)
    if inside and taken(translations(inside.nat_of(address), address, node.inside)):
        return
    own = sorted(port for port, owner in claims.items() if owner == objects.name(envoy))
    if not own:
        return
    evidence = [
        f"docker: {node} -> {node.container}:{node.inside}",
        f"pod {view.home}/{claims[own[0]]} takes {' and '.join(map(str, own))} of {node.container}",
    ]
    message = (
        f"Port {node.port} leads to port {node.inside} of {node.container}, on which nothing listens; "
        f"Envoy uses {own[0]}."
    )
    # The mapping is not the planned one, and a running container keeps its mappings.
    remedy = rebuild(view) if _built(view) else patch_host_port(view, node.inside)
    yield T07.finding(container(node.container), message, remedy, evidence)


def misdirected(view: PathFacts) -> Iterator[Finding]:
    """T09."""
    if view.asked.from_node or not view.published or not view.resolved or view.through_envoy("client"):
        return
    own = view.observation.host.addresses if view.observation.host else ()
    aimed = [address for address in view.resolved if address in (LOOPBACK, client_address(view))]
    if not aimed or any(one.serves(address, own) is not False for one in view.published for address in view.resolved):
        return
    first = view.published[0]
    evidence = [
        *(f"docker: {one} -> {one.container}:{one.inside}" for one in view.published),
        f"{view.asked.host} resolves to {' and '.join(view.resolved)}",
    ]
    message = f"Port {first.port} is published on {first.address} only, and {view.asked.host} resolves to {aimed[0]}."
    stack = view.observation.stack
    where = f"{view.asked.host}:{first.port}"
    look = command("curl", "--resolve", f"{where}:{first.address}", f"http://{where}/")
    wrong = stack is not None and str(stack.settings.cluster.listen_address) == first.address
    yield T09.finding(
        container(first.container),
        message,
        rebuild(view) if _built(view) else "",
        evidence,
        setting=setting_of(view, "cluster.listenAddress") if wrong else "",
        look=look,
    )


def stopped(view: PathFacts) -> Iterator[Finding]:
    """T10."""
    name = view.publishing
    if name is None or name not in view.node_containers or view.running(name):
        yield from _others_stopped(view)
        return
    down = [node for node in sorted(view.node_containers) if not view.running(node)]
    states = {node: str(docker_containers.state(view.node_containers[node])) for node in down}
    evidence = [f"docker: {node} is {state}" for node, state in states.items()]
    message = f"{name}, which publishes port {view.asked.port}, is {states[name]}."
    yield T10.finding(container(name), message, _started(view, down), evidence)


def _others_stopped(view: PathFacts) -> Iterator[Finding]:
    """T10 of the nodes behind the publishing one, on which pods of the backend run."""
    for name, item in sorted(view.node_containers.items()):
        if view.running(name):
            continue
        state = str(docker_containers.state(item))
        pods = [objects.full_name(pod) for pod in view.pods if objects.node_of(pod) == name]
        evidence = [f"docker: {name} is {state}"]
        if pods:
            message = f"{name}, on which {' and '.join(pods)} runs, is {state}."
            remedy, stops = _started(view, [name]), view.well is False
            yield T10.finding(container(name), message, remedy, evidence, stops=stops, hop=HopName.POD)


def _started(view: PathFacts, down: list[str]) -> str:
    """The command that starts node containers again."""
    paused = [node for node in down if docker_containers.paused(view.node_containers[node])]
    others = [node for node in down if node not in paused]
    commands = [command("docker", "unpause", *paused)] if paused else []
    commands += [command("docker", "start", *others)] if others else []
    return " && ".join(commands)


CHECKS: tuple[Callable[[PathFacts], Iterator[Finding]], ...] = (
    *(gone, unpublished, stopped),
    *(misdirected, misplaced, dead_end),
)


def patch_host_port(view: PathFacts, port: int) -> str:
    """The command that gives Envoy's port for the request's scheme a hostPort."""
    scheme, mappings = view.asked.scheme, view.entrypoint.mappings if view.entrypoint else ()
    inside = next((m.envoy for m in mappings if m.scheme == scheme), ENVOY_PORTS[scheme])
    patch = (
        '{"spec":{"template":{"spec":{"containers":[{"name":"envoy",'
        f'"ports":[{{"containerPort":{inside},"hostPort":{port},"protocol":"TCP"}}]}}]}}}}}}}}'
    )
    words = ("patch", "daemonset", view.envoy_workload.name, "--patch", patch)
    return mend(view, view.envoy_workload, kubectl(view, *words, namespace=view.home))


def expected(view: PathFacts) -> tuple[int, ...]:
    """The node's ports that a mapping should lead to: if Envoy doesn't take such a one, that is its own fault."""
    if view.planned:
        return tuple(mapping.node for mapping in view.planned.entrypoint.mappings)
    return tuple(NODE_PORTS.values())


def _built(view: PathFacts) -> bool:
    """Whether the stack made the cluster, so that it can make it again."""
    stack = view.observation.stack
    return stack is not None and not stack.settings.cluster.existing


def _running_publisher(view: PathFacts) -> Published | None:
    """The publishing node where it runs, while no request came as far as Envoy."""
    first = next(iter(view.published), None)
    return first if first and view.running(first.container) and not view.through_envoy("client") else None


def _host_ports(view: PathFacts, node: str) -> dict[int, str]:
    """The host ports that pods on a node declare, and the pods' names."""
    return {
        port.host_port: objects.name(pod)
        for pod in view.of("Pod")
        if objects.node_of(pod) == node
        for port in as_pod(pod).ports
        if port.host_port
    }
