"""Edges of the rules on the path from the ingress controller to the process."""

import pytest

from hops.kubernetes.controller.contour_annotations import READ, expected, unread
from tests.hops.rules.cases import Case, documents, of_rule, verdict


def workload(container: str = "", spec: str = "", more: str = "", kind: str = "Deployment", name: str = "web") -> str:
    return f"""
---
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}, namespace: apps}}
spec:
  {more or "minReadySeconds: 0"}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      {{{spec} containers: [{{name: web, ports: [{{name: http, containerPort: 8080}}], {container or "image: a/b"}}}]}}
"""


def service(target: str = "8080", annotations: str = "{}") -> str:
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: apps, annotations: {annotations}}}
spec: {{selector: {{app: web}}, ports: [{{name: http, port: 80, targetPort: {target}}}]}}
"""


def ingress(annotations: str = "{}", more: str = "", path: str = "/") -> str:
    return f"""
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: web, namespace: apps, annotations: {annotations}}}
spec:
  {more}
  rules:
  - host: web.localhost
    http: {{paths: [{{path: {path}, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}
"""


def envoy(namespace: str = "projectcontour", port: str = "{name: http, containerPort: 8080, hostPort: 80}") -> str:
    return f"""
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: envoy, namespace: {namespace}}}
spec:
  template:
    metadata: {{labels: {{app: envoy}}}}
    spec: {{containers: [{{name: envoy, image: "envoyproxy/envoy:v1.35.0", ports: [{port}]}}]}}
"""


def contour(*flags: str, namespace: str = "projectcontour") -> str:
    listed = ", ".join(f'"{flag}"' for flag in ("serve", *flags))
    return f"""
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: contour, namespace: {namespace}}}
spec: {{template: {{spec: {{containers: [{{name: contour, command: [contour], args: [{listed}]}}]}}}}}}
"""


def policy(
    ingress_: str, selector: str = "{}", namespace: str = "apps", name: str = "web", types: str = "Ingress"
) -> str:
    return f"""
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{podSelector: {selector}, policyTypes: [{types}], {ingress_}}}
"""


def calico(rule: str, kind: str = "NetworkPolicy", selector: str = "app == 'web'") -> str:
    return f"""
---
apiVersion: projectcalico.org/v3
kind: {kind}
metadata: {{name: edge, namespace: apps}}
spec: {{selector: "{selector}", types: [Ingress], ingress: [{rule}]}}
"""


def cluster(*nodes: str) -> str:
    return f"---\nkind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: dev\nnodes: [{', '.join(nodes)}]\n"


PATH = workload() + service() + ingress()
OWN = "ingress: [{from: [{podSelector: {}}]}]"
ENVOYS = "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: projectcontour}}"
FROM_ENVOY = f"ingress: [{{from: [{{{ENVOYS}}}]}}]"
SELECTOR = ("/spec/selector",)
TWO = (
    envoy()
    + contour("--ingress-class-name=outer")
    + envoy("inner", "{name: http, containerPort: 8080}")
    + contour("--ingress-class-name=inner", namespace="inner")
    + policy(FROM_ENVOY)
)
"""Two Contours, of which a policy admits the first one's Envoys."""
CONTAINER = "/spec/template/spec/containers/0"
AT = "/metadata/annotations/"

CASES = [
    # RP01
    Case("RP01", "no policy", PATH + envoy()),
    Case("RP01", "only the own namespace, without a controller", PATH + policy(OWN), SELECTOR),
    Case("RP01", "nobody, without a controller", PATH + policy("ingress: []"), SELECTOR),
    Case("RP01", "nobody", PATH + envoy() + policy("ingress: []"), SELECTOR),
    Case(
        "RP01",
        "Envoy's labels in the own namespace",
        PATH + envoy() + policy("ingress: [{from: [{podSelector: {matchLabels: {app: envoy}}}]}]"),
        SELECTOR,
    ),
    Case(
        "RP01",
        "another port",
        PATH + envoy() + policy(f"ingress: [{{from: [{{{ENVOYS}}}], ports: [{{port: 80}}]}}]"),
        SELECTOR,
    ),
    Case(
        "RP01",
        "the port by its name",
        PATH + envoy() + policy(f"ingress: [{{from: [{{{ENVOYS}}}], ports: [{{port: http}}]}}]"),
    ),
    Case(
        "RP01",
        "a pod selector of the controller's namespace that no Envoy has",
        PATH + envoy() + policy(f"ingress: [{{from: [{{{ENVOYS}, podSelector: {{matchLabels: {{app: nginx}}}}}}]}}]"),
        SELECTOR,
    ),
    Case("RP01", "policies add up", PATH + envoy() + policy("ingress: []", name="deny") + policy(FROM_ENVOY)),
    *(
        Case(
            "RP01", f"two Contours, {about}", PATH.replace("rules:", f"ingressClassName: {name}\n  rules:") + TWO, found
        )
        for about, name, found in (
            ("of which the other one handles the class", "outer", ()),
            ("of which the one that is kept out handles the class", "inner", SELECTOR),
            ("of which none handles the class", "third", SELECTOR),
        )
    ),
    Case("RP01", "an Envoy of another namespace", PATH + envoy("gateways") + policy(FROM_ENVOY), SELECTOR),
    Case(
        "RP01",
        "the egress of the controller's namespace",
        PATH + envoy() + policy("egress: []", namespace="projectcontour", types="Egress"),
        SELECTOR,
    ),
    Case("RP01", "a policy of Calico that denies", PATH + envoy() + calico("{action: Deny}"), SELECTOR),
    Case(
        "RP01",
        "a global policy of Calico that admits others only",
        PATH + envoy() + calico("{action: Allow, source: {selector: app == 'db'}}", "GlobalNetworkPolicy"),
        SELECTOR,
    ),
    Case(
        "RP01",
        "a policy of Calico that admits the controller",
        PATH
        + envoy()
        + calico("{action: Allow, source: {namespaceSelector: kubernetes.io/metadata.name == 'projectcontour'}}")
        + "---\n{apiVersion: v1, kind: Namespace, metadata: {name: projectcontour}}",
    ),
    Case(
        "RP01",
        "addresses are not known before the pods run",
        PATH + envoy() + policy("ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]"),
    ),
    Case("RP01", "another pod's policy", PATH + envoy() + policy("ingress: []", "{matchLabels: {app: db}}")),
    Case("RP01", "a Service that no route leads to", workload() + service() + envoy() + policy("ingress: []")),
    # RP02
    Case(
        "RP02",
        "http.server in a script",
        workload("command: [sh, -c, 'cd /srv && python3 -m http.server -b localhost 8080']") + service() + ingress(),
        (f"{CONTAINER}/command",),
    ),
    Case(
        "RP02",
        "uvicorn",
        workload('command: [uvicorn], args: ["app:app", --host, 127.0.0.1]') + service() + ingress(),
        (f"{CONTAINER}/args",),
    ),
    Case(
        "RP02",
        "an address with a port",
        workload('args: ["--listen=127.0.0.1:8080"]') + service() + ingress(),
        (f"{CONTAINER}/args",),
    ),
    Case(
        "RP02", "IPv6", workload('args: [gunicorn, -b, "[::1]:8080"]') + service() + ingress(), (f"{CONTAINER}/args",)
    ),
    Case(
        "RP02", "all addresses", workload("command: [python, -m, http.server, --bind, 0.0.0.0]") + service() + ingress()
    ),
    *(
        Case("RP02", f"{about} {words}", workload(f"command: [{words}]") + service() + ingress(), paths_)
        for about, paths_, commands in (
            (
                "the default of",
                (f"{CONTAINER}/command",),
                (
                    "uvicorn, 'app:app', --port, '8080'",
                    "python3, -m, uvicorn, app, --port=8080",
                    "flask, --app, hello, run",
                    "flask, run, -p, '8080'",
                    "fastapi, dev, main.py",
                    "hypercorn, app",
                    "python, manage.py, runserver, '8080'",
                    "python, ./manage.py, runserver, --noreload, 'localhost:8080'",
                    "django-admin, runserver",
                ),
            ),
            (
                "the address of",
                (),
                (
                    "uvicorn, 'app:app', --host, 0.0.0.0",
                    "uvicorn, app, --uds, /run/app.sock",
                    "flask, run, -h, 0.0.0.0",
                    "flask, routes",
                    "fastapi, run, main.py",
                    "hypercorn, -b, '0.0.0.0:8080', app",
                    "python, manage.py, runserver, '0:8080'",
                    "python, manage.py, migrate",
                    "gunicorn, app",
                ),
            ),
        )
        for words in commands
    ),
    *(
        Case("RP02", about, workload(f"command: [uvicorn, app], {given}") + service() + ingress())
        for about, given in (
            ("an address in a variable", "env: [{name: UVICORN_HOST, value: 0.0.0.0}]"),
            ("an address in a variable of a ConfigMap", "envFrom: [{configMapRef: {name: settings}}]"),
        )
    ),
    *(
        Case(
            "RP04",
            about,
            workload("image: a/b, envFrom: [{secretRef: {name: hook}}]")
            + service()
            + ingress()
            + f"""
---
apiVersion: batch/v1
kind: Job
metadata: {{name: certificates, namespace: apps}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: create, image: a/b, args: [create, --host=a, --secret-name={name}]}}]
""",
            paths_,
        )
        for about, name, paths_ in (
            ("a Secret that a Job makes", "hook", ()),
            ("a Secret that no Job makes", "hooks", (f"{CONTAINER}/envFrom/0/secretRef/name",)),
        )
    ),
    Case("RP02", "the host of a client", workload("command: [worker, --host, localhost]") + service() + ingress()),
    Case(
        "RP02",
        "behind a proxy in the same pod",
        workload('image: a/proxy}, {name: app, ports: [{containerPort: 3000}], command: [app, "--bind=127.0.0.1:3000"]')
        + service()
        + ingress(),
    ),
    Case("RP02", "a pod that nothing exposes", workload("command: [python, -m, http.server, --bind, 127.0.0.1]")),
    # RP03
    Case("RP03", "no replicas", workload(more="replicas: 0") + service() + ingress(), ("/spec/replicas",)),
    Case(
        "RP03",
        "a StatefulSet without replicas",
        workload(more="replicas: 0", kind="StatefulSet") + service() + ingress(),
        ("/spec/replicas",),
    ),
    Case(
        "RP03", "another workload serves", workload(more="replicas: 0") + workload(name="green") + service() + ingress()
    ),
    Case(
        "RP03",
        "an autoscaler decides",
        workload(more="replicas: 0")
        + service()
        + ingress()
        + "---\n{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a, namespace: apps}, "
        "spec: {scaleTargetRef: {name: web}}}",
    ),
    Case("RP03", "no route", workload(more="replicas: 0") + service()),
    Case(
        "RP03",
        "no node has the label",
        cluster("{role: control-plane}", "{role: worker}")
        + workload(spec="nodeSelector: {disk: ssd},")
        + service()
        + ingress(),
        ("/spec/template/spec/nodeSelector",),
    ),
    Case(
        "RP03",
        "a node that does not exist",
        cluster("{role: control-plane}") + workload(spec="nodeName: dev-worker9,") + service() + ingress(),
        ("/spec/template/spec/affinity",),
    ),
    Case(
        "RP03",
        "one node has the label",
        cluster("{role: control-plane}", "{role: worker, labels: {disk: ssd}}")
        + workload(spec="nodeSelector: {disk: ssd},")
        + service()
        + ingress(),
    ),
    Case("RP03", "no declared cluster", workload(spec="nodeSelector: {disk: ssd},") + service() + ingress()),
    # RP04
    Case(
        "RP04",
        "a Secret of a variable",
        workload("env: [{name: A, valueFrom: {secretKeyRef: {name: a, key: b}}}]") + service() + ingress(),
        (f"{CONTAINER}/env/0/valueFrom/secretKeyRef/name",),
    ),
    Case(
        "RP04",
        "a volume claim",
        workload(spec="volumes: [{name: a, persistentVolumeClaim: {claimName: a}}],") + service() + ingress(),
        ("/spec/template/spec/volumes/0/persistentVolumeClaim/claimName",),
    ),
    Case(
        "RP04",
        "a projected ConfigMap",
        workload(spec="volumes: [{name: a, projected: {sources: [{configMap: {name: a}}]}}],") + service() + ingress(),
        ("/spec/template/spec/volumes/0/projected/sources/0/configMap/name",),
    ),
    Case(
        "RP04",
        "a key that the ConfigMap lacks",
        workload("env: [{name: A, valueFrom: {configMapKeyRef: {name: a, key: b}}}]")
        + service()
        + ingress()
        + "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: apps}, data: {c: d}}",
        (f"{CONTAINER}/env/0/valueFrom/configMapKeyRef/name",),
    ),
    Case("RP04", "optional", workload("envFrom: [{configMapRef: {name: a, optional: true}}]") + service() + ingress()),
    Case(
        "RP04",
        "one that every namespace has",
        workload(spec="volumes: [{name: a, configMap: {name: kube-root-ca.crt}}],") + service() + ingress(),
    ),
    Case(
        "RP04",
        "a Secret that an ExternalSecret makes",
        workload("envFrom: [{secretRef: {name: a}}]")
        + service()
        + ingress()
        + "---\n{apiVersion: external-secrets.io/v1, kind: ExternalSecret, metadata: {name: a, namespace: apps}}",
    ),
    *(
        Case(
            "RP04",
            f"a Secret that a preview replaces, named by {'Pulumi' if ours else 'its user'}",
            workload("envFrom: [{secretRef: {name: a-22222222}}]")
            + service()
            + ingress()
            + "---\n{apiVersion: v1, kind: Secret, metadata: {name: a-11111111, namespace: apps"
            + (", annotations: {pulumi.com/autonamed: 'true'}" if ours else "")
            + "}}",
            () if ours else (f"{CONTAINER}/envFrom/0/secretRef/name",),
        )
        for ours in (True, False)
    ),
    Case(
        "RP04",
        "given from outside",
        workload("envFrom: [{secretRef: {name: a}}]")
        + service()
        + ingress()
        + "---\n{apiVersion: ingress-hops/v1, kind: Policy, rules: {RP04: {parameters: {given: [Secret/apps/a]}}}}",
    ),
    # RP05
    Case("RP05", "several namespaces", PATH + contour("--watch-namespaces=shop,apps")),
    Case("RP05", "the flag in two words", PATH + contour("--watch-namespaces", "shop"), ("/metadata/namespace",)),
    Case(
        "RP05",
        "another Contour watches it",
        PATH + contour("--watch-namespaces=shop") + contour("--watch-namespaces=apps", namespace="gateways"),
    ),
    Case(
        "RP05",
        "another controller's class",
        workload()
        + service()
        + ingress(more="ingressClassName: nginx")
        + contour("--watch-namespaces=shop")
        + "---\n{apiVersion: networking.k8s.io/v1, kind: IngressClass, "
        "metadata: {name: nginx}, spec: {controller: k8s.io/ingress-nginx}}",
    ),
    Case(
        "RP05",
        "a root elsewhere",
        contour("--root-namespaces=shop")
        + "---\n{apiVersion: projectcontour.io/v1, kind: HTTPProxy, metadata: {name: a, namespace: apps}, "
        "spec: {virtualhost: {fqdn: a.localhost}}}",
        ("/spec/virtualhost",),
    ),
    Case(
        "RP05",
        "a route that a root includes",
        contour("--root-namespaces=shop")
        + "---\n{apiVersion: projectcontour.io/v1, kind: HTTPProxy, metadata: {name: a, namespace: apps}, "
        "spec: {routes: []}}",
    ),
    # RP06
    Case("RP06", "the published ports", envoy() + contour()),
    Case(
        "RP06",
        "the flag in two words",
        envoy() + contour("--envoy-service-http-port", "80"),
        (f"{CONTAINER}/ports/0/containerPort",),
    ),
    Case(
        "RP06",
        "a containerPort of 80 as in older versions",
        envoy(port="{hostPort: 80, containerPort: 80}") + contour(),
        (f"{CONTAINER}/ports/0/containerPort",),
    ),
    Case(
        "RP06",
        "HTTPS",
        envoy(port="{name: https, hostPort: 443, containerPort: 8443}") + contour("--envoy-service-https-port=9443"),
        (f"{CONTAINER}/ports/0/containerPort",),
    ),
    Case(
        "RP06",
        "a ContourConfiguration",
        envoy()
        + contour()
        + "---\n{apiVersion: projectcontour.io/v1alpha1, kind: ContourConfiguration, metadata: {name: contour, "
        "namespace: projectcontour}, spec: {envoy: {http: {port: 80}}}}",
        (f"{CONTAINER}/ports/0/containerPort",),
    ),
    Case(
        "RP06",
        "loopback",
        envoy() + contour("--envoy-service-http-address=127.0.0.1"),
        (f"{CONTAINER}/ports/0/containerPort",),
    ),
    Case(
        "RP06",
        "flag and port agree",
        envoy(port="{name: http, hostPort: 80, containerPort: 80}") + contour("--envoy-service-http-port=80"),
    ),
    Case("RP06", "the Contour of another namespace", envoy("gateways") + contour("--envoy-service-http-port=80")),
    # RP07
    Case(
        "RP07",
        "what Contour reads",
        workload()
        + service(annotations="{projectcontour.io/upstream-protocol.h2c: 'http,80'}")
        + ingress(
            "{projectcontour.io/response-timeout: 1m30s, projectcontour.io/num-retries: '-1', "
            "projectcontour.io/websocket-routes: /, cert-manager.io/issuer: a}"
        ),
    ),
    Case(
        "RP07",
        "h2c for a port that the Service lacks",
        workload() + service(annotations="{projectcontour.io/upstream-protocol.h2c: '8080'}") + ingress(),
        (AT + "projectcontour.io~1upstream-protocol.h2c",),
    ),
    Case(
        "RP07",
        "an annotation of a Service at the Ingress",
        PATH.replace(ingress(), ingress("{projectcontour.io/max-connections: '1'}")),
        (AT + "projectcontour.io~1max-connections",),
    ),
    Case(
        "RP07",
        "a boolean by another word",
        workload() + service() + ingress("{kubernetes.io/ingress.allow-http: 'no'}"),
        (AT + "kubernetes.io~1ingress.allow-http",),
    ),
    Case(
        "RP07",
        "an HTTPProxy takes its timeouts in its fields",
        "---\n{apiVersion: projectcontour.io/v1, kind: HTTPProxy, metadata: {name: a, namespace: apps, "
        "annotations: {projectcontour.io/response-timeout: 1s}}}",
        (AT + "projectcontour.io~1response-timeout",),
    ),
    Case(
        "RP07",
        "another controller's class",
        workload() + service() + ingress("{nginx.ingress.kubernetes.io/rewrite-target: /}", "ingressClassName: nginx"),
    ),
    Case("RP07", "a Service without a route", service(annotations="{projectcontour.io/max-requests: many}")),
    # RP08
    Case(
        "RP08",
        "no tag, in a kind cluster",
        cluster("{role: control-plane}") + workload("image: web") + service() + ingress(),
        (f"{CONTAINER}/imagePullPolicy",),
    ),
    Case("RP08", "no tag and no policy, without a kind cluster", workload("image: web") + service() + ingress()),
    Case(
        "RP08", "another tag with Always", workload("image: 'web:1', imagePullPolicy: Always") + service() + ingress()
    ),
    Case(
        "RP08",
        "an image of a registry",
        workload("image: 'ghcr.io/a/web:latest', imagePullPolicy: Always") + service() + ingress(),
    ),
    Case(
        "RP08",
        "latest that was loaded",
        workload("image: 'web:latest', imagePullPolicy: Never") + service() + ingress(),
    ),
]


def test_one_policy_is_one_finding() -> None:
    two = PATH + PATH.replace("name: web,", "name: two,").replace("app: web", "app: two").replace(
        "{name: web, port", "{name: two, port"
    )
    found = of_rule(two + envoy() + policy("ingress: []"), "RP01")
    assert [str(finding.resource) for finding in found] == ["Service/apps/two"]
    assert "NetworkPolicy/apps/web does not admit a connection from DaemonSet/projectcontour/envoy" in found[0].message


def test_a_snippet_is_reported_once() -> None:
    found = verdict(documents(workload() + service() + ingress("{nginx.ingress.kubernetes.io/server-snippet: a}")))
    assert [finding.code for finding in found if finding.path.startswith(AT)] == ["IN16"]


@pytest.mark.parametrize(
    ("kind", "key", "instead"),
    [
        ("Ingress", "nginx.ingress.kubernetes.io/rewrite-target", "pathRewritePolicy"),
        ("Ingress", "nginx.ingress.kubernetes.io/force-ssl-redirect", "ingress.kubernetes.io/force-ssl-redirect"),
        ("Ingress", "nginx.ingress.kubernetes.io/canary-weight", "weights"),
        ("Ingress", "nginx.ingress.kubernetes.io/auth-url", "authorization"),
        ("Ingress", "contour.heptio.com/retry-on", "Rename the annotation to projectcontour.io/retry-on"),
        ("Ingress", "projectcontour.io/request-timeout", ""),
        ("Ingress", "projectcontour.io/upstream-protocol.tls", "Move the annotation to the Service"),
        ("Ingress", "haproxy.org/anything", "HTTPProxy"),
        ("Ingress", "example.com/owner", ""),
        ("Ingress", "kubernetes.io/tls-acme", ""),
    ],
)
def test_what_to_write_instead(kind: str, key: str, instead: str) -> None:
    said = unread(kind, key)
    assert instead in said
    assert bool(said) is bool(instead)


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ("60s", True),
        ("1m30s", True),
        ("0.5s", True),
        ("infinity", True),
        ("60", False),
        ("1 m", False),
        ("sixty", False),
    ],
)
def test_a_timeout_has_a_unit(value: str, *, valid: bool) -> None:
    assert (expected("Ingress", "projectcontour.io/response-timeout", value) == "") is valid


@pytest.mark.parametrize(
    ("kind", "key", "value", "valid"),
    [
        ("Ingress", "request-timeout", "60", False),
        ("Ingress", "request-timeout", "60s", True),
        ("Ingress", "per-try-timeout", "+1.5s", True),
        ("Ingress", "num-retries", "-1", True),
        ("Ingress", "num-retries", "-2", False),
        # More than 32 bits: Contour takes its default.
        ("Ingress", "num-retries", "9999999999", False),
        ("Ingress", "num-retries", "2147483647", True),
        ("Service", "max-requests", "4294967295", True),
        ("Service", "max-requests", "4294967296", False),
        ("Service", "max-requests", "+5", False),
    ],
)
def test_a_value_that_contour_cannot_parse(kind: str, key: str, value: str, *, valid: bool) -> None:
    assert (expected(kind, f"projectcontour.io/{key}", value) == "") is valid


def test_every_annotation_that_contour_reads_is_left_alone() -> None:
    assert [key for kind, keys in READ.items() for key in keys if unread(kind, key)] == []
