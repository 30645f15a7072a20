"""Gateway: the listeners that HTTPRoutes attach to, of the class that Contour serves."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pydantic import Field

from components.arguments import checked
from components.children import child
from hops.kubernetes.resources.resource import GATEWAY_GROUP
from hops.kubernetes.routing.gateways import CONTOUR_CONTROLLER, CONTOUR_TLS
from hops.model.path import CONTOUR_NAMESPACE, GATEWAY
from hops.model.plan import NODE_PORTS
from hops.model.settings import setting_types

PLAIN = "http"
"""The listener of plain HTTP."""


class GatewayCertificate(TypedDict):
    """The certificate of a host, for which the Gateway gets a listener of TLS with the host's name."""

    host: str
    """The host name."""
    secret: str
    """The name of a Secret of type kubernetes.io/tls."""
    namespace: str
    """The Secret's namespace. A ReferenceGrant there lets the Gateway read the Secret."""


class GatewayArgs(TypedDict):
    """The arguments of a Gateway. All are plain values, so that the policies judge them in a preview."""

    name: NotRequired[str]
    """The name of the Gateway and of its GatewayClass. Default: contour."""
    namespace: NotRequired[str]
    """The Gateway's namespace. Default: projectcontour."""
    certificates: NotRequired[Sequence[GatewayCertificate]]
    """The certificates of hosts, at most 62. Default: none, plain HTTP."""


class _Certificate(setting_types.Section):
    host: setting_types.HostName
    secret: setting_types.HostName
    namespace: setting_types.Label


class _Bounds(setting_types.Section):
    name: setting_types.Label = GATEWAY
    namespace: setting_types.Label = CONTOUR_NAMESPACE
    certificates: Annotated[tuple[_Certificate, ...], Field(max_length=setting_types.MOST_SECURE_LISTENERS)] = ()


class Gateway(pulumi.ComponentResource):
    """A Gateway of Contour, its class, and what lets it read the certificates of other namespaces."""

    name: pulumi.Output[str]
    """The name of the Gateway."""
    namespace: pulumi.Output[str]
    """The Gateway's namespace."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares the Gateway.

        name: the component's name, which begins the names of its children.
        args: see GatewayArgs; {} takes every default.
        opts: Pulumi's options; the provider decides the cluster. The definitions of the Gateway API and the namespace
          have to be there first, so let the component depend on a Contour with `gateway`.

        Raises ArgumentError for wrong arguments.
        """
        values = checked(f"Gateway {name}", args, _Bounds, GatewayArgs)
        super().__init__("ingress-hops:index:Gateway", name, values, opts)
        own, namespace, certificates = values["name"], values["namespace"], values["certificates"]

        def declare(kind: str, version: str, object_: str, within: str | None, spec: Any) -> CustomResource:
            metadata: dict[str, Any] = {"name": object_, "annotations": {"pulumi.com/skipAwait": "true"}}
            return CustomResource(
                f"{name}-{kind.lower()}" + (f"-{within}" if kind == "ReferenceGrant" else ""),
                api_version=f"{GATEWAY_GROUP}/{version}",
                kind=kind,
                metadata=metadata | ({"namespace": within} if within else {}),
                spec=spec,
                opts=child(self, opts),
            )

        declare("GatewayClass", "v1", own, None, {"controllerName": f"{CONTOUR_CONTROLLER}gateway-controller"})
        self._gateway = declare(
            "Gateway", "v1", own, namespace, {"gatewayClassName": own, "listeners": _listeners(values)}
        )
        granted: dict[str, list[str]] = {}
        for one in certificates:
            if one["namespace"] != namespace:
                granted.setdefault(one["namespace"], []).append(one["secret"])
        for other, secrets in granted.items():
            given = {
                "from": [{"group": GATEWAY_GROUP, "kind": "Gateway", "namespace": namespace}],
                "to": [{"group": "", "kind": "Secret", "name": secret} for secret in dict.fromkeys(secrets)],
            }
            declare("ReferenceGrant", "v1beta1", own, other, given)
        self.name = pulumi.Output.from_input(own)
        self.namespace = pulumi.Output.from_input(namespace)
        self.register_outputs({"name": self.name, "namespace": self.namespace})

    @property
    def gateway(self) -> CustomResource:
        """The Gateway object. It exists before Contour serves it."""
        return self._gateway


def _listeners(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The listeners: with a Gateway, Contour serves Ingresses and HTTPProxies by its listeners, too."""
    everybody = {"allowedRoutes": {"namespaces": {"from": "All"}}}
    return [
        {"name": PLAIN, "protocol": "HTTP", "port": NODE_PORTS["http"], **everybody},
        # The certificates of Ingresses and HTTPProxies; no HTTPRoute can attach to it.
        {"name": "https", "protocol": CONTOUR_TLS, "port": NODE_PORTS["https"], **everybody},
        *(
            {
                "name": one["host"],
                "protocol": "HTTPS",
                "port": NODE_PORTS["https"],
                "hostname": one["host"],
                "tls": {
                    "mode": "Terminate",
                    "certificateRefs": [{"name": one["secret"], "namespace": one["namespace"]}],
                },
                **everybody,
            }
            for one in values["certificates"]
        ),
    ]
