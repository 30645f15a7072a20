"""What was found at each hop, and the evidence for it: a sentence or line each, the documents' six checks included."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from hops.kubernetes import objects
from hops.kubernetes.resources import docker_containers
from hops.kubernetes.resources.pod_status import container_statuses
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.resources.services import as_service
from hops.kubernetes.routing.route import Route
from hops.kubernetes.values import JSON
from hops.model.hop import Backend, HopName, SocketAddress, between, bracketed, ip_version
from hops.model.kind_names import is_control_plane
from hops.trace.facts.declared_routes import detached, every, takes_host
from hops.trace.facts.envoy_drift import dialled, taken
from hops.trace.facts.path_facts import PathFacts, identity
from hops.trace.observed.observation import ObservedNode, SentRequest, Where
from hops.trace.readers import envoy, kernel
from hops.trace.readers.published_ports import published
from hops.trace.result import HopAddress

_MILLISECONDS = 1000


@dataclass(frozen=True)
class HopEvidence:
    """What a hop is in reality. value: None where it was not seen. seconds: see `TracedHop`."""

    value: HopAddress | None
    evidence: tuple[str, ...]
    seconds: float | None = None


NOTHING = HopEvidence(None, ())


def found(view: PathFacts, hop: HopName) -> HopEvidence:
    """What was found at one of the twelve hops."""
    return _HOPS[hop](view)


def request_line(request: SentRequest) -> str:
    """A request and how it ended, as a line of evidence."""
    reached = f"{bracketed(request.address)}:{request.port}"
    took = request.seconds.get("total")
    time = f" in {took * _MILLISECONDS:.0f} ms" if took is not None else ""
    if request.status is None:
        return f"request to {reached} ({request.where}): {request.failure or 'no answer'}{time}"
    by = "a pod" if request.by_pod else request.headers.get("server") or "an unknown server"
    broken = f", then {request.failure}" if request.failure else ""
    said = f": {' '.join(request.body.split())[:160]}" if request.body and not request.by_pod else ""
    return f"request to {reached} ({request.where}): {request.status} from {by}{broken}{time}{said}"


def _asked(view: PathFacts, *places: Where) -> Iterator[str]:
    for request in view.observation.requests:
        if request.where in places:
            yield request_line(request)
            yield from handshake_lines(request)


def handshake_lines(request: SentRequest) -> Iterator[str]:
    """The TLS handshake of a request, a line each for what was agreed and for each certificate."""
    tls = request.tls
    if tls is None:
        return
    agreed = f"{tls.protocol} {tls.cipher}, ALPN {tls.alpn or 'none'}" if tls.protocol else "no protocol agreed"
    asks = ", asks for a client certificate" if tls.wants_client else ""
    failed = f": {tls.error}" if tls.error else ""
    yield f"TLS at {bracketed(request.address)}:{request.port} for {tls.name or 'no name'}: {agreed}{asks}{failed}"
    for number, one in enumerate(tls.chain, 1):
        hosts = f" for {', '.join(one.hosts)}" if one.hosts else ""
        dates = f"from {one.begins} to {one.ends}"
        yield f"certificate {number}: {one.subject}{hosts}, {dates}, {one.key}, issued by {one.issuer}"
    if tls.verified is not None:
        yield f"the client {'trusts it' if tls.verified else f'does not trust it: {tls.distrust}'}"


def _stage(view: PathFacts, place: Where, stage: str, since: str = "") -> float | None:
    """Seconds between two stages of a request; None where it was not sent or did not get that far."""
    request = view.request(place)
    if request is None or stage not in request.seconds:
        return None
    spent = request.seconds[stage] - request.seconds.get(since, 0.0)
    return spent if spent >= 0 else None


# The hops there


def _name(view: PathFacts) -> HopEvidence:
    host = view.observation.host
    if host is None or view.asked.from_node:
        return NOTHING
    evidence = [f"hosts file: {line.strip()}" for line in host.hosts]
    evidence += [
        f"look-up of {view.asked.host} for IPv{lookup.family}: "
        f"{', '.join(lookup.addresses) or lookup.error or 'nothing'} in {lookup.seconds * _MILLISECONDS:.1f} ms"
        for lookup in host.lookups
    ]
    met = dict.fromkeys(address for lookup in host.lookups for address in lookup.addresses)
    return HopEvidence(HopAddress(", ".join(met)) if met else None, tuple(evidence), _stage(view, "client", "name"))


def _port_mapping(view: PathFacts) -> HopEvidence:
    evidence: list[str] = []
    value = None
    for name, item in view.containers.items():
        state = docker_containers.state(item) or "of unknown state"
        for one in published(name, item):
            if one.port == view.asked.port and one.bound:
                evidence.append(f"docker port {name}: {one.inside}/tcp on {one}, container {state}")
                first = ip_version(one.address) == view.version
                value = HopAddress(str(one), f"{name}:{one.inside}") if first or value is None else value
    if view.observation.host:
        evidence += [
            f"{SocketAddress(listener.address, listener.port)} is held by "
            f"{listener.process or 'a process of another user'}"
            for listener in view.observation.host.listeners
        ]
    took = None if view.asked.from_node else _stage(view, "client", "connect", "name")
    return HopEvidence(value, (*evidence, *_asked(view, "client")), took)


def _host_port(view: PathFacts) -> HopEvidence:
    node = view.node(view.publishing)
    port = view.node_port or 80
    evidence: list[str] = [line for pod in view.envoy_pods for line in _envoy_pod(pod)]
    value = None
    if node:
        table = node.nat_of(view.address_of(node.name))
        after = {rule.chain: rule.packets for rule in kernel.host_port_rules(node.nat_after, port)}
        for rule in kernel.host_port_rules(table, port):
            to = rule.to or ("", 0)
            value = value or HopAddress(f"{node.name}:{port}", f"{bracketed(to[0])}:{to[1]}")
            counted = (
                f", {rule.packets} packets before and {after.get(rule.chain)} after"
                if rule.chain in after and table == node.nat
                else ""
            )
            evidence.append(f"nat {rule.chain}: port {port} to {bracketed(to[0])}:{to[1]}{counted}")
        entry = kernel.tracked(node.conntrack, port)
        evidence += [f"conntrack: {entry}"] if entry else []
    return HopEvidence(value, (*evidence, *_asked(view, "node")), _stage(view, "node", "connect", "name"))


def _envoy_pod(pod: Mapping[str, JSON]) -> Iterator[str]:
    bound = [f"host port {port.host_port} -> {port.container_port}" for port in as_pod(pod).ports if port.host_port]
    yield f"{identity(pod)} {_standing(pod)} on {objects.node_of(pod) or 'no node'}, " + (
        ", ".join(bound) or "no host port"
    )


def _standing(pod: Mapping[str, JSON]) -> str:
    found = objects.condition(pod, "Ready")
    ready = {"True": "ready", "False": "not ready"}.get(found.status if found else "", "readiness unknown")
    restarts = sum(status.restarts for status in container_statuses(pod))
    return f"{objects.phase(pod) or 'of unknown phase'}, {ready}, {restarts} restarts"


def _route(view: PathFacts) -> HopEvidence:
    evidence = [
        line
        for route in every(view)
        if takes_host(route.host, view.asked.host) is not None
        for line in _declared(route)
    ]
    evidence += [f"{route.resource}: not attached: {route.detached}" for route in detached(view)]
    value, seen = None, view.envoy
    if seen:
        bound = envoy.listens(seen, view.asked.scheme)
        evidence.append(f"Envoy's listener {envoy.listener(seen, view.asked.scheme)}: {bound or 'none'}")
        route = taken(view)
        names = ", ".join(
            dict.fromkeys(name for h in envoy.virtual_hosts(seen, view.asked.scheme) for name in envoy.domains(h))
        )
        evidence.append(f"Envoy's virtual hosts: {names or 'none'}")
        if route:
            value = HopAddress(*envoy.leads(route))
            evidence.append(f"Envoy's route: {value}")
        evidence += _counted(view)
        holds = envoy.connected(seen)
        evidence += [] if holds is None else [f"Envoy is {'' if holds else 'not '}connected to Contour"]
    inside = _stage(view, "envoy", "first byte", "connect")
    beyond = _stage(view, "pod from envoy", "first byte")
    own = inside - beyond if inside is not None and beyond is not None and inside > beyond else None
    return HopEvidence(value, (*evidence, *_asked(view, "envoy")), own)


def _declared(route: Route) -> Iterator[str]:
    """A route and its targets, and what its status says against it."""
    leads = " and ".join(
        f"{one.service}:{one.port}" + (f" (weight {one.weight})" if one.weight is not None else "")
        for one in route.backends
    )
    yield f"{route.resource}: {route.host or '*'}{route.path} ({route.path_type}) to {leads or route.redirect}"
    yield from route.said


def _counted(view: PathFacts) -> Iterator[str]:
    seen = view.envoy
    for name in sorted(seen.stats_after) if seen else ():
        before, after = seen.stats.get(name) if seen else None, seen.stats_after[name] if seen else 0
        if name.endswith("upstream_rq_total") and before is not None and before != after:
            yield f"Envoy's {name}: {before} before and {after} after"


def _service(view: PathFacts) -> HopEvidence:
    backend, item = view.backend, view.service
    if backend is None or item is None:
        return HopEvidence(None, tuple(_asked(view, "service")))
    address = objects.cluster_ip(item)
    selector = ", ".join(f"{key}={value}" for key, value in sorted(as_service(item).selector.items()))
    at_port = f"{bracketed(address or 'None')}:{backend.port}"
    also = "".join(f" and {bracketed(one)}:{backend.port}" for one in objects.cluster_ips(item)[1:])
    evidence = [f"{identity(item)}: {at_port}{also}, selector {selector or 'none'}", *_slices(view, backend)]
    node = view.node(view.publishing)
    if node and address and node.nat_of(address):
        rules = kernel.service_rules(node.nat_of(address), address, backend.port)
        to = ", ".join(f"{bracketed(rule.to[0])}:{rule.to[1]}" for rule in rules if rule.to)
        after = sum(r.packets or 0 for r in kernel.service_rules(node.nat_after, address, backend.port))
        before = sum(rule.packets or 0 for rule in rules)
        counted = f", {before} packets before and {after} after" if rules and node.nat_after else ""
        evidence.append(f"kube-proxy's rules in {node.name}: {f'to {to}' if to else 'none'}{counted}")
    return HopEvidence(HopAddress(at_port) if address else None, (*evidence, *_asked(view, "service")))


def _slices(view: PathFacts, backend: Backend) -> Iterator[str]:
    shown = map(str, view.endpoints(backend.namespace, backend.service))
    if view.sees("EndpointSlice"):
        yield f"endpoints of {backend.namespace}/{backend.service}: {', '.join(shown) or 'none'}"


def _endpoint(view: PathFacts) -> HopEvidence:
    evidence: list[str] = []
    value, seen = None, view.envoy
    cluster = dialled(view)
    if seen and cluster:
        known = envoy.endpoints(seen, cluster)
        shown = ", ".join(f"{one} {one.health.lower()}" for one in known or ())
        evidence.append(f"Envoy dials for {cluster}: {shown or 'nobody'}")
        dialled_pods = {one.address: HopAddress(str(one)) for one in known or () if one.healthy}
        # Of several pods, the first that the Service names is shown, as in the plan.
        own = (dialled_pods.get(objects.address(pod) or "") for pod in view.pods)
        value = next(filter(None, own), None) or next(iter(dialled_pods.values()), None)
    for pod in view.pods:
        node = view.node(objects.node_of(pod))
        for address in objects.addresses(pod):
            device = kernel.device(node.routes_of(address), address) if node else None
            if node is None or device is None:
                continue
            evidence.append(f"route in {node.name}: {address} dev {device}")
            if value is None or (value.device is None and str(value.here).startswith(f"{bracketed(address)}:")):
                value = HopAddress(value.here if value else address, device=device)
    evidence += _between_nodes(view)
    return HopEvidence(
        value, (*evidence, *_asked(view, "pod from envoy")), _stage(view, "pod from envoy", "connect", "name")
    )


@dataclass(frozen=True)
class _Crossing:
    """The way from Envoy's node to the node of a pod.

    start: Envoy's node. to: name of the pod's node. pod: namespace/name. address: IPv4 of the pod. device: the
    interface by which packets leave; "" where they stay on the node. via: the gateway; "" for none. default: whether
    the default route leads them away, because the node has no other one.
    """

    start: ObservedNode
    to: str
    pod: str
    address: str
    device: str = ""
    via: str = ""
    default: bool = False

    @property
    def how(self) -> str:
        """Whether packets are encapsulated; a node without a route to the pod sends them to its own gateway."""
        if self.default:
            return "by the default route only"
        return "encapsulated as UDP 4789" if self.device.startswith("vxlan") else "not encapsulated"


def between_nodes(view: PathFacts) -> tuple[str, ...]:
    """How packets travel from Envoy's node to each node on which a pod runs, a line each; none with one worker."""
    return tuple(map(_in_short, _crossings(view)))


def _in_short(way: _Crossing) -> str:
    if not way.device:
        return f"{way.start.name}: packets stay on this node"
    link = kernel.links(way.start.links).get(way.device)
    mtu = f", MTU {link.mtu}" if link and link.mtu else ""
    return f"{way.start.name} -> {way.to} dev {way.device}, {way.how}{mtu}"


def _between_nodes(view: PathFacts) -> Iterator[str]:
    """The lines of evidence of the same."""
    for way in _crossings(view):
        if not way.device:
            yield between(way.pod, way.to, way.to, encapsulated=False)
            continue
        via = f" via {way.via}" if way.via else ""
        yield f"from {way.start.name} to {way.to}: {way.address} goes by {way.device}{via}, {way.how}"
        yield from _carried(way.start, way.device)


def _crossings(view: PathFacts) -> Iterator[_Crossing]:
    """One for each node on which a pod runs.

    A pod on Envoy's own node has one if there are several workers, because another pod may be elsewhere.
    """
    envoy = next(iter(view.envoys_on(view.publishing)), None)
    start = view.node(objects.node_of(envoy)) if envoy else None
    several = sum(not is_control_plane(objects.name(node)) for node in view.of("Node")) > 1
    reported: set[str] = set()
    for pod in view.pods if start else ():
        name, address = objects.node_of(pod), objects.address(pod)
        if start is None or name is None or address is None or name in reported:
            continue
        if name == start.name and several:
            yield _Crossing(start, name, objects.full_name(pod), address)
        elif name != start.name and (route := kernel.longest(start.routes_of(address), address)):
            device, via = str(route.get("dev")), str(route.get("gateway") or "")
            default = route.get("dst") == "default"
            yield _Crossing(start, name, objects.full_name(pod), address, device, via, default)
        else:
            continue
        reported.add(name)


def _carried(node: ObservedNode, device: str) -> Iterator[str]:
    """MTU and counters of the interface by which packets leave a node for another one."""
    before, after = kernel.links(node.links).get(device), kernel.links(node.links_after).get(device)
    if before is None:
        return
    counters = (("received", "received"), ("sent", "sent"), ("dropped", "lost"))
    counted = [
        f"{word} {was}" + (f" before and {now} after" if (now := getattr(after, field, None)) is not None else "")
        for field, word in counters
        if (was := getattr(before, field)) is not None
    ]
    packets = f"; packets {', '.join(counted)}" if counted else ""
    yield f"{device} of {node.name}: {before}, MTU {before.mtu or 'unknown'}{packets}"


def _pod(view: PathFacts) -> HopEvidence:
    evidence: list[str] = []
    value = None
    for pod in view.pods:
        also = f", {' and '.join(own)}" if len(own := objects.addresses(pod)) > 1 else ""
        evidence.append(f"{identity(pod)} {_standing(pod)} on {objects.node_of(pod) or 'no node'}{also}")
        space = view.namespace(pod)
        listening = kernel.sockets(space.sockets) if space else ()
        if space:
            evidence.append(f"listens in its namespace: {', '.join(map(str, listening)) or 'nothing'}")
        target = view.backend.target_port if view.backend else None
        bound = next((socket for socket in listening if socket.port == target), None)
        if bound and value is None:
            address = objects.address(pod)
            # A server on every address is reached at the pod's own.
            value = HopAddress(str(SocketAddress(address, bound.port)) if bound.wildcard and address else str(bound))
    if value is None and view.answered("pod"):
        request = view.request("pod")
        value = HopAddress(f"{bracketed(request.address)}:{request.port}") if request else None
    served: Where = "pod from envoy" if view.answered("pod from envoy") else "pod"
    return HopEvidence(value, (*evidence, *_asked(view, "pod")), _stage(view, served, "first byte", "connect"))


# The hops back


def _reply(view: PathFacts, what: str) -> HopEvidence:
    answer = view.request("client")
    if answer is None or answer.status is None:
        return NOTHING
    return HopEvidence(HopAddress(what), (request_line(answer),))


def _reply_endpoint(view: PathFacts) -> HopEvidence:
    answer = view.request("client")
    upstream = answer.headers.get("x-envoy-upstream-service-time") if answer else None
    if upstream is None:
        return NOTHING
    return HopEvidence(HopAddress("answered to Envoy"), (f"Envoy had the pod's answer after {upstream} ms",))


def _reply_route(view: PathFacts) -> HopEvidence:
    return _reply(view, "relayed by Envoy") if view.through_envoy("client") else NOTHING


def _reply_host_port(view: PathFacts) -> HopEvidence:
    if not view.through_envoy("client"):
        return NOTHING
    node = view.node(view.publishing)
    port = view.node_port or 80
    entry = kernel.tracked(node.conntrack, port) if node else None
    reply = _reply(view, "turned back by conntrack")
    return HopEvidence(reply.value, (f"conntrack: {entry}",) if entry else reply.evidence)


def _reply_port_mapping(view: PathFacts) -> HopEvidence:
    return NOTHING if view.asked.from_node else _reply(view, "back through the published port")


def _reply_client(view: PathFacts) -> HopEvidence:
    answer = view.request("client")
    if answer is None or answer.status is None:
        return NOTHING
    return HopEvidence(
        HopAddress(f"{answer.status}, {answer.size} bytes"),
        (request_line(answer),),
        _stage(view, "client", "total", "first byte"),
    )


_HOPS: Mapping[HopName, Callable[[PathFacts], HopEvidence]] = {
    HopName.NAME: _name,
    HopName.PORT_MAPPING: _port_mapping,
    HopName.HOST_PORT: _host_port,
    HopName.ROUTE: _route,
    HopName.SERVICE: _service,
    HopName.ENDPOINT: _endpoint,
    HopName.POD: _pod,
    HopName.REPLY_ENDPOINT: _reply_endpoint,
    HopName.REPLY_ROUTE: _reply_route,
    HopName.REPLY_HOST_PORT: _reply_host_port,
    HopName.REPLY_PORT_MAPPING: _reply_port_mapping,
    HopName.REPLY_CLIENT: _reply_client,
}
