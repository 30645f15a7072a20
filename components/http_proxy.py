"""HTTPProxy: the routes of one host that Contour serves, with what an Ingress cannot express."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, Self, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pydantic import Field, model_validator

from components.arguments import checked
from components.children import child
from hops.model import service_settings, setting_types


class HTTPProxyBackend(TypedDict):
    """A Service that a route sends requests to."""

    service: str
    """The Service's name, in the HTTPProxy's namespace."""
    port: int
    """The Service's TCP port, 1 to 65535."""
    weight: NotRequired[int | None]
    """Its share of the requests among the route's backends, 0 or more. Default: None, all have equal shares."""
    mirror: NotRequired[bool]
    """Whether it gets a copy of each request and its answers are dropped. At most one of a route. Default: false."""
    protocol: NotRequired[str | None]
    """What Envoy speaks to the pods: HTTP/2 with TLS, HTTP/2 without TLS, or TLS. Default: None, HTTP/1.1."""


class HTTPProxyRedirect(TypedDict):
    """Where a route sends the client instead of a pod. What is left out stays as the client asked it."""

    scheme: NotRequired[str | None]
    """The new scheme. Default: None."""
    host: NotRequired[str | None]
    """The new host name. Default: None."""
    port: NotRequired[int | None]
    """The new port, 1 to 65535. Default: None."""
    path: NotRequired[str | None]
    """The new path, as a whole; not together with prefix. Default: None."""
    prefix: NotRequired[str | None]
    """What replaces the matched beginning of the path. Default: None."""
    status: NotRequired[int]
    """The status of the answer, 301 or 302. Default: 302."""


class HTTPProxyRoute(TypedDict):
    """One route: the requests that it takes, and what happens to them."""

    path: NotRequired[str]
    """The path of the requests. Default: /."""
    path_type: NotRequired[str]
    """How path is compared. Prefix compares characters, not whole segments: /api takes /apis, too. Default: Prefix."""
    conditions: NotRequired[Sequence[dict[str, Any]]]
    """Further conditions on headers and query parameters, as in the HTTPProxy's own `conditions`. Default: none."""
    backends: NotRequired[Sequence[HTTPProxyBackend]]
    """The Services that it leads to. Default: none, which needs a redirect."""
    rewrite: NotRequired[str | None]
    """What replaces path at the beginning of the pod's request; with Prefix only. Default: None."""
    redirect: NotRequired[HTTPProxyRedirect | None]
    """Where the client is sent. Default: None."""
    timeout: NotRequired[str | None]
    """How long the answer may take, such as 30s, or infinity. Default: None, Envoy's 15 s."""
    retries: NotRequired[int | None]
    """How many times a failed request is sent again, 0 to 100. Default: None, Contour's own."""
    websocket: NotRequired[bool]
    """Whether a request may become a WebSocket. Default: false."""


class HTTPProxyArgs(TypedDict):
    """The arguments of an HTTPProxy. All are plain values, so that the policies judge them in a preview."""

    host: str
    """The host name of the requests. Contour serves one HTTPProxy of a host."""
    routes: Sequence[HTTPProxyRoute]
    """The routes, at least one."""
    name: NotRequired[str]
    """The HTTPProxy object's name. Default: the host name."""
    namespace: NotRequired[str]
    """The namespace of the HTTPProxy and of its Services. Default: default."""
    tls: NotRequired[str | None]
    """The name of a Secret of type kubernetes.io/tls in the same namespace. Plain HTTP is then redirected to https.
    Default: None, plain HTTP."""


class _Backend(setting_types.Section):
    service: setting_types.Label
    port: setting_types.Port
    weight: Annotated[int, Field(ge=0)] | None = None
    mirror: bool = False
    protocol: Literal["h2", "h2c", "tls"] | None = None


class _Route(setting_types.Section):
    path_type: Literal["Prefix", "Exact", "Regex"] = "Prefix"
    path: setting_types.RoutePath = "/"
    conditions: tuple[dict[str, Any], ...] = ()
    backends: tuple[_Backend, ...] = ()
    rewrite: setting_types.UrlPath | None = None
    redirect: service_settings.RedirectSettings | None = None
    timeout: setting_types.Timeout | None = None
    retries: Annotated[int, Field(ge=0, le=100)] | None = None
    websocket: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if bool(self.redirect) == bool(self.backends):
            raise ValueError("a route has backends or a redirect, and not both")
        if self.rewrite and self.path_type != "Prefix":
            raise ValueError(f"rewrite replaces the beginning of a path, and path_type is {self.path_type}")
        if sum(backend.mirror for backend in self.backends) > 1:
            raise ValueError("a route has at most one mirror")
        return self


class _Bounds(setting_types.Section):
    host: setting_types.HostName
    routes: Annotated[tuple[_Route, ...], Field(min_length=1)]
    name: setting_types.HostName
    namespace: setting_types.Label = "default"
    tls: setting_types.HostName | None = None


class HTTPProxy(pulumi.ComponentResource):
    """The HTTPProxy of one host."""

    name: pulumi.Output[str]
    """The HTTPProxy object's name."""
    host: pulumi.Output[str]
    """The host name of the requests."""

    def __init__(self, name: str, args: HTTPProxyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares the HTTPProxy.

        name: the component's name, which begins the child's name.
        args: see HTTPProxyArgs.
        opts: Pulumi's options; the provider decides the cluster. Contour's definition of HTTPProxy has to be there
          first, so let the component depend on Contour.

        Raises ArgumentError for wrong arguments.
        """
        values = checked(f"HTTPProxy {name}", {"name": args.get("host", name), **args}, _Bounds)
        super().__init__("ingress-hops:index:HTTPProxy", name, values, opts)
        virtual_host: dict[str, Any] = {"fqdn": values["host"]}
        if values["tls"]:
            virtual_host["tls"] = {"secretName": values["tls"]}
        self._proxy = CustomResource(
            f"{name}-proxy",
            api_version="projectcontour.io/v1",
            kind="HTTPProxy",
            metadata={
                "name": values["name"],
                "namespace": values["namespace"],
                # A request that is answered is the better proof.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={"virtualhost": virtual_host, "routes": [_route(route) for route in values["routes"]]},
            opts=child(self, opts),
        )
        self.name = pulumi.Output.from_input(values["name"])
        self.host = pulumi.Output.from_input(values["host"])
        self.register_outputs({"name": self.name, "host": self.host})

    @property
    def proxy(self) -> CustomResource:
        """The HTTPProxy object. It exists before Contour serves it."""
        return self._proxy


def _route(route: Mapping[str, Any]) -> dict[str, Any]:
    key = {"Prefix": "prefix", "Exact": "exact", "Regex": "regex"}[route["path_type"]]
    whole: dict[str, Any] = {"conditions": [{key: route["path"]}, *route["conditions"]]}
    if route["redirect"]:
        own = {"host": "hostname", "status": "statusCode"}
        given = {own.get(key, key): value for key, value in route["redirect"].items() if value is not None}
        return {**whole, "requestRedirectPolicy": given}
    whole["services"] = [
        {
            "name": backend["service"],
            "port": backend["port"],
            **({"weight": backend["weight"]} if backend["weight"] is not None else {}),
            **({"mirror": True} if backend["mirror"] else {}),
            **({"protocol": backend["protocol"]} if backend["protocol"] else {}),
        }
        for backend in route["backends"]
    ]
    if route["rewrite"]:
        whole["pathRewritePolicy"] = {"replacePrefix": [{"replacement": route["rewrite"]}]}
    if route["timeout"]:
        whole["timeoutPolicy"] = {"response": route["timeout"]}
    if route["retries"] is not None:
        # Contour reads 0 as its default of 1, and -1 as none.
        whole["retryPolicy"] = {"count": route["retries"] or -1}
    if route["websocket"]:
        whole["enableWebsockets"] = True
    return whole
