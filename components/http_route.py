"""HTTPRoute: the requests that a listener of a Gateway sends to Services, by the Gateway API."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pydantic import Field

from components.arguments import ArgumentError, checked
from components.children import child
from components.gateway import PLAIN
from components.route_arguments import RouteHeaders, RouteRedirect
from hops.kubernetes.resources.resource import route_version
from hops.model.path import CONTOUR_NAMESPACE, GATEWAY
from hops.model.settings import route_settings, setting_types


class HTTPRouteMatch(TypedDict):
    """A condition on a header or on a parameter of the query."""

    name: str
    """The name of the header, in any case, or of the parameter."""
    value: str
    """The whole value, or a regular expression (RE2) for it."""
    type: NotRequired[str]
    """How the value is compared: Exact or RegularExpression. Default: Exact."""


class HTTPRouteBackend(TypedDict):
    """A Service that a route sends requests to."""

    service: str
    """The Service's name."""
    port: int
    """The Service's TCP port, 1 to 65535."""
    weight: NotRequired[int]
    """Its share of the requests among the route's backends, 0 to 1,000,000. Default: 1."""
    namespace: NotRequired[str | None]
    """The Service's namespace; another one than the route's needs a ReferenceGrant. Default: None, the route's."""


class HTTPRouteArgs(TypedDict):
    """The arguments of an HTTPRoute. All are plain values, so that the policies judge them in a preview."""

    host: str
    """The host name of the requests."""
    name: NotRequired[str]
    """The HTTPRoute object's name. Default: the component's name."""
    namespace: NotRequired[str]
    """The namespace of the HTTPRoute and of its Services. Default: default."""
    path: NotRequired[str]
    """The path of the requests. Default: /."""
    path_type: NotRequired[str]
    """How path is compared: Prefix by whole segments, Exact as a whole, Regex as a regular expression (RE2).
    Default: Prefix."""
    headers: NotRequired[Sequence[HTTPRouteMatch]]
    """Conditions on headers; a request has to meet all of them. At most 16. Default: none."""
    query: NotRequired[Sequence[HTTPRouteMatch]]
    """Conditions on parameters of the query; a request has to meet all of them. At most 16. Default: none."""
    backends: NotRequired[Sequence[HTTPRouteBackend]]
    """The Services that it leads to, at most 16. Default: none, which needs a redirect."""
    mirror: NotRequired[HTTPRouteBackend | None]
    """The Service that gets a copy of each request; its answers are dropped. Default: None."""
    rewrite: NotRequired[str | None]
    """What replaces path at the beginning of the pod's request; with Prefix only. Default: None."""
    redirect: NotRequired[RouteRedirect | None]
    """Where the client is sent. Default: None."""
    timeout: NotRequired[str | None]
    """How long the answer may take, such as 30s, or infinity. Default: None, Envoy's 15 s."""
    request_headers: NotRequired[RouteHeaders | None]
    """What Envoy changes in the headers that the pod gets. Default: None."""
    response_headers: NotRequired[RouteHeaders | None]
    """What Envoy changes in the headers that the client gets. Default: None."""
    listener: NotRequired[str]
    """The name of the Gateway's listener. Default: http; the component Gateway names a listener of TLS by its host."""
    gateway: NotRequired[str]
    """The Gateway's name. Default: contour."""
    gateway_namespace: NotRequired[str]
    """The Gateway's namespace. Default: projectcontour."""


class _Match(setting_types.Section):
    name: setting_types.QueryText
    value: Annotated[str, Field(min_length=1, max_length=1024)]
    type: Literal["Exact", "RegularExpression"] = "Exact"


class _Backend(setting_types.Section):
    service: setting_types.Label
    port: setting_types.Port
    weight: route_settings.Weight = 1
    namespace: setting_types.Label | None = None


_Matches = Annotated[tuple[_Match, ...], Field(max_length=route_settings.MOST_ENTRIES)]


class _Bounds(setting_types.Section):
    host: setting_types.HostName
    name: setting_types.HostName
    namespace: setting_types.Label = "default"
    path: setting_types.RoutePath = "/"
    path_type: Literal["Prefix", "Exact", "Regex"] = "Prefix"
    headers: _Matches = ()
    query: _Matches = ()
    backends: Annotated[tuple[_Backend, ...], Field(max_length=route_settings.MOST_ENTRIES)] = ()
    mirror: _Backend | None = None
    rewrite: setting_types.UrlPath | None = None
    redirect: route_settings.RedirectSettings | None = None
    timeout: setting_types.RouteTimeout | None = None
    request_headers: route_settings.HeaderChanges | None = None
    response_headers: route_settings.HeaderChanges | None = None
    listener: setting_types.HostName = PLAIN
    gateway: setting_types.HostName = GATEWAY
    gateway_namespace: setting_types.Label = CONTOUR_NAMESPACE


class HTTPRoute(pulumi.ComponentResource):
    """One rule of host, path and conditions, for the Services behind it."""

    name: pulumi.Output[str]
    """The HTTPRoute object's name."""
    host: pulumi.Output[str]
    """The host name of the requests."""

    def __init__(self, name: str, args: HTTPRouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declares the HTTPRoute.

        name: the component's name, which begins the child's name.
        args: see HTTPRouteArgs.
        opts: Pulumi's options; the provider decides the cluster. The definitions of the Gateway API have to be there
          first, so let the component depend on Contour or Gateway.

        Raises ArgumentError for wrong arguments.
        """
        values = checked(f"HTTPRoute {name}", {"name": name, **args}, _Bounds, HTTPRouteArgs)
        if problem := _problem(values):
            raise ArgumentError(f"HTTPRoute {name}: {problem}")
        super().__init__("ingress-hops:index:HTTPRoute", name, values, opts)
        self._route = CustomResource(
            f"{name}-route",
            api_version=route_version("HTTPRoute"),
            kind="HTTPRoute",
            metadata={
                "name": values["name"],
                "namespace": values["namespace"],
                # A request that is answered is the better proof.
                "annotations": {"pulumi.com/skipAwait": "true"},
            },
            spec={
                "parentRefs": [
                    {
                        "name": values["gateway"],
                        "namespace": values["gateway_namespace"],
                        "sectionName": values["listener"],
                    }
                ],
                "hostnames": [values["host"]],
                "rules": [_rule(values)],
            },
            opts=child(self, opts),
        )
        self.name = pulumi.Output.from_input(values["name"])
        self.host = pulumi.Output.from_input(values["host"])
        self.register_outputs({"name": self.name, "host": self.host})

    @property
    def route(self) -> CustomResource:
        """The HTTPRoute object. It exists before Contour serves it."""
        return self._route


def _problem(values: Mapping[str, Any]) -> str:
    """What is wrong between arguments, with the remedy; "" if nothing is."""
    redirect = values["redirect"] or {}
    if bool(values["backends"]) == bool(redirect):
        return "the arguments backends and redirect are both given or both missing; give one of them"
    if redirect and (values["mirror"] or values["rewrite"] or values["timeout"]):
        return "a redirect asks no pod; remove mirror, rewrite and timeout"
    if (values["rewrite"] or redirect.get("prefix")) and values["path_type"] != "Prefix":
        return f"only the beginning of a path can be replaced, and path_type is {values['path_type']}; set it to Prefix"
    return ""


def _rule(values: Mapping[str, Any]) -> dict[str, Any]:
    kind = {"Prefix": "PathPrefix", "Exact": "Exact", "Regex": "RegularExpression"}[values["path_type"]]
    match: dict[str, Any] = {"path": {"type": kind, "value": values["path"]}}
    match |= {key: values[given] for given, key in (("headers", "headers"), ("query", "queryParams")) if values[given]}
    rule: dict[str, Any] = {"matches": [match]}
    if filters := [*_filters(values)]:
        rule["filters"] = filters
    if values["backends"]:
        rule["backendRefs"] = [_reference(one) | {"weight": one["weight"]} for one in values["backends"]]
    if values["timeout"]:
        # The Gateway API says 0s for any time.
        rule["timeouts"] = {"request": "0s" if values["timeout"] == "infinity" else values["timeout"]}
    return rule


def _reference(backend: Mapping[str, Any]) -> dict[str, Any]:
    reference = {"name": backend["service"], "port": backend["port"]}
    return reference | ({"namespace": backend["namespace"]} if backend["namespace"] else {})


def _filters(values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for part in ("Request", "Response"):
        if changes := values[f"{part.lower()}_headers"]:
            added = [{"name": name, "value": value} for name, value in changes["set"].items()]
            modifier = {key: value for key, value in (("set", added), ("remove", changes["remove"])) if value}
            kind = f"{part}HeaderModifier"
            yield {"type": kind, f"{kind[0].lower()}{kind[1:]}": modifier}
    if values["mirror"]:
        yield {"type": "RequestMirror", "requestMirror": {"backendRef": _reference(values["mirror"])}}
    if values["rewrite"]:
        path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": values["rewrite"]}
        yield {"type": "URLRewrite", "urlRewrite": {"path": path}}
    if redirect := values["redirect"]:
        to = {"scheme": redirect["scheme"], "hostname": redirect["host"], "port": redirect["port"]}
        given = {key: value for key, value in to.items() if value is not None} | {"statusCode": redirect["status"]}
        for key, kind in (("path", "ReplaceFullPath"), ("prefix", "ReplacePrefixMatch")):
            if redirect[key]:
                given["path"] = {"type": kind, f"{kind[0].lower()}{kind[1:]}": redirect[key]}
        yield {"type": "RequestRedirect", "requestRedirect": given}
