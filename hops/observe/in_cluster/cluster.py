"""Reads the objects of the Kubernetes API. Of Secrets, only names, types and public facts of certificates are kept."""

import base64
import binascii
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

from hops.kubernetes import objects
from hops.kubernetes.resources.pod_status import container_statuses
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.values import JSON, at, sequence
from hops.model.path import CONTOUR_NAMESPACE
from hops.model.pod_network import POD_NETWORK
from hops.observe.in_cluster.api import API, APIError
from hops.observe.timed_tasks import later
from hops.observe.tls import certificates, unusable
from hops.trace.facts.declared_routes import claims
from hops.trace.facts.envoy_drift import contour_pods
from hops.trace.facts.path_facts import PathFacts
from hops.trace.facts.served_certificate import secured
from hops.trace.observed.observation import Certificate, ObservedCluster

_MOST = 2000
_LINES = 200
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_KINDS = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/pods",
    "Service": "/api/v1/services",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
    "Ingress": "/apis/networking.k8s.io/v1/ingresses",
    "IngressClass": "/apis/networking.k8s.io/v1/ingressclasses",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/networkpolicies",
    "HTTPProxy": "/apis/projectcontour.io/v1/httpproxies",
    "GatewayClass": "/apis/gateway.networking.k8s.io/v1/gatewayclasses",
    "Gateway": "/apis/gateway.networking.k8s.io/v1/gateways",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/httproutes",
    "ReferenceGrant": "/apis/gateway.networking.k8s.io/v1beta1/referencegrants",
    "ResourceQuota": "/api/v1/resourcequotas",
    "LimitRange": "/api/v1/limitranges",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "Deployment": "/apis/apps/v1/deployments",
    **POD_NETWORK.object_kinds,
    "Event": "/api/v1/events?fieldSelector=type%3DWarning",
}
"""The API paths that are listed, by the name that `unseen` uses."""
_SYSTEM = (POD_NETWORK.agent, "kube-proxy", "kube-dns")
"""The values of the label k8s-app of the pods whose logs are read while they are not ready."""
_CONFIG_MAPS = {CONTOUR_NAMESPACE: "contour", "kube-system": "kubeadm-config"}


def cluster(api: API, unseen: MutableMapping[str, str]) -> ObservedCluster:
    """All objects that affect a path. The kinds that cannot be listed are added to `unseen`. Raises APIError."""
    version = str(at(api.json("/version"), "gitVersion"))
    lists = {kind: later(partial(_listed, api, kind, path, unseen)) for kind, path in _KINDS.items()}
    lists["Secret"] = later(partial(_secret_types, api))
    for namespace, name in _CONFIG_MAPS.items():
        lists[f"ConfigMap {namespace}/{name}"] = later(partial(_config_map, api, namespace, name))
    objects: list[Mapping[str, Any]] = []
    for what, listed in lists.items():
        try:
            objects += listed.result()
        except APIError as error:
            # 404 is an answer, too: the cluster has no such kind or object.
            if error.status != 404:
                unseen[f"cluster: {what}"] = str(error)
    return ObservedCluster(server=api.server, version=version, objects=tuple(objects))


def _listed(api: API, kind: str, path: str, unseen: MutableMapping[str, str]) -> list[JSON]:
    whole = api.json(f"{path}{'&' if '?' in path else '?'}limit={_MOST}")
    if at(whole, "metadata", "continue"):
        unseen[f"cluster: {kind}"] = f"there are more than {_MOST}, and the others were left out"
    singular = str(at(whole, "kind")).removesuffix("List")
    return [
        _plain({"apiVersion": at(whole, "apiVersion"), "kind": singular, **item})
        for item in sequence(whole.get("items"))
    ]


def _plain(item: dict[str, JSON]) -> dict[str, JSON]:
    """The object without `managedFields`."""
    metadata = {key: value for key, value in (item.get("metadata") or {}).items() if key != "managedFields"}
    return {**item, "metadata": metadata}


def _config_map(api: API, namespace: str, name: str) -> list[JSON]:
    return [_plain(api.json(f"/api/v1/namespaces/{namespace}/configmaps/{name}"))]


def _secret_types(api: API) -> list[JSON]:
    """The Secrets, read as a table with the columns name and type: their data never leaves the cluster."""
    table = api.json(f"/api/v1/secrets?limit={_MOST}", f"{_TABLE},application/json;q=0.1")
    if at(table, "kind") != "Table":
        raise APIError("the API gives no table of Secrets, and their data is not asked for")
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {key: at(row, "object", "metadata", key) for key in ("namespace", "name")},
            "type": at(row, "cells", 1),
        }
        for row in sequence(table.get("rows"))
    ]


def secrets(api: API, view: PathFacts, unseen: MutableMapping[str, str]) -> dict[str, dict[str, str]]:
    """The public facts of the Secrets of Contour, Envoy and the host name, by the fields of ObservedCluster."""
    found: dict[str, dict[str, str]] = {key: {} for key in ("certificates", "authorities", "fingerprints", "unusable")}
    read = {name: later(partial(_data, api, *name)) for name in sorted(_with_certificates(view))}
    for (namespace, name), waiting in read.items():
        try:
            data = waiting.result()
        except APIError as error:
            if error.status != 404:
                unseen[f"certificates: {namespace}/{name}"] = str(error)
            continue
        secret = f"{namespace}/{name}"
        held = {key: first for key in sorted(data) if key.endswith(".crt") and (first := _first(data[key]))}
        found["certificates"] |= {f"{secret}/{key}": one.ends for key, one in held.items()}
        for field, key in (("authorities", "ca.crt"), ("fingerprints", "tls.crt")):
            if key in held:
                found[field][secret] = held[key].sha256
        found["unusable"][secret] = unusable(data)
    return found


def _first(pem: bytes) -> Certificate | None:
    return next(iter(certificates(pem.decode("ascii", "replace"))), None)


def _with_certificates(view: PathFacts) -> Iterator[tuple[str, str]]:
    there = {(str(objects.namespace(s)), objects.name(s)) for s in view.of("Secret")}
    for pod in view.of("Pod", view.home):
        yield from there.intersection((view.home, name) for name in as_pod(pod).secrets)
    yield from there.intersection((str(namespace), name) for namespace, name in secured(claims(view)))


def _data(api: API, namespace: str, name: str) -> dict[str, bytes]:
    """The decoded entries of a Secret. Only facts that `secrets` derives from them are kept."""
    data = at(api.json(f"/api/v1/namespaces/{namespace}/secrets/{quote(name)}"), "data") or {}
    found = {}
    for key in data:
        with suppress(binascii.Error, ValueError):
            found[str(key)] = base64.b64decode(str(data[key]))
    return found


def logs(api: API, view: PathFacts, unseen: MutableMapping[str, str]) -> dict[str, str]:
    """The last log lines of Contour and Envoy, and of unready pods of the backend, the pod network and kube-proxy."""
    reads = {name: later(partial(_log, api, *parts)) for name, parts in _logs(view)}
    texts = {}
    for name, log in reads.items():
        try:
            texts[name] = log.result()
        except APIError as error:
            unseen[f"logs: {name}"] = str(error)
    return texts


def _logs(view: PathFacts) -> Iterator[tuple[str, tuple[str, str, str, bool]]]:
    network = [pod for pod in view.of("Pod") if objects.labels(pod).get("k8s-app") in _SYSTEM]
    for pod in [
        *contour_pods(view),
        *view.envoy_pods[:1],
        *(pod for pod in (*view.pods, *network) if not objects.ready(pod)),
    ]:
        if view.down(objects.node_of(pod)):
            continue
        namespace, name = str(objects.namespace(pod)), objects.name(pod)
        for status in container_statuses(pod):
            container = status.name
            if status.running or status.terminated:
                yield f"{namespace}/{name}/{container}", (namespace, name, container, False)
            if status.last_terminated:
                yield f"{namespace}/{name}/{container} previous", (namespace, name, container, True)


def _log(api: API, namespace: str, pod: str, container: str, previous: bool) -> str:  # noqa: FBT001 - as the API has it
    query = f"container={quote(container)}&tailLines={_LINES}&previous={str(previous).lower()}"
    return api.text(f"/api/v1/namespaces/{namespace}/pods/{quote(pod)}/log?{query}", "*/*")
