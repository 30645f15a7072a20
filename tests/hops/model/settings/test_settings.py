"""Every key of a stack's configuration: what it defaults to, and what is said of a value that cannot work."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hops.model import versions
from hops.model.settings.problem_text import set_secret
from hops.model.settings.service_settings import amount
from hops.model.settings.stack_config import SettingsError, own_values, settings
from hops.model.settings.stack_settings import Settings


def refusal(config: dict[str, Any], stack: str = "alice") -> str:
    with pytest.raises(SettingsError) as caught:
        settings(stack, config)
    return str(caught.value)


def test_every_default() -> None:
    assert settings("alice", {}).model_dump(mode="json", by_alias=True) == {
        "cluster": {
            "existing": None,
            "name": "ingress-hops-alice",
            "workers": 1,
            "nodeImage": versions.NODE_IMAGE,
            "podSubnet": "10.244.0.0/16",
            "serviceSubnet": "10.96.0.0/16",
            "ipFamily": "ipv4",
            "podSubnetIPv6": "fd00:10:244::/56",
            "serviceSubnetIPv6": "fd00:10:96::/112",
            "listenAddress": "127.0.0.1",
            "listenAddressIPv6": "::1",
            "httpPort": 80,
            "httpsPort": 443,
            "publishingWorker": 1,
            "alsoPublish": [],
            "registries": {},
            "kubeconfigFolder": ".ingress-hops/kubeconfig",
        },
        "calico": {"encapsulation": "VXLANCrossSubnet", "blockSize": 26, "registry": None},
        "contour": {
            "replicas": 1,
            "registry": None,
            "envoyLogLevel": "info",
            "envoyNodes": "workers",
            "existing": None,
            "entrance": None,
        },
        "services": [
            {
                "name": "my-service",
                "namespace": "apps",
                "kind": "Pod",
                "pod": "my-service-pod",
                "ingress": "my-service-ingress",
                "image": "python:3.13-slim",
                "build": None,
                "pullSecret": None,
                "command": ["python", "-m", "http.server", "8080", "--directory", "/srv"],
                "args": [],
                "env": {},
                "files": {},
                "resources": None,
                "probes": None,
                "migration": None,
                "volumes": [],
                "user": 65534,
                "readOnlyRoot": True,
                "port": 8080,
                "ports": None,
                "admit": [],
                "replicas": 1,
                "host": "my-service.localhost",
                "path": "/",
                "request": "/",
                "tls": None,
                "clusterIP": None,
                "ipFamily": None,
                "routes": None,
            }
        ],
        "secrets": {},
        "policy": {"rules": {}},
    }


def test_derived_defaults_follow_name_port_and_path() -> None:
    (service,) = settings("alice", {"services": [{"name": "shop", "port": 9000, "path": "/cart"}]}).services
    assert (service.pod, service.ingress, service.host) == ("shop-pod", "shop-ingress", "shop.localhost")
    assert service.request == "/cart"
    assert service.command[3:] == ("9000", "--directory", "/srv")


def test_the_default_never_serves_the_root() -> None:
    assert "/" not in settings("alice", {}).services[0].command


@pytest.mark.parametrize(
    ("stack", "name"),
    [("local", "ingress-hops-local"), ("Alice.Dev", "ingress-hops-alice-dev"), ("a_b", "ingress-hops-a-b")],
)
def test_the_clusters_name_follows_from_the_stacks(stack: str, name: str) -> None:
    assert settings(stack, {}).cluster.name == name


def test_a_stacks_name_that_makes_no_clusters_name_is_reported() -> None:
    assert "ingress-hops:cluster.name is" in refusal({}, stack="a" * 40)
    assert "1 to 49" in refusal({}, stack="a" * 40)


def test_the_node_image_of_the_environment_yields_to_the_stacks() -> None:
    assert settings("alice", {}, "kindest/node:v1.34.1").cluster.node_image == "kindest/node:v1.34.1"
    named = settings("alice", {"cluster": {"nodeImage": "mine:1"}}, "kindest/node:v1.34.1")
    assert named.cluster.node_image == "mine:1"


def test_settings_are_frozen(seed: Settings) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        seed.cluster.http_port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        seed.services[0].port = 1  # type: ignore[misc]


GOOD: list[tuple[str, str, Any]] = [
    ("cluster", "existing", "kind-mine"),
    ("cluster", "name", "a" * 49),
    ("cluster", "workers", 9),
    ("cluster", "nodeImage", "registry.example:5000/kindest/node:v1.34.8@sha256:" + "0" * 64),
    ("cluster", "podSubnet", "100.0.0.0/8"),
    ("cluster", "serviceSubnet", "172.16.0.0/12"),
    ("cluster", "listenAddress", "0.0.0.0"),
    ("cluster", "ipFamily", "ipv4"),
    ("cluster", "ipFamily", "dual"),
    ("cluster", "ipFamily", "ipv6"),
    ("cluster", "podSubnetIPv6", "fd00::/48"),
    ("cluster", "podSubnetIPv6", "fd00:10:244::/60"),
    ("cluster", "serviceSubnetIPv6", "fd00:10:96::/108"),
    ("cluster", "serviceSubnetIPv6", "fd00:10:96::/120"),
    ("cluster", "listenAddressIPv6", "::"),
    ("service", "ipFamily", "dual"),
    ("service", "ipFamily", "ipv6"),
    ("cluster", "httpPort", 65535),
    ("cluster", "httpsPort", None),
    ("cluster", "publishingWorker", 1),
    ("cluster", "alsoPublish", []),
    ("cluster", "registries", {"docker.io": ["http://mirror:5000"]}),
    ("cluster", "kubeconfigFolder", "~/.kube/hops"),
    ("calico", "encapsulation", "VXLAN"),
    ("calico", "encapsulation", "None"),
    ("calico", "blockSize", 20),
    ("calico", "blockSize", 32),
    ("calico", "registry", "registry.example:5000/mirror"),
    ("contour", "replicas", 5),
    ("contour", "registry", "registry.example"),
    ("contour", "envoyLogLevel", "debug"),
    ("contour", "envoyNodes", "publishing"),
    ("contour", "existing", "ingress/contour-2"),
    ("contour", "entrance", "HostPort"),
    ("service", "name", "a" * 55),
    ("service", "namespace", "default"),
    ("service", "kind", "Deployment"),
    ("service", "kind", "Pod"),
    ("service", "pod", "p"),
    ("service", "ingress", "i"),
    *(
        ("service", "image", image)
        for image in (
            "python",
            "localhost:5000/a/b:1",
            "Registry.example.com/a__b/c-d.e:V_1",
            f"a:1@sha256:{'0f' * 32}",
        )
    ),
    ("service", "pullSecret", {"secretName": "login"}),
    ("service", "build", {"context": "web", "dockerfile": "Dockerfile", "target": "prod", "args": {"KEY": "1"}}),
    ("service", "command", ["true"]),
    ("service", "args", ["--verbose"]),
    ("service", "env", {"MODE": "dev", "_x1": ""}),
    ("service", "files", {"/etc/shop/shop.ini": "a = 1\n", "/etc/shop/.hidden": "", "/etc/a..b": ""}),
    ("service", "resources", {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"cpu": "0.1"}}),
    ("service", "resources", {"requests": {"ephemeral-storage": "1Ti"}, "limits": {}}),
    (
        "service",
        "probes",
        {
            "readiness": {"http": "/", "tcp": None, "exec": None, "grpc": None, "port": "http", "period": 5},
            "liveness": None,
            "startup": None,
        },
    ),
    ("service", "volumes", [{"path": "/cache", "size": None}, {"path": "/data", "size": "1Gi"}]),
    ("service", "migration", {"command": ["migrate"], "retries": 10}),
    ("service", "user", 0),
    ("service", "user", 2147483647),
    ("service", "readOnlyRoot", False),
    ("service", "port", 1),
    (
        "service",
        "ports",
        [{"name": "a" * 15, "port": 80, "targetPort": 3000}, {"name": "9-a", "port": 65535, "targetPort": None}],
    ),
    ("service", "admit", ["my-service", "apps/my-service"]),
    ("service", "replicas", 20),
    ("service", "host", "a.b-c.example"),
    ("service", "path", "/a/b"),
    ("service", "request", "/a/passwd"),
    ("service", "tls", "my-certificate"),
    ("service", "tls", True),
    ("service", "clusterIP", "10.96.106.9"),
    ("service", "routes", None),
]


def config_of(section: str, key: str, value: Any) -> dict[str, Any]:
    if key.endswith("IPv6") or (section, key) == ("service", "ipFamily"):
        cluster = {"ipFamily": "dual"} | ({key: value} if section == "cluster" else {})
        return {"cluster": cluster} | ({"services": [{key: value}]} if section == "service" else {})
    secrets = {"secrets": {"login": {"secure": "v1:abc"}}} if key == "pullSecret" else {}
    if section == "service":
        return {"services": [{key: value}], **secrets}
    # Only an existing cluster has another entrance.
    cluster = {"cluster": {"existing": "prod"}} if key in ("existing", "entrance") else {}
    return {**cluster, section: {key: value}}


GOOD_ROUTES: list[dict[str, Any]] = [
    {"kind": "HTTPProxy", "path": "/a", "rewrite": "/"},
    {"kind": "HTTPProxy", "redirect": {"scheme": "https", "status": 301}},
    {"kind": "HTTPProxy", "redirect": {"prefix": "/v2"}},
    {"pathType": "Exact", "path": "/a"},
    {"kind": "HTTPProxy", "pathType": "Regex", "path": "/a/.*?", "request": "/a/b"},
    {"port": "http"},
    {"port": 8080, "protocol": "h2c", "websocket": True},
    {"timeout": "1m30s"},
    {"timeout": "0.5s"},
    {"timeout": "infinity"},
    {"name": "any.name", "host": "a.b", "tls": "certificate"},
    {"kind": "HTTPProxy", "headers": [{"name": "X-Canary", "exact": "1"}, {"name": "X-Old", "present": False}]},
    {"kind": "HTTPProxy", "headers": [{"name": "X-Canary", "contains": "a b"}, {"name": "X-New", "present": True}]},
    {"kind": "HTTPProxy", "query": [{"name": "v", "exact": "2"}, {"name": "w", "prefix": "3"}]},
    {"kind": "HTTPProxy", "query": [{"name": "v", "contains": "2"}, {"name": "w", "present": True}]},
    {"kind": "HTTPProxy", "weight": 0, "others": [{"service": "next", "weight": 1_000_000, "port": "http"}]},
    {"kind": "HTTPProxy", "mirror": {"service": "next", "port": 8080}},
    {"kind": "HTTPProxy", "retries": 100, "idleTimeout": "infinity"},
    {"kind": "HTTPProxy", "requestHeaders": {"set": {"X-A": "b c"}, "remove": ["X-D"]}},
    {"kind": "HTTPProxy", "responseHeaders": {"remove": ["Server"]}},
    {"kind": "HTTPProxy", "cors": {"allowOrigin": ["*"], "allowMethods": ["PUT"], "maxAge": "10m"}},
    {"kind": "HTTPProxy", "cors": {"allowOrigin": ["https://a.example:8443"], "allowCredentials": True}},
    {"kind": "HTTPProxy", "cors": {"allowOrigin": ["*"], "allowHeaders": ["X-A"], "exposeHeaders": ["ETag"]}},
    {"kind": "HTTPProxy", "rateLimit": {"requests": 1, "unit": "hour", "burst": 0}},
    {"kind": "HTTPProxy", "redirect": {"port": 1}, "headers": [{"name": "X-A", "exact": "1"}]},
    {"kind": "HTTPRoute", "path": "/a", "rewrite": "/", "timeout": "1s500ms", "websocket": True, "protocol": "h2c"},
    {"kind": "HTTPRoute", "redirect": {"scheme": "https", "status": 301}, "tls": True},
    {"kind": "HTTPRoute", "pathType": "Regex", "path": "/a/.{2}", "request": "/a/bb", "timeout": "infinity"},
    {"kind": "HTTPRoute", "headers": [{"name": "X-A", "exact": "1"}] * 16, "query": [{"name": "v", "exact": "2"}]},
    {"kind": "HTTPRoute", "weight": 9, "others": [{"service": "next", "weight": 1}], "mirror": {"service": "next"}},
    {"kind": "HTTPRoute", "requestHeaders": {"set": {"X-A": "b"}}, "responseHeaders": {"remove": ["Server"]}},
]


@pytest.mark.parametrize("route", GOOD_ROUTES)
def test_routes_that_contour_can_serve_are_taken(route: dict[str, Any]) -> None:
    both = [{"name": "web", "routes": [route]}, {"name": "next"}]
    service, _ = settings("alice", {"services": both}).services
    (taken,) = service.routes
    dumped = taken.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert {key: dumped[key] for key in route} == route
    again = type(service).model_validate_json(service.model_dump_json(by_alias=True))
    assert again.routes == service.routes


@pytest.mark.parametrize(
    ("route", "place", "bound"),
    [
        ({"kind": "GRPCRoute"}, ".kind", "'Ingress', 'HTTPProxy' or 'HTTPRoute'"),
        (
            {"kind": "HTTPRoute", "retries": 1},
            "",
            "retries is set, which an HTTPRoute cannot express; set kind to HTTPProxy",
        ),
        ({"kind": "HTTPRoute", "idleTimeout": "1s"}, "", "idleTimeout is set, which an HTTPRoute cannot express"),
        ({"kind": "HTTPRoute", "rateLimit": {"requests": 1}}, "", "rateLimit is set, which an HTTPRoute cannot"),
        ({"kind": "HTTPRoute", "cors": {"allowOrigin": ["*"]}}, "", "cors is set, which an HTTPRoute cannot express"),
        (
            {"kind": "HTTPRoute", "headers": [{"name": "A", "exact": "1"}, {"name": "B", "contains": "1"}]},
            "",
            "headers[1] has no exact, and an HTTPRoute compares whole values only; set exact",
        ),
        ({"kind": "HTTPRoute", "query": [{"name": "A", "present": True}]}, "", "query[0] has no exact"),
        ({"kind": "HTTPRoute", "timeout": "1.5s"}, "", "up to four whole numbers of at most five digits"),
        ({"kind": "HTTPRoute", "timeout": "100000ms"}, "", "up to four whole numbers of at most five digits"),
        ({"kind": "HTTPRoute", "path": "/é"}, "", "path is /é, and the path of an HTTPRoute holds letters, digits"),
        ({"kind": "HTTPRoute", "headers": [{"name": "A", "exact": "1"}] * 17}, "", "has at most 16 entries"),
        ({"kind": "HTTPRoute", "requestHeaders": {"remove": [f"A{n}" for n in range(17)]}}, "", "at most 16 entries"),
        ({"rewrite": "/"}, "", "rewrite is set, which an Ingress cannot express; set kind to HTTPProxy or HTTPRoute"),
        ({"rewrite": "/"}, "", "an Ingress cannot express; set kind to HTTPProxy"),
        ({"redirect": {"path": "/"}}, "", "an Ingress cannot express; set kind to HTTPProxy"),
        ({"kind": "HTTPProxy", "redirect": {}}, ".redirect", "set scheme, host, port, path or prefix"),
        ({"kind": "HTTPProxy", "redirect": {"path": "/", "prefix": "/"}}, ".redirect", "remove one of them"),
        ({"kind": "HTTPProxy", "redirect": {"prt": 1}}, ".redirect.prt", "did you mean port?"),
        ({"kind": "HTTPProxy", "redirect": {"port": 1}, "rewrite": "/"}, "", "a redirect asks no pod"),
        ({"kind": "HTTPProxy", "redirect": {"port": 1}, "websocket": True}, "", "remove websocket and protocol"),
        ({"kind": "HTTPProxy", "pathType": "Exact", "path": "/a", "rewrite": "/"}, "", "set it to Prefix"),
        (
            {"pathType": "Regex", "path": "/a.*", "request": "/a"},
            "",
            "an Ingress cannot express; set kind to HTTPProxy",
        ),
        ({"kind": "HTTPProxy", "pathType": "Regex", "path": "/a(", "request": "/a"}, ".path", "Envoy cannot read path"),
        ({"kind": "HTTPProxy", "pathType": "Regex", "path": "/a.*"}, ".request", "is missing"),
        ({"path": "/a?b"}, ".path", "unless pathType is Regex"),
        ({"path": "a"}, ".path", "starts with /"),
        ({"timeout": "30"}, ".timeout", "numbers with the units"),
        ({"timeout": "0s"}, ".timeout", "more than 0"),
        ({"host": "Web"}, ".host", "lower-case"),
        ({"websockets": True}, ".websockets", "did you mean websocket?"),
        ({"retries": 2}, "", "retries is set, which an Ingress cannot express; set kind to HTTPProxy"),
        ({"rateLimit": {"requests": 1}}, "", "rateLimit is set, which an Ingress cannot express"),
        ({"cors": {"allowOrigin": ["*"]}}, "", "cors is set, which an Ingress cannot express"),
        ({"headers": [{"name": "A", "exact": "1"}]}, "", "headers is set, which an Ingress cannot express"),
        ({"kind": "HTTPProxy", "redirect": {"port": 1}, "idleTimeout": "1s"}, "", "redirect and idleTimeout are both"),
        (
            {"kind": "HTTPProxy", "headers": [{"name": "A"}]},
            ".headers[0]",
            "and present, and this one has none",
        ),
        (
            {"kind": "HTTPProxy", "headers": [{"name": "A", "exact": "1", "present": True}]},
            ".headers[0]",
            "exact and present",
        ),
        ({"kind": "HTTPProxy", "headers": [{"name": "A:", "exact": "1"}]}, ".headers[0].name", "letters, digits"),
        ({"kind": "HTTPProxy", "headers": [{"name": "A", "exact": " 1"}]}, ".headers[0].exact", "visible ASCII"),
        ({"kind": "HTTPProxy", "headers": [{"name": "A", "exact": "1\r\nB: 2"}]}, ".headers[0].exact", "visible ASCII"),
        (
            {"kind": "HTTPProxy", "headers": [{"name": "A", "exac": "1", "exact": "1"}]},
            ".headers[0].exac",
            "did you mean exact?",
        ),
        ({"kind": "HTTPProxy", "query": [{"name": "a b", "exact": "1"}]}, ".query[0].name", "letters, digits"),
        ({"kind": "HTTPProxy", "query": [{"name": "a", "exact": "1", "prefix": "2"}]}, ".query[0]", "exact and prefix"),
        ({"kind": "HTTPProxy", "query": [{"name": "a", "present": False}]}, ".query[0].present", "True"),
        ({"kind": "HTTPProxy", "weight": 1}, "", "neither stands alone; set both"),
        ({"kind": "HTTPProxy", "others": [{"service": "a", "weight": 1}]}, "", "neither stands alone; set both"),
        ({"kind": "HTTPProxy", "weight": 0, "others": [{"service": "a", "weight": 0}]}, "", "all weights are 0"),
        ({"kind": "HTTPProxy", "weight": -1}, ".weight", "a whole number from 0 to 1000000"),
        ({"kind": "HTTPProxy", "mirror": {"service": "A"}}, ".mirror.service", "lower-case"),
        ({"kind": "HTTPProxy", "retries": 0}, ".retries", "a whole number from 1 to 100"),
        ({"kind": "HTTPProxy", "idleTimeout": "1"}, ".idleTimeout", "numbers with the units"),
        ({"kind": "HTTPProxy", "requestHeaders": {}}, ".requestHeaders", "neither set nor remove has an entry"),
        (
            {"kind": "HTTPProxy", "responseHeaders": {"set": {"A": "1"}, "remove": ["a"]}},
            ".responseHeaders",
            "named twice",
        ),
        ({"kind": "HTTPProxy", "cors": {"allowOrigin": []}}, ".cors.allowOrigin", "at least one entry"),
        ({"kind": "HTTPProxy", "cors": {"allowOrigin": ["a.example"]}}, ".cors.allowOrigin[0]", "http:// or https://"),
        (
            {"kind": "HTTPProxy", "cors": {"allowOrigin": ["*"], "allowCredentials": True}},
            ".cors",
            "name the origins",
        ),
        ({"kind": "HTTPProxy", "cors": {"allowOrigin": ["*"], "maxAge": "infinity"}}, ".cors.maxAge", "such as 30s"),
        (
            {"kind": "HTTPProxy", "rateLimit": {"requests": 0}},
            ".rateLimit.requests",
            "a whole number from 1 to 1000000",
        ),
        ({"kind": "HTTPProxy", "rateLimit": {"requests": 1, "unit": "day"}}, ".rateLimit.unit", "'second', 'minute'"),
    ],
)
def test_a_wrong_route_is_reported_in_one_line(route: dict[str, Any], place: str, bound: str) -> None:
    message = refusal({"services": [{"name": "web", "routes": [route]}]})
    assert "\n" not in message
    assert message.startswith(f"ingress-hops:services[0].routes[0]{place}")
    assert bound in message


PROXY: dict[str, Any] = {"kind": "HTTPProxy"}
ROUTE: dict[str, Any] = {"kind": "HTTPRoute"}
NEXT: dict[str, Any] = {"name": "next"}
PORTS: list[dict[str, Any]] = [
    {"name": "web", "port": 80, "targetPort": 3000},
    {"name": "rpc", "port": 81},
    {"name": "old", "port": 82, "targetPort": 3000},
]


@pytest.mark.parametrize(
    ("services", "bound"),
    [
        ([{"host": "a.b", "path": "/", "routes": []}, {"name": "b"}], "routes and host, path are both set"),
        ([{"routes": []}], "no service has a route"),
        ([{"routes": [{"port": 81}]}], "the port 81, and the service has the port http (8080)"),
        ([{"routes": [{"protocol": "h2c"}, {"path": "/b"}]}], "the port http (8080) have the protocols h2c and http"),
        ([{"ports": PORTS, "routes": [{"port": 3000}]}], "has the ports web (80), rpc (81) and old (82)"),
        (
            [{"ports": PORTS, "routes": [{"port": 81}, {"port": "rpc", "path": "/b", "protocol": "h2c"}]}],
            "rpc (81) have",
        ),
        ([{"ports": PORTS, "port": 80}], "my-service has port and ports; remove port"),
        ([{"ports": [*PORTS, {"name": "x", "port": 81}]}], "two of the ports have the port 81; give one another"),
        ([{"ports": [*PORTS, {"name": "web", "port": 9}]}], "two of the ports have the name web; give one another"),
        ([{"ports": [{"name": "a--b", "port": 81}]}], "a port's name is 1 to 15 lower-case letters"),
        ([{"ports": [{"name": "80", "port": 81}]}], "with at least one letter"),
        ([{"ports": [{"name": "a", "prt": 81, "port": 1}]}], "ports[0].prt: there is no such key; did you mean port?"),
        ([{"routes": [{}, {"kind": "HTTPProxy"}]}], "two routes of my-service claim the host and path"),
        (
            [{"name": "a", "host": "x"}, {"name": "b", "routes": [{"host": "x"}]}],
            "a and b both claim the host and path",
        ),
        ([{"routes": [{"name": "a"}, {"name": "a", "path": "/b"}]}], "claim the ingress apps/a"),
        ([{"routes": [{**ROUTE, "name": "a"}, {**ROUTE, "name": "a", "path": "/b"}]}], "claim the httproute apps/a"),
        (
            [{"name": "a", "routes": [ROUTE]}, {"name": "b", "routes": [{**ROUTE, "host": "a.localhost"}]}],
            "a and b both claim the host and path a.localhost/",
        ),
        (
            [{"name": "a", "routes": [{**ROUTE, "tls": "t"}, {**ROUTE, "path": "/b"}]}],
            "a.localhost has HTTPRoutes with tls and without",
        ),
        (
            [{"name": "a", "routes": [{**ROUTE, "host": f"{n}.localhost", "tls": "t"} for n in range(63)]}],
            "63 hosts have HTTPRoutes with tls, and the Gateway has listeners for at most 62",
        ),
        (
            [
                {"name": "a", "routes": [{"kind": "HTTPProxy", "host": "x"}]},
                {"name": "b", "namespace": "b", "routes": [{"kind": "HTTPProxy", "host": "x", "path": "/b"}]},
            ],
            "Contour serves one of a host",
        ),
        (
            [{"routes": [{"kind": "HTTPProxy", "tls": "t"}, {"kind": "HTTPProxy", "path": "/b"}]}],
            "has two values of tls",
        ),
        (
            [
                {
                    "name": "a",
                    "routes": [
                        {"kind": "HTTPProxy", "host": "x", "cors": {"allowOrigin": ["*"]}},
                        {"kind": "HTTPProxy", "host": "x", "path": "/b", "cors": {"allowOrigin": ["http://a"]}},
                    ],
                }
            ],
            "the HTTPProxy of x has two values of cors",
        ),
        (
            [{"name": "a", "routes": [{**PROXY, "weight": 1, "others": [{"service": "nxt", "weight": 1}]}]}, NEXT],
            "others[0].service is nxt, and no service of the namespace apps has this name; did you mean next?",
        ),
        (
            [{"name": "a", "routes": [{**PROXY, "mirror": {"service": "next", "port": 9}}]}, NEXT],
            "services[0].routes[0].mirror.port is 9, and next has the port http (8080); take one of these, or remove",
        ),
        (
            [{"name": "a", "routes": [{**PROXY, "mirror": {"service": "next"}}]}, {**NEXT, "namespace": "other"}],
            "no service of the namespace apps has this name",
        ),
        (
            [{"name": "a", "routes": [{**PROXY, "weight": 1, "others": [{"service": "a", "weight": 1}]}]}],
            "services[0].routes[0].others: a:8080 shares the requests twice",
        ),
        (
            [
                {
                    "name": "a",
                    "routes": [
                        {**PROXY, "headers": [{"name": "X-A", "exact": "1"}, {"name": "X-B", "exact": "1"}]},
                        {**PROXY, "headers": [{"name": "x-b", "exact": "1"}, {"name": "x-a", "exact": "1"}]},
                    ],
                }
            ],
            "two routes of a claim the host and path a.localhost/ (header x-a exact 1) (header x-b exact 1)",
        ),
    ],
)
def test_routes_that_contradict_each_other_are_reported(services: list[dict[str, Any]], bound: str) -> None:
    message = refusal({"services": services})
    assert "\n" not in message
    assert bound in message


@pytest.mark.parametrize(
    ("service", "bound"),
    [
        ({"image": "shop:1"}, "web has kind Service and image, and the stack makes no pods for it; remove image"),
        ({"command": ["a"], "replicas": 2}, "web has kind Service and command, replicas,"),
        ({"env": {"A": "b"}, "readOnlyRoot": False}, "web has kind Service and env, readOnlyRoot,"),
        ({"pod": "other", "admit": ["api"]}, "web has kind Service and pod, admit,"),
        ({"clusterIP": "10.96.0.50"}, "web has kind Service and clusterIP,"),
        ({"ports": PORTS}, "web has kind Service and the targetPort 3000, which the Service decides"),
        ({"routes": []}, "web has kind Service and no route, so it has no effect"),
        ({"routes": [{"protocol": "h2c"}]}, "the stack does not make this Service; set kind to HTTPProxy"),
        ({"routes": [{**ROUTE, "protocol": "tls"}]}, "is an HTTPRoute with protocol tls"),
    ],
)
def test_a_service_that_the_stack_does_not_make_has_routes_only(service: dict[str, Any], bound: str) -> None:
    message = refusal({"services": [{"name": "web", "kind": "Service", **service}, {"name": "api"}]})
    assert "\n" not in message
    assert bound in message


def test_a_service_that_the_stack_does_not_make_is_not_admitted() -> None:
    services = [{"name": "web", "kind": "Service"}, {"name": "api", "admit": ["web"]}]
    assert "services[1].admit[0] is web, which has kind Service" in refusal({"services": services})


def test_a_service_that_the_stack_does_not_make_is_read_again_as_it_was_written() -> None:
    proxy = {"kind": "HTTPProxy", "protocol": "h2c", "port": "rpc"}
    service = {"name": "web", "kind": "Service", "ports": [{"name": "rpc", "port": 81}], "routes": [proxy]}
    # The pod of another service can have the name that its own would have.
    of = settings("a", {"services": [service, {"name": "api", "pod": "web-pod"}]})
    assert (of.services[0].pods, of.services[0].command) == ((), ())
    assert list(of.foreign) == ["apps/web"]
    written = of.model_dump(mode="json", by_alias=True)
    assert settings("a", written) == of


def test_routes_have_derived_names_hosts_and_requests() -> None:
    proxy = {"kind": "HTTPProxy", "path": "/c"}
    routes = [{}, {"path": "/b"}, proxy, {**ROUTE, "path": "/d"}, {**ROUTE, "path": "/e"}]
    (web,) = settings("alice", {"services": [{"name": "web", "routes": routes}]}).services
    assert [(route.name, route.where, route.request) for route in web.routes] == [
        ("web-ingress", "web.localhost/", "/"),
        ("web-ingress-2", "web.localhost/b", "/b"),
        ("web.localhost", "web.localhost/c", "/c"),
        ("web-route", "web.localhost/d", "/d"),
        ("web-route-2", "web.localhost/e", "/e"),
    ]


def test_the_hosts_of_httproutes_with_tls_have_the_first_secret() -> None:
    def of(*routes: dict[str, Any]) -> Any:
        both = [{"name": "web", "routes": list(routes)}, {"name": "b", "namespace": "b", "routes": list(routes[:1])}]
        both[1]["routes"] = [{**one, "path": "/b"} for one in routes[:1]]
        return settings("alice", {"services": both}).gateway_hosts

    assert of({"host": "a", "tls": True}, {**PROXY, "host": "b"}) is None
    assert of({**ROUTE, "host": "a"}) == {}
    secure = {**ROUTE, "host": "a", "tls": True}
    assert of(secure, {**secure, "path": "/c"}, {**ROUTE, "host": "d", "tls": "own"}) == {
        "a": ("apps", "a"),
        "d": ("apps", "own"),
    }


def test_routes_of_one_path_are_distinguished_by_their_conditions() -> None:
    headers = [{"name": "X-A", "exact": "1"}, {"name": "X-B", "present": False}]
    routes = [PROXY, {**PROXY, "headers": headers, "query": [{"name": "V", "prefix": "2"}]}]
    (web,) = settings("alice", {"services": [{"name": "web", "routes": routes}]}).services
    assert [(route.where, route.asked) for route in web.routes] == [
        ("web.localhost/", "/"),
        ("web.localhost/ (header x-a exact 1) (header x-b not present) (query V prefix 2)", "/?V=2"),
    ]


def test_a_route_chooses_one_of_several_ports() -> None:
    routes = [{}, {"path": "/b", "port": "rpc", "protocol": "h2c"}, {"path": "/c", "port": 81, "protocol": "h2c"}]
    (web,) = settings("alice", {"services": [{"ports": PORTS, "routes": routes}]}).services
    assert [web.port_of(route).target for route in web.routes] == [3000, 81, 81]
    assert [web.protocol_of(port) for port in web.ports] == ["http", "h2c", "http"]
    assert web.command[3] == "3000", "the default command listens on the first port of the container"
    assert not settings("alice", {"services": [{"port": 81}]}).services[0].declared_ports


def test_the_short_form_is_one_ingress() -> None:
    short = {"name": "web", "host": "a.b", "path": "/c", "request": "/c/d", "ingress": "i", "tls": "t"}
    (service,) = settings("alice", {"services": [short]}).services
    (route,) = service.routes
    assert (route.kind, route.name, route.where, route.request, route.tls) == ("Ingress", "i", "a.b/c", "/c/d", "t")


@pytest.mark.parametrize(("section", "key", "value"), GOOD)
def test_values_at_the_bounds_are_taken(section: str, key: str, value: Any) -> None:
    taken = settings("alice", config_of(section, key, value)).model_dump(mode="json", by_alias=True)
    part = taken["services"][0] if section == "service" else taken[section]
    assert part[key] == value


# section, key, value, what the message says of the bound
BAD: list[tuple[str, str, Any, str]] = [
    ("cluster", "existing", "", "at least 1 character"),
    ("cluster", "existing", 1, "it has to be a text"),
    ("cluster", "name", "Mine", "1 to 49 lower-case letters"),
    ("cluster", "name", "a" * 50, "1 to 49"),
    ("cluster", "name", "-a", "1 to 49"),
    ("cluster", "name", 7, "it has to be a text"),
    ("cluster", "workers", -1, "it has to be a whole number from 0 to 9"),
    ("cluster", "workers", 10, "it has to be a whole number from 0 to 9"),
    ("cluster", "workers", "1", "it has to be a whole number from 0 to 9"),
    ("cluster", "workers", 1.5, "it has to be a whole number from 0 to 9"),
    ("cluster", "workers", True, "it has to be a whole number from 0 to 9"),
    ("cluster", "nodeImage", "", "registry/"),
    ("cluster", "nodeImage", "a b", "registry/"),
    ("cluster", "podSubnet", "10.244.0.1/16", "here 10.244.0.0/16"),
    ("cluster", "podSubnet", "10.244.0.0/23", "/8 to /22"),
    ("cluster", "podSubnet", "fd00::/64", "IPv4 network"),
    ("cluster", "podSubnet", "ten", "IPv4 network"),
    ("cluster", "serviceSubnet", "10.0.0.0/8", "/12 to /24"),
    ("cluster", "serviceSubnet", "10.96.0.0/25", "/12 to /24"),
    ("cluster", "ipFamily", "IPv6", "'ipv4', 'dual' or 'ipv6'"),
    ("cluster", "podSubnetIPv6", "fd00:10:244::1/56", "here fd00:10:244::/56"),
    ("cluster", "podSubnetIPv6", "fd00:10:244::/61", "/48 to /60"),
    ("cluster", "podSubnetIPv6", "fd00::/47", "/48 to /60"),
    ("cluster", "podSubnetIPv6", "10.244.0.0/16", "IPv6 network"),
    ("cluster", "serviceSubnetIPv6", "fd00:10:96::/107", "/108 to /120"),
    ("cluster", "serviceSubnetIPv6", "fd00:10:96::/121", "/108 to /120"),
    ("cluster", "serviceSubnetIPv6", "six", "IPv6 network"),
    ("cluster", "listenAddressIPv6", "127.0.0.1", "IPv6 address"),
    ("cluster", "listenAddressIPv6", "fe80::1%eth0", "IPv6 address"),
    ("cluster", "listenAddress", "::1", "IPv4 address"),
    ("cluster", "listenAddress", "localhost", "IPv4 address"),
    ("cluster", "httpPort", 0, "it has to be a whole number from 1 to 65535"),
    ("cluster", "httpPort", 65536, "it has to be a whole number from 1 to 65535"),
    ("cluster", "httpPort", "80", "it has to be a whole number from 1 to 65535"),
    ("cluster", "httpPort", None, "it has to be a whole number from 1 to 65535"),
    ("cluster", "httpsPort", -1, "it has to be a whole number from 1 to 65535"),
    ("cluster", "publishingWorker", 0, "it has to be a whole number from 1 to 9"),
    ("cluster", "publishingWorker", 10, "it has to be a whole number from 1 to 9"),
    ("cluster", "alsoPublish", {"worker": 2}, "it has to be a list"),
    ("cluster", "registries", ["docker.io"], "it has to be a mapping"),
    ("cluster", "kubeconfigFolder", "", "at least 1 character"),
    ("cluster", "kubeconfigFolder", "a" * 1025, "at most 1024"),
    ("calico", "encapsulation", "IPIP", "VXLANCrossSubnet"),
    ("calico", "blockSize", 19, "it has to be a whole number from 20 to 32"),
    ("calico", "blockSize", 33, "it has to be a whole number from 20 to 32"),
    ("calico", "registry", "https://registry.example", "without a scheme"),
    ("contour", "replicas", 0, "it has to be a whole number from 1 to 5"),
    ("contour", "replicas", 6, "it has to be a whole number from 1 to 5"),
    ("contour", "registry", "", "without a scheme"),
    ("contour", "envoyLogLevel", "loud", "debug"),
    ("contour", "envoyNodes", "all", "'workers' or 'publishing'"),
    ("contour", "existing", "", "NAMESPACE, or NAMESPACE/DEPLOYMENT"),
    ("contour", "existing", "ingress/", "NAMESPACE, or NAMESPACE/DEPLOYMENT"),
    ("contour", "existing", True, "it has to be a text"),
    ("contour", "entrance", "Ingress", "'LoadBalancer', 'NodePort' or 'HostPort'"),
    ("service", "name", "My_Service", "1 to 63 lower-case letters"),
    ("service", "namespace", "a" * 64, "1 to 63"),
    ("service", "kind", "StatefulSet", "'Deployment', 'Pod' or 'Service'"),
    ("service", "pod", "", "1 to 63"),
    ("service", "ingress", "a.b", "1 to 63"),
    *(
        ("service", "image", image, "registry/")
        for image in ("-", "a//b", "a::1", "a:", "a@b", "Web:1", "a/B:1", "a..b", "a:1@sha256:12")
    ),
    ("service", "build", "web", "it has to be a mapping"),
    ("service", "pullSecret", "login", "it has to be a mapping"),
    ("service", "args", "--verbose", "it has to be a list"),
    ("service", "env", [], "it has to be a mapping"),
    ("service", "files", "/etc/motd", "it has to be a mapping"),
    ("service", "resources", "64Mi", "it has to be a mapping"),
    ("service", "probes", "/health", "it has to be a mapping"),
    ("service", "volumes", "/cache", "it has to be a list"),
    ("service", "migration", "migrate", "it has to be a mapping"),
    ("service", "user", -1, "it has to be a whole number from 0 to 2147483647"),
    ("service", "user", 2147483648, "it has to be a whole number from 0 to 2147483647"),
    ("service", "readOnlyRoot", "no", "it has to be true or false"),
    ("service", "command", [], "at least one entry"),
    ("service", "command", "python", "it has to be a list"),
    ("service", "port", 70000, "it has to be a whole number from 1 to 65535"),
    ("service", "ports", [], "at least one entry"),
    ("service", "ports", 80, "it has to be a list"),
    ("service", "ipFamily", 4, "'ipv4', 'dual' or 'ipv6'"),
    ("service", "admit", "api", "it has to be a list"),
    ("service", "replicas", 0, "it has to be a whole number from 1 to 20"),
    ("service", "replicas", 21, "it has to be a whole number from 1 to 20"),
    ("service", "host", "My.Host", "lower-case letters"),
    ("service", "host", "*.example", "lower-case letters"),
    ("service", "host", "a..b", "joined by dots"),
    ("service", "host", "10.0.0.1", "not an IP address"),
    ("service", "host", ".".join(["a" * 63] * 4), "at most 63"),
    ("service", "path", "a", "starts with /"),
    ("service", "path", "/a b", "no space"),
    ("service", "request", "/a?b", "no space, ?"),
    ("service", "tls", "A", "1 to 63"),
    ("service", "tls", "true", "true, false, or the name of a Secret"),
    ("service", "tls", 1, "true, false, or the name of a Secret"),
    ("service", "clusterIP", "ten", "IP address"),
    ("service", "routes", 3, "it has to be a list"),
]


def test_a_key_with_a_dot_is_reported_as_pulumi_takes_it() -> None:
    message = refusal({"cluster": {"registries": {"docker.io": []}}})
    assert message == (
        'ingress-hops:cluster.registries["docker.io"] is []: at least one entry. '
        "Write another value in the stack's file"
    )


@pytest.mark.parametrize(("section", "key", "value", "bound"), BAD)
def test_a_wrong_value_is_reported_with_key_value_bound_and_remedy(
    section: str, key: str, value: Any, bound: str
) -> None:
    message = refusal(config_of(section, key, value))
    place = f"services[0].{key}" if section == "service" else f"{section}.{key}"
    assert message.count("\n") == 0
    assert message.startswith(f"ingress-hops:{place} is {json.dumps(value)}: ")
    assert bound in message
    if "has to be a text" in message and isinstance(value, bool | int | float):
        assert message.endswith(f'Write it in quotes in the stack\'s file: "{json.dumps(value)}"')
    else:
        assert message.endswith(". Write another value in the stack's file")


def test_a_number_of_a_variable_wants_quotes() -> None:
    message = refusal({"services": [{"env": {"PORT": 8080}}]})
    assert message.startswith("ingress-hops:services[0].env.PORT is 8080: ")
    assert message.endswith('Write it in quotes in the stack\'s file: "8080"')


def test_every_key_has_a_good_and_a_bad_value() -> None:
    dumped = settings("alice", {}).model_dump(by_alias=True)
    keys = {(section, key) for section in ("cluster", "calico", "contour") for key in dumped[section]}
    keys |= {("service", key) for key in dumped["services"][0]}
    assert {(section, key) for section, key, _ in GOOD} == keys
    assert {(section, key) for section, key, _, _ in BAD} == keys


@pytest.mark.parametrize(
    ("config", "key", "known"),
    [
        ({"clusters": {}}, "clusters", "cluster, calico, contour, services, secrets, policy"),
        ({"cluster": {"http_port": 1, "ports": 1}}, "cluster.ports", "httpPort, httpsPort"),
        ({"calico": {"mtu": 1}}, "calico.mtu", "encapsulation, blockSize, registry"),
        (
            {"contour": {"mtu": 1}},
            "contour.mtu",
            "replicas, registry, envoyLogLevel, envoyNodes, existing, entrance",
        ),
        (
            {"cluster": {"workers": 2, "alsoPublish": [{"worker": 2, "httpPort": 81, "port": 1}]}},
            "cluster.alsoPublish[0].port",
            "worker, httpPort, httpsPort",
        ),
        ({"services": [{"hots": "a"}]}, "services[0].hots", "clusterIP"),
        ({"policy": {"rule": {}}}, "policy.rule", "rules"),
        ({"policy": {"rules": {"HP01": {"lvl": 1}}}}, "policy.rules.HP01.lvl", "level, parameters, exceptions"),
    ],
)
def test_an_unknown_key_is_reported_with_the_known_ones(config: dict[str, Any], key: str, known: str) -> None:
    message = refusal(config)
    (rest,) = re.findall(f"ingress-hops:{re.escape(key)}: there is no such key; (.*)", message)
    assert re.fullmatch(r"did you mean \S+\? \(keys: .*\)|the keys are: .*", rest)
    assert known in rest


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"clusters": {}}, "ingress-hops:clusters: there is no such key; did you mean cluster? (keys: cluster, "),
        ({"services": [{"comand": []}]}, "services[0].comand: there is no such key; did you mean command? (keys: "),
        ({"policy": {"rules": {"HP01": {"lvel": 1}}}}, "HP01.lvel: there is no such key; did you mean level? (keys: "),
        ({"calico": {"zzzz": 1}}, "ingress-hops:calico.zzzz: there is no such key; the keys are: encapsulation, "),
    ],
)
def test_the_nearest_key_is_named_if_one_is_near(config: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal(config)


@pytest.mark.parametrize("section", ["cluster", "calico", "contour", "services", "policy"])
@pytest.mark.parametrize("value", [None, 1, "text", [1], True])
def test_a_section_of_another_type_is_reported(section: str, value: Any) -> None:
    assert f"ingress-hops:{section}" in refusal({section: value})


def test_a_stack_needs_a_service() -> None:
    assert refusal({"services": []}).startswith("ingress-hops:services is []: at least one entry.")


def test_all_problems_come_in_one_message_a_line_each() -> None:
    message = refusal({"cluster": {"workers": -1, "httpPort": 0}, "calico": {"blockSize": 1}})
    assert [re.match(r"\S+", line)[0] for line in message.splitlines()] == [  # type: ignore[index]
        "ingress-hops:cluster.workers",
        "ingress-hops:cluster.httpPort",
        "ingress-hops:calico.blockSize",
    ]


def test_a_default_that_follows_from_a_wrong_value_is_not_blamed_too() -> None:
    assert refusal({"services": [{"name": "A", "path": "b"}]}).count("ingress-hops:services[0].") == 2


def test_a_default_that_does_not_fit_names_the_key_that_it_follows_from() -> None:
    name = "a" * 60
    pod, ingress = refusal({"services": [{"name": name}]}).splitlines()
    assert pod == (
        f'ingress-hops:services[0].name is "{name}", and pod, which follows from it, is "{name}-pod": '
        "a name is 1 to 63 lower-case letters, digits and hyphens. Set name to another value, or set pod as well"
    )
    assert f'and ingress, which follows from it, is "{name}-ingress": ' in ingress
    declared = refusal({"services": [{"name": name, "pod": "b" * 64, "ingress": "shop"}]})
    assert "services[0].pod is" in declared
    assert "follows" not in declared


CLASHES: list[tuple[dict[str, Any], str]] = [
    ({"cluster": {"httpPort": 443}}, "httpPort and httpsPort are both 443; give each its own"),
    (
        {"cluster": {"publishingWorker": 2}},
        "publishingWorker is 2, and workers is 1; take a number from 1 to 1, or raise workers",
    ),
    (
        {"cluster": {"workers": 2, "alsoPublish": [{"worker": 3, "httpPort": 81}]}},
        "alsoPublish[0].worker is 3, and workers is 2; take a number from 1 to 2, or raise workers",
    ),
    (
        {"cluster": {"workers": 0, "alsoPublish": [{"worker": 1, "httpPort": 81}]}},
        "publishingWorker and alsoPublish[0].worker are both 1, and a worker publishes once; take another worker",
    ),
    (
        {"cluster": {"workers": 2, "alsoPublish": [{"worker": 2, "httpPort": 443}]}},
        "httpsPort and alsoPublish[0].httpPort are both 443; give each its own",
    ),
    (
        {"cluster": {"workers": 2, "alsoPublish": [{"worker": 2, "httpPort": 81, "httpsPort": 80}]}},
        "httpPort and alsoPublish[0].httpsPort are both 80; give each its own, or set httpsPort to null",
    ),
    (
        {"cluster": {"existing": "office", "workers": 2, "publishingWorker": 2}},
        "existing is office, and publishingWorker is of a cluster that the stack makes; remove publishingWorker",
    ),
    (
        {"cluster": {"existing": "office", "workers": 2, "alsoPublish": [{"worker": 2, "httpPort": 81}]}},
        "existing is office, and alsoPublish is of a cluster that the stack makes; remove alsoPublish",
    ),
    (
        {"cluster": {"existing": "office"}, "contour": {"envoyNodes": "publishing"}},
        "contour.envoyNodes is publishing, and cluster.existing is office, whose nodes publish no ports for the stack",
    ),
    (
        {"cluster": {"workers": 2}, "calico": {"encapsulation": "None"}},
        "calico.encapsulation is None, and cluster.workers is 2: nothing writes the routes between the nodes; take",
    ),
    ({"cluster": {"podSubnet": "10.96.0.0/12"}}, "podSubnet 10.96.0.0/12 and serviceSubnet 10.96.0.0/16 overlap"),
    (
        {"cluster": {"podSubnet": "10.244.0.0/22"}, "calico": {"blockSize": 20}},
        "calico.blockSize /20 does not fit into cluster.podSubnet 10.244.0.0/22; take a number from 22 to 32",
    ),
    (
        {"cluster": {"podSubnetIPv6": "fd00:20:244::/56"}},
        (
            "ingress-hops:cluster: podSubnetIPv6 is fd00:20:244::/56, and ipFamily is ipv4; set ipFamily to dual or "
            "ipv6, or remove podSubnetIPv6"
        ),
    ),
    (
        {"cluster": {"ipFamily": "ipv6", "listenAddress": "0.0.0.0"}},
        "listenAddress is 0.0.0.0, and ipFamily is ipv6; set listenAddressIPv6 instead of listenAddress",
    ),
    (
        {"cluster": {"ipFamily": "dual", "podSubnetIPv6": "fd00:10::/48", "serviceSubnetIPv6": "fd00:10::/112"}},
        "podSubnetIPv6 fd00:10::/48 and serviceSubnetIPv6 fd00:10::/112 overlap; separate them",
    ),
    (
        {"cluster": {"existing": "office", "ipFamily": "dual"}},
        "existing is office, and ipFamily is of a cluster that the stack makes; remove ipFamily",
    ),
    (
        {"services": [{"ipFamily": "dual"}]},
        (
            "services[0].ipFamily is dual, and cluster.ipFamily is ipv4; set cluster.ipFamily to dual, or remove "
            "ipFamily of the service"
        ),
    ),
    (
        {"cluster": {"ipFamily": "ipv6"}, "services": [{"clusterIP": "10.96.0.50"}]},
        (
            "clusterIP 10.96.0.50 of my-service lies outside cluster.serviceSubnetIPv6 fd00:10:96::/112; take one "
            "inside it"
        ),
    ),
    (
        {"cluster": {"ipFamily": "dual"}, "services": [{"clusterIP": "fd00:10:96::a", "ipFamily": "ipv6"}]},
        "clusterIP fd00:10:96::a of my-service is the cluster's DNS's; take another",
    ),
    ({"services": [{"clusterIP": "10.97.0.9"}]}, "lies outside cluster.serviceSubnet 10.96.0.0/16"),
    ({"services": [{"clusterIP": "10.96.0.0"}]}, "is the subnet itself's; take another"),
    ({"services": [{"clusterIP": "10.96.0.1"}]}, "is the Kubernetes API's; take another"),
    ({"services": [{"clusterIP": "10.96.0.8"}]}, "is Contour's; take another"),
    ({"services": [{"clusterIP": "10.96.0.10"}]}, "is the cluster's DNS's; take another"),
    ({"services": [{"name": "a"}, {"name": "a", "pod": "b", "ingress": "b", "host": "b"}]}, "the name apps/a"),
    ({"services": [{"name": "a"}, {"name": "b", "pod": "a-pod"}]}, "a and b both claim the pod apps/a-pod"),
    ({"services": [{"name": "a", "replicas": 2}, {"name": "b", "pod": "a-pod-2"}]}, "claim the pod apps/a-pod-2"),
    ({"services": [{"name": "a"}, {"name": "b", "ingress": "a-ingress"}]}, "claim the ingress apps/a-ingress"),
    ({"services": [{"name": "a"}, {"name": "b", "host": "a.localhost"}]}, "claim the host and path a.localhost/"),
    (
        {"services": [{"name": "a", "clusterIP": "10.96.1.1"}, {"name": "b", "clusterIP": "10.96.1.1"}]},
        "claim the clusterIP 10.96.1.1; give one another",
    ),
]


@pytest.mark.parametrize(("config", "clash"), CLASHES)
def test_a_clash_inside_one_stack_is_reported(config: dict[str, Any], clash: str) -> None:
    message = refusal(config)
    assert clash in message
    assert message.startswith("ingress-hops:")


def test_the_same_names_in_two_namespaces_do_not_clash() -> None:
    two = settings(
        "alice", {"services": [{"name": "a"}, {"name": "a", "namespace": "other", "host": "b", "path": "/"}]}
    )
    assert len(two.services) == 2


def test_rules_take_level_parameters_and_exceptions() -> None:
    exception = {"resource": "Pod default/a", "reason": "shown on purpose", "owner": "alice", "expires": "2030-01-31"}
    rules = {"HP01": {"level": "advisory", "parameters": {"ports": [80]}, "exceptions": [exception]}}
    dumped = settings("alice", {"policy": {"rules": rules}}).model_dump(mode="json", by_alias=True)
    assert dumped["policy"]["rules"] == rules


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        ({"hp1": {}}, 'policy.rules has the key "hp1"'),
        ({"HP01": {"level": "strict"}}, "policy.rules.HP01.level"),
        ({"HP01": {"exceptions": [{}]}}, "policy.rules.HP01.exceptions[0].reason is missing; give it a value"),
        ({"HP01": {"exceptions": [{"expires": "soon"}]}}, "policy.rules.HP01.exceptions[0].expires"),
    ],
)
def test_a_wrong_rule_is_reported(rules: dict[str, Any], key: str) -> None:
    assert f"ingress-hops:{key}" in refusal({"policy": {"rules": rules}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = {section: [key for s, key, _ in GOOD if s == section] for section in ("cluster", "calico", "contour", "service")}


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """Arbitrary values, often under keys that exist."""

    def section(name: str) -> st.SearchStrategy[Any]:
        return st.dictionaries(st.sampled_from(KEYS[name]), JSON, max_size=4) | JSON

    rules = st.dictionaries(st.sampled_from(["HP01", "x"]), JSON, max_size=2)
    known = {
        "cluster": section("cluster"),
        "calico": section("calico"),
        "contour": section("contour"),
        "services": st.lists(section("service"), max_size=2) | JSON,
        "policy": st.fixed_dictionaries({"rules": rules}) | JSON,
    }
    config: dict[str, Any] = draw(st.fixed_dictionaries({}, optional=known))
    return config


@given(configs() | st.dictionaries(st.text(), JSON, max_size=2))
def test_whatever_a_stack_file_holds_is_settings_or_a_clear_refusal(config: dict[str, Any]) -> None:
    try:
        taken = settings("alice", config)
    except SettingsError as error:
        assert all(line.startswith("ingress-hops:") for line in re.split(r"\n(?=ingress-hops:)", str(error)))  # noqa: PT017
    else:
        assert settings("alice", json.loads(taken.model_dump_json(by_alias=True))) == taken


def test_tls_without_a_port_for_https_is_an_error_with_its_remedy() -> None:
    message = refusal({"cluster": {"httpsPort": None}, "services": [{"name": "web", "tls": True}]})
    assert message == (
        "ingress-hops:services: web has tls, and cluster.httpsPort is null, so nothing listens for https; "
        "set httpsPort, to 8443 for example, or remove tls"
    )
    assert settings("alice", {"cluster": {"httpsPort": None}, "services": [{"tls": False}]}).services[0].tls is None


def test_the_secret_of_a_certificate() -> None:
    services = [{"name": "a", "tls": True}, {"name": "b", "tls": "mine"}, {"name": "c"}]
    found = [service.routes[0].secret for service in settings("alice", {"services": services}).services]
    assert found == ["a.localhost", "mine", None]


def test_the_certificates_of_routes() -> None:
    routes = [{"tls": True}, {"host": "shop.localhost", "tls": "mine"}, {"kind": "HTTPProxy", "host": "b.localhost"}]
    found = settings("alice", {"services": [{"name": "a", "routes": routes}]})
    assert [route.secret for route in found.services[0].routes] == ["a.localhost", "mine", None]
    assert found.own_hosts == ("a.localhost",)


@pytest.mark.parametrize(("first", "second", "wrong"), [(True, True, False), (True, None, False), (True, "b", True)])
def test_a_host_has_one_certificate(first: object, second: object, wrong: bool) -> None:  # noqa: FBT001
    routes = [{"tls": first}, {"path": "/b", "tls": second}]
    config = {"services": [{"name": "a", "routes": routes}]}
    if wrong:
        assert refusal(config) == (
            'ingress-hops:services: a.localhost has the certificates true and "b" (tls); set the same on all '
            "routes of the host"
        )
    else:
        assert settings("alice", config)


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"name": "1web"}, 'services[0].name is "1web": a Service\'s name is 1 to 63'),
        ({"namespace": "kube-system"}, "the namespace of a part of the cluster itself; take one of your own"),
        ({"namespace": "projectcontour"}, "the namespace of a part of the cluster itself"),
        ({"pod": "a" * 62, "kind": "Pod", "replicas": 2}, "-2 has a name of 64 characters, and 63 are possible"),
        ({"namespace": "default", "name": "kubernetes"}, "is the Service of the Kubernetes API"),
        ({"path": "/a//b"}, "no //, /./ or /../"),
        ({"routes": [{"path": "/a/.."}]}, "no //, /./ or /../"),
        ({"routes": [{"path": "/a/./b", "pathType": "Exact"}]}, "no //, /./ or /../"),
        ({"routes": [{"kind": "HTTPProxy", "rewrite": "/../a"}]}, "no //, /./ or /../"),
    ],
)
def test_what_the_api_server_refuses_is_refused_before(service: dict[str, Any], said: str) -> None:
    assert said in refusal({"services": [service]})


@pytest.mark.parametrize(
    "service",
    [
        {"name": "web1", "namespace": "1st"},
        {"namespace": "kubernetes", "pod": "a" * 61, "kind": "Pod", "replicas": 9},
        {"namespace": "default"},
        {"path": "/a/..b/.c/d..e/"},
        {"routes": [{"kind": "HTTPProxy", "path": "/a//.+", "pathType": "Regex", "request": "/ab"}]},
    ],
)
def test_what_the_api_server_takes_is_taken(service: dict[str, Any]) -> None:
    assert settings("alice", {"services": [service]})


@pytest.mark.parametrize(
    "service",
    [
        {},
        {"image": "web:1"},
        {"build": {"context": "web"}},
        {"build": {"context": "web"}, "command": ["serve"]},
        {"image": "web:1", "args": ["--verbose"], "routes": []},
        {"ports": PORTS},
        {"routes": [{"kind": "HTTPProxy", "path": "/a.*", "pathType": "Regex", "request": "/ab"}]},
        {"probes": {"liveness": {"grpc": ""}}, "resources": {"requests": {"cpu": 1}}, "user": 0},
    ],
)
def test_settings_can_be_written_and_read_again(service: dict[str, Any]) -> None:
    whole = settings("alice", {"services": [service, {"name": "other"}]})
    assert Settings.model_validate_json(whole.model_dump_json(by_alias=True)) == whole


def test_a_service_that_is_built_runs_its_images_own_command() -> None:
    (service,) = settings("alice", {"services": [{"name": "web", "build": {"context": "web"}}]}).services
    assert service.command == ()
    assert service.build is not None
    assert (service.build.dockerfile, service.build.target, dict(service.build.args)) == ("Dockerfile", None, {})


@pytest.mark.parametrize(
    ("service", "cluster", "said"),
    [
        ({"build": {"context": "web"}, "image": "web:1"}, {}, "my-service has image and build; remove one of them"),
        ({"build": {}}, {}, "services[0].build.context is missing"),
        (
            {"build": {"context": "web", "file": "x"}},
            {},
            "no such key; the keys are: context, dockerfile, target, args",
        ),
        ({"build": {"context": "web", "args": {"A B": "1"}}}, {}, "a build argument is a variable's name"),
        ({"build": {"context": "web"}}, {"existing": "prod"}, "is no kind cluster and takes no images from Docker"),
    ],
)
def test_a_build_that_cannot_work(service: dict[str, Any], cluster: dict[str, Any], said: str) -> None:
    assert said in refusal({"services": [service], "cluster": cluster})


@pytest.mark.parametrize(
    ("service", "said"),
    [
        ({"env": {"1": "a"}}, 'env has the key "1": a variable\'s name is letters, digits and underscores'),
        ({"env": {"PORT": 1}}, "env.PORT is 1: it has to be a text"),
        ({"files": {"etc/motd": ""}}, 'files has the key "etc/motd": a file\'s path in the container is absolute'),
        ({"files": {"/etc/../motd": ""}}, 'files has the key "/etc/../motd": a file\'s path'),
        (
            {"files": {"/proc/shop": ""}},
            'files has the key "/proc/shop": a file\'s path in the container is absolute, not',
        ),
        ({"files": {"/sys/shop": ""}}, 'files has the key "/sys/shop": a file\'s path'),
        ({"env": {"A": "b\0c"}}, 'env.A is "b\\u0000c": a text of at most 128,000 bytes without the character NUL'),
        ({"env": {"A": "b" * 2_000_000}}, "bbbb…: a text of at most 128,000 bytes"),
        ({"args": ["b", "\0"]}, 'args[1] is "\\u0000": a text of at most'),
        ({"files": {"/etc/": ""}}, 'files has the key "/etc/": a file\'s path'),
        ({"files": {"/etc": "", "/etc/motd": ""}}, "files: /etc is a file and cannot hold /etc/motd; move one of them"),
        ({"files": {"/a": "x" * 600_000, "/b": "x" * 600_000}}, "at most 1,000,000 bytes, here 1,200,000"),
        ({"resources": {"limits": {"memory": "64MB"}}}, 'resources.limits.memory is "64MB": a quantity is a number'),
        ({"resources": {"limits": {"gpu": "1"}}}, "Input should be 'cpu', 'memory' or 'ephemeral-storage'"),
        ({"resources": {"limit": {}}}, "resources.limit: there is no such key; did you mean limits?"),
        (
            {"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "1000Mi"}}},
            "resources: requests.memory 1Gi is more than limits.memory 1000Mi; lower it",
        ),
    ],
)
def test_what_a_container_cannot_be_given_is_reported_in_one_line(service: dict[str, Any], said: str) -> None:
    message = refusal({"services": [service]})
    assert message.startswith("ingress-hops:services[0].")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(("quantity", "number"), [("100m", 0.1), ("2", 2), ("1Ki", 1024), ("0.5G", 5e8), ("3M", 3e6)])
def test_the_number_of_a_quantity(quantity: str, number: float) -> None:
    assert amount(quantity) == pytest.approx(number)


@pytest.mark.parametrize(
    ("service", "bound"),
    [
        (
            {"args": ["b" * 128_000] * 8},
            "command, args and env have 1,024,000 bytes together, and 1,000,000 are possible",
        ),
        ({"volumes": [{"path": "/a"}, {"path": "/a"}]}, "a volume is mounted at /a, where a volume is mounted already"),
        ({"volumes": [{"path": "/a"}], "files": {"/a": ""}}, "a file is mounted at /a, where a volume is mounted"),
        ({"volumes": [{"path": "/tmp"}]}, "a volume is mounted at /tmp, where the writable folder"),  # noqa: S108
        ({"volumes": [{"path": "/a/b"}], "files": {"/a": ""}}, "/a is a file and cannot hold the volume /a/b"),
        ({"volumes": [{"path": "cache"}]}, '.volumes[0].path is "cache": a folder in the container is absolute'),
        ({"volumes": [{"path": "/"}]}, '.volumes[0].path is "/": a folder in the container is absolute'),
        ({"volumes": [{"pth": "/a"}]}, "did you mean path?"),
        ({"migration": {}}, "services[0].migration.command is missing"),
        ({"migration": {"command": []}}, "services[0].migration.command is []: at least one entry"),
        ({"migration": {"command": ["a"], "retries": 11}}, "whole number from 0 to 10"),
        ({"migration": {"command": ["a"], "retry": 1}}, "migration.retry: there is no such key; did you mean retries?"),
        ({"volumes": [{"path": "/a", "size": "1 GB"}]}, '.volumes[0].size is "1 GB": a quantity is a number'),
        ({"volumes": [{"path": "/a", "size": "0"}]}, '.volumes[0].size is "0": a size is at least one byte'),
        ({"volumes": [{"path": "/a", "size": "1Gi"}], "replicas": 2}, "the volume /a has a size, and only one pod"),
        (
            {"volumes": [{"path": path, "size": "1Gi"} for path in ("/a/b", "/c", "/a-b")]},
            "the volumes /a/b and /a-b would have one PersistentVolumeClaim, web.a-b; give one another path",
        ),
        ({"volumes": [{"path": "/__", "size": "1Gi"}]}, "its path has no letter or digit to name it by"),
        ({"probes": {"liveness": {"http": "/", "tcp": True}}}, "here http and tcp"),
        ({"probes": {"liveness": {"port": 80}}}, "here none"),
        ({"probes": {"startup": {"exec": ["true"], "port": 80}}}, "an exec probe has no port"),
        ({"probes": {"readiness": {"tcp": True, "port": "metrics"}}}, "the readiness probe asks the port metrics"),
        (
            {"ports": PORTS, "probes": {"liveness": {"http": "/", "port": "http"}}},
            "has the ports web (80), rpc (81) and",
        ),
        ({"probes": {"readiness": {"tpc": True}}}, "did you mean tcp?"),
        ({"resources": {"limits": {"disk": "1Gi"}}}, "ephemeral-storage"),
    ],
)
def test_a_container_that_cannot_be_is_reported_in_one_line(service: dict[str, Any], bound: str) -> None:
    message = refusal({"services": [{"name": "web", **service}]})
    assert bound in message
    assert "services[0]" in message


def test_a_number_is_a_quantity() -> None:
    resources = {"requests": {"cpu": 1, "memory": "64Mi"}, "limits": {"cpu": 1.5}}
    (service,) = settings("alice", {"services": [{"resources": resources}]}).services
    assert service.resources
    assert (service.resources.requests["cpu"], service.resources.limits["cpu"]) == ("1", "1.5")


def test_the_default_command_is_of_the_default_image_only() -> None:
    def command(**service: Any) -> tuple[str, ...]:
        return settings("alice", {"services": [service]}).services[0].command

    assert command()[:3] == ("python", "-m", "http.server")
    assert command(args=[], image=versions.WORKLOAD_IMAGE) == command(args=["-V"]) == command(image="web:1") == ()
    assert command(image="web:1", command=["serve"]) == ("serve",)


def test_a_service_admits_others_by_their_names() -> None:
    jobs = {"name": "api", "namespace": "jobs", "host": "jobs.localhost", "path": "/"}
    services = [{"name": "db", "admit": ["api", "jobs/api"]}, {"name": "api"}, jobs]
    found = settings("alice", {"services": services})
    database = found.services[0]
    assert [found.referred(database, name) for name in database.admit] == list(found.services[1:])
    assert found.relaxations == (
        "ingress-hops:services[0] (db): admit: the pods of api, jobs/api may connect to its ports",
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("apis", "services[0].admit[0] is apis, and no service of this stack has this name; did you mean api?"),
        ("other", "services[0].admit[0] is other, and no service of this stack has this name; did you mean"),
        ("apps/api2", "is apps/api2, and no service of this stack has this name"),
        ("API", 'services[0].admit[0] is "API": a service is NAME, or NAMESPACE/NAME in another namespace'),
    ],
)
def test_only_services_of_the_stack_are_admitted(name: str, said: str) -> None:
    services = [{"name": "db", "admit": [name]}, {"name": "api"}, {"name": "other", "namespace": "jobs"}]
    message = refusal({"services": services})
    assert said in message
    assert re.search("services(?: are)?: db, api, jobs/other", message) or "a service is NAME" in message
    assert "\n" not in message


def test_relaxations_are_named_with_the_key_of_their_service() -> None:
    found = settings("alice", {"services": [{}, {"name": "web", "user": 0, "readOnlyRoot": False}]})
    assert found.relaxations == (
        "ingress-hops:services[1] (web): user is 0: the container runs as root",
        "ingress-hops:services[1] (web): readOnlyRoot is false: the container can write its root file system",
    )


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ({}, "Pod"),
        ({"pod": "web"}, "Pod"),
        ({"command": ["serve"]}, "Pod"),
        ({"image": "web:1"}, "Deployment"),
        ({"build": {"context": "web"}}, "Deployment"),
        ({"image": "web:1", "pod": "web"}, "Pod"),
        ({"image": "web:1", "kind": "Pod"}, "Pod"),
        ({"image": "web:1", "kind": None}, "Deployment"),
        ({"kind": "Deployment"}, "Deployment"),
    ],
)
def test_an_image_of_ones_own_without_a_pods_name_is_a_deployment(service: dict[str, Any], kind: str) -> None:
    (found,) = settings("alice", {"services": [{"name": "web", "replicas": 2, **service}]}).services
    assert found.kind == kind
    assert len(found.pods) == (0 if kind == "Deployment" else 2)


def test_a_deployment_has_no_names_for_its_pods() -> None:
    message = refusal({"services": [{"name": "web", "kind": "Deployment", "pod": "mine"}]})
    assert "web has kind Deployment and pod mine" in message
    assert "\n" not in message


def test_the_label_of_a_deployments_pods_is_its_own() -> None:
    message = refusal({"services": [{"name": "a", "image": "a:1"}, {"name": "b", "pod": "a-pod"}]})
    assert "a and b" in message.replace("services[0] (a)", "a").replace("services[1] (b)", "b")
    assert "apps/a-pod" in message


KEPT = {"secure": "v1:abc"}
PLANTED = "hunter2-planted"


def with_secret(**secrets: Any) -> dict[str, Any]:
    services = [{"name": "web", "env": {"MODE": "dev", "PASSWORD": {"secret": "db-password"}}}]
    return {"services": services, "secrets": secrets}


def test_a_variable_takes_a_secret_by_its_name() -> None:
    found = settings("alice", with_secret(**{"db-password": KEPT}))
    (service,) = found.services
    assert (service.plain_env, service.secret_env) == ({"MODE": "dev"}, {"PASSWORD": "db-password"})
    assert found.secrets == ("db-password",)
    assert "v1:abc" not in found.model_dump_json()


def test_settings_with_a_secret_survive_a_saved_trace() -> None:
    found = settings("alice", with_secret(**{"db-password": KEPT}))
    again = Settings.model_validate_json(found.model_dump_json(by_alias=True))
    assert again == found
    assert again.services[0].secret_env == {"PASSWORD": "db-password"}
    assert "secretName" in found.model_dump_json(by_alias=True), "a trace takes out what stands under `secret`"


def test_a_login_is_a_secret_by_its_name() -> None:
    services = [{"name": "web", "image": "r.example/web:1", "pullSecret": {"secret": "login"}}]
    found = settings("alice", {"services": services, "secrets": {"login": KEPT}})
    assert found.services[0].secrets == {"pullSecret": "login"}
    assert Settings.model_validate_json(found.model_dump_json(by_alias=True)) == found
    missing = refusal({"services": services, "secrets": {"logins": KEPT}})
    assert "services[0].pullSecret takes the secret login, and there is no such secret" in missing
    built = {"name": "web", "build": {"context": "web"}, "pullSecret": {"secret": "login"}}
    assert "web has build and pullSecret" in refusal({"services": [built], "secrets": {"login": KEPT}})


def test_a_missing_secret_is_reported_with_the_nearest_and_the_command() -> None:
    message = refusal(with_secret(**{"db-pasword": KEPT}))
    assert "services[0].env.PASSWORD takes the secret db-password, and there is no such secret" in message
    assert "did you mean db-pasword?" in message
    assert message.endswith(
        'set it with: eval "$(.venv/bin/hops env alice)" && '
        "pulumi config set --secret --path ingress-hops:secrets.db-password --stack alice"
    )


@pytest.mark.parametrize(
    "clear", [PLANTED, {"secure": PLANTED, "more": 1}, {"value": PLANTED}, [PLANTED], 7, {"secure": {"a": PLANTED}}]
)
def test_a_secret_in_clear_is_refused_unseen(clear: Any) -> None:
    message = refusal(with_secret(**{"db-password": clear, "other": KEPT}))
    assert message.startswith("ingress-hops:secrets.db-password is in clear; remove it")
    assert PLANTED not in message
    message = refusal({"secrets": [PLANTED]})
    assert "no mapping" in message
    assert PLANTED not in message


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"A": {"secret": "db password"}}, 'env.A.secret is "db password": a name is'),
        ({"A": {"secrt": "x"}}, "env.A.secrt: there is no such key"),
        ({"A": {}}, "env.A.secret is missing"),
        ({"A": 1}, "env.A is 1: it has to be a text"),
    ],
)
def test_a_wrong_variable_is_reported_in_words(env: dict[str, Any], said: str) -> None:
    assert said in refusal({"services": [{"name": "web", "env": env}]})


def test_own_values_hold_the_names_of_secrets_only() -> None:
    key = "ingress-hops:secrets"
    for marked in ((key,), None):
        values = own_values({key: json.dumps({"db-password": PLANTED})}, marked)
        assert values == {"secrets": {"db-password": {"secure": ""}}}
    assert own_values({key: "{}"}, ()) == {"secrets": {}}
    for clear in (json.dumps({"db-password": PLANTED}), PLANTED):
        with pytest.raises(SettingsError, match="ingress-hops:secrets is in clear") as caught:
            own_values({key: clear}, ())
        assert PLANTED not in str(caught.value)


def test_a_name_that_a_shell_would_take_apart_is_quoted() -> None:
    assert set_secret("alice's", "a b.c").endswith(
        """eval "$(.venv/bin/hops env 'alice'"'"'s')" && pulumi config set --secret """
        """--path 'ingress-hops:secrets["a b.c"]' --stack 'alice'"'"'s'"""
    )


@pytest.mark.parametrize(
    ("contour", "ports"),
    [({}, (80, 443)), ({"entrance": "NodePort"}, (30080, 30443)), ({"entrance": "HostPort"}, (80, 443))],
)
def test_the_ports_of_an_existing_cluster_follow_its_entrance(contour: dict[str, Any], ports: tuple[int, int]) -> None:
    cluster = settings("alice", {"cluster": {"existing": "prod"}, "contour": contour}).cluster
    assert (cluster.listen_address, cluster.http_port, cluster.https_port) == (None, *ports)


def test_the_images_of_a_stack_go_into_a_kind_cluster() -> None:
    assert settings("alice", {}).cluster.kind_name == "ingress-hops-alice"
    assert settings("alice", {"cluster": {"existing": "kind-theirs"}}).cluster.kind_name == "theirs"
    assert settings("alice", {"cluster": {"existing": "prod"}}).cluster.kind_name is None


FOUND = {"existing": "prod"}
OUTSIDE = {"listenAddress": "127.0.0.1", "httpPort": 8081, "httpsPort": 8444}


@pytest.mark.parametrize(
    ("cluster", "contour", "said"),
    [
        ({}, {"existing": "ingress"}, "contour.existing is ingress, and the stack makes a new cluster"),
        ({}, {"entrance": "NodePort"}, "contour.entrance is NodePort, and Docker publishes the ports"),
        ({"listenAddress": None}, {}, "cluster.listenAddress is null, and Docker publishes ports on an address"),
        (FOUND, {"existing": "ingress", "replicas": 2}, "contour.replicas is of a Contour that the stack installs"),
        (FOUND, {"existing": "ingress", "envoyLogLevel": "debug"}, "remove envoyLogLevel"),
        (
            FOUND | {"httpPort": 8081},
            {"existing": "ingress"},
            "cluster.httpPort is 8081, and the stack reads the ports",
        ),
        (FOUND | {"httpsPort": 8444}, {"existing": "ingress"}, "remove httpsPort, or set cluster.listenAddress"),
        (FOUND | {"httpPort": 80}, {"entrance": "NodePort"}, "a port from 30000 to 32767; remove httpPort"),
    ],
)
def test_an_entrance_that_cannot_be(cluster: dict[str, Any], contour: dict[str, Any], said: str) -> None:
    assert said in refusal({"cluster": cluster, "contour": contour})


def test_a_gateway_needs_a_contour_of_the_stack() -> None:
    config = {"cluster": FOUND, "contour": {"existing": "ingress"}, "services": [{"name": "a", "kind": "Deployment"}]}
    assert settings("alice", config).gateway_hosts is None
    config["services"] = [{"name": "a", "routes": [{"kind": "HTTPRoute"}]}]
    assert "contour.existing is ingress, and only a Contour that the stack installs" in refusal(config)


@pytest.mark.parametrize(
    ("cluster", "contour"),
    [
        (FOUND, {"existing": "ingress", "entrance": "NodePort"}),
        (FOUND | {"httpsPort": None}, {"existing": "ingress"}),
        (FOUND | OUTSIDE, {"existing": "ingress"}),
        (FOUND | OUTSIDE, {"entrance": "NodePort"}),
        (FOUND | {"httpPort": 8081}, {"entrance": "HostPort"}),
        (FOUND | {"httpPort": 31000, "httpsPort": None}, {"entrance": "NodePort"}),
    ],
)
def test_an_entrance_that_can_be(cluster: dict[str, Any], contour: dict[str, Any]) -> None:
    assert settings("alice", {"cluster": cluster, "contour": contour}).cluster.existing == "prod"


@pytest.mark.parametrize(
    "config",
    [
        {"cluster": {"ipFamily": "dual", "podSubnetIPv6": "fd00:20::/48", "serviceSubnetIPv6": "fd00:30::/108"}},
        {"cluster": {"ipFamily": "dual", "listenAddress": "0.0.0.0", "listenAddressIPv6": "::"}},
        {"cluster": {"ipFamily": "ipv6", "podSubnetIPv6": "fd00:20:244::/60", "listenAddressIPv6": "::"}},
        {"cluster": {"ipFamily": "ipv6"}, "services": [{"clusterIP": "fd00:10:96::50"}]},
        {"cluster": {"ipFamily": "dual"}, "services": [{"clusterIP": "10.96.0.50", "ipFamily": "ipv4"}]},
        {"cluster": {"ipFamily": "dual"}, "services": [{"clusterIP": "fd00:10:96::50", "ipFamily": "ipv6"}]},
    ],
)
def test_values_of_either_family_are_taken(config: dict[str, Any]) -> None:
    assert settings("alice", config).cluster.ip_family == config["cluster"]["ipFamily"]


def test_a_cluster_tells_its_networks_by_family() -> None:
    found = {
        family: settings("alice", {"cluster": {"ipFamily": family}}).cluster for family in ("ipv4", "dual", "ipv6")
    }
    assert {family: tuple(map(str, of.pod_subnets)) for family, of in found.items()} == {
        "ipv4": ("10.244.0.0/16",),
        "dual": ("10.244.0.0/16", "fd00:10:244::/56"),
        "ipv6": ("fd00:10:244::/56",),
    }
    assert {family: of.listen_addresses for family, of in found.items()} == {
        "ipv4": ("127.0.0.1",),
        "dual": ("127.0.0.1", "::1"),
        "ipv6": ("::1",),
    }


@pytest.mark.parametrize(("family", "more"), [("ipv4", []), ("dual", ["--bind", "::"]), ("ipv6", ["--bind", "::"])])
def test_the_default_command_listens_on_the_families_of_the_cluster(family: str, more: list[str]) -> None:
    (service,) = settings("alice", {"cluster": {"ipFamily": family}}).services
    assert service.command == ("python", "-m", "http.server", "8080", *more, "--directory", "/srv")
