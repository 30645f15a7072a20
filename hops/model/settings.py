"""The settings of one stack: every key of its configuration, validated before anything is declared."""

import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    model_validator,
)

from hops.model import versions
from hops.model.hop import route_name
from hops.model.kind_names import KIND_CONTEXT
from hops.model.problem_text import nearest, problem_lines
from hops.model.route_settings import (
    CorsSettings,
    MirrorSettings,
    RouteSettings,
)
from hops.model.service_settings import (
    ServiceSettings,
    listed,
)
from hops.model.setting_types import (
    MOST_SECURE_LISTENERS,
    Address,
    ClusterName,
    ContourName,
    FolderName,
    ImageName,
    IPFamily,
    IPv6Listener,
    Mirror,
    PodSubnet,
    PodSubnetIPv6,
    Port,
    Registry,
    RegistryHost,
    SecretNames,
    Section,
    ServiceSubnet,
    ServiceSubnetIPv6,
    matching,
)

NAMESPACE = "ingress-hops"
"""The configuration namespace, which is the project's name."""

SECRETS = "secrets"
"""The key under which a stack's file keeps its secrets."""
ENTRANCE_PORTS = {
    "LoadBalancer": {"http": 80, "https": 443},
    "NodePort": {"http": 30080, "https": 30443},
    "HostPort": {"http": 80, "https": 443},
}
"""The default ports at which requests enter an existing cluster, by `contour.entrance` and scheme."""
NODE_PORT_RANGE = range(30000, 32768)
"""The ports that Kubernetes gives to Services (kube-apiserver, --service-node-port-range)."""
RESERVED = {0: "the subnet itself", 1: "the Kubernetes API", 8: "Contour", 10: "the cluster's DNS"}
"""Host numbers in the service subnet that are already in use, with their users."""


class SettingsError(ValueError):
    """Settings that cannot work. The text has one line per problem: key, value, bound and remedy."""


_IPV4 = 4
_VERSIONS: Mapping[str, tuple[Literal[4, 6], ...]] = {"ipv4": (4,), "dual": (4, 6), "ipv6": (6,)}
_OF_FAMILY = {
    f"{name}{suffix}": version
    for name in ("pod_subnet", "service_subnet", "listen_address")
    for suffix, version in (("", 4), ("_ipv6", 6))
}
"""The IP version of the keys of `cluster` that are of one family, by field."""


class PublisherSettings(Section):
    """A further worker that publishes ports. Its Envoy serves the same routes."""

    worker: Annotated[int, Field(ge=1, le=9)] = Field(
        description="The number of the worker: 1 is `NAME-worker`, 2 is `NAME-worker2`.", examples=[2]
    )
    http_port: Port = Field(description="The port of this machine for HTTP.", examples=[8081])
    https_port: Port | None = Field(
        None, description="The port of this machine for HTTPS; null means none.", examples=[8444]
    )

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of this machine that it publishes."""
        return tuple(port for port in (self.http_port, self.https_port) if port)


class ClusterSettings(Section):
    """The Kubernetes cluster: a new kind cluster, or an existing one by its kubeconfig context."""

    existing: str | None = Field(
        None,
        min_length=1,
        description="The kubeconfig context of a cluster that exists. The stack then makes no kind cluster and no pod "
        "network. Take the stack down before you change it.",
        examples=["my-context"],
    )
    name: ClusterName = Field(
        description="The kind cluster's name. The default is `ingress-hops-STACK`.", examples=["ingress-hops-alice"]
    )
    workers: Annotated[int, Field(ge=0, le=9)] = Field(
        1,
        description="How many worker nodes run. With 0, the control plane publishes the ports and runs all pods: it "
        "starts sooner and needs less memory.",
        examples=[2],
    )
    node_image: ImageName = Field(
        versions.NODE_IMAGE,
        description="The image of kind's nodes. `INGRESS_HOPS_NODE_IMAGE` replaces the default.",
        examples=["kindest/node:v1.34.0"],
    )
    ip_family: IPFamily = Field(
        "ipv4",
        description="The IP families of nodes, pods, Services and published ports: `ipv4`, `ipv6`, or `dual` for both "
        "(docs/ip-families.md).",
        examples=["dual"],
    )
    pod_subnet: PodSubnet = Field(
        IPv4Network("10.244.0.0/16"),
        description="The network of the pods' addresses. It must not overlap serviceSubnet.",
        examples=["10.200.0.0/16"],
    )
    service_subnet: ServiceSubnet = Field(
        IPv4Network("10.96.0.0/16"), description="The network of the Services' addresses.", examples=["10.97.0.0/16"]
    )
    pod_subnet_ipv6: PodSubnetIPv6 = Field(
        IPv6Network("fd00:10:244::/56"),
        alias="podSubnetIPv6",
        description="The network of the pods' IPv6 addresses, with ipFamily `dual` or `ipv6`. It must not overlap "
        "serviceSubnetIPv6.",
        examples=["fd00:20:244::/56"],
    )
    service_subnet_ipv6: ServiceSubnetIPv6 = Field(
        IPv6Network("fd00:10:96::/112"),
        alias="serviceSubnetIPv6",
        description="The network of the Services' IPv6 addresses, with ipFamily `dual` or `ipv6`.",
        examples=["fd00:20:96::/112"],
    )
    listen_address: Address | None = Field(
        IPv4Address("127.0.0.1"),
        description="The address of this machine on which Docker publishes the ports. `0.0.0.0` means every address. "
        "With `existing`, the default is null: clients use the address that the cluster has. Set it if something "
        "outside of the cluster, such as a published port of a container, leads to the entrance.",
        examples=["127.0.0.2"],
    )
    listen_address_ipv6: IPv6Listener = Field(
        IPv6Address("::1"),
        alias="listenAddressIPv6",
        description="The IPv6 address of this machine on which Docker publishes the ports, with ipFamily `dual` or "
        "`ipv6`. `::` means every IPv6 address.",
        examples=["::"],
    )
    http_port: Port = Field(
        80,
        description="The port of this machine for HTTP. With `existing` and no listenAddress, the port of the "
        "cluster's entrance; the default for `contour.entrance: NodePort` is 30080.",
        examples=[8080],
    )
    https_port: Port | None = Field(
        443,
        description="The same for HTTPS. It must differ from httpPort; null means none. The default for "
        "`contour.entrance: NodePort` is 30443.",
        examples=[8443],
    )
    publishing_worker: Annotated[int, Field(ge=1, le=9)] = Field(
        1,
        description="The number of the worker that publishes httpPort and httpsPort. It must not exceed workers.",
        examples=[2],
    )
    also_publish: tuple[PublisherSettings, ...] = Field(
        (),
        description="Further workers that publish ports of their own on listenAddress, and lead to the same routes.",
        examples=[[{"worker": 2, "httpPort": 8081}]],
    )
    registries: Mapping[RegistryHost, Annotated[tuple[Mirror, ...], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Mirrors that the nodes ask before a registry, by the registry's host. A mirror's path stands "
        "before the repository's name. A running cluster takes another value.",
        examples=[{"docker.io": ["http://mirror:5000", "https://harbor.example/hub"]}],
    )
    kubeconfig_folder: FolderName = Field(
        ".ingress-hops/kubeconfig",
        description="The folder for the kubeconfig file, relative to the project's folder. Take the stack down "
        "before you change it.",
        examples=["/home/alice/kubeconfigs"],
    )

    @property
    def kind_name(self) -> str | None:
        """The name of the kind cluster, whose nodes take images from Docker; None for another cluster."""
        if not self.existing:
            return self.name
        return self.existing.removeprefix(KIND_CONTEXT) if self.existing.startswith(KIND_CONTEXT) else None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        made = {
            "ipFamily": self.ip_family != "ipv4",
            "registries": bool(self.registries),
            "publishingWorker": self.publishing_worker > 1,
            "alsoPublish": bool(self.also_publish),
        }
        for key in (key for key, given in made.items() if given and self.existing):
            raise ValueError(
                f"existing is {self.existing}, and {key} is of a cluster that the stack makes; remove {key}"
            )
        self._check_publishers()
        self._check_families()
        return self

    @property
    def families(self) -> tuple[Literal[4, 6], ...]:
        """The IP versions of the cluster; the first is the one that objects have if they ask for none."""
        return _VERSIONS[self.ip_family]

    @property
    def pod_subnets(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of the pods' addresses, one for each family."""
        given: dict[int, IPv4Network | IPv6Network] = {4: self.pod_subnet, 6: self.pod_subnet_ipv6}
        return tuple(given[family] for family in self.families)

    @property
    def service_subnets(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of the Services' addresses, one for each family."""
        given: dict[int, IPv4Network | IPv6Network] = {4: self.service_subnet, 6: self.service_subnet_ipv6}
        return tuple(given[family] for family in self.families)

    @property
    def listen_addresses(self) -> tuple[str, ...]:
        """The addresses of this machine on which Docker publishes the ports, one for each family."""
        given = {4: self.listen_address, 6: self.listen_address_ipv6}
        return tuple(str(given[family]) for family in self.families if given[family])

    def _check_families(self) -> None:
        """Raises ValueError for keys of a family that the cluster does not have, and for subnets that overlap."""
        for name, field in type(self).model_fields.items():
            version = _OF_FAMILY.get(name)
            given = getattr(self, name)
            if version is None or version in self.families or given in (field.default, None) or self.existing:
                continue
            other = name.removesuffix("_ipv6") if version == 6 else f"{name}_ipv6"
            of_cluster = "" if version == 6 else f"set {type(self).model_fields[other].alias} instead of {field.alias}"
            remedy = of_cluster or f"set ipFamily to dual or ipv6, or remove {field.alias}"
            raise ValueError(f"{field.alias} is {given}, and ipFamily is {self.ip_family}; {remedy}")
        names = {4: ("podSubnet", "serviceSubnet"), 6: ("podSubnetIPv6", "serviceSubnetIPv6")}
        for family, pods, services in zip(self.families, self.pod_subnets, self.service_subnets, strict=True):
            if pods.overlaps(services):
                raise ValueError(f"{names[family][0]} {pods} and {names[family][1]} {services} overlap; separate them")

    @property
    def publishers(self) -> tuple[PublisherSettings, ...]:
        """All workers that publish ports, the one of httpPort and httpsPort first."""
        first = PublisherSettings.model_construct(
            worker=self.publishing_worker, http_port=self.http_port, https_port=self.https_port
        )
        return (first, *self.also_publish)

    @property
    def published_ports(self) -> tuple[int, ...]:
        """All ports of this machine that the cluster publishes."""
        return tuple(port for one in self.publishers for port in one.ports)

    def _check_publishers(self) -> None:
        """Raises ValueError for a worker that does not exist, and for a worker or a port that publishes twice."""
        workers: dict[int, str] = {}
        ports: dict[int, str] = {}
        for index, one in enumerate(self.publishers, start=-1):
            entry = f"alsoPublish[{index}]." if index >= 0 else ""
            place = f"{entry}worker" if entry else "publishingWorker"
            if one.worker > max(self.workers, 1):
                raise ValueError(
                    f"{place} is {one.worker}, and workers is {self.workers}; "
                    f"take a number from 1 to {max(self.workers, 1)}, or raise workers"
                )
            if one.worker in workers:
                raise ValueError(
                    f"{workers[one.worker]} and {place} are both {one.worker}, and a worker publishes once; "
                    "take another worker"
                )
            workers[one.worker] = place
            for key, port in (("httpPort", one.http_port), ("httpsPort", one.https_port)):
                if port and port in ports:
                    or_none = ", or set httpsPort to null" if key == "httpsPort" else ""
                    raise ValueError(f"{ports[port]} and {entry}{key} are both {port}; give each its own{or_none}")
                if port:
                    ports[port] = f"{entry}{key}"


class CalicoSettings(Section):
    """The pod network."""

    encapsulation: Literal["VXLANCrossSubnet", "VXLAN", "None"] = Field(
        "VXLANCrossSubnet",
        description="How packets travel between nodes. `VXLANCrossSubnet` encapsulates between subnets only. `None` "
        "needs one worker at most.",
        examples=["VXLAN"],
    )
    # Calico takes 20 to 32 for IPv4 (its IPPool reference, field blockSize).
    block_size: Annotated[int, Field(ge=20, le=32)] = Field(
        26,
        description="The prefix length of the address block of a node. It must not be less than the prefix length of "
        "cluster.podSubnet.",
        examples=[28],
    )
    registry: Registry | None = Field(
        None,
        description="The registry of Calico's images. Null keeps the published one.",
        examples=["mirror.example:5000/calico"],
    )


class InstalledContourSettings(Section):
    """A Contour that a stack installs."""

    replicas: Annotated[int, Field(ge=1, le=5)] = Field(1, description="How many pods of Contour run.", examples=[2])
    registry: Registry | None = Field(
        None,
        description="The registry of the images of Contour and Envoy. Null keeps the published one.",
        examples=["mirror.example:5000"],
    )
    envoy_log_level: Literal["trace", "debug", "info", "warning", "error", "critical", "off"] = Field(
        "info", description="The least severe messages that Envoy logs.", examples=["debug"]
    )
    envoy_nodes: Literal["workers", "publishing"] = Field(
        "workers",
        description="The nodes on which Envoy runs: all workers, or only those that publish ports.",
        examples=["publishing"],
    )


class ContourSettings(InstalledContourSettings):
    """The ingress controller and its Envoy."""

    existing: ContourName | None = Field(
        None,
        description="The Contour of an existing cluster that the stack uses, as NAMESPACE or, if the namespace has "
        "several, NAMESPACE/DEPLOYMENT. The stack then installs none: it reads ingress class, ports and entrance from "
        "the cluster. Take the stack down before you change it.",
        examples=["ingress"],
    )
    entrance: Literal["LoadBalancer", "NodePort", "HostPort"] | None = Field(
        None,
        description="How requests enter an existing cluster: by a load balancer, by a port of every node, or by a port "
        "of each node with an Envoy. Null means LoadBalancer or, with `existing`, the first that the cluster has.",
        examples=["NodePort"],
    )

    @property
    def namespace(self) -> str | None:
        """The namespace of the existing Contour; None if the stack installs one."""
        return self.existing.partition("/")[0] if self.existing else None


class RuleException(Section):
    """A resource to which a rule does not apply: why, who answers for it, and until when."""

    resource: Annotated[str, Field(min_length=1)] = Field(
        description="The resource as `Kind/namespace/name`; `*` matches any characters.", examples=["Pod/apps/shop-pod"]
    )
    reason: Annotated[str, Field(min_length=1)] = Field(
        description="Why the rule does not apply to it.", examples=["the vendor's agent needs the port"]
    )
    owner: Annotated[str, Field(min_length=1)] = Field(
        description="Who answers for the exception.", examples=["alice@example.com"]
    )
    expires: date = Field(description="The last day on which the exception holds.", examples=["2027-06-30"])


class RuleSettings(Section):
    """Level, parameters and exceptions of one rule."""

    level: Literal["mandatory", "advisory", "remediate", "disabled"] | None = Field(
        None,
        description="What a broken rule does. `remediate` needs a rule that can mend. Null keeps the rule's own level.",
        examples=["advisory"],
    )
    parameters: Mapping[str, Any] = Field(
        default_factory=dict,
        description="The rule's parameters; the page of each rule lists them.",
        examples=[{"allowed": [{"port": 80}, {"port": "5000-6000"}]}],
    )
    exceptions: tuple[RuleException, ...] = Field((), description="Resources to which the rule does not apply.")


class PolicySettings(Section):
    """Levels, parameters and exceptions of the rules, by code."""

    rules: Mapping[
        Annotated[str, AfterValidator(matching(r"[A-Z]{2}[0-9]{2}", "a rule's code is two letters and two digits"))],
        RuleSettings,
    ] = Field(default_factory=dict, description="What the stack says of each rule, by the rule's code.")


@dataclass(frozen=True)
class RouteShare:
    """A Service behind a route.

    service, port: its name and port number.
    weight: its share of the requests is its weight divided by the sum of all.
    """

    service: str
    port: int
    weight: int = 0

    def __str__(self) -> str:
        return f"{self.service}:{self.port}"


class Settings(Section):
    """All settings of one stack."""

    cluster: ClusterSettings = Field(description="The Kubernetes cluster.")
    calico: CalicoSettings = Field(default_factory=CalicoSettings, description="The pod network.")
    contour: ContourSettings = Field(
        default_factory=ContourSettings, description="The ingress controller and its Envoy."
    )
    services: Annotated[tuple[ServiceSettings, ...], Field(min_length=1)] = Field(
        description="The services that answer requests."
    )
    secrets: SecretNames = Field(
        (), description="The names of the stack's secrets. Their values are nowhere in the settings."
    )
    policy: PolicySettings = Field(
        default_factory=PolicySettings, description="Levels, parameters and exceptions of the rules."
    )

    @property
    def relaxations(self) -> tuple[str, ...]:
        """What containers and other pods may do beyond the default, each with the key of its service."""
        return tuple(
            f"{NAMESPACE}:services[{number}] ({service.name}): {sentence}"
            for number, service in enumerate(self.services)
            for sentence in service.relaxations
        )

    def referred(self, service: ServiceSettings, reference: str) -> ServiceSettings | None:
        """The service that a service names by NAME or NAMESPACE/NAME; None if there is none."""
        own = reference if "/" in reference else f"{service.namespace}/{reference}"
        return next((one for one in self.services if f"{one.namespace}/{one.name}" == own), None)

    def shares(self, service: ServiceSettings, route: RouteSettings) -> tuple[RouteShare, ...]:
        """The Services that share the requests of a route, its own first; empty where it leads to one."""
        own = RouteShare(service.name, service.port_of(route).port, route.weight or 0)
        others = (RouteShare(*self._behind(service, other), other.weight) for other in route.others)
        return (own, *others) if route.others else ()

    def mirrored(self, service: ServiceSettings, route: RouteSettings) -> RouteShare | None:
        """The Service that gets a copy of each request of a route; None for none."""
        return RouteShare(*self._behind(service, route.mirror)) if route.mirror else None

    def _behind(self, service: ServiceSettings, backend: MirrorSettings) -> tuple[str, int]:
        """The name and port number of another service behind a route of a service."""
        other = self.referred(service, backend.service)
        named = other.port_named(backend.port) if other else None
        return backend.service, named.port if named else 0

    @property
    def foreign(self) -> frozenset[str]:
        """The Services that routes lead to and that the stack does not make, by NAMESPACE/NAME."""
        return frozenset(f"{one.namespace}/{one.name}" for one in self.services if one.kind == "Service")

    @property
    def gateway_hosts(self) -> Mapping[str, tuple[str, str]] | None:
        """The hosts of HTTPRoutes with TLS, with the namespace and name of their Secrets; None without HTTPRoutes."""
        routes = [(s, route) for s in self.services for route in s.routes if route.kind == "HTTPRoute"]
        secrets = {route.host: (service.namespace, route.secret) for service, route in reversed(routes) if route.secret}
        return secrets if routes else None

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """The hosts with `tls: true`, whose certificates this machine's own authority signs."""
        return tuple(route.host for service in self.services for route in service.routes if route.tls is True)

    def _backends(self, number: int, service: ServiceSettings) -> Iterator[str]:
        """What is wrong with the other services behind the routes of a service."""
        for index, route in enumerate(service.routes if service.declared_routes else ()):
            key = f"services[{number}].routes[{index}]"
            given: dict[str, MirrorSettings] = {f"{key}.others[{n}]": other for n, other in enumerate(route.others)}
            if route.mirror:
                given[f"{key}.mirror"] = route.mirror
            for at, backend in given.items():
                other = self.referred(service, backend.service)
                if other is None:
                    near = nearest(backend.service, (s.name for s in self.services), "services")
                    yield (
                        f"{at}.service is {backend.service}, and no service of the namespace {service.namespace} has "
                        f"this name; {near}"
                    )
                elif other.port_named(backend.port) is None:
                    yield (
                        f"{at}.port is {backend.port}, and {other.name} has {listed(other.ports)}; take one of these, "
                        "or remove port"
                    )
            shares = [(service.name, service.port_of(route).port)] + [self._behind(service, o) for o in route.others]
            if twice := next((share for share in shares if shares.count(share) > 1), None):
                yield f"{key}.others: {twice[0]}:{twice[1]} shares the requests twice; add its weights up in one entry"

    def _made(self) -> Iterator[str]:
        """What is wrong with the entrance of a cluster that the stack makes."""
        cluster, contour = self.cluster, self.contour
        if contour.existing:
            yield (
                f"contour.existing is {contour.existing}, and the stack makes a new cluster, which has no Contour; "
                "name the Contour's cluster in cluster.existing, or remove contour.existing"
            )
        if contour.entrance:
            yield (
                f"contour.entrance is {contour.entrance}, and Docker publishes the ports of the cluster that the "
                "stack makes; remove entrance, or name another cluster in cluster.existing"
            )
        if cluster.listen_address is None:
            yield "cluster.listenAddress is null, and Docker publishes ports on an address; set it to 127.0.0.1"

    def _entered(self) -> Iterator[str]:
        """What is wrong with the entrance of an existing cluster."""
        cluster, contour = self.cluster, self.contour
        if contour.existing:
            for key, field in InstalledContourSettings.model_fields.items():
                if getattr(contour, key) != field.default:
                    yield (
                        f"contour.{field.alias} is of a Contour that the stack installs, and contour.existing is "
                        f"{contour.existing}; remove {field.alias}"
                    )
        if cluster.listen_address is not None:
            return
        usual = ENTRANCE_PORTS[contour.entrance or "LoadBalancer"]
        for scheme, port in (("http", cluster.http_port), ("https", cluster.https_port)):
            key = f"cluster.{scheme}Port is {port}"
            if contour.existing and port not in (usual[scheme], None):
                yield (
                    f"{key}, and the stack reads the ports of the Contour {contour.existing} from the cluster; remove "
                    f"{scheme}Port, or set cluster.listenAddress to the address outside of it that has this port"
                )
            elif contour.entrance == "NodePort" and port and port not in NODE_PORT_RANGE:
                yield (
                    f"{key}, and contour.entrance is NodePort, which takes a port from {NODE_PORT_RANGE[0]} to "
                    f"{NODE_PORT_RANGE[-1]}; remove {scheme}Port, or take one of these"
                )

    def _services_network(self, service: ServiceSettings) -> IPv4Network | IPv6Network:
        """The network of the first address of a Service."""
        subnets = self.cluster.service_subnets
        return subnets[-1] if service.ip_family == "ipv6" else subnets[0]

    def _number(self, service: ServiceSettings) -> int:
        """The host number of a Service's fixed address in its network."""
        return int(service.cluster_ip or 0) - int(self._services_network(service).network_address)

    @staticmethod
    def _short(service: ServiceSettings, other: ServiceSettings) -> str:
        """The reference by which a service names another one."""
        return other.name if other.namespace == service.namespace else f"{other.namespace}/{other.name}"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = [
            *_twice("name", ((f"{s.namespace}/{s.name}", s) for s in self.services)),
            # The pods of a Deployment have its label and its account.
            *_twice(
                "pod",
                (
                    (f"{s.namespace}/{pod}", s)
                    for s in self.services
                    if s.kind != "Service"
                    for pod in s.pods or (s.pod,)
                ),
            ),
            *(
                problem
                for kind in ("Ingress", "HTTPRoute")
                for problem in _twice(
                    kind.lower(),
                    ((f"{s.namespace}/{r.name}", s) for s in self.services for r in s.routes if r.kind == kind),
                )
            ),
            *_twice(
                "host and path",
                (
                    (route_name(r.host, r.path, sorted(r.conditions, key=str)) + _unless_prefix(r.path_type), s)
                    for s in self.services
                    for r in s.routes
                ),
            ),
            *_proxies(self.services),
            *_gateway_routes(self.services),
            *(problem for number, s in enumerate(self.services) for problem in self._backends(number, s)),
            *_certificates(self.services),
        ]
        problems += [
            f"services[{number}].{key} takes the secret {name}, and there is no such secret; "
            f"{nearest(name, self.secrets, 'secrets')}; {set_secret(name)}"
            for number, s in enumerate(self.services)
            for key, name in s.secrets.items()
            if name not in self.secrets
        ]
        problems += [
            f"services[{number}].admit[{index}] is {name}, and no service of this stack has this name; "
            f"{nearest(name, (self._short(s, other) for other in self.services), 'services')}"
            for number, s in enumerate(self.services)
            for index, name in enumerate(s.admit)
            if self.referred(s, name) is None
        ]
        problems += [
            f"services[{number}].admit[{index}] is {name}, which has kind Service: the labels of its pods are not "
            "known; remove it, and declare a NetworkPolicy beside the stack"
            for number, s in enumerate(self.services)
            for index, name in enumerate(s.admit)
            if (other := self.referred(s, name)) and other.kind == "Service"
        ]
        problems += [
            f"services: {s.name} has build, and cluster.existing is {self.cluster.existing}, which is no kind cluster "
            "and takes no images from Docker; push the image to a registry, and set image instead of build"
            for s in self.services
            if s.build and self.cluster.kind_name is None
        ]
        if self.contour.existing and self.gateway_hosts is not None:
            problems.append(
                f"contour.existing is {self.contour.existing}, and only a Contour that the stack installs serves the "
                "Gateway of its HTTPRoutes; set their kind to Ingress or HTTPProxy, or remove contour.existing"
            )
        if self.calico.encapsulation == "None" and self.cluster.workers > 1 and not self.cluster.existing:
            # calico-vxlan.yaml has no BGP agent, and Felix writes the routes of VXLAN only (ProgramClusterRoutes).
            problems.append(
                f"calico.encapsulation is None, and cluster.workers is {self.cluster.workers}: nothing writes the "
                "routes between the nodes; take VXLANCrossSubnet, which encapsulates nothing inside of one subnet, or "
                "1 worker"
            )
        if self.cluster.existing and self.contour.envoy_nodes == "publishing":
            problems.append(
                f"contour.envoyNodes is publishing, and cluster.existing is {self.cluster.existing}, whose nodes "
                "publish no ports for the stack; remove envoyNodes"
            )
        if self.cluster.pod_subnet.prefixlen > self.calico.block_size:
            problems.append(
                f"calico.blockSize /{self.calico.block_size} does not fit into cluster.podSubnet "
                f"{self.cluster.pod_subnet}; take a number from {max(20, self.cluster.pod_subnet.prefixlen)} to 32"
            )
        problems += self._entered() if self.cluster.existing else self._made()
        problems += _twice("clusterIP", ((str(s.cluster_ip), s) for s in self.services if s.cluster_ip))
        problems += [
            f"services: clusterIP {s.cluster_ip} of {s.name} is {RESERVED[number]}'s; take another"
            for s in self.services
            if s.cluster_ip and (number := self._number(s)) in RESERVED
        ]
        problems += [
            f"services: clusterIP {s.cluster_ip} of {s.name} lies outside cluster."
            f"serviceSubnet{'' if subnet.version == _IPV4 else 'IPv6'} {subnet}; take one inside it"
            for s in self.services
            if s.cluster_ip and s.cluster_ip not in (subnet := self._services_network(s))
        ]
        problems += [
            f"services[{number}].ipFamily is {s.ip_family}, and cluster.ipFamily is {self.cluster.ip_family}; set "
            "cluster.ipFamily to dual, or remove ipFamily of the service"
            for number, s in enumerate(self.services)
            if s.ip_family and not set(_VERSIONS[s.ip_family]) <= set(self.cluster.families)
        ]
        if not any(s.routes for s in self.services):
            problems.append("services: no service has a route, so no request comes in; give one of them a route")
        problems += [
            f"services: {s.name} has tls, and cluster.httpsPort is null, so nothing listens for https; "
            "set httpsPort, to 8443 for example, or remove tls"
            for s in self.services
            if self.cluster.https_port is None and any(route.tls for route in s.routes)
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _unless_prefix(path_type: str) -> str:
    return "" if path_type == "Prefix" else f" ({path_type})"


def _twice(what: str, claims: Iterable[tuple[str, ServiceSettings]]) -> list[str]:
    seen: dict[str, ServiceSettings] = {}
    problems = []
    for claim, owner in claims:
        if first := seen.get(claim):
            who = f"two routes of {owner.name}" if first is owner else f"{first.name} and {owner.name} both"
            problems.append(f"services: {who} claim the {what} {claim}; give one another")
        seen.setdefault(claim, owner)
    return problems


def _proxies(services: Iterable[ServiceSettings]) -> Iterator[str]:
    """What is wrong among HTTPProxies: Contour serves one of each host."""
    first: dict[str, tuple[str, str, Literal[True] | str | None]] = {}
    cors: dict[str, CorsSettings] = {}
    for service in services:
        for route in service.routes if service.declared_routes else ():
            if route.kind != "HTTPProxy":
                continue
            own = (service.namespace, route.name, route.tls)
            namespace, name, tls = first.setdefault(route.host, own)
            if (namespace, name) != own[:2]:
                yield (
                    f"services: {route.host} has the HTTPProxies {namespace}/{name} and "
                    f"{service.namespace}/{route.name}, and Contour serves one of a host; give their routes one name "
                    "in one namespace, or kind Ingress"
                )
            elif tls != route.tls:
                yield f"services: the HTTPProxy of {route.host} has two values of tls; set the same on all its routes"
            if route.cors and cors.setdefault(route.host, route.cors) != route.cors:
                yield (
                    f"services: the HTTPProxy of {route.host} has two values of cors, which applies to the whole host; "
                    "keep it on one of its routes"
                )


def _gateway_routes(services: Iterable[ServiceSettings]) -> Iterator[str]:
    """What is wrong among HTTPRoutes: Contour gives a host that has a listener of its own to no other listener."""
    secured: dict[str, bool] = {}
    for route in (route for service in services for route in service.routes if route.kind == "HTTPRoute"):
        if secured.setdefault(route.host, bool(route.tls)) != bool(route.tls):
            yield (
                f"services: {route.host} has HTTPRoutes with tls and without, and Contour serves those with it only; "
                "set the same tls on all its routes"
            )
    if len(hosts := [host for host in secured if secured[host]]) > MOST_SECURE_LISTENERS:
        yield (
            f"services: {len(hosts)} hosts have HTTPRoutes with tls, and the Gateway has listeners for at most "
            f"{MOST_SECURE_LISTENERS}; set kind of the others to HTTPProxy"
        )


def _certificates(services: Iterable[ServiceSettings]) -> Iterator[str]:
    """The hosts with two certificates: Contour serves one of a host."""
    first: dict[str, Literal[True] | str] = {}
    for route in (route for service in services for route in service.routes if route.tls):
        if route.tls and first.setdefault(route.host, route.tls) != route.tls:
            both = " and ".join(json.dumps(value) for value in (first[route.host], route.tls))
            yield f"services: {route.host} has the certificates {both} (tls); set the same on all routes of the host"


def set_secret(name: str) -> str:
    """How a secret is set, as the end of a sentence."""
    return f"set it with: pulumi config set --secret --path {NAMESPACE}:{SECRETS}.{name}"


def own_values(config: Mapping[str, Any], secrets: Container[str] | None = None) -> dict[str, Any]:
    """The values of this project in Pulumi's configuration, by key without the namespace.

    config: texts by `namespace:key`, as the engine gives them. Objects are JSON.
    secrets: the keys of secret values. Default: None, not known.

    The values under `secrets` are left out, and only their names stay. Raises SettingsError for any other secret, and
    for secrets in clear.
    """
    values: dict[str, Any] = {}
    for key, value in config.items():
        namespace, _, name = key.partition(":")
        if namespace != NAMESPACE:
            continue
        if name == SECRETS:
            if secrets is not None and key not in secrets and value not in ("", "{}", "null"):
                raise SettingsError(f"{key} is in clear; {_remove_and_set('NAME')}")
            values[name] = {each: {"secure": ""} for each in _names(value)}
            continue
        if secrets is not None and key in secrets:
            raise SettingsError(
                f"{key} is a secret, and settings are published in outputs: "
                f"remove it with pulumi config rm {key} and set it without --secret"
            )
        try:
            values[name] = json.loads(value)
        except (ValueError, RecursionError, TypeError):
            values[name] = value
    return values


def _names(value: Any) -> list[str]:
    """The keys of a JSON object; none of another text, which is told by nobody, since it may hold a secret."""
    try:
        whole = json.loads(value)
    except (ValueError, RecursionError, TypeError):
        return []
    return list(whole) if isinstance(whole, dict) else []


def _remove_and_set(name: str) -> str:
    return f"remove it with pulumi config rm --path {NAMESPACE}:{SECRETS}.{name}, and {set_secret(name)}"


def secret_names(given: Any) -> list[str]:
    """The names of secrets as a stack's file has them. Raises SettingsError, which never holds a value."""
    if not isinstance(given, Mapping):
        raise SettingsError(f"{NAMESPACE}:{SECRETS} is no mapping of names to secrets; {set_secret('NAME')}")
    clear = [
        str(name)
        for name, value in given.items()
        if not (isinstance(value, Mapping) and set(value) == {"secure"} and isinstance(value["secure"], str))
    ]
    if clear:
        raise SettingsError(
            "\n".join(f"{NAMESPACE}:{SECRETS}.{name} is in clear; {_remove_and_set(name)}" for name in clear)
        )
    return [str(name) for name in given]


def settings(stack: str, config: Mapping[str, Any], node_image: str | None = None) -> Settings:
    """The settings of a stack.

    stack: the stack's name; the default name of the cluster contains it.
    config: JSON values by key, without the namespace; a missing key gets its default.
    node_image: the default of `cluster.nodeImage`, from `$INGRESS_HOPS_NODE_IMAGE`.

    Raises SettingsError with one line per problem.
    """
    cluster_name = re.sub(r"[^a-z0-9-]", "-", f"ingress-hops-{stack}".lower())
    derived: dict[str, Any] = {"name": cluster_name} | ({"nodeImage": node_image} if node_image else {})
    cluster, services = config.get("cluster", {}), config.get("services", [{}])
    if isinstance(cluster, Mapping) and cluster.get("existing"):
        derived |= {"listenAddress": None} | _entrance_ports(config.get("contour"))
    secrets = {SECRETS: secret_names(config[SECRETS])} if config.get(SECRETS) is not None else {}
    whole = {
        **config,
        **secrets,
        "cluster": {**derived, **cluster} if isinstance(cluster, Mapping) else cluster,
        "services": [with_derived(s, ipv6=_ipv6(cluster)) for s in services]
        if isinstance(services, list)
        else services,
    }
    try:
        return Settings.model_validate_json(json.dumps(whole))
    except ValidationError as error:
        found = sorted(error.errors(), key=lambda problem: list(_order(problem["loc"], config)))
        problems = problem_lines(found, whole, services, Settings, NAMESPACE)
        raise SettingsError("\n".join(problems)) from None


def _order(location: Iterable[int | str], declared: Any) -> Iterator[int]:
    """Where a place stands in the file: the index of each of its parts; a part that is not there comes last."""
    for part in location:
        parts = list(declared) if isinstance(declared, Mapping) else []
        if isinstance(declared, list) and isinstance(part, int):
            yield part
            declared = declared[part] if part < len(declared) else None
        elif part in parts:
            yield parts.index(part)
            declared = declared[part]
        else:
            yield len(parts)
            return


def _entrance_ports(contour: Any) -> dict[str, int]:
    """The default ports of an existing cluster, by key."""
    entrance = contour.get("entrance") if isinstance(contour, Mapping) else None
    known = ENTRANCE_PORTS.get(entrance, {}) if isinstance(entrance, str) else {}
    return {f"{scheme}Port": port for scheme, port in known.items()}


def _ipv6(cluster: Any) -> bool:
    """Whether the cluster with these declared settings has IPv6."""
    return isinstance(cluster, Mapping) and cluster.get("ipFamily") in ("dual", "ipv6")


def with_derived(service: Any, *, ipv6: bool = False) -> Any:
    """An entry of `services` with the defaults that depend on its name, path and port.

    service: the entry as declared; a value that is no mapping stays as it is.
    ipv6: whether its cluster has IPv6. Default: no.
    """
    if not isinstance(service, Mapping):
        return service
    name, port, routes = service.get("name", "my-service"), _served(service), service.get("routes")
    short = {
        "ingress": f"{name}-ingress",
        "host": f"{name}.localhost",
        "path": "/",
        "request": service.get("path", "/"),
    }
    imaged = service.get("image") is not None or service.get("build") is not None
    # Without it, Python's server listens on 0.0.0.0 only; on `::` it takes IPv4 as well.
    listening = ["--bind", "::"] if ipv6 else []
    return {
        "name": name,
        "pod": f"{name}-pod",
        # A folder of its own and never /: whatever lies under the served folder, a token included, is public.
        **(
            {"command": ["python", "-m", "http.server", str(port), *listening, "--directory", "/srv"]}
            if not imaged and not service.get("args") and service.get("kind") != "Service"
            else {}
        ),
        **(short if routes is None else {}),
        **service,
        "kind": service.get("kind") or ("Deployment" if imaged and service.get("pod") is None else "Pod"),
        **({"routes": list(_derived_routes(name, routes))} if isinstance(routes, list) else {}),
    }


def _served(service: Mapping[str, Any]) -> Any:
    """The port that the default command listens on."""
    declared = service.get("ports")
    first = declared[0] if isinstance(declared, list) and declared else None
    if isinstance(first, Mapping):
        return first.get("targetPort") or first.get("port")
    return service.get("port", 8080)


def _derived_routes(service: object, routes: Iterable[Any]) -> Iterator[Any]:
    """The entries of `routes` with the defaults that depend on the service, the host and the path."""
    count = {"ingress": 0, "route": 0}
    for route in routes:
        if not isinstance(route, Mapping):
            yield route
            continue
        host = route.get("host", f"{service}.localhost")
        kind = "route" if route.get("kind") == "HTTPRoute" else "ingress"
        proxy = route.get("kind") == "HTTPProxy"
        count[kind] += not proxy
        named = f"{service}-{kind}" + (f"-{count[kind]}" if count[kind] > 1 else "")
        derived = {"host": host, "name": host if proxy else named}
        if route.get("pathType") != "Regex":
            derived["request"] = route.get("path", "/")
        yield {**derived, **route}
