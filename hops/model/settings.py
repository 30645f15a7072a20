"""The settings of one stack: every key of its configuration, validated before anything is declared."""

import difflib
import json
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hops.model import versions
from hops.model.hop import route_name
from hops.model.kind_names import KIND_CONTEXT
from hops.model.problem_text import in_words
from hops.model.route_settings import (
    CorsSettings,
    HeaderChanges,
    HeaderMatch,
    MirrorSettings,
    OtherBackend,
    QueryMatch,
    RateLimitSettings,
    RedirectSettings,
    RouteSettings,
)
from hops.model.service_settings import (
    REFERENCE,
    TEXT,
    BuildSettings,
    MigrationSettings,
    PortSettings,
    ProbeSettings,
    ProbesSettings,
    Resources,
    SecretReference,
    ServiceSettings,
    VolumeSettings,
    listed,
)
from hops.model.setting_types import (
    Address,
    ClusterName,
    ContourName,
    FolderName,
    ImageName,
    Mirror,
    PodSubnet,
    Port,
    Registry,
    RegistryHost,
    SecretNames,
    Section,
    ServiceSubnet,
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


def nearest(word: object, known: Iterable[str], what: str) -> str:
    """The rest of a sentence about an unknown word.

    word: the unknown word. known: the words that exist. what: their plural noun, such as "keys".
    """
    words = list(known)
    close = difflib.get_close_matches(str(word), words, 1)
    if not words:
        return f"there are no {what}"
    listed = ", ".join(words)
    return f"did you mean {close[0]}? ({what}: {listed})" if close else f"the {what} are: {listed}"


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
    pod_subnet: PodSubnet = Field(
        IPv4Network("10.244.0.0/16"),
        description="The network of the pods' addresses. It must not overlap serviceSubnet.",
        examples=["10.200.0.0/16"],
    )
    service_subnet: ServiceSubnet = Field(
        IPv4Network("10.96.0.0/16"), description="The network of the Services' addresses.", examples=["10.97.0.0/16"]
    )
    listen_address: Address | None = Field(
        IPv4Address("127.0.0.1"),
        description="The address of this machine on which Docker publishes the ports. `0.0.0.0` means every address. "
        "With `existing`, the default is null: clients use the address that the cluster has. Set it if something "
        "outside of the cluster, such as a published port of a container, leads to the entrance.",
        examples=["127.0.0.2"],
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
        if self.http_port == self.https_port:
            raise ValueError(
                f"httpPort and httpsPort are both {self.http_port}; give each its own, or set httpsPort to null"
            )
        if self.existing and self.registries:
            raise ValueError(
                f"existing is {self.existing}, and registries is of a cluster that the stack makes; remove registries"
            )
        if self.pod_subnet.overlaps(self.service_subnet):
            raise ValueError(
                f"podSubnet {self.pod_subnet} and serviceSubnet {self.service_subnet} overlap; separate them"
            )
        return self


class CalicoSettings(Section):
    """The pod network."""

    encapsulation: Literal["VXLANCrossSubnet", "VXLAN", "None"] = Field(
        "VXLANCrossSubnet",
        description="How packets travel between nodes. `VXLANCrossSubnet` encapsulates between subnets only.",
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

    service, port: its name and port number. weight: its share of the requests is its weight divided by the sum of all.
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

    @staticmethod
    def _short(service: ServiceSettings, other: ServiceSettings) -> str:
        """The reference by which a service names another one."""
        return other.name if other.namespace == service.namespace else f"{other.namespace}/{other.name}"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        first = int(self.cluster.service_subnet.network_address)
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
            *_twice(
                "ingress",
                ((f"{s.namespace}/{r.name}", s) for s in self.services for r in s.routes if r.kind == "Ingress"),
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
        if self.cluster.pod_subnet.prefixlen > self.calico.block_size:
            problems.append(
                f"calico.blockSize /{self.calico.block_size} does not fit into cluster.podSubnet "
                f"{self.cluster.pod_subnet}; take a number from {max(20, self.cluster.pod_subnet.prefixlen)} to 32"
            )
        problems += self._entered() if self.cluster.existing else self._made()
        problems += _twice("clusterIP", ((str(s.cluster_ip), s) for s in self.services if s.cluster_ip))
        problems += [
            f"services: clusterIP {s.cluster_ip} of {s.name} is {RESERVED[int(s.cluster_ip) - first]}'s; take another"
            for s in self.services
            if s.cluster_ip and int(s.cluster_ip) - first in RESERVED
        ]
        problems += [
            f"services: clusterIP {s.cluster_ip} of {s.name} lies outside cluster.serviceSubnet "
            f"{self.cluster.service_subnet}; take one inside it"
            for s in self.services
            if s.cluster_ip and s.cluster_ip not in self.cluster.service_subnet
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
        "services": [with_derived(s) for s in services] if isinstance(services, list) else services,
    }
    try:
        return Settings.model_validate_json(json.dumps(whole))
    except ValidationError as error:
        problems = error.errors()
        # pydantic also reports a list as too short if its only entry is wrong.
        inner = {problem["loc"][:length] for problem in problems for length in range(1, len(problem["loc"]))}
        wrong = {problem["loc"] for problem in problems}
        told = []
        for problem in problems:
            sources = _sources(problem["loc"], services)
            if sources.isdisjoint(wrong) and not (problem["type"] == "too_short" and problem["loc"] in inner):
                follows = sources and problem["type"] != "missing"
                told.append(_derived_sentence(problem, min(sources), whole) if follows else _sentence(problem))
        raise SettingsError("\n".join(told)) from None


def _entrance_ports(contour: Any) -> dict[str, int]:
    """The default ports of an existing cluster, by key."""
    entrance = contour.get("entrance") if isinstance(contour, Mapping) else None
    known = ENTRANCE_PORTS.get(entrance, {}) if isinstance(entrance, str) else {}
    return {f"{scheme}Port": port for scheme, port in known.items()}


def with_derived(service: Any) -> Any:
    """An entry of `services` with the defaults that depend on its name, path and port.

    service: the entry as declared; a value that is no mapping stays as it is.
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
    return {
        "name": name,
        "pod": f"{name}-pod",
        # A folder of its own and never /: whatever lies under the served folder, a token included, is public.
        **(
            {"command": ["python", "-m", "http.server", str(port), "--directory", "/srv"]}
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
    ingresses = 0
    for route in routes:
        if not isinstance(route, Mapping):
            yield route
            continue
        host = route.get("host", f"{service}.localhost")
        proxy = route.get("kind") == "HTTPProxy"
        ingresses += not proxy
        ingress = f"{service}-ingress" + (f"-{ingresses}" if ingresses > 1 else "")
        derived = {"host": host, "name": host if proxy else ingress}
        if route.get("pathType") != "Regex":
            derived["request"] = route.get("path", "/")
        yield {**derived, **route}


_MOST_SHOWN = 2000
_Location = tuple[int | str, ...]


def _sources(location: _Location, services: Any) -> set[_Location]:
    """The keys from which the default of a key follows; none for a key that is set, or whose default is fixed."""
    of_route = len(location) == 5 and location[2] == "routes"
    if location[:1] != ("services",) or not (of_route or len(location) == 3):
        return set()
    *entry, key = location
    given = services[entry[1]]["routes"][entry[3]] if of_route else services[entry[1]]
    if key in given:
        return set()
    name, path, host = (*entry[:2], "name"), (*entry, "path"), (*entry, "host")
    if of_route:
        return {"host": {name}, "name": {name, host}, "request": {path}}.get(str(key), set())
    return {"pod": {name}, "ingress": {name}, "host": {name}, "request": {path}}.get(str(key), set())


def _derived_sentence(problem: ErrorDetails, source: _Location, whole: Any) -> str:
    """Like _sentence, of a default that does not fit, with the key that it follows from."""
    value = whole
    for part in source:
        value = value[part]
    key, bound = problem["loc"][-1], problem["msg"].removeprefix("Value error, ")
    return (
        f"{NAMESPACE}:{_key(source)} is {_shown(value)}, and {key}, which follows from it, is "
        f"{_shown(problem['input'])}: {bound}. Set {source[-1]} to another value, or set {key} as well"
    )


def _shown(value: Any) -> str:
    """A value as JSON; of a long one the beginning."""
    text = json.dumps(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _key(place: Iterable[int | str]) -> str:
    """The place as Pulumi's `--path` takes it."""
    return "".join(
        f".{part}" if isinstance(part, str) and "." not in part else f"[{json.dumps(part)}]" for part in place
    ).lstrip(".")


def _sentence(problem: ErrorDetails) -> str:
    """Key, value, bound and remedy of one problem that pydantic reports."""
    # pydantic ends the place of a mapping's wrong key with the key and this word.
    of_key = problem["loc"][-1:] == ("[key]",)
    place = problem["loc"][:-2] if of_key else problem["loc"]
    place = tuple(part for part in place if part not in (TEXT, REFERENCE))
    key = _key(place)
    bound = problem["msg"].removeprefix("Value error, ")
    if of_key:
        return f"{NAMESPACE}:{key} has the key {json.dumps(problem['input'])}: {bound}. Write another key"
    if not key:
        # What is wrong between sections: each line begins with its key.
        return "\n".join(f"{NAMESPACE}:{line}" for line in bound.splitlines())
    if problem["type"] == "value_error" and isinstance(problem["input"], Mapping):
        return f"{NAMESPACE}:{key}: {bound}"
    if problem["type"] == "extra_forbidden":
        known = _known_keys(problem["loc"][:-1])
        return f"{NAMESPACE}:{key}: there is no such key; {nearest(problem['loc'][-1], known, 'keys')}"
    if problem["type"] == "missing":
        return f"{NAMESPACE}:{key} is missing; give it a value"
    if problem["type"] == "too_short" and isinstance(problem["input"], list):
        bound = "at least one entry"
    bound = in_words(problem, _field(problem["loc"])) or bound
    given, remedy = _shown(problem["input"]), f"Set it with: pulumi config set --path '{NAMESPACE}:{key}' VALUE"
    if problem["type"] == "string_type" and isinstance(problem["input"], bool | int | float):
        # `pulumi config set` would write it without quotes again.
        remedy = f'Write it in quotes in the stack\'s file: "{given}"'
    return f"{NAMESPACE}:{key} is {given}: {bound}. {remedy}"


def _field(location: tuple[int | str, ...]) -> FieldInfo | None:
    *entry, name = location
    fields = _section(tuple(entry)).model_fields
    return next((field for own, field in fields.items() if name in (own, field.alias)), None)


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    return keys(_section(location))


def _section(location: tuple[int | str, ...]) -> type[Section]:
    """The section of the settings that a place is in."""
    sections: dict[int | str, type[Section]] = {
        "cluster": ClusterSettings,
        "calico": CalicoSettings,
        "contour": ContourSettings,
        "services": ServiceSettings,
        "routes": RouteSettings,
        "redirect": RedirectSettings,
        "headers": HeaderMatch,
        "query": QueryMatch,
        "others": OtherBackend,
        "mirror": MirrorSettings,
        "requestHeaders": HeaderChanges,
        "responseHeaders": HeaderChanges,
        "cors": CorsSettings,
        "rateLimit": RateLimitSettings,
        REFERENCE: SecretReference,
        "resources": Resources,
        "probes": ProbesSettings,
        "readiness": ProbeSettings,
        "liveness": ProbeSettings,
        "startup": ProbeSettings,
        "ports": PortSettings,
        "migration": MigrationSettings,
        "volumes": VolumeSettings,
        "build": BuildSettings,
        "policy": PolicySettings,
        "rules": RuleSettings,
        "exceptions": RuleException,
    }
    named = [sections[part] for part in location if part in sections]
    return named[-1] if named else Settings


def keys(section: type[BaseModel]) -> list[str]:
    """The keys of a section as files write them."""
    return [field.alias or name for name, field in section.model_fields.items()]
