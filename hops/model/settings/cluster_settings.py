"""The settings of the cluster, of its pod network and of its ingress controller."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hops.model import versions
from hops.model.kind_names import KIND_CONTEXT
from hops.model.settings.setting_types import (
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
    Section,
    ServiceSubnet,
    ServiceSubnetIPv6,
)

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


VERSIONS: Mapping[str, tuple[Literal[4, 6], ...]] = {"ipv4": (4,), "dual": (4, 6), "ipv6": (6,)}
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
        return VERSIONS[self.ip_family]

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
