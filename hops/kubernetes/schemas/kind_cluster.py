"""The configuration that kind reads, `kind.x-k8s.io/v1alpha4`, as a JSON schema.

Source: kind 0.32, pkg/apis/config/v1alpha4/types.go and yaml.go, pkg/internal/apis/config/validate.go. kind reads the
file with a strict decoder, which takes any scalar for a string.
"""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs

from hops.kubernetes.schemas.catalogue import Validator

_TEXT: Mapping[str, Any] = {"type": ["string", "number", "boolean", "null"]}
_ADDRESS: Mapping[str, Any] = {**_TEXT, "title": "an IP address such as 127.0.0.1"}
_SUBNET: Mapping[str, Any] = {**_TEXT, "title": "a subnet such as 10.244.0.0/16"}
_FLAG: Mapping[str, Any] = {"type": ["boolean", "null"]}
_PORT: Mapping[str, Any] = {
    "type": ["integer", "null"],
    "minimum": -1,
    "maximum": 65535,
    "title": "a port: 1 to 65535, or 0 or -1 for a random one",
}
_PROTOCOL: Mapping[str, Any] = {
    **_TEXT,
    "pattern": "^(?i:tcp|udp|sctp)?$",
    "title": "a protocol: TCP, UDP or SCTP",
}


def _object(required: tuple[str, ...] = (), **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": properties,
        "required": list(required),
    }


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": ["array", "null"], "items": items}


def _map(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": ["object", "null"], "additionalProperties": values}


def _one_of(*values: str) -> dict[str, Any]:
    return {**_TEXT, "enum": [*values, "", None]}


_PATCH = _object(("kind", "patch", "version"), group=_TEXT, kind=_TEXT, patch=_TEXT, version=_TEXT)
_MAPPING = _object(
    ("containerPort",),
    containerPort={"type": "integer", "minimum": 1, "maximum": 65535, "title": "a port: 1 to 65535"},
    hostPort=_PORT,
    listenAddress=_ADDRESS,
    protocol=_PROTOCOL,
)
_MOUNT = _object(
    ("containerPath", "hostPath"),
    containerPath=_TEXT,
    hostPath=_TEXT,
    propagation=_one_of("None", "HostToContainer", "Bidirectional"),
    readOnly=_FLAG,
    selinuxRelabel=_FLAG,
)
_NODE = _object(
    extraMounts=_list(_MOUNT),
    extraPortMappings=_list(_MAPPING),
    image=_TEXT,
    kubeadmConfigPatches=_list(_TEXT),
    kubeadmConfigPatchesJSON6902=_list(_PATCH),
    labels=_map(_TEXT),
    role=_one_of("control-plane", "worker"),
)
_NETWORKING = _object(
    apiServerAddress=_ADDRESS,
    apiServerPort=_PORT,
    disableDefaultCNI=_FLAG,
    dnsSearch=_list(_TEXT),
    ipFamily=_one_of("ipv4", "ipv6", "dual"),
    kubeProxyMode=_one_of("iptables", "ipvs", "nftables", "none"),
    podSubnet=_SUBNET,
    serviceSubnet=_SUBNET,
)
_SCHEMA = _object(
    apiVersion=_TEXT,
    containerdConfigPatches=_list(_TEXT),
    containerdConfigPatchesJSON6902=_list(_TEXT),
    featureGates=_map(_FLAG),
    kind=_TEXT,
    kubeadmConfigPatches=_list(_TEXT),
    kubeadmConfigPatchesJSON6902=_list(_PATCH),
    name={**_TEXT, "pattern": "^[a-z0-9.-]*$", "title": "a name: lower-case letters, digits, - and ."},
    networking=_NETWORKING,
    nodes=_list(_NODE),
    runtimeConfig=_map(_TEXT),
)

KIND_CLUSTER = Validator(_SCHEMA, jsonschema_rs.validator_for(_SCHEMA))
MOVED: Mapping[str, str] = {"metadata": "name at the top level", "hostIP": "listenAddress"}
"""Fields that kind does not have, and what it has for them."""
