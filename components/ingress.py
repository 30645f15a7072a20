"""Ingress: the host and path that lead to one Service. Owns hop 4's match."""

from typing import TypedDict

import pulumi
from pulumi_kubernetes.meta import v1 as meta
from pulumi_kubernetes.networking import v1 as networking

from components.children import child


class IngressArgs(TypedDict):
    """What an Ingress is made of."""

    name: str
    """Of the Ingress object."""
    namespace: pulumi.Input[str]
    """Of the Ingress and, as Kubernetes has it, of its Service."""
    host: str
    """The host name that it answers to."""
    path: str
    """The path's beginning, segment by segment."""
    service: str
    """The Service's name."""
    port: int
    """The Service's port."""
    tls: str | None
    """A Secret of type kubernetes.io/tls in the same namespace."""


class Ingress(pulumi.ComponentResource):
    """One rule of host and path, for any Service."""

    ingress: networking.Ingress
    """The object; it is there once the controller has written its address into the status."""

    def __init__(self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ingress-hops:index:Ingress", name, {**args}, opts)
        backend = networking.IngressBackendArgs(
            service=networking.IngressServiceBackendArgs(
                name=args["service"],
                port=networking.ServiceBackendPortArgs(number=args["port"]),
            ),
        )
        self.ingress = networking.Ingress(
            f"{name}-ingress",
            metadata=meta.ObjectMetaArgs(name=args["name"], namespace=args["namespace"]),
            spec=networking.IngressSpecArgs(
                rules=[
                    networking.IngressRuleArgs(
                        host=args["host"],
                        http=networking.HTTPIngressRuleValueArgs(
                            paths=[
                                networking.HTTPIngressPathArgs(path=args["path"], path_type="Prefix", backend=backend)
                            ],
                        ),
                    )
                ],
                tls=[networking.IngressTLSArgs(hosts=[args["host"]], secret_name=args["tls"])] if args["tls"] else None,
            ),
            opts=child(self, opts, timeout="5m"),
        )
        self.register_outputs({})
