"""Edges of the rules on what the API server refuses."""

import pytest

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.schemas.bounds import NOT_DEMANDED
from hops.kubernetes.schemas.catalogue import catalogue, known_versions
from hops.kubernetes.values import UNKNOWN
from hops.model.finding import Place
from hops.model.settings.stack_config import settings
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.judge import judge
from hops.rules.patches import patched
from tests.hops.rules.cases import TODAY, Case, documents, of_rule, verdict

CODES = [code for code in RULES if code.startswith("AP")]


def pod(spec: str = "", container: str = "", metadata: str = "") -> str:
    return f"""
---
apiVersion: v1
kind: Pod
metadata: {{name: web, namespace: apps{metadata}}}
spec: {{{spec}containers: [{{name: web, image: web{container}}}]}}
"""


def service(spec: str = "", port: str = "port: 80", name: str = "web", metadata: str = "") -> str:
    return f"""
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: apps{metadata}}}
spec: {{{spec}selector: {{app: web}}, ports: [{{{port}}}]}}
"""


def ingress(version: str = "networking.k8s.io/v1", backend: str = "service: {name: web, port: {number: 80}}") -> str:
    return f"""
---
apiVersion: {version}
kind: Ingress
metadata: {{name: web, namespace: apps}}
spec:
  rules:
  - host: web.localhost
    http: {{paths: [{{path: /, pathType: Prefix, backend: {{{backend}}}}}]}}
"""


def http_route(spec: str = "", rule: str = "", version: str = "v1") -> str:
    return f"""
---
apiVersion: gateway.networking.k8s.io/{version}
kind: HTTPRoute
metadata: {{name: web, namespace: apps}}
spec: {{{spec}parentRefs: [{{name: public}}], rules: [{{{rule}backendRefs: [{{name: web, port: 80}}]}}]}}
"""


def gateway(listener: str = "name: http, protocol: HTTP, port: 80", spec: str = "") -> str:
    return f"""
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: public, namespace: apps}}
spec: {{gatewayClassName: contour, {spec}listeners: [{{{listener}}}]}}
"""


def proxy(route: str, spec: str = "virtualhost: {fqdn: web.localhost}") -> str:
    return f"""
---
apiVersion: projectcontour.io/v1
kind: HTTPProxy
metadata: {{name: web, namespace: apps}}
spec: {{{spec}, routes: [{{services: [{{name: web, port: 80}}], {route}}}]}}
"""


def workload(kind: str, spec: str, version: str = "apps/v1", container: str = "", more: str = "") -> str:
    return f"""
---
apiVersion: {version}
kind: {kind}
metadata: {{name: web, namespace: apps}}
spec:
  {more}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{{spec}containers: [{{name: web, image: web{container}}}]}}
"""


def job(spec: str = "", container: str = "") -> str:
    return f"""
---
apiVersion: batch/v1
kind: Job
metadata: {{name: a, namespace: apps}}
spec: {{{spec}template: {{spec: {{restartPolicy: Never, containers: [{{name: a, image: a{container}}}]}}}}}}
"""


def binding(kind: str, role: str, subject: str = "{kind: User, name: sam}") -> str:
    return f"""
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {kind}
metadata: {{name: a}}
roleRef: {role}
subjects: [{subject}]
"""


_BACKEND = "/spec/rules/0/http/paths/0/backend"
_PORT = "/spec/containers/0/ports/0"

CASES = [
    Case("AP01", "an Ingress of the group extensions", ingress("extensions/v1beta1"), ("/apiVersion",)),
    Case("AP01", "an Ingress of v1beta1", ingress("networking.k8s.io/v1beta1"), ("/apiVersion",)),
    Case("AP01", "an Ingress of v1", ingress()),
    Case("AP01", "a Deployment of extensions", workload("Deployment", "", "extensions/v1beta1"), ("/apiVersion",)),
    Case("AP01", "a Deployment of apps/v1beta2", workload("Deployment", "", "apps/v1beta2"), ("/apiVersion",)),
    Case("AP01", "a Deployment of apps/v1", workload("Deployment", "")),
    Case("AP01", "a Deployment of the core group", workload("Deployment", "", "v1"), ("/apiVersion",)),
    Case(
        "AP01",
        "a disruption budget of v1beta1",
        "{apiVersion: policy/v1beta1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {minAvailable: 1}}",
        ("/apiVersion",),
    ),
    Case(
        "AP01",
        "a disruption budget of v1",
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {minAvailable: 1}}",
    ),
    Case(
        "AP01",
        "a version that only older servers have",
        "{apiVersion: flowcontrol.apiserver.k8s.io/v1beta3, kind: FlowSchema, metadata: {name: web}}",
        ("/apiVersion",),
    ),
    Case("AP01", "a misspelled kind", "{apiVersion: v1, kind: ConfigMpa, metadata: {name: a}}", ("/kind",)),
    Case("AP01", "no kind", service().replace("kind: Service", ""), ("/kind",)),
    Case("AP01", "a kind that is a list", service().replace("kind: Service", "kind: [Service]"), ("/kind",)),
    Case("AP03", "items that are a mapping", "{apiVersion: v1, kind: List, items: {a: b}}", ("/items",)),
    Case(
        "AP03",
        "entries that are no objects",
        "{apiVersion: v1, kind: List, items: [text, {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}, null]}",
        ("/items/0", "/items/2"),
    ),
    Case("AP03", "a list with an entry that is not known yet", "{apiVersion: v1, kind: List, items: [!unknown ]}"),
    Case("AP03", "a list without items", "{apiVersion: v1, kind: List, items: []}"),
    Case("AP01", "no apiVersion", service().replace("apiVersion: v1", ""), ("/apiVersion",)),
    Case(
        "AP01", "a version of HTTPProxy that Contour lacks", proxy("").replace("/v1\n", "/v1beta1\n"), ("/apiVersion",)
    ),
    Case(
        "AP01",
        "an IngressRoute",
        "{apiVersion: contour.heptio.com/v1beta1, kind: IngressRoute, metadata: {name: web}}",
        ("/apiVersion",),
    ),
    Case("AP01", "a kubeconfig is no object", "{apiVersion: v1, kind: Config, clusters: []}"),
    Case("AP01", "a kind without a known schema", "{apiVersion: example.com/v1, kind: Widget, metadata: {name: web}}"),
    Case(
        "AP01", "a kind of a group near Kubernetes'", "{apiVersion: metrics.k8s.io/v1, kind: Pod, metadata: {name: a}}"
    ),
    Case("AP01", "an unknown kind of resource", "{apiVersion: pulumi, kind: 'pulumi:providers:kubernetes'}"),
    Case(
        "AP02",
        "serviceName under v1",
        ingress(backend="serviceName: web, servicePort: 80"),
        (f"{_BACKEND}/serviceName",),
    ),
    Case("AP02", "service under v1", ingress()),
    Case("AP02", "a misspelled field", service("selectr: {app: web}, "), ("/spec/selectr",)),
    Case("AP04", "a path of Windows", pod("volumes: [{name: a}], ", ", volumeMounts: [{name: a, mountPath: 'C:/a'}]")),
    Case(
        "AP04",
        "a mount without a path",
        pod("volumes: [{name: a}], ", ", volumeMounts: [{name: a, mountPath: ''}]"),
        ("/spec/containers/0/volumeMounts/0/mountPath",),
    ),
    Case(
        "AP04",
        "an unknown field that stands for the missing one is reported by AP02",
        proxy("loadBalancerPolicy: {strategy: RequestHash, requestHashPolicies: [{headerHashOptions: {name: a}}]}"),
    ),
    Case("AP02", "a misspelled field of a container", pod(container=", prots: []"), ("/spec/containers/0/prots",)),
    Case("AP02", "another case", pod(container=", imagepullpolicy: Always"), ("/spec/containers/0/imagepullpolicy",)),
    Case("AP02", "a field of the container on the pod", pod("ports: [], "), ("/spec/ports",)),
    Case(
        "AP02",
        "a field of the pod on the container",
        pod(container=", hostNetwork: true"),
        ("/spec/containers/0/hostNetwork",),
    ),
    Case("AP02", "labels beside metadata", service().replace("spec:", "labels: {a: b}\nspec:"), ("/labels",)),
    Case(
        "AP02",
        "a misspelled field of an HTTPProxy",
        proxy("timoutPolicy: {response: 1s}"),
        ("/spec/routes/0/timoutPolicy",),
    ),
    Case("AP02", "a field of an HTTPProxy", proxy("timeoutPolicy: {response: 1s}")),
    Case(
        "AP02",
        "a misspelled field of Calico's policy",
        "{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: a}, spec: {selecter: all()}}",
        ("/spec/selecter",),
    ),
    Case(
        "AP02",
        "a healthy policy of Calico",
        "{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: a}, spec: {selector: all()}}",
    ),
    Case(
        "AP02", "any key of a ConfigMap", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {selectr: a}}"
    ),
    Case(
        "AP03",
        "a boolean annotation",
        service(metadata=", annotations: {a/b: true, c: 'true'}"),
        ("/metadata/annotations/a~1b",),
    ),
    Case(
        "AP03", "a number as a label", pod(metadata=", labels: {version: 1, app: '1'}"), ("/metadata/labels/version",)
    ),
    Case("AP03", "a fraction as a label", pod(metadata=", labels: {version: 1.10}"), ("/metadata/labels/version",)),
    Case("AP03", "a number in a selector", service().replace("app: web", "app: 1"), ("/spec/selector/app",)),
    Case(
        "AP03",
        "a number as a variable's value",
        pod(container=", env: [{name: PORT, value: 8080}, {name: HOST, value: '1'}]"),
        ("/spec/containers/0/env/0/value",),
    ),
    Case(
        "AP03",
        "a boolean in data",
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: on}}",
        ("/data/a",),
    ),
    Case("AP03", "a string as a number", workload("Deployment", "", more="replicas: '2'"), ("/spec/replicas",)),
    Case("AP03", "a string as a boolean", pod("hostNetwork: 'false', "), ("/spec/hostNetwork",)),
    Case("AP03", "a mapping as a list", service().replace("[{port: 80}]", "{port: 80}"), ("/spec/ports",)),
    Case("AP03", "null is no value", pod("nodeSelector: null, ", metadata=", labels: ")),
    Case(
        "AP03",
        "a number or a name",
        service(port="port: 80, targetPort: http") + service(port="port: 80, targetPort: 80"),
    ),
    Case("AP03", "a whole fraction is a number", workload("Deployment", "", more="replicas: 2.0")),
    Case(
        "AP03",
        "quantities are numbers or strings",
        pod(container=", resources: {limits: {cpu: 1, memory: 64Mi}, requests: {cpu: 0.5}}"),
    ),
    Case("AP03", "a boolean in an HTTPProxy", proxy("enableWebsockets: 'yes'"), ("/spec/routes/0/enableWebsockets",)),
    Case("AP04", "no containerPort", pod(container=", ports: [{name: http}]"), (f"{_PORT}/containerPort",)),
    Case(
        "AP04",
        "a containerPort of 70000",
        pod(container=", ports: [{containerPort: 70000}]"),
        (f"{_PORT}/containerPort",),
    ),
    Case("AP04", "a containerPort of 0", pod(container=", ports: [{containerPort: 0}]"), (f"{_PORT}/containerPort",)),
    Case(
        "AP04", "a hostPort of -1", pod(container=", ports: [{containerPort: 1, hostPort: -1}]"), (f"{_PORT}/hostPort",)
    ),
    Case("AP04", "a hostPort of 0 is none", pod(container=", ports: [{containerPort: 65535, hostPort: 0}]")),
    Case(
        "AP04",
        "a protocol in lower case",
        pod(container=", ports: [{containerPort: 1, protocol: tcp}]"),
        (f"{_PORT}/protocol",),
    ),
    Case(
        "AP04",
        "a nodePort of the machine",
        service("type: NodePort, ", "port: 80, nodePort: 8080"),
        ("/spec/ports/0/nodePort",),
    ),
    Case(
        "AP04",
        "a nodePort beyond the range",
        service("type: NodePort, ", "port: 80, nodePort: 32768"),
        ("/spec/ports/0/nodePort",),
    ),
    Case("AP04", "a nodePort of a ClusterIP", service("", "port: 80, nodePort: 30080"), ("/spec/ports/0/nodePort",)),
    Case("AP04", "nodePorts of the range", service("type: LoadBalancer, ", "port: 80, nodePort: 30000")),
    Case(
        "AP04",
        "a range that a kubeadm patch sets",
        service("type: NodePort, ", "port: 80, nodePort: 8080")
        + """
---
apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
kubeadmConfigPatches:
- |
  kind: ClusterConfiguration
  apiServer: {extraArgs: {service-node-port-range: "8000-9000"}}
""",
    ),
    Case(
        "AP04",
        "the port of a Service twice",
        service(port="port: 80, name: a}, {port: 80, name: b"),
        ("/spec/ports/1/port",),
    ),
    Case("AP04", "one port of two protocols", service(port="port: 80, name: a}, {port: 80, name: b, protocol: UDP")),
    Case("AP04", "a type of Service that does not exist", service("type: clusterIP, "), ("/spec/type",)),
    Case("AP04", "a Service whose name begins with a digit", service(name="1web"), ("/metadata/name",)),
    Case("AP04", "a name with capital letters", service(name="Web"), ("/metadata/name",)),
    Case("AP04", "a pod whose name begins with a digit", pod().replace("name: web,", "name: 1web.a,", 1)),
    Case("AP04", "no name", service().replace("name: web, ", ""), ("/metadata/name",)),
    Case("AP04", "a generated name", service().replace("name: web, ", "generateName: web-, ")),
    Case("AP04", "a label's value with a blank", pod(metadata=", labels: {app: my web}"), ("/metadata/labels/app",)),
    Case(
        "AP04", "a label's key with two slashes", pod(metadata=", labels: {a/b/c: web}"), ("/metadata/labels/a~1b~1c",)
    ),
    Case(
        "AP04",
        "no selector",
        workload("Deployment", "").replace("selector: {matchLabels: {app: web}}", ""),
        ("/spec/selector",),
    ),
    Case(
        "AP04",
        "a Deployment that ends",
        workload("Deployment", "restartPolicy: Never, "),
        ("/spec/template/spec/restartPolicy",),
    ),
    Case(
        "AP04",
        "a Job that never ends",
        "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {template: {spec: {containers: "
        "[{name: a, image: a}]}}}}",
        ("/spec/template/spec/restartPolicy",),
    ),
    Case(
        "AP04",
        "a Job that ends",
        "{apiVersion: batch/v1, kind: Job, metadata: {name: a}, spec: {template: {spec: {restartPolicy: Never, "
        "containers: [{name: a, image: a}]}}}}",
    ),
    Case(
        "AP04",
        "two containers of one name",
        pod(container="}, {name: web, image: web"),
        ("/spec/containers/1/name",),
    ),
    Case(
        "AP04",
        "a mount of no volume",
        pod("volumes: [{name: data, emptyDir: {}}], ", ", volumeMounts: [{name: date, mountPath: /data}]"),
        ("/spec/containers/0/volumeMounts/0/name",),
    ),
    Case(
        "AP04",
        "a mount of a claim's template",
        workload(
            "StatefulSet",
            "",
            container=", volumeMounts: [{name: data, mountPath: /data}]",
            more="serviceName: web\n  volumeClaimTemplates: [{metadata: {name: data}, spec: "
            "{accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]",
        ),
    ),
    Case("AP04", "no pathType", ingress().replace("pathType: Prefix, ", ""), ("/spec/rules/0/http/paths/0/pathType",)),
    Case(
        "AP04",
        "a pathType in lower case",
        ingress().replace("Prefix", "prefix"),
        ("/spec/rules/0/http/paths/0/pathType",),
    ),
    Case(
        "AP04",
        "a timeout without unit",
        proxy("timeoutPolicy: {response: '30'}"),
        ("/spec/routes/0/timeoutPolicy/response",),
    ),
    Case("AP04", "timeouts with unit", proxy("timeoutPolicy: {response: 1m30s, idle: infinity}")),
    Case(
        "AP04",
        "an unknown protocol",
        proxy("").replace("port: 80", "port: 80, protocol: h3"),
        ("/spec/routes/0/services/0/protocol",),
    ),
    Case("AP04", "a protocol that Contour has", proxy("").replace("port: 80", "port: 80, protocol: h2c")),
    Case(
        "AP04",
        "a port of 65536 in an HTTPProxy",
        proxy("").replace("port: 80", "port: 65536"),
        ("/spec/routes/0/services/0/port",),
    ),
    Case("AP01", "an HTTPRoute of an old version", http_route(version="v1alpha2"), ("/apiVersion",)),
    Case("AP01", "an HTTPRoute of a version that is still served", http_route(version="v1beta1")),
    Case(
        "AP01", "a route of the experimental channel", http_route(version="v1alpha2").replace("HTTPRoute", "TCPRoute")
    ),
    Case("AP02", "a misspelled field of an HTTPRoute", http_route("hostname: [a.localhost], "), ("/spec/hostname",)),
    Case(
        "AP02",
        "a misplaced field of a Gateway",
        gateway("name: http, protocol: HTTP, port: 80, namespaces: {from: All}"),
        ("/spec/listeners/0/namespaces",),
    ),
    Case("AP02", "a field of the experimental channel", http_route(rule="sessionPersistence: {sessionName: a}, ")),
    Case("AP03", "a port in quotes", gateway("name: http, protocol: HTTP, port: '80'"), ("/spec/listeners/0/port",)),
    Case(
        "AP04",
        "a path type of an Ingress in an HTTPRoute",
        http_route(rule="matches: [{path: {type: Prefix, value: /}}], "),
        ("/spec/rules/0/matches/0/path/type",),
    ),
    Case("AP04", "a path type of an HTTPRoute", http_route(rule="matches: [{path: {type: PathPrefix, value: /}}], ")),
    Case(
        "AP04",
        "a listener without a protocol",
        gateway("name: http, port: 80"),
        ("/spec/listeners/0/protocol",),
    ),
    Case("AP04", "an address whose type is the default", gateway(spec="addresses: [{value: 10.0.0.1}], ")),
    Case("AP04", "a container without an image", pod().replace(", image: web", ""), ("/spec/containers/0/image",)),
    Case(
        "AP04",
        "a container with an empty image",
        workload("Deployment", "").replace("image: web", "image: ''"),
        ("/spec/template/spec/containers/0/image",),
    ),
    Case("AP04", "an image that is not known yet", pod().replace("image: web", "image: !unknown ")),
    Case(
        "AP04",
        "a roleRef whose group is the default",
        binding("RoleBinding", "{kind: Role, name: a}", "{kind: ServiceAccount, name: x, namespace: s}"),
    ),
    Case("AP04", "a roleRef without a name", binding("RoleBinding", "{kind: Role}"), ("/roleRef/name",)),
    Case(
        "AP04",
        "a policy of all pods",
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {policyTypes: [Ingress]}}",
    ),
    Case("AP04", "a StatefulSet without serviceName", workload("StatefulSet", "")),
    Case(
        "AP04",
        "a condition whose status is the default",
        job("podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]}, "),
    ),
    Case("AP04", "a priority of 0", "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: a}}"),
    Case(
        "AP04",
        "a slice of no endpoints",
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}, addressType: IPv4}",
    ),
    Case(
        "AP04",
        "a slice of no family",
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: a}}",
        ("/addressType",),
    ),
    Case("AP04", "a status that the server drops", workload("DaemonSet", "") + "status: {}"),
    Case("AP04", "no services port", proxy("").replace(", port: 80", ""), ("/spec/routes/0/services/0/port",)),
]


def _of_gateway(about: str, text: str, *paths: str) -> Case:
    return Case("AP04", about, text, paths)


_DOOR = "name: http, protocol: HTTP, port: 80"
_REWRITE = "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}"
_BACKENDS = "backendRefs: [{name: web, port: 80}]"


def _route(rule: str = _BACKENDS, parents: str = "{name: public}") -> str:
    return f"""
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web, namespace: apps}}
spec: {{parentRefs: [{parents}], rules: [{{{rule}}}]}}
"""


def _matched(path: str, more: str = _BACKENDS) -> str:
    return _route(f"matches: [{{path: {{{path}}}}}], {more}")


CASES += [
    _of_gateway("two listeners", gateway(_DOOR + "}, {name: other, protocol: HTTP, port: 81")),
    _of_gateway(
        "two listeners of one name",
        gateway(_DOOR + "}, {name: http, protocol: HTTP, port: 81"),
        "/spec/listeners/1/name",
    ),
    _of_gateway(
        "two listeners of one port", gateway(_DOOR + "}, {name: b, protocol: HTTP, port: 80"), "/spec/listeners/1/port"
    ),
    _of_gateway(
        "two listeners of two hosts",
        gateway(_DOOR + ", hostname: a.b}, {name: b, protocol: HTTP, port: 80, hostname: c.d"),
    ),
    _of_gateway("tls of HTTP", gateway(_DOOR + ", tls: {certificateRefs: [{name: a}]}"), "/spec/listeners/0/tls"),
    _of_gateway(
        "passthrough of HTTPS",
        gateway("name: a, protocol: HTTPS, port: 443, tls: {mode: Passthrough}"),
        "/spec/listeners/0/tls/mode",
    ),
    _of_gateway(
        "HTTPS without a certificate",
        gateway("name: a, protocol: HTTPS, port: 443, tls: {}"),
        "/spec/listeners/0/tls/certificateRefs",
    ),
    _of_gateway("HTTPS", gateway("name: a, protocol: HTTPS, port: 443, tls: {certificateRefs: [{name: a}]}")),
    _of_gateway("TLS without tls", gateway("name: a, protocol: TLS, port: 443"), "/spec/listeners/0/tls"),
    _of_gateway("passthrough of TLS", gateway("name: a, protocol: TLS, port: 443, tls: {mode: Passthrough}")),
    _of_gateway(
        "a host of TCP", gateway("name: a, protocol: TCP, port: 9, hostname: a.b"), "/spec/listeners/0/hostname"
    ),
    _of_gateway("one parent twice", _route(parents="{name: a}, {name: a}"), "/spec/parentRefs/1"),
    _of_gateway(
        "a parent and its section", _route(parents="{name: a}, {name: a, sectionName: b}"), "/spec/parentRefs/1"
    ),
    _of_gateway("two sections of a parent", _route(parents="{name: a, sectionName: a}, {name: a, sectionName: b}")),
    _of_gateway("a Service without a port", _route("backendRefs: [{name: a}]"), "/spec/rules/0/backendRefs/0/port"),
    _of_gateway("another kind without a port", _route("backendRefs: [{name: a, kind: Foo, group: a.b}]")),
    _of_gateway("a path", _matched("type: PathPrefix, value: /a")),
    _of_gateway("a path without a slash", _matched("value: a"), "/spec/rules/0/matches/0/path/value"),
    _of_gateway("a path with two slashes", _matched("type: Exact, value: /a//b"), "/spec/rules/0/matches/0/path/value"),
    _of_gateway("a path that leads up", _matched("value: /a/.."), "/spec/rules/0/matches/0/path/value"),
    _of_gateway("a path with a space", _matched("value: /a b"), "/spec/rules/0/matches/0/path/value"),
    _of_gateway("an expression", _matched("type: RegularExpression, value: a b")),
    _of_gateway(
        "a redirect with a backend",
        _route("backendRefs: [{name: a, port: 80}], filters: [{type: RequestRedirect, requestRedirect: {}}]"),
        "/spec/rules/0/backendRefs",
    ),
    _of_gateway("a redirect", _route("filters: [{type: RequestRedirect, requestRedirect: {}}]")),
    _of_gateway(
        "a filter without its field",
        _route("filters: [{type: RequestMirror}]"),
        "/spec/rules/0/filters/0/requestMirror",
    ),
    _of_gateway(
        "a filter with another's field",
        _route("filters: [{type: RequestMirror, urlRewrite: {hostname: a.b}}]"),
        "/spec/rules/0/filters/0/urlRewrite",
    ),
    _of_gateway(
        "a filter twice", _matched("value: /", f"filters: [{_REWRITE}, {_REWRITE}]"), "/spec/rules/0/filters/1"
    ),
    _of_gateway("a prefix for a prefix", _matched("value: /a", f"filters: [{_REWRITE}]")),
    _of_gateway(
        "a prefix for an exact path",
        _matched("type: Exact, value: /a", f"filters: [{_REWRITE}]"),
        "/spec/rules/0/matches",
    ),
    _of_gateway(
        "a prefix with the type of a path",
        _matched("value: /", f"filters: [{_REWRITE.replace('type: ReplacePrefixMatch', 'type: ReplaceFullPath')}]"),
        "/spec/rules/0/filters/0/urlRewrite/path/type",
    ),
    _of_gateway(
        "a longer time for the backend",
        _route("timeouts: {request: 1m, backendRequest: 61s}"),
        "/spec/rules/0/timeouts/backendRequest",
    ),
    _of_gateway("a shorter time for the backend", _route("timeouts: {request: 1m, backendRequest: 59s}")),
    _of_gateway(
        "a header that is removed twice",
        _route("filters: [{type: RequestHeaderModifier, requestHeaderModifier: {remove: [a, a]}}]"),
        "/spec/rules/0/filters/0/requestHeaderModifier/remove",
    ),
    _of_gateway(
        "one header twice",
        _route("matches: [{headers: [{name: a, value: b}, {name: a, value: c}]}]"),
        "/spec/rules/0/matches/0/headers/1/name",
    ),
]


def refusals(text: str) -> list[str]:
    return [f"{f.code} {f.path}" for f in verdict(documents(text), rules=CODES)]


@pytest.mark.parametrize("code", list(RULES))
def test_the_good_example_of_every_rule_is_one_that_the_api_server_takes(code: str) -> None:
    assert refusals(RULES[code].good) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.paths], ids=str)
def test_a_refusal_is_of_one_kind_and_its_patch_leaves_none(case: Case) -> None:
    bodies = documents(case.text)
    found = verdict(bodies, rules=CODES)
    assert [f"{f.code} {f.path}" for f in found] == [f"{case.code} {path}" for path in case.paths]
    if patch := found[0].patch:
        number = patch.place.document or 0
        mended = [patched(body, patch.operations) if i == number else body for i, body in enumerate(bodies)]
        assert verdict(mended, rules=CODES) == []


@pytest.mark.parametrize(
    ("text", "code", "remedy"),
    [
        (
            service("selectr: {app: web}, ", "port: 80").replace("selector: {app: web}, ", ""),
            "AP02",
            "Rename selectr to selector.",
        ),
        (pod("ports: [], "), "AP02", "Move ports to spec.containers[].ports."),
        (pod(container=", hostPort: 80"), "AP02", "Move hostPort to spec.containers[].ports[].hostPort."),
        (pod("hostPort: [80], "), "AP02", "Remove hostPort."),
        (
            pod(container=", $patch: delete"),
            "AP02",
            "Pass the file to Kustomize as a patch, or remove $patch, which only a patch has.",
        ),
        (
            pod(container=", port: [{containerPort: 80}], ports: [{containerPort: 81}]"),
            "AP02",
            "Write what port has into ports, and remove port.",
        ),
        (
            pod(container=", port: [{containerPort: 80}]"),
            "AP02",
            "Rename port to ports.",
        ),
        (
            proxy("loadBalancerPolicy: {strategy: RequestHash, requestHashPolicies: [{headerHashOptions: {name: a}}]}"),
            "AP02",
            "Rename name to headerName.",
        ),
        (
            ingress(backend="serviceName: web"),
            "AP02",
            "Write service.name instead of serviceName.",
        ),
        (pod(metadata=", labels: {version: 1}"), "AP03", 'Write it in quotes: "1".'),
        (pod(metadata=", labels: {version: 1.10}"), "AP03", "Write it in quotes."),
        (
            proxy("timeoutPolicy: {response: 30}"),
            "AP03",
            "Write a duration with its unit, such as 30s, or infinity.",
        ),
        (service("type: Nodeport, "), "AP04", "Write NodePort."),
        (service("type: 3, "), "AP03", "Write one of ClusterIP, NodePort, LoadBalancer, ExternalName."),
        (ingress(backend="service: {name: web, port: 80}"), "AP03", "Write a mapping: {number: 80}."),
        (ingress(backend="service: {name: web, port: http}"), "AP03", "Write a mapping: {name: http}."),
        (ingress(backend="service: web"), "AP03", "Write a mapping: {name: web}."),
        (pod(container=", command: run"), "AP03", "Write a list: [run]."),
        (pod(container=", ports: {containerPort: 80}"), "AP03", "Write a list that has the mapping as its item."),
        (pod(container=", ports: 80"), "AP03", "Write a list."),
        (pod(container=", resources: 1"), "AP03", "Write a mapping with the fields claims, limits, requests."),
        (
            proxy("timeoutPolicy: {response: '30'}"),
            "AP04",
            "Write a duration with its unit, such as 30s, or infinity.",
        ),
        (service().replace("kind: Service", "kind: Servcie"), "AP01", "Use v1 Service."),
        (workload("Deployment", "", "apps/v1beta1"), "AP01", "Use apps/v1."),
    ],
)
def test_the_remedy_says_what_to_write(text: str, code: str, remedy: str) -> None:
    assert [f.remedy for f in of_rule(text, code)] == [remedy]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("apiVersion: v1", "apiVersion: 1"), "apiVersion is 1; it must be a string."),
        (("kind: Service", "kind: [a]"), "kind is a list; it must be a string."),
    ],
)
def test_a_value_of_the_wrong_type_is_not_called_absent(change: tuple[str, str], message: str) -> None:
    assert [f.message for f in of_rule(service().replace(*change), "AP01")] == [message]


def test_a_secret_value_is_not_shown() -> None:
    (finding,) = of_rule("{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {password: 424242}}", "AP03")
    assert "424242" not in f"{finding}{finding.evidence}"


def test_an_unknown_value_is_accepted_and_the_others_are_judged() -> None:
    (body,) = documents(pod(metadata=", labels: {a: 1}", container=", ports: [{containerPort: 70000}]"))
    body["metadata"]["labels"]["b"] = UNKNOWN
    body["spec"]["containers"][0]["image"] = UNKNOWN
    assert [(f.code, f.path) for f in verdict([body], rules=CODES)] == [
        ("AP03", "/metadata/labels/a"),
        ("AP04", f"{_PORT}/containerPort"),
    ]


def test_an_object_of_a_provider_that_is_not_configured_is_accepted() -> None:
    unknown = dict.fromkeys(("metadata", "spec", "data", "type", "rules", "template"), UNKNOWN)
    assert verdict([{"apiVersion": "v1", "kind": "Service", **unknown}], rules=CODES) == []


@pytest.mark.parametrize(
    ("version", "given", "codes"),
    [
        ("1.28", "flowcontrol.apiserver.k8s.io/v1beta2", []),
        ("1.29", "flowcontrol.apiserver.k8s.io/v1beta2", ["AP01"]),
        ("1.28", "flowcontrol.apiserver.k8s.io/v1", ["AP01"]),
        ("1.29", "flowcontrol.apiserver.k8s.io/v1", []),
    ],
)
def test_the_version_of_kubernetes_decides(version: str, given: str, codes: list[str]) -> None:
    body = {"apiVersion": given, "kind": "FlowSchema", "metadata": {"name": "a"}}
    inventory = Inventory([(body, Place())], today=TODAY, kubernetes=version)
    assert [f.code for f in judge(inventory, configure(), [RULES[code] for code in CODES])] == codes


def test_the_version_is_that_of_the_stacks_node_image() -> None:
    stack = settings("a", {"cluster": {"nodeImage": "kindest/node:v1.31.2"}})
    assert Inventory([], today=TODAY, settings=stack).kubernetes == "1.31"
    assert Inventory([], today=TODAY).kubernetes == "1.34"


@pytest.mark.parametrize("version", known_versions())
def test_a_field_that_no_version_of_the_server_demands_may_be_missing(version: str) -> None:
    (body,) = documents("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: a}, spec: {}}")
    inventory = Inventory([(body, Place())], today=TODAY, kubernetes=version)
    assert judge(inventory, configure(), [RULES[code] for code in CODES]) == []


def test_every_field_that_is_not_demanded_is_one_of_a_definition() -> None:
    fields = {
        (name.removeprefix("io.k8s."), field)
        for version in known_versions()
        for name, schema in catalogue(version).definitions.items()
        for field in schema.get("properties", ())
    }
    assert {(name, field) for name, given in NOT_DEMANDED.items() for field in given} <= fields


@pytest.mark.parametrize("version", known_versions())
def test_every_schema_compiles(version: str) -> None:
    known = catalogue(version)
    for key in known.served:
        assert known.validator(*key.split())


def test_a_refused_value_is_one_finding_with_the_patch_of_the_other_rule() -> None:
    found = verdict(documents(ingress().replace("pathType: Prefix, ", "")), rules=["IN07", *CODES])
    assert [(f.code, f.patch is not None) for f in found] == [("AP04", True)]
    other = ingress().replace("Prefix", "ImplementationSpecific").replace("path: /,", "path: /foo,")
    alone = verdict(documents(other), rules=["IN07", *CODES])
    assert [f.code for f in alone] == ["IN07"]


def test_no_patch_writes_a_value_that_is_refused_next() -> None:
    (refused,) = verdict(documents(proxy("timeoutPolicy: {response: 30}")), rules=["AP03"])
    assert refused.patch is None
    (accepted,) = verdict(documents(pod(metadata=", labels: {version: 1}")), rules=["AP03"])
    assert accepted.patch
    assert accepted.patch.operations[0]["value"] == "1"
