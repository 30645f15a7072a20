"""The path of a request: twelve hops from a host name to a process and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Standing(StrEnum):
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

    documents: what the usual account of the path says of it. truth: what holds, where the two differ.
    """

    number: int
    name: str
    protocol: str
    standing: Standing
    documents: str
    truth: str


@dataclass(frozen=True)
class Hop:
    """One hop of one service's path.

    address: where the hop is reached, None until `known_at`. port: TCP port, None where the hop has none.
    next: the address that the hop hands the request to. details: further facts by name, such as the interface.
    """

    service: str
    number: int
    name: str
    component: str
    address: str | None
    port: int | None
    protocol: str
    next: str | None
    standing: Standing
    known_at: KnownAt
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RequestPath:
    """All hops of the requests to one service, in order, and the command that tries it.

    url: its address on the host machine. curl: a command line that needs no line in a hosts file.
    """

    service: str
    url: str
    curl: str
    hops: tuple[Hop, ...]


@dataclass(frozen=True)
class PortMapping:
    """One port on its way in: of the host machine, of the publishing node, of Envoy's container."""

    scheme: str
    host: int
    node: int
    envoy: int


@dataclass(frozen=True)
class Door:
    """Where requests enter the cluster.

    listen: the host machine's IPv4 address that Docker publishes on, or the load balancer's, None until known.
    node: the kind node that publishes; None where a load balancer stands in front of Envoy.
    """

    listen: str | None
    node: str | None
    mappings: tuple[PortMapping, ...]


@dataclass(frozen=True)
class Backend:
    """What an Ingress leads to: a Service and its pods.

    target_port: the port that the pods serve. pods: names. cluster_ip: None until known.
    request_path: the path that the documented request asks for.
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


@dataclass(frozen=True)
class Found:
    """The addresses that only a running cluster can tell; empty before it runs.

    node, envoy: IPv4 of the publishing node and of its Envoy pod. services, pods: IPv4 by "namespace/name".
    """

    node: str | None = None
    envoy: str | None = None
    load_balancer: str | None = None
    services: Mapping[str, str] = field(default_factory=dict)
    pods: Mapping[str, str] = field(default_factory=dict)


NOTHING_FOUND = Found()

_ON, _BESIDE = Standing.ON_PATH, Standing.BESIDE

KINDS = (
    HopKind(
        1,
        "name",
        "DNS",
        _ON,
        "The host name resolves to 127.0.0.1.",
        "It does; a name in .local asks multicast DNS first.",
    ),
    HopKind(
        2,
        "port-mapping",
        "TCP",
        _ON,
        "Docker forwards the host's port to the worker container.",
        "For requests to 127.0.0.1 the process docker-proxy copies the bytes; other sources meet a DNAT rule.",
    ),
    HopKind(
        3,
        "host-port",
        "TCP",
        _ON,
        "Envoy binds to port 80 in the worker's network namespace.",
        "Nothing listens there: the portmap plugin's DNAT rule sends port 80 of the node to 8080 of Envoy's pod.",
    ),
    HopKind(
        4,
        "route",
        "HTTP",
        _ON,
        "Envoy looks the Ingress up in what Contour tells it over xDS.",
        "Envoy matches in its own memory; Contour's xDS is control and carries no request.",
    ),
    HopKind(
        5,
        "service",
        "TCP",
        _BESIDE,
        "Envoy asks DNS for the Service and sends to its ClusterIP.",
        "Envoy never sends there: the Service gives selector and port, and Envoy dials the pod (EDS).",
    ),
    HopKind(
        6,
        "endpoint",
        "TCP",
        _ON,
        "kube-proxy turns the ClusterIP into the pod's IP, Calico's route leads to it.",
        "kube-proxy stands beside the path; Calico's route and interface are on it.",
    ),
    HopKind(7, "pod", "HTTP", _ON, "The process in the pod answers.", "It does."),
    HopKind(
        8,
        "reply-endpoint",
        "TCP",
        _ON,
        "The answer leaves the pod through Calico.",
        "By the pod's interface straight to Envoy's pod.",
    ),
    HopKind(
        9,
        "reply-route",
        "HTTP",
        _ON,
        "The Service passes the answer to Envoy.",
        "No Service is involved: Envoy relays what came on its connection to the pod.",
    ),
    HopKind(
        10,
        "reply-host-port",
        "TCP",
        _ON,
        "Envoy answers from the worker's port.",
        "conntrack turns Envoy's address back into the node's address and port.",
    ),
    HopKind(
        11,
        "reply-port-mapping",
        "TCP",
        _ON,
        "Docker passes the answer to the host.",
        "docker-proxy copies it for loopback clients; conntrack turns it back for others.",
    ),
    HopKind(12, "reply-client", "HTTP", _ON, "curl has its answer.", "It does, on the connection that it opened."),
)
"""The documented hops, request and response, in order."""
