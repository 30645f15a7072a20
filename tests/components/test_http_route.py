"""HTTPRoute and Gateway: arguments reach the objects of the Gateway API, and wrong ones are refused."""

from typing import Any

import pulumi
import pytest

from components import ArgumentError, Gateway, GatewayArgs, HTTPRoute, HTTPRouteArgs
from tests.recording import Recording, run

_WEB = {"service": "web", "port": 8080}


def route(**given: Any) -> dict[str, Any]:
    args: HTTPRouteArgs = {"host": "web.localhost", **given}  # type: ignore[typeddict-item]
    recording = run(lambda: HTTPRoute("web", args), Recording())
    found: dict[str, Any] = recording.one("HTTPRoute", "web-route").inputs
    return found


def rule(**given: Any) -> dict[str, Any]:
    (found,) = route(**given)["spec"]["rules"]
    whole: dict[str, Any] = found
    return whole


def gateway(*certificates: dict[str, str]) -> Recording:
    given: Any = {"certificates": list(certificates)}
    args: GatewayArgs = given
    return run(lambda: Gateway("gateway", args), Recording())


def test_what_is_left_out_has_a_default() -> None:
    found = route(backends=[_WEB])
    assert (found["metadata"]["name"], found["metadata"]["namespace"]) == ("web", "default")
    assert found["spec"] == {
        "parentRefs": [{"name": "contour", "namespace": "projectcontour", "sectionName": "http"}],
        "hostnames": ["web.localhost"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [{"name": "web", "port": 8080, "weight": 1}],
            }
        ],
    }


def test_conditions_weights_filters_and_a_timeout() -> None:
    found = rule(
        path="/a/[0-9]+",
        path_type="Regex",
        headers=[{"name": "X-Canary", "value": "1"}],
        query=[{"name": "v", "value": "2.*", "type": "RegularExpression"}],
        backends=[{**_WEB, "weight": 90}, {"service": "next", "port": 80, "weight": 10, "namespace": "other"}],
        mirror={"service": "copy", "port": 81},
        request_headers={"set": {"X-A": "1"}, "remove": ["X-B"]},
        response_headers={"remove": ["Server"]},
        timeout="infinity",
    )
    assert found == {
        "matches": [
            {
                "path": {"type": "RegularExpression", "value": "/a/[0-9]+"},
                "headers": [{"name": "X-Canary", "value": "1", "type": "Exact"}],
                "queryParams": [{"name": "v", "value": "2.*", "type": "RegularExpression"}],
            }
        ],
        "filters": [
            {
                "type": "RequestHeaderModifier",
                "requestHeaderModifier": {"set": [{"name": "X-A", "value": "1"}], "remove": ["X-B"]},
            },
            {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"remove": ["Server"]}},
            {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "copy", "port": 81}}},
        ],
        "backendRefs": [
            {"name": "web", "port": 8080, "weight": 90},
            {"name": "next", "port": 80, "weight": 10, "namespace": "other"},
        ],
        "timeouts": {"request": "0s"},
    }


def test_a_rewrite_and_a_redirect_have_the_gateway_apis_names() -> None:
    found = rule(backends=[_WEB], path="/v1", rewrite="/", timeout="30s")
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    assert found["filters"] == [{"type": "URLRewrite", "urlRewrite": {"path": path}}]
    assert found["timeouts"] == {"request": "30s"}
    moved = rule(redirect={"scheme": "https", "host": "b.test", "port": 8443, "prefix": "/v2", "status": 301})
    assert moved == {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "filters": [
            {
                "type": "RequestRedirect",
                "requestRedirect": {
                    "scheme": "https",
                    "hostname": "b.test",
                    "port": 8443,
                    "statusCode": 301,
                    "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2"},
                },
            }
        ],
    }
    whole = rule(redirect={"path": "/moved"})["filters"][0]["requestRedirect"]
    assert whole == {"statusCode": 302, "path": {"type": "ReplaceFullPath", "replaceFullPath": "/moved"}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "backends and redirect are both given or both missing"),
        ({"backends": [_WEB], "redirect": {"path": "/"}}, "both given"),
        ({"redirect": {"path": "/"}, "timeout": "1s"}, "a redirect asks no pod"),
        (
            {"backends": [_WEB], "path_type": "Exact", "path": "/a", "rewrite": "/"},
            "path_type is Exact; set it to Prefix",
        ),
        ({"backends": [_WEB], "timeout": "1.5s"}, "up to four whole numbers"),
        ({"backends": [_WEB] * 17}, "backends"),
        ({"backends": [{**_WEB, "weight": -1}]}, "at least 0"),
        ({"backends": [_WEB], "hosts": ["a"]}, "there is no argument hosts"),
    ],
)
def test_a_wrong_argument_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        route(**given)


def test_a_gateway_has_a_listener_for_every_kind_of_route() -> None:
    recording = gateway()
    assert recording.one("GatewayClass").inputs["spec"] == {"controllerName": "projectcontour.io/gateway-controller"}
    spec = recording.one("Gateway", "gateway-gateway").inputs["spec"]
    assert spec["gatewayClassName"] == recording.one("GatewayClass").inputs["metadata"]["name"]
    assert [(one["name"], one["protocol"], one["port"]) for one in spec["listeners"]] == [
        ("http", "HTTP", 80),
        ("https", "projectcontour.io/https", 443),
    ]
    assert not recording.of("ReferenceGrant")


def test_a_host_with_a_certificate_has_a_listener_and_a_grant() -> None:
    own = {"host": "c.localhost", "secret": "c", "namespace": "projectcontour"}
    pairs = [{"host": f"{name}.localhost", "secret": name, "namespace": "apps"} for name in ("a", "b")]
    recording = gateway(*pairs, own)
    listeners = recording.one("Gateway", "gateway-gateway").inputs["spec"]["listeners"]
    assert listeners[2] == {
        "name": "a.localhost",
        "protocol": "HTTPS",
        "port": 443,
        "hostname": "a.localhost",
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": "a", "namespace": "apps"}]},
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    assert len(listeners) == 5
    grant = recording.one("ReferenceGrant").inputs
    assert grant["metadata"]["namespace"] == "apps"
    assert grant["spec"] == {
        "from": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "projectcontour"}],
        "to": [{"group": "", "kind": "Secret", "name": "a"}, {"group": "", "kind": "Secret", "name": "b"}],
    }


def test_an_output_within_a_plain_argument_is_refused_by_its_place() -> None:
    def program() -> None:
        args: Any = {"host": "web.localhost", "backends": [{**_WEB, "service": pulumi.Output.from_input("web")}]}
        HTTPRoute("web", args)

    with pytest.raises(ArgumentError, match=r'^HTTPRoute web: the argument backends\[0\]\["service"\] is an Output'):
        run(program, Recording())
