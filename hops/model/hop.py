"""The path of a request: twelve hops from a host name to a process and back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError


class HopName(StrEnum):
    """The name of a hop, as outputs, findings and rules give it.

    `LOAD_BALANCER`, `NODE_PORT` and their replies are shown where Docker does not publish the ports. Each plays the
    `role` of one of the twelve hops, by which hops are keyed.
    """

    NAME = "name"
    PORT_MAPPING = "port-mapping"
    HOST_PORT = "host-port"
    ROUTE = "route"
    SERVICE = "service"
    ENDPOINT = "endpoint"
    POD = "pod"
    REPLY_ENDPOINT = "reply-endpoint"
    REPLY_ROUTE = "reply-route"
    REPLY_HOST_PORT = "reply-host-port"
    REPLY_PORT_MAPPING = "reply-port-mapping"
    REPLY_CLIENT = "reply-client"
    LOAD_BALANCER = "load-balancer"
    NODE_PORT = "node-port"
    REPLY_NODE_PORT = "reply-node-port"
    REPLY_LOAD_BALANCER = "reply-load-balancer"

    @property
    def role(self) -> "HopName":
        """The one of the twelve hops that it is: `port-mapping` for `load-balancer`, itself for the twelve."""
        return next((role for role, name in _WITHOUT_KIND.items() if name is self), self)

    def shown(self, by: "Entrance") -> "HopName":
        """The name that is shown behind an entrance."""
        return self if by in (Entrance.DOCKER, Entrance.HOST_PORT) else _WITHOUT_KIND.get(self, self)

    @property
    def number(self) -> int:
        """The place in the path, 1 to 12."""
        return list(HopName).index(self.role) + 1

    @property
    def reply(self) -> bool:
        """Whether the answer crosses it, and not the request."""
        return self.number > HopName.POD.number


_WITHOUT_KIND = {
    HopName.PORT_MAPPING: HopName.LOAD_BALANCER,
    HopName.HOST_PORT: HopName.NODE_PORT,
    HopName.REPLY_HOST_PORT: HopName.REPLY_NODE_PORT,
    HopName.REPLY_PORT_MAPPING: HopName.REPLY_LOAD_BALANCER,
}


class HopRole(StrEnum):
    """What a hop is to a request."""

    ON_PATH = "on path"
    CONTROL = "control"
    BESIDE = "beside the path"


class KnownAt(StrEnum):
    """When a hop's address is known: before the cluster exists, or only in it."""

    PREVIEW = "preview"
    UP = "up"


@dataclass(frozen=True)
class HopKind:
    """What is the same of a hop in every path.

    protocol: such as TCP.
    documents: what the usual account of the path says of it.
    truth: what holds, where the two differ.
    """

    name: HopName
    protocol: str
    standing: HopRole
    documents: str
    truth: str

    @property
    def number(self) -> int:
        """The place in the path, 1 to 12."""
        return self.name.number


@dataclass(frozen=True)
class SocketAddress:
    """An address and a TCP port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.address)}:{self.port}"


def bracketed(address: str) -> str:
    """An address as it stands before a port: an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{address}]" if ":" in address else address


IPV6 = 6


def ip_version(address: str | None) -> int:
    """4 or 6; 4 for a name or None."""
    return IPV6 if address and ":" in address else 4


@dataclass(frozen=True)
class PortMapping:
    """One port on its way in.

    scheme: http or https.
    host: port of the host machine.
    node: port of the publishing node.
    envoy: port of Envoy's container.
    """

    scheme: str
    host: int
    node: int
    envoy: int


@dataclass(frozen=True)
class RouteMatch:
    """What the route takes, and where it leads.

    host: `*` for any.
    path: as declared.
    service, port: of the backend.
    cluster: Envoy's name for its endpoints.
    """

    host: str
    path: str
    service: str
    port: int
    cluster: str


@dataclass(frozen=True)
class Hop:
    """One hop of one service's path.

    service: namespace/name of the Service.
    number: the place in the path, 1 to 12.
    component: what does the hop's work.
    address: where the hop is reached, None until `known_at`.
    port: TCP port, None where the hop has none.
    protocol: such as TCP.
    next: the address that the hop hands the request to, as text.
    details: further facts by name, as text, such as the interface.
    to: `next` where it is an address and a port.
    mappings: of the hops that publish ports, by scheme.
    match: of the route.
    route: host and path of the route, where its service has several; "" where it has one.

    Programs read `to`, `mappings`, `match` and `route`; the texts are for people.
    """

    service: str
    number: int
    name: HopName
    component: str
    address: str | None
    port: int | None
    protocol: str
    next: str | None
    standing: HopRole
    known_at: KnownAt
    details: Mapping[str, str] = field(default_factory=dict)
    to: SocketAddress | None = None
    mappings: tuple[PortMapping, ...] = ()
    match: RouteMatch | None = None
    route: str = ""


@dataclass(frozen=True)
class NodeHop:
    """The way from Envoy's node to the node of one pod, in a cluster of several workers. It is a part of hop 6.

    service, route: as in `Hop`.
    pod: namespace/name; of a Deployment without pods yet, its own namespace/name.
    source: the node of Envoy.
    target: the node of the pod; None until `known_at`, because the scheduler chooses it.
    encapsulation: of the address pool: VXLANCrossSubnet, VXLAN or None.
    encapsulated: whether packets between the nodes travel as VXLAN. All nodes of a kind cluster are in one subnet.
    """

    service: str
    route: str
    pod: str
    source: str
    target: str | None
    encapsulation: str
    encapsulated: bool
    known_at: KnownAt = KnownAt.UP

    def __str__(self) -> str:
        return between(self.pod, self.source, self.target, encapsulated=self.encapsulated)


def between(pod: str, source: str, target: str | None, *, encapsulated: bool) -> str:
    """A sentence about the way between two nodes.

    pod: namespace/name.
    source: the node of Envoy.
    target: the node of the pod; None if it is not known yet.
    encapsulated: whether packets between the nodes travel as VXLAN.
    """
    if target == source:
        return f"{pod} and Envoy are both on {source}: packets between them stay on this node"
    how = "encapsulated as VXLAN (UDP 4789)" if encapsulated else "not encapsulated"
    if target is None:
        return f"{source} -> the node of {pod}, known after an up; on another node: {how}"
    return f"{source} -> {target}, the node of {pod}: {how}"


@dataclass(frozen=True)
class RequestPath:
    """All hops of the requests of one route, in order, and the command that tries it.

    service: namespace/name of the Service.
    scheme: http or https.
    url: its address on the host machine.
    curl: a command line that needs no line in a hosts file.
    kind: of the object that declares the route.
    host, path: what the route takes.
    route: as in `Hop`.
    """

    service: str
    scheme: str
    url: str
    curl: str
    hops: tuple[Hop, ...]
    kind: str = "Ingress"
    host: str = ""
    path: str = "/"
    route: str = ""

    @property
    def mappings(self) -> tuple[PortMapping, ...]:
        """The ports that its publishing hop maps."""
        return next((hop.mappings for hop in self.hops if hop.mappings), ())

    @property
    def node(self) -> str:
        """The node that publishes its port; "" where a load balancer stands in front of Envoy."""
        return next((hop.details["node"] for hop in self.hops if "node" in hop.details), "")

    @property
    def title(self) -> str:
        """The path in a heading: its service, and its route where the service has several."""
        return f"{self.service} by {self.route}" if self.route else self.service


class Entrance(StrEnum):
    """What leads requests to Envoy.

    `DOCKER` is a node of a kind cluster whose ports Docker publishes. The others are names of settings.
    """

    DOCKER = "Docker"
    LOAD_BALANCER = "LoadBalancer"
    NODE_PORT = "NodePort"
    HOST_PORT = "HostPort"

    @property
    def on_node(self) -> bool:
        """Whether requests enter at a node's own address."""
        return self in (Entrance.NODE_PORT, Entrance.HOST_PORT)


@dataclass(frozen=True)
class Entrypoint:
    """Where requests enter the cluster.

    listen: the address or name that clients connect to; None until known. With `DOCKER`, an address of the host
        machine.
    node: the node that requests enter; None until known, and always with `LOAD_BALANCER`.
    mappings: the ports. Of a load balancer, `node` of a mapping is the node port behind its port, or the same port if
        the node port is not known.
    by: what leads requests to Envoy. Default: `DOCKER`.
    listen_ipv6: the IPv6 address on which the same ports are published beside an IPv4 address `listen`. Default: none.
    """

    listen: str | None
    node: str | None
    mappings: tuple[PortMapping, ...]
    by: Entrance = Entrance.DOCKER
    listen_ipv6: str | None = None

    @property
    def listens(self) -> tuple[str, ...]:
        """The addresses that are known, `listen` first."""
        return tuple(address for address in (self.listen, self.listen_ipv6) if address)

    @property
    def clients(self) -> tuple[str, ...]:
        """The addresses that a client on this machine connects to: loopback for an entrance on every address."""
        return tuple(map(reached_at, self.listens))


def reached_at(listen: str) -> str:
    """The address at which a client on this machine reaches a server.

    listen: the address that the server listens on. One that stands for every address becomes the loopback address.
    """
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen)


GRPC_HEADERS: Mapping[str, str] = {"content-type": "application/grpc", "te": "trailers"}
"""The headers of a gRPC call, which is a POST; a gRPC server resets other requests.

Source: grpc.io, PROTOCOL-HTTP2.md, Requests.
"""


@dataclass(frozen=True, slots=True)
class RouteCondition:
    """A condition of a route on something else than the path.

    part: the part of the request: method, header or query.
    name: name of the header, in lower case, or of the query parameter; "" for the method.
    how: exact, regex, contains, prefix, suffix or present.
    value: the value to compare with; "" for present.
    negated: whether the request must not match.
    """

    part: Literal["method", "header", "query"]
    name: str
    how: str
    value: str = ""
    negated: bool = False

    def __str__(self) -> str:
        what = "method" if self.part == "method" else f"{self.part} {self.name}"
        return f"{what} {'not ' if self.negated else ''}{f'{self.how} {self.value}'.strip()}"


def met_by(conditions: Iterable[RouteCondition]) -> dict[str, str]:
    """Headers with which a request meets conditions; those with a regular expression are left out."""
    return {
        condition.name: condition.value or "1"
        for condition in conditions
        if condition.part == "header" and condition.how != "regex" and not condition.negated
    }


def route_name(host: str, path: str, conditions: Iterable[RouteCondition] = ()) -> str:
    """Host, path and conditions of a route, as outputs tell the routes of a service apart."""
    return f"{host}{path}" + "".join(f" ({condition})" for condition in conditions)


@dataclass(frozen=True)
class Backend:
    """What a route leads to: a Service and its pods.

    service, namespace, port: of the Service.
    ingress, kind: name and kind of the object that declares the route.
    host: "" for a service without a route.
    path: as declared.
    target_port: the port that the pods serve; 0 until a foreign Service is seen.
    selector: the labels of the Service's selector.
    pods: names.
    cluster_ip: None until known.
    request_path: the path that the documented request asks for.
    path_type: how `path` is compared: Prefix, Exact, Regex, or String for a beginning that need not end at a slash.
    redirect: where Envoy sends the client instead of a pod, such as https://*/*; "" for no redirect.
    several: whether the service has other routes.
    deployment: whether a Deployment of the Service's name makes the pods; their names are then empty until they run.
    foreign: whether the stack does not make the Service; its selector and pods are then empty until they are seen.
    grpc: whether Envoy speaks HTTP/2 without TLS to the pod, and so a request is a gRPC call.
    tls: the name of the Secret with the certificate of the host, in the same namespace; None for plain HTTP.
    authority: the file of the authority that signed the certificate; None if curl knows the authority itself.
    requires: the conditions of the route on other parts of the request than its path.
    weights: the weight of each Service behind the route, by NAME:PORT; empty where the route leads to one.
    mirror: NAME:PORT of the Service that gets a copy of each request; "" for none.
    """

    service: str
    namespace: str
    ingress: str
    host: str
    path: str
    port: int
    target_port: int
    selector: Mapping[str, str]
    pods: tuple[str, ...]
    cluster_ip: str | None = None
    request_path: str = "/"
    kind: str = "Ingress"
    path_type: str = "Prefix"
    redirect: str = ""
    several: bool = False
    deployment: bool = False
    foreign: bool = False
    grpc: bool = False
    tls: str | None = None
    authority: str | None = None
    requires: tuple[RouteCondition, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    mirror: str = ""

    @property
    def named_later(self) -> bool:
        """Whether the names of its pods are only known when they run."""
        return self.deployment or self.foreign

    @property
    def route(self) -> str:
        """Host, path and conditions, where the service has several routes or conditions; else ""."""
        return route_name(self.host, self.path, self.requires) if self.several or self.requires else ""

    @property
    def request_headers(self) -> dict[str, str]:
        """Headers of a request that the route takes; those with a regular expression are left out."""
        return {**(GRPC_HEADERS if self.grpc else {}), **met_by(self.requires)}

    @property
    def scheme(self) -> str:
        """Http or https."""
        return "https" if self.tls else "http"


@dataclass(frozen=True)
class ForeignService:
    """A Service that a stack leads to and does not make, as its cluster has it.

    selector: the labels of its selector.
    pods: the names of the pods that it selects.
    targets: the pods' port by the Service's port.
    """

    selector: Mapping[str, str]
    pods: tuple[str, ...]
    targets: Mapping[int, int]


@dataclass(frozen=True)
class LiveAddresses:
    """The addresses that only a running cluster can tell; empty before it runs.

    node, envoy: first address of the publishing node and of its Envoy pod.
    services, pods: first address by "namespace/name".
    deployed: the names of the current pods of each Deployment, by "namespace/name".
    foreign: the selector, the pods and the pods' ports of each foreign Service, by "namespace/name".
    unnamed: the address of a pod that is not made yet, or not by the stack.
    nodes: the name of each pod's node, by "namespace/name".
    entrance: where requests enter an existing cluster.
    network: the name of an existing cluster's pod network, if its interfaces are known.
    seconds: the address of the other family that the same object has, by its first address.
    """

    node: str | None = None
    envoy: str | None = None
    services: Mapping[str, str] = field(default_factory=dict)
    pods: Mapping[str, str] = field(default_factory=dict)
    deployed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    foreign: Mapping[str, ForeignService] = field(default_factory=dict)
    unnamed: str | None = None
    nodes: Mapping[str, str] = field(default_factory=dict)
    entrance: Entrypoint | None = None
    network: str | None = None
    seconds: Mapping[str, str] = field(default_factory=dict)


NOTHING_FOUND = LiveAddresses()

_ON, _BESIDE = HopRole.ON_PATH, HopRole.BESIDE

KINDS = (
    HopKind(
        HopName.NAME,
        "DNS",
        _ON,
        "The host name resolves to 127.0.0.1.",
        "It does; a name in .local asks multicast DNS first.",
    ),
    HopKind(
        HopName.PORT_MAPPING,
        "TCP",
        _ON,
        "Docker forwards the host's port to the worker container.",
        "For requests to 127.0.0.1 the process docker-proxy copies the bytes; other sources meet a DNAT rule.",
    ),
    HopKind(
        HopName.HOST_PORT,
        "TCP",
        _ON,
        "Envoy binds to port 80 in the worker's network namespace.",
        "Nothing listens there: the portmap plugin's DNAT rule sends port 80 of the node to 8080 of Envoy's pod.",
    ),
    HopKind(
        HopName.ROUTE,
        "HTTP",
        _ON,
        "Envoy looks the Ingress up in what Contour tells it over xDS.",
        "Envoy matches in its own memory; Contour's xDS is control and carries no request.",
    ),
    HopKind(
        HopName.SERVICE,
        "TCP",
        _BESIDE,
        "Envoy asks DNS for the Service and sends to its ClusterIP.",
        "Envoy never sends there: the Service gives selector and port, and Envoy dials the pod (EDS).",
    ),
    HopKind(
        HopName.ENDPOINT,
        "TCP",
        _ON,
        "kube-proxy turns the ClusterIP into the pod's IP, Calico's route leads to it.",
        "kube-proxy stands beside the path; Calico's route and interface are on it.",
    ),
    HopKind(HopName.POD, "HTTP", _ON, "The process in the pod answers.", "It does."),
    HopKind(
        HopName.REPLY_ENDPOINT,
        "TCP",
        _ON,
        "The answer leaves the pod through Calico.",
        "By the pod's interface straight to Envoy's pod.",
    ),
    HopKind(
        HopName.REPLY_ROUTE,
        "HTTP",
        _ON,
        "The Service passes the answer to Envoy.",
        "No Service is involved: Envoy relays what came on its connection to the pod.",
    ),
    HopKind(
        HopName.REPLY_HOST_PORT,
        "TCP",
        _ON,
        "Envoy answers from the worker's port.",
        "conntrack turns Envoy's address back into the node's address and port.",
    ),
    HopKind(
        HopName.REPLY_PORT_MAPPING,
        "TCP",
        _ON,
        "Docker passes the answer to the host.",
        "docker-proxy copies it for loopback clients; conntrack turns it back for others.",
    ),
    HopKind(HopName.REPLY_CLIENT, "HTTP", _ON, "curl has its answer.", "It does, on the connection that it opened."),
)
"""The documented hops, request and response, in order."""

_PUBLISHED = TypeAdapter(tuple[Hop, ...], config=ConfigDict(defer_build=True))


def published_hops(rows: object) -> tuple[Hop, ...]:
    """The hops of an output `hops`; empty where it is none that this project writes.

    rows: the output's value, as JSON. `to`, `mappings` and `match` may be missing, as in outputs of older versions.
    """
    try:
        return _PUBLISHED.validate_python(rows)
    except ValidationError:
        return ()
