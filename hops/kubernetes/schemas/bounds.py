"""What the API server asks of values beyond their type, as JSON schemas.

The published definitions of Kubernetes give types and required fields only. Source of these bounds:
pkg/apis/core/validation/validation.go, pkg/apis/networking/validation/validation.go,
pkg/apis/apps/validation/validation.go and k8s.io/apimachinery/pkg/util/validation in Kubernetes 1.34. A `title` is the
bound in words, for messages.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"

LABEL_NAME: Schema = {
    "pattern": f"^{_LABEL}$",
    "maxLength": 63,
    "title": "a DNS label: lower-case letters, digits and -, at most 63 characters",
}
LETTER_FIRST_NAME: Schema = {
    "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$",
    "maxLength": 63,
    "title": "a DNS label that begins with a letter: lower-case letters, digits and -, at most 63 characters",
}
SUBDOMAIN_NAME: Schema = {
    "pattern": f"^{_SUBDOMAIN}$",
    "maxLength": 253,
    "title": "a DNS name: lower-case letters, digits, - and ., at most 253 characters",
}
PATH_NAME: Schema = {
    "pattern": r"^(?!\.{1,2}$)[^/%]+$",
    "title": "a name without / and %",
}
_PORT: Schema = {"minimum": 1, "maximum": 65535, "title": "a port: 1 to 65535"}
_NO_PORT: Schema = {"minimum": 0, "maximum": 65535, "title": "a port: 1 to 65535"}
_PORT_NAME: Schema = {
    "pattern": "^$|^(?!.*--)(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$",
    "title": "a port name: lower-case letters, digits and single -, at least one letter, at most 15 characters",
}
_PORT_OR_NAME: Schema = {
    **_PORT,
    "pattern": _PORT_NAME["pattern"],
    "title": "a port of 1 to 65535, or a port's name of at most 15 lower-case letters, digits and -",
}
_QUALIFIED_KEY: Schema = {
    "pattern": f"^({_SUBDOMAIN}/)?{_QUALIFIED}$",
    "title": "a qualified name: letters, digits, -, _ and ., with an optional DNS name and / before it",
}
_LABEL_VALUE: Schema = {
    "pattern": f"^({_QUALIFIED})?$",
    "maxLength": 63,
    "title": "a label's value: letters, digits, -, _ and ., at most 63 characters, beginning and ending with a letter "
    "or digit",
}
_LABELS: Schema = {"propertyNames": _QUALIFIED_KEY, "additionalProperties": _LABEL_VALUE}
_WHOLE: Schema = {"minimum": 0, "title": "0 or more"}
_POSITIVE: Schema = {"minimum": 1, "title": "1 or more"}
_MODE: Schema = {
    "minimum": 0,
    "maximum": 0o777,
    "title": "a mode from 0 to 0777: YAML reads octal digits only behind a 0",
}
_BELOW: Schema = {
    "pattern": r"^(?!/)(?!(.*/)?\.\.(/|$))",
    "title": "a path below the volume: no / at its start and no ..",
}
_KEY: Schema = {"minLength": 1, "title": "the key of a label of nodes"}


def _one_of(*values: str) -> Schema:
    """An enumeration whose field may also be left out, empty or null."""
    return {"enum": [*values, "", None]}


_ACCESS_MODE: Schema = {"enum": ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]}
_BASE64: Schema = {
    # Line breaks do not count.
    "pattern": r"^\s*((?:[A-Za-z0-9+/]\s*){4})*((?:[A-Za-z0-9+/]\s*){2}=\s*=\s*|(?:[A-Za-z0-9+/]\s*){3}=\s*)?$",
    "title": "base64: the encoded bytes; text in clear belongs into stringData of a Secret or data of a ConfigMap",
}
_KEYS: Schema = {
    "propertyNames": {
        "pattern": r"^(?!\.{1,2}$)(?!\.\.)[-._a-zA-Z0-9]+$",
        "maxLength": 253,
        "title": "a valid key: letters, digits, -, _ and ., at most 253 characters",
    }
}
_PROTOCOL = _one_of("TCP", "UDP", "SCTP")
_LABEL_OR_NONE: Schema = {**LABEL_NAME, "pattern": f"^$|^{_LABEL}$"}
_PROBED: Mapping[str, Schema] = {"port": _PORT_OR_NAME, "scheme": _one_of("HTTP", "HTTPS")}
_CONTAINER: Mapping[str, Schema] = {
    "name": LABEL_NAME,
    "image": {"pattern": r"^(\S(.*\S)?)?$", "minLength": 1, "title": "the name of an image"},
    "imagePullPolicy": _one_of("Always", "IfNotPresent", "Never"),
    "terminationMessagePolicy": _one_of("File", "FallbackToLogsOnError"),
}
_USERS: Mapping[str, Schema] = {"runAsGroup": _WHOLE, "runAsUser": _WHOLE}

BOUNDS: Mapping[str, Mapping[str, Schema]] = {
    "apimachinery.pkg.apis.meta.v1.ObjectMeta": {
        "namespace": _LABEL_OR_NONE,
        "labels": _LABELS,
        "annotations": {"propertyNames": {**_QUALIFIED_KEY, "pattern": f"(?i){_QUALIFIED_KEY['pattern']}"}},
    },
    "apimachinery.pkg.apis.meta.v1.LabelSelector": {"matchLabels": _LABELS},
    "apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement": {
        "operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist"]}
    },
    "api.apps.v1.DaemonSetUpdateStrategy": {"type": _one_of("OnDelete", "RollingUpdate")},
    "api.apps.v1.DeploymentSpec": dict.fromkeys(
        ("minReadySeconds", "progressDeadlineSeconds", "replicas", "revisionHistoryLimit"), _WHOLE
    ),
    "api.apps.v1.DeploymentStrategy": {"type": _one_of("Recreate", "RollingUpdate")},
    "api.apps.v1.ReplicaSetSpec": {"replicas": _WHOLE},
    "api.apps.v1.StatefulSetSpec": {
        "replicas": _WHOLE,
        "podManagementPolicy": _one_of("OrderedReady", "Parallel"),
    },
    "api.apps.v1.StatefulSetUpdateStrategy": {"type": _one_of("OnDelete", "RollingUpdate")},
    # 0 needs a feature that is off.
    "api.autoscaling.v1.HorizontalPodAutoscalerSpec": {"minReplicas": _POSITIVE},
    "api.autoscaling.v2.HorizontalPodAutoscalerSpec": {"minReplicas": _POSITIVE},
    "api.batch.v1.CronJobSpec": {
        "concurrencyPolicy": _one_of("Allow", "Forbid", "Replace"),
        "failedJobsHistoryLimit": _WHOLE,
        "startingDeadlineSeconds": _WHOLE,
        "successfulJobsHistoryLimit": _WHOLE,
    },
    "api.batch.v1.JobSpec": dict.fromkeys(
        ("activeDeadlineSeconds", "backoffLimit", "completions", "parallelism", "ttlSecondsAfterFinished"), _WHOLE
    ),
    "api.core.v1.ClientIPConfig": {
        "timeoutSeconds": {"minimum": 1, "maximum": 86400, "title": "a time of 1 to 86400 seconds"}
    },
    "api.core.v1.ConfigMap": {"binaryData": {**_KEYS, "additionalProperties": _BASE64}, "data": _KEYS},
    "api.core.v1.ConfigMapVolumeSource": {"defaultMode": _MODE},
    "api.core.v1.Container": _CONTAINER,
    "api.core.v1.ContainerPort": {
        "containerPort": _PORT,
        "hostPort": _NO_PORT,
        "name": _PORT_NAME,
        "protocol": _PROTOCOL,
    },
    "api.core.v1.EnvVar": {
        "name": {"pattern": "^[ -<>-~]+$", "title": "the name of a variable: printable characters without ="}
    },
    "api.core.v1.EphemeralContainer": _CONTAINER,
    "api.core.v1.GRPCAction": {"port": _PORT},
    "api.core.v1.HTTPGetAction": _PROBED,
    "api.core.v1.HTTPHeader": {"name": {"pattern": "^[-A-Za-z0-9]+$", "title": "a header name: letters, digits and -"}},
    "api.core.v1.HostPathVolumeSource": {
        "path": {"pattern": r"^(?!(.*/)?\.\.(/|$))", "title": "a path without .."},
        "type": _one_of(
            *("BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
        ),
    },
    "api.core.v1.KeyToPath": {"mode": _MODE, "path": _BELOW},
    "api.core.v1.NodeSelectorRequirement": {
        "operator": {"enum": ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]}
    },
    "api.core.v1.PersistentVolumeClaimSpec": {
        "accessModes": {"items": _ACCESS_MODE},
        "volumeMode": _one_of("Block", "Filesystem"),
    },
    "api.core.v1.PersistentVolumeSpec": {"accessModes": {"items": _ACCESS_MODE}},
    "api.core.v1.PodAffinityTerm": {"topologyKey": _KEY},
    "api.core.v1.PodDNSConfig": {"nameservers": {"maxItems": 3, "title": "a list of at most 3 addresses"}},
    "api.core.v1.PodSecurityContext": {**_USERS, "fsGroup": _WHOLE},
    "api.core.v1.PodSpec": {
        "activeDeadlineSeconds": _POSITIVE,
        "hostname": _LABEL_OR_NONE,
        "preemptionPolicy": _one_of("Never", "PreemptLowerPriority"),
        "subdomain": _LABEL_OR_NONE,
        "containers": {"minItems": 1},
        "dnsPolicy": _one_of("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        "nodeSelector": _LABELS,
        "restartPolicy": _one_of("Always", "OnFailure", "Never"),
    },
    "api.core.v1.Probe": dict.fromkeys(
        ("failureThreshold", "initialDelaySeconds", "periodSeconds", "successThreshold", "timeoutSeconds"), _WHOLE
    ),
    "api.core.v1.ProjectedVolumeSource": {"defaultMode": _MODE},
    "api.core.v1.ResourceFieldSelector": {
        "resource": {
            "pattern": r"^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$",
            "title": "a resource of the container: limits.cpu, requests.memory or the like",
        }
    },
    "api.core.v1.SeccompProfile": {"type": {"enum": ["Localhost", "RuntimeDefault", "Unconfined"]}},
    "api.core.v1.Secret": {"data": {**_KEYS, "additionalProperties": _BASE64}, "stringData": _KEYS},
    "api.core.v1.SecretVolumeSource": {"defaultMode": _MODE},
    "api.core.v1.SecurityContext": _USERS,
    "api.core.v1.ServicePort": {
        "appProtocol": {**_QUALIFIED_KEY, "pattern": rf"^$|{_QUALIFIED_KEY['pattern']}"},
        "name": _LABEL_OR_NONE,
        "port": _PORT,
        "protocol": _PROTOCOL,
        # 0 means the port.
        "targetPort": {**_PORT_OR_NAME, "minimum": 0},
    },
    "api.core.v1.ServiceSpec": {
        "externalTrafficPolicy": _one_of("Cluster", "Local"),
        "internalTrafficPolicy": _one_of("Cluster", "Local"),
        "ipFamilies": {"uniqueItems": True, "title": "a list with each family once"},
        "ipFamilyPolicy": _one_of("SingleStack", "PreferDualStack", "RequireDualStack"),
        "selector": _LABELS,
        "sessionAffinity": _one_of("ClientIP", "None"),
        "type": _one_of("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
    },
    "api.core.v1.TCPSocketAction": {"port": _PORT_OR_NAME},
    "api.core.v1.Toleration": {
        "effect": _one_of("NoSchedule", "PreferNoSchedule", "NoExecute"),
        "operator": _one_of("Equal", "Exists", "Gt", "Lt"),
    },
    "api.core.v1.TopologySpreadConstraint": {
        "maxSkew": _POSITIVE,
        "topologyKey": _KEY,
        "whenUnsatisfiable": {"enum": ["DoNotSchedule", "ScheduleAnyway"]},
    },
    "api.core.v1.Volume": {"name": LABEL_NAME},
    "api.core.v1.VolumeMount": {"mountPath": {"minLength": 1, "title": "a path"}, "subPath": _BELOW},
    "api.core.v1.WeightedPodAffinityTerm": {
        "weight": {"minimum": 1, "maximum": 100, "title": "a weight from 1 to 100"}
    },
    "api.networking.v1.HTTPIngressPath": {"pathType": {"enum": ["Exact", "Prefix", "ImplementationSpecific"]}},
    "api.networking.v1.HTTPIngressRuleValue": {"paths": {"minItems": 1}},
    "api.networking.v1.NetworkPolicyPort": {
        "endPort": _PORT,
        "port": _PORT_OR_NAME,
        "protocol": _PROTOCOL,
    },
    "api.networking.v1.NetworkPolicySpec": {"policyTypes": {"items": {"enum": ["Ingress", "Egress"]}}},
    "api.networking.v1.ServiceBackendPort": {"name": _PORT_NAME, "number": _NO_PORT},
    "api.rbac.v1.PolicyRule": {"verbs": {"minItems": 1, "title": "a list of at least one verb, such as get"}},
    "api.rbac.v1.Subject": {"kind": {"enum": ["Group", "ServiceAccount", "User"]}},
}
"""Bounds by definition, without `io.k8s.`, and field; they are added to the field's published schema.

Left out is what a rule of its own reports: the path (IN08) and host (IN15) of an Ingress, a selector that does not
match its template (SV08).
"""

NOT_DEMANDED: Mapping[str, frozenset[str]] = {
    "api.apps.v1.ControllerRevision": frozenset({"revision"}),
    "api.apps.v1.StatefulSetSpec": frozenset({"serviceName"}),
    "api.batch.v1.PodFailurePolicyOnPodConditionsPattern": frozenset({"status"}),
    "api.batch.v1.PodFailurePolicyRule": frozenset({"onPodConditions"}),
    "api.core.v1.HTTPHeader": frozenset({"value"}),
    "api.core.v1.ISCSIPersistentVolumeSource": frozenset({"lun"}),
    "api.core.v1.ISCSIVolumeSource": frozenset({"lun"}),
    "api.core.v1.LimitRangeSpec": frozenset({"limits"}),
    "api.core.v1.PreferredSchedulingTerm": frozenset({"preference"}),
    "api.core.v1.Sysctl": frozenset({"value"}),
    "api.discovery.v1.EndpointSlice": frozenset({"endpoints"}),
    "api.networking.v1.NetworkPolicySpec": frozenset({"podSelector"}),
    "api.rbac.v1.RoleRef": frozenset({"apiGroup"}),
    "api.scheduling.v1.PriorityClass": frozenset({"value"}),
    "apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion": frozenset(
        {"served", "storage"}
    ),
}
"""Fields that the published definitions require and the API server does not, by definition without `io.k8s.`.

It sets a default (roleRef.apiGroup, the status of onPodConditions), or the field's zero value is valid. Source: the
files defaults.go and validation.go of each group in Kubernetes 1.34 (pkg/apis/*/v1, pkg/apis/*/validation).
"""

_REPORTED = ("Condition", "Status")


def demanded(definition: str, required: Sequence[str]) -> list[str]:
    """The required fields of a definition without which the API server refuses an object.

    definition: its name without `io.k8s.`.
    required: the fields that the published definition requires. The server drops the status of a new object, so it
        demands none of a status.
    """
    accepted = NOT_DEMANDED.get(definition, frozenset())
    return [] if definition.endswith(_REPORTED) else [name for name in required if name not in accepted]


_ANY_NAME = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})
_LABEL_NAMED = frozenset({"Namespace"})


def name_of(kind: str, minor: int) -> Schema:
    """The bound on `metadata.name`.

    kind: the object's kind.
    minor: the minor version of Kubernetes; later versions let a Service's name begin with a digit.
    """
    if kind in _ANY_NAME:
        return PATH_NAME
    if kind in _LABEL_NAMED:
        return LABEL_NAME
    if kind == "Service":
        return LETTER_FIRST_NAME if minor <= 34 else LABEL_NAME
    return SUBDOMAIN_NAME
