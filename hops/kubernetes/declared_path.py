"""Reads paths back: from plain objects what they declare, from a cluster's answer what is there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hops.model.hop import NOTHING_FOUND, Backend, Door, Found, PortMapping, RequestPath
from hops.model.path import CONTOUR_NAMESPACE, request_path

_SCHEMES = {"http": 80, "https": 443}


def found(objects: Iterable[Mapping[str, Any]], node: str | None) -> Found:
    """Reads the addresses of a running cluster.

    objects: its nodes, pods and Services as the API returns them. A headless Service has no address.
    node: name of the publishing node; None if there is none. The pod with the label `app=envoy` on it is Envoy.
    """
    everything = [item for item in objects if isinstance(item, Mapping)]
    pods = {_whole_name(pod): address for pod in _of(everything, "Pod") if (address := _ip(pod, "status", "podIP"))}
    services = {
        _whole_name(service): address
        for service in _of(everything, "Service")
        if (address := _ip(service, "spec", "clusterIP"))
    }
    own = [
        pod
        for pod in _of(everything, "Pod")
        if _at(pod, "metadata", "labels", "app") == "envoy"
        and _at(pod, "spec", "nodeName") == node
        and _namespace(pod) == CONTOUR_NAMESPACE
    ]
    envoy = next((address for pod in own if (address := pods.get(_whole_name(pod)))), None)
    internal = (
        str(entry.get("address"))
        for item in _of(everything, "Node")
        if _name(item) == node
        for entry in _each(item, "status", "addresses")
        if entry.get("type") == "InternalIP"
    )
    return Found(node=next(internal, None), envoy=envoy, services=services, pods=pods)


def _ip(item: Mapping[str, Any], *keys: str) -> str | None:
    address = _at(item, *keys)
    return str(address) if address not in (None, "", "None") else None


def _whole_name(item: Mapping[str, Any]) -> str:
    return f"{_namespace(item)}/{_name(item)}"


def read(objects: Iterable[Mapping[str, Any]], found: Found = NOTHING_FOUND) -> tuple[RequestPath, ...]:
    """The request paths that objects declare: one for each Ingress path whose Service and pods are declared.

    objects: Kubernetes objects and kind's `Cluster`. Malformed objects are skipped; the rules report them.
    found: addresses read from a running cluster. Default: none.
    """
    everything = [item for item in objects if isinstance(item, Mapping)]
    entrance = door(everything)
    if entrance is None:
        return ()
    network, xds = _network(everything), _xds(everything)
    return tuple(request_path(entrance, backend, found, network, xds) for backend in backends(everything))


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


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(text) for key, text in value.items()} if isinstance(value, Mapping) else {}


def _port(value: object) -> int | None:
    """A TCP port, None where it is none; an engine hands whole numbers over as floats."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in range(1, 65536):
        return None
    return int(value)


def _ports(pod_spec: object) -> Iterator[Mapping[str, Any]]:
    """The ports that a pod's containers declare."""
    for container in _each(pod_spec, "containers"):
        yield from _each(container, "ports")


def door(objects: Sequence[Mapping[str, Any]]) -> Door | None:
    """The first node that publishes ports which Envoy takes as host ports; else Envoy's load balancer."""
    envoy = next((item for item in _of(objects, "DaemonSet", "Deployment") if _name(item) == "envoy"), {})
    own = list(_ports(_at(envoy, "spec", "template", "spec")))
    host_ports = {
        outside: inside
        for port in own
        if (outside := _port(port.get("hostPort"))) and (inside := _port(port.get("containerPort")))
    }
    for cluster in (item for item in _of(objects, "Cluster") if "nodes" in item):
        workers = 0
        for node in _each(cluster, "nodes"):
            worker = node.get("role") == "worker"
            workers += worker
            name = f"{cluster.get('name') or 'kind'}-" + (
                "control-plane" if not worker else f"worker{workers if workers > 1 else ''}"
            )
            published = list(_each(node, "extraPortMappings"))
            mappings = {
                scheme: (p, PortMapping(scheme, outside, node_port, host_ports[node_port]))
                for scheme, node_port in _SCHEMES.items()
                for p in published
                if p.get("containerPort") == node_port and node_port in host_ports
                if (outside := _port(p.get("hostPort")))
            }
            if "http" in mappings:
                listen = str(mappings["http"][0].get("listenAddress") or "0.0.0.0")
                return Door(listen, name, tuple(mapping for _, mapping in mappings.values()))
    for service in _of(objects, "Service"):
        if _at(service, "spec", "type") == "LoadBalancer" and _at(service, "spec", "selector", "app") == "envoy":
            balanced = tuple(
                PortMapping(scheme, outside, outside, inside)
                for scheme in _SCHEMES
                for port in _each(service, "spec", "ports")
                if port.get("name") == scheme
                if (outside := _port(port.get("port"))) and (inside := _target(port, own))
            )
            if balanced and balanced[0].scheme == "http":
                return Door(None, None, balanced)
    return None


def _network(objects: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Pool and encapsulation, as calico-node is told."""
    for item in _of(objects, "DaemonSet"):
        for container in _each(item, "spec", "template", "spec", "containers"):
            env = {str(entry.get("name")): entry.get("value") for entry in _each(container, "env")}
            if "CALICO_IPV4POOL_CIDR" in env:
                mode = {"CrossSubnet": "VXLANCrossSubnet", "Always": "VXLAN", "Never": "None"}
                encapsulation = mode.get(str(env.get("CALICO_IPV4POOL_VXLAN")), "None")
                return {"podSubnet": str(env["CALICO_IPV4POOL_CIDR"]), "encapsulation": encapsulation}
    return {}


def _xds(objects: Sequence[Mapping[str, Any]]) -> str | None:
    """The address of Contour's Service, where it is declared."""
    for item in _of(objects, "Service"):
        if _name(item) == "contour":
            address = _at(item, "spec", "clusterIP")
            return str(address) if address not in (None, "", "None") else None
    return None


def backends(objects: Sequence[Mapping[str, Any]]) -> Iterator[Backend]:
    """What Ingresses lead to: one for each of their paths whose Service is among the objects."""
    services = {(_namespace(item), _name(item)): item for item in _of(objects, "Service")}
    pods = list(_of(objects, "Pod"))
    for ingress in _of(objects, "Ingress"):
        namespace = _namespace(ingress)
        for rule in _each(ingress, "spec", "rules"):
            for path in _each(rule, "http", "paths"):
                name = _at(path, "backend", "service", "name")
                service = services.get((namespace, str(name)))
                port = _service_port(service, _at(path, "backend", "service", "port")) or {}
                number = _port(port.get("port"))
                if service is None or number is None:
                    continue
                selector = _texts(_at(service, "spec", "selector"))
                chosen = [pod for pod in pods if selector and _namespace(pod) == namespace and _matches(pod, selector)]
                cluster_ip = _at(service, "spec", "clusterIP")
                yield Backend(
                    service=str(name),
                    namespace=namespace,
                    ingress=_name(ingress),
                    host=str(rule.get("host") or "*"),
                    path=str(path.get("path") or "/"),
                    port=number,
                    target_port=_target(port, [p for pod in chosen for p in _ports(_at(pod, "spec"))]) or number,
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


def _target(port: Mapping[str, Any], declared: Iterable[Mapping[str, Any]]) -> int | None:
    """The port that a Service's port leads to: a number, or the number behind a name that the pods declare."""
    target = port.get("targetPort") or port.get("port")
    if not isinstance(target, str):
        return _port(target)
    return next((_port(item.get("containerPort")) for item in declared if item.get("name") == target), None)


def _matches(pod: Mapping[str, Any], selector: Mapping[str, str]) -> bool:
    return selector.items() <= _texts(_at(pod, "metadata", "labels")).items()
