"""Mistakes from practice: a healthy stack with one mistake has the findings of that mistake and no other."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.hops.rules.cases import documents, verdict

HEALTHY = """
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: dev
nodes:
- role: control-plane
- role: worker
  extraPortMappings:
  - {containerPort: 80, hostPort: 8080, listenAddress: 127.0.0.1}
---
apiVersion: v1
kind: Namespace
metadata: {name: projectcontour, labels: {pod-security.kubernetes.io/enforce: privileged}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: envoy, namespace: projectcontour}
spec:
  selector: {matchLabels: {app: envoy}}
  template:
    metadata: {labels: {app: envoy}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65534, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: envoy
        image: docker.io/envoyproxy/envoy:v1.35.0
        ports: [{name: http, containerPort: 8080, hostPort: 80}]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
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
        image: ghcr.io/projectcontour/contour:v1.33.0
        command: [contour]
        args: [serve, --incluster]
---
apiVersion: v1
kind: Namespace
metadata: {name: store, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: store}
spec:
  replicas: 2
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: cart
        image: registry.example/cart:1.0
        ports: [{name: http, containerPort: 8080}]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: store}
spec:
  selector: {app: cart}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: cart, namespace: store}
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: projectcontour}}}]}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: cart, namespace: store}
spec:
  rules:
  - host: cart.localhost
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: cart, port: {number: 80}}}}]
"""


@dataclass(frozen=True)
class Mistake:
    """A change of the healthy stack.

    about: the mistake.
    codes: the codes of its findings, in order; none for a change that is no mistake.
    edits: pairs of a text that is in the stack and what replaces it.
    more: documents that are added.
    """

    about: str
    codes: str
    edits: Sequence[tuple[str, str]]
    more: str = ""

    def __str__(self) -> str:
        return self.about

    @property
    def text(self) -> str:
        text = HEALTHY
        for old, new in self.edits:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text + self.more


MAPPING = "{containerPort: 80, hostPort: 8080, listenAddress: 127.0.0.1}"
NODES = "- role: control-plane\n- role: worker\n"
HOST_PORT = "ports: [{name: http, containerPort: 8080, hostPort: 80}]"
FLAGS = "args: [serve, --incluster]"
IMAGE = "image: registry.example/cart:1.0"
PORT = "ports: [{name: http, containerPort: 8080}]"
POD = "image: registry.example/cart:1.0\n        ports: [{name: http, containerPort: 8080}]"
SERVICE_PORT = "ports: [{name: http, port: 80, targetPort: http}]"
SELECTOR = "selector: {app: cart}\n"
POD_LABELS = "    metadata: {labels: {app: cart}}\n    spec:\n"
SENDERS = "from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: projectcontour}}}]"
PATH = "paths: [{path: /, pathType: Prefix, backend: {service: {name: cart, port: {number: 80}}}}]"
INGRESS = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: cart, namespace: store}"
SERVICE = "kind: Service\nmetadata: {name: cart, namespace: store}"
WORKLOAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: cart, namespace: store}\nspec:\n  replicas: 2\n"


def node(about: str, new: str, codes: str = "KN09", old: str = MAPPING) -> Mistake:
    return Mistake(about, codes, [(old, new)])


def network(about: str, fields: str, codes: str = "KN10") -> Mistake:
    return Mistake(about, codes, [("name: dev\n", f"name: dev\nnetworking: {{{fields}}}\n")])


def policy(
    about: str, codes: str, spec: str, kind: str = "networking.k8s.io/v1 NetworkPolicy", namespace: str = "store"
) -> Mistake:
    version, name = kind.split()
    return Mistake(
        about,
        codes,
        [],
        f"---\napiVersion: {version}\nkind: {name}\nmetadata: {{name: more, namespace: {namespace}}}\nspec: {spec}\n",
    )


def annotated(about: str, annotation: str, codes: str = "RP07") -> Mistake:
    return Mistake(about, codes, [(INGRESS, INGRESS[:-1] + f", annotations: {{{annotation}}}}}")])


PROXY = """---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {{name: pay, namespace: store}}
spec: {{virtualhost: {{fqdn: pay.localhost}}, routes: [{{{}}}]}}
"""
KEPT = """---
apiVersion: v1
kind: ConfigMap
metadata: {name: x, namespace: store}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: x, namespace: store}
stringData: {c: d}
"""


def mounted(about: str, volume: str, codes: str = "RP04") -> Mistake:
    return Mistake(about, codes, [(POD_LABELS, f"{POD_LABELS}      volumes: [{{name: v, {volume}}}]\n")], KEPT)


SERVICES = "services: [{name: cart, port: 80}]"


def proxied(about: str, route: str, codes: str = "IN17") -> Mistake:
    return Mistake(about, codes, [], PROXY.format(route))


def command(about: str, words: str, codes: str = "RP02") -> Mistake:
    return Mistake(about, codes, [(IMAGE, f"{IMAGE}\n        command: [{words}]")])


def secured(about: str, codes: str, tls: str, more: str = "", annotations: str = "") -> Mistake:
    return Mistake(
        about,
        codes,
        [(INGRESS + "\nspec:\n", INGRESS[:-1] + f", annotations: {{{annotations}}}}}\nspec:\n  tls: [{tls}]\n")],
        CERTIFICATES + more,
    )


CERTIFICATES = "".join(
    f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: store}}\ntype: kubernetes.io/tls\n"
    'data: {tls.crt: "", tls.key: ""}\n'
    for name in ("one", "two")
)
OTHER_INGRESS = """---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: pay, namespace: store, annotations: {{{annotations}}}}}
spec:
  tls: [{{hosts: [cart.localhost], secretName: {named}}}]
  rules:
  - host: cart.localhost
    http:
      paths: [{{path: /pay, pathType: Prefix, backend: {{service: {{name: cart, port: {{number: 80}}}}}}}}]
"""
REDIRECT = 'ingress.kubernetes.io/force-ssl-redirect: "true"'
GATEWAY = """---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: public, namespace: projectcontour}}
spec:
  gatewayClassName: contour
  listeners:
  - {{name: http, protocol: HTTP, port: 80, hostname: "*.localhost", allowedRoutes: {{namespaces: {{{allowed}}}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: pay, namespace: store}}
spec:
  parentRefs: [{{name: {gateway}, namespace: projectcontour{section}}}]
  hostnames: [{host}]
  rules: [{{backendRefs: [{{name: cart, port: 80}}]}}]
"""


def routed(about: str, codes: str = "IN18", **given: str) -> Mistake:
    fields = {"allowed": "from: All", "gateway": "public", "section": "", "host": "pay.localhost", **given}
    return Mistake(about, codes, [], GATEWAY.format(**fields))


MISTAKES = [
    Mistake("nothing", "", []),
    # What kind refuses.
    node("a mapping to no port", MAPPING.replace("80,", "70000,", 1)),
    node("a mapping of a protocol that does not exist", MAPPING.replace("}", ", protocol: HTTP}")),
    node("a role that does not exist", "- role: control-plane\n- role: node\n", old=NODES),
    node("a misspelt key of a node", "  extraPortMappngs:", old="  extraPortMappings:"),
    node("a mapping with the address key of pods", MAPPING.replace("listenAddress", "hostIP")),
    node("a mapping with a protocol in small letters", MAPPING[:-1] + ", protocol: tcp}", ""),
    node("a mapping of another protocol", MAPPING[:-1] + ", protocol: UDP}", "KN01"),
    network("a list of subnets", "podSubnet: [10.244.0.0/16]", "KN09"),
    node("an old version of the configuration", "kind.sigs.k8s.io/v1alpha3", old="kind.x-k8s.io/v1alpha4"),
    network("a misspelt key of the network", "podSubnets: 10.1.0.0/16", "KN09"),
    # A cluster that does not come up.
    network("a network without kube-proxy", "kubeProxyMode: none"),
    network("subnets that overlap", "podSubnet: 10.96.0.0/11"),
    network("a pod network that is too small for its nodes", "podSubnet: 10.244.0.0/24"),
    network("a pod network of the other family", 'podSubnet: "fd00:10:244::/56"', "KN09"),
    network("subnets that do not overlap", "podSubnet: 10.1.0.0/16, serviceSubnet: 10.2.0.0/16", ""),
    # Families that do not meet.
    network("an IPv6 cluster whose port is published at an IPv4 address", "ipFamily: ipv6"),
    Mistake("an IPv4 cluster whose port is published at an IPv6 address", "KN10", [("127.0.0.1}", '"::1"}')]),
    network("a cluster of both families", "ipFamily: dual", ""),
    # Network policies that keep the controller out.
    Mistake("a policy that admits the own namespace", "RP01", [(SENDERS, "from: [{podSelector: {}}]")]),
    Mistake(
        "a policy that admits another namespace", "RP01", [(SENDERS, SENDERS.replace("projectcontour", "ingress"))]
    ),
    Mistake("a policy that admits another port", "RP01", [(SENDERS, SENDERS + ", ports: [{port: 8081}]")]),
    Mistake(
        "a policy that admits a range of ports", "", [(SENDERS, SENDERS + ", ports: [{port: 8000, endPort: 9000}]")]
    ),
    Mistake("a policy that denies everything", "RP01", [(f"[{{{SENDERS}}}]", "[]")]),
    policy(
        "a policy that keeps the controller in",
        "RP01",
        "{podSelector: {}, policyTypes: [Egress]}",
        namespace="projectcontour",
    ),
    policy(
        "a policy of Calico that denies",
        "RP01",
        "{order: 1, selector: all(), types: [Ingress], ingress: [{action: Deny}]}",
        "projectcalico.org/v3 NetworkPolicy",
    ),
    policy(
        "a policy of Calico that allows",
        "",
        "{order: 1, selector: all(), types: [Ingress], ingress: [{action: Allow}]}",
        "projectcalico.org/v3 NetworkPolicy",
    ),
    # Annotations that Contour does not read.
    annotated("a rewrite of nginx", "nginx.ingress.kubernetes.io/rewrite-target: /"),
    annotated("a rule of Traefik", "traefik.ingress.kubernetes.io/router.entrypoints: web"),
    annotated("an annotation that Contour no longer has", "contour.heptio.com/response-timeout: 30s"),
    annotated("a timeout without a unit", "projectcontour.io/response-timeout: '30'"),
    annotated("a version of TLS that Contour does not have", "projectcontour.io/tls-minimum-protocol-version: '1.0'"),
    annotated("a WebSocket at a path that is not there", "projectcontour.io/websocket-routes: /chat"),
    annotated("a WebSocket at a path that is there", "projectcontour.io/websocket-routes: /", ""),
    annotated("a number of retries that is no number", "projectcontour.io/num-retries: many"),
    Mistake(
        "h2c for a port that is not there",
        "RP07",
        [(SERVICE, SERVICE[:-1] + ', annotations: {projectcontour.io/upstream-protocol.h2c: "81"}}')],
    ),
    # HTTPProxies that the API server or Contour refuses.
    proxied("an HTTPProxy", SERVICES, ""),
    proxied("a timeout of an HTTPProxy without a unit", f"{SERVICES}, timeoutPolicy: {{response: '30'}}", "AP04"),
    proxied("a timeout of an HTTPProxy that is a number", f"{SERVICES}, timeoutPolicy: {{response: 30}}", "AP03"),
    proxied("a protocol that does not exist", "services: [{name: cart, port: 80, protocol: http2}]", "AP04"),
    proxied(
        "a prefix that is replaced twice",
        f"{SERVICES}, conditions: [{{prefix: /a}}], pathRewritePolicy: {{replacePrefix: [{{replacement: /}}, "
        f"{{replacement: /b}}]}}",
    ),
    proxied(
        "two mirrors",
        "services: [{name: cart, port: 80}, {name: cart, port: 80, mirror: true}, {name: cart, port: 80, mirror: "
        "true}]",
    ),
    proxied(
        "a header that is compared twice",
        f"{SERVICES}, conditions: [{{header: {{name: a, exact: b}}}}, {{header: {{name: A, exact: c}}}}]",
    ),
    proxied("a route without a target", "conditions: [{prefix: /a}]"),
    proxied("a Service that is not there", "services: [{name: card, port: 80}]"),
    # Versions and fields that no API server has.
    Mistake("a removed version of a workload", "AP01", [(WORKLOAD, WORKLOAD.replace("apps/v1", "apps/v1beta2"))]),
    Mistake(
        "a removed version of an Ingress",
        "AP01",
        [(INGRESS, INGRESS.replace("networking.k8s.io/v1", "extensions/v1beta1"))],
    ),
    Mistake(
        "an Ingress of v1 with the fields of v1beta1",
        "AP02",
        [("service: {name: cart, port: {number: 80}}", "serviceName: cart, servicePort: 80")],
    ),
    Mistake(
        "a removed version of another kind",
        "AP01",
        [],
        "---\napiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: cart, namespace: store}\n"
        "spec: {minAvailable: 1, selector: {matchLabels: {app: cart}}}\n",
    ),
    *(
        Mistake(f"{version} {kind}", "AP01", [], f"---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n")
        for version, kind in (
            ("networking/v1", "NetworkPolicy"),
            ("core/v1", "ConfigMap"),
            ("k8s.io/v1", "ConfigMap"),
            ("settings.k8s.io/v1alpha1", "PodPreset"),
            ("networking.x-k8s.io/v1alpha1", "HTTPRoute"),
            ("gateway.networking.k8s.io/v1alpha2", "ReferencePolicy"),
            ("cert-manager.io/v1alpha2", "Issuer"),
        )
    ),
    Mistake("a kind of somebody else", "", [], "---\napiVersion: example.com/v1\nkind: Gateway\nmetadata: {name: a}\n"),
    Mistake("a misspelt kind", "AP01", [(SERVICE, SERVICE.replace("Service", "Servce"))]),
    Mistake("a misspelt field", "AP02", [(SELECTOR, "selectors: {app: cart}\n")]),
    # Types.
    annotated("an annotation that is a boolean", "example.com/on: true", "AP03"),
    Mistake("a label that is a number", "AP03", [(SERVICE, SERVICE[:-1] + ", labels: {version: 1.10}}")]),
    Mistake("a variable that is a number", "AP03", [(IMAGE, f"{IMAGE}\n        env: [{{name: PORT, value: 8080}}]")]),
    Mistake("a port that is a text", "AP03", [(PORT, PORT.replace("8080", '"8080"'))]),
    Mistake("a number of replicas that is a text", "AP03", [("replicas: 2", 'replicas: "2"')]),
    # Values.
    Mistake("a port that does not exist", "AP04", [(PORT, PORT.replace("8080", "70000"))]),
    Mistake("a port without a number", "AP04", [(PORT, PORT.replace(", containerPort: 8080", ""))]),
    Mistake(
        "a nodePort out of range",
        "AP04",
        [(SERVICE_PORT, "type: NodePort\n  " + SERVICE_PORT.replace("}]", ", nodePort: 80}]"))],
    ),
    Mistake(
        "a port of a Service that does not exist",
        "AP04",
        [(SERVICE_PORT, SERVICE_PORT.replace("port: 80,", "port: 0,"))],
    ),
    Mistake(
        "a policy of pulling that does not exist", "AP04", [(IMAGE, f"{IMAGE}\n        imagePullPolicy: Sometimes")]
    ),
    # Two answers for one host.
    secured("a certificate", "", "{hosts: [cart.localhost], secretName: one}", "", REDIRECT),
    secured(
        "two certificates for a host",
        "TL06",
        "{hosts: [cart.localhost], secretName: one}, {hosts: [cart.localhost], secretName: two}",
        "",
        REDIRECT,
    ),
    secured(
        "two Ingresses with two certificates for a host",
        "TL06",
        "{hosts: [cart.localhost], secretName: one}",
        OTHER_INGRESS.format(named="two", annotations=REDIRECT),
        REDIRECT,
    ),
    secured(
        "a redirect of one Ingress of two",
        "TL02",
        "{hosts: [cart.localhost], secretName: one}",
        OTHER_INGRESS.format(named="one", annotations=""),
        REDIRECT,
    ),
    secured(
        "a redirect of both Ingresses",
        "",
        "{hosts: [cart.localhost], secretName: one}",
        OTHER_INGRESS.format(named="one", annotations=REDIRECT),
        REDIRECT,
    ),
    secured("a certificate that is not there", "TL04", "{hosts: [cart.localhost], secretName: three}", "", REDIRECT),
    # Routes that no Gateway accepts.
    routed("a route of a Gateway", ""),
    routed("a namespace that the Gateway does not allow", allowed="from: Same"),
    routed("a Gateway that is not there", gateway="private"),
    routed("a section that is not there", section=", sectionName: https"),
    routed("a host that no listener has", host="pay.example.com"),
    # Contour's own flags.
    Mistake("another port of Envoy", "RP06", [(FLAGS, "args: [serve, --incluster, --envoy-service-http-port=8000]")]),
    Mistake(
        "another port of Envoy in both places",
        "",
        [
            (FLAGS, "args: [serve, --incluster, --envoy-service-http-port=8000]"),
            (HOST_PORT, HOST_PORT.replace("8080", "8000")),
        ],
    ),
    Mistake(
        "Envoy at loopback", "RP06", [(FLAGS, "args: [serve, --incluster, --envoy-service-http-address=127.0.0.1]")]
    ),
    Mistake("another port of the container", "RP06", [(HOST_PORT, HOST_PORT.replace("8080", "8081"))]),
    Mistake(
        "a namespace that Contour does not watch",
        "RP05",
        [(FLAGS, "args: [serve, --incluster, --watch-namespaces=shop]")],
    ),
    Mistake(
        "a namespace among those that Contour watches",
        "",
        [(FLAGS, 'args: [serve, --incluster, "--watch-namespaces=shop,store"]')],
    ),
    Mistake(
        "a namespace that may hold no root",
        "RP05",
        [(FLAGS, "args: [serve, --incluster, --root-namespaces=roots]")],
        PROXY.format(SERVICES),
    ),
    # A controller that may miss the host port.
    Mistake(
        "a mapping of one of three workers",
        "KN03",
        [
            (NODES, "- role: control-plane\n- role: worker\n- role: worker\n- role: worker\n"),
            ("kind: DaemonSet\nmetadata: {name: envoy", "kind: Deployment\nmetadata: {name: envoy"),
        ],
    ),
    Mistake(
        "a controller that no node can run",
        "KN03",
        [
            (
                (
                    "spec:\n      automountServiceAccountToken: false\n      securityContext: {runAsNonRoot: true, "
                    "runAsUser: 65534"
                ),
                (
                    "spec:\n      nodeSelector: {edge: 'yes'}\n      automountServiceAccountToken: false\n      "
                    "securityContext: {runAsNonRoot: true, runAsUser: 65534"
                ),
            )
        ],
    ),
    Mistake("a mapping to another port", "KN01", [(MAPPING, MAPPING.replace("80,", "81,", 1))]),
    # Workloads without a pod.
    Mistake("no replicas", "RP03", [("replicas: 2", "replicas: 0")]),
    Mistake(
        "a node that is not there",
        "RP03",
        [
            (
                (
                    "      automountServiceAccountToken: false\n      securityContext: {runAsNonRoot: true, "
                    "runAsUser: 1000"
                ),
                (
                    "      nodeSelector: {disk: ssd}\n      automountServiceAccountToken: false\n      "
                    "securityContext: {runAsNonRoot: true, runAsUser: 1000"
                ),
            )
        ],
    ),
    Mistake(
        "a ConfigMap that is not there",
        "RP04",
        [(IMAGE, f"{IMAGE}\n        envFrom: [{{configMapRef: {{name: settings}}}}]")],
    ),
    Mistake(
        "a Secret that is not there",
        "RP04",
        [(IMAGE, f"{IMAGE}\n        env: [{{name: KEY, valueFrom: {{secretKeyRef: {{name: keys, key: a}}}}}}]")],
    ),
    Mistake(
        "a Secret that may be missing",
        "",
        [(IMAGE, f"{IMAGE}\n        envFrom: [{{secretRef: {{name: keys, optional: true}}}}]")],
    ),
    # Loopback.
    command("a server at loopback", "python, -m, http.server, --directory, /srv/www, --bind, 127.0.0.1, '8080'"),
    command("a server at localhost", "gunicorn, --bind, 'localhost:8080', app"),
    command("a server whose default is loopback", "uvicorn, 'app:app', --port, '8080'"),
    command("a server at every address", "uvicorn, 'app:app', --host, 0.0.0.0, --port, '8080'", ""),
    # Patterns.
    Mistake("a pattern under Prefix", "IN07", [(PATH, PATH.replace("path: /,", "path: '/a(/|$)(.*)',"))]),
    Mistake(
        "a pattern under Exact",
        "IN07",
        [(PATH, PATH.replace("path: /, pathType: Prefix", "path: '/a/.*', pathType: Exact"))],
    ),
    Mistake(
        "a pattern that is one",
        "IN07",
        [(PATH, PATH.replace("path: /, pathType: Prefix", "path: '/a/.*', pathType: ImplementationSpecific"))],
    ),
    # Images.
    Mistake("an image that is always pulled", "RP08", [(IMAGE, "image: cart:latest\n        imagePullPolicy: Always")]),
    Mistake("an image without a tag", "RP08", [(IMAGE, "image: cart")]),
    Mistake("an image that is never pulled", "", [(IMAGE, "image: cart:latest\n        imagePullPolicy: Never")]),
    # Pod Security.
    Mistake(
        "a probe of another host",
        "KN08",
        [(PORT, PORT + "\n        readinessProbe: {httpGet: {host: 127.0.0.1, path: /, port: http}}")],
    ),
    Mistake(
        "no seccomp profile",
        "KN08",
        [
            (
                "runAsUser: 1000, seccompProfile: {type: RuntimeDefault}",
                "runAsUser: 1000, seccompProfile: {type: Unconfined}",
            )
        ],
    ),
    Mistake(
        "a capability",
        "KN08",
        [
            (
                PORT + "\n        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, "
                "capabilities: {drop: [ALL]}}",
                PORT + "\n        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, "
                "capabilities: {drop: [ALL], add: [SYS_TIME]}}",
            )
        ],
    ),
    Mistake("a level that does not exist", "KN08", [("enforce: restricted", "enforce: strict")]),
    # What is no mistake.
    Mistake(
        "a second Service of the same pods",
        "",
        [],
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: cart-admin, namespace: store}\nspec: {selector: "
        "{app: cart}, ports: [{port: 8080}]}\n",
    ),
    Mistake(
        "a Job with the labels of the server",
        "SV06",
        [],
        "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: load, namespace: store}\nspec:\n  template:\n    "
        "metadata: {labels: {app: cart}}\n    spec:\n      restartPolicy: Never\n      "
        "automountServiceAccountToken: false\n      securityContext: {runAsNonRoot: true, runAsUser: 1000, "
        "seccompProfile: {type: RuntimeDefault}}\n      containers:\n      - name: load\n        image: "
        "registry.example/load:1.0\n        securityContext: {allowPrivilegeEscalation: false, "
        "readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}\n",
    ),
    Mistake(
        "a class of another controller",
        "",
        [("spec:\n  rules:", "spec:\n  ingressClassName: nginx\n  rules:")],
        "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: nginx}\nspec: {controller: "
        "k8s.io/ingress-nginx}\n",
    ),
    Mistake("a class that nobody handles", "IN09", [("spec:\n  rules:", "spec:\n  ingressClassName: nginx\n  rules:")]),
    # Keys of a ConfigMap and of a Secret.
    mounted("a key of a ConfigMap", "configMap: {name: x, items: [{key: a, path: a}]}", ""),
    mounted("a missing key of a ConfigMap", "configMap: {name: x, items: [{key: b, path: b}]}"),
    mounted("a key that is optional", "configMap: {name: x, optional: true, items: [{key: b, path: b}]}", ""),
    mounted("a key of a Secret", "secret: {secretName: x, items: [{key: c, path: c}]}", ""),
    mounted("a missing key of a Secret", "secret: {secretName: x, items: [{key: b, path: b}]}"),
    mounted(
        "a missing key of a projected volume", "projected: {sources: [{secret: {name: x, items: [{key: b, path: b}]}}]}"
    ),
    # A port that two rules speak of.
    Mistake("a hostPort that is not allowed", "HP01", [(PORT, PORT.replace("8080}", "8080, hostPort: 9000}"))]),
    Mistake("a hostPort of the kubelet", "HP06", [(PORT, PORT.replace("8080}", "8080, hostPort: 10250}"))]),
    Mistake(
        "a hostPort of Envoy's admin interface",
        "EX06",
        [(HOST_PORT, HOST_PORT[:-1] + ", {containerPort: 9001, hostPort: 9001}]")],
    ),
    Mistake("the hostPort of the controller", "HP02", [(PORT, PORT.replace("8080}", "8080, hostPort: 80}"))]),
    Mistake("the network of the node", "HP03", [(POD_LABELS, POD_LABELS + "      hostNetwork: true\n")]),
    Mistake("a Service that selects no pod", "SV01", [(SELECTOR, "selector: {app: card}\n")]),
    Mistake(
        "a Service without the port of the route",
        "IN02",
        [(SERVICE_PORT, SERVICE_PORT.replace("port: 80,", "port: 81,"))],
    ),
    Mistake(
        "a Service to a port that no pod has",
        "SV02",
        [(SERVICE_PORT, SERVICE_PORT.replace("targetPort: http", "targetPort: web"))],
    ),
    Mistake("a path twice", "IN05", [(PATH, PATH[:-1] + ", " + PATH[8:])]),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_one_mistake_has_its_findings_and_no_other(mistake: Mistake) -> None:
    assert " ".join(finding.code for finding in verdict(documents(mistake.text))) == mistake.codes
