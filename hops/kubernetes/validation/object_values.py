"""The values that the API server refuses in Services, Ingresses, Secrets and other objects."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hops.kubernetes.schemas.bounds import SUBDOMAIN_NAME
from hops.kubernetes.schemas.refusals import Refusal
from hops.kubernetes.validation.value_checks import Check, decided, refused, refused_network, refused_port_names
from hops.kubernetes.values import address, at, entries, mapping, number, pointer, sequence, text

_LOGIN = "kubernetes.io/basic-auth"
_DOCKER = ("kubernetes.io/dockercfg", "kubernetes.io/dockerconfigjson")
_SECRETS: Mapping[str, tuple[str, ...]] = {
    _LOGIN: ("username", "password"),
    _DOCKER[0]: (".dockercfg",),
    _DOCKER[1]: (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
"""The keys that a Secret of a type must have."""
_MOST_ANNOTATIONS = 256 * 1024
"""Bytes of all annotations. Source: apimachinery, pkg/api/validation/objectmeta.go."""


def _unnamed_ports(body: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    ports = list(entries(sequence(body.get("ports"))))
    for index, port in ports if len(ports) > 1 else ():
        if not text(mapping(port).get("name")):
            path = f"{base}/ports/{index}"
            yield refused(path, "has no name, and the Service has several ports", "Set the name of each port.")


def _service(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    spec = mapping(body.get("spec"))
    kind, given = text(spec.get("type")) or "ClusterIP", text(spec.get("clusterIP"))
    if kind == "ExternalName" and not text(spec.get("externalName")):
        yield refused("/spec/externalName", "is missing, and the type is ExternalName", "Set externalName.")
    if kind != "ExternalName" and given != "None" and not sequence(spec.get("ports")):
        yield refused("/spec/ports", "is empty", "Set ports, or set clusterIP to None.")
    if given and given != "None" and address(given) is None:
        yield refused(
            "/spec/clusterIP", f"is {given[:60]!r}, which is no address", "Write an address, None or nothing."
        )
    yield from _of_type(spec, kind)
    yield from decided(refused_port_names, spec, "/spec")
    yield from decided(_unnamed_ports, spec, "/spec")
    ranges = sequence(spec.get("loadBalancerSourceRanges"))
    if ranges and kind != "LoadBalancer":
        yield refused(
            "/spec/loadBalancerSourceRanges",
            f"is set, and the type is {kind}",
            "Remove it, or set type to LoadBalancer.",
        )
        return
    for index, value in enumerate(ranges):
        yield from refused_network(value, f"/spec/loadBalancerSourceRanges/{index}")


def _of_type(spec: Mapping[str, Any], kind: str) -> Iterator[Refusal]:
    """The fields of a Service that its type or another field rules out."""
    local, outside = text(spec.get("externalTrafficPolicy")) == "Local", kind in ("LoadBalancer", "NodePort")
    external = text(spec.get("externalName"))
    if kind == "ExternalName" and external and not re.fullmatch(_HOST, external.removesuffix(".")):
        yield refused("/spec/externalName", f"is {external[:60]!r}, which is no DNS name", "Write a host name alone.")
    if outside and text(spec.get("clusterIP")) == "None":
        yield refused("/spec/clusterIP", f"is None, and the type is {kind}", "Remove it, or set type to ClusterIP.")
    if spec.get("externalTrafficPolicy") and not outside and not sequence(spec.get("externalIPs")):
        yield refused("/spec/externalTrafficPolicy", f"is set, and the type is {kind}", "Remove it.")
    if number(spec.get("healthCheckNodePort")) and not (kind == "LoadBalancer" and local):
        path, needed = "/spec/healthCheckNodePort", "type LoadBalancer and externalTrafficPolicy Local"
        yield refused(path, f"is set without {needed}", f"Remove it, or set {needed}.")
    if text(spec.get("loadBalancerClass")) and kind != "LoadBalancer":
        path = "/spec/loadBalancerClass"
        yield refused(path, f"is set, and the type is {kind}", "Remove it, or set type to LoadBalancer.")
    if spec.get("sessionAffinityConfig") is not None and text(spec.get("sessionAffinity")) in (None, "", "None"):
        path = "/spec/sessionAffinityConfig"
        yield refused(path, "is set, and sessionAffinity is None", "Set sessionAffinity to ClientIP.")
    for index, value in enumerate(sequence(spec.get("externalIPs"))):
        found = address(value)
        if text(value) is not None and (
            found is None or found.is_loopback or found.is_unspecified or found.is_link_local or found.is_multicast
        ):
            path = f"/spec/externalIPs/{index}"
            yield refused(
                path, f"is {value!r:.60}, which is no address outside", "Write an address that leads to nodes."
            )


_HOST = SUBDOMAIN_NAME["pattern"]
_CLASS = "kubernetes.io/ingress.class"


def _ingress(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    annotated, named = text(at(body, "metadata", "annotations", _CLASS)), text(at(body, "spec", "ingressClassName"))
    if annotated is not None and named is not None and annotated != named:
        path = pointer("/metadata/annotations", _CLASS)
        yield refused(
            path,
            f"is {annotated[:60]}, and ingressClassName is {named[:60]}",
            "Remove the annotation, or write one class.",
        )


def _config_map(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    data, binary = mapping(body.get("data")), mapping(body.get("binaryData"))
    for key in sorted(data.keys() & binary.keys()):
        yield refused(pointer("/binaryData", key), "is also a key of data", "Remove one of the two.")
    size = sum(len(value.encode()) for value in data.values() if isinstance(value, str))
    if size > _LARGEST:
        yield refused("/data", f"has {size} bytes, which is more than {_LARGEST}", "Split the ConfigMap.")


_LARGEST = 1024 * 1024


def _role(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for index, rule in entries(sequence(body.get("rules"))):
        if sequence(mapping(rule).get("nonResourceURLs")):
            path = f"/rules/{index}/nonResourceURLs"
            yield refused(path, "is set, and a Role is of one namespace", "Move the rule into a ClusterRole.")


def _priority(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    name = text(at(body, "metadata", "name")) or ""
    if name.startswith("system-") and name not in ("system-cluster-critical", "system-node-critical"):
        yield refused("/metadata/name", f"is {name[:60]}, and system- is reserved", "Write another name.")


def _endpoints(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    version = {"IPv4": 4, "IPv6": 6}.get(text(body.get("addressType")) or "")
    for index, endpoint in entries(sequence(body.get("endpoints"))):
        for i, value in enumerate(sequence(mapping(endpoint).get("addresses"))):
            found = address(value)
            if version and text(value) is not None and (found is None or found.version != version):
                path = f"/endpoints/{index}/addresses/{i}"
                yield refused(path, f"is {value!r:.60}, which is no IPv{version} address", "Correct it or addressType.")


def _secret(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    kind = text(body.get("type"))
    data, clear = mapping(body.get("data")), mapping(body.get("stringData"))
    demanded = _SECRETS.get(kind or "", ())
    missing = [key for key in demanded if key not in data and key not in clear]
    # A login has one of its two keys at least.
    if missing and not (kind == _LOGIN and len(missing) < len(demanded)):
        names = (" or " if kind == _LOGIN else " and ").join(missing)
        yield refused("/data", f"has no {names}, and the type is {kind}", f"Set {names}.")
    elif kind in _DOCKER:
        (key,) = demanded
        field = "stringData" if key in clear else "data"
        content = text(clear[key] if key in clear else data[key])
        if content is not None and not _is_json_object(content, encoded=field == "data"):
            yield refused(
                pointer("", field, key),
                f"is not a JSON object, and the type is {kind}",
                "Write what `kubectl create secret docker-registry NAME --dry-run=client -o yaml` prints.",
            )
    account = "kubernetes.io/service-account.name"
    if kind == "kubernetes.io/service-account-token" and not text(at(body, "metadata", "annotations", account)):
        yield refused(
            pointer("/metadata/annotations", account),
            f"is missing, and the type is {kind}",
            "Set it to the name of the ServiceAccount.",
        )


def _is_json_object(content: str, *, encoded: bool) -> bool:
    """Whether a Secret's value is what Go reads as a mapping. A value that is no base64 is refused by its schema."""
    try:
        found = json.loads(base64.b64decode(content) if encoded else content)
    except (ValueError, RecursionError):
        return False
    return found is None or isinstance(found, dict)


def _subjects(body: Mapping[str, Any], _: str) -> Iterator[Refusal]:
    for index, subject in entries(sequence(body.get("subjects"))):
        if text(subject.get("kind")) == "ServiceAccount" and not text(subject.get("namespace")):
            yield refused(f"/subjects/{index}/namespace", "is missing", "Set the namespace of the ServiceAccount.")


def refused_annotations(metadata: Mapping[str, Any], base: str) -> Iterator[Refusal]:
    """The annotations of an object, whose keys and values have at most 256 KiB."""
    given = mapping(metadata.get("annotations")).items()
    size = sum(len(part.encode(errors="replace")) for pair in given for part in pair if isinstance(part, str))
    if size > _MOST_ANNOTATIONS:
        yield refused(
            f"{base}/annotations",
            f"has {size} bytes, which is more than {_MOST_ANNOTATIONS}",
            "Shorten the values, or keep them in a ConfigMap.",
        )


CHECKS: Mapping[str, tuple[Check, ...]] = {
    "discovery.k8s.io/v1 EndpointSlice": (_endpoints,),
    "networking.k8s.io/v1 Ingress": (_ingress,),
    "rbac.authorization.k8s.io/v1 ClusterRoleBinding": (_subjects,),
    "rbac.authorization.k8s.io/v1 Role": (_role,),
    "scheduling.k8s.io/v1 PriorityClass": (_priority,),
    "v1 ConfigMap": (_config_map,),
    "v1 Secret": (_secret,),
    "v1 Service": (_service,),
}
