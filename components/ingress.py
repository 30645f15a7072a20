"""Ingress: the host and path that lead to one Service. Owns hop 4's match."""

from typing import Literal, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from components.arguments import checked
from components.children import child
from hops.kubernetes.controller.contour_annotations import RESPONSE_TIMEOUT, WEBSOCKETS
from hops.model.settings import setting_types


class IngressArgs(TypedDict):
    """The arguments of an Ingress.

    Where a value comes from another resource and is unknown in a preview, the policies judge it in the `up`.
    """

    host: pulumi.Input[str]
    """The host name of the requests."""
    service: pulumi.Input[str]
    """The name of the Service that they lead to."""
    port: int
    """The Service's TCP port, 1 to 65535. Plain: Pulumi hands a component of a package no number of another resource
    (`int()` of an Output fails in 3.259)."""
    name: NotRequired[pulumi.Input[str]]
    """The Ingress object's name. Default: the component's name."""
    namespace: NotRequired[pulumi.Input[str]]
    """The namespace of the Ingress and of its Service. Default: default."""
    path: NotRequired[str]
    """The beginning of the path, by whole segments. Plain: policies compare it with other paths in a preview.
    Default: /."""
    path_type: NotRequired[str]
    """How path is compared: Prefix by whole segments, Exact as a whole. Default: Prefix."""
    timeout: NotRequired[str | None]
    """How long the answer may take, such as 30s, or infinity. Default: None, Envoy's 15 s."""
    websocket: NotRequired[bool]
    """Whether a request may become a WebSocket. Default: false."""
    class_name: NotRequired[str | None]
    """The ingress class of the controller that serves it. Default: None, the cluster's default class."""
    tls: NotRequired[pulumi.Input[str] | None]
    """The name of a Secret of type kubernetes.io/tls in the same namespace. Default: None, plain HTTP."""
    plain_http: NotRequired[str]
    """What happens to plain HTTP where tls is set: served, redirected or refused. Envoy keeps a port other than 80 in
    the address that it redirects to, so redirected works only where HTTP is published at port 80 and https at 443.
    Default: served."""


class _Bounds(setting_types.Section):
    host: setting_types.HostName
    service: setting_types.Label
    port: setting_types.Port
    name: setting_types.HostName
    namespace: setting_types.Label = "default"
    path: setting_types.UrlPath = "/"
    path_type: Literal["Prefix", "Exact"] = "Prefix"
    timeout: setting_types.Timeout | None = None
    websocket: bool = False
    class_name: setting_types.HostName | None = None
    tls: setting_types.HostName | None = None
    plain_http: Literal["served", "redirected", "refused"] = "served"


_PLAIN_HTTP = {
    "served": {},
    "redirected": {"ingress.kubernetes.io/force-ssl-redirect": "true"},
    "refused": {"kubernetes.io/ingress.allow-http": "false"},
}


class Ingress(pulumi.ComponentResource):
    """One rule of host and path, for any Service."""

    name: pulumi.Output[str]
    """The Ingress object's name."""
    host: pulumi.Output[str]
    """The host name of the requests."""

    def __init__(self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares the Ingress.

        name: the component's name, which begins the child's name.
        args: see IngressArgs.
        opts: Pulumi's options; the provider decides the cluster.

        Raises ArgumentError for wrong arguments.
        """
        values = checked(f"Ingress {name}", {"name": name, **args}, _Bounds, IngressArgs)
        super().__init__("ingress-hops:index:Ingress", name, values, opts)
        backend = networking.IngressBackendArgs(
            service=networking.IngressServiceBackendArgs(
                name=values["service"],
                port=networking.ServiceBackendPortArgs(number=values["port"]),
            ),
        )
        path = networking.HTTPIngressPathArgs(path=values["path"], path_type=values["path_type"], backend=backend)
        self._ingress = networking.Ingress(
            f"{name}-ingress",
            metadata=meta.ObjectMetaArgs(
                name=values["name"],
                namespace=values["namespace"],
                # Contour 1.33.6 now and then never writes the status of an Ingress that it finds at its start, though
                # it serves it (seen); a request that is answered is the better proof anyway.
                annotations={
                    "pulumi.com/skipAwait": "true",
                    **({RESPONSE_TIMEOUT: values["timeout"]} if values["timeout"] else {}),
                    **({WEBSOCKETS: values["path"]} if values["websocket"] else {}),
                    **_PLAIN_HTTP[values["plain_http"]],
                },
            ),
            spec=networking.IngressSpecArgs(
                ingress_class_name=values["class_name"],
                rules=[
                    networking.IngressRuleArgs(
                        host=values["host"], http=networking.HTTPIngressRuleValueArgs(paths=[path])
                    )
                ],
                tls=[networking.IngressTLSArgs(hosts=[values["host"]], secret_name=values["tls"])]
                if values["tls"] is not None
                else None,
            ),
            opts=child(self, opts),
        )
        self.name = pulumi.Output.from_input(values["name"])
        self.host = pulumi.Output.from_input(values["host"])
        self.register_outputs({"name": self.name, "host": self.host})

    @property
    def ingress(self) -> networking.Ingress:
        """The Ingress object. It exists before the controller serves it."""
        return self._ingress
