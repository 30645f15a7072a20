"""Edges of the rules on TLS."""

import pytest

from hops.model.settings.stack_config import settings
from tests.hops.rules.cases import Case, documents, of_rule, verdict
from tests.hops.rules.manifests import HOST, contour, delegation, ingress, paths, policy, proxy
from tests.hops.rules.manifests import path as entry

REDIRECT = "/metadata/annotations/ingress.kubernetes.io~1force-ssl-redirect"
GATEWAY = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web, namespace: apps}
spec: {listeners: [{protocol: HTTPS, tls: {certificateRefs: [%s]}}]}
"""
ENTRY = "tls: [{hosts: [web.localhost], secretName: web-tls}]"


def secret(
    more: str = "data: {tls.crt: a, tls.key: a}", namespace: str = "apps", kind: str = "kubernetes.io/tls"
) -> str:
    return f"""
---
apiVersion: v1
kind: Secret
metadata: {{name: web-tls, namespace: {namespace}}}
type: {kind}
{more}
"""


def named(*hosts: str, tls: str = "", metadata: str = "") -> str:
    rules = ", ".join(f"{{host: '{host}'}}" for host in hosts)
    return ingress(f"{{rules: [{rules}], {tls}}}", metadata=metadata)


def asking(*hosts: str) -> str:
    return policy(f"{{TL01: {{parameters: {{hosts: [{', '.join(repr(host) for host in hosts)}]}}}}}}")


def published(port: int = 443, name: str = "https", node: str = "worker") -> str:
    return f"""
---
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
name: dev
nodes: [{{role: {node}, extraPortMappings: [{{containerPort: {port}, hostPort: 8443}}]}}, {{role: control-plane}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: envoy, namespace: projectcontour}}
spec: {{template: {{spec: {{containers: [{{ports: [{{name: {name}, containerPort: 8443, hostPort: {port}}}]}}]}}}}}}
"""


ENVOY = "/spec/template/spec/containers/0/ports/0/hostPort"


def by_gateway(section: str = "", *more: str) -> str:
    """An HTTPRoute and a Gateway with an HTTP and an HTTPS listener; section: the listener that the route names."""
    named_ = f", sectionName: {section}" if section else ""
    return f"""
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web, namespace: apps}}
spec:
  parentRefs: [{{name: web{named_}}}]
  hostnames: [web.localhost]
  rules: [{{{", ".join(more) or "backendRefs: [{name: web, port: 80}]"}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: web, namespace: apps}}
spec:
  listeners:
  - {{name: http, protocol: HTTP, port: 80}}
  - {{name: https, protocol: HTTPS, port: 443, tls: {{certificateRefs: [{{name: web-tls}}]}}}}
"""


REDIRECTS = "filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]"


def answering(name: str, *secrets: str, path: str = "/", host: str = "web.localhost", more: str = "") -> str:
    tls = ", ".join(f"{{hosts: [{host}], secretName: {secret_}}}" for secret_ in secrets)
    return paths(entry(path), host=host, name=name, more=f"{more} tls: [{tls}],")


def issuer(solver: str, kind: str = "ClusterIssuer", namespace: str = "cert-manager") -> str:
    return f"""
---
apiVersion: cert-manager.io/v1
kind: {kind}
metadata: {{name: acme, namespace: {namespace}}}
spec: {{acme: {{solvers: [{solver}]}}}}
"""


def issued(annotations: str, name: str = "contour") -> str:
    tls = "tls: [{hosts: [web.localhost], secretName: web-tls}], rules: [{host: web.localhost}]"
    return ingress(f"{{ingressClassName: {name}, {tls}}}", metadata=f"annotations: {{{annotations}}}")


BY_NGINX = "{http01: {ingress: {ingressClassName: nginx}}}"
CLUSTER_ISSUER = "/metadata/annotations/cert-manager.io~1cluster-issuer"
ISSUER = "/metadata/annotations/cert-manager.io~1issuer"

CASES = [
    Case("TL06", "two Secrets in one Ingress", answering("a", "one", "two"), ("/spec/tls/1/secretName",)),
    Case(
        "TL06",
        "two Secrets in two Ingresses",
        answering("a", "one") + answering("b", "two", path="/b"),
        ("/spec/tls/0/secretName",),
    ),
    Case("TL06", "one of two Ingresses without TLS", answering("a", "one") + answering("b", path="/b"), (HOST,)),
    Case(
        "TL06",
        "one host in two cases",
        answering("a", "one") + answering("b", "two", host="WEB.localhost", path="/b"),
        ("/spec/tls/0/secretName",),
    ),
    Case("TL06", "one Secret in two Ingresses", answering("a", "one") + answering("b", "one", path="/b")),
    Case("TL06", "two hosts", answering("a", "one") + answering("b", "two", host="api.localhost")),
    Case("TL06", "two hosts, one without TLS", answering("a", "one") + answering("b", host="api.localhost")),
    Case("TL06", "an ACME challenge", answering("a", "one") + answering("b", path="/.well-known/acme-challenge/x")),
    Case(
        "TL06",
        "another controller",
        answering("a", "one") + answering("b", "two", path="/b", more="ingressClassName: nginx,"),
    ),
    Case(
        "TL07",
        "a solver of another class",
        issuer(BY_NGINX) + issued("cert-manager.io/cluster-issuer: acme"),
        (CLUSTER_ISSUER,),
    ),
    Case(
        "TL07",
        "an Issuer, and the older key of the class",
        issuer("{http01: {ingress: {class: nginx}}}", "Issuer", "apps") + issued("cert-manager.io/issuer: acme"),
        (ISSUER,),
    ),
    Case(
        "TL07",
        "an issuer that isn't there",
        issuer(BY_NGINX) + issued("cert-manager.io/cluster-issuer: acne"),
        (CLUSTER_ISSUER,),
    ),
    Case(
        "TL07",
        "an Issuer of another namespace",
        issuer(BY_NGINX, "Issuer", "b") + issued("cert-manager.io/issuer: acme"),
        (ISSUER,),
    ),
    Case(
        "TL07", "the class of the Ingress", issuer(BY_NGINX) + issued("cert-manager.io/cluster-issuer: acme", "nginx")
    ),
    Case(
        "TL07",
        "a solver without a class",
        issuer("{http01: {ingress: {}}}") + issued("cert-manager.io/cluster-issuer: acme"),
    ),
    Case(
        "TL07",
        "a DNS solver beside it",
        issuer(f"{BY_NGINX}, {{dns01: {{}}}}") + issued("cert-manager.io/cluster-issuer: acme"),
    ),
    Case("TL07", "a stack without objects of cert-manager", issued("cert-manager.io/cluster-issuer: acme")),
    Case(
        "TL07",
        "two classes of one Contour",
        contour("'--ingress-class-name=contour,nginx'")
        + issuer(BY_NGINX)
        + issued("cert-manager.io/cluster-issuer: acme"),
    ),
    Case("TL01", "an HTTP listener only", by_gateway("http") + asking("*.localhost"), ("/spec/parentRefs",)),
    Case("TL01", "an HTTPS listener too", by_gateway() + asking("*.localhost")),
    Case(
        "TL01",
        "the listeners of a Gateway that is not declared are unknown",
        by_gateway("http").partition("---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n")[0]
        + asking("*.localhost"),
    ),
    Case("TL02", "an HTTPRoute at both listeners", by_gateway(), ("/spec/rules/0",)),
    Case("TL02", "an HTTPRoute at the HTTPS listener only", by_gateway("https")),
    Case("TL02", "an HTTPRoute that redirects", by_gateway("", REDIRECTS)),
    Case("TL02", "an HTTPRoute without TLS", by_gateway("http")),
    Case("TL01", "nobody asked", named("web.localhost")),
    Case("TL01", "an empty list is none", named("web.localhost", tls="tls: []") + asking("*"), ("/spec/tls",)),
    Case("TL01", "null is none", named("web.localhost", tls="tls: null") + asking("*"), ("/spec/tls",)),
    Case("TL01", "the host counts, and has no case", named("A.example.com") + asking("*.example.com"), ("/spec/tls",)),
    Case("TL01", "another host", named("web.localhost") + asking("*.example.com")),
    Case("TL01", "no rules", ingress("{}") + asking("*"), ("/spec/tls",)),
    Case(
        "TL01",
        "an HTTPProxy, roots only",
        proxy("{virtualhost: {fqdn: a.b}}") + proxy("{}", "leaf") + asking("*"),
        ("/spec/virtualhost/tls",),
    ),
    Case("TL01", "passthrough is TLS", proxy("{virtualhost: {fqdn: a.b, tls: {passthrough: true}}}") + asking("*")),
    Case("TL01", "entries that aren't known yet", named("a.b", tls="tls: !unknown ") + asking("*"), undecided=True),
    Case("TL02", "no TLS, nothing to redirect to", named("web.localhost", tls="tls: []")),
    Case(
        "TL02",
        "HTTP forbidden",
        named("web.localhost", tls=ENTRY, metadata="annotations: {kubernetes.io/ingress.allow-http: 'false'}"),
    ),
    Case(
        "TL02",
        "only the very texts count",
        named(
            "web.localhost",
            tls=ENTRY,
            metadata="annotations: {kubernetes.io/ingress.allow-http: 'False', "
            "ingress.kubernetes.io/force-ssl-redirect: 'yes'}",
        ),
        (REDIRECT,),
    ),
    Case(
        "TL02",
        "nginx's annotation isn't Contour's",
        named("a.b", tls=ENTRY, metadata="annotations: {nginx.ingress.kubernetes.io/force-ssl-redirect: 'true'}"),
        ("/metadata/annotations",),
    ),
    Case(
        "TL02",
        "an HTTPProxy redirects by itself unless a route says otherwise",
        proxy("{virtualhost: {fqdn: a.b, tls: {secretName: a}}, routes: [{}, {permitInsecure: true}]}"),
        ("/spec/routes/1/permitInsecure",),
    ),
    Case("TL03", "one host for another", named("a.b", tls="tls: [{hosts: [c.d]}]"), ("/spec/tls/0/hosts/0",)),
    Case(
        "TL03",
        "both ways",
        named("a.b", "e.f", tls="tls: [{hosts: [c.d]}]"),
        ("/spec/rules/0/host", "/spec/rules/1/host", "/spec/tls/0/hosts/0"),
    ),
    Case(
        "TL03",
        "one misspelt host of two",
        named("web.localhost", "other.example", tls="tls: [{hosts: [wed.localhost]}]"),
        ("/spec/rules/1/host", "/spec/tls/0/hosts/0"),
    ),
    Case("TL03", "hosts have no case", named("A.b", tls="tls: [{hosts: [a.B]}]")),
    Case("TL03", "two entries", named("a.b", "c.d", tls="tls: [{hosts: [c.d]}, {hosts: [a.b]}]")),
    Case("TL03", "two rules for one host", named("a.b", "a.b", tls="tls: [{hosts: [a.b]}]")),
    Case(
        "TL03",
        "a wildcard covers no name",
        named("a.b", tls="tls: [{hosts: ['*.b']}]"),
        ("/spec/tls/0/hosts/0",),
    ),
    Case(
        "TL03",
        "no hosts cover nothing",
        named("a.b", tls="tls: [{secretName: a}]"),
        ("/spec/tls/0/hosts",),
    ),
    Case("TL03", "no TLS", named("a.b", tls="tls: []")),
    Case("TL03", "a host that isn't known yet", named("a.b", tls="tls: [{hosts: [!unknown ]}]"), undecided=True),
    Case("TL04", "it is there", secret() + named("a.b", tls=ENTRY)),
    Case("TL04", "an entry names none", named("a.b", tls="tls: [{hosts: [a.b]}]"), ("/spec/tls/0/secretName",)),
    Case(
        "TL04",
        "the wrong type",
        secret(kind="helm.sh/release.v1") + named("a.b", tls=ENTRY),
        ("/spec/tls/0/secretName",),
    ),
    Case(
        "TL04",
        "Opaque will do",
        secret(kind="Opaque", more="stringData: {tls.crt: a, tls.key: a}") + named("a.b", tls=ENTRY),
    ),
    Case("TL04", "without a key", secret("data: {tls.crt: a}") + named("a.b", tls=ENTRY), ("/spec/tls/0/secretName",)),
    Case(
        "TL04",
        "values that aren't known yet are there",
        secret("data: {tls.crt: !unknown , tls.key: !unknown }") + named("a.b", tls=ENTRY),
    ),
    Case("TL04", "data that isn't known yet", secret("data: !unknown ") + named("a.b", tls=ENTRY), undecided=True),
    Case(
        "TL04", "in another namespace", secret(namespace="certs") + named("a.b", tls=ENTRY), ("/spec/tls/0/secretName",)
    ),
    Case(
        "TL04",
        "the annotation names the namespace, which doesn't delegate",
        secret(namespace="certs")
        + named("a.b", tls=ENTRY, metadata="annotations: {projectcontour.io/tls-cert-namespace: certs}"),
        ("/spec/tls/0/secretName",),
    ),
    Case(
        "TL04",
        "a namespace that delegates to all",
        secret(namespace="certs")
        + named("a.b", tls=ENTRY, metadata="annotations: {projectcontour.io/tls-cert-namespace: certs}")
        + delegation("'*'"),
    ),
    Case(
        "TL04",
        "it exists outside the stack",
        named("a.b", tls=ENTRY) + policy("{TL04: {parameters: {given: ['Secret/apps/*']}}}"),
    ),
    Case(
        "TL04",
        "cert-manager makes it",
        named("a.b", tls=ENTRY)
        + "---\n{apiVersion: cert-manager.io/v1, kind: Certificate, metadata: {name: a, namespace: apps}, "
        "spec: {secretName: web-tls}}",
    ),
    Case(
        "TL04",
        "cert-manager makes it for an annotation",
        named("a.b", tls=ENTRY, metadata="annotations: {cert-manager.io/issuer: a}"),
    ),
    Case("TL04", "a Gateway", GATEWAY % "{name: web-tls}", ("/spec/listeners/0/tls/certificateRefs/0/name",)),
    Case("TL04", "a Gateway with its Secret", secret() + GATEWAY % "{name: web-tls}"),
    Case(
        "TL04",
        "a Gateway without another namespace's leave",
        secret(namespace="certs") + GATEWAY % "{name: web-tls, namespace: certs}",
        ("/spec/listeners/0/tls/certificateRefs/0/name",),
    ),
    Case("TL05", "an Ingress has TLS", published() + named("a.b", tls="tls: [{hosts: [a.b], secretName: a}]")),
    Case(
        "TL05", "an entry without a Secret is no TLS", published() + named("a.b", tls="tls: [{hosts: [a.b]}]"), (ENVOY,)
    ),
    Case(
        "TL05",
        "another controller's TLS",
        published() + ingress("{ingressClassName: nginx, tls: [{hosts: [a.b], secretName: a}]}"),
        (ENVOY,),
    ),
    Case("TL05", "an HTTPProxy has TLS", published() + proxy("{virtualhost: {fqdn: a.b, tls: {passthrough: true}}}")),
    Case("TL05", "a Gateway has", published() + GATEWAY % ""),
    Case("TL05", "HTTPS on another port", published(8443) + named("a.b"), (ENVOY,)),
    Case("TL05", "HTTP", published(80, "http") + named("a.b")),
    Case("TL05", "no routes here", published()),
    Case("TL05", "nobody publishes it", "---" + published().split("---")[2] + named("a.b")),
    Case(
        "TL05",
        "one has TLS, whatever the other has",
        published() + named("a.b", tls="tls: !unknown ") + ingress("{tls: [{hosts: [a.b], secretName: a}]}", "other"),
    ),
    Case("TL05", "it isn't known yet", published() + named("a.b", tls="tls: !unknown "), undecided=True),
]


def test_the_settings_ask_for_tls() -> None:
    stack = settings("test", {"services": [{"name": "shop", "tls": "shop-tls"}, {"name": "wiki"}]})
    bodies = documents(named("shop.localhost")) + documents(named("wiki.localhost"))
    (finding,) = verdict(bodies, rules=["TL01"], settings=stack)
    assert finding.message == "shop.localhost is served without TLS."


@pytest.mark.parametrize(
    ("code", "text", "operations"),
    [
        ("TL01", named("a.b") + asking("*"), None),
        ("TL01", secret() + secret().replace("web-tls", "other") + named("a.b") + asking("*"), None),
        ("TL01", secret("data: {tls.crt: a}") + named("a.b") + asking("*"), None),
        ("TL03", named("a.b", tls="tls: [{hosts: [a.b, c.d]}]"), [("remove", "/spec/tls/0/hosts/1")]),
        ("TL03", named("a.b", tls="tls: [{hosts: [a.b]}, {hosts: [c.d]}]"), [("remove", "/spec/tls/1")]),
        ("TL03", named(tls="tls: [{hosts: [c.d]}]"), None),
    ],
)
def test_a_patch_takes_what_is_sure_or_nothing(code: str, text: str, operations: object) -> None:
    (finding,) = of_rule(text, code)
    assert (finding.patch and [(o["op"], o["path"]) for o in finding.patch.operations]) == operations
