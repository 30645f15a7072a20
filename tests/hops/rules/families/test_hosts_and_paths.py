"""Edges of the rules on hosts and paths of routes."""

import pytest

from hops.kubernetes.routing.hosts import bare, is_host_name
from hops.kubernetes.routing.routes import everything_under
from hops.kubernetes.values import at
from hops.rules.catalogue import RULES
from hops.rules.patches import patched
from tests.hops.rules.cases import Case, documents, of_rule, verdict
from tests.hops.rules.manifests import (
    API,
    FIRST,
    HOST,
    ROOT,
    SERVICES,
    WEB,
    ingress,
    path,
    paths,
    policy,
    proxy,
    route,
    service,
)

CASES = [
    Case("IN03", "no host", ingress(f"{{rules: [{{http: {{paths: [{path()}]}}}}]}}"), (HOST,)),
    Case(
        "IN03",
        "one of two",
        ingress("{rules: [{host: a.localhost}, {host: ''}]}"),
        ("/spec/rules/1/host",),
    ),
    Case("IN03", "a default backend has no host to name", ingress(f"{{defaultBackend: {WEB}}}")),
    Case("IN04", "a star by itself", paths(host="*"), (HOST,)),
    Case("IN04", "an empty host is no wildcard", paths(host="")),
    Case("IN04", "an HTTPProxy", proxy("{virtualhost: {fqdn: '*.localhost'}}"), ("/spec/virtualhost/fqdn",)),
    Case(
        "IN04",
        "a route of a Gateway",
        route("[]", more="hostnames: [a.localhost, '*.localhost'],"),
        ("/spec/hostnames/1",),
    ),
    Case(
        "IN04",
        "a listener bounds its routes",
        "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: a}, "
        "spec: {listeners: [{hostname: '*.localhost'}]}}",
    ),
    Case(
        "IN04",
        "what is known is judged before what isn't",
        ingress("{rules: [{host: !unknown }, {host: '*.localhost'}]}"),
        ("/spec/rules/1/host",),
        undecided=True,
    ),
    Case("IN04", "a wildcard inside a name", paths(host="a.*.localhost"), (HOST,)),
    Case(
        "IN05",
        "the same in two Ingresses of other names and other Services",
        paths() + paths(path(backend=API), name="other"),
        (FIRST, FIRST),
    ),
    Case("IN05", "twice in one", paths(path(), path(backend=API)), ("/spec/rules/0/http/paths/1",)),
    Case("IN05", "the same host with another path is no conflict", paths(path("/a"), path("/b"))),
    Case("IN05", "another type is another route", paths(path("/a"), path("/a", "Exact"))),
    Case("IN05", "a last slash is nothing to Prefix", paths(path("/a"), path("/a/")), ("/spec/rules/0/http/paths/1",)),
    Case("IN05", "but something to Exact", paths(path("/a", "Exact"), path("/a/", "Exact"))),
    Case("IN05", "paths have a case", paths(path("/a"), path("/A"))),
    Case("IN05", "hosts have none", paths() + paths(host="WEB.localhost", name="other"), (FIRST, FIRST)),
    Case(
        "IN05",
        "no class and contour's are one",
        paths() + paths(more="ingressClassName: contour,", name="other"),
        (FIRST, FIRST),
    ),
    Case("IN05", "another controller's class", paths() + paths(more="ingressClassName: nginx,", name="other")),
    Case(
        "IN05",
        "an annotation makes it another controller's",
        paths()
        + ingress(
            f"{{rules: [{{host: web.localhost, http: {{paths: [{path()}]}}}}]}}",
            "other",
            "annotations: {kubernetes.io/ingress.class: nginx}",
        ),
    ),
    Case(
        "IN05",
        "an HTTPProxy, whose / is the Ingress's",
        paths() + proxy(f"{{{ROOT}, routes: [{{{SERVICES}}}]}}"),
        ("/spec/routes/0", FIRST),
    ),
    Case(
        "IN05",
        "an HTTPProxy's prefix is a string's and an Ingress's one of segments",
        paths(path("/a")) + proxy(f"{{{ROOT}, routes: [{{conditions: [{{prefix: /a}}], {SERVICES}}}]}}"),
    ),
    Case(
        "IN05",
        "headers make another route",
        proxy(
            f"{{{ROOT}, routes: [{{{SERVICES}}}, "
            f"{{{SERVICES}, conditions: [{{header: {{name: a, present: true}}}}]}}]}}"
        ),
    ),
    Case(
        "IN05",
        "an include's prefix goes before that of its routes",
        proxy(
            f"{{{ROOT}, includes: [{{name: api, conditions: [{{prefix: /api/}}]}}], "
            f"routes: [{{conditions: [{{prefix: /api/v1}}], {SERVICES}}}]}}"
        )
        + proxy(f"{{routes: [{{conditions: [{{prefix: /v1}}], {SERVICES}}}]}}", "api"),
        ("/spec/routes/0", "/spec/routes/0"),
    ),
    Case(
        "IN05",
        "a path that isn't known yet",
        paths(path("/a")) + paths(f"{{path: !unknown , pathType: Prefix, backend: {WEB}}}", name="other"),
        undecided=True,
    ),
    Case(
        "IN06",
        "a regular expression before a longer Prefix",
        paths(path("/.*", "ImplementationSpecific"), path("/api/v1", backend=API)),
        ("/spec/rules/0/http/paths/1",),
    ),
    Case("IN06", "not before an Exact", paths(path("/.*", "ImplementationSpecific"), path("/api", "Exact", API))),
    Case(
        "IN06",
        "not where both lead to the same",
        paths(path("/.*", "ImplementationSpecific"), path("/api")),
    ),
    Case(
        "IN06",
        "only below its own path",
        paths(path("/a/.*", "ImplementationSpecific"), path("/a/b", backend=API), path("/ab", backend=API)),
        ("/spec/rules/0/http/paths/1",),
    ),
    Case(
        "IN06",
        "whole segments",
        paths(path("/a(/|$)(.*)", "ImplementationSpecific"), path("/a", backend=API), path("/ab", backend=API)),
        ("/spec/rules/0/http/paths/1",),
    ),
    Case(
        "IN06",
        "a longer regular expression before a shorter one",
        paths(path("/a(/|$)(.*)", "ImplementationSpecific"), path("/a/[0-9]+", "ImplementationSpecific", API)),
        ("/spec/rules/0/http/paths/1",),
    ),
    Case(
        "IN06",
        "a shorter one comes later",
        paths(path("/a/.*", "ImplementationSpecific"), path("/a/b/[0-9]+", "ImplementationSpecific", API)),
    ),
    Case(
        "IN06",
        "another host",
        paths(path("/.*", "ImplementationSpecific")) + paths(path("/api", backend=API), name="b", host="b.localhost"),
    ),
    Case(
        "IN06",
        "a Prefix before the string prefix of the same path",
        paths(path("/a"), path("/a", "ImplementationSpecific", API)),
        ("/spec/rules/0/http/paths/1",),
    ),
    Case("IN06", "a longer Prefix is meant", paths(path("/"), path("/a", backend=API), path("/a/b", backend=WEB))),
    Case(
        "IN06",
        "an HTTPProxy's",
        paths(path("/api", backend=API))
        + proxy(f"{{{ROOT}, routes: [{{conditions: [{{regex: '/.*'}}], {SERVICES}}}]}}"),
        (FIRST,),
    ),
    Case(
        "IN07",
        "none",
        ingress(f"{{rules: [{{host: a, http: {{paths: [{{path: /a, backend: {WEB}}}]}}}}]}}"),
        (f"{FIRST}/pathType",),
    ),
    Case(
        "IN07",
        "a path by itself that looks like a regular expression",
        paths(path("/c++", "ImplementationSpecific")),
        (f"{FIRST}/pathType",),
    ),
    Case(
        "IN07",
        "no pathType in a removed version, which AP01 reports",
        paths("{path: /a, backend: {serviceName: web, servicePort: 80}}").replace(
            "networking.k8s.io/v1", "networking.k8s.io/v1beta1"
        ),
    ),
    Case("IN07", "a type in lower case", paths(path("/a", "exact")), (f"{FIRST}/pathType",)),
    Case("IN07", "a star that only means a star", paths(path("/a/*")), (f"{FIRST}/path",)),
    Case("IN07", "a plus and a percent are characters to Prefix", paths(path("/c++"), path("/a%20b", "Exact"))),
    Case("IN07", "a type that isn't known yet", paths(path(kind="!unknown ")), undecided=True),
    Case("IN07", "/ with ImplementationSpecific means the same", paths(path("/", "ImplementationSpecific"))),
    Case("IN07", "alternatives under Prefix", paths(path("/{a|b}")), (f"{FIRST}/path",)),
    Case("IN07", "alternatives in parentheses under Exact", paths(path("/(a|b)", "Exact")), (f"{FIRST}/path",)),
    Case("IN07", "a named segment under Prefix", paths(path("/users/:id/posts")), (f"{FIRST}/path",)),
    Case("IN07", "an end of text under Prefix", paths(path("/a$")), (f"{FIRST}/path",)),
    Case("IN07", "parentheses, colons and escapes that URLs contain", paths(path("/Foo_(bar)/v1/a:batch/b%20c"))),
    Case(
        "IN08",
        "what is refused",
        paths(*(path(p) for p in ("a", "/a/../b", "/a/.", "/a%2Fb", "/..", "/./a"))),
        tuple(f"/spec/rules/0/http/paths/{i}/path" for i in range(6)),
    ),
    Case("IN08", "what looks like it", paths(*(path(p) for p in ("/a..b", "/...", "/.well-known", "/a.", "/a%20b")))),
    Case("IN08", "ImplementationSpecific may", paths(path("/a//b", "ImplementationSpecific"))),
    Case("IN08", "a missing path with Prefix", paths(f"{{pathType: Prefix, backend: {WEB}}}"), (f"{FIRST}/path",)),
    Case("IN08", "a missing path without a type is another rule's", paths(f"{{backend: {WEB}}}")),
    Case("IN13", "without a suffix any host may be taken", paths(host="a.example.com")),
    Case(
        "IN13",
        "the suffix itself, below it, in capitals, and what only looks like it",
        "".join(paths(host=h, name=f"n{i}") for i, h in enumerate(("a.b", "x.a.b", "X.A.B", "xa.b")))
        + policy("{IN13: {parameters: {suffixes: [.a.b]}}}"),
        (HOST,),
    ),
    Case(
        "IN13",
        "one of several suffixes",
        paths(host="web.test") + policy("{IN13: {parameters: {suffixes: [alice.localhost, test]}}}"),
    ),
    Case(
        "IN13",
        "a certificate's host too, once for all its places",
        ingress("{rules: [{host: a.b}], tls: [{hosts: [a.b, c.d]}]}")
        + policy("{IN13: {parameters: {suffixes: [test]}}}"),
        (HOST, "/spec/tls/0/hosts/1"),
    ),
    Case("IN14", "capitals and a port", paths(host="Web.LOCAL:80"), (HOST,)),
    Case("IN14", "local in another place", paths(host="local.example.com") + paths(host="weblocal", name="b")),
    Case("IN14", "an HTTPProxy", proxy("{virtualhost: {fqdn: web.local}}"), ("/spec/virtualhost/fqdn",)),
    Case("IN15", "an address", paths(host="127.0.0.1"), (HOST,)),
    Case("IN15", "an address of IPv6", paths(host="::1"), (HOST,)),
    Case("IN15", "a wildcard is a form of its own", paths(host="*.localhost")),
    Case("IN15", "a star elsewhere", paths(host="a.*.localhost"), (HOST,)),
    Case("IN15", "an underscore", paths(host="my_web.localhost"), (HOST,)),
    Case("IN15", "a label of 63 and one of 64", paths(host="a" * 63) + paths(host="a" * 64, name="b"), (HOST,)),
    Case("IN15", "digits alone are a name", paths(host="1.2.3")),
    Case("IN15", "a host of a certificate", ingress("{tls: [{hosts: [Web.localhost]}]}"), ("/spec/tls/0/hosts/0",)),
    Case("IN15", "hosts that aren't known yet", ingress("{tls: [{hosts: !unknown }]}"), undecided=True),
]


@pytest.mark.parametrize(
    ("code", "text", "value"),
    [
        ("IN07", paths(path("/a/*", "ImplementationSpecific")), ["/a", "Prefix"]),
        ("IN07", paths(path("/a(/|$)(.*)", "ImplementationSpecific")), ["/a", "Prefix"]),
        ("IN07", paths(path("/.*", "ImplementationSpecific")), ["/", "Prefix"]),
        ("IN07", paths(path("/a", "exact")), ["Exact"]),
        ("IN07", paths(path("/c++", "ImplementationSpecific")), None),
        ("IN07", paths(path("/a", "ImplementationSpecific"), path("/a")), None),
        ("IN08", paths(path("a//b/./../c%2fd/")), ["/a/c/d/"]),
        ("IN08", paths(path("/a//b"), path("/a/b")), None),
        ("IN13", paths(host="10.0.0.1") + policy("{IN13: {parameters: {suffixes: [a_b]}}}"), None),
        ("IN14", paths(host="web.local") + paths(name="other"), None),
        ("IN14", paths(host="A.Local"), ["a.localhost"]),
        ("IN15", paths(host="http://Web.localhost:80/a"), ["web.localhost"]),
        ("IN15", paths(host="10.0.0.1:80"), None),
    ],
)
def test_a_patch_is_offered_where_the_intent_is_clear(code: str, text: str, value: list[str] | None) -> None:
    finding = next(f for f in of_rule(text, code) if f.code == code)
    assert (finding.patch and [operation.get("value") for operation in finding.patch.operations]) == value


def test_a_host_is_renamed_in_all_its_places() -> None:
    (body,) = documents("---".join(["", ingress("{rules: [{host: a.local}], tls: [{hosts: [b.c, a.local]}]}")]))
    (finding,) = verdict([body], rules=["IN14"])
    assert finding.patch
    mended = patched(body, finding.patch.operations)
    assert at(mended, "spec", "tls", 0, "hosts") == ["b.c", "a.localhost"]
    assert not verdict([mended], rules=["IN14"])


def test_the_wider_route_is_patched_and_not_the_hidden_one() -> None:
    (finding,) = of_rule(RULES["IN06"].bad, "IN06")
    assert finding.resource.name == "api"
    assert finding.patch
    assert finding.patch.resource.name == "web"


@pytest.mark.parametrize(
    ("path_", "under"),
    [
        ("/.*", ("/", False)),
        ("/a.+", ("/a", False)),
        ("/a/(.*)", ("/a/", False)),
        ("/a(/|$)(.*)", ("/a", True)),
        ("/a(/.*)?", ("/a", True)),
        ("/a/[0-9]+", None),
        ("/(a|b).*", None),
        ("/a", None),
    ],
)
def test_what_a_regular_expression_takes(path_: str, under: tuple[str, bool] | None) -> None:
    assert everything_under(path_) == under


def test_host_names() -> None:
    assert bare("HTTPS://Web.Localhost.:8443/x") == "web.localhost"
    assert [is_host_name(name) for name in ("a", "*.a", "*", "a..b", "-a", "1.2.3.4", "a" * 254)] == [
        *(True, True),
        *(False,) * 5,
    ]


def test_a_wildcard_that_is_no_dns_name_is_one_finding() -> None:
    found = verdict(documents(service() + paths(host="a.*.localhost")))
    assert [f.code for f in found if f.path == HOST] == ["IN15"]
    assert [f.code for f in verdict(documents(service() + paths(host="*.localhost"))) if f.path == HOST] == ["IN04"]
