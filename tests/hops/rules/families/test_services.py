"""Edges of the rules on Services and the ports of their pods."""

import pytest

from hops.kubernetes.commands import Server, server
from hops.kubernetes.resources.pods import PodContainer
from hops.kubernetes.values import UNKNOWN, Undecidable
from hops.rules.catalogue import RULES
from hops.rules.patches import patched
from tests.hops.rules.cases import Case, documents, of_rule, verdict


def service(spec: str, more: str = "") -> str:
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: apps{more}}}
spec: {spec}
"""


def workload(kind: str, containers: str = "[{name: web}]", labels: str = "{app: web}", name: str = "web") -> str:
    version = {"CronJob": "batch/v1", "Job": "batch/v1", "Pod": "v1", "ReplicationController": "v1"}
    template = f"{{metadata: {{labels: {labels}}}, spec: {{containers: {containers}}}}}"
    if kind == "Pod":
        body = f"metadata: {{name: {name}, namespace: apps, labels: {labels}}}\nspec: {{containers: {containers}}}"
    else:
        job = f"{{jobTemplate: {{spec: {{template: {template}}}}}}}"
        spec = job if kind == "CronJob" else f"{{template: {template}}}"
        body = f"metadata: {{name: {name}, namespace: apps}}\nspec: {spec}"
    return f"\n---\napiVersion: {version.get(kind, 'apps/v1')}\nkind: {kind}\n{body}\n"


def selecting(selector: str, labels: str, kind: str = "Deployment") -> str:
    return f"""
apiVersion: {"v1" if kind == "ReplicationController" else "apps/v1"}
kind: {kind}
metadata: {{name: web, namespace: apps}}
spec: {{selector: {selector}, template: {{metadata: {{labels: {labels}}}, spec: {{containers: [{{name: web}}]}}}}}}
"""


ON_80 = "{selector: {app: web}, ports: [{port: 80}]}"
TO_HTTP = "{selector: {app: web}, ports: [{port: 80, targetPort: http}]}"
ON_8080 = "{selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}"
TARGET = "/spec/ports/0/targetPort"
ONLY_HTTP = "[{ports: [{containerPort: 8080}]}]"
WITH_HTTPS = (
    "{selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}, "
    "{name: https, port: 443, targetPort: 8443}]}"
)
TWIN = service(WITH_HTTPS).replace("name: web,", "name: web-blue,") + service(WITH_HTTPS).replace(
    "name: web,", "name: web-green,"
)
ROLLOUT = """
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, namespace: apps}
spec: {strategy: {blueGreen: {activeService: web-blue, previewService: web-green}}}
"""
ROUTED = """
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
"""


SERVER = workload("Deployment", "[{name: web, ports: [{name: http, containerPort: 8080}]}]")


def container(**body: object) -> PodContainer:
    return PodContainer(name="web", body=body, ports=(), lasting=True, pointer="")


PORT = "/spec/containers/0/ports/0/containerPort"


def serving(command: str, ports: str = "[{containerPort: 8080}]", more: str = "") -> str:
    return workload("Pod", f"[{{name: web, {command}, ports: {ports}{more}}}]")


ONLY_BALANCERS = """
---
{apiVersion: ingress-hops/v1, kind: Policy, rules: {SV03: {parameters: {types: [LoadBalancer]}}}}
"""

SETTINGS = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: apps}
data: {app.conf: "listen 80"}
"""

CASES = [
    *(
        Case("SV01", f"the pods of a {kind} count", workload(kind) + service(ON_80))
        for kind in ("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicationController", "StatefulSet")
    ),
    Case(
        "SV01",
        "every label has to be there, on one pod",
        workload("Pod", labels="{app: web}")
        + workload("Pod", labels="{tier: front}", name="other")
        + service("{selector: {app: web, tier: front}}"),
        ("/spec/selector",),
    ),
    Case("SV01", "more labels than asked for", workload("Pod", labels="{app: web, x: y}") + service(ON_80)),
    Case(
        "SV01",
        "labels of the workload aren't those of its pods",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: apps, labels: {app: web}}, "
        "spec: {template: {metadata: {labels: {app: other}}, spec: {containers: [{name: web}]}}}}" + service(ON_80),
        ("/spec/selector",),
    ),
    Case(
        "SV01",
        "a pod of another namespace",
        workload("Pod").replace("namespace: apps", "namespace: other") + service(ON_80),
        ("/spec/selector",),
    ),
    Case("SV01", "no selector", workload("Pod") + service("{ports: [{port: 80}]}"), ("/spec/selector",)),
    Case("SV01", "an empty selector", workload("Pod") + service("{selector: {}}"), ("/spec/selector",)),
    Case(
        "SV01",
        "no selector but endpoints",
        service("{}") + "---\n{apiVersion: v1, kind: Endpoints, metadata: {name: web, namespace: apps}}",
    ),
    Case(
        "SV01",
        "no selector but a slice of endpoints",
        service("{}") + "---\n{apiVersion: discovery.k8s.io/v1, "
        "kind: EndpointSlice, metadata: {name: a, namespace: apps, labels: {kubernetes.io/service-name: web}}}",
    ),
    Case(
        "SV01",
        "a slice of another Service",
        service("{}") + "---\n{apiVersion: discovery.k8s.io/v1, "
        "kind: EndpointSlice, metadata: {name: a, namespace: apps, labels: {kubernetes.io/service-name: db}}}",
        ("/spec/selector",),
    ),
    Case("SV01", "headless and no selector: others fill it in", service("{clusterIP: None}")),
    Case("SV01", "ExternalName", service("{type: ExternalName, externalName: example.com}")),
    Case(
        "SV01",
        "only a label that the StatefulSet adds",
        workload("StatefulSet") + service("{selector: {statefulset.kubernetes.io/pod-name: web-0}}"),
    ),
    Case(
        "SV01",
        "a label that the StatefulSet adds",
        workload("StatefulSet") + service("{selector: {app: web, statefulset.kubernetes.io/pod-name: web-0}}"),
    ),
    Case(
        "SV01",
        "an unknown label may be the one",
        workload("Pod", labels="{app: !unknown }") + service(ON_80),
        undecided=True,
    ),
    Case(
        "SV01", "an unknown label beside the one", workload("Pod", labels="{app: web, x: !unknown }") + service(ON_80)
    ),
    Case(
        "SV01",
        "an unknown namespace",
        workload("Pod") + service(ON_80).replace("namespace: apps", "namespace: !unknown "),
        undecided=True,
    ),
    Case(
        "SV02",
        "a name that the pod has",
        workload("Pod", "[{ports: [{name: http, containerPort: 9}]}]") + service(TO_HTTP),
    ),
    Case(
        "SV02",
        "a name that the pod lacks",
        workload("Pod", "[{ports: [{name: web, containerPort: 80}]}]") + service(TO_HTTP),
        (TARGET,),
    ),
    Case("SV02", "a name and a pod without ports", workload("Pod") + service(TO_HTTP), (TARGET,)),
    Case("SV02", "a number and a pod without ports", workload("Pod") + service(ON_80)),
    Case("SV02", "no targetPort is the port", workload("Pod", "[{ports: [{containerPort: 80}]}]") + service(ON_80)),
    Case(
        "SV02",
        "0 is none",
        workload("Pod", "[{ports: [{containerPort: 80}]}]")
        + service("{selector: {app: web}, ports: [{port: 80, targetPort: 0}]}"),
    ),
    Case(
        "SV02",
        "0 is the port, which the pod lacks",
        workload("Pod", "[{ports: [{containerPort: 81}]}]")
        + service("{selector: {app: web}, ports: [{port: 80, targetPort: 0}]}"),
        (TARGET,),
    ),
    Case(
        "SV02",
        "every pod has to offer it",
        workload("Pod", "[{ports: [{containerPort: 80}]}]")
        + workload("Deployment", "[{ports: [{containerPort: 81}]}]")
        + service(ON_80),
        (TARGET,),
    ),
    Case(
        "SV02",
        "the protocol counts",
        workload("Pod", "[{ports: [{containerPort: 80, protocol: UDP}]}]") + service(ON_80),
        (TARGET,),
    ),
    Case(
        "SV02",
        "an init container is gone by then",
        workload("Pod", "[{name: web, ports: [{containerPort: 81}]}], initContainers: [{ports: [{containerPort: 80}]}]")
        + service(ON_80),
        (TARGET,),
    ),
    *(
        Case("SV02", f"the process gets the port by {how}", workload("Pod", spec) + service(ON_80) + SETTINGS)
        for how, spec in {
            "an argument": "[{args: ['--listen=:80'], ports: [{containerPort: 81}]}]",
            "two words": "[{command: [serve, --port, '80'], ports: [{containerPort: 81}]}]",
            "a variable": "[{env: [{name: PORT, value: '80'}], ports: [{containerPort: 81}]}]",
            "its file": "[{ports: [{containerPort: 81}]}], volumes: [{name: a, configMap: {name: settings}}]",
        }.items()
    ),
    *(
        Case("SV02", f"{what} is no port", workload("Pod", spec) + service(ON_80) + SETTINGS, (TARGET,))
        for what, spec in {
            "another number": "[{args: ['--listen=:8080', '80s', '1.80', 'v-80'], ports: [{containerPort: 81}]}]",
            "a number in a file that is not mounted": "[{ports: [{containerPort: 81}]}]",
        }.items()
    ),
    Case("SV02", "a number beside a declared port may be optional", workload("Pod", ONLY_HTTP) + service(WITH_HTTPS)),
    Case(
        "SV02",
        "beside a declared port, a name is a mistake",
        workload("Pod", ONLY_HTTP) + service(WITH_HTTPS.replace("8443", "https")),
        ("/spec/ports/1/targetPort",),
    ),
    Case(
        "SV02",
        "a route leads to the Service",
        workload("Pod", ONLY_HTTP) + service(WITH_HTTPS) + ROUTED,
        ("/spec/ports/1/targetPort",),
    ),
    Case(
        "SV02",
        "a load balancer leads to the Service",
        workload("Pod", ONLY_HTTP) + service(WITH_HTTPS.replace("{", "{type: LoadBalancer, ", 1)),
        ("/spec/ports/1/targetPort",),
    ),
    Case(
        "SV02",
        "no port of the Service is declared",
        workload("Pod", "[{ports: [{containerPort: 81}]}]") + service(WITH_HTTPS),
        ("/spec/ports/0/targetPort", "/spec/ports/1/targetPort"),
    ),
    Case(
        "SV02",
        "a sidecar stays",
        workload(
            "Pod",
            "[{ports: [{containerPort: 81}]}], initContainers: [{restartPolicy: Always, ports: [{containerPort: 80}]}]",
        )
        + service(ON_80),
    ),
    Case(
        "SV02",
        "a number as text is a name",
        workload("Pod", "[{ports: [{containerPort: 80}]}]")
        + service('{selector: {app: web}, ports: [{port: 80, targetPort: "80"}]}'),
        (TARGET,),
    ),
    Case(
        "SV02",
        "what the command listens on counts",
        serving('command: [python, -m, http.server, "80"]', "[{containerPort: 9100}]") + service(ON_80),
    ),
    Case(
        "SV02",
        "what the command doesn't listen on",
        serving('command: [python, -m, http.server, "8080"]', "[]") + service(ON_80),
        (TARGET,),
    ),
    Case(
        "SV02",
        "an unknown port",
        workload("Pod", "[{ports: [{containerPort: !unknown }]}]") + service(ON_80),
        undecided=True,
    ),
    Case("SV06", "the Services of a Rollout", SERVER + TWIN + ROLLOUT),
    Case(
        "SV06",
        "the Services of another Rollout",
        SERVER + TWIN + ROLLOUT.replace("-green", "-blue"),
        ("/spec/selector",),
    ),
    Case("SV03", "no type is ClusterIP", service(ON_80)),
    Case("SV03", "LoadBalancer", service("{type: LoadBalancer, selector: {app: web}}"), ("/spec/type",)),
    Case("SV03", "headless", service("{type: ClusterIP, clusterIP: None}")),
    Case(
        "SV03",
        "the controller's own",
        "{apiVersion: v1, kind: Service, metadata: {name: envoy, namespace: projectcontour}, "
        "spec: {type: LoadBalancer, selector: {app: envoy}}}",
    ),
    Case(
        "SV03",
        "one that is named",
        service("{type: NodePort}")
        + "---\n{apiVersion: ingress-hops/v1, kind: Policy, rules: {SV03: {parameters: {outside: [Service/apps/*]}}}}",
    ),
    Case("SV03", "a type that is allowed", service("{type: NodePort}") + ONLY_BALANCERS),
    Case("SV03", "a type that alone is forbidden", service("{type: LoadBalancer}") + ONLY_BALANCERS, ("/spec/type",)),
    Case("SV03", "an unknown type", service("{type: !unknown }"), undecided=True),
    Case("SV04", "an empty list", service("{externalIPs: []}")),
    Case("SV04", "one that isn't known yet", service("{externalIPs: [10.0.0.1, !unknown ]}"), undecided=True),
    Case("SV04", "whatever the type", service("{type: NodePort, externalIPs: [10.0.0.1]}"), ("/spec/externalIPs",)),
    Case(
        "SV04",
        "one that may be claimed, and another",
        service("{externalIPs: [10.0.0.1, 10.0.0.2]}")
        + "---\n{apiVersion: ingress-hops/v1, kind: Policy, rules: {SV04: {parameters: {addresses: [10.0.0.1]}}}}",
        ("/spec/externalIPs",),
    ),
    *(
        Case("SV05", name, service(f"{{type: ExternalName, externalName: '{name}'}}"), ("/spec/externalName",))
        for name in (
            "LOCALHOST.",
            "a.localhost",
            "127.9.9.9",
            "::1",
            "169.254.169.254",
            "0.0.0.0",
            "::ffff:127.0.0.1",
            "fe80::1",
            "local.projectcontour.io",
        )
    ),
    Case("SV05", "a name that only begins so", service("{type: ExternalName, externalName: localhost.example.com}")),
    Case("SV05", "another type doesn't look at it", service("{type: ClusterIP, externalName: localhost}")),
    Case(
        "SV06",
        "two workloads",
        workload("Deployment") + workload("StatefulSet", name="db") + service(ON_80),
        ("/spec/selector",),
    ),
    Case(
        "SV06",
        "two Services with different ports",
        service(ON_80) + service("{selector: {app: web}, ports: [{port: 443}]}").replace("name: web", "name: b"),
    ),
    Case(
        "SV06",
        "two equal Services",
        service(ON_80) + service(ON_80).replace("name: web", "name: b"),
        ("/spec/selector",),
    ),
    Case(
        "SV06",
        "a Job beside a server and a named port: the pod of the Job is no endpoint",
        SERVER + workload("Job", name="task") + service(TO_HTTP),
        ("/spec/selector",),
    ),
    Case("SV06", "SV02 reports a Job that receives requests", SERVER + workload("Job", name="task") + service(ON_8080)),
    Case("SV02", "a named port leaves a Job out", SERVER + workload("Job", name="task") + service(TO_HTTP)),
    Case(
        "SV02", "a number reaches the pod of a Job", SERVER + workload("Job", name="task") + service(ON_8080), (TARGET,)
    ),
    Case(
        "SV02",
        "a number reaches the pod of a CronJob",
        SERVER
        + "\n---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {name: task, namespace: apps}\nspec: {jobTemplate: "
        "{spec: {template: {metadata: {labels: {app: web}}, spec: {containers: [{name: task}]}}}}}" + service(ON_8080),
        (TARGET,),
    ),
    Case("SV02", "a Job alone may be the server", workload("Job") + service(ON_8080)),
    Case(
        "SV02",
        "a Job that declares the port",
        SERVER + workload("Job", "[{name: task, ports: [{containerPort: 8080}]}]", name="task") + service(ON_8080),
    ),
    Case(
        "SV03",
        "a Service of pods that run Envoy, whatever its name",
        workload("DaemonSet", "[{name: proxy, image: 'envoyproxy/envoy:v1.35.0'}]")
        + service("{type: NodePort, selector: {app: web}, ports: [{port: 80}]}"),
    ),
    Case(
        "SV03",
        "a Service of pods with an Envoy beside the application",
        workload("DaemonSet", "[{name: proxy, image: 'envoyproxy/envoy:v1.35.0'}, {name: web, image: web}]")
        + service("{type: NodePort, selector: {app: web}, ports: [{port: 80}]}"),
        ("/spec/type",),
    ),
    Case("SV06", "pods without a maker are replicas", workload("Pod") + workload("Pod", name="two") + service(ON_80)),
    Case(
        "SV06",
        "a pod beside a workload",
        workload("Deployment") + workload("Pod", name="two") + service(ON_80),
        ("/spec/selector",),
    ),
    Case("SV06", "another namespace", service(ON_80) + service(ON_80).replace("namespace: apps", "namespace: b")),
    Case(
        "SV06", "more labels", service(ON_80) + service("{selector: {app: web, a: b}}").replace("name: web", "name: b")
    ),
    Case(
        "SV06",
        "the order of labels",
        service("{selector: {a: b, c: d}}") + service("{selector: {c: d, a: b}}").replace("name: web", "name: b"),
        ("/spec/selector",),
    ),
    Case("SV06", "no selectors are none the same", service("{}") + service("{}").replace("name: web", "name: b")),
    Case("SV07", "one port needs no name", service("{ports: [{port: 80}]}")),
    Case(
        "SV07", "a name twice", service("{ports: [{name: a, port: 80}, {name: a, port: 81}]}"), ("/spec/ports/1/name",)
    ),
    Case("SV07", "a name with a capital", service("{ports: [{name: Http, port: 80}]}"), ("/spec/ports/0/name",)),
    Case("SV07", "a targetPort as text", service('{ports: [{port: 80, targetPort: "8080"}]}'), (TARGET,)),
    Case(
        "SV07",
        "a name of 16, and of 15",
        service("{ports: [{port: 80, targetPort: n234567890123456}]}")
        + service("{ports: [{port: 80, targetPort: n23456789012345}]}").replace("name: web", "name: b"),
        (TARGET,),
    ),
    Case("SV07", "a port above 65535", service("{ports: [{port: 80, targetPort: 65536}]}"), (TARGET,)),
    Case(
        "SV07",
        "a container's name twice, in two containers too",
        workload("Pod", "[{ports: [{name: a}, {name: a}]}, {ports: [{name: a}]}]"),
        ("/spec/containers/0/ports/1/name", "/spec/containers/1/ports/0/name"),
    ),
    Case(
        "SV07",
        "a container's name without a letter",
        workload("Pod", '[{ports: [{name: "80"}]}]'),
        ("/spec/containers/0/ports/0/name",),
    ),
    Case(
        "SV07",
        "probes by name",
        workload(
            "Pod",
            "[{ports: [{name: http, containerPort: 80}], readinessProbe: {httpGet: {port: http}}, "
            "livenessProbe: {httpGet: {port: web}}}]",
        ),
        ("/spec/containers/0/livenessProbe/httpGet/port",),
    ),
    Case(
        "SV07",
        "probes by number",
        workload(
            "Pod",
            "[{ports: [{containerPort: 80}], readinessProbe: {tcpSocket: {port: 80}}, "
            'startupProbe: {grpc: {port: 81}}, livenessProbe: {httpGet: {port: "80"}}}]',
        ),
        ("/spec/containers/0/startupProbe/grpc/port",),
    ),
    Case(
        "SV07",
        "a probe of a container that declares nothing",
        workload("Pod", "[{readinessProbe: {httpGet: {port: 80}}}]"),
    ),
    Case(
        "SV07",
        "a probe over UDP",
        workload(
            "Pod",
            "[{ports: [{name: dns, containerPort: 53, protocol: UDP}], readinessProbe: {tcpSocket: {port: dns}}}]",
        ),
        ("/spec/containers/0/readinessProbe/tcpSocket/port",),
    ),
    Case("SV08", "no selector is filled in or refused elsewhere", workload("Deployment")),
    Case(
        "SV08",
        "a template without labels",
        selecting("{matchLabels: {app: web}}", "{}"),
        ("/spec/selector/matchLabels",),
    ),
    Case(
        "SV08",
        "expressions that it meets",
        selecting(
            "{matchExpressions: [{key: tier, operator: In, values: [a, b]}, {key: x, operator: DoesNotExist}, "
            "{key: tier, operator: Exists}, {key: tier, operator: NotIn, values: [c]}]}",
            "{tier: a}",
        ),
    ),
    *(
        Case(
            "SV08",
            f"{operator} that it doesn't meet",
            selecting(f"{{matchExpressions: [{{key: {key}, operator: {operator}, values: [a]}}]}}", "{tier: a}"),
            ("/spec/selector/matchExpressions",),
        )
        for key, operator in (("x", "In"), ("tier", "NotIn"), ("x", "Exists"), ("tier", "DoesNotExist"))
    ),
    Case(
        "SV08",
        "a ReplicationController's is plain",
        selecting("{app: web}", "{app: b}", "ReplicationController"),
        ("/spec/selector",),
    ),
    Case(
        "SV08",
        "a CronJob's jobs",
        "{apiVersion: batch/v1, kind: CronJob, metadata: {name: a, namespace: apps}, spec: {jobTemplate: {spec: "
        "{selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: c}}, spec: {containers: [{}]}}}}}}",
        ("/spec/jobTemplate/spec/selector/matchLabels",),
    ),
    Case("SV09", "--port=", serving("args: [--port=9000]"), (PORT,)),
    Case("SV09", "--port and a number", serving('command: [app, --port, "9000"]'), (PORT,)),
    Case("SV09", "the same", serving('command: [app, --port, "8080"]')),
    Case(
        "SV09",
        "one of several",
        serving('command: [app, --port, "8080"]', "[{containerPort: 1}, {containerPort: 8080}]"),
    ),
    Case("SV09", "the default of http.server", serving("command: [python3.13, -u, -m, http.server]"), (PORT,)),
    Case("SV09", "its -p is a protocol", serving('command: [python, -m, http.server, "8080", -p, HTTP/1.1]')),
    Case("SV09", "a command names no protocol", serving("args: [--port=53]", "[{containerPort: 53, protocol: UDP}]")),
    Case("SV09", "nothing is declared", serving('command: [python, -m, http.server, "80"]', "[]")),
    Case("SV09", "two ports in the command", serving("command: [app, --port=1, --listen-port=2]")),
    Case("SV09", "a client of another host", serving("command: [app, --host=db, --port=5432]")),
    Case("SV09", "-p of a program that isn't known", serving('command: [app, -p, "5432"]')),
    Case("SV09", "a variable", serving("command: [app, --port=$(PORT)]")),
    Case("SV09", "in a shell", serving("command: [sh, -c, 'cd /srv && exec python -m http.server 9000']"), (PORT,)),
    Case("SV09", "in a shell that does more", serving("command: [sh, -c, 'nginx & python -m http.server 9000']")),
    Case("SV09", "an unknown word that isn't asked", serving("command: [app, !unknown , --port=8080]")),
    Case("SV09", "an unknown port", serving("command: [app, --port, !unknown ]"), undecided=True),
]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python -m http.server", Server("/", 8000)),
        ("python3 -B -m http.server 80 --directory=/srv/", Server("/srv", 80)),
        ("python -m http.server -d srv/../..", Server("/", 8000)),
        ("python -m http.server --dir /srv", Server("/srv", 8000)),
        ("python -m http.server --nonsense", Server()),
        ("python app.py --port 80", Server(None, 80)),
        ("/usr/bin/env A=b python -m http.server", Server("/", 8000)),
        ("tini -- busybox httpd -f -p 0.0.0.0:81 -h /", Server("/", 81)),
        ("caddy file-server --root / --listen :8080", Server("/", 8080)),
        ("caddy run", Server()),
        ("npx -y serve -l tcp://0.0.0.0:3000 /", Server("/", 3000)),
        ("serve", Server()),
        ("http-server", Server()),
        ("php -S 0.0.0.0:80 -t /", Server("/", 80)),
        ("gunicorn app --bind=[::]:80", Server(None, 80)),
        ("uvicorn app:app --host 0.0.0.0 --port 80", Server(None, 80)),
        ("flask run -p 80", Server(None, 80)),
        ("nginx -g daemon-off", Server()),
    ],
)
def test_a_command_line_is_read_where_it_is_certain(line: str, expected: Server) -> None:
    assert server(container(command=line.split())) == expected
    assert server(container(command=line.split()[:1], args=line.split()[1:])) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("cd / && python -m http.server 80", Server("/", 80)),
        ("mkdir a; cd /srv\nexec python -m http.server 80\n", Server("/srv", 80)),
        ("python -m http.server 80 > log", Server()),
        ("python -m http.server $PORT", Server()),
        ("echo 'a", Server()),
        ("", Server()),
    ],
)
def test_a_script_is_read_to_its_last_command(script: str, expected: Server) -> None:
    assert server(container(command=["/bin/sh", "-ec", script])) == expected


def test_a_command_starts_in_its_working_folder() -> None:
    command = ["python", "-m", "http.server"]
    assert server(container(command=command, workingDir="/srv")).folder == "/srv"
    # This one prefers a folder of its own below.
    assert server(container(command=["http-server"], workingDir="/srv")).folder is None
    with pytest.raises(Undecidable):
        server(container(command=command, workingDir=UNKNOWN))


def test_a_second_entrypoint_beside_an_ingress_is_called_one() -> None:
    ingress = (
        "---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: way, namespace: apps}, spec: {rules: "
        "[{host: a.localhost, http: {paths: [{path: /, backend: {service: {name: web}}}]}}]}}"
    )
    (finding,) = of_rule(service("{type: NodePort}") + ingress, "SV03")
    assert finding.message == "the Service has type NodePort and bypasses Ingress/apps/way."


def test_a_port_that_becomes_inner_leaves_what_only_outer_ones_have() -> None:
    (body,) = documents(
        service(
            "{type: LoadBalancer, externalTrafficPolicy: Local, loadBalancerIP: 10.0.0.1, "
            "ports: [{port: 80, nodePort: 30080}, {port: 81}]}"
        )
    )
    (finding,) = verdict([body], rules=["SV03"])
    assert finding.patch
    assert patched(body, finding.patch.operations)["spec"] == {
        "type": "ClusterIP",
        "ports": [{"port": 80}, {"port": 81}],
    }


def test_the_labels_of_the_only_workload_are_offered() -> None:
    (finding,) = of_rule(RULES["SV01"].bad, "SV01")
    assert finding.patch
    assert finding.patch.operations[0]["value"] == {"app": "web"}
    (several,) = of_rule(RULES["SV01"].bad + workload("Pod", labels="{app: b}", name="b"), "SV01")
    assert several.patch is None


def test_a_selector_follows_the_template_that_others_select_by() -> None:
    for labels, path in (("{app: webb}", "/spec/selector/matchLabels"), ("{x: y}", "/spec/template/metadata/labels")):
        (finding,) = of_rule(selecting("{matchLabels: {app: web}}", labels), "SV08")
        assert finding.patch
        assert finding.patch.operations[0]["path"] == path
        # The selector of an existing workload is immutable.
        assert not finding.patch.safe


def test_a_port_that_a_service_means_by_number_is_not_changed() -> None:
    alone = serving("args: [--port=9000]")
    (free,) = of_rule(alone + service(TO_HTTP), "SV09")
    assert free.patch
    (meant,) = of_rule(alone + service("{selector: {app: web}, ports: [{port: 8080}]}"), "SV09")
    assert meant.patch is None


def test_two_services_of_different_types_are_no_duplicates() -> None:
    other = service("{type: NodePort, selector: {app: web}, ports: [{port: 80}]}").replace("name: web", "name: b")
    assert of_rule(service(ON_80) + other, "SV06") == []
    assert of_rule(service(ON_80) + other.replace("NodePort", "ClusterIP"), "SV06")
