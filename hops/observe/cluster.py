"""Reads the objects of the Kubernetes API. Of Secrets, only names, types and public facts of certificates are kept."""

import base64
import binascii
import hashlib
import ssl
from collections.abc import Iterator, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from hops.kubernetes import objects
from hops.kubernetes.resources.ingresses import as_ingress
from hops.kubernetes.resources.pod_status import container_statuses
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.values import JSON, at, sequence
from hops.model.path import CONTOUR_NAMESPACE
from hops.model.pod_network import POD_NETWORK
from hops.observe.api import API, APIError
from hops.observe.timed_tasks import later
from hops.trace.facts.envoy_drift import contour_pods
from hops.trace.facts.path_facts import PathFacts
from hops.trace.observed.observation import ObservedCluster

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
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "Deployment": "/apis/apps/v1/deployments",
    **POD_NETWORK.object_kinds,
    "Event": "/api/v1/events?fieldSelector=type%3DWarning",
}
"""The API paths that are listed, by the name that `unseen` uses."""
_CONFIG_MAPS = {CONTOUR_NAMESPACE: "contour", "kube-system": "kubeadm-config"}


def cluster(api: API, unseen: MutableMapping[str, str]) -> ObservedCluster:
    """All objects that affect a path. The kinds that cannot be listed are added to `unseen`. Raises APIError."""
    version = str(at(api.json("/version"), "gitVersion"))
    lists = {kind: later(partial(_listed, api, kind, path, unseen)) for kind, path in _KINDS.items()}
    lists["Secret"] = later(partial(_secrets, api))
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


def _secrets(api: API) -> list[JSON]:
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


def certificates(api: API, view: PathFacts, unseen: MutableMapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The end dates and authorities of the certificates of Contour, Envoy and the host name, as in ObservedCluster."""
    ends: dict[str, str] = {}
    authorities: dict[str, str] = {}
    secrets = {name: later(partial(_public, api, *name)) for name in sorted(_with_certificates(view))}
    for (namespace, name), public in secrets.items():
        try:
            found = public.result()
        except APIError as error:
            if error.status != 404:
                unseen[f"certificates: {namespace}/{name}"] = str(error)
            continue
        ends |= {f"{namespace}/{name}/{key}": _not_after(der).isoformat() for key, der in found.items()}
        if authority := found.get("ca.crt"):
            authorities[f"{namespace}/{name}"] = hashlib.sha256(authority).hexdigest()
    return ends, authorities


def _with_certificates(view: PathFacts) -> Iterator[tuple[str, str]]:
    there = {(str(objects.namespace(s)), objects.name(s)) for s in view.of("Secret")}
    for pod in view.of("Pod", CONTOUR_NAMESPACE):
        yield from there.intersection((CONTOUR_NAMESPACE, name) for name in as_pod(pod).secrets)
    for ingress in view.of("Ingress"):
        for tls in as_ingress(ingress).tls:
            named = (str(objects.namespace(ingress)), str(tls.secret))
            if view.asked.host in tls.hosts and named in there:
                yield named


def _public(api: API, namespace: str, name: str) -> dict[str, bytes]:
    """The certificates in a Secret, as DER. Its private keys are read with them and dropped here."""
    data = at(api.json(f"/api/v1/namespaces/{namespace}/secrets/{quote(name)}"), "data") or {}
    found = {}
    for key in sorted(data):
        if key.endswith(".crt"):
            try:
                der = ssl.PEM_cert_to_DER_cert(_first(base64.b64decode(str(data[key])).decode("ascii")))
                _not_after(der)
            except (ValueError, IndexError, binascii.Error):
                continue
            found[key] = der
    return found


def _first(pem: str) -> str:
    end = "-----END CERTIFICATE-----"
    return pem[: pem.index(end) + len(end)].strip()


def _not_after(der: bytes) -> datetime:
    """The end of validity of a certificate (RFC 5280, section 4.1). Raises ValueError or IndexError."""
    certificate = _values(_values(der)[0][1])
    fields = [value for tag, value in _values(certificate[0][1]) if tag != 0xA0]
    # serial number, algorithm, issuer, validity
    tag, end = _values(fields[3])[1]
    form = "%y%m%d%H%M%SZ" if tag == 0x17 else "%Y%m%d%H%M%SZ"
    return datetime.strptime(end.decode("ascii"), form).replace(tzinfo=UTC)


def _values(der: bytes) -> list[tuple[int, bytes]]:
    """The tag and the content of each value in a row (X.690, section 8.1)."""
    values = []
    while der:
        tag, length, head = der[0], der[1], 2
        if length & 0x80:
            head += length & 0x7F
            length = int.from_bytes(der[2:head])
        values.append((tag, der[head : head + length]))
        der = der[head + length :]
    return values


def logs(api: API, view: PathFacts, unseen: MutableMapping[str, str]) -> dict[str, str]:
    """The last log lines of Contour and Envoy, and of unready pods of the backend, Calico and kube-proxy."""
    reads = {name: later(partial(_log, api, *parts)) for name, parts in _logs(view)}
    texts = {}
    for name, log in reads.items():
        try:
            texts[name] = log.result()
        except APIError as error:
            unseen[f"logs: {name}"] = str(error)
    return texts


def _logs(view: PathFacts) -> Iterator[tuple[str, tuple[str, str, str, bool]]]:
    network = [pod for pod in view.of("Pod") if objects.labels(pod).get("k8s-app") in (POD_NETWORK.agent, "kube-proxy")]
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
