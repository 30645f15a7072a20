"""One model for the routes of every kind: what the adapters of Ingress, HTTPProxy and HTTPRoute fill in."""

from datetime import date
from typing import Any

import pytest
import yaml

from hops.kubernetes.declared_path import backends
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.routing.route import Route
from hops.kubernetes.routing.routes import RouteTable, routes
from hops.model.finding import Place
from tests.hops.rules.cases import of_rule

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps, annotations: {}}
spec:
  rules: [{host: a.test, http: {paths: [{path: /, backend: {service: {name: web, port: {number: 80}}}}]}}]
  tls: []
"""
PROXY = """
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {name: web, namespace: apps}
spec:
  virtualhost: {fqdn: a.test}
  routes: [{services: [{name: web, port: 80}]}]
"""
GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: apps}
spec:
  gatewayClassName: contour
  listeners:
  - {name: http, protocol: HTTP, port: 80}
  - {name: https, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: web-tls}]}}
"""
HTTP_ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: apps}
spec:
  parentRefs: [{name: public, sectionName: http}]
  hostnames: [a.test]
  rules: [{backendRefs: [{name: web, port: 80}]}]
"""


def table(*objects: Any) -> RouteTable:
    declared = [yaml.safe_load(one) if isinstance(one, str) else one for one in objects]
    return Inventory(((one, Place()) for one in declared), today=date.min).once(routes)


def only(*objects: Any) -> Route:
    """The only route of the objects."""
    (found,) = (route for group in table(*objects).claims.values() for route in group)
    return found


def changed(text: str, *keys: str | int, to: Any) -> Any:
    """An object with another value under some keys."""
    body = yaml.safe_load(text)
    place = body
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    return body


@pytest.mark.parametrize(
    ("objects", "kind"),
    [((INGRESS,), "Ingress"), ((PROXY,), "HTTPProxy"), ((GATEWAY, HTTP_ROUTE), "HTTPRoute")],
)
def test_a_plain_route_is_the_same_in_every_kind(objects: tuple[str, ...], kind: str) -> None:
    route = only(*objects)
    assert route.resource.kind == kind
    assert (route.owner, route.host, route.match, route.conditions) == ("", "a.test", ("string", "/"), "")
    assert [(one.namespace, one.service, one.port) for one in route.backends] == [("apps", "web", 80)]
    assert (route.tls, route.plain, route.redirect, route.rewrite, route.detached) == (None, "served", "", None, "")


@pytest.mark.parametrize("objects", [(INGRESS,), (PROXY,), (GATEWAY, HTTP_ROUTE)])
def test_a_plan_has_the_backend_of_every_kind(objects: tuple[str, ...]) -> None:
    declared = [(yaml.safe_load(one), Place()) for one in (SERVICE, *objects)]
    (backend,) = backends(Inventory(declared, today=date.min))
    assert (backend.service, backend.host, backend.port, backend.ingress) == ("web", "a.test", 80, "web")


def test_the_tls_of_an_ingress() -> None:
    body = changed(INGRESS, "spec", "tls", to=[{"hosts": ["b.test"], "secretName": "b"}])
    assert only(body).tls is None, "Contour takes the entry that lists the host"
    body["spec"]["tls"].append({"hosts": ["A.test"], "secretName": "web-tls"})
    body["metadata"]["annotations"] = {"projectcontour.io/tls-minimum-protocol-version": "1.3"}
    tls = only(body).tls
    assert tls is not None
    assert (tls.namespace, tls.secret, tls.minimum_version, tls.pointer) == ("apps", "web-tls", "1.3", "/spec/tls/1")
    assert only(body).plain == "served"
    body["metadata"]["annotations"] = {"ingress.kubernetes.io/force-ssl-redirect": "true"}
    assert only(body).plain == "redirected"
    body["metadata"]["annotations"] = {"kubernetes.io/ingress.allow-http": "false"}
    assert only(body).plain == "refused"


def test_the_tls_of_an_http_proxy() -> None:
    tls = {"secretName": "certs/web-tls", "minimumProtocolVersion": "1.3"}
    body = changed(PROXY, "spec", "virtualhost", "tls", to=tls)
    route = only(body)
    assert route.tls is not None
    assert (route.tls.namespace, route.tls.secret, route.tls.minimum_version) == ("certs", "web-tls", "1.3")
    assert route.plain == "redirected"
    body["spec"]["routes"][0]["permitInsecure"] = True
    assert only(body).plain == "served"
    body["spec"]["virtualhost"]["tls"] = {"passthrough": True}
    passed = only(body).tls
    assert passed is not None
    assert passed.secret is None


def test_the_tls_of_an_http_route_is_its_listeners() -> None:
    route = only(GATEWAY, changed(HTTP_ROUTE, "spec", "parentRefs", 0, "sectionName", to="https"))
    assert route.tls is not None
    assert (str(route.tls.resource), route.tls.secret) == ("Gateway/apps/public", "web-tls")
    assert (route.plain, route.listener) == ("refused", "Gateway/apps/public:HTTPS:443")


def test_the_redirect_and_the_rewrite_of_an_http_route() -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "port": 8443}}
    route = only(GATEWAY, changed(HTTP_ROUTE, "spec", "rules", to=[{"filters": [redirect]}]))
    assert (route.redirect, route.plain, route.backends) == ("https://*:8443/*", "redirected", ())
    rewrite = {
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/v2"}},
    }
    body = changed(HTTP_ROUTE, "spec", "rules", 0, "filters", to=[rewrite])
    assert only(GATEWAY, body).rewrite == "/v2"


def test_the_redirect_and_the_rewrite_of_an_http_proxy() -> None:
    policy = {"scheme": "https", "hostname": "b.test", "path": "/new"}
    assert (
        only(changed(PROXY, "spec", "routes", to=[{"requestRedirectPolicy": policy}])).redirect == "https://b.test/new"
    )
    body = changed(PROXY, "spec", "routes", 0, "pathRewritePolicy", to={"replacePrefix": [{"replacement": "/v2"}]})
    assert only(body).rewrite == "/v2"


def test_a_backend_of_another_namespace_needs_a_grant() -> None:
    reference = {"name": "web", "namespace": "other", "port": 80, "weight": 3}
    body = changed(HTTP_ROUTE, "spec", "rules", 0, "backendRefs", to=[reference])
    assert only(GATEWAY, body).backends == ()
    grant = """
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: web, namespace: other}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: apps}], to: [{group: "", kind: Service}]}
"""
    (backend,) = only(GATEWAY, body, grant).backends
    assert (backend.namespace, backend.weight) == ("other", 3)


def test_the_host_of_an_http_route_is_what_it_shares_with_the_listener() -> None:
    gateway = changed(GATEWAY, "spec", "listeners", 0, "hostname", to="*.test")
    hosts = changed(HTTP_ROUTE, "spec", "hostnames", to=["A.test", "b.example", "*.c.test"])
    assert [key[1] for key in table(gateway, hosts).claims] == ["a.test", "*.c.test"]
    assert [key[1] for key in table(gateway, changed(HTTP_ROUTE, "spec", "hostnames", to=[])).claims] == ["*.test"]


def test_a_route_that_no_gateway_accepts_claims_nothing() -> None:
    seen = table(GATEWAY, changed(HTTP_ROUTE, "spec", "parentRefs", 0, "sectionName", to="web"))
    assert (list(seen.claims), [route.host for route in seen.detached]) == ([], ["a.test"])


def test_a_gateway_of_another_controller_is_not_contours() -> None:
    other = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: contour}
spec: {controllerName: example.com/gateway}
"""
    assert only(GATEWAY, other, HTTP_ROUTE).owner == "contour"


def named(body: Any, name: str) -> Any:
    return {**body, "metadata": {**body["metadata"], "name": name}}


@pytest.mark.parametrize(
    ("other", "reported"),
    [
        (named(yaml.safe_load(HTTP_ROUTE), "other"), True),
        (yaml.safe_load(INGRESS), True),
        (named(changed(HTTP_ROUTE, "spec", "hostnames", to=["b.test"]), "other"), False),
        (named(changed(HTTP_ROUTE, "spec", "parentRefs", 0, "sectionName", to="https"), "other"), False),
        (named(changed(HTTP_ROUTE, "spec", "parentRefs", 0, "sectionName", to="gone"), "other"), False),
        (named(changed(HTTP_ROUTE, "spec", "rules", 0, "matches", to=[{"method": "POST"}]), "other"), False),
    ],
)
def test_which_routes_compete_with_an_http_route(other: Any, *, reported: bool) -> None:
    text = yaml.safe_dump_all([yaml.safe_load(GATEWAY), yaml.safe_load(HTTP_ROUTE), other])
    assert bool(of_rule(text, "IN05")) is reported
