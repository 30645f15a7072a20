"""Edges of the rules on Ingresses, HTTPProxies and Gateway API routes."""

import pytest

from hops.kubernetes.routing.hosts import bare, is_host_name
from hops.kubernetes.routing.routes import everything_under
from hops.kubernetes.values import at
from hops.rules import RULES
from hops.rules.patches import patched
from tests.hops.rules.cases import Case, documents, of_rule, verdict

WEB = "{service: {name: web, port: {number: 80}}}"
API = "{service: {name: api, port: {number: 80}}}"


def service(ports: str = "[{port: 80}]", name: str = "web", namespace: str = "apps", more: str = "") -> str:
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{more} selector: {{app: web}}, ports: {ports}}}
"""


def ingress(spec: str, name: str = "web", metadata: str = "", version: str = "networking.k8s.io/v1") -> str:
    return f"""
---
apiVersion: {version}
kind: Ingress
metadata: {{name: {name}, namespace: apps, {metadata}}}
spec: {spec}
"""


def path(value: str = "/", kind: str = "Prefix", backend: str = WEB) -> str:
    return f"{{path: '{value}', pathType: {kind}, backend: {backend}}}"


def paths(*entries: str, host: str = "web.localhost", name: str = "web", more: str = "") -> str:
    rule = f"{{host: '{host}', http: {{paths: [{', '.join(entries or (path(),))}]}}}}"
    return ingress(f"{{{more} rules: [{rule}]}}", name)


def proxy(spec: str, name: str = "web", namespace: str = "apps", metadata: str = "") -> str:
    return f"""
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {{name: {name}, namespace: {namespace}, {metadata}}}
spec: {spec}
"""


def route(rules: str, kind: str = "HTTPRoute", more: str = "") -> str:
    return f"""
---
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: web, namespace: apps}}
spec: {{{more} rules: {rules}}}
"""


def classed(name: str, default: str = "false") -> str:
    return f"""
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: {name}, annotations: {{ingressclass.kubernetes.io/is-default-class: "{default}"}}}}
"""


def policy(rules: str) -> str:
    return f"\n---\napiVersion: ingress-hops/v1\nkind: Policy\nrules: {rules}\n"


def contour(argument: str) -> str:
    return f"""
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: contour, namespace: projectcontour}}
spec: {{template: {{spec: {{containers: [{{name: contour, args: [serve, {argument}]}}]}}}}}}
"""


FIRST = "/spec/rules/0/http/paths/0"
BACKEND = f"{FIRST}/backend"
HOST = "/spec/rules/0/host"
SERVICES = "services: [{name: web, port: 80}]"
ROOT = "virtualhost: {fqdn: web.localhost}"
GRANT = """
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: web, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: apps}]
  to: [{group: "", kind: Service}]
"""
ELSEWHERE = "[{backendRefs: [{name: web, namespace: other, port: 80}]}]"

BACKENDS = [
    Case(
        "IN01",
        "a Service of that name in another namespace is another",
        service(namespace="other") + paths(),
        (f"{BACKEND}/service/name",),
    ),
    Case(
        "IN01",
        "the default backend counts",
        ingress(f"{{defaultBackend: {WEB}}}"),
        ("/spec/defaultBackend/service/name",),
    ),
    Case("IN01", "a resource is no Service", paths(path(backend="{resource: {kind: Bucket, name: a}}"))),
    Case("IN01", "no backend at all", paths(path(backend="{}")), (BACKEND,)),
    Case(
        "IN01",
        "no namespace is the namespace default, in both",
        "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}\n---\n{apiVersion: "
        f"networking.k8s.io/v1, kind: Ingress, metadata: {{name: web}}, spec: {{defaultBackend: {WEB}}}}}",
    ),
    Case(
        "IN01",
        "the older API",
        ingress(
            "{rules: [{http: {paths: [{backend: {serviceName: gone, servicePort: 80}}]}}]}",
            version="extensions/v1beta1",
        ),
        (f"{BACKEND}/serviceName",),
    ),
    Case(
        "IN01", "Knative's Ingress is something else", ingress("{}", version="networking.internal.knative.dev/v1alpha1")
    ),
    Case(
        "IN01",
        "a Service whose name isn't known yet may be the one",
        service(name="!unknown ") + paths(),
        undecided=True,
    ),
    Case(
        "IN01",
        "each route of a Gateway counts, mirrors too",
        service()
        + route(
            "[{backendRefs: [{name: web, port: 80}, {name: gone, port: 80}], filters: [{type: RequestMirror, "
            "requestMirror: {backendRef: {name: away, port: 80}}}]}]"
        ),
        ("/spec/rules/0/backendRefs/1/name", "/spec/rules/0/filters/0/requestMirror/backendRef/name"),
    ),
    Case(
        "IN01",
        "TCP and UDP routes",
        route("[{backendRefs: [{name: db, port: 5432}]}]", "TCPRoute")
        + route("[{backendRefs: [{name: dns, port: 53}]}]", "UDPRoute"),
        ("/spec/rules/0/backendRefs/0/name",) * 2,
    ),
    Case("IN01", "another kind of backend", route("[{backendRefs: [{group: example.com, kind: Bucket, name: a}]}]")),
    Case(
        "IN01",
        "another namespace without its leave",
        service(namespace="other") + route(ELSEWHERE),
        ("/spec/rules/0/backendRefs/0/name",),
    ),
    Case("IN01", "another namespace with its leave", service(namespace="other") + route(ELSEWHERE) + GRANT),
    Case(
        "IN01",
        "leave for another kind of route",
        service(namespace="other") + route(ELSEWHERE, "GRPCRoute") + GRANT,
        ("/spec/rules/0/backendRefs/0/name",),
    ),
    Case(
        "IN02",
        "the empty name of an unnamed port is no match for a number's missing name",
        service() + paths(path(backend="{service: {name: web, port: {number: 8080}}}")),
        (f"{BACKEND}/service/port",),
    ),
    Case(
        "IN02",
        "no port is no match for an empty name either",
        service("[{name: '', port: 80}]") + paths(path(backend="{service: {name: web}}")),
        (f"{BACKEND}/service/port",),
    ),
    Case("IN02", "an ExternalName is another rule's", service("[]", more="type: ExternalName,") + paths()),
    Case(
        "IN02",
        "a named port",
        service("[{name: http, port: 80}]") + paths(path(backend="{service: {name: web, port: {name: http}}}")),
    ),
    Case(
        "IN02",
        "a name in another case",
        service("[{name: http, port: 80}]") + paths(path(backend="{service: {name: web, port: {name: HTTP}}}")),
        (f"{BACKEND}/service/port",),
    ),
    Case(
        "IN02",
        "a number as a name",
        service() + paths(path(backend="{service: {name: web, port: {name: '80'}}}")),
        (f"{BACKEND}/service/port",),
    ),
    Case(
        "IN02",
        "the targetPort is the pod's and not the Service's",
        service("[{port: 80, targetPort: 8080}]") + paths(path(backend="{service: {name: web, port: {number: 8080}}}")),
        (f"{BACKEND}/service/port",),
    ),
    Case(
        "IN02",
        "both",
        service("[{name: http, port: 80}]")
        + paths(path(backend="{service: {name: web, port: {name: http, number: 80}}}")),
        (f"{BACKEND}/service/port",),
    ),
    Case("IN02", "neither", service() + paths(path(backend="{service: {name: web}}")), (f"{BACKEND}/service/port",)),
    Case(
        "IN02",
        "a name beside the number 0",
        service("[{name: http, port: 80}]")
        + paths(path(backend="{service: {name: web, port: {name: http, number: 0}}}")),
    ),
    Case("IN02", "the engine's 80.0 is 80", service("[{port: 80.0}]") + paths()),
    Case(
        "IN02",
        "UDP isn't routed",
        service("[{port: 80, protocol: UDP}]") + paths(),
        (f"{BACKEND}/service/port",),
    ),
    Case(
        "IN02",
        "by a name of TCP Contour still finds the UDP port of that number",
        service("[{name: udp, port: 53, protocol: UDP}, {name: tcp, port: 53}]")
        + paths(path(backend="{service: {name: web, port: {name: tcp}}}")),
        (f"{BACKEND}/service/port",),
    ),
    Case(
        "IN02",
        "a missing Service has no ports to miss",
        paths(path(backend="{service: {name: gone, port: {number: 1}}}")),
    ),
    Case("IN02", "ports that aren't known yet", service("!unknown ") + paths(), undecided=True),
    Case(
        "IN02",
        "a route of a Gateway without a port",
        service() + route("[{backendRefs: [{name: web}]}]"),
        ("/spec/rules/0/backendRefs/0/port",),
    ),
    Case(
        "IN02",
        "the older API",
        service("[{name: http, port: 80}]")
        + ingress("{backend: {serviceName: web, servicePort: http}}", version="extensions/v1beta1")
        + ingress("{backend: {serviceName: web, servicePort: 81}}", "other", version="extensions/v1beta1"),
        ("/spec/backend/servicePort",),
    ),
    Case(
        "IN11",
        "no rules",
        ingress("{rules: []}"),
        ("/spec/rules",),
    ),
    Case("IN11", "a rule without paths", ingress("{rules: [{host: a.localhost}]}"), ("/spec/rules/0/http",)),
    Case("IN11", "rules that aren't known yet", ingress("{rules: !unknown }"), undecided=True),
    Case(
        "IN11",
        "a default backend beside rules",
        ingress(f"{{defaultBackend: {WEB}, rules: [{{host: a.localhost, http: {{paths: [{path()}]}}}}]}}"),
        ("/spec/defaultBackend",),
    ),
    Case("IN12", "a resource", paths(path(backend="{resource: {kind: Bucket, name: a}}")), (BACKEND,)),
    Case(
        "IN12",
        "a Contour that may",
        service(more="type: ExternalName, externalName: a.example.com,")
        + paths()
        + policy("{IN12: {parameters: {externalNames: true}}}"),
    ),
    Case(
        "IN12",
        "an HTTPProxy and a route of a Gateway",
        service(more="type: ExternalName, externalName: a.example.com,")
        + proxy(f"{{{ROOT}, routes: [{{{SERVICES}}}]}}")
        + route("[{backendRefs: [{name: web, port: 80}]}]"),
        ("/spec/routes/0/services/0/name", "/spec/rules/0/backendRefs/0/name"),
    ),
    Case("IN12", "the type isn't known yet", service(more="type: !unknown ,") + paths(), undecided=True),
]

HOSTS = [
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

PATHS = [
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
]

CLASSES = [
    *(
        Case(
            "IN17", about, service() + proxy(f"{{{ROOT}, routes: [{{conditions: [{conditions}], {SERVICES}}}]}}"), where
        )
        for about, conditions, where in (
            (
                "one header twice, in any case",
                "{header: {name: X-A, exact: '1'}}, {header: {name: x-a, exact: '2'}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "one query parameter twice",
                "{queryParameter: {name: a, exact: '1'}}, {queryParameter: {name: a, exact: '2'}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "a header that contains a text and does not",
                "{header: {name: a, contains: b}}, {header: {name: a, notcontains: b}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "one query parameter twice, in any case",
                "{queryParameter: {name: a, exact: '1'}}, {queryParameter: {name: A, exact: '2'}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "a header that is present and is not",
                "{header: {name: a, present: true}}, {header: {name: A, notpresent: true}}",
                ("/spec/routes/0/conditions",),
            ),
            (
                "one header that is present and one that is not",
                "{header: {name: a, present: true}}, {header: {name: b, notpresent: true}}",
                (),
            ),
            (
                "conditions on two headers",
                "{header: {name: a, exact: '1'}}, {header: {name: b, exact: '1'}}, {header: {name: a, notcontains: z}}",
                (),
            ),
        )
    ),
    Case(
        "IN17",
        "two mirrors",
        service()
        + proxy(
            f"{{{ROOT}, routes: [{{services: [{{name: web, port: 80}}, {{name: web, port: 80, mirror: true}}, "
            "{name: web, port: 80, mirror: true}]}]}"
        ),
        ("/spec/routes/0/services",),
    ),
    Case(
        "IN17",
        "replacePrefix twice for one prefix",
        service()
        + proxy(
            f"{{{ROOT}, routes: [{{{SERVICES}, pathRewritePolicy: {{replacePrefix: [{{replacement: /a}}, "
            "{replacement: /b}]}}]}"
        ),
        ("/spec/routes/0/pathRewritePolicy/replacePrefix",),
    ),
    Case("IN09", "none", paths()),
    Case("IN07", "/ with ImplementationSpecific means the same", paths(path("/", "ImplementationSpecific"))),
    Case("IN07", "alternatives under Prefix", paths(path("/{a|b}")), (f"{FIRST}/path",)),
    Case("IN07", "alternatives in parentheses under Exact", paths(path("/(a|b)", "Exact")), (f"{FIRST}/path",)),
    Case("IN07", "a named segment under Prefix", paths(path("/users/:id/posts")), (f"{FIRST}/path",)),
    Case("IN07", "an end of text under Prefix", paths(path("/a$")), (f"{FIRST}/path",)),
    Case("IN07", "parentheses, colons and escapes that URLs contain", paths(path("/Foo_(bar)/v1/a:batch/b%20c"))),
    Case("IN04", "a wildcard inside a name", paths(host="a.*.localhost"), (HOST,)),
    Case("IN09", "only in spec.ingressClassName", paths(more="ingressClassName: contour,")),
    Case(
        "IN09",
        "classes have a case",
        contour("-d") + paths(more="ingressClassName: Contour,"),
        ("/spec/ingressClassName",),
    ),
    Case(
        "IN09",
        "the annotation beats the field",
        ingress("{ingressClassName: contour}", metadata="annotations: {projectcontour.io/ingress.class: nginx}"),
        ("/metadata/annotations/projectcontour.io~1ingress.class",),
    ),
    Case(
        "IN09",
        "Contour's own annotation beats the other",
        ingress(
            "{}",
            metadata="annotations: {projectcontour.io/ingress.class: contour, kubernetes.io/ingress.class: nginx}",
        ),
    ),
    Case(
        "IN09",
        "the two differ, though what counts is served",
        ingress("{ingressClassName: nginx}", metadata="annotations: {kubernetes.io/ingress.class: contour}"),
        ("/metadata/annotations/kubernetes.io~1ingress.class",),
    ),
    Case(
        "IN09",
        "an empty annotation leaves it to the field",
        contour("-d")
        + ingress("{ingressClassName: nginx}", metadata="annotations: {projectcontour.io/ingress.class: ''}"),
        ("/spec/ingressClassName",),
    ),
    Case(
        "IN09",
        "the classes of the declared Contour",
        contour("--ingress-class-name=internal") + paths(more="ingressClassName: internal,") + paths(name="none"),
        ("/spec/ingressClassName",),
    ),
    Case(
        "IN09",
        "the classes of the parameter",
        paths(more="ingressClassName: HAProxy,") + policy("{IN09: {parameters: {classes: [HAProxy]}}}"),
    ),
    Case(
        "IN09",
        "the default class is given to one that has none",
        contour("-d") + classed("nginx", "true") + paths(),
        ("/spec/ingressClassName",),
    ),
    Case("IN09", "without a declared controller no class is judged", paths(more="ingressClassName: nginx,")),
    Case(
        "IN09",
        "the class of another declared controller",
        contour("-d")
        + classed("nginx").rstrip()
        + "\nspec: {controller: k8s.io/ingress-nginx}"
        + paths(more="ingressClassName: nginx,"),
    ),
    Case(
        "IN09",
        "a Contour of another namespace and name, recognized by its image and command",
        contour("--ingress-class-name internal")
        .replace("name: contour, namespace: projectcontour", "name: edge, namespace: gateways")
        .replace("{name: contour,", "{name: c, image: 'ghcr.io/projectcontour/contour:v1.33.0', command: [contour],")
        .replace("--ingress-class-name internal", "--ingress-class-name, internal")
        + paths(more="ingressClassName: internal,")
        + paths(name="none"),
        ("/spec/ingressClassName",),
    ),
    Case(
        "IN09",
        "a Deployment named contour elsewhere that serves nothing",
        contour("-d").replace("projectcontour", "apps").replace("serve", "certgen")
        + paths(more="ingressClassName: nginx,"),
    ),
    Case("IN09", "a class that isn't the default", classed("nginx") + paths()),
    Case("IN09", "an HTTPProxy gets no default", classed("nginx", "true") + proxy("{}")),
    Case("IN09", "an HTTPProxy", contour("-d") + proxy("{ingressClassName: nginx}"), ("/spec/ingressClassName",)),
    Case("IN09", "annotations that aren't known yet", ingress("{}", metadata="annotations: !unknown "), undecided=True),
    Case("IN10", "one", classed("a", "true") + classed("b") + classed("c", "True")),
    Case(
        "IN10",
        "a List of three",
        "apiVersion: networking.k8s.io/v1\nkind: IngressClassList\nitems:\n"
        + "".join(
            f"- metadata: {{name: {n}, annotations: {{ingressclass.kubernetes.io/is-default-class: 'true'}}}}\n"
            for n in "abc"
        ),
        ("/metadata/annotations/ingressclass.kubernetes.io~1is-default-class",) * 3,
    ),
    Case(
        "IN16",
        "those of several controllers, in any case, and one that is none",
        ingress(
            "{}",
            metadata="annotations: {nginx.org/server-snippets: a, haproxy.org/backend-config-snippet: a, "
            "nginx.ingress.kubernetes.io/Auth-Snippet: a, ingress.kubernetes.io/config-backend: a, "
            "example.com/snippet-of-wisdom: a}",
        ),
        (
            "/metadata/annotations/haproxy.org~1backend-config-snippet",
            "/metadata/annotations/ingress.kubernetes.io~1config-backend",
            "/metadata/annotations/nginx.ingress.kubernetes.io~1Auth-Snippet",
            "/metadata/annotations/nginx.org~1server-snippets",
        ),
    ),
    Case(
        "IN16",
        "what Contour reads",
        ingress("{}", metadata="annotations: {ingress.kubernetes.io/force-ssl-redirect: 'true'}"),
    ),
    Case(
        "IN16",
        "the list is a parameter",
        ingress("{}", metadata="annotations: {example.com/alias: a}")
        + policy("{IN16: {parameters: {forbidden: ['*/alias']}}}"),
        ("/metadata/annotations/example.com~1alias",),
    ),
]


CERTIFICATE = """
---
apiVersion: v1
kind: Secret
metadata: {name: web, namespace: certs}
data: {tls.crt: a, tls.key: a}
"""


def delegation(namespaces: str, name: str = "web-tls") -> str:
    return f"""
---
apiVersion: projectcontour.io/v1
kind: TLSCertificateDelegation
metadata: {{name: d, namespace: certs}}
spec: {{delegations: [{{secretName: {name}, targetNamespaces: [{namespaces}]}}]}}
"""


def tree(*entries: str, routes: str = f"routes: [{{{SERVICES}}}]", host: str = ROOT) -> str:
    return service() + proxy(f"{{{host}, {routes}, includes: [{', '.join(entries)}]}}")


LEAF = f"{{routes: [{{{SERVICES}}}]}}"
PROXIES = [
    Case("IN17", "no fqdn", tree(host="virtualhost: {fqdn: ' '}"), ("/spec/virtualhost/fqdn",)),
    Case(
        "IN17",
        "the same fqdn in another namespace, hosts having no case",
        tree()
        + service(namespace="b")
        + proxy(f"{{virtualhost: {{fqdn: WEB.localhost}}, routes: [{{{SERVICES}}}]}}", namespace="b"),
        ("/spec/virtualhost/fqdn",),
    ),
    Case(
        "IN17",
        "the same fqdn for another controller",
        tree() + proxy(f"{{{ROOT}, ingressClassName: nginx, routes: [{{{SERVICES}}}]}}", "other"),
    ),
    Case("IN17", "nothing defined", proxy(f"{{{ROOT}}}"), ("/spec",)),
    Case("IN17", "an orphan", service() + proxy(LEAF, "leaf"), ("/spec/virtualhost",)),
    Case(
        "IN17",
        "only orphans include it",
        service() + proxy(LEAF, "leaf") + proxy("{includes: [{name: leaf}]}", "middle"),
        ("/spec/virtualhost", "/spec/virtualhost"),
    ),
    Case(
        "IN17",
        "included at the second level",
        tree("{name: middle}") + proxy("{includes: [{name: leaf}]}", "middle") + proxy(LEAF, "leaf"),
    ),
    Case(
        "IN17",
        "a root in between may be hidden by what isn't known yet",
        tree("{name: !unknown }") + proxy(LEAF, "leaf"),
        undecided=True,
    ),
    Case(
        "IN17",
        "an include of another namespace",
        tree("{name: leaf, namespace: b}") + service(namespace="b") + proxy(LEAF, "leaf", "b"),
    ),
    Case(
        "IN17",
        "an include of the wrong namespace",
        tree("{name: leaf}") + service(namespace="b") + proxy(LEAF, "leaf", "b"),
        ("/spec/includes/0", "/spec/virtualhost"),
    ),
    Case(
        "IN17",
        "a root includes a root",
        tree("{name: other}") + proxy(f"{{virtualhost: {{fqdn: b.localhost}}, routes: [{{{SERVICES}}}]}}", "other"),
        ("/spec/includes/0",),
    ),
    Case(
        "IN17",
        "a circle",
        tree("{name: a}") + proxy("{includes: [{name: b}]}", "a") + proxy("{includes: [{name: a}]}", "b"),
        ("/spec/includes/0",),
    ),
    Case(
        "IN17",
        "the same conditions twice",
        tree(*["{name: leaf, conditions: [{prefix: /a}]}"] * 2) + proxy(LEAF, "leaf"),
        ("/spec/includes/1/conditions",),
    ),
    Case("IN17", "no conditions twice are let through", tree(*["{name: leaf}"] * 2) + proxy(LEAF, "leaf")),
    Case(
        "IN17",
        "a regex in an include",
        tree("{name: leaf, conditions: [{regex: /a}]}") + proxy(LEAF, "leaf"),
        ("/spec/includes/0",),
    ),
    Case(
        "IN17",
        "two paths, and one without its slash",
        tree(
            routes=f"routes: [{{conditions: [{{prefix: /a}}, {{exact: /b}}], {SERVICES}}}, "
            f"{{conditions: [{{prefix: a}}], {SERVICES}}}]"
        ),
        ("/spec/routes/0/conditions", "/spec/routes/1/conditions"),
    ),
    Case("IN17", "a redirect needs no Service", tree(routes="routes: [{requestRedirectPolicy: {hostname: a}}]")),
    Case("IN17", "a route to nowhere", tree(routes="routes: [{}]"), ("/spec/routes/0",)),
    Case(
        "IN17",
        "no such Service, no such port, no port",
        tree(routes="routes: [{services: [{name: gone, port: 80}, {name: web, port: 81}, {name: web}]}]"),
        ("/spec/routes/0/services/0/name", "/spec/routes/0/services/1/port", "/spec/routes/0/services/2"),
    ),
    Case(
        "IN17",
        "a certificate that isn't there",
        tree(host="virtualhost: {fqdn: web.localhost, tls: {secretName: gone}}"),
        ("/spec/virtualhost/tls/secretName",),
    ),
    Case(
        "IN17",
        "a certificate that TL04 knows to exist",
        tree(host="virtualhost: {fqdn: web.localhost, tls: {secretName: gone}}")
        + policy("{TL04: {parameters: {given: [Secret/apps/gone]}}}"),
    ),
    Case(
        "IN17",
        "a certificate of another namespace",
        tree(host="virtualhost: {fqdn: web.localhost, tls: {secretName: certs/web}}") + CERTIFICATE,
        ("/spec/virtualhost/tls/secretName",),
    ),
    Case(
        "IN17",
        "a certificate of another namespace that delegates it",
        tree(host="virtualhost: {fqdn: web.localhost, tls: {secretName: certs/web}}")
        + CERTIFICATE
        + delegation("apps", "web"),
    ),
    Case(
        "IN17", "TLS with neither", tree(host="virtualhost: {fqdn: web.localhost, tls: {}}"), ("/spec/virtualhost/tls",)
    ),
    Case(
        "IN17",
        "a tcpproxy without TLS",
        service() + proxy(f"{{{ROOT}, tcpproxy: {{{SERVICES}}}}}"),
        ("/spec/tcpproxy",),
    ),
    Case(
        "IN17",
        "a tcpproxy with passthrough",
        service() + proxy(f"{{virtualhost: {{fqdn: a.b, tls: {{passthrough: true}}}}, tcpproxy: {{{SERVICES}}}}}"),
    ),
]


TLS = "tls: {secretName: certs/web"
SIGNED = """
---
apiVersion: v1
kind: Secret
metadata: {name: ca, namespace: apps}
data: {ca.crt: a}
"""
REVOKED = SIGNED.replace("name: ca", "name: crl").replace("ca.crt", "crl.pem")
EXTENSION = """
---
apiVersion: projectcontour.io/v1alpha1
kind: ExtensionService
metadata: {name: login, namespace: apps}
spec: {services: [{name: web, port: 80}]}
"""
JWKS = "remoteJWKS: {uri: 'https://issuer.localhost/keys'}"


def host_with(fields: str, route: str = SERVICES) -> str:
    """An HTTPProxy with these fields of virtualhost, the Secrets that it may use, and one route."""
    root = f"virtualhost: {{fqdn: web.localhost, {fields}}}"
    others = CERTIFICATE + delegation("apps", "web") + SIGNED + REVOKED + EXTENSION
    return service() + others + proxy(f"{{{root}, routes: [{{{route}}}]}}")


def contour_with(configuration: str | None = "debug: false") -> str:
    """A Contour with this configuration file; None for one that is not declared."""
    file = f"""
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: contour, namespace: projectcontour}}
data: {{contour.yaml: "{configuration}"}}
"""
    return (
        ("" if configuration is None else file)
        + """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: contour, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: contour}}
  template:
    metadata: {labels: {app: contour}}
    spec:
      containers:
      - name: contour
        image: ghcr.io/projectcontour/contour:v1.33.6
        command: [contour]
        args: [serve, --incluster, --config-path=/config/contour.yaml]
"""
    )


def fields_case(about: str, text: str, *paths_: str) -> Case:
    return Case("IN17", about, text, paths_)


VIRTUAL_HOST = "/spec/virtualhost"
ROUTE = "/spec/routes/0"
FALLBACK = f"{VIRTUAL_HOST}/tls/enableFallbackCertificate"
FIELDS = [
    *(
        fields_case(about, host_with(fields), *(f"{VIRTUAL_HOST}/{path_}" for path_ in paths_))
        for about, fields, *paths_ in (
            ("tokens over TLS", f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}]"),
            ("tokens without TLS", f"jwtProviders: [{{name: a, {JWKS}}}]", "jwtProviders"),
            ("two providers of tokens", f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}, {{name: b, {JWKS}}}]"),
            (
                "two providers of one name",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}, {{name: a, {JWKS}}}]",
                "jwtProviders/1/name",
            ),
            ("one default", f"{TLS}}}, jwtProviders: [{{name: a, default: true, {JWKS}}}, {{name: b, {JWKS}}}]"),
            (
                "two defaults",
                f"{TLS}}}, jwtProviders: [{{name: a, default: true, {JWKS}}}, {{name: b, default: true, {JWKS}}}]",
                "jwtProviders/1/default",
            ),
            (
                "keys over FTP",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS.replace('https', 'ftp')}}}]",
                "jwtProviders/0/remoteJWKS/uri",
            ),
            (
                "keys at a port that is none",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS.replace('localhost', 'localhost:x')}}}]",
                "jwtProviders/0/remoteJWKS/uri",
            ),
            (
                "keys with a certificate",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS[:-1]}, validation: {{caSecret: ca, subjectName: a}}}}}}]",
            ),
            (
                "keys with a certificate over http",
                (
                    f"{TLS}}}, jwtProviders: [{{name: a, "
                    f"{JWKS[:-1].replace('https', 'http')}, validation: {{caSecret: ca, subjectName: a}}}}}}]"
                ),
                "jwtProviders/0/remoteJWKS/validation",
            ),
            (
                "keys with a certificate that is not there",
                f"{TLS}}}, jwtProviders: [{{name: a, {JWKS[:-1]}, validation: {{caSecret: gone, subjectName: a}}}}}}]",
                "jwtProviders/0/remoteJWKS/validation/caSecret",
            ),
            ("authorization over TLS", f"{TLS}}}, authorization: {{extensionRef: {{name: login}}}}"),
            ("authorization without TLS", "authorization: {extensionRef: {name: login}}", "authorization"),
            (
                "authorization by nobody",
                f"{TLS}}}, authorization: {{extensionRef: {{name: logn}}}}",
                "authorization/extensionRef/name",
            ),
            ("TLS 1.3 only", f"{TLS}, minimumProtocolVersion: '1.3', maximumProtocolVersion: '1.3'}}"),
            (
                "a minimum above the maximum",
                f"{TLS}, minimumProtocolVersion: '1.3', maximumProtocolVersion: '1.2'}}",
                "tls/minimumProtocolVersion",
            ),
            ("a fallback certificate", f"{TLS}, enableFallbackCertificate: true}}"),
            (
                "a fallback certificate and clients' certificates",
                f"{TLS}, enableFallbackCertificate: true, clientValidation: {{caSecret: ca}}}}",
                "tls/enableFallbackCertificate",
            ),
            (
                "a fallback certificate and authorization",
                f"{TLS}, enableFallbackCertificate: true}}, authorization: {{extensionRef: {{name: login}}}}",
                "tls/enableFallbackCertificate",
            ),
            (
                "a fallback certificate and tokens",
                f"{TLS}, enableFallbackCertificate: true}}, jwtProviders: [{{name: a, {JWKS}}}]",
                "tls/enableFallbackCertificate",
            ),
            (
                "passthrough and a fallback certificate",
                "tls: {passthrough: true, enableFallbackCertificate: true}",
                "tls/enableFallbackCertificate",
            ),
            (
                "passthrough and clients' certificates",
                "tls: {passthrough: true, clientValidation: {skipClientCertValidation: true}}",
                "tls/clientValidation",
            ),
            ("clients' certificates", f"{TLS}, clientValidation: {{caSecret: ca, crlSecret: crl}}}}"),
            ("clients' certificates unchecked", f"{TLS}, clientValidation: {{skipClientCertValidation: true}}}}"),
            ("clients' certificates of nobody", f"{TLS}, clientValidation: {{}}}}", "tls/clientValidation"),
            (
                "an authority without its certificate",
                f"{TLS}, clientValidation: {{caSecret: crl}}}}",
                "tls/clientValidation/caSecret",
            ),
            (
                "a revocation list that is not there",
                f"{TLS}, clientValidation: {{caSecret: ca, crlSecret: gone}}}}",
                "tls/clientValidation/crlSecret",
            ),
            ("filters", "ipAllowPolicy: [{cidr: 10.0.0.0/8, source: Peer}, {cidr: '::1', source: Peer}]"),
            (
                "both filters",
                "ipAllowPolicy: [{cidr: 10.0.0.0/8, source: Peer}], ipDenyPolicy: [{cidr: 10.0.0.1, source: Peer}]",
                "ipDenyPolicy",
            ),
            ("a filter of no network", "ipDenyPolicy: [{cidr: 10.0.0.0/33, source: Peer}]", "ipDenyPolicy/0/cidr"),
            (
                "a filter with a netmask",
                "ipDenyPolicy: [{cidr: 10.0.0.0/255.0.0.0, source: Peer}]",
                "ipDenyPolicy/0/cidr",
            ),
            (
                "origins",
                "corsPolicy: {allowMethods: [GET], allowOrigin: ['*', 'https://a.b:8', 'https://.*[.]b', '.*[.]c']}",
            ),
            (
                "an origin that is no expression",
                "corsPolicy: {allowMethods: [GET], allowOrigin: ['*.b']}",
                "corsPolicy/allowOrigin/0",
            ),
            (
                "a rate limit",
                "rateLimitPolicy: {global: {descriptors: [{entries: [{remoteAddress: {}}]}]}}",
            ),
            (
                "a rate limit of nothing",
                "rateLimitPolicy: {global: {descriptors: [{entries: [{}]}]}}",
                "rateLimitPolicy/global/descriptors/0/entries/0",
            ),
            (
                "a rate limit of two things",
                "rateLimitPolicy: {global: {descriptors: [{entries: [{remoteAddress: {}, genericKey: {value: a}}]}]}}",
                "rateLimitPolicy/global/descriptors/0/entries/0",
            ),
            ("no rate limit", "rateLimitPolicy: {global: {disabled: true, descriptors: [{entries: [{}]}]}}"),
            (
                "a header of a rate limit twice",
                (
                    "rateLimitPolicy: {local: {requests: 1, unit: second, "
                    "responseHeadersToAdd: [{name: x-a, value: b}, {name: X-A, value: c}]}}"
                ),
                "rateLimitPolicy/local/responseHeadersToAdd/1",
            ),
        )
    ),
    *(
        fields_case(
            about,
            host_with(f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}]", f"{SERVICES}, {fields}"),
            *(f"{ROUTE}/{path_}" for path_ in paths_),
        )
        for about, fields, *paths_ in (
            ("a token", "jwtVerificationPolicy: {require: a}"),
            ("a token of nobody", "jwtVerificationPolicy: {require: b}", "jwtVerificationPolicy/require"),
            (
                "a token that is not required",
                "jwtVerificationPolicy: {require: a, disabled: true}",
                "jwtVerificationPolicy",
            ),
            ("headers", "requestHeadersPolicy: {set: [{name: Host, value: a}], remove: [X-B]}"),
            (
                "a header set twice",
                "requestHeadersPolicy: {set: [{name: X-A, value: a}, {name: x-a, value: b}]}",
                "requestHeadersPolicy/set/1",
            ),
            ("a header removed twice", "requestHeadersPolicy: {remove: [X-A, x-a]}", "requestHeadersPolicy/remove/1"),
            (
                "a header with a space",
                "requestHeadersPolicy: {set: [{name: X A, value: a}]}",
                "requestHeadersPolicy/set/0",
            ),
            (
                "the host in an answer",
                "responseHeadersPolicy: {set: [{name: host, value: a}]}",
                "responseHeadersPolicy/set",
            ),
            ("cookies", "cookieRewritePolicies: [{name: a, secure: false}, {name: b, sameSite: Lax}]"),
            (
                "a cookie twice",
                "cookieRewritePolicies: [{name: a, secure: true}, {name: a, sameSite: Lax}]",
                "cookieRewritePolicies",
            ),
            ("a cookie without a change", "cookieRewritePolicies: [{name: a}]", "cookieRewritePolicies/0"),
            ("a filter of a route", "ipAllowPolicy: [{cidr: 10.0.0.1, source: Remote}]"),
            (
                "a filter of a route with a name",
                "ipAllowPolicy: [{cidr: localhost, source: Remote}]",
                "ipAllowPolicy/0/cidr",
            ),
            (
                "a rate limit of a route",
                "rateLimitPolicy: {global: {descriptors: [{entries: [{}]}]}}",
                "rateLimitPolicy/global/descriptors/0/entries/0",
            ),
            (
                "a prefix replaced under a prefix",
                "conditions: [{prefix: /a}], pathRewritePolicy: {replacePrefix: [{replacement: /}]}",
            ),
            (
                "a prefix replaced under an exact path",
                "conditions: [{exact: /a}], pathRewritePolicy: {replacePrefix: [{replacement: /}]}",
                "pathRewritePolicy/replacePrefix",
            ),
            ("an expression", "conditions: [{regex: '/a.*'}, {header: {name: a, regex: '[a-z]+'}}]"),
            ("a path that is no expression", "conditions: [{regex: '/a(?=b)'}]", "conditions"),
            ("a header that is no expression", "conditions: [{header: {name: a, regex: '*'}}]", "conditions"),
            ("a parameter", "conditions: [{queryParameter: {name: a, present: true}}]"),
            ("a parameter without a condition", "conditions: [{queryParameter: {name: a}}]", "conditions"),
            (
                "a parameter with two conditions",
                "conditions: [{queryParameter: {name: a, prefix: b, suffix: c}}]",
                "conditions",
            ),
        )
    ),
    *(
        fields_case(about, host_with("", route_), *(f"{ROUTE}/{path_}" for path_ in paths_))
        for about, route_, *paths_ in (
            ("a redirect to a path", "requestRedirectPolicy: {path: /a}"),
            (
                "a redirect to a path and a prefix",
                "requestRedirectPolicy: {path: /a, prefix: /b}",
                "requestRedirectPolicy",
            ),
            (
                "a slow start",
                (
                    "services: [{name: web, port: 80, slowStartPolicy: {window: 5s}}], "
                    "loadBalancerPolicy: {strategy: WeightedLeastRequest}"
                ),
            ),
            (
                "a slow start of sessions",
                (
                    "services: [{name: web, port: 80, slowStartPolicy: {window: 5s}}], "
                    "loadBalancerPolicy: {strategy: Cookie}"
                ),
                "services/0/slowStartPolicy",
            ),
            (
                "a header of a service twice",
                "services: [{name: web, port: 80, requestHeadersPolicy: {remove: [a, A]}}]",
                "services/0/requestHeadersPolicy/remove/1",
            ),
            (
                "a cookie of a service without a change",
                "services: [{name: web, port: 80, cookieRewritePolicies: [{name: a}]}]",
                "services/0/cookieRewritePolicies/0",
            ),
            (
                "a checked service",
                "services: [{name: web, port: 80, protocol: tls, validation: {caSecret: ca, subjectName: a}}]",
            ),
            (
                "a service checked by nobody",
                "services: [{name: web, port: 80, protocol: tls, validation: {caSecret: gone, subjectName: a}}]",
                "services/0/validation/caSecret",
            ),
            (
                "a service that is not checked over http",
                "services: [{name: web, port: 80, validation: {caSecret: gone, subjectName: a}}]",
            ),
            (
                "a service of another first subject",
                "services: [{name: web, port: 80, validation: {caSecret: ca, subjectName: a, subjectNames: [b, a]}}]",
                "services/0/validation/subjectNames",
            ),
            ("tokens without TLS are not compared", f"{SERVICES}, jwtVerificationPolicy: {{require: b}}"),
        )
    ),
    fields_case(
        "a tcpproxy with services and an include",
        host_with("tls: {passthrough: true}").replace(
            "routes: [", f"tcpproxy: {{{SERVICES}, include: {{name: leaf}}}}, routes: ["
        )
        + proxy(f"{{tcpproxy: {{{SERVICES}}}}}", "leaf"),
        "/spec/tcpproxy",
    ),
    fields_case(
        "a tcpproxy with nothing",
        host_with("tls: {passthrough: true}").replace("routes: [", "tcpproxy: {}, routes: ["),
        "/spec/tcpproxy",
    ),
    fields_case(
        "a tcpproxy with an include",
        host_with("tls: {passthrough: true}").replace("routes: [", "tcpproxy: {include: {name: leaf}}, routes: [")
        + proxy(f"{{tcpproxy: {{{SERVICES}}}}}", "leaf"),
    ),
    fields_case(
        "an include with conditions that exclude each other",
        tree("{name: leaf, conditions: [{header: {name: a, present: true}}, {header: {name: A, notpresent: true}}]}")
        + proxy(LEAF, "leaf"),
        "/spec/includes/0",
    ),
    *(
        fields_case(about, tree(include) + proxy(leaf, "leaf") + more, *paths_)
        for about, include, leaf, more, *paths_ in (
            (
                "a route that contradicts its include",
                "{name: leaf, conditions: [{header: {name: a, exact: b}}]}",
                f"{{routes: [{{conditions: [{{header: {{name: A, exact: c}}}}], {SERVICES}}}]}}",
                "",
                f"{ROUTE}/conditions",
            ),
            (
                "a route that agrees with its include",
                "{name: leaf, conditions: [{header: {name: a, exact: b}}]}",
                f"{{routes: [{{conditions: [{{header: {{name: c, exact: c}}}}], {SERVICES}}}]}}",
                "",
            ),
            (
                "includes that contradict each other",
                "{name: leaf, conditions: [{queryParameter: {name: a, exact: b}}]}",
                "{includes: [{name: end, conditions: [{queryParameter: {name: a, exact: c}}]}]}",
                proxy(f"{{routes: [{{{SERVICES}}}]}}", "end"),
                ROUTE,
            ),
            (
                "an include that contradicts itself is reported once",
                "{name: leaf, conditions: [{header: {name: a, present: true}}, {header: {name: a, notpresent: true}}]}",
                f"{{routes: [{{conditions: [{{header: {{name: b, exact: c}}}}], {SERVICES}}}]}}",
                "",
                "/spec/includes/0",
            ),
        )
    ),
    *(
        fields_case(
            about,
            host_with(f"{TLS}}}, jwtProviders: [{{name: a, {JWKS}}}]").replace(
                "routes:", "includes: [{name: leaf}], routes:"
            )
            + proxy(f"{{routes: [{{{SERVICES}, jwtVerificationPolicy: {{require: {required}}}}}]}}", "leaf"),
            *paths_,
        )
        for about, required, *paths_ in (
            ("an included route with a token of the root", "a"),
            ("an included route with a token of nobody", "b", f"{ROUTE}/jwtVerificationPolicy/require"),
        )
    ),
    *(
        fields_case(about, host_with(f"{TLS}, enableFallbackCertificate: true}}") + contour, *paths_)
        for about, contour, *paths_ in (
            ("a fallback certificate of a Contour without one", contour_with(), FALLBACK),
            (
                "a fallback certificate that Contour has",
                contour_with("tls: {fallback-certificate: {name: web, namespace: certs}}"),
            ),
            (
                "a fallback certificate that is not there",
                contour_with("tls: {fallback-certificate: {name: gone, namespace: certs}}"),
                FALLBACK,
            ),
            ("a fallback certificate of a Contour whose configuration is not declared", contour_with(None)),
        )
    ),
    fields_case(
        "an include with conditions",
        tree("{name: leaf, conditions: [{header: {name: a, present: true}}, {header: {name: B, notpresent: true}}]}")
        + proxy(LEAF, "leaf"),
    ),
]


def gateway(listeners: str = "{name: http, protocol: HTTP, port: 80}", namespace: str = "apps") -> str:
    return f"""
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: public, namespace: {namespace}}}
spec: {{gatewayClassName: contour, listeners: [{listeners}]}}
"""


def listener(more: str, name: str = "http") -> str:
    return f"{{name: {name}, protocol: HTTP, port: 80, {more}}}"


def attached(parent: str = "{name: public}", hosts: str = "[web.localhost]", kind: str = "HTTPRoute") -> str:
    return route("[{backendRefs: [{name: web, port: 80}]}]", kind, f"parentRefs: [{parent}], hostnames: {hosts},")


ELSEWHERE_REF = "{name: public, namespace: infra}"
SHOP = "\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: apps, labels: {team: shop}}}\n"
BY_TEAM = "allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels: {team: shop}}}}"
PARENT = "/spec/parentRefs/0"
GATEWAYS = [
    Case("IN18", "the Gateway's own namespace", gateway() + attached()),
    Case("IN18", "no Gateway is declared", attached()),
    Case("IN18", "no such Gateway", gateway() + attached("{name: pubic}"), (f"{PARENT}/name",)),
    Case("IN18", "a Gateway of another namespace", gateway(namespace="infra") + attached(), (f"{PARENT}/name",)),
    Case("IN18", "no parentRefs", gateway() + route("[{}]"), ("/spec/parentRefs",)),
    Case("IN18", "a parent that is no Gateway", gateway() + attached("{group: '', kind: Service, name: web}")),
    Case("IN18", "a namespace that is not allowed", gateway(namespace="infra") + attached(ELSEWHERE_REF), (PARENT,)),
    Case(
        "IN18",
        "all namespaces are allowed",
        gateway(listener("allowedRoutes: {namespaces: {from: All}}"), "infra") + attached(ELSEWHERE_REF),
    ),
    Case(
        "IN18",
        "no namespace is allowed",
        gateway(listener("allowedRoutes: {namespaces: {from: None}}")) + attached(),
        (PARENT,),
    ),
    Case("IN18", "a selected namespace", SHOP + gateway(listener(BY_TEAM), "infra") + attached(ELSEWHERE_REF)),
    Case(
        "IN18",
        "a namespace that is not selected",
        SHOP.replace("team: shop", "team: web") + gateway(listener(BY_TEAM), "infra") + attached(ELSEWHERE_REF),
        (PARENT,),
    ),
    Case(
        "IN18",
        "the labels of an undeclared namespace are unknown",
        gateway(listener(BY_TEAM), "infra") + attached(ELSEWHERE_REF),
    ),
    Case(
        "IN18",
        "the name of an undeclared namespace is known",
        gateway(listener(BY_TEAM.replace("team: shop", "kubernetes.io/metadata.name: shop")), "infra")
        + attached(ELSEWHERE_REF),
        (PARENT,),
    ),
    Case(
        "IN18",
        "the section",
        gateway(listener("", "a") + ", " + listener("", "b")) + attached("{name: public, sectionName: b}"),
    ),
    Case(
        "IN18",
        "no such section",
        gateway(listener("", "a") + ", " + listener("", "b")) + attached("{name: public, sectionName: c}"),
        (f"{PARENT}/sectionName",),
    ),
    Case("IN18", "no listener on that port", gateway() + attached("{name: public, port: 8080}"), (f"{PARENT}/port",)),
    Case("IN18", "a kind that the protocol does not carry", gateway() + attached(kind="TLSRoute"), (PARENT,)),
    Case(
        "IN18",
        "a kind that is not allowed",
        gateway(listener("allowedRoutes: {kinds: [{kind: GRPCRoute}]}")) + attached(),
        (PARENT,),
    ),
    Case(
        "IN18",
        "a kind that is allowed",
        gateway(listener("allowedRoutes: {kinds: [{kind: GRPCRoute}, {kind: HTTPRoute}]}")) + attached(),
    ),
    Case("IN18", "a host below the listener's", gateway(listener("hostname: '*.localhost'")) + attached()),
    Case(
        "IN18",
        "a wildcard around the listener's",
        gateway(listener("hostname: a.b.test")) + attached(hosts="['*.test']"),
    ),
    Case("IN18", "no host takes the listener's", gateway(listener("hostname: web.localhost")) + attached(hosts="[]")),
    Case(
        "IN18",
        "a host outside the listener's",
        gateway(listener("hostname: '*.example.com'")) + attached(),
        ("/spec/hostnames",),
    ),
    Case(
        "IN18",
        "the listener's domain is not below itself",
        gateway(listener("hostname: '*.localhost'")) + attached(hosts="[localhost]"),
        ("/spec/hostnames",),
    ),
    Case(
        "IN18",
        "one of two hosts is outside the listener's",
        gateway(listener("hostname: '*.localhost'")) + attached(hosts="[web.localhost, web.test]"),
        ("/spec/hostnames/1",),
    ),
    Case(
        "IN18",
        "each of two listeners takes one host",
        gateway(listener("hostname: a.test", "a") + ", " + listener("hostname: b.test", "b"))
        + attached(hosts="[a.test, b.test]"),
    ),
    Case(
        "IN18",
        "listeners that are not known yet",
        gateway("!unknown ").replace("[!unknown ]", "!unknown ") + attached(),
        undecided=True,
    ),
]


CASES = [*BACKENDS, *HOSTS, *PATHS, *CLASSES, *PROXIES, *FIELDS, *GATEWAYS]


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
        ("IN09", contour("-d") + paths(more="ingressClassName: nginx,") + paths(name="other"), None),
        ("IN13", paths(host="10.0.0.1") + policy("{IN13: {parameters: {suffixes: [a_b]}}}"), None),
        ("IN14", paths(host="web.local") + paths(name="other"), None),
        ("IN14", paths(host="A.Local"), ["a.localhost"]),
        ("IN15", paths(host="http://Web.localhost:80/a"), ["web.localhost"]),
        ("IN15", paths(host="10.0.0.1:80"), None),
        ("IN02", service("[{port: 80}, {port: 81}]") + paths(path(backend="{service: {name: web}}")), None),
    ],
)
def test_a_patch_says_what_was_meant_or_nothing(code: str, text: str, value: list[str] | None) -> None:
    finding = next(f for f in of_rule(text, code) if f.code == code)
    assert (finding.patch and [operation.get("value") for operation in finding.patch.operations]) == value


def test_a_host_is_renamed_in_all_its_places() -> None:
    (body,) = documents("---".join(["", ingress("{rules: [{host: a.local}], tls: [{hosts: [b.c, a.local]}]}")]))
    (finding,) = verdict([body], rules=["IN14"])
    assert finding.patch
    mended = patched(body, finding.patch.operations)
    assert at(mended, "spec", "tls", 0, "hosts") == ["b.c", "a.localhost"]
    assert not verdict([mended], rules=["IN14"])


def test_a_missing_service_is_told_where_it_is() -> None:
    (finding,) = of_rule(service(namespace="other") + paths(), "IN01")
    assert finding.message.endswith(
        "Service web does not exist in namespace apps; namespace other has a Service of this name."
    )


def test_the_wider_route_is_patched_and_not_the_hidden_one() -> None:
    (finding,) = of_rule(RULES["IN06"].bad, "IN06")
    assert finding.resource.name == "api"
    assert finding.patch
    assert finding.patch.resource.name == "web"


def test_includes_that_multiply_end() -> None:
    """Each proxy includes the next one twice: 2^40 routes."""
    chain = "".join(
        proxy(
            f"{{includes: [{', '.join(f'{{name: p{i + 1}, conditions: [{{prefix: /{c}}}]}}' for c in 'ab')}]}}", f"p{i}"
        )
        for i in range(40)
    )
    text = service() + proxy(f"{{{ROOT}, includes: [{{name: p0}}]}}") + chain + proxy(LEAF, "p40")
    assert of_rule(text, "IN05") == of_rule(text, "IN17") == []


def test_long_chains_of_includes_end() -> None:
    chain = "".join(proxy(f"{{includes: [{{name: p{i + 1}}}]}}", f"p{i}") for i in range(300))
    text = service() + proxy(f"{{{ROOT}, includes: [{{name: p0}}]}}") + chain + proxy(LEAF, "p300")
    assert of_rule(text, "IN17") == []


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


def test_what_contour_does_not_read_is_named_with_its_group() -> None:
    route = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: apps}
spec: {rules: [{backendRefs: [{group: example.net, kind: Service, name: web, port: 80}]}]}
"""
    (finding,) = of_rule(route, "IN12")
    assert finding.message == "the backend is a Service of group example.net, which Contour does not support."


EXTERNAL = service(more="type: ExternalName, externalName: files.example.net,") + paths()
CONFIGURED = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: projectcontour}
data: {contour.yaml: "enableExternalNameService: true"}
"""


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        (contour("-d"), True),
        (contour("-d") + CONFIGURED, False),
        (contour("-d") + CONFIGURED.replace("true", "false"), True),
        (contour("-d") + CONFIGURED.replace("projectcontour", "other"), True),
        (contour("-d") + CONFIGURED.replace("enable", "[enable"), True),
        (
            contour("-d")
            + "---\n{apiVersion: projectcontour.io/v1alpha1, kind: ContourConfiguration, metadata: {name: contour, "
            "namespace: projectcontour}, spec: {enableExternalNameService: true}}",
            False,
        ),
        (CONFIGURED, True),
    ],
)
def test_the_configuration_of_the_declared_contour_allows_external_names(text: str, *, reported: bool) -> None:
    assert bool(of_rule(EXTERNAL + text, "IN12")) is reported


def test_two_roots_of_one_host_are_one_finding() -> None:
    one = proxy(f"{{{ROOT}, routes: [{{{SERVICES}}}]}}")
    found = verdict(documents(service() + one + one.replace("name: web, namespace", "name: two, namespace")))
    assert [f.code for f in found if f.code in ("IN05", "IN17")] == ["IN17"]


def test_a_wildcard_that_is_no_dns_name_is_one_finding() -> None:
    found = verdict(documents(service() + paths(host="a.*.localhost")))
    assert [f.code for f in found if f.path == HOST] == ["IN15"]
    assert [f.code for f in verdict(documents(service() + paths(host="*.localhost"))) if f.path == HOST] == ["IN04"]
