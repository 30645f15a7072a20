"""Edges of the rules on backends, classes and annotations of routes."""

import pytest

from hops.kubernetes.inventory import Inventory
from hops.model.finding import Place
from hops.model.settings.stack_config import settings
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.judge import judge
from tests.hops.rules.cases import TODAY, Case, documents, of_rule, verdict
from tests.hops.rules.manifests import (
    BACKEND,
    ROOT,
    SERVICES,
    WEB,
    contour,
    ingress,
    path,
    paths,
    policy,
    proxy,
    route,
    service,
)


def classed(name: str, default: str = "false") -> str:
    return f"""
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: {name}, annotations: {{ingressclass.kubernetes.io/is-default-class: "{default}"}}}}
"""


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
REF = "/spec/rules/0/backendRefs/0"
TO_PUBLIC = "parentRefs: [{name: public}],"
GATEWAY = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: apps}
spec: {gatewayClassName: contour, listeners: [{name: http, protocol: HTTP, port: 80}]}
"""


def gateway_class(controller: str, name: str = "contour") -> str:
    return f"""
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: {name}}}
spec: {{controllerName: {controller}}}
"""


CASES = [
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
    Case("IN09", "none", paths()),
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
    Case("IN12", "a kind of Kubernetes", route("[{backendRefs: [{group: apps, kind: Deployment, name: a}]}]"), (REF,)),
    Case(
        "IN12",
        "a backend that the Gateway's own controller knows",
        gateway_class("projectcontour.io/c", "contour")
        + gateway_class("gateway.envoyproxy.io/c", "eg")
        + GATEWAY.replace("contour", "eg")
        + route("[{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: a}]}]", more=TO_PUBLIC),
    ),
    Case(
        "IN12",
        "a backend that Contour does not know",
        gateway_class("projectcontour.io/c", "contour")
        + GATEWAY
        + route("[{backendRefs: [{group: gateway.envoyproxy.io, kind: Backend, name: a}]}]", more=TO_PUBLIC),
        (REF,),
    ),
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


@pytest.mark.parametrize(
    ("code", "text", "value"),
    [
        ("IN09", contour("-d") + paths(more="ingressClassName: nginx,") + paths(name="other"), None),
        ("IN02", service("[{port: 80}, {port: 81}]") + paths(path(backend="{service: {name: web}}")), None),
    ],
)
def test_a_patch_is_offered_where_the_intent_is_clear(code: str, text: str, value: list[str] | None) -> None:
    finding = next(f for f in of_rule(text, code) if f.code == code)
    assert (finding.patch and [operation.get("value") for operation in finding.patch.operations]) == value


def test_a_missing_service_is_named_with_its_namespace() -> None:
    (finding,) = of_rule(service(namespace="other") + paths(), "IN01")
    assert finding.message.endswith(
        "Service web is not declared in namespace apps; namespace other has a Service of this name."
    )


def test_what_contour_does_not_read_is_named_with_its_group() -> None:
    route = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: apps}
spec: {rules: [{backendRefs: [{group: example.net, kind: Service, name: web, port: 80}]}]}
"""
    assert of_rule(route, "IN12") == []
    (finding,) = of_rule(route + gateway_class("projectcontour.io/gateway-controller"), "IN12")
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


def test_a_service_that_the_stack_does_not_make_is_missing_in_a_running_cluster_only() -> None:
    foreign = settings("a", {"services": [{"name": "web", "namespace": "default", "kind": "Service"}]})
    own = settings("a", {"services": [{"name": "web", "namespace": "default"}]})
    route = ingress(paths(path())).replace("namespace: apps", "namespace: default")
    bodies = documents(route)
    assert [finding.code for finding in verdict(bodies, rules=["IN01", "IN02"], settings=own)] == ["IN01"]
    assert verdict(bodies, rules=["IN01", "IN02", "PK01"], settings=foreign) == []
    live = Inventory([(body, Place()) for body in bodies], today=TODAY, settings=foreign, live=True)
    assert [finding.code for finding in judge(live, configure(), [RULES["IN01"]])] == ["IN01"]
    wrong = documents(route.replace("service: {name: web", "service: {name: wed"))
    assert [finding.code for finding in verdict(wrong, rules=["IN01"], settings=foreign)] == ["IN01"]
