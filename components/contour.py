"""Contour and its Envoy: owns hop 3, the node's host port, and hop 4, the route."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

import pulumi
import yaml
from pydantic import Field

from components.arguments import as_before_ipv6, checked
from components.upstream import (
    ManifestError,
    declare,
    find,
    from_registry,
    named,
    objects_of,
    started_by_readiness,
    without_waiting,
)
from hops.model.path import CONTOUR_NAMESPACE, GATEWAY
from hops.model.plan import NODE_PORTS
from hops.model.settings import cluster_settings, setting_types
from hops.model.versions import CONTOUR, GATEWAY_API


class ContourArgs(TypedDict):
    """The arguments of Contour. All are plain: they are written into objects that policies judge in a preview."""

    host_ports: NotRequired[Mapping[str, int]]
    """The node's ports by Envoy's port names, http and https; a name that is left out takes no host port.
    Default: http 80 and https 443."""
    xds_address: NotRequired[str | None]
    """The address of Contour's own Service, so that Envoy finds it without DNS. Default: None, any address."""
    ip_family: NotRequired[str]
    """The IP families of the cluster: ipv4, ipv6, or dual for both. With IPv6, Contour and Envoy listen on all
    addresses of both families, and with dual the Service of Envoy has both. Default: ipv4."""
    service_type: NotRequired[str]
    """The type of Envoy's Service: ClusterIP, NodePort, or LoadBalancer where the cluster has load balancers.
    Default: ClusterIP."""
    service_ports: NotRequired[Mapping[str, int] | None]
    """The ports of Envoy's Service by name, http and https: those of a LoadBalancer, or those that a NodePort takes on
    every node. A name that is left out is not offered. Default: None, the published file's 80 and 443, and for a
    NodePort ports that the cluster chooses."""
    status_address: NotRequired[str | None]
    """The IP address in the status of each Ingress. Default: None, the address of Envoy's Service."""
    replicas: NotRequired[int]
    """The number of Contour's own pods, 1 to 5. Default: 1."""
    registry: NotRequired[str | None]
    """The registry that holds the images, as host[:port][/path]. Default: ghcr.io and docker.io."""
    envoy_log_level: NotRequired[str]
    """trace, debug, info, warning, error, critical or off. Default: info."""
    envoy_nodes: NotRequired[Sequence[str] | None]
    """The names of the nodes on which Envoy runs. Default: None, every node that takes its pods."""
    objects: NotRequired[Sequence[Mapping[str, Any]]]
    """The objects of Contour's file contour.yaml. Default: the published file of the pinned version."""
    gateway: NotRequired[bool]
    """Whether Contour serves the Gateway named contour in its own namespace, and with it HTTPRoutes. Envoy then listens
    for the listeners of this Gateway only, also for Ingresses and HTTPProxies. Default: false."""
    gateway_objects: NotRequired[Sequence[Mapping[str, Any]]]
    """The definitions of the Gateway API, which `gateway` needs: the objects of Contour's file
    examples/gateway/00-crds.yaml. Default: the published file of the pinned version."""


class _Bounds(cluster_settings.InstalledContourSettings):
    envoy_nodes: tuple[str, ...] | None = None  # type: ignore[assignment]
    host_ports: dict[Literal["http", "https"], setting_types.Port] = Field(
        default={"http": NODE_PORTS["http"], "https": NODE_PORTS["https"]}
    )
    xds_address: setting_types.IPAddress | None = None
    ip_family: setting_types.IPFamily = "ipv4"
    service_type: Literal["ClusterIP", "LoadBalancer", "NodePort"] = "ClusterIP"
    service_ports: dict[Literal["http", "https"], setting_types.Port] | None = None
    status_address: setting_types.IPAddress | None = None
    gateway: bool = False


class Contour(pulumi.ComponentResource):
    """Contour from its published file, every object a resource of its own."""

    namespace: pulumi.Output[str]
    """The namespace of Contour and Envoy, which a Workload admits requests from."""
    load_balancer: pulumi.Output[str | None]
    """The IP address or name that a load balancer gave Envoy's Service; None for a ClusterIP."""

    def __init__(self, name: str, args: ContourArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares Contour and Envoy.

        name: the component's name, which begins the names of its children.
        args: see ContourArgs; {} takes every default.
        opts: Pulumi's options; the provider decides the cluster. Pods that are created before the pod network works
          fail and are tried again after 10 to 15 s, so let the component depend on its agent.

        Raises ArgumentError for wrong arguments and ManifestError for objects that lack what is patched.
        """
        values = _values(args, f"Contour {name}")
        objects = patched(args, f"Contour {name}")
        super().__init__("ingress-hops:index:Contour", name, as_before_ipv6(values), opts)
        resources = declare(objects, name, self, opts)
        self._definitions = [
            resource
            for item, resource in zip(objects, resources, strict=True)
            if item["kind"] == "CustomResourceDefinition"
        ]
        self._envoy = resources[objects.index(find(objects, "DaemonSet", "envoy"))]
        self._service = resources[objects.index(find(objects, "Service", "envoy"))]
        status = self._service.status  # type: ignore[attr-defined]
        self.namespace = pulumi.Output.from_input(CONTOUR_NAMESPACE)
        self.load_balancer = pulumi.Output.from_input(status).apply(_address)
        self.register_outputs({"namespace": self.namespace, "load_balancer": self.load_balancer})

    @property
    def envoy(self) -> pulumi.Resource:
        """The DaemonSet envoy: requests are taken where it is ready."""
        return self._envoy

    @property
    def service(self) -> pulumi.Resource:
        """The Service envoy: a load balancer has its address where it is ready."""
        return self._service

    @property
    def definitions(self) -> Sequence[pulumi.Resource]:
        """The definitions of the kinds that Contour reads: an HTTPProxy and a Gateway have to wait for them."""
        return self._definitions


def _address(status: Mapping[str, Any] | None) -> str | None:
    entries = ((status or {}).get("loadBalancer") or {}).get("ingress") or [{}]
    address: str | None = entries[0].get("ip") or entries[0].get("hostname")
    return address


def _values(args: ContourArgs, where: str) -> dict[str, Any]:
    objects = ("objects", "gateway_objects")
    return checked(where, {key: value for key, value in args.items() if key not in objects}, _Bounds, ContourArgs)


def patched(args: ContourArgs, where: str = "Contour") -> list[dict[str, Any]]:
    """The published objects with the arguments in them; the caller's objects stay as they are.

    args: of the component.
    where: the component's class and name, for messages.

    Raises ArgumentError and ManifestError as the component does.
    """
    values = _values(args, where)
    objects = objects_of(where, args.get("objects"), CONTOUR)
    from_registry(objects, values["registry"])
    contour = find(objects, "Deployment", "contour")
    contour["spec"]["replicas"] = values["replicas"]
    # Envoy reaches Contour through a Service, so the published ten seconds between probes are ten seconds lost.
    started_by_readiness(named(contour["spec"]["template"]["spec"]["containers"], "contour"))
    _patch_envoy(find(objects, "DaemonSet", "envoy"), values)
    _patch_service(find(objects, "Service", "envoy"), values["service_type"], values["service_ports"] or {})
    if values["ip_family"] != "ipv4":
        arguments = named(contour["spec"]["template"]["spec"]["containers"], "contour")["args"]
        _replace(arguments, "--xds-address=", "::")
        arguments += [f"{flag}=::" for flag in _LISTENERS]
    if values["ip_family"] == "dual":
        find(objects, "Service", "envoy")["spec"]["ipFamilyPolicy"] = "RequireDualStack"
    changes: dict[str, Any] = {}
    if values["status_address"]:
        changes["ingress-status-address"] = values["status_address"]
    if values["gateway"]:
        changes["gateway"] = {"gatewayRef": {"namespace": CONTOUR_NAMESPACE, "name": GATEWAY}}
        # Contour reads its configuration when it starts.
        metadata = contour["spec"]["template"].setdefault("metadata", {})
        metadata.setdefault("annotations", {})["ingress-hops/gateway"] = GATEWAY
        objects += objects_of(where, args.get("gateway_objects"), GATEWAY_API)
    if changes:
        configuration = find(objects, "ConfigMap", "contour")["data"]
        published = yaml.safe_load(configuration["contour.yaml"])
        configuration["contour.yaml"] = yaml.safe_dump(published | changes)
    if values["xds_address"]:
        find(objects, "Service", "contour")["spec"]["clusterIP"] = values["xds_address"]
    # It has no endpoints until Contour is ready, which the Deployment is waited for anyway.
    without_waiting(find(objects, "Service", "contour"))
    return objects


_LISTENERS = (
    "--envoy-service-http-address",
    "--envoy-service-https-address",
    "--stats-address",
    "--http-address",
    "--health-address",
)
"""The flags of `contour serve` for the addresses that Envoy and Contour listen on; the default of each is 0.0.0.0.

Contour lets Envoy take IPv4 as well where the address is `::` (internal/envoy/v3/socket.go).
"""


def _patch_envoy(daemon_set: dict[str, Any], values: dict[str, Any]) -> None:
    pod = daemon_set["spec"]["template"]["spec"]
    if values["xds_address"]:
        # Right after the cluster's start DNS is the last to answer, and Envoy's next try is slow to come.
        bootstrap = named(pod["initContainers"], "envoy-initconfig")
        _replace(bootstrap["args"], "--xds-address=", values["xds_address"])
    if values["envoy_nodes"]:
        # kind gives no label to the nodes that publish ports, and a running node has its name already.
        hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(values["envoy_nodes"])}
        terms = {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}
        pod["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    envoy = named(pod["containers"], "envoy")
    for port in envoy["ports"]:
        port.pop("hostPort", None)
    for name, host_port in values["host_ports"].items():
        named(envoy["ports"], name)["hostPort"] = host_port
    _replace(envoy["args"], "--log-level ", values["envoy_log_level"])
    started_by_readiness(envoy)


def _replace(arguments: list[str], flag: str, value: str) -> None:
    """Sets the one argument that begins with the flag, in place."""
    for number, argument in enumerate(arguments):
        if argument.startswith(flag):
            arguments[number] = f"{flag}{value}"
            return
    raise ManifestError(f"the published file has no argument {flag}…: adapt the component to this version of the file")


def _patch_service(service: dict[str, Any], kind: str, ports: Mapping[str, int]) -> None:
    spec = service["spec"]
    spec["type"] = kind
    for name, number in ports.items():
        named(spec["ports"], name)["nodePort" if kind == "NodePort" else "port"] = number
    if ports:
        spec["ports"] = [port for port in spec["ports"] if port["name"] in ports]
    if kind != "LoadBalancer":
        # The API refuses the policy on a ClusterIP. With a NodePort, only nodes with an Envoy would answer.
        spec.pop("externalTrafficPolicy", None)
    if kind == "ClusterIP":
        without_waiting(service)
