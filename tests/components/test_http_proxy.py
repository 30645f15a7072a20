"""HTTPProxy: the routes of one host that Contour serves."""

from typing import Any

import pytest

from components import ArgumentError, HTTPProxy, HTTPProxyArgs
from tests.recording import Recording, run

_WEB = {"service": "web", "port": 8080}


def recorded(*routes: dict[str, Any], **changes: Any) -> Recording:
    given: Any = {"host": "web.localhost", "routes": list(routes)} | changes
    args: HTTPProxyArgs = given
    return run(lambda: HTTPProxy("web", args), Recording())


def declared(*routes: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = recorded(*routes, **changes).one("HTTPProxy", "web-proxy").inputs
    return found


def test_what_is_left_out_has_a_default() -> None:
    proxy = declared({"backends": [_WEB]})
    assert proxy["metadata"]["name"] == "web.localhost"
    assert proxy["metadata"]["namespace"] == "default"
    assert proxy["spec"] == {
        "virtualhost": {"fqdn": "web.localhost"},
        "routes": [{"conditions": [{"prefix": "/"}], "services": [{"name": "web", "port": 8080}]}],
    }


def test_weights_mirrors_retries_conditions_and_tls() -> None:
    backends = [{**_WEB, "weight": 90}, {**_WEB, "weight": 10, "protocol": "tls"}, {**_WEB, "mirror": True}]
    conditions = [{"header": {"name": "x-canary", "exact": "1"}}]
    route = {"path": "/a", "path_type": "Exact", "backends": backends, "retries": 0, "conditions": conditions}
    spec = declared(route, tls="certificate", name="own", namespace="apps")["spec"]
    assert spec["virtualhost"] == {"fqdn": "web.localhost", "tls": {"secretName": "certificate"}}
    assert spec["routes"] == [
        {
            "conditions": [{"exact": "/a"}, *conditions],
            "services": [
                {"name": "web", "port": 8080, "weight": 90},
                {"name": "web", "port": 8080, "weight": 10, "protocol": "tls"},
                {"name": "web", "port": 8080, "mirror": True},
            ],
            "retryPolicy": {"count": -1},
        }
    ]


def test_headers_rate_limit_timeouts_and_cors_have_contours_names() -> None:
    route = {
        "backends": [_WEB],
        "timeout": "1s",
        "idle_timeout": "2s",
        "request_headers": {"set": {"X-A": "1"}, "remove": ["X-B"]},
        "response_headers": {"remove": ["Server"]},
        "rate_limit": {"requests": 5, "unit": "minute", "burst": 2},
    }
    cors = {"allow_origin": ["https://a.example"], "expose_headers": ["ETag"], "max_age": "10m"}
    spec = declared(route, {"path": "/b", "backends": [_WEB], "idle_timeout": "3s"}, cors=cors)["spec"]
    assert spec["virtualhost"]["corsPolicy"] == {
        "allowOrigin": ["https://a.example"],
        "allowMethods": ["GET", "HEAD", "POST"],
        "exposeHeaders": ["ETag"],
        "maxAge": "10m",
    }
    first, second = spec["routes"]
    assert first["timeoutPolicy"] == {"response": "1s", "idle": "2s"}
    assert first["requestHeadersPolicy"] == {"set": [{"name": "X-A", "value": "1"}], "remove": ["X-B"]}
    assert first["responseHeadersPolicy"] == {"remove": ["Server"]}
    assert first["rateLimitPolicy"] == {"local": {"requests": 5, "unit": "minute", "burst": 2}}
    assert second["timeoutPolicy"] == {"idle": "3s"}
    assert set(second) == {"conditions", "services", "timeoutPolicy"}


def test_a_redirect_has_contours_names() -> None:
    (route,) = declared({"redirect": {"host": "b.test", "port": 8443, "prefix": "/v2"}})["spec"]["routes"]
    assert route["requestRedirectPolicy"] == {"hostname": "b.test", "port": 8443, "prefix": "/v2", "statusCode": 302}
    assert "services" not in route


@pytest.mark.parametrize(
    ("route", "bound"),
    [
        ({}, "backends or a redirect"),
        ({"backends": [_WEB], "redirect": {"port": 1}}, "backends or a redirect"),
        ({"backends": [{**_WEB, "port": 0}]}, "whole number of at least 1"),
        ({"backends": [_WEB], "path_type": "Exact", "rewrite": "/"}, "path_type is Exact"),
        ({"backends": [{**_WEB, "mirror": True}] * 2}, "at most one mirror"),
        ({"backends": [_WEB], "timeout": "1"}, "numbers with the units"),
        ({"backends": [_WEB], "idle_timeout": "1"}, "numbers with the units"),
        ({"backends": [_WEB], "request_headers": {}}, "neither set nor remove"),
        ({"backends": [_WEB], "rate_limit": {"requests": 0}}, "a whole number of at least 1"),
    ],
)
def test_a_wrong_route_is_refused(route: dict[str, Any], bound: str) -> None:
    with pytest.raises(ArgumentError, match=bound):
        recorded(route)
