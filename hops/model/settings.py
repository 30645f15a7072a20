"""The settings of one stack: every key of its configuration, validated before anything is declared."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from hops.model import versions

NAMESPACE = "ingress-hops"
"""The configuration namespace, which is the project's name."""

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


RESERVED = {0: "the subnet itself", 1: "the Kubernetes API", 8: "Contour", 10: "the cluster's DNS"}
"""Host numbers in the service subnet that are somebody's already."""


class SettingsError(ValueError):
    """Settings that cannot work. The text names each key, its value, the bound and the remedy, one a line."""


def _matching(pattern: str, bound: str) -> Callable[[str], str]:
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(bound)
        return text

    return check


def _host_name(text: str) -> str:
    if len(text) > 253 or not all(DNS_LABEL.fullmatch(label) for label in text.split(".")):
        raise ValueError(
            "a host name is lower-case letters, digits and hyphens in labels of at most 63, joined by dots"
        )
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueError("a host name is not an IP address, since an Ingress matches names only")
    return text


def _address(value: object) -> object:
    if isinstance(value, str):
        try:
            IPv4Address(value)
        except ValueError:
            raise ValueError("an IPv4 address such as 127.0.0.1") from None
    return value


def _network(value: object) -> object:
    if isinstance(value, str):
        try:
            network = IPv4Network(value, strict=False)
        except ValueError:
            raise ValueError("an IPv4 network such as 10.244.0.0/16") from None
        if value != str(network):
            raise ValueError(f"an IPv4 network ends in zero bits and its prefix, here {network}")
    return value


def _sized(shortest: int, longest: int) -> Callable[[IPv4Network], IPv4Network]:
    def check(subnet: IPv4Network) -> IPv4Network:
        if not shortest <= subnet.prefixlen <= longest:
            raise ValueError(f"the prefix is /{shortest} to /{longest} here")
        return subnet

    return check


Port = Annotated[int, Field(ge=1, le=65535)]
Label = Annotated[
    str, AfterValidator(_matching(DNS_LABEL.pattern, "a name is 1 to 63 lower-case letters, digits and hyphens"))
]
HostName = Annotated[str, AfterValidator(_host_name)]
Registry = Annotated[
    str,
    AfterValidator(
        _matching(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*", "a registry is host[:port][/path], without a scheme")
    ),
]
ImageName = Annotated[
    str, AfterValidator(_matching(r"[a-z0-9][a-zA-Z0-9._:/@-]*", "an image is [registry/]name[:tag][@digest]"))
]
UrlPath = Annotated[str, AfterValidator(_matching(r"/[^\s?#%]*", "a path starts with / and holds no space, ?, # or %"))]
# kind appends "-control-plane", and a node's name is a DNS label of at most 63.
ClusterName = Annotated[
    str,
    AfterValidator(
        _matching(
            r"[a-z0-9]([-a-z0-9]{0,47}[a-z0-9])?", "a cluster's name is 1 to 49 lower-case letters, digits and hyphens"
        )
    ),
]
# Each node takes a /24 of it (kube-controller-manager's --node-cidr-mask-size).
PodSubnet = Annotated[IPv4Network, BeforeValidator(_network), AfterValidator(_sized(8, 22))]
# kubeadm takes no service subnet larger than a /12.
ServiceSubnet = Annotated[IPv4Network, BeforeValidator(_network), AfterValidator(_sized(12, 24))]
Address = Annotated[IPv4Address, BeforeValidator(_address)]
FolderName = Annotated[str, Field(min_length=1, max_length=1024)]


class Section(BaseModel):
    """A part of the settings: frozen, in camelCase outside and snake_case inside, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True)


class Cluster(Section):
    """The Kubernetes cluster: one of kind's own making, or an existing one by its kubeconfig context."""

    existing: str | None = Field(
        None, min_length=1, description="a kubeconfig context to use instead of a kind cluster"
    )
    name: ClusterName = Field(description="the kind cluster's name")
    workers: Annotated[int, Field(ge=1, le=9)] = 1
    node_image: ImageName = versions.NODE_IMAGE
    pod_subnet: PodSubnet = IPv4Network("10.244.0.0/16")
    service_subnet: ServiceSubnet = IPv4Network("10.96.0.0/16")
    listen_address: Address = IPv4Address("127.0.0.1")
    http_port: Port = 80
    https_port: Port | None = 443
    kubeconfig_folder: FolderName = ".ingress-hops/kubeconfig"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.http_port == self.https_port:
            raise ValueError(
                f"httpPort and httpsPort are both {self.http_port}; give each its own, or set httpsPort to null"
            )
        if self.pod_subnet.overlaps(self.service_subnet):
            raise ValueError(
                f"podSubnet {self.pod_subnet} and serviceSubnet {self.service_subnet} overlap; separate them"
            )
        return self


class Calico(Section):
    """The pod network."""

    encapsulation: Literal["VXLANCrossSubnet", "VXLAN", "None"] = "VXLANCrossSubnet"
    # Calico takes 20 to 32 for IPv4 (its IPPool reference, field blockSize).
    block_size: Annotated[int, Field(ge=20, le=32)] = 26
    registry: Registry | None = None


class Contour(Section):
    """The ingress controller and its Envoy."""

    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    registry: Registry | None = None
    envoy_log_level: Literal["trace", "debug", "info", "warning", "error", "critical", "off"] = "info"


class Service(Section):
    """One workload, its Service and the Ingress that leads to it."""

    name: Label
    namespace: Label = "apps"
    pod: Label
    ingress: Label
    image: ImageName = versions.WORKLOAD_IMAGE
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    port: Port = 8080
    replicas: Annotated[int, Field(ge=1, le=20)] = 1
    host: HostName
    path: UrlPath = "/"
    request: UrlPath = Field("/", description="the path that the output `curl` asks for")
    tls: Label | None = Field(None, description="a Secret of type kubernetes.io/tls in the service's namespace")
    cluster_ip: Address | None = Field(None, alias="clusterIP")

    @property
    def pods(self) -> tuple[str, ...]:
        """The names of its pods: `example-pod`, `example-pod-2`, …"""
        return (self.pod, *(f"{self.pod}-{number}" for number in range(2, self.replicas + 1)))


class RuleException(Section):
    """A resource that a rule leaves alone, for a reason, on somebody's word, until a day."""

    resource: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    owner: Annotated[str, Field(min_length=1)]
    expires: date


class RuleSettings(Section):
    """What a stack says of one rule; None keeps the rule's own level."""

    level: Literal["mandatory", "advisory", "remediate", "disabled"] | None = None
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    exceptions: tuple[RuleException, ...] = ()


class Policy(Section):
    """What a stack says of the rules, by their codes."""

    rules: Mapping[
        Annotated[str, AfterValidator(_matching(r"[A-Z]{2}[0-9]{2}", "a rule's code is two letters and two digits"))],
        RuleSettings,
    ] = Field(default_factory=dict)


class Settings(Section):
    """All settings of one stack."""

    cluster: Cluster
    calico: Calico = Field(default_factory=Calico)
    contour: Contour = Field(default_factory=Contour)
    services: Annotated[tuple[Service, ...], Field(min_length=1)]
    policy: Policy = Field(default_factory=Policy)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        first = int(self.cluster.service_subnet.network_address)
        problems = [
            *_twice("name", ((f"{s.namespace}/{s.name}", s.name) for s in self.services)),
            *_twice("pod", ((f"{s.namespace}/{pod}", s.name) for s in self.services for pod in s.pods)),
            *_twice("ingress", ((f"{s.namespace}/{s.ingress}", s.name) for s in self.services)),
            *_twice("host and path", ((f"{s.host}{s.path}", s.name) for s in self.services)),
        ]
        if self.cluster.pod_subnet.prefixlen > self.calico.block_size:
            problems.append(
                f"calico.blockSize /{self.calico.block_size} does not fit into cluster.podSubnet "
                f"{self.cluster.pod_subnet}; take a number from {max(20, self.cluster.pod_subnet.prefixlen)} to 32"
            )
        problems += _twice("clusterIP", ((str(s.cluster_ip), s.name) for s in self.services if s.cluster_ip))
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
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _twice(what: str, claims: Iterable[tuple[str, str]]) -> list[str]:
    seen: dict[str, str] = {}
    problems = []
    for claim, owner in claims:
        if claim in seen:
            problems.append(f"services: {seen[claim]} and {owner} both claim the {what} {claim}; give one another")
        seen.setdefault(claim, owner)
    return problems


def settings(stack: str, config: Mapping[str, Any], node_image: str | None = None) -> Settings:
    """The settings of a stack.

    stack: the stack's name, which gives the cluster its default name.
    config: the configuration without its namespace, each value as JSON knows it; a missing key takes its default.
    node_image: the node image where `cluster.nodeImage` names none, of `$INGRESS_HOPS_NODE_IMAGE`.

    Raises SettingsError with one line a problem.
    """
    cluster_name = re.sub(r"[^a-z0-9-]", "-", f"ingress-hops-{stack}".lower())
    derived = {"name": cluster_name} | ({"nodeImage": node_image} if node_image else {})
    cluster, services = config.get("cluster", {}), config.get("services", [{}])
    whole = {
        **config,
        "cluster": {**derived, **cluster} if isinstance(cluster, Mapping) else cluster,
        "services": [_with_derived(s) for s in services] if isinstance(services, list) else services,
    }
    try:
        return Settings.model_validate_json(json.dumps(whole))
    except ValidationError as error:
        problems = error.errors()
        # pydantic also calls a list too short whose only entry is wrong.
        inner = {problem["loc"][:-2] for problem in problems}
        wrong = {problem["loc"] for problem in problems}
        told = [
            p
            for p in problems
            if not (p["type"] == "too_short" and p["loc"] in inner) and not _follows(p["loc"], services, wrong)
        ]
        raise SettingsError("\n".join(_sentence(problem) for problem in told)) from None


def _with_derived(service: Any) -> Any:
    """A service with the defaults that follow from its name and port."""
    if not isinstance(service, Mapping):
        return service
    name, port = service.get("name", "my-service"), service.get("port", 8080)
    return {
        "name": name,
        "pod": f"{name}-pod",
        "ingress": f"{name}-ingress",
        "host": f"{name}.localhost",
        "request": service.get("path", "/"),
        # A folder of its own and never /: whatever lies under the served folder, a token included, is public.
        "command": ["python", "-m", "http.server", str(port), "--directory", "/srv"],
        **service,
    }


def _follows(location: tuple[int | str, ...], services: Any, wrong: Iterable[tuple[int | str, ...]]) -> bool:
    """Whether it is a derived default that is wrong, because what it is derived from is."""
    if len(location) != 3 or location[0] != "services":
        return False
    _, number, key = location
    source = {"pod": "name", "ingress": "name", "host": "name", "request": "path"}.get(str(key))
    return source is not None and key not in services[number] and ("services", number, source) in wrong


def _sentence(problem: ErrorDetails) -> str:
    """Key, value, bound and remedy of one problem that pydantic found."""
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    bound = problem["msg"].removeprefix("Value error, ")
    if not key or (problem["type"] == "value_error" and isinstance(problem["input"], Mapping)):
        return f"{NAMESPACE}:{key or 'settings'}: {bound}"
    if problem["type"] == "extra_forbidden":
        known = ", ".join(_known_keys(problem["loc"][:-1]))
        return f"{NAMESPACE}:{key}: there is no such key; the keys here are {known}"
    if problem["type"] == "missing":
        return f"{NAMESPACE}:{key} is missing; give it a value"
    if problem["type"] == "too_short" and isinstance(problem["input"], list):
        bound = "at least one entry"
    remedy = f"pulumi config set --path '{NAMESPACE}:{key}' VALUE"
    return f"{NAMESPACE}:{key} is {json.dumps(problem['input'])}: {bound}. Set it with: {remedy}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    sections: dict[int | str, type[Section]] = {
        "cluster": Cluster,
        "calico": Calico,
        "contour": Contour,
        "services": Service,
        "policy": Policy,
        "rules": RuleSettings,
        "exceptions": RuleException,
    }
    named = [sections[part] for part in location if part in sections]
    section = named[-1] if named else Settings
    return [field.alias or name for name, field in section.model_fields.items()]
