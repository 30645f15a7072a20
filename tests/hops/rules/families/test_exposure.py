"""Edges of the rules on what whoever reaches a pod from outside finds there."""

import json

import pytest

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.routing.exposed import exposed
from hops.kubernetes.values import UNKNOWN
from hops.model.finding import Place
from hops.rules.catalogue import RULES
from hops.rules.patches import patched
from tests.hops.rules.cases import TODAY, Case, documents, of_rule, verdict

SERVICE = "\n---\n{apiVersion: v1, kind: Service, metadata: {name: web, namespace: apps}, spec: %s}\n"
SELECTING = SERVICE % "{selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}"
NODE_PORT = SERVICE % "{type: NodePort, selector: {app: web}, ports: [{port: 80}]}"
INGRESS = (
    "\n---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: apps}, spec: {rules: "
    "[{host: a.localhost, http: {paths: [{path: /, pathType: Prefix, backend: "
    "{service: {name: web, port: {number: 80}}}}]}}]}}\n"
)
PROXY = (
    "\n---\n{apiVersion: projectcontour.io/v1, kind: HTTPProxy, metadata: {name: web, namespace: apps}, spec: "
    "{virtualhost: {fqdn: a.localhost}, routes: [{services: [{name: web, port: 80}]}]}}\n"
)
TCP_PROXY = PROXY.replace(
    "routes: [{services: [{name: web, port: 80}]}]", "tcpproxy: {services: [{name: web, port: 80}]}"
)
GATEWAY = (
    "\n---\n{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: web, namespace: other}, spec: "
    "{hostnames: [a.localhost], rules: [{backendRefs: [{name: web, namespace: apps, port: 80}]}]}}\n"
)
UNATTACHED = (
    GATEWAY.replace("{hostnames", "{parentRefs: [{name: public}], hostnames") + "\n---\n{apiVersion: "
    "gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: other, namespace: other}, spec: {}}\n"
)
DEFAULT_BACKEND = (
    "\n---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: apps}, spec: "
    "{defaultBackend: {service: {name: web, port: {number: 80}}}}}\n"
)
ROUTED = SELECTING + INGRESS


def pod(container: str = "", spec: str = "", labels: str = "{app: web}") -> str:
    return (
        f"\n---\n{{apiVersion: v1, kind: Pod, metadata: {{name: web, namespace: apps, labels: {labels}}}, "
        f"spec: {{{spec} containers: [{{name: web, {container}}}]}}}}\n"
    )


def account(automount: str) -> str:
    return (
        "\n---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: apps}, "
        f"automountServiceAccountToken: {automount}}}\n"
    )


def policy(spec: str) -> str:
    return (
        "\n---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a, namespace: apps}, "
        f"spec: {spec}}}\n"
    )


def admitting(sender: str, more: str = "podSelector: {}") -> str:
    return policy(f"{{{more}, ingress: [{{from: [{sender}]}}]}}")


def parameters(code: str, given: str) -> str:
    return f"\n---\n{{apiVersion: ingress-hops/v1, kind: Policy, rules: {{{code}: {{parameters: {given}}}}}}}\n"


def served(folder: str, volume: str, mount: str) -> str:
    return ROUTED + pod(
        f"command: [python, -m, http.server, --directory, {folder}], volumeMounts: [{{name: v, mountPath: {mount}}}]",
        f"volumes: [{{name: v, {volume}}}],",
    )


def web_server(mount: str, data: str) -> str:
    return (
        ROUTED
        + pod(
            f"image: some, volumeMounts: [{{name: v, mountPath: {mount}}}]",
            "volumes: [{name: v, configMap: {name: web}}],",
        )
        + "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: apps}\n"
        + f"data: {{config: {json.dumps(data)}}}\n"
    )


SERVES = "command: [python, -m, http.server]"
COMMAND, TOKEN = "/spec/containers/0/command", "/spec/automountServiceAccountToken"
MOUNT = "/spec/containers/0/volumeMounts/0/mountPath"
WRITABLE, ROOT = (f"/spec/containers/0/securityContext/{key}" for key in ("readOnlyRootFilesystem", "runAsNonRoot"))
PROJECTED = "projected: {sources: [{configMap: {name: a}}, {serviceAccountToken: {path: token}}]}"
CONTROLLER = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: projectcontour}}}"
BACKEND = "/spec/rules/0/http/paths/0/backend"

CALICO = """
---
apiVersion: projectcalico.org/v3
kind: {kind}
metadata: {{name: edge, namespace: apps}}
spec: {{selector: "app == '{app}'", types: [Ingress], ingress: [{rule}]}}
"""
FROM_THE_DOOR = "{action: Allow, source: {namespaceSelector: \"kubernetes.io/metadata.name == 'projectcontour'\"}}"
ENVOY_ELSEWHERE = """
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: edge, namespace: gateways}
spec: {template: {metadata: {labels: {a: b}}, spec: {containers: [{name: proxy, image: "envoyproxy/envoy:v1.35.0"}]}}}
"""

HOME = "{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {}}}}}}}"
OPERATED = """
---
apiVersion: operator.projectcontour.io/v1alpha1
kind: Contour
metadata: {name: c, namespace: operator}
spec: {namespace: {name: gateways}}
"""
PROVISIONED = """
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: gateways}
spec: {gatewayClassName: contour, listeners: [{name: http, protocol: HTTP, port: 80}]}
"""

CASES = [
    Case(
        "EX05",
        "a policy of Calico",
        ROUTED + pod() + CALICO.format(kind="NetworkPolicy", app="web", rule=FROM_THE_DOOR),
    ),
    Case(
        "EX05",
        "a global policy of Calico",
        ROUTED + pod() + CALICO.format(kind="GlobalNetworkPolicy", app="web", rule=FROM_THE_DOOR),
    ),
    Case(
        "EX05",
        "a policy of Calico that admits everybody",
        ROUTED + pod() + CALICO.format(kind="NetworkPolicy", app="web", rule="{action: Allow}"),
        ("",),
    ),
    Case(
        "EX05",
        "a policy of Calico for other pods",
        ROUTED + pod() + CALICO.format(kind="NetworkPolicy", app="db", rule=FROM_THE_DOOR),
        ("",),
    ),
    Case(
        "EX05",
        "the namespace of a Contour elsewhere",
        ROUTED + pod() + ENVOY_ELSEWHERE + admitting(CONTROLLER.replace("projectcontour", "gateways")),
    ),
    *(
        Case("EX05", f"the namespace of {what}", ROUTED + pod() + made + admitting(HOME.format(home)), found)
        for what, made, home, found in (
            ("an operator's Contour", OPERATED, "gateways", ()),
            ("no operator's Contour", OPERATED, "others", ("",)),
            ("a provisioned Gateway", PROVISIONED, "gateways", ()),
            ("no provisioned Gateway", PROVISIONED, "others", ("",)),
        )
    ),
    *(
        Case("EX01", f"reached by {name}", way + pod(SERVES), (COMMAND,))
        for name, way in (
            ("an Ingress", ROUTED),
            ("a default backend", SELECTING + DEFAULT_BACKEND),
            ("an HTTPProxy", SELECTING + PROXY),
            ("an HTTPProxy's tcpproxy", SELECTING + TCP_PROXY),
            ("an HTTPRoute of another namespace", SELECTING + GATEWAY),
            ("a NodePort", NODE_PORT),
            ("a LoadBalancer", NODE_PORT.replace("NodePort", "LoadBalancer")),
        )
    ),
    Case("EX01", "reached by a hostPort", pod(SERVES + ", ports: [{containerPort: 8000, hostPort: 80}]"), (COMMAND,)),
    Case("EX01", "hostPort 0 is none", pod(SERVES + ", ports: [{containerPort: 8000, hostPort: 0}]")),
    Case("EX01", "not reached from outside", SELECTING + pod(SERVES)),
    Case("EX01", "no Gateway accepts the HTTPRoute", SELECTING + UNATTACHED + pod(SERVES)),
    Case("EX01", "the Ingress is another namespace's", SELECTING + INGRESS.replace("apps", "b") + pod(SERVES)),
    Case("EX01", "the Service selects others", ROUTED + pod(SERVES, labels="{app: b}")),
    Case("EX01", "--directory /", ROUTED + pod("command: [python, -m, http.server, --directory, /]"), (COMMAND,)),
    Case("EX01", "--directory=//.", ROUTED + pod("command: [python, -m, http.server, --directory=//.]"), (COMMAND,)),
    Case("EX01", "a working folder", ROUTED + pod(SERVES + ", workingDir: /srv")),
    Case("EX01", "a working folder that is the root", ROUTED + pod(SERVES + ", workingDir: /"), (COMMAND,)),
    Case("EX01", "arguments of an image", ROUTED + pod("args: [serve, /]"), ("/spec/containers/0/args",)),
    Case("EX01", "a shell", ROUTED + pod("command: [sh, -c, 'cd / && python -m http.server']"), (COMMAND,)),
    Case("EX01", "a program that isn't known", ROUTED + pod("command: [app, /]")),
    Case("EX01", "an init container", ROUTED + pod("", f"initContainers: [{{name: a, {SERVES}}}],")),
    Case("EX01", "an unknown word", ROUTED + pod("command: [python, -m, http.server, !unknown ]"), undecided=True),
    Case("EX01", "an unknown word of another program", ROUTED + pod("command: [app, !unknown ]")),
    Case(
        "EX01",
        "an unknown backend may be it",
        SELECTING + INGRESS.replace("name: web, port", "name: !unknown , port") + pod(SERVES),
        undecided=True,
    ),
    Case(
        "EX01",
        "an unknown backend of another namespace",
        SELECTING + INGRESS.replace("name: web, port", "name: !unknown , port").replace("apps", "b") + pod(SERVES),
    ),
    Case(
        "EX01",
        "an unknown backend, and nothing to find",
        SELECTING + INGRESS.replace("name: web, port", "name: !unknown , port") + pod("command: [app]"),
    ),
    Case(
        "EX01", "an unknown type of Service", NODE_PORT.replace("NodePort", "!unknown ") + pod(SERVES), undecided=True
    ),
    Case("EX01", "an unknown selector", ROUTED.replace("{app: web}", "!unknown ") + pod(SERVES), undecided=True),
    Case("EX01", "an unknown hostPort", pod(SERVES + ", ports: [{hostPort: !unknown }]"), undecided=True),
    Case(
        "EX01",
        "nginx by its configuration",
        web_server("/etc/nginx/conf.d", "server {\n  root /;\n}"),
        ("/spec/containers/0/volumeMounts",),
    ),
    Case("EX01", "nginx with a folder", web_server("/etc/nginx/conf.d", "server {\n  # root /;\n  root /srv;\n}")),
    Case(
        "EX01",
        "Caddy by its configuration",
        web_server("/etc/caddy", ":80 {\n  root * /\n  file_server\n}"),
        ("/spec/containers/0/volumeMounts",),
    ),
    Case("EX01", "a configuration of something else", web_server("/etc/app", "root /;")),
    Case("EX02", "unset is true", ROUTED + pod(), (TOKEN,)),
    Case("EX02", "true", ROUTED + pod(spec="automountServiceAccountToken: true,"), (TOKEN,)),
    Case("EX02", "the account says no", ROUTED + pod(spec="serviceAccountName: web,") + account("false")),
    Case("EX02", "by its older name", ROUTED + pod(spec="serviceAccount: web,") + account("false")),
    Case("EX02", "the account says yes", ROUTED + pod(spec="serviceAccountName: web,") + account("true"), (TOKEN,)),
    Case("EX02", "another account says no", ROUTED + pod() + account("false"), (TOKEN,)),
    Case(
        "EX02", "the account default says no", ROUTED + pod() + account("false").replace("name: web", "name: default")
    ),
    Case(
        "EX02",
        "the pod is read before the account",
        ROUTED + pod(spec="serviceAccountName: web, automountServiceAccountToken: true,") + account("false"),
        (TOKEN,),
    ),
    Case(
        "EX02",
        "the pod is read before the account, the other way",
        ROUTED + pod(spec="serviceAccountName: web, automountServiceAccountToken: false,") + account("true"),
    ),
    Case(
        "EX02",
        "a projected token",
        ROUTED + pod(spec=f"automountServiceAccountToken: false, volumes: [{{name: v, {PROJECTED}}}],"),
        ("/spec/volumes/0/projected/sources/1",),
    ),
    Case("EX02", "not reached from outside", SELECTING + pod()),
    Case("EX02", "unknown", ROUTED + pod(spec="automountServiceAccountToken: !unknown ,"), undecided=True),
    Case("EX03", "the folder itself", served("/srv", "hostPath: {path: /data}", "/srv"), (MOUNT,)),
    Case("EX03", "a folder inside the volume", served("/srv/a", "hostPath: {path: /data}", "/srv"), (MOUNT,)),
    Case("EX03", "below the root", served("/", "secret: {secretName: a}", "/run/secrets/a"), (MOUNT,)),
    Case("EX03", "a projected token", served("/srv", PROJECTED, "/srv/a/"), (MOUNT,)),
    Case(
        "EX03", "a projected secret", served("/srv", "projected: {sources: [{secret: {name: a}}]}", "/srv/a"), (MOUNT,)
    ),
    Case("EX03", "projected settings", served("/srv", "projected: {sources: [{configMap: {name: a}}]}", "/srv/a")),
    Case("EX03", "an emptyDir", served("/srv", "emptyDir: {}", "/srv/a")),
    Case("EX03", "a folder that only begins so", served("/srv", "secret: {secretName: a}", "/srv2")),
    Case("EX03", "a folder above", served("/srv", "secret: {secretName: a}", "/etc")),
    Case(
        "EX03",
        "another volume lies between",
        ROUTED
        + pod(
            "command: [python, -m, http.server, --directory, /srv/a], volumeMounts: [{name: v, mountPath: /srv}, "
            "{name: e, mountPath: /srv/a}]",
            "volumes: [{name: v, hostPath: {path: /data}}, {name: e, emptyDir: {}}],",
        ),
    ),
    Case("EX03", "not reached from outside", served("/", "secret: {secretName: a}", "/a").replace("Ingress", "Other")),
    Case(
        "EX03",
        "an unknown volume",
        served("/srv", "secret: {secretName: a}", "/srv").replace("[{name: v, secret: {secretName: a}}]", "!unknown "),
        undecided=True,
    ),
    Case("EX04", "nothing is said", ROUTED + pod(), (ROOT,)),
    Case(
        "EX04",
        "root by number",
        ROUTED
        + pod(
            "securityContext: {runAsUser: 0, readOnlyRootFilesystem: true}",
            "securityContext: {runAsNonRoot: true, runAsUser: 1},",
        ),
        (ROOT,),
    ),
    Case(
        "EX04",
        "the container is read before the pod",
        ROUTED
        + pod("securityContext: {runAsUser: 1, readOnlyRootFilesystem: true}", "securityContext: {runAsUser: 0},"),
    ),
    Case("EX04", "only its files", ROUTED + pod(spec="securityContext: {runAsNonRoot: true},"), (WRITABLE,)),
    Case(
        "EX04",
        "an init container is gone by then",
        ROUTED + pod("securityContext: {runAsUser: 1, readOnlyRootFilesystem: true}", "initContainers: [{name: a}],"),
    ),
    Case(
        "EX04",
        "a user of the pod",
        ROUTED + pod("securityContext: {readOnlyRootFilesystem: true}", "securityContext: {runAsUser: 1},"),
    ),
    Case("EX04", "unknown", ROUTED + pod("securityContext: !unknown "), undecided=True),
    Case("EX05", "no policy", ROUTED + pod(), ("",)),
    Case("EX05", "one for all pods of the namespace", ROUTED + pod() + admitting(CONTROLLER)),
    Case(
        "EX05",
        "one for other pods",
        ROUTED + pod() + admitting(CONTROLLER, "podSelector: {matchLabels: {app: b}}"),
        ("",),
    ),
    Case(
        "EX05",
        "by an expression",
        ROUTED + pod() + admitting(CONTROLLER, "podSelector: {matchExpressions: [{key: app, operator: Exists}]}"),
    ),
    Case(
        "EX05",
        "by an expression that takes other pods",
        ROUTED
        + pod()
        + admitting(
            CONTROLLER,
            "podSelector: {matchLabels: {app: web}, matchExpressions: [{key: app, operator: DoesNotExist}]}",
        ),
        ("",),
    ),
    Case(
        "EX05",
        "a list with another name",
        ROUTED
        + pod()
        + admitting(
            "{namespaceSelector: {matchExpressions: "
            "[{key: kubernetes.io/metadata.name, operator: In, values: [projectcontour, b]}]}}"
        ),
        ("",),
    ),
    Case("EX05", "one of another namespace", ROUTED + pod() + admitting(CONTROLLER).replace("apps", "b"), ("",)),
    Case(
        "EX05",
        "only for what it sends",
        ROUTED + pod() + admitting(CONTROLLER, "podSelector: {}, policyTypes: [Egress]"),
        ("",),
    ),
    Case(
        "EX05",
        "a rule without senders admits everybody",
        ROUTED + pod() + policy("{podSelector: {}, ingress: [{ports: [{port: 80}]}]}"),
        ("",),
    ),
    Case("EX05", "no rule admits nobody", ROUTED + pod() + policy("{podSelector: {}}")),
    Case("EX05", "everybody's addresses", ROUTED + pod() + admitting("{ipBlock: {cidr: 0.0.0.0/0}}"), ("",)),
    Case("EX05", "its own namespace", ROUTED + pod() + admitting(f"{CONTROLLER}, {{podSelector: {{}}}}")),
    Case(
        "EX05",
        "another namespace too",
        ROUTED + pod() + admitting(f"{CONTROLLER}, {CONTROLLER}".replace("projectcontour", "monitoring", 1)),
        ("",),
    ),
    Case(
        "EX05",
        "another namespace that may",
        ROUTED + pod() + admitting(CONTROLLER.replace("projectcontour", "b")) + parameters("EX05", "{namespaces: [b]}"),
    ),
    Case(
        "EX05",
        "a label that means it",
        ROUTED
        + pod()
        + admitting("{namespaceSelector: {matchLabels: {in: edge}}}")
        + parameters("EX05", "{labels: [in=edge]}"),
    ),
    Case(
        "EX05",
        "a list of names",
        ROUTED
        + pod()
        + admitting(
            "{namespaceSelector: {matchExpressions: "
            "[{key: kubernetes.io/metadata.name, operator: In, values: [projectcontour]}]}}"
        ),
    ),
    Case(
        "EX05",
        "two policies add up",
        ROUTED + pod() + admitting(CONTROLLER) + admitting("{namespaceSelector: {}}").replace("name: a", "name: b"),
        ("",),
    ),
    Case(
        "EX05",
        "the controller is there to be reached",
        "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: envoy, namespace: projectcontour}, spec: {template: "
        "{spec: {containers: [{ports: [{containerPort: 8080, hostPort: 80}]}]}}}}",
    ),
    Case(
        "EX05",
        "an unknown policy",
        ROUTED + pod() + policy("{podSelector: {matchLabels: {app: !unknown }}}"),
        undecided=True,
    ),
    Case(
        "EX06",
        "on a hostPort",
        pod("ports: [{containerPort: 9001, hostPort: 80}]"),
        ("/spec/containers/0/ports/0/hostPort",),
    ),
    Case(
        "EX06",
        "by its name on a hostPort",
        pod("ports: [{name: http-metrics, containerPort: 9100, hostPort: 9100}]"),
        ("/spec/containers/0/ports/0/hostPort",),
    ),
    Case("EX06", "inside only", pod("ports: [{containerPort: 9001}]")),
    Case(
        "EX06",
        "the Service's own number says nothing",
        SELECTING.replace("port: 80,", "port: 9001,") + INGRESS.replace("number: 80", "number: 9001"),
    ),
    Case(
        "EX06",
        "by a name of the pod",
        SELECTING.replace("8080", "web") + INGRESS + pod("ports: [{name: web, containerPort: 6060}]"),
        (BACKEND,),
    ),
    Case("EX06", "by a name of the Service", SELECTING.replace("name: http", "name: debug") + INGRESS, (BACKEND,)),
    Case(
        "EX06",
        "by the backend's name",
        SELECTING.replace("8080", "8001") + INGRESS.replace("number: 80", "name: http"),
        (BACKEND,),
    ),
    Case("EX06", "an HTTPProxy", SELECTING.replace("8080", "8002") + PROXY, ("/spec/routes/0/services/0",)),
    Case("EX06", "an HTTPRoute", SELECTING.replace("8080", "8002") + GATEWAY, ("/spec/rules/0/backendRefs/0",)),
    Case(
        "EX06",
        "another port of the Service",
        (SERVICE % "{ports: [{port: 80, targetPort: 8080}, {port: 81, targetPort: 9001}]}") + INGRESS,
    ),
    Case("EX06", "a Service that nobody declares", INGRESS.replace("80", "9001")),
    Case("EX06", "a NodePort", SERVICE % "{type: NodePort, ports: [{port: 9001}]}", ("/spec/ports/0",)),
    Case("EX06", "a ClusterIP", SERVICE % "{type: ClusterIP, ports: [{port: 9001}]}"),
    Case("EX06", "ports are a parameter", SELECTING + INGRESS + parameters("EX06", "{ports: [8080]}"), (BACKEND,)),
    Case("EX06", "an unknown targetPort", SELECTING.replace("8080", "!unknown ") + INGRESS, undecided=True),
    Case("EX07", "no namespace is default", INGRESS.replace(", namespace: apps", ""), ("/metadata/namespace",)),
    Case("EX07", "default by name", SELECTING.replace("apps", "default"), ("/metadata/namespace",)),
    Case("EX07", "the API server's own", SELECTING.replace("apps", "default").replace("name: web", "name: kubernetes")),
    Case("EX07", "what belongs to no namespace", "{apiVersion: v1, kind: Namespace, metadata: {name: a}}"),
    Case("EX07", "an unknown namespace", SELECTING.replace("apps", "!unknown "), undecided=True),
]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[python, -m, http.server, '80']", ["python", "-m", "http.server", "80", "--directory", "/srv"]),
        ("[python, -m, http.server, --directory, /]", ["python", "-m", "http.server", "--directory", "/srv"]),
        ("[caddy, file-server, --root=/]", ["caddy", "file-server", "--root=/srv"]),
    ],
)
def test_another_folder_is_offered(line: str, expected: list[str]) -> None:
    bodies = documents(ROUTED + pod(f"command: {line}"))
    (finding,) = verdict(bodies, rules=["EX01"])
    assert finding.patch
    assert patched(bodies[-1], finding.patch.operations)["spec"]["containers"][0]["command"] == expected


def test_root_that_opens_a_low_port_is_not_taken_away() -> None:
    (low,) = of_rule(ROUTED + pod("ports: [{containerPort: 80}]"), "EX04")
    assert low.patch is None
    (high,) = of_rule(ROUTED + pod("ports: [{containerPort: 8080}]"), "EX04")
    assert high.patch


def test_a_policy_that_admits_everybody_is_mended_itself() -> None:
    (finding,) = of_rule(RULES["EX05"].bad, "EX05")
    assert finding.patch
    assert str(finding.patch.resource) == "NetworkPolicy/apps/web"


def test_things_of_default_move_together_or_not_at_all() -> None:
    alone = of_rule(pod().replace("namespace: apps, ", ""), "EX07")
    assert [finding.patch is None for finding in alone] == [False]
    two = of_rule((pod() + SELECTING).replace("namespace: apps", "namespace: default"), "EX07")
    assert [finding.patch is None for finding in two] == [True]
    assert "as is Service/default/web" in two[0].message


def test_who_is_exposed_says_by_what() -> None:
    def ways(text: str) -> list[str]:
        bodies = [(body, Place()) for body in documents(text)]
        return ["unknown" if e.by is UNKNOWN else e.by for e in exposed(Inventory(bodies, today=TODAY))]

    assert ways(ROUTED + pod()) == ["Ingress/apps/web"]
    assert ways(NODE_PORT + pod()) == ["Service/apps/web"]
    assert ways(pod("ports: [{hostPort: 80}]")) == ["hostPort 80"]
    assert ways(pod("ports: [{hostPort: !unknown }, {hostPort: 80}]")) == ["hostPort 80"]
    assert ways(SELECTING + pod()) == []
    assert (
        ways(
            ROUTED.replace("name: web, namespace: apps}, spec: {selector", "name: !unknown }, spec: {selector") + pod()
        )
        == []
    )
    assert ways(ROUTED + pod(labels="!unknown ")) == ["unknown"]


STACK = """
apiVersion: v1
kind: Namespace
metadata: {name: apps, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: example-pod, namespace: apps}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Pod
metadata: {name: example-pod, namespace: apps, labels: {service: example-pod}}
spec:
  serviceAccountName: example-pod
  automountServiceAccountToken: false
  securityContext:
    {runAsNonRoot: true, runAsUser: 65534, runAsGroup: 65534, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: server
    image: python:3.13-slim
    command: [python, -m, http.server, "8080", --directory, /srv]
    ports: [{name: http, containerPort: 8080}]
    readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
    securityContext:
      {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: scratch, mountPath: /tmp}]
  volumes: [{name: scratch, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: my-service, namespace: apps}
spec: {type: ClusterIP, selector: {service: example-pod}, ports: [{name: http, port: 8080, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: my-service, namespace: apps}
spec:
  podSelector: {matchLabels: {service: example-pod}}
  policyTypes: [Ingress]
  ingress:
  - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: projectcontour}}}]
    ports: [{port: 8080, protocol: TCP}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: my-service-ingress, namespace: apps}
spec:
  rules:
  - host: my-service.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: my-service, port: {number: 8080}}}}]}
"""


def test_a_workload_as_the_stacks_make_it_has_no_finding() -> None:
    assert verdict(documents(STACK)) == []
    replica = documents(STACK)[2]
    two = [*documents(STACK), {**replica, "metadata": {**replica["metadata"], "name": "example-pod-2"}}]
    assert verdict(two) == []


def test_the_documented_workload_serves_its_root_and_lives_in_default() -> None:
    text = STACK.replace(", --directory, /srv", "").replace("namespace: apps", "namespace: default")
    assert [(f.code, str(f.resource)) for f in verdict(documents(text)[1:])] == [
        ("EX01", "Pod/default/example-pod"),
        ("EX07", "Pod/default/example-pod"),
    ]
