"""Values that the API server refuses beyond the schemas: each mistake with its place, and a healthy twin."""

import pytest

from hops.kubernetes.inventory import Inventory
from hops.kubernetes.validation.quantities import quantity
from hops.kubernetes.values import UNKNOWN
from hops.model.finding import Place
from hops.rules.catalogue import RULES
from hops.rules.configuration import configure
from hops.rules.judge import judge
from tests.hops.rules.cases import TODAY, documents, verdict
from tests.hops.rules.families.test_api_server import binding, gateway, job, pod, service, workload

CODES = [code for code in RULES if code.startswith("AP")]


def of_kind(version: str, kind: str, spec: str, metadata: str = "") -> str:
    return f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: a{metadata}}}, spec: {{{spec}}}}}"


def cron(schedule: str, more: str = "") -> str:
    template = "spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}"
    return of_kind("batch/v1", "CronJob", f"schedule: '{schedule}', {more}jobTemplate: {{{template}}}")


def budget(spec: str) -> str:
    return of_kind("policy/v1", "PodDisruptionBudget", spec)


def policy(rule: str) -> str:
    return of_kind("networking.k8s.io/v1", "NetworkPolicy", f"podSelector: {{}}, ingress: [{rule}]")


def peer(block: str) -> str:
    return policy(f"{{from: [{block}]}}")


def calico(spec: str = "selector: all()", rule: str = "action: Allow", kind: str = "NetworkPolicy") -> str:
    return of_kind("projectcalico.org/v3", kind, f"{spec}, ingress: [{{{rule}}}]")


def claim(spec: str) -> str:
    return of_kind("v1", "PersistentVolumeClaim", spec)


def secret(data: str, kind: str = "Opaque") -> str:
    return f"{{apiVersion: v1, kind: Secret, metadata: {{name: a}}, type: {kind}, {data}}}"


def limits(value: str, requests: str = "{}") -> str:
    return pod(container=f", resources: {{limits: {{memory: {value}}}, requests: {requests}}}")


def resources(limits: str, requests: str = "{}") -> str:
    return pod(container=f", resources: {{limits: {limits}, requests: {requests}}}")


def mounted(body: str) -> str:
    mount = f", volumeMounts: [{{name: v, mountPath: /a, {body}}}]"
    return pod("volumes: [{name: v, emptyDir: {}}], ", container=mount)


def volume(body: str) -> str:
    return pod(f"volumes: [{{name: v, {body}}}], ")


def role(rule: str) -> str:
    return f"{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: a}}, rules: [{{{rule}}}]}}"


def of_apps(kind: str, selector: str = "{matchLabels: {app: a}}", more: str = "") -> str:
    template = "{metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}"
    return of_kind("apps/v1", kind, f"selector: {selector}, {more}template: {template}")


def classes(annotation: str, name: str) -> str:
    return (
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a, annotations: "
        f"{{kubernetes.io/ingress.class: {annotation}}}}}, spec: {{ingressClassName: {name}, "
        "defaultBackend: {service: {name: a, port: {number: 80}}}}}"
    )


def slice_of(kind: str) -> str:
    return (
        f"{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: a}}, addressType: {kind}, "
        "endpoints: [{addresses: ['fd00::1']}]}"
    )


def probe(body: str, key: str = "livenessProbe") -> str:
    return pod(container=f", {key}: {{{body}}}")


def sleep(seconds: int) -> str:
    return f", lifecycle: {{preStop: {{sleep: {{seconds: {seconds}}}}}}}"


def strategy(body: str) -> str:
    return workload("Deployment", "", more=f"strategy: {{{body}}}")


def variable(body: str) -> str:
    return pod(container=f", env: [{{name: A, {body}}}]")


def affinity(demand: str) -> str:
    terms = f"nodeSelectorTerms: [{{matchExpressions: [{{key: a, {demand}}}]}}]"
    return pod(f"affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{{terms}}}}}}}, ")


_CONTAINER = "/spec/containers/0"
_LIMIT = f"{_CONTAINER}/resources/limits/memory"
_VALUE_FROM = f"{_CONTAINER}/env/0/valueFrom"
_FROM = "/spec/ingress/0/from/0"
_PORT = "/spec/ingress/0/ports/0"
_ROLLING = "/spec/strategy/rollingUpdate"
_VALUES = (
    "/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"
    "/nodeSelectorTerms/0/matchExpressions/0/values"
)
_HTTP = "httpGet: {port: 80}"
_LOGIN = "/data/.dockerconfigjson"
_STORAGE = "resources: {requests: {storage: 1Gi}}"
_TLS = "kubernetes.io/tls"
_DOCKER = "kubernetes.io/dockerconfigjson"
_SCALED = "scaleTargetRef: {kind: Deployment, name: a}"

_SLEEP = "lifecycle/preStop/sleep/seconds"
_INIT = "initContainers: [{{name: i, image: i, {}}}], "
_LARGE = ", annotations: {{a: {}}}"
REFUSED = {
    "a sleep beyond the default grace period": (pod(container=sleep(31)), f"{_CONTAINER}/{_SLEEP}"),
    "a sleep beyond the grace period": (
        pod("terminationGracePeriodSeconds: 5, ", sleep(6)),
        f"{_CONTAINER}/{_SLEEP}",
    ),
    "a sleep below 0": (pod(container=sleep(-1)), f"{_CONTAINER}/{_SLEEP}"),
    "annotations over 256 KiB": (pod(metadata=_LARGE.format("b" * 262_144)), "/metadata/annotations"),
    "annotations of a template over 256 KiB": (
        workload("Deployment", "").replace(
            "metadata: {labels: {app: web}}", f"metadata: {{labels: {{app: web}}{_LARGE.format('b' * 262_144)}}}"
        ),
        "/spec/template/metadata/annotations",
    ),
    "a probe of an init container that ends": (
        pod(_INIT.format("restartPolicy: Never, readinessProbe: {httpGet: {port: 80}}")),
        "/spec/initContainers/0/readinessProbe",
    ),
    "a host alias without an address": (pod("hostAliases: [{ip: 1.2.3, hostnames: [a]}], "), "/spec/hostAliases/0/ip"),
    "a hostname in upper case": (pod("hostname: Web_1, "), "/spec/hostname"),
    "a deadline of 0": (pod("activeDeadlineSeconds: 0, "), "/spec/activeDeadlineSeconds"),
    "a user below 0": (pod(container=", securityContext: {runAsUser: -1}"), f"{_CONTAINER}/securityContext/runAsUser"),
    "a mount above its volume": (mounted("subPath: ../b"), f"{_CONTAINER}/volumeMounts/0/subPath"),
    "a mount from the root": (mounted("subPath: /b"), f"{_CONTAINER}/volumeMounts/0/subPath"),
    "two sub-paths": (mounted("subPath: b, subPathExpr: c"), f"{_CONTAINER}/volumeMounts/0/subPathExpr"),
    "a way up in a hostPath": (volume("hostPath: {path: /a/../b}"), "/spec/volumes/0/hostPath/path"),
    "a type of hostPath": (volume("hostPath: {path: /a, type: Dir}"), "/spec/volumes/0/hostPath/type"),
    "a decimal mode": (volume("configMap: {name: c, defaultMode: 777}"), "/spec/volumes/0/configMap/defaultMode"),
    "a file from the root": (
        volume("configMap: {name: c, items: [{key: k, path: /k}]}"),
        "/spec/volumes/0/configMap/items/0/path",
    ),
    "a Secret without a name": (volume("secret: {}"), "/spec/volumes/0/secret/secretName"),
    "variables from nothing": (pod(container=", envFrom: [{prefix: A}]"), f"{_CONTAINER}/envFrom/0"),
    "an unknown resource of a variable": (
        variable("valueFrom: {resourceFieldRef: {resource: limits.ram}}"),
        f"{_VALUE_FROM}/resourceFieldRef/resource",
    ),
    "a hook with two handlers": (
        pod(container=", lifecycle: {preStop: {exec: {command: [a]}, sleep: {seconds: 1}}}"),
        f"{_CONTAINER}/lifecycle/preStop/sleep",
    ),
    "a header with a blank": (
        probe("httpGet: {port: 80, httpHeaders: [{name: a b, value: c}]}"),
        f"{_CONTAINER}/livenessProbe/httpGet/httpHeaders/0/name",
    ),
    "a probe without a command": (probe("exec: {}"), f"{_CONTAINER}/livenessProbe/exec/command"),
    "a message policy": (pod(container=", terminationMessagePolicy: Log"), f"{_CONTAINER}/terminationMessagePolicy"),
    "an image behind a blank": (pod(container="").replace("image: web", "image: ' web'"), f"{_CONTAINER}/image"),
    "a preemption": (pod("preemptionPolicy: Maybe, "), "/spec/preemptionPolicy"),
    "two process namespaces": (pod("hostPID: true, shareProcessNamespace: true, "), "/spec/shareProcessNamespace"),
    "a probe of an init container": (
        pod("initContainers: [{name: i, image: a, readinessProbe: {tcpSocket: {port: 1}}}], "),
        "/spec/initContainers/0/readinessProbe",
    ),
    "a deadline below the time until ready": (
        workload("Deployment", "", more="minReadySeconds: 700"),
        "/spec/minReadySeconds",
    ),
    "a history below 0": (workload("Deployment", "", more="revisionHistoryLimit: -1"), "/spec/revisionHistoryLimit"),
    "a selector of nothing": (of_apps("Deployment", "{}"), "/spec/selector"),
    "a demand without values": (
        of_apps("Deployment", "{matchLabels: {app: a}, matchExpressions: [{key: b, operator: In}]}"),
        "/spec/selector/matchExpressions/0/values",
    ),
    "a partition that nothing uses": (
        of_apps("StatefulSet", more="updateStrategy: {type: OnDelete, rollingUpdate: {partition: 1}}, "),
        "/spec/updateStrategy/rollingUpdate",
    ),
    "an update of no pod": (
        of_apps("DaemonSet", more="updateStrategy: {rollingUpdate: {maxUnavailable: 0}}, "),
        "/spec/updateStrategy/rollingUpdate/maxUnavailable",
    ),
    "an indexed Job without a number": (job("completionMode: Indexed, "), "/spec/completions"),
    "a scale of 0": (
        of_kind("autoscaling/v2", "HorizontalPodAutoscaler", f"minReplicas: 0, maxReplicas: 2, {_SCALED}"),
        "/spec/minReplicas",
    ),
    "an external address of loopback": (service("externalIPs: [127.0.0.1], "), "/spec/externalIPs/0"),
    "an affinity of two days": (
        service("sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 172800}}, "),
        "/spec/sessionAffinityConfig/clientIP/timeoutSeconds",
    ),
    "an affinity that is off": (
        service("sessionAffinityConfig: {clientIP: {timeoutSeconds: 90}}, "),
        "/spec/sessionAffinityConfig",
    ),
    "a policy for traffic that does not come": (
        service("externalTrafficPolicy: Local, "),
        "/spec/externalTrafficPolicy",
    ),
    "a health check of no balancer": (
        service("type: LoadBalancer, healthCheckNodePort: 31000, "),
        "/spec/healthCheckNodePort",
    ),
    "a URL as external name": (
        service("type: ExternalName, externalName: 'http://a.b', ").replace("ports: [{port: 80}]", "ports: []"),
        "/spec/externalName",
    ),
    "a NodePort without an address": (service("type: NodePort, clusterIP: None, "), "/spec/clusterIP"),
    "a class of no balancer": (service("loadBalancerClass: a/b, "), "/spec/loadBalancerClass"),
    "a family twice": (service("ipFamilies: [IPv4, IPv4], "), "/spec/ipFamilies"),
    "a protocol with a blank": (service(port="port: 80, appProtocol: a b"), "/spec/ports/0/appProtocol"),
    "two classes": (
        classes("contour", "nginx"),
        "/metadata/annotations/kubernetes.io~1ingress.class",
    ),
    "a mode of a volume": (claim(f"accessModes: [ReadWriteOnce], volumeMode: Disk, {_STORAGE}"), "/spec/volumeMode"),
    "a key twice": (
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: b}, binaryData: {a: Yg==}}",
        "/binaryData/a",
    ),
    "more than a ConfigMap holds": (
        f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: a}}, data: {{a: {'x' * 1100000}}}}}",
        "/data",
    ),
    "a role without verbs": (role('apiGroups: [""], resources: [pods], verbs: []'), "/rules/0/verbs"),
    "a URL in a namespace": (role("nonResourceURLs: [/a], verbs: [get]"), "/rules/0/nonResourceURLs"),
    "a spread without a key": (
        pod("topologySpreadConstraints: [{maxSkew: 1, topologyKey: '', whenUnsatisfiable: DoNotSchedule}], "),
        "/spec/topologySpreadConstraints/0/topologyKey",
    ),
    "a weight of 0": (
        pod(
            "affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: "
            "[{weight: 0, podAffinityTerm: {topologyKey: k}}]}}, "
        ),
        "/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/weight",
    ),
    "four nameservers": (
        pod("dnsPolicy: None, dnsConfig: {nameservers: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]}, "),
        "/spec/dnsConfig/nameservers",
    ),
    "an address of another family": (
        slice_of("IPv4"),
        "/endpoints/0/addresses/0",
    ),
    "a reserved name": (
        "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: system-mine}, value: 1}",
        "/metadata/name",
    ),
    "a login of a registry without its key": (secret("data: {config.json: e30=}", _DOCKER), "/data"),
    "a login of a registry that is no JSON": (secret("data: {.dockerconfigjson: YQ==}", _DOCKER), _LOGIN),
    "a login of a registry that is a list": (secret("data: {.dockerconfigjson: W10=}", _DOCKER), _LOGIN),
    "a login of a registry in clear that is no JSON": (
        secret("stringData: {.dockerconfigjson: '{auths: }'}", _DOCKER),
        "/stringData/.dockerconfigjson",
    ),
    "a login without its keys": (secret("data: {user: ''}", "kubernetes.io/basic-auth"), "/data"),
    "a key for ssh by another name": (secret("data: {id_rsa: YQ==}", "kubernetes.io/ssh-auth"), "/data"),
    "a token of no account": (
        secret("data: {}", "kubernetes.io/service-account-token"),
        "/metadata/annotations/kubernetes.io~1service-account.name",
    ),
    "a unit of bytes": (limits("128MB"), _LIMIT),
    "a unit twice": (limits("100mm"), _LIMIT),
    "an empty quantity": (limits("''"), _LIMIT),
    "a negative quantity": (limits("-1Gi"), _LIMIT),
    "a request above the limit": (limits("1Gi", "{memory: 1025Mi}"), f"{_CONTAINER}/resources/requests/memory"),
    "a size limit": (pod("volumes: [{name: a, emptyDir: {sizeLimit: 1GB}}], "), "/spec/volumes/0/emptyDir/sizeLimit"),
    "a quota": (of_kind("v1", "ResourceQuota", "hard: {limits.cpu: 2cores}"), "/spec/hard/limits.cpu"),
    "a capacity": (
        of_kind("v1", "PersistentVolume", "accessModes: [ReadWriteOnce], capacity: {storage: 1GB}"),
        "/spec/capacity/storage",
    ),
    "four fields": (cron("1 * * *"), "/spec/schedule"),
    "minute 60": (cron("60 * * * *"), "/spec/schedule"),
    "a day of 0": (cron("0 0 0 * *"), "/spec/schedule"),
    "a span backwards": (cron("0 5-3 * * *"), "/spec/schedule"),
    "a step of 0": (cron("*/0 * * * *"), "/spec/schedule"),
    "an unknown macro": (cron("@hourli"), "/spec/schedule"),
    "a zone in the schedule": (cron("TZ=UTC 0 * * * *"), "/spec/schedule"),
    "a zone of the machine": (cron("0 * * * *", "timeZone: Local, "), "/spec/timeZone"),
    "an empty zone": (cron("0 * * * *", "timeZone: '', "), "/spec/timeZone"),
    "a zone that looks right": (cron("0 * * * *", "timeZone: Europe/Berlinn, "), "/spec/timeZone"),
    "a zone in lower case": (cron("0 * * * *", "timeZone: europe/berlin, "), "/spec/timeZone"),
    "a zone by its abbreviation": (cron("0 * * * *", "timeZone: CEST, "), "/spec/timeZone"),
    "fewer devices than the limit": (
        resources("{a.b/gpu: 2}", "{a.b/gpu: 1}"),
        f"{_CONTAINER}/resources/requests/a.b~1gpu",
    ),
    "devices without a limit": (resources("{}", "{a.b/gpu: 1}"), f"{_CONTAINER}/resources/requests/a.b~1gpu"),
    "half a device": (resources("{a.b/gpu: 500m}"), f"{_CONTAINER}/resources/limits/a.b~1gpu"),
    "an unknown resource": (resources("{ram: 1Gi}"), f"{_CONTAINER}/resources/limits/ram"),
    "huge pages alone": (resources("{hugepages-2Mi: 4Mi}"), f"{_CONTAINER}/resources"),
    "fewer huge pages than the limit": (
        resources("{memory: 1Gi, hugepages-2Mi: 4Mi}", "{hugepages-2Mi: 2Mi}"),
        f"{_CONTAINER}/resources/requests/hugepages-2Mi",
    ),
    "a zone with a blank": (cron("0 * * * *", "timeZone: Europe/New Berlin, "), "/spec/timeZone"),
    "both bounds": (budget("minAvailable: 1, maxUnavailable: 1"), "/spec/maxUnavailable"),
    "more than all": (budget("minAvailable: 150%"), "/spec/minAvailable"),
    "fewer than none": (budget("maxUnavailable: -1"), "/spec/maxUnavailable"),
    "half a percentage": (budget("minAvailable: 50.5%"), "/spec/minAvailable"),
    "an address as network": (peer("{ipBlock: {cidr: 10.0.0.1}}"), f"{_FROM}/ipBlock/cidr"),
    "a network of 33 bits": (peer("{ipBlock: {cidr: 10.0.0.0/33}}"), f"{_FROM}/ipBlock/cidr"),
    "a netmask": (peer("{ipBlock: {cidr: 10.0.0.0/255.0.0.0}}"), f"{_FROM}/ipBlock/cidr"),
    "an exception outside": (
        peer("{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/9]}}"),
        f"{_FROM}/ipBlock/except/0",
    ),
    "an exception of the whole": (
        peer("{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}"),
        f"{_FROM}/ipBlock/except/0",
    ),
    "an exception of another family": (
        peer("{ipBlock: {cidr: 10.0.0.0/8, except: ['::/64']}}"),
        f"{_FROM}/ipBlock/except/0",
    ),
    "a block beside a selector": (peer("{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}"), _FROM),
    "an empty peer": (peer("{}"), _FROM),
    "ports backwards": (policy("{ports: [{port: 80, endPort: 70}]}"), f"{_PORT}/endPort"),
    "from a name to a number": (policy("{ports: [{port: http, endPort: 90}]}"), f"{_PORT}/endPort"),
    "no first port": (policy("{ports: [{endPort: 90}]}"), f"{_PORT}/endPort"),
    "two handlers": (probe(f"{_HTTP}, tcpSocket: {{port: 80}}"), f"{_CONTAINER}/livenessProbe/tcpSocket"),
    "no handler": (probe("periodSeconds: 5"), f"{_CONTAINER}/livenessProbe"),
    "two successes": (probe(f"{_HTTP}, successThreshold: 2"), f"{_CONTAINER}/livenessProbe/successThreshold"),
    "two successes at start": (
        probe(f"{_HTTP}, successThreshold: 2", "startupProbe"),
        f"{_CONTAINER}/startupProbe/successThreshold",
    ),
    "a value and a source": (variable("value: a, valueFrom: {fieldRef: {fieldPath: metadata.name}}"), _VALUE_FROM),
    "no source": (variable("valueFrom: {}"), _VALUE_FROM),
    "two sources": (
        variable("valueFrom: {fieldRef: {fieldPath: metadata.name}, secretKeyRef: {name: a, key: a}}"),
        _VALUE_FROM,
    ),
    "an unknown field": (
        variable("valueFrom: {fieldRef: {fieldPath: metadata.nam}}"),
        f"{_VALUE_FROM}/fieldRef/fieldPath",
    ),
    "a volume of two sources": (
        pod("volumes: [{name: a, emptyDir: {}, hostPath: {path: /a}}], "),
        "/spec/volumes/0/hostPath",
    ),
    "two mounts of one path": (
        pod("volumes: [{name: a}], ", ", volumeMounts: [{name: a, mountPath: /a}, {name: a, mountPath: /a}]"),
        f"{_CONTAINER}/volumeMounts/1/mountPath",
    ),
    "a rolling Recreate": (strategy("type: Recreate, rollingUpdate: {maxSurge: 1}"), _ROLLING),
    "no surge and none unavailable": (
        strategy("rollingUpdate: {maxSurge: 0, maxUnavailable: 0%}"),
        f"{_ROLLING}/maxUnavailable",
    ),
    "a minimum above the maximum": (
        of_kind("autoscaling/v2", "HorizontalPodAutoscaler", f"minReplicas: 5, maxReplicas: 2, {_SCALED}"),
        "/spec/minReplicas",
    ),
    "a maximum of 0": (
        of_kind("autoscaling/v2", "HorizontalPodAutoscaler", f"maxReplicas: 0, {_SCALED}"),
        "/spec/maxReplicas",
    ),
    "negative parallelism": (job("parallelism: -1, "), "/spec/parallelism"),
    "text as data": (secret("data: {a: 'not base64!'}"), "/data/a"),
    "data without its end": (secret("data: {a: YWE}"), "/data/a"),
    "a key with a blank": (secret("stringData: {a b: x}"), "/stringData/a b"),
    "a key of two dots": (secret("stringData: {..a: x}"), "/stringData/..a"),
    "a certificate without its key": (secret("data: {tls.crt: YQ==}", _TLS), "/data"),
    "an access mode in short": (claim(f"accessModes: [RWO], {_STORAGE}"), "/spec/accessModes/0"),
    "no access mode": (claim(_STORAGE), "/spec/accessModes"),
    "no storage": (claim("accessModes: [ReadWriteOnce]"), "/spec/resources"),
    "storage of 10GB": (
        claim("accessModes: [ReadWriteOnce], resources: {requests: {storage: 10GB}}"),
        "/spec/resources/requests/storage",
    ),
    "no external name": (service("type: ExternalName, "), "/spec/externalName"),
    "half an address": (service("clusterIP: 10.0.0, "), "/spec/clusterIP"),
    "no ports": (service().replace("ports: [{port: 80}]", "ports: []"), "/spec/ports"),
    "a range without prefix": (
        service("type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.1], "),
        "/spec/loadBalancerSourceRanges/0",
    ),
    "a range of no load balancer": (
        service("loadBalancerSourceRanges: [10.0.0.0/8], "),
        "/spec/loadBalancerSourceRanges",
    ),
    "one port of two without a name": (service(port="port: 80, name: a}, {port: 81"), "/spec/ports/1"),
    "two ports of one name": (service(port="port: 80, name: a}, {port: 81, name: a"), "/spec/ports/1/name"),
    "a port's name with _": (service(port="port: 80, name: A_b"), "/spec/ports/0/name"),
    "a targetPort above 65535": (service(port="port: 80, targetPort: 99999"), "/spec/ports/0/targetPort"),
    "a container's port twice": (
        pod(container=", ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]"),
        f"{_CONTAINER}/ports/1/name",
    ),
    "an account of no namespace": (
        binding("ClusterRoleBinding", "{kind: ClusterRole, name: a}", "{kind: ServiceAccount, name: a}"),
        "/subjects/0/namespace",
    ),
    "a kind that is no subject": (
        binding("RoleBinding", "{kind: Role, name: a}", "{kind: user, name: a}"),
        "/subjects/0/kind",
    ),
    "Exists and a value": (pod("tolerations: [{key: a, operator: Exists, value: b}], "), "/spec/tolerations/0/value"),
    "Equal and no key": (pod("tolerations: [{value: b}], "), "/spec/tolerations/0/operator"),
    "seconds without NoExecute": (
        pod("tolerations: [{key: a, tolerationSeconds: 5, effect: NoSchedule}], "),
        "/spec/tolerations/0/effect",
    ),
    "no nameservers": (pod("dnsPolicy: None, "), "/spec/dnsPolicy"),
    "privileged without escalation": (
        pod(container=", securityContext: {privileged: true, allowPrivilegeEscalation: false}"),
        f"{_CONTAINER}/securityContext/allowPrivilegeEscalation",
    ),
    "In without values": (affinity("operator: In"), _VALUES),
    "Exists with values": (affinity("operator: Exists, values: [a]"), _VALUES),
    "Gt with two values": (affinity("operator: Gt, values: ['1', '2']"), _VALUES),
    "a skew of 0": (
        pod("topologySpreadConstraints: [{maxSkew: 0, topologyKey: a, whenUnsatisfiable: DoNotSchedule}], "),
        "/spec/topologySpreadConstraints/0/maxSkew",
    ),
    "an action in lower case": (calico(rule="action: allow"), "/spec/ingress/0/action"),
    "a type in lower case": (calico("selector: all(), types: [ingress]"), "/spec/types/0"),
    "a selector with one =": (calico("selector: app = 'web'"), "/spec/selector"),
    "a global selector without quotes": (
        calico("selector: app == web", kind="GlobalNetworkPolicy"),
        "/spec/selector",
    ),
    "ports without protocol": (
        calico(rule="action: Allow, destination: {ports: [80]}"),
        "/spec/ingress/0/destination/ports",
    ),
    "a net of 33 bits": (calico(rule="action: Deny, source: {nets: [10.0.0.0/33]}"), "/spec/ingress/0/source/nets/0"),
    "two listeners of one name": (
        gateway("name: a, protocol: HTTP, port: 80}, {name: a, protocol: HTTP, port: 81"),
        "/spec/listeners/1/name",
    ),
    "a claim of 1GB in a template": (
        workload(
            "StatefulSet",
            "",
            more="volumeClaimTemplates: [{metadata: {name: a}, spec: {accessModes: [ReadWriteOnce], "
            "resources: {requests: {storage: 1GB}}}}]",
        ),
        "/spec/volumeClaimTemplates/0/spec/resources/requests/storage",
    ),
}
ACCEPTED = {
    "a sleep of the whole grace period": pod(container=sleep(30)),
    "a sleep below a longer grace period": pod("terminationGracePeriodSeconds: 90, ", sleep(60)),
    "no sleep": pod(container=sleep(0)),
    "a command that sleeps longer": pod(container=", lifecycle: {preStop: {exec: {command: [sleep, '60']}}}"),
    "annotations of 256 KiB": pod(metadata=_LARGE.format("b" * 262_143)),
    "a probe of a sidecar": pod(_INIT.format("restartPolicy: Always, readinessProbe: {httpGet: {port: 80}}")),
    "an init container that is not restarted": pod(_INIT.format("restartPolicy: Never")),
    "quantities": "".join(limits(value) for value in ("128Mi", "1e9", ".5Gi", "1.5G", "0", "1E3", "100m", "+1", "5.")),
    "a request of the limit": limits("1Gi", "{memory: 1024Mi}"),
    "schedules": "\n---\n".join(
        cron(text)
        for text in (
            "0 * * * *",
            "*/5 0-6,22 1 JAN-mar mon-FRI",
            "@hourly",
            "@every 1h30m",
            "5/15 ? * ? 0",
            "0 0 31 12 6",
        )
    ),
    "zones": "\n---\n".join(
        cron("0 * * * *", f"timeZone: {zone}, ")
        for zone in ("UTC", "Etc/UTC", "Etc/GMT+1", "EST5EDT", "America/Port-au-Prince", "posix/Europe/Berlin")
    ),
    "devices": resources("{a.b/gpu: 2}")
    + resources("{a.b/gpu: 2}", "{a.b/gpu: '2'}")
    + resources("{memory: 1Gi, hugepages-2Mi: 4Mi}")
    + resources("{ephemeral-storage: 1.5Gi, cpu: 500m}", "{cpu: 100m}"),
    "budgets": "\n---\n".join(
        map(budget, ("minAvailable: 100%", "maxUnavailable: 0", "minAvailable: null, maxUnavailable: 1"))
    ),
    "peers": "\n---\n".join(
        map(
            peer,
            (
                "{podSelector: {}, namespaceSelector: {}}",
                # Bits beyond the prefix are accepted.
                "{ipBlock: {cidr: 10.0.0.1/8, except: [10.1.0.0/16]}}",
                "{ipBlock: {cidr: '2001:db8::/32', except: ['2001:db8:1::/48']}}",
            ),
        )
    ),
    "ports": policy("{ports: [{port: 80, endPort: 80}, {port: http}, {protocol: UDP}]}"),
    "probes": probe(f"{_HTTP}, successThreshold: 1")
    + probe(f"{_HTTP}, successThreshold: 0")
    + probe("exec: {command: [a]}, successThreshold: 2", "readinessProbe"),
    "variables": variable("value: a")
    + variable("value: '', valueFrom: {fieldRef: {fieldPath: status.podIP}}")
    + variable("valueFrom: {fieldRef: {fieldPath: 'metadata.labels[''app'']'}}")
    + variable("valueFrom: {secretKeyRef: {name: a, key: b}}"),
    "a volume that is empty by default": pod("volumes: [{name: a}, {name: b, emptyDir: null, hostPath: {path: /a}}], "),
    "strategies": strategy("type: Recreate")
    + strategy("type: Recreate, rollingUpdate: null")
    + strategy("rollingUpdate: {maxSurge: 200%, maxUnavailable: 0}")
    + strategy("rollingUpdate: {maxUnavailable: 0}"),
    "a fixed scale": of_kind("autoscaling/v2", "HorizontalPodAutoscaler", f"minReplicas: 2, maxReplicas: 2, {_SCALED}"),
    "no parallelism": job("parallelism: 0, "),
    "secrets": "\n---\n".join(
        (
            secret('data: {a: "YWFh\\nYWE=", b: "", c: null}, stringData: {_A-b.c: x, .d: x}'),
            secret("data: {tls.crt: YQ==}, stringData: {tls.key: a}", _TLS),
            secret("data: {.dockerconfigjson: eyJhdXRocyI6IHt9fQ==}", _DOCKER),
            # The clear text replaces the encoded one.
            secret("data: {.dockerconfigjson: YQ==}, stringData: {.dockerconfigjson: '{}'}", _DOCKER),
            secret("stringData: {.dockercfg: '{}'}", "kubernetes.io/dockercfg"),
            secret("data: {password: ''}", "kubernetes.io/basic-auth"),
            secret("stringData: {ssh-privatekey: a}", "kubernetes.io/ssh-auth"),
            secret("data: {.dockerconfigjson: YQ==}"),
            secret("data: {a: ''}", "example.com/own"),
            secret("data: {a: ''}", "kubernetes.io/service-account-token").replace(
                "{name: a}", "{name: a, annotations: {kubernetes.io/service-account.name: a}}"
            ),
        )
    ),
    "pods": pod("hostAliases: [{ip: '::1', hostnames: [a]}], hostname: web, subdomain: '', activeDeadlineSeconds: 1, ")
    + pod("shareProcessNamespace: true, preemptionPolicy: Never, securityContext: {runAsUser: 0, fsGroup: 0}, ")
    + pod("initContainers: [{name: i, image: a, restartPolicy: Always, readinessProbe: {tcpSocket: {port: 1}}}], ")
    + pod(container=", envFrom: [{configMapRef: {name: a}}, {secretRef: {name: b}, prefix: A}]")
    + pod(container=", lifecycle: {preStop: {exec: {command: [a]}}, postStart: {sleep: {seconds: 0}}}")
    + probe("httpGet: {port: 80, httpHeaders: [{name: X-A, value: ''}]}")
    + variable("valueFrom: {resourceFieldRef: {resource: requests.hugepages-2Mi}}")
    + mounted("subPath: a..b/c")
    + volume("hostPath: {path: /a/..b, type: ''}")
    + volume("secret: {secretName: a, defaultMode: 0777, items: [{key: k, path: a/k}]}"),
    "updates": "\n---\n".join(
        (
            of_apps("StatefulSet", more="updateStrategy: {type: OnDelete}, "),
            of_apps("DaemonSet", more="updateStrategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}, "),
            of_apps("Deployment", "{matchExpressions: [{key: app, operator: Exists}]}"),
            of_apps("Deployment", more="minReadySeconds: 700, progressDeadlineSeconds: 701, "),
        )
    ),
    "a class twice, and an address of the family": classes("contour", "contour") + "\n---\n" + slice_of("IPv6"),
    "an indexed Job": job("completionMode: Indexed, completions: 2, "),
    "types of Services": service("externalTrafficPolicy: Local, externalIPs: [10.0.0.9], ")
    + service("type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: 31000, loadBalancerClass: a/b, ")
    + service("sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 86400}}, ")
    + service("ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv4, IPv6], ")
    + service("type: ExternalName, externalName: a.example.com., ").replace("ports: [{port: 80}]", "ports: []")
    + service(port="port: 80, appProtocol: kubernetes.io/h2c"),
    "rules and priorities": "\n---\n".join(
        (
            role('apiGroups: [""], resources: [pods], verbs: [get]'),
            role("nonResourceURLs: [/a], verbs: [get]").replace("kind: Role", "kind: ClusterRole"),
            "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: mine}, value: 1}",
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {a: b}, binaryData: {b: Yg==}}",
        )
    ),
    "a claim": claim(f"accessModes: [ReadWriteOnce], {_STORAGE}"),
    "services": service("clusterIP: None, ").replace("ports: [{port: 80}]", "ports: []")
    + service("clusterIP: '', ")
    + service("clusterIP: 'fd00::1', ")
    + service("type: ExternalName, externalName: example.com, ").replace("ports: [{port: 80}]", "ports: []")
    + service("type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.0/8, ' ::/0'], ")
    + service(port="port: 80, name: a, targetPort: 0}, {port: 81, name: b, targetPort: http"),
    # The API server asks for the namespace in a ClusterRoleBinding only.
    "an account beside its binding": binding("RoleBinding", "{kind: Role, name: a}", "{kind: ServiceAccount, name: a}"),
    "a user": binding("ClusterRoleBinding", "{kind: ClusterRole, name: a}"),
    "tolerations": pod(
        "tolerations: [{operator: Exists}, {key: a, value: b}, {key: a, operator: Exists, "
        "effect: NoExecute, tolerationSeconds: 0}], "
    ),
    "nameservers": pod("dnsPolicy: None, dnsConfig: {nameservers: [1.1.1.1]}, "),
    "privileged": pod(container=", securityContext: {privileged: true}"),
    "demands": affinity("operator: In, values: [a]")
    + affinity("operator: Exists")
    + affinity("operator: Lt, values: ['1']"),
    "policies of Calico": "\n---\n".join(
        (
            calico("selector: \"app == 'web' && role in {'a', 'b'} || !has(c)\", types: [Ingress, Egress]"),
            calico(rule="action: Log, protocol: tcp, destination: {ports: [80, '90:95']}"),
            calico(rule="action: Pass, source: {nets: [10.0.0.0/8, 10.0.0.1], notNets: ['::/0']}"),
        )
    ),
    "listeners": gateway("name: a, protocol: HTTP, port: 80}, {name: b, protocol: HTTPS, port: 81"),
}


def places(text: str) -> list[str]:
    return [f"{finding.code} {finding.path}" for finding in verdict(documents(text), rules=CODES)]


@pytest.mark.parametrize("about", REFUSED)
def test_one_refused_value_is_one_finding(about: str) -> None:
    text, path = REFUSED[about]
    assert places(text) == [f"AP04 {path}"]


@pytest.mark.parametrize("about", ACCEPTED)
def test_an_accepted_value_is_no_finding(about: str) -> None:
    assert places(ACCEPTED[about]) == []


@pytest.mark.parametrize("version", ["1.28", "1.29"])
def test_an_old_server_accepts_a_zone_in_the_schedule(version: str) -> None:
    inventory = Inventory([(documents(cron("TZ=UTC 0 * * * *"))[0], Place())], today=TODAY, kubernetes=version)
    found = judge(inventory, configure(), [RULES[code] for code in CODES])
    assert [f.code for f in found] == (["AP04"] if version == "1.29" else [])


@pytest.mark.parametrize("version", ["1.33", "1.34"])
def test_an_old_server_refuses_the_restart_policy_of_a_container(version: str) -> None:
    bodies = [
        pod(_INIT.format("restartPolicy: Never")),
        pod(container=", restartPolicy: OnFailure"),
        pod(_INIT.format("restartPolicy: Always")),
    ]
    found = [
        finding.path
        for body in bodies
        for finding in judge(
            Inventory([(documents(body)[0], Place())], today=TODAY, kubernetes=version), configure(), [RULES["AP04"]]
        )
    ]
    refused = ["/spec/initContainers/0/restartPolicy", "/spec/containers/0/restartPolicy"]
    assert found == (refused if version == "1.33" else [])


def test_a_misspelt_field_is_not_also_a_missing_one() -> None:
    assert places(probe("httpget: {port: 80}")) == [f"AP02 {_CONTAINER}/livenessProbe/httpget"]
    assert places(claim("accessModes: [ReadWriteOnce], resources: {storage: 1Gi}")) == ["AP02 /spec/resources/storage"]


def test_an_unknown_part_is_accepted_and_the_others_are_judged() -> None:
    (body,) = documents(limits("128MB"))
    body["spec"]["tolerations"] = body["spec"]["volumes"] = body["spec"]["containers"][0]["env"] = UNKNOWN
    assert [f.path for f in verdict([body], rules=CODES)] == [_LIMIT]
    body["spec"]["containers"][0]["resources"]["limits"] = UNKNOWN
    assert verdict([body], rules=CODES) == []


def test_a_secret_value_stays_hidden() -> None:
    (finding,) = verdict(documents(secret("data: {a: 'hunter2!'}")), rules=CODES)
    assert "hunter2" not in repr(finding)


def test_a_port_that_two_rules_see_has_the_refusal_with_the_patch() -> None:
    found = verdict(documents(service(port="port: 80, name: a}, {port: 81")), rules=["SV07", *CODES])
    assert [(f.code, f.level.value, f.patch is not None) for f in found] == [("AP04", "mandatory", True)]


@pytest.mark.parametrize(("given", "number"), [("1Ki", 1024), ("1k", 1000), (1.5, 1.5), ("1e3", 1000), ("x", None)])
def test_a_quantity_is_a_number_with_a_unit(given: object, number: float | None) -> None:
    assert quantity(given) == number
