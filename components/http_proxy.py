"""HTTPProxy: the routes of one host that Contour serves, with what an Ingress cannot express."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, Self, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from components.arguments import checked
from components.children import child
from components.route_arguments import RouteHeaders, RouteRedirect
from hops.model.settings import route_settings, setting_types


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


class HTTPProxyRateLimit(TypedDict):
    """How many requests a route takes. Each Envoy counts on its own."""

    requests: int
    """The requests in one unit of time, 1 to 1,000,000. Envoy answers any more with 429."""
    unit: NotRequired[str]
    """The unit of time: second, minute or hour. Default: second."""
    burst: NotRequired[int]
    """The requests beyond them that are taken at once, 0 to 1,000,000. Default: 0."""


class HTTPProxyCors(TypedDict):
    """What pages of other origins may do with the host, as browsers enforce it."""

    allow_origin: Sequence[str]
    """The origins, such as https://shop.example, or * for any; at least one."""
    allow_methods: NotRequired[Sequence[str]]
    """The methods. Default: GET, HEAD, POST."""
    allow_headers: NotRequired[Sequence[str]]
    """The headers that a request may have. Default: none."""
    expose_headers: NotRequired[Sequence[str]]
    """The headers of an answer that a page may read. Default: none."""
    allow_credentials: NotRequired[bool]
    """Whether a request may carry cookies and credentials; not together with the origin *. Default: false."""
    max_age: NotRequired[str | None]
    """How long a browser keeps the answer to its preflight request, such as 10m. Default: None, the browser's own."""


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
    redirect: NotRequired[RouteRedirect | None]
    """Where the client is sent. Default: None."""
    timeout: NotRequired[str | None]
    """How long the answer may take, such as 30s, or infinity. Default: None, Envoy's 15 s."""
    retries: NotRequired[int | None]
    """How many times a failed request is sent again, 0 to 100. Default: None, Contour's own."""
    websocket: NotRequired[bool]
    """Whether a request may become a WebSocket. Default: false."""
    idle_timeout: NotRequired[str | None]
    """How long a request or its answer may pause, such as 10m, or infinity. Default: None, Envoy's 5 minutes."""
    request_headers: NotRequired[RouteHeaders | None]
    """What Envoy changes in the headers that the pod gets. Default: None."""
    response_headers: NotRequired[RouteHeaders | None]
    """What Envoy changes in the headers that the client gets. Default: None."""
    rate_limit: NotRequired[HTTPProxyRateLimit | None]
    """How many requests the route takes. Default: None, any number."""


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
    cors: NotRequired[HTTPProxyCors | None]
    """What pages of other origins may do with the host. Default: None, Envoy leaves that to the pods."""
    class_name: NotRequired[str | None]
    """The ingress class of the Contour that serves it. Default: None, that of a Contour without a class of its own."""


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
    redirect: route_settings.RedirectSettings | None = None
    timeout: setting_types.Timeout | None = None
    retries: Annotated[int, Field(ge=0, le=100)] | None = None
    websocket: bool = False
    idle_timeout: setting_types.Timeout | None = None
    request_headers: route_settings.HeaderChanges | None = None
    response_headers: route_settings.HeaderChanges | None = None
    rate_limit: route_settings.RateLimitSettings | None = None

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
    cors: route_settings.CorsSettings | None = None
    class_name: setting_types.HostName | None = None


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
        values = checked(f"HTTPProxy {name}", {"name": args.get("host", name), **args}, _Bounds, HTTPProxyArgs)
        super().__init__("ingress-hops:index:HTTPProxy", name, values, opts)
        virtual_host: dict[str, Any] = {"fqdn": values["host"]}
        if values["tls"]:
            virtual_host["tls"] = {"secretName": values["tls"]}
        if values["cors"]:
            virtual_host["corsPolicy"] = {to_camel(key): value for key, value in values["cors"].items() if value}
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
            spec={
                **({"ingressClassName": values["class_name"]} if values["class_name"] else {}),
                "virtualhost": virtual_host,
                "routes": [_route(route) for route in values["routes"]],
            },
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
    timeouts = {"response": route["timeout"], "idle": route["idle_timeout"]}
    if any(timeouts.values()):
        whole["timeoutPolicy"] = {key: value for key, value in timeouts.items() if value}
    if route["retries"] is not None:
        # Contour reads 0 as its default of 1, and -1 as none.
        whole["retryPolicy"] = {"count": route["retries"] or -1}
    if route["websocket"]:
        whole["enableWebsockets"] = True
    for part in ("request", "response"):
        if changes := route[f"{part}_headers"]:
            added = [{"name": name, "value": value} for name, value in changes["set"].items()]
            policy = {"set": added, "remove": changes["remove"]}
            whole[f"{part}HeadersPolicy"] = {key: value for key, value in policy.items() if value}
    if route["rate_limit"]:
        whole["rateLimitPolicy"] = {"local": {key: value for key, value in route["rate_limit"].items() if value}}
    return whole
