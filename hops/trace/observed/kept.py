"""What an observation keeps: by list, what the judge reads and nothing else.

The lists hold the fields that `hops/trace` and the rules that it asks read. A field that a new check reads has to be
added here; its tests fail until then, because every test judges a reduced observation.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from hops.kubernetes.controller.classes import CLASS_ANNOTATIONS, DEFAULT_CLASS
from hops.kubernetes.controller.contour_annotations import LIMITS, PROTOCOLS, RESPONSE_TIMEOUT, WEBSOCKETS
from hops.kubernetes.resources.docker_containers import KIND_LABEL, KIND_ROLE_LABEL
from hops.kubernetes.values import JSON, at, mapping, sequence, text
from hops.model.path import CONTOUR_NAMESPACE

VALUE = "value"
"""A text, a number, a boolean, or a list of them."""
WHOLE = "whole"
"""Everything below."""
_Fields = str | Mapping[str, Any]
"""VALUE, WHOLE, or the fields to keep of an object, with theirs. The key * stands for any other.

A list keeps its items, each by the same fields."""


def _values(*names: str) -> dict[str, _Fields]:
    return dict.fromkeys(names, VALUE)


_METADATA = {
    **_values("name", "namespace", "labels", "creationTimestamp", "deletionTimestamp"),
    "labels": {"*": VALUE},
    "annotations": _values(
        *(*CLASS_ANNOTATIONS, DEFAULT_CLASS),
        *("cert-manager.io/cluster-issuer", "cert-manager.io/issuer", "kubernetes.io/tls-acme"),
        *("kubernetes.io/ingress.allow-http", "ingress.kubernetes.io/force-ssl-redirect"),
        "projectcontour.io/tls-cert-namespace",
        "projectcontour.io/tls-minimum-protocol-version",
        *(RESPONSE_TIMEOUT, WEBSOCKETS, *PROTOCOLS, *LIMITS),
    ),
    "ownerReferences": _values("controller", "kind", "name"),
}
_CONDITIONS = _values("type", "status", "reason", "message", "lastTransitionTime")
_PROBE = {
    "httpGet": _values("path", "port", "scheme"),
    "tcpSocket": _values("port"),
    "grpc": _values("port"),
    **_values("periodSeconds", "timeoutSeconds", "failureThreshold", "initialDelaySeconds"),
}
_CONTAINER = {
    **_values("name", "image", "command", "args", "workingDir", "restartPolicy"),
    "ports": {"*": VALUE},
    **dict.fromkeys(("livenessProbe", "readinessProbe", "startupProbe"), _PROBE),
}
_POD = {
    **_values("hostNetwork", "nodeName", "restartPolicy", "schedulerName", "serviceAccountName"),
    **dict.fromkeys(("affinity", "nodeSelector", "tolerations"), WHOLE),
    "volumes": {"name": VALUE, "secret": _values("secretName"), "configMap": _values("name")},
    **dict.fromkeys(("containers", "initContainers", "ephemeralContainers"), _CONTAINER),
}
_STATE = {
    "running": _values("startedAt"),
    "waiting": _values("reason", "message"),
    "terminated": _values("exitCode", "reason", "message", "startedAt", "finishedAt"),
}
_CONTAINER_STATUS = {**_values("name", "ready", "restartCount", "started"), "state": _STATE, "lastState": _STATE}
_WORKLOAD = {
    "spec": {"replicas": VALUE, "template": {"metadata": {"labels": {"*": VALUE}}, "spec": _POD}},
    "status": {"*": VALUE},
}
_PROXY_CONDITIONS = {**_values("prefix", "exact", "regex"), "header": WHOLE, "queryParameter": WHOLE}
_HEADERS = {"set": _values("name"), "remove": VALUE}
_REWRITES = {
    **dict.fromkeys(("requestHeadersPolicy", "responseHeadersPolicy"), _HEADERS),
    "cookieRewritePolicies": {**_values("name", "secure", "sameSite"), "pathRewrite": WHOLE, "domainRewrite": WHOLE},
}
_PROXY_SERVICES = {
    **_values("name", "namespace", "kind", "group", "port", "protocol", "weight", "mirror"),
    **_REWRITES,
    "validation": _values("caSecret", "subjectName", "subjectNames"),
    "slowStartPolicy": {},
}
_BOUNDS = {
    **dict.fromkeys(("ipAllowPolicy", "ipDenyPolicy"), _values("cidr")),
    "rateLimitPolicy": {
        "local": {**_values("requests", "unit", "burst"), "responseHeadersToAdd": _values("name")},
        "global": {"disabled": VALUE, "descriptors": {"entries": {"*": {}}}},
    },
}
_PROXY_INCLUDE = {**_values("name", "namespace"), "conditions": _PROXY_CONDITIONS}
_LISTENER = {
    **_values("name", "hostname", "port", "protocol"),
    "allowedRoutes": WHOLE,
    "tls": {"mode": VALUE, "certificateRefs": {"*": VALUE}},
}
_SPEC = {"spec": WHOLE}
_EVENT_OBJECT = _values("kind", "namespace", "name")

_KINDS: Mapping[str, Mapping[str, Any]] = {
    "Namespace": {},
    "Node": {
        "spec": {"unschedulable": VALUE, "taints": WHOLE},
        "status": {"addresses": WHOLE, "conditions": _CONDITIONS, "nodeInfo": _values("architecture")},
    },
    "Pod": {
        "spec": _POD,
        "status": {
            **_values("phase", "reason", "message", "podIP", "hostIP", "startTime"),
            "podIPs": WHOLE,
            "conditions": _CONDITIONS,
            **dict.fromkeys(
                ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"), _CONTAINER_STATUS
            ),
        },
    },
    "Service": {"spec": WHOLE, "status": WHOLE},
    "EndpointSlice": {
        "addressType": VALUE,
        "endpoints": {
            **_values("addresses", "nodeName"),
            "conditions": {"*": VALUE},
            "targetRef": _values("kind", "namespace", "name"),
        },
        "ports": {"*": VALUE},
    },
    "Ingress": {"spec": WHOLE, "status": WHOLE},
    "IngressClass": {"spec": _values("controller")},
    "HTTPProxy": {
        "spec": {
            "ingressClassName": VALUE,
            "virtualhost": {
                "fqdn": VALUE,
                **_BOUNDS,
                "corsPolicy": _values("allowOrigin"),
                "jwtProviders": {
                    **_values("name", "default"),
                    "remoteJWKS": {"uri": VALUE, "validation": _values("caSecret")},
                },
                "tls": {
                    **_values("secretName", "passthrough", "minimumProtocolVersion", "maximumProtocolVersion"),
                    "enableFallbackCertificate": VALUE,
                    "clientValidation": _values(
                        "caSecret", "crlSecret", "optionalClientCertificate", "skipClientCertValidation"
                    ),
                },
            },
            "routes": {
                **_BOUNDS,
                **_REWRITES,
                "jwtVerificationPolicy": _values("require", "disabled"),
                "loadBalancerPolicy": _values("strategy"),
                "pathRewritePolicy": {"replacePrefix": _values("prefix", "replacement")},
                "permitInsecure": VALUE,
                "conditions": _PROXY_CONDITIONS,
                "services": _PROXY_SERVICES,
                "requestRedirectPolicy": _values("scheme", "hostname", "port", "statusCode", "path", "prefix"),
                "directResponsePolicy": _values("statusCode"),
            },
            "includes": _PROXY_INCLUDE,
            "tcpproxy": {"services": _PROXY_SERVICES, "include": _PROXY_INCLUDE, "includes": _PROXY_INCLUDE},
        },
        "status": {
            **_values("currentStatus", "description"),
            "conditions": {**_CONDITIONS, "errors": _CONDITIONS, "warnings": _CONDITIONS},
        },
    },
    "GatewayClass": {"spec": _values("controllerName"), "status": {"conditions": _CONDITIONS}},
    "Gateway": {
        "spec": {"gatewayClassName": VALUE, "addresses": WHOLE, "listeners": _LISTENER},
        "status": {
            "conditions": _CONDITIONS,
            "listeners": {**_values("name", "attachedRoutes"), "conditions": _CONDITIONS},
        },
    },
    "HTTPRoute": {
        "spec": {
            "parentRefs": {"*": VALUE},
            "hostnames": VALUE,
            "rules": {
                "matches": WHOLE,
                "backendRefs": {**_values("group", "kind", "name", "namespace", "port", "weight")},
                "filters": {
                    "type": VALUE,
                    "requestRedirect": WHOLE,
                    "urlRewrite": WHOLE,
                    "requestMirror": {"backendRef": _values("group", "kind", "name", "namespace", "port")},
                },
            },
        },
        "status": {
            "parents": {"controllerName": VALUE, "parentRef": {"*": VALUE}, "conditions": _CONDITIONS},
        },
    },
    "ReferenceGrant": {"spec": WHOLE},
    "ResourceQuota": {"spec": WHOLE, "status": WHOLE},
    "LimitRange": {"spec": WHOLE},
    "DaemonSet": _WORKLOAD,
    "Deployment": _WORKLOAD,
    "ConfigMap": {"data": _values("ClusterConfiguration")},
    "Secret": {"type": VALUE},
    "Event": {
        **_values("type", "reason", "message", "note", "count", "eventTime", "firstTimestamp", "lastTimestamp"),
        "involvedObject": _EVENT_OBJECT,
        "regarding": _EVENT_OBJECT,
    },
    "Installation": {"spec": {"calicoNetwork": WHOLE}},
    # Selectors, addresses and ports.
    **dict.fromkeys(("NetworkPolicy", "GlobalNetworkPolicy", "Tier", "IPPool"), _SPEC),
    **dict.fromkeys(("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"), _SPEC),
}
_DOCKER = {
    "Name": VALUE,
    "State": _values("Status", "Running", "Paused", "Restarting", "OOMKilled", "ExitCode", "Error", "StartedAt"),
    "Config": {"Image": VALUE, "Labels": _values(KIND_LABEL, KIND_ROLE_LABEL)},
    "HostConfig": {"PortBindings": {"*": _values("HostIp", "HostPort")}},
    "NetworkSettings": {
        "Ports": {"*": _values("HostIp", "HostPort")},
        "Networks": {"*": _values("IPAddress", "GlobalIPv6Address")},
    },
}
_SOCKET = {"socket_address": _values("address", "port_value")}
_ROUTES = {
    "name": VALUE,
    "virtual_hosts": {
        **_values("name", "domains"),
        "routes": {
            "match": {
                **_values("path", "path_separated_prefix", "prefix"),
                "safe_regex": _values("regex"),
                "headers": WHOLE,
                "query_parameters": WHOLE,
            },
            "route": {
                **_values("cluster", "timeout"),
                "weighted_clusters": {"clusters": _values("name", "weight")},
            },
            "redirect": _values("https_redirect", "response_code", "host_redirect", "port_redirect", "path_redirect"),
            "direct_response": _values("status"),
        },
    },
}
_ENVOY = {
    **_values("pod", "stats", "stats_after"),
    "stats": {"*": VALUE},
    "stats_after": {"*": VALUE},
    "listeners": {"listener_statuses": {"name": VALUE, "local_address": _SOCKET}},
    "routes": {**_ROUTES, "route_config": _ROUTES},
    "clusters": {
        "cluster_statuses": {
            **_values("name", "observability_name"),
            "host_statuses": {
                "address": _SOCKET,
                "stats": _values("name", "value"),
                "health_status": _values("eds_health_status"),
            },
        }
    },
    "server": _values("state", "version"),
    "certs": {"certificates": {"cert_chain": {"expiration_time": VALUE, "subject_alt_names": _values("dns")}}},
}
_HOP = _values("number", "name", "service", "component", "address", "port", "protocol", "next", "standing", "known_at")
_OUTPUTS = {"hops": {**_HOP, "details": {"*": VALUE}}, "cluster": _values("kubeconfig")}
_ANSWER_HEADERS = frozenset(
    {
        *(
            "connection",
            "content-length",
            "content-type",
            "date",
            "last-modified",
            "location",
            "server",
            "transfer-encoding",
            "vary",
        ),
        "x-envoy-upstream-service-time",
    }
)
_ASKED_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "connection", "content-type", "host", "upgrade", "user-agent"}
)
_HIDDEN = "REDACTED"
_SYSTEM = (CONTOUR_NAMESPACE, "kube-system", "calico-system")
"""The namespaces of Contour, Envoy, Calico and kube-proxy. Only in their logs a check looks for words."""
_TOLD = re.compile(r"too many open files|inotify", re.IGNORECASE)
_SUBNETS = re.compile(r"""^ *(podSubnet|serviceSubnet): *["']?([0-9a-fA-F:.,/]+)""", re.MULTILINE)


def kept(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of an observation that are judged.

    whole: an observation as JSON values.
    """
    found = dict(whole)
    compared = _compared((whole["cluster"] or {}).get("objects") or ())
    found["asked"] = _headers(whole["asked"], _ASKED_HEADERS | compared)
    found["requests"] = [_headers(request, _ANSWER_HEADERS) for request in whole["requests"]]
    if stack := whole["stack"]:
        settings = {key: value for key, value in stack["settings"].items() if key != "policy"}
        settings["services"] = [_service(service) for service in settings["services"]]
        outputs = stack["outputs"] and (_part(stack["outputs"], _OUTPUTS) or {"hops": []})
        found["stack"] = {**stack, "settings": settings, "outputs": outputs}
    if docker := whole["docker"]:
        found["docker"] = {"info": {}, "containers": _part(docker["containers"], _DOCKER)}
    found["nodes"] = [{**node, "cni": {k: _plugins(v) for k, v in node["cni"].items()}} for node in whole["nodes"]]
    if cluster := whole["cluster"]:
        found["cluster"] = {**cluster, "objects": [_object(item) for item in cluster["objects"]]}
    found["envoys"] = _part(whole["envoys"], _ENVOY)
    if then := whole.get("then"):
        found["then"] = kept(then)
    return found


def _service(service: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """A service's settings without the texts that only its container reads."""
    found = {key: value for key, value in service.items() if key not in {"env", "files"}}
    build = service.get("build")
    return {**found, "build": {**build, "args": {}}} if isinstance(build, Mapping) else found


def _object(item: Mapping[str, JSON]) -> JSON:
    kind = text(item.get("kind")) or ""
    fields = {**_values("apiVersion", "kind"), "metadata": _METADATA, **_KINDS.get(kind, {})}
    found = _part(item, fields)
    data = mapping(at(found, "data"))
    if kind == "ConfigMap" and data:
        lines = _SUBNETS.findall(str(data.get("ClusterConfiguration")))
        found["data"] = {"ClusterConfiguration": "".join(f"{key}: {value}\n" for key, value in lines)}
    return found


def _part(value: JSON, fields: _Fields) -> Any:
    """The fields of a value; None for what is of another type."""
    if fields == WHOLE:
        return value
    if isinstance(value, list | tuple):
        return [_part(item, fields) for item in value]
    if isinstance(fields, str):
        return None if isinstance(value, dict) else value
    if not isinstance(value, dict):
        return None
    other = fields.get("*")
    return {key: _part(item, below) for key, item in value.items() if (below := fields.get(key, other)) is not None}


def _compared(objects: Iterable[Mapping[str, JSON]]) -> frozenset[str]:
    """The lower-case names of the headers that a route's conditions compare."""
    rules = [
        rule for item in objects for key in ("routes", "includes", "rules") for rule in sequence(at(item, "spec", key))
    ]
    conditions = [at(one, "header") for rule in rules for one in sequence(at(rule, "conditions"))]
    matches = [
        one for rule in rules for match in sequence(at(rule, "matches")) for one in sequence(at(match, "headers"))
    ]
    return frozenset(name.lower() for one in (*conditions, *matches) if (name := text(at(one, "name"))))


def _headers(message: Mapping[str, Any], plain: frozenset[str]) -> dict[str, Any]:
    """A request or an answer; of other headers than the plain ones only the names are kept."""
    headers = {name: value if name.lower() in plain else _HIDDEN for name, value in message["headers"].items()}
    return {**message, "headers": headers}


def _plugins(content: str) -> str:
    """The kinds of the plugins of a network configuration."""
    try:
        configuration = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    listed = sequence(at(configuration, "plugins")) or [configuration]
    return json.dumps({"plugins": [{"type": text(at(plugin, "type"))} for plugin in listed]})


def kept_lines(name: str, log: str) -> str:
    """The lines of a container's log that a check may read: the last one, and those about limits of the machine.

    name: "namespace/pod/container".
    log: redacted, because a secret may take several lines.
    """
    if name.partition("/")[0] in _SYSTEM:
        return log
    lines = [line for line in log.splitlines() if line.strip()]
    return "\n".join([*(line for line in lines[:-1] if _TOLD.search(line)), *lines[-1:]])
