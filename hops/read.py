"""Reads paths back: from plain objects what they declare, from a cluster's answer what is there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hops.model import NOTHING_FOUND, Backend, Door, Found, PortMapping, RequestPath
from hops.path import CONTOUR_NAMESPACE, request_path

_SCHEMES = {"http": 80, "https": 443}


def found(lines: str, node: str | None) -> Found:
    """What a cluster said of its nodes, pods and Services.

    lines: a tab-separated line an object: kind, namespace, name, label `app`, node, IPv4. node: the publishing one.
    Envoy is the pod labelled `app=envoy` on that node; headless Services have no address.
    """
    rows = [line.split("\t") for line in lines.splitlines() if line.count("\t") == 5]
    nodes = {name: address for kind, _, name, _, _, address in rows if kind == "Node"}
    pods = {
        f"{namespace}/{name}": address for kind, namespace, name, _, _, address in rows if kind == "Pod" and address
    }
    services = {
        f"{namespace}/{name}": address
        for kind, namespace, name, _, _, address in rows
        if kind == "Service" and address not in ("", "None")
    }
    envoy = next(
        (
            address
            for kind, namespace, _, app, on, address in rows
            if kind == "Pod" and (namespace, app, on) == (CONTOUR_NAMESPACE, "envoy", node) and address
        ),
        None,
    )
    return Found(node=nodes.get(node) if node else None, envoy=envoy, services=services, pods=pods)


def read(objects: Iterable[Mapping[str, Any]], found: Found = NOTHING_FOUND) -> tuple[RequestPath, ...]:
    """The paths that objects declare: one for each path of an Ingress whose Service and pods are among them.

    objects: as the Kubernetes API knows them, and kind's own `Cluster`. An object that does not have the form of its
    kind declares nothing here; to say so is a rule's business.
    """
    everything = [item for item in objects if isinstance(item, Mapping)]
    door = _door(everything)
    if door is None:
        return ()
    return tuple(request_path(door, backend, found, _network(everything)) for backend in _backends(everything))


def _of(objects: Sequence[Mapping[str, Any]], *kinds: str) -> Iterator[Mapping[str, Any]]:
    return (item for item in objects if item.get("kind") in kinds)


def _at(value: object, *keys: str | int) -> Any:
    """What lies below, None where any step is missing."""
    for key in keys:
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence) and isinstance(key, int) and -len(value) <= key < len(value):
            value = value[key]
        else:
            return None
    return value


def _each(value: object, *keys: str | int) -> Iterator[Mapping[str, Any]]:
    items = _at(value, *keys)
    if isinstance(items, Sequence):
        yield from (item for item in items if isinstance(item, Mapping))


def _namespace(item: Mapping[str, Any]) -> str:
    return str(_at(item, "metadata", "namespace") or "default")


def _name(item: Mapping[str, Any]) -> str:
    return str(_at(item, "metadata", "name"))


def _door(objects: Sequence[Mapping[str, Any]]) -> Door | None:
    """The first node that publishes ports which Envoy takes as host ports; else Envoy's load balancer."""
    envoy = next((item for item in _of(objects, "DaemonSet", "Deployment") if _name(item) == "envoy"), {})
    host_ports = {
        int(port["hostPort"]): int(port["containerPort"])
        for container in _each(envoy, "spec", "template", "spec", "containers")
        for port in _each(container, "ports")
        if port.get("hostPort")
    }
    for cluster in (item for item in _of(objects, "Cluster") if "nodes" in item):
        workers = 0
        for node in _each(cluster, "nodes"):
            worker = node.get("role") == "worker"
            workers += worker
            name = f"{cluster.get('name')}-" + (
                "control-plane" if not worker else f"worker{workers if workers > 1 else ''}"
            )
            published = list(_each(node, "extraPortMappings"))
            mappings = tuple(
                PortMapping(scheme, int(p["hostPort"]), node_port, host_ports[node_port])
                for scheme, node_port in _SCHEMES.items()
                for p in published
                if p.get("containerPort") == node_port and node_port in host_ports
            )
            if mappings:
                return Door(str(published[0].get("listenAddress") or "0.0.0.0"), name, mappings)
    for service in _of(objects, "Service"):
        if _at(service, "spec", "type") == "LoadBalancer" and _at(service, "spec", "selector", "app") == "envoy":
            ports = {port.get("name"): port for port in _each(service, "spec", "ports")}
            return Door(
                None,
                None,
                tuple(
                    PortMapping(
                        scheme, int(ports[scheme]["port"]), int(ports[scheme]["port"]), int(ports[scheme]["targetPort"])
                    )
                    for scheme in _SCHEMES
                    if scheme in ports
                ),
            )
    return None


def _network(objects: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Pool and encapsulation, as calico-node is told."""
    for item in _of(objects, "DaemonSet"):
        for container in _each(item, "spec", "template", "spec", "containers"):
            env = {entry.get("name"): entry.get("value") for entry in _each(container, "env")}
            if "CALICO_IPV4POOL_CIDR" in env:
                mode = {"CrossSubnet": "VXLANCrossSubnet", "Always": "VXLAN", "Never": "None"}
                encapsulation = mode.get(str(env.get("CALICO_IPV4POOL_VXLAN")), "None")
                return {"podSubnet": str(env["CALICO_IPV4POOL_CIDR"]), "encapsulation": encapsulation}
    return {}


def _backends(objects: Sequence[Mapping[str, Any]]) -> Iterator[Backend]:
    services = {(_namespace(item), _name(item)): item for item in _of(objects, "Service")}
    pods = list(_of(objects, "Pod"))
    for ingress in _of(objects, "Ingress"):
        namespace = _namespace(ingress)
        for rule in _each(ingress, "spec", "rules"):
            for path in _each(rule, "http", "paths"):
                name = _at(path, "backend", "service", "name")
                service = services.get((namespace, str(name)))
                port = _service_port(service, _at(path, "backend", "service", "port"))
                if service is None or port is None:
                    continue
                selector = {str(k): str(v) for k, v in (_at(service, "spec", "selector") or {}).items()}
                chosen = [pod for pod in pods if selector and _namespace(pod) == namespace and _matches(pod, selector)]
                cluster_ip = _at(service, "spec", "clusterIP")
                yield Backend(
                    service=str(name),
                    namespace=namespace,
                    ingress=_name(ingress),
                    host=str(rule.get("host") or "*"),
                    path=str(path.get("path") or "/"),
                    port=int(port["port"]),
                    target_port=_target(port, chosen),
                    selector=selector,
                    pods=tuple(_name(pod) for pod in chosen),
                    cluster_ip=str(cluster_ip) if cluster_ip not in (None, "None") else None,
                    request_path=str(path.get("path") or "/"),
                )


def _service_port(service: Mapping[str, Any] | None, wanted: object) -> Mapping[str, Any] | None:
    for port in _each(service, "spec", "ports"):
        number, name = _at(wanted, "number"), _at(wanted, "name")
        if (number is not None and port.get("port") == number) or (name is not None and port.get("name") == name):
            return port
    return None


def _target(port: Mapping[str, Any], pods: Sequence[Mapping[str, Any]]) -> int:
    """The port that the pods serve: a number, or the number behind a name of theirs."""
    target = port.get("targetPort", port["port"])
    if not isinstance(target, str):
        return int(target)
    for pod in pods:
        for container in _each(pod, "spec", "containers"):
            for declared in _each(container, "ports"):
                if declared.get("name") == target:
                    return int(declared["containerPort"])
    return int(port["port"])


def _matches(pod: Mapping[str, Any], selector: Mapping[str, str]) -> bool:
    labels = _at(pod, "metadata", "labels") or {}
    return all(labels.get(key) == value for key, value in selector.items())
