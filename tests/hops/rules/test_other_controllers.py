"""An Ingress of another controller: the rules that hold for Contour only leave it alone."""

import pytest

from hops.rules.catalogue import RULES
from tests.hops.rules.cases import documents, verdict
from tests.hops.rules.manifests import ingress, path, policy, service

BACKEND = "{service: {name: web, port: {number: 80}}}"
PATTERN = f"{{path: '/api(/|$)(.*)', pathType: ImplementationSpecific, backend: {BACKEND}}}"
OF_CONTOUR = {"IN03", "IN05", "IN06", "IN07", "IN12", "RP07", "TL02", "TL03", "TL06"}
NGINX = 'annotations: {nginx.ingress.kubernetes.io/use-regex: "true"}'


def doubled(field: str, metadata: str = "") -> str:
    """Two Ingresses with the same regular expression and TLS, one rule of which has no host."""
    rules = f"[{{host: a.example.com, http: {{paths: [{PATTERN}]}}}}, {{http: {{paths: [{path()}]}}}}]"
    spec = f"{{{field} tls: [{{hosts: [a.example.com], secretName: a}}], rules: {rules}}}"
    certificate = "\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: apps}\ntype: kubernetes.io/tls\n"
    return service() + ingress(spec, metadata=metadata) + ingress(spec, "canary", metadata) + certificate


def ingress_class(name: str, controller: str) -> str:
    return (
        f"\n---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: {name}}}\n"
        f"spec: {{controller: {controller}}}\n"
    )


def codes(text: str) -> set[str]:
    return {finding.code for finding in verdict(documents(text))} & OF_CONTOUR


@pytest.mark.parametrize(
    "text",
    [
        doubled("ingressClassName: nginx,", NGINX),
        doubled("ingressClassName: nginx-internal,"),
        doubled("ingressClassName: traefik,"),
        doubled("ingressClassName: azure/application-gateway,"),
        doubled("", "annotations: {kubernetes.io/ingress.class: alb}"),
        doubled("ingressClassName: public,", NGINX),
        doubled("ingressClassName: public,") + ingress_class("public", "k8s.io/ingress-nginx"),
        doubled("") + policy("{IN09: {parameters: {classes: [nginx]}}}"),
    ],
)
def test_an_ingress_of_another_controller_is_its_business(text: str) -> None:
    assert codes(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        doubled(""),
        doubled("ingressClassName: contour,", NGINX),
        doubled("", NGINX),
        doubled("ingressClassName: public,"),
        doubled("ingressClassName: nginx,") + ingress_class("nginx", "projectcontour.io/ingress-controller"),
        doubled("ingressClassName: nginx,")
        + """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: contour, namespace: projectcontour}
spec: {template: {spec: {containers: [{name: contour, args: [serve, --ingress-class-name=nginx]}]}}}
""",
        doubled("") + policy("{IN09: {parameters: {classes: [contour, '']}}}"),
    ],
)
def test_an_ingress_of_contour_is_judged(text: str) -> None:
    assert {"IN03", "IN05", "IN07", "TL02"} <= codes(text)


def test_contour_still_gets_the_advice_about_annotations_of_nginx() -> None:
    assert "RP07" in codes(doubled("ingressClassName: contour,", NGINX))


def test_a_missing_service_is_wrong_for_every_controller() -> None:
    text = ingress(f"{{ingressClassName: nginx, rules: [{{host: a.example.com, http: {{paths: [{path()}]}}}}]}}")
    assert [finding.code for finding in verdict(documents(text), rules=["IN01"])] == ["IN01"]


@pytest.mark.parametrize(
    ("kind", "annotated", "found"),
    [("alb", True, []), ("alb", False, []), ("nginx", False, ["IN01"]), ("contour", True, ["IN01"])],
)
def test_only_the_aws_controller_reads_an_action_as_backend(kind: str, found: list[str], *, annotated: bool) -> None:
    action = "alb.ingress.kubernetes.io/actions.redirect"
    annotations = f"{{kubernetes.io/ingress.class: {kind}" + (f", {action}: '{{}}'}}" if annotated else "}")
    backend = "{service: {name: redirect, port: {name: use-annotation}}}"
    text = ingress(
        f"{{rules: [{{http: {{paths: [{path(backend=backend)}]}}}}]}}", metadata=f"annotations: {annotations}"
    )
    assert [finding.code for finding in verdict(documents(text), rules=["IN01", "IN02"])] == found


@pytest.mark.parametrize(("name", "named"), [("nginx", 0), ("contour", 1)])
def test_the_remedy_of_a_snippet_names_httpproxy_for_contour_only(name: str, named: int) -> None:
    text = ingress(
        f"{{ingressClassName: {name}, rules: []}}",
        metadata="annotations: {nginx.ingress.kubernetes.io/server-snippet: return 200;}",
    )
    (finding,) = verdict(documents(text), rules=["IN16"])
    assert finding.remedy.count("HTTPProxy") == named


@pytest.mark.parametrize(
    ("name", "sender", "found"),
    [
        ("nginx", "[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]", 0),
        ("nginx", "[]", 1),
        ("contour", "[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress-nginx}}}]", 1),
        ("contour", "[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: projectcontour}}}]", 0),
    ],
)
def test_a_pod_of_another_controller_admits_that_controller(name: str, sender: str, found: int) -> None:
    rules = f"[{{host: a.example.com, http: {{paths: [{path()}]}}}}]"
    pod = (
        "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: apps, labels: {app: web}}\n"
        "spec: {containers: [{name: web, image: 'web:1'}]}\n---\napiVersion: networking.k8s.io/v1\n"
        "kind: NetworkPolicy\nmetadata: {name: web, namespace: apps}\n"
        f"spec: {{podSelector: {{}}, policyTypes: [Ingress], ingress: [{{from: {sender}}}]}}\n"
    )
    text = service() + ingress(f"{{ingressClassName: {name}, rules: {rules}}}") + pod
    findings = verdict(documents(text), rules=["EX05"])
    assert len(findings) == found
    assert name == "contour" or all("projectcontour" not in f.message and not f.patch for f in findings)


@pytest.mark.parametrize(("name", "found"), [("nginx", []), ("contour", ["RP01"])])
def test_a_policy_need_not_admit_envoy_to_the_pods_of_another_controller(name: str, found: list[str]) -> None:
    bodies = documents(RULES["RP01"].bad)
    for body in bodies:
        if body["kind"] == "Ingress":
            body["spec"]["ingressClassName"] = name
    assert [finding.code for finding in verdict(bodies, rules=["RP01"])] == found
