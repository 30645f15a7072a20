"""The settings of one stack: every key of its configuration, validated before anything is declared."""

import difflib
import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from datetime import date
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from hops.model import versions
from hops.model.regular_expressions import matches_whole

NAMESPACE = "ingress-hops"
"""The configuration namespace, which is the project's name."""

SECRETS = "secrets"
"""The key under which a stack's file keeps its secrets."""

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


RESERVED = {0: "the subnet itself", 1: "the Kubernetes API", 8: "Contour", 10: "the cluster's DNS"}
"""Host numbers in the service subnet that are already in use, with their users."""


class SettingsError(ValueError):
    """Settings that cannot work. The text has one line per problem: key, value, bound and remedy."""


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


def nearest(word: object, known: Iterable[str], what: str) -> str:
    """The rest of a sentence about an unknown word.

    word: the unknown word. known: the words that exist. what: their plural noun, such as "keys".
    """
    words = list(known)
    close = difflib.get_close_matches(str(word), words, 1)
    listed = f"({what}: {', '.join(words) or 'none'})"
    return f"did you mean {close[0]}? {listed}" if close else listed


def _bounded(bound: str) -> WithJsonSchema:
    """The JSON schema of a text whose bound is checked by a function."""
    return WithJsonSchema({"type": "string", "bound": bound})


Port = Annotated[int, Field(ge=1, le=65535)]
_LABEL = "a name is 1 to 63 lower-case letters, digits and hyphens"
Label = Annotated[str, AfterValidator(_matching(DNS_LABEL.pattern, _LABEL)), _bounded(_LABEL)]
# The API server takes a Service's name for a label of RFC 1035.
_SERVICE = "a Service's name is 1 to 63 lower-case letters, digits and hyphens, and begins with a letter"
ServiceName = Annotated[
    str, AfterValidator(_matching(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", _SERVICE)), _bounded(_SERVICE)
]
_SYSTEM_NAMESPACE = re.compile(r"kube-.*|projectcontour|calico-.*|tigera-operator|local-path-storage")


def _own_namespace(name: str) -> str:
    if _SYSTEM_NAMESPACE.fullmatch(name):
        raise ValueError("the namespace of a part of the cluster itself; take one of your own, such as apps")
    return name


HostName = Annotated[
    str, AfterValidator(_host_name), _bounded("lower-case DNS labels joined by dots; no IP address, no wildcard")
]
_REGISTRY = "a registry is host[:port][/path], without a scheme"
Registry = Annotated[
    str, AfterValidator(_matching(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*", _REGISTRY)), _bounded(_REGISTRY)
]
_IMAGE = "an image is [registry/]name[:tag][@digest]"
ImageName = Annotated[str, AfterValidator(_matching(r"[a-z0-9][a-zA-Z0-9._:/@-]*", _IMAGE)), _bounded(_IMAGE)]
_PATH = "a path starts with / and holds no space, ?, # or %, and no //, /./ or /../"
# The API server refuses empty and dot segments in the path of an Ingress; clients such as curl remove dot segments.
_SEGMENTS = r"(?!.*(//|/\.{1,2}(/|$)))"
UrlPath = Annotated[str, AfterValidator(_matching(_SEGMENTS + r"/[^\s?#%]*", _PATH)), _bounded(_PATH)]
_ROUTE_PATH = "a path starts with / and holds no space or #; without pathType Regex also no ? or %"
RoutePath = Annotated[str, AfterValidator(_matching(r"/[^\s#]*", _ROUTE_PATH)), _bounded(_ROUTE_PATH)]
_TIMEOUT = "a time is numbers with the units h, m, s or ms, more than 0, such as 30s or 1m30s; or infinity"
Timeout = Annotated[
    str,
    AfterValidator(_matching(r"(?=[^1-9]*[1-9])([0-9]+(\.[0-9]+)?(h|ms|m|s))+|infinity", _TIMEOUT)),
    _bounded(_TIMEOUT),
]
_VARIABLE = "a variable's name is letters, digits and underscores, and does not begin with a digit"
VariableName = Annotated[str, AfterValidator(_matching(r"[A-Za-z_][A-Za-z0-9_]*", _VARIABLE)), _bounded(_VARIABLE)]
_CONTAINER_PATH = r"(/(?!\.{1,2}(/|$))[^/\s:]+)+"
_FILE = "a file's path in the container is absolute, without . or .. and without : and spaces"
ContainerFile = Annotated[str, AfterValidator(_matching(_CONTAINER_PATH, _FILE)), _bounded(_FILE)]
_FOLDER = "a folder in the container is absolute, not / itself, without . or .. and without : and spaces"
ContainerFolder = Annotated[str, AfterValidator(_matching(_CONTAINER_PATH, _FOLDER)), _bounded(_FOLDER)]
_MOST_FILE_BYTES = 1_000_000
"""All files of a service together: an object of the API is bounded by 1 MiB."""
_QUANTITY = "a quantity is a number with an optional unit: 100m, 0.5, 64Mi, 1Gi"
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) in {int, float} else value),
    AfterValidator(_matching(r"[0-9]+(\.[0-9]+)?(m|k|[MGTPE]|[KMGTPE]i)?", _QUANTITY)),
    WithJsonSchema({"type": ["string", "number"], "bound": _QUANTITY}),
]
SecretNames = Annotated[
    tuple[Label, ...],
    BeforeValidator(lambda value: tuple(value) if isinstance(value, Mapping | list) else value),
    PlainSerializer(lambda names: {name: {"secure": ""} for name in names}),
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {"secure": {"type": "string"}},
                "required": ["secure"],
                "additionalProperties": False,
            },
            "bound": "each value is encrypted by Pulumi: {secure: …}",
        }
    ),
]
Replicas = Annotated[int, Field(ge=1, le=20)]
UserId = Annotated[int, Field(ge=0, le=2147483647)]
NOBODY = 65534
"""The user and group that a container runs as by default."""
# kind appends "-control-plane", and a node's name is a DNS label of at most 63.
_CLUSTER = "a cluster's name is 1 to 49 lower-case letters, digits and hyphens"
ClusterName = Annotated[
    str, AfterValidator(_matching(r"[a-z0-9]([-a-z0-9]{0,47}[a-z0-9])?", _CLUSTER)), _bounded(_CLUSTER)
]
# Each node takes a /24 of it (kube-controller-manager's --node-cidr-mask-size).
PodSubnet = Annotated[
    IPv4Network, BeforeValidator(_network), AfterValidator(_sized(8, 22)), _bounded("an IPv4 network of /8 to /22")
]
# kubeadm takes no service subnet larger than a /12.
ServiceSubnet = Annotated[
    IPv4Network, BeforeValidator(_network), AfterValidator(_sized(12, 24)), _bounded("an IPv4 network of /12 to /24")
]
_TLS = "true, false, or the name of a Secret: 1 to 63 lower-case letters, digits and hyphens"


def _tls_source(value: object) -> Literal[True] | str | None:
    if value is None or isinstance(value, bool):
        return True if value else None
    # "true" in quotes is a mistake far more often than the name of a Secret.
    if isinstance(value, str) and DNS_LABEL.fullmatch(value) and value not in ("true", "false"):
        return value
    raise ValueError(_TLS)


TLSSource = Annotated[
    Literal[True] | str | None,
    PlainValidator(_tls_source),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "bound": _LABEL}, {"type": "null"}]}),
]
Address = Annotated[IPv4Address, BeforeValidator(_address), _bounded("an IPv4 address")]
FolderName = Annotated[str, Field(min_length=1, max_length=1024)]


class Section(BaseModel):
    """A part of the settings: frozen, camelCase in files, snake_case in code. Unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True)


class SecretReference(Section):
    """A value that one of the stack's secrets has."""

    # A trace takes out what stands under `secret`. A name ends in Name there.
    secret: Label = Field(
        validation_alias=AliasChoices("secret", "secretName"),
        serialization_alias="secretName",
        description="A name in ingress-hops:secrets.",
        examples=["db-password"],
    )


_TEXT, _REFERENCE = "[text]", "[secret]"
"""What pydantic adds to the place of a problem with a variable."""
Variable = Annotated[
    Annotated[str, Tag(_TEXT)] | Annotated[SecretReference, Tag(_REFERENCE)],
    Discriminator(lambda value: _REFERENCE if isinstance(value, Mapping | SecretReference) else _TEXT),
]


class ClusterSettings(Section):
    """The Kubernetes cluster: a new kind cluster, or an existing one by its kubeconfig context."""

    existing: str | None = Field(
        None,
        min_length=1,
        description="The kubeconfig context of a cluster that exists. The stack then makes no kind cluster. "
        "Take the stack down before you change it.",
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
    listen_address: Address = Field(
        IPv4Address("127.0.0.1"),
        description="The address of this machine on which Docker publishes the ports. `0.0.0.0` means every address.",
        examples=["127.0.0.2"],
    )
    http_port: Port = Field(80, description="The port of this machine for HTTP.", examples=[8080])
    https_port: Port | None = Field(
        443,
        description="The port of this machine for HTTPS. It must differ from httpPort; null means none.",
        examples=[8443],
    )
    kubeconfig_folder: FolderName = Field(
        ".ingress-hops/kubeconfig",
        description="The folder for the kubeconfig file, relative to the project's folder. Take the stack down "
        "before you change it.",
        examples=["/home/alice/kubeconfigs"],
    )

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


class ContourSettings(Section):
    """The ingress controller and its Envoy."""

    replicas: Annotated[int, Field(ge=1, le=5)] = Field(1, description="How many pods of Contour run.", examples=[2])
    registry: Registry | None = Field(
        None,
        description="The registry of the images of Contour and Envoy. Null keeps the published one.",
        examples=["mirror.example:5000"],
    )
    envoy_log_level: Literal["trace", "debug", "info", "warning", "error", "critical", "off"] = Field(
        "info", description="The least severe messages that Envoy logs.", examples=["debug"]
    )


class RedirectSettings(Section):
    """Where a route sends the client instead of a pod. What is not set stays as the client asked it."""

    scheme: Literal["http", "https"] | None = Field(None, description="The new scheme.", examples=["https"])
    host: HostName | None = Field(None, description="The new host name.", examples=["www.shop.localhost"])
    port: Port | None = Field(None, description="The new port.", examples=[8443])
    path: UrlPath | None = Field(None, description="The new path, as a whole.", examples=["/moved"])
    prefix: UrlPath | None = Field(
        None, description="What replaces the matched beginning of the path.", examples=["/v2"]
    )
    status: Literal[301, 302] = Field(302, description="The status of the answer.", examples=[301])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if all(value is None for value in (self.scheme, self.host, self.port, self.path, self.prefix)):
            raise ValueError("a redirect without a target ends where it began; set scheme, host, port, path or prefix")
        if self.path and self.prefix:
            raise ValueError("path and prefix are both set; remove one of them")
        return self

    @property
    def target(self) -> str:
        """Where it sends to, with * for parts of the request that stay, such as https://*/*."""
        path = self.path or (f"{self.prefix.rstrip('/')}/*" if self.prefix else "/*")
        return f"{self.scheme or '*'}://{self.host or '*'}{f':{self.port}' if self.port else ''}{path}"


class RouteSettings(Section):
    """One way in: the requests that an object sends to the service, and how."""

    kind: Literal["Ingress", "HTTPProxy"] = Field(
        "Ingress",
        description="The kind of the object. Contour reads both; an HTTPProxy can do more.",
        examples=["HTTPProxy"],
    )
    name: HostName = Field(
        description="The object's name. The default of the first Ingress is `SERVICE-ingress`, of the next "
        "`SERVICE-ingress-2`; of an HTTPProxy it is `host`. The HTTPProxy routes of one host are one object.",
        examples=["shop-ingress"],
    )
    host: HostName = Field(
        description="The host name of the requests. The default is `SERVICE.localhost`.", examples=["shop.localhost"]
    )
    path_type: Literal["Prefix", "Exact", "Regex"] = Field(
        "Prefix",
        description="How `path` is compared: `Prefix` by whole segments (of an HTTPProxy by characters), `Exact` as a "
        "whole, `Regex` as a regular expression (RE2), of an HTTPProxy only.",
        examples=["Exact"],
    )
    path: RoutePath = Field("/", description="The path of the requests.", examples=["/shop"])
    request: UrlPath = Field(
        description="The path that the output `curl` asks for. The default is `path`; a regular expression has none.",
        examples=["/shop/health"],
    )
    port: Port | Label | None = Field(
        None, description="The port of the Service, by number or name. Null means the first.", examples=["http"]
    )
    timeout: Timeout | None = Field(
        None,
        description="How long the pod may take to answer, `infinity` for any time. Null means Envoy's 15 s.",
        examples=["30s"],
    )
    websocket: bool = Field(default=False, description="Whether a request may become a WebSocket.", examples=[True])
    protocol: Literal["http", "h2c", "tls"] = Field(
        "http",
        description="What Envoy speaks to the pod: HTTP/1.1, HTTP/2 without TLS (gRPC), or TLS. All routes to a port "
        "have one.",
        examples=["h2c"],
    )
    rewrite: UrlPath | None = Field(
        None, description="HTTPProxy: what replaces `path` at the beginning of the pod's request.", examples=["/v1"]
    )
    redirect: RedirectSettings | None = Field(
        None,
        description="HTTPProxy: where Envoy sends the client. No pod is asked.",
        examples=[{"scheme": "https", "status": 301}],
    )
    tls: TLSSource = Field(
        None,
        description="`true`: https with a certificate of this machine's own authority (docs/tls.md). A text: https "
        "with the Secret of this name, of type kubernetes.io/tls, in the service's namespace. Null: plain HTTP.",
        examples=[True],
    )

    @field_validator("path")
    @classmethod
    def _as_compared(cls, path: str, info: ValidationInfo) -> str:
        regex = info.data.get("path_type") == "Regex"
        if not regex and set("?%") & set(path):
            raise ValueError(_PATH + ", unless pathType is Regex")
        if not regex and re.match(_SEGMENTS, path) is None:
            raise ValueError(_PATH)
        if regex and matches_whole(path, "/") is None:
            raise ValueError("pathType is Regex, and Envoy cannot read path as a regular expression (RE2)")
        return path

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "Ingress":
            for key in ("rewrite", "redirect"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key} is set, which an Ingress cannot express; set kind to HTTPProxy")
            if self.path_type == "Regex":
                raise ValueError("pathType is Regex, which an Ingress cannot express; set kind to HTTPProxy")
        if self.redirect:
            for key in ("port", "timeout", "rewrite"):
                if getattr(self, key) is not None:
                    raise ValueError(f"redirect and {key} are both set, and a redirect asks no pod; remove one of them")
            if self.websocket or self.protocol != "http":
                raise ValueError("redirect asks no pod; remove websocket and protocol")
        if self.path_type != "Prefix" and (self.rewrite or (self.redirect and self.redirect.prefix)):
            raise ValueError(
                f"pathType is {self.path_type}, and only the beginning of a path can be replaced; set it to Prefix"
            )
        return self

    @property
    def where(self) -> str:
        """Host and path, as findings and outputs tell routes apart."""
        return f"{self.host}{self.path}"

    @property
    def secret(self) -> str | None:
        """The name of the Secret with the certificate; None for plain HTTP. `tls: true` names it by the host."""
        return self.host if self.tls is True else self.tls


_SHORT_FORM = ("host", "path", "request", "ingress", "tls")


class BuildSettings(Section):
    """How the image of a service is built from a folder of the project."""

    context: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="The folder that the build reads, relative to the project's folder and inside it.",
        examples=["./web"],
    )
    dockerfile: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        "Dockerfile", description="The Dockerfile, relative to the context.", examples=["docker/Dockerfile"]
    )
    target: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        None, description="The stage to build. Null means the last one.", examples=["prod"]
    )
    args: Mapping[
        Annotated[str, AfterValidator(_matching(r"[A-Za-z_][A-Za-z0-9_]*", "a build argument is a variable's name"))],
        str,
    ] = Field(
        default_factory=dict,
        description="The build arguments. They are readable in the image's history and in Pulumi's state: they are no "
        "place for a secret.",
        examples=[{"VERSION": "1.2"}],
    )


class Resources(Section):
    """What the scheduler reserves for a container, and what it may use at most."""

    requests: Mapping[Literal["cpu", "memory", "ephemeral-storage"], Quantity] = Field(
        default_factory=dict, description="What is reserved.", examples=[{"cpu": "100m", "memory": "64Mi"}]
    )
    limits: Mapping[Literal["cpu", "memory", "ephemeral-storage"], Quantity] = Field(
        default_factory=dict,
        description="What may be used at most. More memory ends the container.",
        examples=[{"memory": "128Mi"}],
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in sorted(self.requests.keys() & self.limits.keys()):
            if amount(self.requests[name]) > amount(self.limits[name]):
                raise ValueError(
                    f"requests.{name} {self.requests[name]} is more than limits.{name} {self.limits[name]}; lower it"
                )
        return self


_PREFIXES = "KMGTPE"
_UNITS = {
    "": 1.0,
    "m": 0.001,
    "k": 1e3,
    **{prefix: 1e3**power for power, prefix in enumerate(_PREFIXES, 1)},
    **{f"{prefix}i": 2.0 ** (10 * power) for power, prefix in enumerate(_PREFIXES, 1)},
}


def amount(quantity: str) -> float:
    """The number of a quantity: 0.1 for 100m, 1024 for 1Ki."""
    number = quantity.rstrip(f"mki{_PREFIXES}")
    return float(number) * _UNITS[quantity[len(number) :]]


def _fitting_files(files: Mapping[str, str]) -> Mapping[str, str]:
    size = sum(len(content.encode()) for content in files.values())
    if size > _MOST_FILE_BYTES:
        raise ValueError(f"all files together have at most {_MOST_FILE_BYTES:,} bytes, here {size:,}; build them in")
    for path in files:
        if inside := next((other for other in files if other.startswith(f"{path}/")), None):
            raise ValueError(f"{path} is a file and cannot hold {inside}; move one of them")
    return files


Files = Annotated[Mapping[ContainerFile, str], AfterValidator(_fitting_files)]


class ProbeSettings(Section):
    """A probe of the kubelet: exactly one of http, tcp, exec and grpc."""

    http: UrlPath | None = Field(None, description="The path of an HTTP request.", examples=["/health"])
    tcp: Literal[True] | None = Field(None, description="A TCP connection.", examples=[True])
    exec: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="A command in the container that ends with status 0.", examples=[["pg_isready"]]
    )
    grpc: str | None = Field(
        None,
        description="The service's name in the gRPC health protocol; an empty text asks for the whole server.",
        examples=[""],
    )
    port: Port | Label | None = Field(
        None,
        description="The port of an http, tcp or grpc probe, by number or name. Null means the service's `port`.",
        examples=["http"],
    )
    period: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        None,
        description="The seconds between two probes. Null means 1 for readiness and startup, and 10 for liveness.",
        examples=[5],
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        kinds = [kind for kind in ("http", "tcp", "exec", "grpc") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"a probe has one of http, tcp, exec and grpc, here {' and '.join(kinds) or 'none'}")
        if self.exec and self.port:
            raise ValueError("an exec probe has no port; remove port")
        return self


class ProbesSettings(Section):
    """The probes of a container."""

    readiness: ProbeSettings | None = Field(
        None,
        description="When the pod takes requests. Null means a TCP connection to `port`.",
        examples=[{"http": "/"}],
    )
    liveness: ProbeSettings | None = Field(
        None, description="When the container is restarted. Null means no probe.", examples=[{"tcp": True}]
    )
    startup: ProbeSettings | None = Field(
        None,
        description="When the other probes begin; the container has 5 minutes. Null means no probe.",
        examples=[{"http": "/ready"}],
    )

    @property
    def declared(self) -> dict[str, ProbeSettings]:
        """The probes that are set, by the name of their key."""
        probes = {"readiness": self.readiness, "liveness": self.liveness, "startup": self.startup}
        return {kind: probe for kind, probe in probes.items() if probe}


class VolumeSettings(Section):
    """An empty folder that lives as long as its pod."""

    path: ContainerFolder = Field(description="The folder in the container.", examples=["/cache"])


def mount_problems(files: Iterable[str], volumes: Iterable[str]) -> list[str]:
    """The reasons why files and volumes cannot be mounted together.

    files: absolute paths of files.
    volumes: absolute paths of folders.
    """
    used = {"/tmp": "the writable folder of every service"}  # noqa: S108 - in the pod
    files, problems = list(files), []
    for path, what in [*((path, "a volume") for path in volumes), *((path, "a file") for path in files)]:
        if path in used:
            problems.append(f"{what} is mounted at {path}, where {used[path]} is mounted already; give it another path")
        used.setdefault(path, what)
        if what == "a volume" and (file := next((file for file in files if path.startswith(f"{file}/")), None)):
            problems.append(f"{file} is a file and cannot hold the volume {path}; move one of them")
    return problems


class ServiceSettings(Section):
    """One workload, its Service and the routes that lead to it.

    `host`, `path`, `request`, `ingress` and `tls` are the short form of one route of kind Ingress.
    """

    name: ServiceName = Field(description="The Service's name. The default is `my-service`.", examples=["shop"])
    namespace: Annotated[Label, AfterValidator(_own_namespace)] = Field(
        "apps",
        description="The namespace of all its objects; none of Kubernetes, Contour or Calico.",
        examples=["shop"],
    )
    kind: Literal["Deployment", "Pod"] | None = Field(
        None,
        description="What makes its pods. A Deployment replaces them without losing a request and names them itself. "
        "Null means `Deployment` if the service has `image` or `build` and no `pod`, otherwise `Pod`.",
        examples=["Deployment"],
    )
    pod: Label = Field(
        description="The name of its first pod, if `kind` is `Pod`; the next ones are `POD-2`, `POD-3`. The default is "
        "`NAME-pod`.",
        examples=["shop-pod"],
    )
    ingress: Label | None = Field(
        None, description="The Ingress's name. Null means `NAME-ingress`.", examples=["shop-ingress"]
    )
    image: ImageName = Field(
        versions.WORKLOAD_IMAGE, description="The image of its container.", examples=["nginx:1.29"]
    )
    build: BuildSettings | None = Field(
        None,
        description="How its image is built, instead of `image`: see the keys of services[].build.",
        examples=[{"context": "./web"}],
    )
    command: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        (),
        description="The command of its container, one word an entry. It must listen on `port`. The default is the "
        "image's own; without `image`, `build` and `args`, it is `python -m http.server PORT --directory /srv`.",
        examples=[["python", "-m", "http.server", "8080"]],
    )
    args: tuple[str, ...] = Field(
        (), description="The arguments of its command, one word an entry.", examples=[["--verbose"]]
    )
    env: Mapping[VariableName, Variable] = Field(
        default_factory=dict,
        description="Variables of its container's environment. A text is published with the pod; `{secret: NAME}` "
        "takes the value from ingress-hops:secrets.",
        examples=[{"MODE": "development", "PASSWORD": {"secret": "db-password"}}],
    )
    files: Files = Field(
        default_factory=dict,
        description="Files in its container, by absolute path, read-only; a ConfigMap holds them. At most "
        f"{_MOST_FILE_BYTES:,} bytes together.",
        examples=[{"/etc/shop/shop.ini": "colour = blue\n"}],
    )
    resources: Resources | None = Field(
        None, description="What its container reserves and may use: see the keys of services[].resources."
    )
    probes: ProbesSettings | None = Field(
        None, description="Probes of its container: see the keys of services[].probes."
    )
    volumes: tuple[VolumeSettings, ...] = Field(
        (), description="Empty folders that live as long as the pod.", examples=[[{"path": "/cache"}]]
    )
    user: UserId = Field(
        NOBODY,
        description="The user and group that its container runs as. 0 is root: the namespace then enforces the level "
        "`baseline` instead of `restricted`.",
        examples=[1000],
    )
    read_only_root: bool = Field(
        default=True, description="Whether its container's root file system is read-only.", examples=[False]
    )
    port: Port = Field(8080, description="The port of the container and of the Service.", examples=[3000])
    replicas: Replicas = Field(1, description="How many pods run.", examples=[3])
    host: HostName | None = Field(
        None,
        description="The host name that the Ingress matches. Null means `NAME.localhost`.",
        examples=["shop.localhost"],
    )
    path: UrlPath | None = Field(
        None, description="The path prefix that the Ingress matches. Null means `/`.", examples=["/shop"]
    )
    request: UrlPath | None = Field(
        None, description="The path that the output `curl` asks for. Null means `path`.", examples=["/shop/health"]
    )
    tls: TLSSource = Field(
        None,
        description="`true`: https with a certificate of this machine's own authority (docs/tls.md). A text: https "
        "with the Secret of this name, of type kubernetes.io/tls, in the service's namespace. Null: plain HTTP.",
        examples=[True],
    )
    declared_routes: tuple[RouteSettings, ...] | None = Field(
        None,
        alias="routes",
        description="The routes, instead of the short form of one; `[]` for a service that only others in the cluster "
        "use. Null means the short form.",
        examples=[[{"kind": "HTTPProxy", "path": "/api", "rewrite": "/"}]],
    )
    cluster_ip: Address | None = Field(
        None,
        alias="clusterIP",
        description="The Service's address inside cluster.serviceSubnet. Null lets Kubernetes choose one.",
        examples=["10.96.0.50"],
    )

    @model_serializer(mode="wrap")
    def _as_read(self, fields: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out what the validators refuse: a command without a word, and an image beside build."""
        refused = {*(() if self.command else ("command",)), *(("image",) if self.build else ())}
        return {key: value for key, value in fields(self).items() if key not in refused}

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        if self.build and "image" in self.model_fields_set:
            raise ValueError(f"{self.name} has image and build; remove one of them")
        return self

    @model_validator(mode="after")
    def _named_pods(self) -> Self:
        if self.kind == "Deployment" and self.pod != f"{self.name}-pod":
            raise ValueError(
                f"{self.name} has kind Deployment and pod {self.pod}, and a Deployment names its pods; remove pod, or "
                "set kind to Pod"
            )
        return self

    @model_validator(mode="after")
    def _possible_names(self) -> Self:
        if (last := max(self.pods, key=len, default="")) and len(last) > 63:
            raise ValueError(
                f"{self.name}: the pod {last} has a name of {len(last)} characters, and 63 are possible; shorten pod"
            )
        if (self.namespace, self.name) == ("default", "kubernetes"):
            raise ValueError("default/kubernetes is the Service of the Kubernetes API; give the service another name")
        return self

    @model_validator(mode="after")
    def _possible_container(self) -> Self:
        if problems := mount_problems(self.files, [volume.path for volume in self.volumes]):
            raise ValueError(f"{self.name}: {'; '.join(problems)}")
        for kind, probe in (self.probes.declared if self.probes else {}).items():
            if isinstance(probe.port, str) and probe.port != "http":
                raise ValueError(
                    f"{self.name}: the {kind} probe asks the port {probe.port}, and the container has the port "
                    f"{self.port}, named http; take one of these, or another number"
                )
        return self

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        short = [key for key in _SHORT_FORM if getattr(self, key) is not None]
        if self.declared_routes is not None and short:
            raise ValueError(f"routes and {', '.join(short)} are both set; move {', '.join(short)} into a route")
        for route in self.routes:
            if route.port not in (None, self.port, "http"):
                raise ValueError(
                    f"the route {route.where} goes to the port {route.port}, and the Service has the port {self.port}, "
                    "named http; take one of these, or remove port"
                )
        protocols = {route.protocol for route in self.routes if not route.redirect}
        if len(protocols) > 1:
            raise ValueError(
                f"its routes to the port {self.port} have the protocols {' and '.join(sorted(protocols))}, and Contour "
                "reads one of a port; set the same on all of them"
            )
        return self

    @property
    def routes(self) -> tuple[RouteSettings, ...]:
        """Its routes, in order; empty for a service that only others in the cluster use."""
        if self.declared_routes is not None:
            return self.declared_routes
        path = self.path or "/"
        return (
            RouteSettings(
                name=self.ingress or f"{self.name}-ingress",
                host=self.host or f"{self.name}.localhost",
                path=path,
                request=self.request or path,
                tls=self.tls,
            ),
        )

    @property
    def plain_env(self) -> dict[str, str]:
        """The variables whose values are no secrets."""
        return {name: value for name, value in self.env.items() if isinstance(value, str)}

    @property
    def secret_env(self) -> dict[str, str]:
        """The names of secrets by variable."""
        return {name: value.secret for name, value in self.env.items() if isinstance(value, SecretReference)}

    @property
    def relaxations(self) -> tuple[str, ...]:
        """What its container may do beyond the default, each as a sentence."""
        return (
            *(("user is 0: the container runs as root",) if self.user == 0 else ()),
            *(() if self.read_only_root else ("readOnlyRoot is false: the container can write its root file system",)),
        )

    @property
    def pods(self) -> tuple[str, ...]:
        """The names of its pods: `example-pod`, `example-pod-2`, …; empty for a Deployment."""
        if self.kind == "Deployment":
            return ()
        return (self.pod, *(f"{self.pod}-{number}" for number in range(2, self.replicas + 1)))


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
        Annotated[str, AfterValidator(_matching(r"[A-Z]{2}[0-9]{2}", "a rule's code is two letters and two digits"))],
        RuleSettings,
    ] = Field(default_factory=dict, description="What the stack says of each rule, by the rule's code.")


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
        """What containers may do beyond the default, each with the key of its service."""
        return tuple(
            f"{NAMESPACE}:services[{number}] ({service.name}): {sentence}"
            for number, service in enumerate(self.services)
            for sentence in service.relaxations
        )

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """The hosts with `tls: true`, whose certificates this machine's own authority signs."""
        return tuple(route.host for service in self.services for route in service.routes if route.tls is True)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        first = int(self.cluster.service_subnet.network_address)
        problems = [
            *_twice("name", ((f"{s.namespace}/{s.name}", s) for s in self.services)),
            # The pods of a Deployment have its label and its account.
            *_twice("pod", ((f"{s.namespace}/{pod}", s) for s in self.services for pod in s.pods or (s.pod,))),
            *_twice(
                "ingress",
                ((f"{s.namespace}/{r.name}", s) for s in self.services for r in s.routes if r.kind == "Ingress"),
            ),
            *_twice(
                "host and path",
                (
                    (f"{r.where}{'' if r.path_type == 'Prefix' else f' ({r.path_type})'}", s)
                    for s in self.services
                    for r in s.routes
                ),
            ),
            *_proxies(self.services),
            *_certificates(self.services),
        ]
        problems += [
            f"services[{number}].env.{variable} takes the secret {name}, and there is no such secret; "
            f"{nearest(name, self.secrets, 'secrets')}; {_set_secret(name)}"
            for number, s in enumerate(self.services)
            for variable, name in s.secret_env.items()
            if name not in self.secrets
        ]
        problems += [
            f"services: {s.name} has build, and cluster.existing is {self.cluster.existing}, which ingress-hops cannot "
            "load images into; push the image to a registry of that cluster, and set image instead of build"
            for s in self.services
            if s.build and self.cluster.existing
        ]
        if self.cluster.pod_subnet.prefixlen > self.calico.block_size:
            problems.append(
                f"calico.blockSize /{self.calico.block_size} does not fit into cluster.podSubnet "
                f"{self.cluster.pod_subnet}; take a number from {max(20, self.cluster.pod_subnet.prefixlen)} to 32"
            )
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
            raise ValueError("; ".join(problems))
        return self


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


def _certificates(services: Iterable[ServiceSettings]) -> Iterator[str]:
    """The hosts with two certificates: Contour serves one of a host."""
    first: dict[str, Literal[True] | str] = {}
    for route in (route for service in services for route in service.routes if route.tls):
        if route.tls and first.setdefault(route.host, route.tls) != route.tls:
            both = " and ".join(json.dumps(value) for value in (first[route.host], route.tls))
            yield f"services: {route.host} has the certificates {both} (tls); set the same on all routes of the host"


def _set_secret(name: str) -> str:
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
    return f"remove it with pulumi config rm --path {NAMESPACE}:{SECRETS}.{name}, and {_set_secret(name)}"


def secret_names(given: Any) -> list[str]:
    """The names of secrets as a stack's file has them. Raises SettingsError, which never holds a value."""
    if not isinstance(given, Mapping):
        raise SettingsError(f"{NAMESPACE}:{SECRETS} is no mapping of names to secrets; {_set_secret('NAME')}")
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
    derived = {"name": cluster_name} | ({"nodeImage": node_image} if node_image else {})
    cluster, services = config.get("cluster", {}), config.get("services", [{}])
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
        own = [
            p
            for p in problems
            if not (p["type"] == "too_short" and p["loc"] in inner) and not _follows(p["loc"], services, wrong)
        ]
        raise SettingsError("\n".join(_sentence(problem) for problem in own)) from None


def with_derived(service: Any) -> Any:
    """An entry of `services` with the defaults that depend on its name, path and port.

    service: the entry as declared; a value that is no mapping stays as it is.
    """
    if not isinstance(service, Mapping):
        return service
    name, port, routes = service.get("name", "my-service"), service.get("port", 8080), service.get("routes")
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
            if not imaged and not service.get("args")
            else {}
        ),
        **(short if routes is None else {}),
        **service,
        "kind": service.get("kind") or ("Deployment" if imaged and service.get("pod") is None else "Pod"),
        **({"routes": list(_derived_routes(name, routes))} if isinstance(routes, list) else {}),
    }


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


_SOURCES = {
    "services": {"pod": "name", "ingress": "name", "host": "name", "request": "path"},
    "routes": {"name": "host", "request": "path"},
}
"""Keys whose default depends on another key of the same entry."""


def _follows(location: tuple[int | str, ...], services: Any, wrong: Iterable[tuple[int | str, ...]]) -> bool:
    """Whether the wrong value is a default that depends on another wrong value."""
    of_route = len(location) == 5 and location[2] == "routes"
    if location[:1] != ("services",) or not (of_route or len(location) == 3):
        return False
    *entry, key = location
    given = services[entry[1]]
    if of_route:
        given = given["routes"][entry[3]]
        of_service = ("services", entry[1], "name") in wrong
        if of_service and key in ("host", "name") and key not in given:
            return True
    source = _SOURCES.get(str(entry[-2]), {}).get(str(key))
    return source is not None and key not in given and (*entry, source) in wrong


def _sentence(problem: ErrorDetails) -> str:
    """Key, value, bound and remedy of one problem that pydantic reports."""
    # pydantic ends the place of a mapping's wrong key with the key and this word.
    of_key = problem["loc"][-1:] == ("[key]",)
    place = problem["loc"][:-2] if of_key else problem["loc"]
    place = tuple(part for part in place if part not in (_TEXT, _REFERENCE))
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    bound = problem["msg"].removeprefix("Value error, ")
    if of_key:
        return f"{NAMESPACE}:{key} has the key {json.dumps(problem['input'])}: {bound}. Write another key"
    if not key or (problem["type"] == "value_error" and isinstance(problem["input"], Mapping)):
        return f"{NAMESPACE}:{key or 'settings'}: {bound}"
    if problem["type"] == "extra_forbidden":
        known = _known_keys(problem["loc"][:-1])
        return f"{NAMESPACE}:{key}: there is no such key; {nearest(problem['loc'][-1], known, 'keys')}"
    if problem["type"] == "missing":
        return f"{NAMESPACE}:{key} is missing; give it a value"
    if problem["type"] == "too_short" and isinstance(problem["input"], list):
        bound = "at least one entry"
    remedy = f"pulumi config set --path '{NAMESPACE}:{key}' VALUE"
    return f"{NAMESPACE}:{key} is {json.dumps(problem['input'])}: {bound}. Set it with: {remedy}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    sections: dict[int | str, type[Section]] = {
        "cluster": ClusterSettings,
        "calico": CalicoSettings,
        "contour": ContourSettings,
        "services": ServiceSettings,
        "routes": RouteSettings,
        "redirect": RedirectSettings,
        _REFERENCE: SecretReference,
        "resources": Resources,
        "probes": ProbesSettings,
        "readiness": ProbeSettings,
        "liveness": ProbeSettings,
        "startup": ProbeSettings,
        "volumes": VolumeSettings,
        "build": BuildSettings,
        "policy": PolicySettings,
        "rules": RuleSettings,
        "exceptions": RuleException,
    }
    named = [sections[part] for part in location if part in sections]
    section = named[-1] if named else Settings
    return keys(section)


def keys(section: type[BaseModel]) -> list[str]:
    """The keys of a section as files write them."""
    return [field.alias or name for name, field in section.model_fields.items()]
