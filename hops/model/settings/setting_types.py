"""The types of values that settings have, each with its bound in words."""

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from hops.model.images.registries import mirror_problem

NAMESPACE = "ingress-hops"
"""The configuration namespace, which is the project's name."""
SECRETS = "secrets"
"""The key under which a stack's file keeps its secrets."""

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def matching(pattern: str, bound: str) -> Callable[[str], str]:
    """A validator of texts that match a regular expression as a whole. bound: the error, which names the bound."""
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
            raise ValueError("it has to be an IPv4 address such as 127.0.0.1") from None
    return value


def _network(value: object) -> object:
    if isinstance(value, str):
        try:
            network = IPv4Network(value, strict=False)
        except ValueError:
            raise ValueError("it has to be an IPv4 network such as 10.244.0.0/16") from None
        if value != str(network):
            raise ValueError(f"an IPv4 network ends in zero bits and its prefix, here {network}")
    return value


def _ipv6_address(value: object) -> object:
    if isinstance(value, str):
        try:
            IPv6Address(value)
        except ValueError:
            raise ValueError("it has to be an IPv6 address such as ::1") from None
        if "%" in value:
            raise ValueError("it has to be an IPv6 address without a zone, such as ::1")
    return value


def _ip_address(value: object) -> object:
    if isinstance(value, str):
        try:
            ip_address(value)
        except ValueError:
            raise ValueError("it has to be an IP address such as 127.0.0.1 or ::1") from None
    return value


def _ipv6_network(value: object) -> object:
    if isinstance(value, str):
        try:
            network = IPv6Network(value, strict=False)
        except ValueError:
            raise ValueError("it has to be an IPv6 network such as fd00:10:244::/56") from None
        if value != str(network):
            raise ValueError(f"an IPv6 network ends in zero bits and its prefix, here {network}")
    return value


_Network = IPv4Network | IPv6Network


def _sized(shortest: int, longest: int) -> Callable[[_Network], _Network]:
    def check(subnet: _Network) -> _Network:
        if not shortest <= subnet.prefixlen <= longest:
            raise ValueError(f"the prefix is /{shortest} to /{longest} here")
        return subnet

    return check


def _bounded(bound: str) -> WithJsonSchema:
    """The JSON schema of a text whose bound is checked by a function."""
    return WithJsonSchema({"type": "string", "bound": bound})


Port = Annotated[int, Field(ge=1, le=65535)]
_LABEL = "a name is 1 to 63 lower-case letters, digits and hyphens"
Label = Annotated[str, AfterValidator(matching(DNS_LABEL.pattern, _LABEL)), _bounded(_LABEL)]
# The API server takes a Service's name for a label of RFC 1035.
_SERVICE = "a Service's name is 1 to 63 lower-case letters, digits and hyphens, and begins with a letter"
ServiceName = Annotated[str, AfterValidator(matching(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", _SERVICE)), _bounded(_SERVICE)]
_REFERENCE = "a service is NAME, or NAMESPACE/NAME in another namespace"
ServiceReference = Annotated[
    str,
    AfterValidator(
        matching(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/)?[a-z]([-a-z0-9]{0,61}[a-z0-9])?", _REFERENCE),
    ),
    _bounded(_REFERENCE),
]
_SYSTEM_NAMESPACE = re.compile(r"kube-.*|projectcontour|calico-.*|tigera-operator|local-path-storage")


def own_namespace(name: str) -> str:
    """A namespace that a service may have. Raises ValueError for one of a part of the cluster."""
    if _SYSTEM_NAMESPACE.fullmatch(name):
        raise ValueError("the namespace of a part of the cluster itself; take one of your own, such as apps")
    return name


HostName = Annotated[
    str, AfterValidator(_host_name), _bounded("lower-case DNS labels joined by dots; no IP address, no wildcard")
]
_REGISTRY = "a registry is host[:port][/path], without a scheme"
Registry = Annotated[
    str, AfterValidator(matching(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*", _REGISTRY)), _bounded(_REGISTRY)
]
_REGISTRY_HOST = "a registry's host is host[:port], such as docker.io"
RegistryHost = Annotated[
    str,
    AfterValidator(matching(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?", _REGISTRY_HOST)),
    _bounded(_REGISTRY_HOST),
]


def _mirror(url: str) -> str:
    if problem := mirror_problem(url):
        raise ValueError(problem)
    return url


Mirror = Annotated[str, AfterValidator(_mirror), _bounded("http:// or https://, host[:port], and perhaps a path")]
# The grammar of distribution/reference: an optional host with a port, lower-case components, a tag, a digest.
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_IMAGE_NAME = (
    r"(?=.{1,512}\Z)(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]{1,5})?/)?"
    rf"{_COMPONENT}(?:/{_COMPONENT})*(?::\w[\w.-]{{0,127}})?(?:@[a-z0-9]+:[0-9a-f]{{32,128}})?"
)
_IMAGE = "an image is [registry/]name[:tag][@digest], with a name in lower case"
ImageName = Annotated[str, AfterValidator(matching(_IMAGE_NAME, _IMAGE)), _bounded(_IMAGE)]
PATH_BOUND = "a path starts with / and holds no space, ?, # or %, and no //, /./ or /../"
# The API server refuses empty and dot segments in the path of an Ingress; clients such as curl remove dot segments.
PATH_SEGMENTS = r"(?!.*(//|/\.{1,2}(/|$)))"
UrlPath = Annotated[str, AfterValidator(matching(PATH_SEGMENTS + r"/[^\s?#%]*", PATH_BOUND)), _bounded(PATH_BOUND)]
_ROUTE_PATH = "a path starts with / and holds no space or #; without pathType Regex also no ? or %"
RoutePath = Annotated[str, AfterValidator(matching(r"/[^\s#]*", _ROUTE_PATH)), _bounded(_ROUTE_PATH)]
_DURATION = "a time is numbers with the units h, m, s or ms, more than 0, such as 30s or 1m30s"
_TIMEOUT = f"{_DURATION}; or infinity"
_TIME = r"(?=[^1-9]*[1-9])([0-9]+(\.[0-9]+)?(h|ms|m|s))+"
Timeout = Annotated[str, AfterValidator(matching(rf"{_TIME}|infinity", _TIMEOUT)), _bounded(_TIMEOUT)]
_ROUTE_TIMEOUT = (
    "the time of an HTTPRoute is up to four whole numbers of at most five digits with the units h, m, s or ms, such as "
    "1s500ms; or infinity"
)
route_timeout = matching(r"(?=[^1-9]*[1-9])([0-9]{1,5}(h|ms|m|s)){1,4}|infinity", _ROUTE_TIMEOUT)
"""A `Timeout` that the Gateway API can express (its GEP-2257). Raises ValueError for another one."""
RouteTimeout = Annotated[str, AfterValidator(route_timeout), _bounded(_ROUTE_TIMEOUT)]
MOST_SECURE_LISTENERS = 62
"""Of the 64 listeners of a Gateway (Gateway API 1.3, apis/v1/gateway_types.go), two are for all hosts."""
Duration = Annotated[str, AfterValidator(matching(_TIME, _DURATION)), _bounded(_DURATION)]
_HEADER = "a header's name or a method is 1 to 63 letters, digits and hyphens, and begins with a letter or digit"
HeaderName = Annotated[str, AfterValidator(matching(r"[A-Za-z0-9][-A-Za-z0-9]{0,62}", _HEADER)), _bounded(_HEADER)]
_HEADER_VALUE = "a header's value is 1 to 256 visible ASCII characters, with spaces inside only"
HeaderValue = Annotated[
    str, AfterValidator(matching(r"[!-~]([ -~]{0,254}[!-~])?", _HEADER_VALUE)), _bounded(_HEADER_VALUE)
]
# Envoy compares a query as the client encoded it, so no character that clients encode is possible.
_QUERY = "a text in a query is 1 to 256 letters, digits and the characters - . _ ~"
QueryText = Annotated[str, AfterValidator(matching(r"[-A-Za-z0-9._~]{1,256}", _QUERY)), _bounded(_QUERY)]
_ORIGIN = "an origin is http:// or https://, a host name and perhaps :PORT, without a path; or * for any origin"
Origin = Annotated[
    str,
    AfterValidator(matching(r"\*|https?://[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?", _ORIGIN)),
    _bounded(_ORIGIN),
]
# A container's port has a name of RFC 6335.
_PORT_NAME = "a port's name is 1 to 15 lower-case letters, digits and single hyphens, with at least one letter"
PortName = Annotated[
    str,
    AfterValidator(matching(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?", _PORT_NAME)),
    _bounded(_PORT_NAME),
]
_VARIABLE = "a variable's name is letters, digits and underscores, and does not begin with a digit"
VariableName = Annotated[str, AfterValidator(matching(r"[A-Za-z_][A-Za-z0-9_]*", _VARIABLE)), _bounded(_VARIABLE)]
# A runtime mounts nothing into these (runc, libcontainer/rootfs_linux.go, checkProcMount).
_MOST_TEXT_BYTES = 128_000
_TEXT = f"a text of at most {_MOST_TEXT_BYTES:,} bytes without the character NUL"


def _process_text(text: str) -> str:
    if "\0" in text or len(text.encode(errors="surrogatepass")) > _MOST_TEXT_BYTES:
        raise ValueError(_TEXT)
    return text


# A word or variable of a process ends with NUL and has 128 KiB at most (execve(2), MAX_ARG_STRLEN).
ProcessText = Annotated[str, AfterValidator(_process_text), _bounded(_TEXT)]
_CONTAINER_PATH = r"(?!/(proc|sys)(/|$))(/(?!\.{1,2}(/|$))[^/\s:\0]+)+"
_FILE = "a file's path in the container is absolute, not below /proc or /sys, without . or .. and without : and spaces"
ContainerFile = Annotated[str, AfterValidator(matching(_CONTAINER_PATH, _FILE)), _bounded(_FILE)]
_FOLDER = (
    "a folder in the container is absolute, not / itself, not /proc or /sys, without . or .. and without : and spaces"
)
ContainerFolder = Annotated[str, AfterValidator(matching(_CONTAINER_PATH, _FOLDER)), _bounded(_FOLDER)]
# kind appends "-control-plane", and a node's name is a DNS label of at most 63.
_CLUSTER = "a cluster's name is 1 to 49 lower-case letters, digits and hyphens"
ClusterName = Annotated[
    str, AfterValidator(matching(r"[a-z0-9]([-a-z0-9]{0,47}[a-z0-9])?", _CLUSTER)), _bounded(_CLUSTER)
]
_CONTOUR = "a Contour is NAMESPACE, or NAMESPACE/DEPLOYMENT where its namespace has several"
ContourName = Annotated[
    str,
    AfterValidator(matching(rf"{DNS_LABEL.pattern}(/{DNS_LABEL.pattern})?", _CONTOUR)),
    _bounded(_CONTOUR),
]
# Each node takes a /24 of it (kube-controller-manager's --node-cidr-mask-size).
PodSubnet = Annotated[
    IPv4Network, BeforeValidator(_network), AfterValidator(_sized(8, 22)), _bounded("an IPv4 network of /8 to /22")
]
# kubeadm takes no service subnet larger than a /12.
ServiceSubnet = Annotated[
    IPv4Network, BeforeValidator(_network), AfterValidator(_sized(12, 24)), _bounded("an IPv4 network of /12 to /24")
]
# Each node takes a /64 of it, and kube-controller-manager allows 16 bits between the two (its --node-cidr-mask-size).
PodSubnetIPv6 = Annotated[
    IPv6Network,
    BeforeValidator(_ipv6_network),
    AfterValidator(_sized(48, 60)),
    _bounded("an IPv6 network of /48 to /60"),
]
# kubeadm takes no service subnet of more than 20 bits.
ServiceSubnetIPv6 = Annotated[
    IPv6Network,
    BeforeValidator(_ipv6_network),
    AfterValidator(_sized(108, 120)),
    _bounded("an IPv6 network of /108 to /120"),
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
_QUANTITY = "a quantity is a number with an optional unit: 100m, 0.5, 64Mi, 1Gi"
Quantity = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if type(value) in {int, float} else value),
    AfterValidator(matching(r"[0-9]+(\.[0-9]+)?(m|k|[MGTPE]|[KMGTPE]i)?", _QUANTITY)),
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
Address = Annotated[IPv4Address, BeforeValidator(_address), _bounded("an IPv4 address")]
IPv6Listener = Annotated[IPv6Address, BeforeValidator(_ipv6_address), _bounded("an IPv6 address without a zone")]
IPAddress = Annotated[IPv4Address | IPv6Address, BeforeValidator(_ip_address), _bounded("an IPv4 or IPv6 address")]
IPFamily = Literal["ipv4", "dual", "ipv6"]
"""The IP families of a cluster or a Service."""
FolderName = Annotated[str, Field(min_length=1, max_length=1024)]


class Section(BaseModel):
    """A part of the settings: frozen, camelCase in files, snake_case in code. Unknown keys are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True, defer_build=True
    )
