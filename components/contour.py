"""Contour and its Envoy: owns hop 3, the node's host port, and hop 4, the route."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import pulumi
import yaml

from components.upstream import (
    ManifestError,
    declare,
    find,
    from_registry,
    named,
    started_by_readiness,
    without_waiting,
)


class ContourArgs(TypedDict):
    """What a Contour installation is made of."""

    objects: list[dict[str, Any]]
    """The objects of Contour's published file contour.yaml."""
    host_ports: Mapping[str, int]
    """The node's ports by the names of Envoy's, http and https; a name that is missing takes no host port."""
    xds_address: str | None
    """The IPv4 address for Contour's own Service, so that Envoy finds it without DNS; None leaves both as published."""
    service_type: str
    """Of Envoy's Service: ClusterIP in kind, LoadBalancer where something serves that."""
    status_address: str | None
    """The address written into the status of each Ingress; None leaves it to Envoy's Service."""
    replicas: int
    """Of the Contour Deployment."""
    registry: str | None
    """Where the images come from instead of ghcr.io and docker.io."""
    envoy_log_level: str
    """One of Envoy's levels, such as info."""
    network: Sequence[pulumi.Resource]
    """What the pods' network is ready with: a pod that comes earlier fails and is tried again after 10 to 15 s."""


class Contour(pulumi.ComponentResource):
    """Contour from its published file, every object a resource of its own."""

    envoy: pulumi.Resource
    """The DaemonSet envoy: requests are taken where it is ready."""
    load_balancer: pulumi.Output[str | None]
    """The IPv4 address or name that a load balancer gave Envoy's Service; None where it is a ClusterIP."""

    def __init__(self, name: str, args: ContourArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(
            "ingress-hops:index:Contour", name, {k: v for k, v in args.items() if k not in {"objects", "network"}}, opts
        )
        objects = patched(args)
        resources = declare(objects, self, opts, args["network"])
        self.envoy = resources[objects.index(find(objects, "DaemonSet", "envoy"))]
        status = resources[objects.index(find(objects, "Service", "envoy"))].status  # type: ignore[attr-defined]
        self.load_balancer = pulumi.Output.from_input(status).apply(_address)
        self.register_outputs({})


def _address(status: Mapping[str, Any] | None) -> str | None:
    entries = ((status or {}).get("loadBalancer") or {}).get("ingress") or [{}]
    address: str | None = entries[0].get("ip") or entries[0].get("hostname")
    return address


def patched(args: ContourArgs) -> list[dict[str, Any]]:
    """The published objects with the arguments in them."""
    objects = args["objects"]
    from_registry(objects, args["registry"])
    contour = find(objects, "Deployment", "contour")
    contour["spec"]["replicas"] = args["replicas"]
    # Envoy reaches Contour through a Service, so the published ten seconds between probes are ten seconds lost.
    started_by_readiness(named(contour["spec"]["template"]["spec"]["containers"], "contour"))
    _patch_envoy(find(objects, "DaemonSet", "envoy"), args)
    _patch_service(find(objects, "Service", "envoy"), args["service_type"])
    if args["status_address"]:
        configuration = find(objects, "ConfigMap", "contour")["data"]
        settings = yaml.safe_load(configuration["contour.yaml"]) | {"ingress-status-address": args["status_address"]}
        configuration["contour.yaml"] = yaml.safe_dump(settings)
    if args["xds_address"]:
        find(objects, "Service", "contour")["spec"]["clusterIP"] = args["xds_address"]
    # It has no endpoints until Contour is ready, which the Deployment is waited for anyway.
    without_waiting(find(objects, "Service", "contour"))
    return objects


def _patch_envoy(daemon_set: dict[str, Any], args: ContourArgs) -> None:
    pod = daemon_set["spec"]["template"]["spec"]
    if args["xds_address"]:
        # Right after the cluster's start DNS is the last to answer, and Envoy's next try is slow to come.
        bootstrap = named(pod["initContainers"], "envoy-initconfig")
        _replace(bootstrap["args"], "--xds-address=", args["xds_address"])
    envoy = named(pod["containers"], "envoy")
    for port in envoy["ports"]:
        port.pop("hostPort", None)
    for name, host_port in args["host_ports"].items():
        named(envoy["ports"], name)["hostPort"] = host_port
    _replace(envoy["args"], "--log-level ", args["envoy_log_level"])
    started_by_readiness(envoy)


def _replace(arguments: list[str], flag: str, value: str) -> None:
    """Sets the one argument that begins with the flag, in place."""
    for number, argument in enumerate(arguments):
        if argument.startswith(flag):
            arguments[number] = f"{flag}{value}"
            return
    raise ManifestError(f"the published file has no argument {flag}…: adapt the component to this version of the file")


def _patch_service(service: dict[str, Any], kind: str) -> None:
    service["spec"]["type"] = kind
    if kind == "ClusterIP":
        # The API refuses the policy on a Service that no outside traffic can reach.
        service["spec"].pop("externalTrafficPolicy", None)
        without_waiting(service)
