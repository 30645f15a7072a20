"""Objects in shapes that make a rule compare many objects with many others."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

Objects = Iterator[dict[str, Any]]


def _object(token: str, number: int, spec: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
    version, kind = token.split()
    named = {"name": f"web-{number}", "namespace": "apps", **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": named, "spec": spec}


def _ingress(number: int, host: str, path: str, service: str = "web-0", kind: str = "Prefix") -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    http = {"paths": [{"path": path, "pathType": kind, "backend": backend}]}
    rules, tls = [{"host": host, "http": http}], [{"hosts": [host], "secretName": "web"}]
    return _object("networking.k8s.io/v1 Ingress", number, {"rules": rules, "tls": tls})


def _pod(number: int, **port: Any) -> dict[str, Any]:
    ports = [{"name": "http", "containerPort": 8080, **port}]
    labels = {"app": "web", "own": f"web-{number}"}
    return _object("v1 Pod", number, {"containers": [{"name": "web", "ports": ports}]}, labels=labels)


def _service(number: int, selector: Mapping[str, str], **spec: Any) -> dict[str, Any]:
    return _object("v1 Service", number, {"selector": selector, "ports": [{"port": 80, "targetPort": 8080}], **spec})


def _policy(number: int, selector: Mapping[str, str]) -> dict[str, Any]:
    peers = [{"from": [{"podSelector": {"matchLabels": {"app": "other"}}}]}]
    spec = {"podSelector": {"matchLabels": selector}, "policyTypes": ["Ingress"], "ingress": peers}
    return _object("networking.k8s.io/v1 NetworkPolicy", number, spec)


def _proxy(number: int, spec: Mapping[str, Any]) -> dict[str, Any]:
    return _object("projectcontour.io/v1 HTTPProxy", number, spec)


_ROUTES = [{"services": [{"name": "web-0", "port": 80}]}]


def _http_route(number: int) -> dict[str, Any]:
    references = [{"name": "web-0", "namespace": "other", "port": 80}]
    spec = {"parentRefs": [{"name": "web-0"}], "hostnames": ["web.localhost"], "rules": [{"backendRefs": references}]}
    return _object("gateway.networking.k8s.io/v1 HTTPRoute", number, spec)


def _grant(number: int) -> dict[str, Any]:
    sender = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": f"team-{number}"}
    spec = {"from": [sender], "to": [{"group": "", "kind": "Service"}]}
    return _object("gateway.networking.k8s.io/v1beta1 ReferenceGrant", number, spec, namespace="other")


def _delegation(number: int) -> dict[str, Any]:
    spec = {"delegations": [{"secretName": "web", "targetNamespaces": [f"team-{number}"]}]}
    return _object("projectcontour.io/v1 TLSCertificateDelegation", number, spec, namespace="other")


def _delegated(number: int) -> dict[str, Any]:
    host = {"fqdn": f"web-{number}.localhost", "tls": {"secretName": "other/web"}}
    return _proxy(number, {"virtualhost": host, "routes": _ROUTES})


def _class(number: int) -> dict[str, Any]:
    default = {"ingressclass.kubernetes.io/is-default-class": "true"}
    spec = {"controller": "projectcontour.io/ingress-controller"}
    return _object("networking.k8s.io/v1 IngressClass", number, spec, annotations=default)


def _pool(number: int) -> dict[str, Any]:
    cidr = f"10.{number // 256 % 256}.{number % 256}.0/24"
    return _object("crd.projectcalico.org/v1 IPPool", number, {"cidr": cidr, "ipipMode": "Never"})


def _fleet(count: int) -> dict[str, Any]:
    names = [{"holder": f"stack {n}", "what": "host", "name": f"*.team-{n}.localhost"} for n in range(count)]
    ports = [{"holder": f"stack {n}", "address": f"127.0.{n // 250}.{n % 250}", "port": 80} for n in range(count)]
    return {
        "apiVersion": "ingress-hops/v1",
        "kind": "Fleet",
        "metadata": {"name": "others"},
        "names": names,
        "ports": ports,
    }


def _cluster(count: int, **node: Any) -> dict[str, Any]:
    mapped = [{"containerPort": 1 + n % 60000, "hostPort": 1 + n % 60000} for n in range(count)]
    nodes = [{"role": "control-plane"}, {"role": "worker", "extraPortMappings": mapped, **node}]
    return {"apiVersion": "kind.x-k8s.io/v1alpha4", "kind": "Cluster", "name": "web", "nodes": nodes}


def _workers(count: int) -> dict[str, Any]:
    nodes = [{"role": "worker", "extraPortMappings": [{"containerPort": 80, "hostPort": n}]} for n in range(count)]
    return {"apiVersion": "kind.x-k8s.io/v1alpha4", "kind": "Cluster", "name": "web", "nodes": nodes}


def _listed(count: int, one: Callable[[int], dict[str, Any]]) -> Objects:
    return (one(number) for number in range(count))


def _halves(count: int, one: Callable[[int], dict[str, Any]], other: Callable[[int], dict[str, Any]]) -> Objects:
    return chain(_listed(count // 2, one), _listed(count // 2, other))


def _all(number: int) -> dict[str, Any]:
    return _service(number, {"app": "web"})


def _named_port() -> dict[str, Any]:
    return _object("v1 Service", 0, {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]})


def _deployment(number: int) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web"}]}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    return _object("apps/v1 Deployment", number, spec)


def _own(number: int) -> dict[str, Any]:
    return _service(number, {"app": "web", "own": f"web-{number}"})


def _gateway(count: int) -> dict[str, Any]:
    listeners = [{"name": f"l{n}", "port": 80, "protocol": "HTTP", "hostname": f"w{n}.localhost"} for n in range(count)]
    return _object("gateway.networking.k8s.io/v1 Gateway", 0, {"gatewayClassName": "contour", "listeners": listeners})


def _wide_ingress(count: int) -> dict[str, Any]:
    backend = {"service": {"name": "web-0", "port": {"number": 80}}}
    rules = [
        {"host": f"w{n}.localhost", "http": {"paths": [{"path": "/x*", "backend": backend}]}} for n in range(count)
    ]
    return _object("networking.k8s.io/v1 Ingress", 0, {"rules": rules})


def _wide_pod(count: int) -> dict[str, Any]:
    containers = [{"name": f"c{n}", "ports": [{"name": "http", "containerPort": 8080}]} for n in range(count)]
    return _object("v1 Pod", 0, {"containers": containers}, labels={"app": "web"})


def _wide_service(count: int) -> dict[str, Any]:
    ports = [{"port": n, "name": "http", "targetPort": "http"} for n in range(count)]
    return _object("v1 Service", 0, {"selector": {"app": "web"}, "ports": ports})


def _wide_policy(count: int) -> dict[str, Any]:
    spec = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]} for _ in range(count)]}
    return _object("networking.k8s.io/v1 NetworkPolicy", 0, spec)


def _wide_proxy(count: int) -> dict[str, Any]:
    routes = [{**_ROUTES[0], "conditions": [{"prefix": "/same"}]} for _ in range(count)]
    return _proxy(0, {"virtualhost": {"fqdn": "web.localhost"}, "routes": routes})


def _chain(number: int) -> dict[str, Any]:
    host = {} if number else {"virtualhost": {"fqdn": "web.localhost"}}
    return _proxy(number, {**host, "includes": [{"name": f"web-{number + 1}"}], "routes": _ROUTES})


SHAPES: Mapping[str, Callable[[int], Objects]] = {
    "Ingresses for one host and path": lambda n: _listed(n, lambda i: _ingress(i, "web.localhost", "/")),
    "Ingresses for one host": lambda n: _listed(n, lambda i: _ingress(i, "web.localhost", f"/{i}")),
    "Ingresses with one regular expression": lambda n: _listed(
        n, lambda i: _ingress(i, "web.localhost", "/a.*", f"web-{i}", "ImplementationSpecific")
    ),
    "Ingresses with regular expressions of all lengths": lambda n: _listed(
        n, lambda i: _ingress(i, "web.localhost", f"/{'a' * (i % 200)}/.*", f"web-{i}", "ImplementationSpecific")
    ),
    "one Ingress with all rules": lambda n: iter([_wide_ingress(n)]),
    "one declaration of an Ingress, repeated": lambda n: _listed(n, lambda i: _ingress(0, f"w{i}.localhost", "/")),
    "one declaration of an Ingress and path, repeated": lambda n: _listed(n, lambda _: _ingress(0, "w.localhost", "/")),
    "one Service for all pods": lambda n: chain([_all(0)], _listed(n - 1, _pod)),
    "Ingresses that name a port of all pods": lambda n: chain(
        [_named_port()], _halves(n, lambda i: _ingress(i, "web.localhost", f"/{i}"), _pod)
    ),
    "one Service with all ports": lambda n: iter([_wide_service(n), _pod(0)]),
    "one pod with all containers": lambda n: iter([_wide_pod(n), _all(0)]),
    "Services that select one pod": lambda n: chain([_pod(0)], _listed(n - 1, _all)),
    "Services that all select all pods": lambda n: _halves(n, _all, _pod),
    "Services that all select all workloads": lambda n: _halves(n, _all, _deployment),
    "Services with a label that all pods have": lambda n: _halves(n, _own, _pod),
    "Services of which each opens a node port": lambda n: _halves(
        n, lambda i: _service(i, {"app": "web"}, type="NodePort"), _pod
    ),
    "Services without a pod": lambda n: _listed(n, lambda i: _service(i, {"app": "none"})),
    "policies that select all pods": lambda n: chain(
        [_all(0), _ingress(0, "web.localhost", "/")],
        _halves(n, lambda i: _policy(i, {}), _pod),
    ),
    "policies that admit everybody": lambda n: chain(
        [_all(0), _ingress(0, "web.localhost", "/")],
        _halves(n, lambda i: _object("networking.k8s.io/v1 NetworkPolicy", i, {"ingress": [{}]}), _pod),
    ),
    "policies by one label": lambda n: chain(
        [_all(0), _ingress(0, "web.localhost", "/")],
        _halves(n, lambda i: _policy(i, {"app": "web"}), _pod),
    ),
    "policies that each select one pod": lambda n: chain(
        [_all(0), _ingress(0, "web.localhost", "/")],
        _halves(n, lambda i: _policy(i, {"own": f"web-{i}"}), _pod),
    ),
    "one policy with all rules": lambda n: iter([_wide_policy(n), _all(0), _pod(0), _ingress(0, "web.localhost", "/")]),
    "pods with one host port": lambda n: _listed(n, lambda i: _pod(i, hostPort=80)),
    "pods with host ports, and their cluster": lambda n: chain(
        [_cluster(n)], _listed(n, lambda i: _pod(i, hostPort=1 + i % 60000))
    ),
    "nodes with one host port": lambda n: chain([_workers(n // 2)], _listed(n // 2, lambda i: _pod(i, hostPort=80))),
    "HTTPProxies for one host": lambda n: _listed(
        n, lambda i: _proxy(i, {"virtualhost": {"fqdn": "web.localhost"}, "routes": _ROUTES})
    ),
    "HTTPProxies in a chain": lambda n: _listed(n, _chain),
    "one HTTPProxy with all routes": lambda n: iter([_wide_proxy(n), _all(0)]),
    "HTTPProxies that no root includes": lambda n: _listed(n, lambda i: _proxy(i, {"routes": _ROUTES})),
    "HTTPRoutes and grants": lambda n: chain(
        [{**_all(0), "metadata": {"name": "web-0", "namespace": "other"}}], _halves(n, _http_route, _grant)
    ),
    "one Gateway with all listeners": lambda n: iter([_gateway(n), *(_http_route(i) for i in range(10))]),
    "HTTPRoutes of one Gateway": lambda n: chain([_gateway(1)], _listed(n, _http_route)),
    "certificates that are delegated": lambda n: _halves(n, _delegated, _delegation),
    "default IngressClasses": lambda n: _halves(n, _class, lambda i: _ingress(i, f"w{i}.localhost", "/")),
    "address pools": lambda n: _listed(n, _pool),
    "claims of other stacks": lambda n: chain(
        [_fleet(n // 2), _cluster(n // 2)], _listed(n // 2, lambda i: _ingress(i, f"w.team-{i}.localhost", "/"))
    ),
}
"""Shapes by name: each function makes about as many objects, or entries of one object, as it is asked for."""
