"""The settings of one route of a service: which requests it takes, and what happens to them."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

from hops.model.hop import RouteCondition, route_name
from hops.model.regular_expressions import matches_whole
from hops.model.settings.setting_types import (
    PATH_BOUND,
    PATH_SEGMENTS,
    Duration,
    HeaderName,
    HeaderValue,
    HostName,
    Label,
    Origin,
    Port,
    QueryText,
    RoutePath,
    Section,
    ServiceName,
    Timeout,
    TLSSource,
    UrlPath,
    route_timeout,
)

Weight = Annotated[int, Field(ge=0, le=1_000_000)]


class RedirectSettings(Section):
    """Where a route sends the client instead of a pod. What is not set stays as the client asked it."""

    scheme: Literal["http", "https"] | None = Field(None, description="The new scheme.", examples=["https"])
    host: HostName | None = Field(None, description="The new host name.", examples=["www.shop.localhost"])
    port: Port | None = Field(None, description="The new port.", examples=[8443])
    path: UrlPath | None = Field(None, description="The new path, as a whole.", examples=["/moved"])
    prefix: UrlPath | None = Field(
        None, description="What replaces the matched beginning of the path.", examples=["/v2"]
    )
    status: Literal[301, 302] = Field(302, description="The status of the answer.", examples=[301])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if all(value is None for value in (self.scheme, self.host, self.port, self.path, self.prefix)):
            raise ValueError("a redirect without a target ends where it began; set scheme, host, port, path or prefix")
        if self.path and self.prefix:
            raise ValueError("path and prefix are both set; remove one of them")
        return self

    @property
    def target(self) -> str:
        """Where it sends to, with * for parts of the request that stay, such as https://*/*."""
        path = self.path or (f"{self.prefix.rstrip('/')}/*" if self.prefix else "/*")
        return f"{self.scheme or '*'}://{self.host or '*'}{f':{self.port}' if self.port else ''}{path}"


class HeaderMatch(Section):
    """A condition on a header of the request: exactly one of `exact`, `contains` and `present`."""

    name: HeaderName = Field(description="The header's name, in any case.", examples=["X-Canary"])
    exact: HeaderValue | None = Field(None, description="The header's whole value.", examples=["1"])
    contains: HeaderValue | None = Field(None, description="A part of the header's value.", examples=["beta"])
    present: bool | None = Field(
        None, description="Whether the request has the header, with any value.", examples=[False]
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        _check_one(self, "exact", "contains", "present")
        return self

    @property
    def condition(self) -> RouteCondition:
        """The condition as routes of every kind have it."""
        how, value = ("exact", self.exact) if self.exact else ("contains", self.contains or "")
        if self.present is not None:
            how, value = "present", ""
        return RouteCondition("header", self.name.lower(), how, value or "", negated=self.present is False)


class QueryMatch(Section):
    """A condition on a parameter of the query: exactly one of `exact`, `prefix`, `contains` and `present`."""

    name: QueryText = Field(description="The parameter's name.", examples=["version"])
    exact: QueryText | None = Field(None, description="The parameter's whole value.", examples=["2"])
    prefix: QueryText | None = Field(None, description="The beginning of the parameter's value.", examples=["v2-"])
    contains: QueryText | None = Field(None, description="A part of the parameter's value.", examples=["beta"])
    present: Literal[True] | None = Field(
        None, description="The query has the parameter, with any value.", examples=[True]
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        _check_one(self, "exact", "prefix", "contains", "present")
        return self

    @property
    def condition(self) -> RouteCondition:
        """The condition as routes of every kind have it."""
        given = {"exact": self.exact, "prefix": self.prefix, "contains": self.contains}
        how, value = next(((how, value) for how, value in given.items() if value), ("present", ""))
        return RouteCondition("query", self.name, how, value)


def _check_one(match: HeaderMatch | QueryMatch, *kinds: str) -> None:
    given = [kind for kind in kinds if getattr(match, kind) is not None]
    if len(given) != 1:
        *others, last = kinds
        has = " and ".join(given) or "none"
        raise ValueError(f"a condition has exactly one of {', '.join(others)} and {last}, and this one has {has}")


class MirrorSettings(Section):
    """A service of the stack, in the namespace of the route's own service, that gets a copy of each request."""

    service: ServiceName = Field(description="The service's name.", examples=["web-next"])
    port: Port | Label | None = Field(
        None, description="A port of that service, by number or name. Null means the first.", examples=["http"]
    )


class OtherBackend(MirrorSettings):
    """A service of the stack, in the namespace of the route's own service, that takes a share of the requests."""

    weight: Weight = Field(description="Its share is its weight divided by the sum of all weights.", examples=[10])


class HeaderChanges(Section):
    """Headers that Envoy sets and removes."""

    set: Mapping[HeaderName, HeaderValue] = Field(
        default_factory=dict,
        description="Values by name. A header that is there already is replaced.",
        examples=[{"X-Stage": "canary"}],
    )
    remove: tuple[HeaderName, ...] = Field((), description="The names of headers.", examples=[["X-Powered-By"]])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.set and not self.remove:
            raise ValueError("neither set nor remove has an entry; add one, or remove the key")
        names = [name.lower() for name in (*self.set, *self.remove)]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"the header {twice} is named twice in set and remove; name it once")
        return self


class CorsSettings(Section):
    """What pages of other origins may do with a host, as browsers enforce it."""

    allow_origin: Annotated[tuple[Origin, ...], Field(min_length=1)] = Field(
        description="The origins.", examples=[["https://shop.example"]]
    )
    allow_methods: Annotated[tuple[HeaderName, ...], Field(min_length=1)] = Field(
        ("GET", "HEAD", "POST"), description="The methods.", examples=[["GET", "PUT"]]
    )
    allow_headers: tuple[HeaderName, ...] = Field(
        (), description="The headers that a request may have.", examples=[["Authorization"]]
    )
    expose_headers: tuple[HeaderName, ...] = Field(
        (), description="The headers of an answer that a page may read.", examples=[["ETag"]]
    )
    allow_credentials: bool = Field(
        default=False, description="Whether a request may carry cookies and credentials.", examples=[True]
    )
    max_age: Duration | None = Field(
        None, description="How long a browser keeps the answer to its preflight request.", examples=["10m"]
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.allow_credentials and "*" in self.allow_origin:
            raise ValueError(
                "allowOrigin has *, and allowCredentials is true: every page could then use the credentials of a "
                "user; name the origins"
            )
        return self


class RateLimitSettings(Section):
    """How many requests a route takes. Each Envoy counts on its own."""

    requests: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        description="The requests in one unit of time. Envoy answers any more with 429.", examples=[100]
    )
    unit: Literal["second", "minute", "hour"] = Field("second", description="The unit of time.", examples=["minute"])
    burst: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        0, description="The requests beyond them that are taken at once.", examples=[20]
    )


_OF_PROXIES = ("cors", "idle_timeout", "rate_limit", "retries")
"""What only an HTTPProxy can express."""
MOST_ENTRIES = 16
"""Of a list in an HTTPRoute (Gateway API 1.3, apis/v1/httproute_types.go)."""
_ROUTE_PATH = re.compile(r"[-A-Za-z0-9/._~!$&'()*+,;=:@]+")
_OF_BACKENDS = (
    "weight",
    "others",
    "mirror",
    "retries",
    "idle_timeout",
    "request_headers",
    "response_headers",
    "rate_limit",
)


class RouteSettings(Section):
    """One way in: the requests that an object sends to the service, and how."""

    kind: Literal["Ingress", "HTTPProxy", "HTTPRoute"] = Field(
        "Ingress",
        description="The kind of the object. Contour reads all of them; an HTTPProxy can do most. With an HTTPRoute, "
        "the stack installs the Gateway API and a Gateway.",
        examples=["HTTPProxy"],
    )
    name: HostName = Field(
        description="The object's name. The default of the first Ingress is `SERVICE-ingress`, of the next "
        "`SERVICE-ingress-2`; of an HTTPRoute `SERVICE-route`; of an HTTPProxy it is `host`. The HTTPProxy routes of "
        "one host are one object.",
        examples=["shop-ingress"],
    )
    host: HostName = Field(
        description="The host name of the requests. The default is `SERVICE.localhost`.", examples=["shop.localhost"]
    )
    path_type: Literal["Prefix", "Exact", "Regex"] = Field(
        "Prefix",
        description="How `path` is compared: `Prefix` by whole segments (of an HTTPProxy by characters), `Exact` as a "
        "whole, `Regex` as a regular expression (RE2), which an Ingress cannot express.",
        examples=["Exact"],
    )
    path: RoutePath = Field("/", description="The path of the requests.", examples=["/shop"])
    request: UrlPath = Field(
        description="The path that the output `curl` asks for. The default is `path`; a regular expression has none.",
        examples=["/shop/health"],
    )
    port: Port | Label | None = Field(
        None, description="A port of the service, by number or name. Null means the first.", examples=["http"]
    )
    timeout: Timeout | None = Field(
        None,
        description="How long the pod may take to answer, `infinity` for any time. Null means Envoy's 15 s.",
        examples=["30s"],
    )
    websocket: bool = Field(default=False, description="Whether a request may become a WebSocket.", examples=[True])
    protocol: Literal["http", "h2c", "tls"] = Field(
        "http",
        description="What Envoy speaks to the pod: HTTP/1.1, HTTP/2 without TLS (gRPC), or TLS. All routes to a port "
        "have one.",
        examples=["h2c"],
    )
    rewrite: UrlPath | None = Field(
        None,
        description="HTTPProxy, HTTPRoute: what replaces `path` at the beginning of the pod's request.",
        examples=["/v1"],
    )
    redirect: RedirectSettings | None = Field(
        None,
        description="HTTPProxy, HTTPRoute: where Envoy sends the client. No pod is asked.",
        examples=[{"scheme": "https", "status": 301}],
    )
    headers: tuple[HeaderMatch, ...] = Field(
        (),
        description="HTTPProxy, HTTPRoute: conditions on headers; a request has to meet all of them.",
        examples=[[{"name": "X-Canary", "exact": "1"}]],
    )
    query: tuple[QueryMatch, ...] = Field(
        (),
        description="HTTPProxy, HTTPRoute: conditions on parameters of the query; a request has to meet all of them.",
        examples=[[{"name": "version", "exact": "2"}]],
    )
    weight: Weight | None = Field(
        None,
        description="HTTPProxy, HTTPRoute: the weight of the service itself, where `others` share the requests.",
        examples=[90],
    )
    others: tuple[OtherBackend, ...] = Field(
        (),
        description="HTTPProxy, HTTPRoute: services that share the requests: see the keys of "
        "services[].routes[].others[].",
        examples=[[{"service": "web-next", "weight": 10}]],
    )
    mirror: MirrorSettings | None = Field(
        None,
        description="HTTPProxy, HTTPRoute: a service that gets a copy of each request; its answers are dropped.",
        examples=[{"service": "web-next"}],
    )
    retries: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None,
        description="HTTPProxy: how often Envoy sends a request again that got a 5xx or no answer. Null means never.",
        examples=[2],
    )
    idle_timeout: Timeout | None = Field(
        None,
        description="HTTPProxy: how long a request or its answer may pause, `infinity` for any time. Null means "
        "Envoy's 5 minutes.",
        examples=["10m"],
    )
    request_headers: HeaderChanges | None = Field(
        None,
        description="HTTPProxy, HTTPRoute: what Envoy changes in the headers that the pod gets.",
        examples=[{"set": {"X-Stage": "canary"}}],
    )
    response_headers: HeaderChanges | None = Field(
        None,
        description="HTTPProxy, HTTPRoute: what Envoy changes in the headers that the client gets. Envoy writes "
        "`Server` and `Date` afterwards.",
        examples=[{"remove": ["X-Powered-By"]}],
    )
    cors: CorsSettings | None = Field(
        None,
        description="HTTPProxy: what pages of other origins may do. It applies to the whole host, so one of the host's "
        "routes sets it.",
        examples=[{"allowOrigin": ["https://shop.example"]}],
    )
    rate_limit: RateLimitSettings | None = Field(
        None,
        description="HTTPProxy: how many requests the route takes in a unit of time.",
        examples=[{"requests": 100, "unit": "minute"}],
    )
    tls: TLSSource = Field(
        None,
        description="`true`: https with a certificate of this machine's own authority (docs/tls.md). A text: https "
        "with the Secret of this name, of type kubernetes.io/tls, in the service's namespace. Null: plain HTTP.",
        examples=[True],
    )

    @field_validator("path")
    @classmethod
    def _as_compared(cls, path: str, info: ValidationInfo) -> str:
        regex = info.data.get("path_type") == "Regex"
        if not regex and set("?%") & set(path):
            raise ValueError(PATH_BOUND + ", unless pathType is Regex")
        if not regex and re.match(PATH_SEGMENTS, path) is None:
            raise ValueError(PATH_BOUND)
        if regex and matches_whole(path, "/") is None:
            raise ValueError("pathType is Regex, and Envoy cannot read path as a regular expression (RE2)")
        return path

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind == "Ingress":
            for key in ("rewrite", "redirect", "headers", "query", "cors", *_OF_BACKENDS):
                if getattr(self, key) not in (None, ()):
                    kinds = "HTTPProxy" if key in _OF_PROXIES else "HTTPProxy or HTTPRoute"
                    raise ValueError(f"{to_camel(key)} is set, which an Ingress cannot express; set kind to {kinds}")
            if self.path_type == "Regex":
                raise ValueError(
                    "pathType is Regex, which an Ingress cannot express; set kind to HTTPProxy or HTTPRoute"
                )
        if self.redirect:
            for key in ("port", "timeout", "rewrite", *_OF_BACKENDS):
                if getattr(self, key) not in (None, ()):
                    raise ValueError(
                        f"redirect and {to_camel(key)} are both set, and a redirect asks no pod; remove one of them"
                    )
            if self.websocket or self.protocol != "http":
                raise ValueError("redirect asks no pod; remove websocket and protocol")
        if self.path_type != "Prefix" and (self.rewrite or (self.redirect and self.redirect.prefix)):
            raise ValueError(
                f"pathType is {self.path_type}, and only the beginning of a path can be replaced; set it to Prefix"
            )
        return self

    @model_validator(mode="after")
    def _fits_http_route(self) -> Self:
        if self.kind != "HTTPRoute":
            return self
        for key in _OF_PROXIES:
            if getattr(self, key) is not None:
                raise ValueError(f"{to_camel(key)} is set, which an HTTPRoute cannot express; set kind to HTTPProxy")
        for part in ("headers", "query"):
            for number, match in enumerate(getattr(self, part)):
                if match.exact is None:
                    raise ValueError(
                        f"{part}[{number}] has no exact, and an HTTPRoute compares whole values only; set exact, or "
                        "set kind to HTTPProxy"
                    )
        if self.timeout:
            route_timeout(self.timeout)
        if self.path_type != "Regex" and _ROUTE_PATH.fullmatch(self.path) is None:
            raise ValueError(
                f"path is {self.path}, and the path of an HTTPRoute holds letters, digits and -/._~!$&'()*+,;=:@ only; "
                "write another path, or set kind to HTTPProxy"
            )
        changes = [changed for changed in (self.request_headers, self.response_headers) if changed]
        lists = (self.headers, self.query, (self, *self.others), *(part for c in changes for part in (c.set, c.remove)))
        if any(len(entries) > MOST_ENTRIES for entries in lists):
            raise ValueError(
                f"a list of an HTTPRoute has at most {MOST_ENTRIES} entries: conditions, backends, changed headers; "
                "remove some, or set kind to HTTPProxy"
            )
        return self

    @model_validator(mode="after")
    def _shared(self) -> Self:
        if bool(self.others) != (self.weight is not None):
            raise ValueError(
                "weight is the share of the service itself and others are the rest, so neither stands alone; set both"
            )
        if self.others and not self.weight and not any(other.weight for other in self.others):
            raise ValueError("all weights are 0, so no backend takes a request; raise one")
        return self

    @property
    def where(self) -> str:
        """Host, path and conditions, as findings and outputs tell routes apart."""
        return route_name(self.host, self.path, self.conditions)

    @property
    def conditions(self) -> tuple[RouteCondition, ...]:
        """Its conditions on headers and query."""
        return (*(match.condition for match in self.headers), *(match.condition for match in self.query))

    @property
    def asked(self) -> str:
        """The path that the output `curl` asks for, with a query that meets the conditions."""
        query = "&".join(f"{match.name}={match.condition.value or '1'}" for match in self.query)
        return f"{self.request}?{query}" if query else self.request

    @property
    def secret(self) -> str | None:
        """The name of the Secret with the certificate; None for plain HTTP. `tls: true` names it by the host."""
        return self.host if self.tls is True else self.tls

    @property
    def signed_elsewhere(self) -> bool:
        """Whether its certificate is in a Secret of somebody else: nobody here knows which authority signed it."""
        return isinstance(self.tls, str)
