"""Objects of a cluster that somebody else made, with a Contour under other names than the published ones."""

from typing import Any

Objects = list[dict[str, Any]]
GROUPS = {"Deployment": "apps/v1", "DaemonSet": "apps/v1", "IngressClass": "networking.k8s.io/v1"}


def named(kind: str, name: str, namespace: str | None = "edge", **body: Any) -> dict[str, Any]:
    of = {"namespace": namespace} if namespace else {}
    return {
        "apiVersion": GROUPS.get(kind, "v1"),
        "kind": kind,
        "metadata": {"name": name, **of, **body.pop("metadata", {})},
        **body,
    }


def template(labels: dict[str, str], *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"template": {"metadata": {"labels": labels}, "spec": {"containers": list(containers), **spec}}}


def contour(name: str = "release-contour", *flags: str, namespace: str = "edge") -> dict[str, Any]:
    own = {
        "name": "contour",
        "image": "docker.io/bitnami/contour:1.33.6",
        "command": ["contour"],
        "args": ["serve", *flags],
    }
    return named("Deployment", name, namespace, spec=template({"of": name}, own))


def envoy(name: str = "release-envoy", server: str = "release-contour", **port: int) -> dict[str, Any]:
    ports = [{"name": f"{s}-1", "containerPort": n, **port} for s, n in (("web", 8080), ("secure", 8443))]
    if port:
        for one, number in zip(ports, (80, 443), strict=True):
            one["hostPort"] = number
    run = {"name": "envoy", "image": "bitnami/envoy:1.38.3", "ports": ports}
    first = {
        "name": "envoy-initconfig",
        "image": "bitnami/contour:1.33.6",
        "args": ["bootstrap", f"--xds-address={server}"],
    }
    return named("DaemonSet", name, spec=template({"of": name}, run, initContainers=[first]))


def pod(name: str, node: str, address: str, of: str = "release-envoy", *, ready: bool = True) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    status = {"podIP": address, "conditions": conditions}
    return named("Pod", name, metadata={"labels": {"of": of}}, spec={"nodeName": node, "containers": []}, status=status)


def node(name: str, *addresses: tuple[str, str]) -> dict[str, Any]:
    return named("Node", name, None, status={"addresses": [{"type": t, "address": a} for t, a in addresses]})


def service(kind: str, of: str = "release-envoy", *given: dict[str, str]) -> dict[str, Any]:
    ports = [
        {"name": "one", "port": 80, "targetPort": "web-1", "nodePort": 31080},
        {"name": "two", "port": 443, "targetPort": 8443, "nodePort": 31443},
    ]
    if kind == "ClusterIP":
        ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in ports]
    status = {"loadBalancer": {"ingress": list(given)}}
    return named("Service", of, spec={"type": kind, "selector": {"of": of}, "ports": ports}, status=status)


NODES = [node("n1", ("InternalIP", "10.0.0.1")), node("n2", ("InternalIP", "10.0.0.2"), ("ExternalIP", "192.0.2.2"))]
ENVOYS = [pod("e1", "n1", "10.1.0.1", ready=False), pod("e2", "n2", "10.1.0.2")]
SERVER = named("Service", "release-contour", spec={"selector": {"of": "release-contour"}, "ports": [{"port": 8001}]})
HELM = [contour(), envoy(), SERVER, service("LoadBalancer", "release-envoy", {"ip": "203.0.113.7"}), *NODES, *ENVOYS]
