"""The Kubernetes objects of a healthy path."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.hops.trace.names import (
    CONTOUR,
    CONTOUR_IP,
    CONTROL,
    CONTROL_IP,
    ENVOY,
    ENVOY_IP,
    HOST,
    JSON,
    KUBE_CONTROLLERS,
    KUBE_CONTROLLERS_IP,
    POD,
    POD_IP,
    SERVICE_IP,
    WORKER,
    WORKER_IP,
)


def thing(api_version: str, kind: str, name: str, namespace: str | None = None, **body: Any) -> JSON:
    """An object as the API gives it; `labels` go into its metadata."""
    metadata = {"name": name, "labels": body.pop("labels", {})}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata | ({"namespace": namespace} if namespace else {}),
        **body,
    }


def pod(
    name: str,
    namespace: str,
    ip: str,
    labels: Mapping[str, str],
    *,
    containers: Mapping[str, list[JSON]],
    on: str = WORKER,
    owner: tuple[str, str] | None = None,
) -> JSON:
    """A running pod. containers: their ports by name."""
    made = thing(
        "v1",
        "Pod",
        name,
        namespace,
        labels=dict(labels),
        spec={"nodeName": on, "containers": [{"name": c, "ports": ports} for c, ports in containers.items()]},
        status={
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "hostIP": WORKER_IP if on == WORKER else CONTROL_IP,
            "startTime": "2026-11-24T09:50:00Z",
            "conditions": [
                {"type": kind, "status": "True"}
                for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
            "containerStatuses": [
                {
                    "name": c,
                    "ready": True,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": "2026-11-24T09:50:03Z"}},
                }
                for c in containers
            ],
        },
    )
    if owner:
        made["metadata"]["ownerReferences"] = [{"kind": owner[0], "name": owner[1], "controller": True}]
    return made


def _port(name: str, number: int, **more: Any) -> JSON:
    return {"name": name, "containerPort": number, "protocol": "TCP", **more}


def _node(name: str, ip: str) -> JSON:
    return thing(
        "v1",
        "Node",
        name,
        spec={"podCIDR": "10.244.0.0/24"},
        status={
            "addresses": [{"type": "InternalIP", "address": ip}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
        labels={"kubernetes.io/hostname": name},
    )


def _template(labels: Mapping[str, str], containers: list[JSON]) -> JSON:
    return {
        "selector": {"matchLabels": dict(labels)},
        "template": {"metadata": {"labels": dict(labels)}, "spec": {"containers": containers}},
    }


def objects() -> Iterator[JSON]:
    yield _node(CONTROL, CONTROL_IP)
    yield _node(WORKER, WORKER_IP)
    for name in ("apps", "default", "kube-system", "projectcontour"):
        yield thing("v1", "Namespace", name, labels={"kubernetes.io/metadata.name": name})
    yield from _network()
    yield from _contour()
    yield from _app()


def _network() -> Iterator[JSON]:
    yield thing(
        "v1",
        "ConfigMap",
        "kubeadm-config",
        "kube-system",
        data={
            "ClusterConfiguration": "apiVersion: kubeadm.k8s.io/v1beta4\nclusterName: ingress-hops-local\n"
            "kind: ClusterConfiguration\nnetworking:\n  dnsDomain: cluster.local\n"
            "  podSubnet: 10.244.0.0/16\n  serviceSubnet: 10.96.0.0/16\n"
        },
    )
    yield thing(
        "crd.projectcalico.org/v1",
        "IPPool",
        "default-ipv4-ippool",
        spec={
            "allowedUses": ["Workload", "Tunnel"],
            "blockSize": 26,
            "cidr": "10.244.0.0/16",
            "ipipMode": "Never",
            "natOutgoing": True,
            "nodeSelector": "all()",
            "vxlanMode": "CrossSubnet",
        },
    )
    calico = {"k8s-app": "calico-node"}
    yield thing("apps/v1", "DaemonSet", "calico-node", "kube-system", spec=_template(calico, [{"name": "calico-node"}]))
    for name, on, ip in (("calico-node-5kq8v", WORKER, WORKER_IP), ("calico-node-r7d2c", CONTROL, CONTROL_IP)):
        node_pod = pod(
            name, "kube-system", ip, calico, containers={"calico-node": []}, on=on, owner=("DaemonSet", "calico-node")
        )
        node_pod["spec"]["hostNetwork"] = True
        yield node_pod
    proxy = {"k8s-app": "kube-proxy"}
    yield thing("apps/v1", "DaemonSet", "kube-proxy", "kube-system", spec=_template(proxy, [{"name": "kube-proxy"}]))
    for name, on, ip in (("kube-proxy-2m9xj", WORKER, WORKER_IP), ("kube-proxy-w8t6h", CONTROL, CONTROL_IP)):
        proxy_pod = pod(
            name, "kube-system", ip, proxy, containers={"kube-proxy": []}, on=on, owner=("DaemonSet", "kube-proxy")
        )
        proxy_pod["spec"]["hostNetwork"] = True
        yield proxy_pod
    yield pod(
        KUBE_CONTROLLERS,
        "kube-system",
        KUBE_CONTROLLERS_IP,
        {"k8s-app": "calico-kube-controllers"},
        containers={"calico-kube-controllers": []},
        owner=("ReplicaSet", "calico-kube-controllers-5d7d9cdfd8"),
    )


def _contour() -> Iterator[JSON]:
    ports = [_port("http", 8080, hostPort=80), _port("metrics", 8002)]
    envoy, contour = {"app": "envoy"}, {"app": "contour"}
    yield thing(
        "apps/v1",
        "DaemonSet",
        "envoy",
        "projectcontour",
        spec=_template(envoy, [{"name": "shutdown-manager"}, {"name": "envoy", "ports": ports}]),
        status={"desiredNumberScheduled": 1, "numberReady": 1},
    )
    yield pod(
        ENVOY,
        "projectcontour",
        ENVOY_IP,
        envoy,
        containers={"shutdown-manager": [], "envoy": ports},
        owner=("DaemonSet", "envoy"),
    )
    yield thing(
        "apps/v1",
        "Deployment",
        "contour",
        "projectcontour",
        spec={"replicas": 1, **_template(contour, [{"name": "contour"}])},
        status={"replicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    )
    serving = [_port("xds", 8001), _port("metrics", 8000), _port("debug", 6060)]
    yield pod(
        CONTOUR,
        "projectcontour",
        CONTOUR_IP,
        contour,
        containers={"contour": serving},
        owner=("ReplicaSet", "contour-6d5f8b7c9"),
    )
    yield thing("v1", "ConfigMap", "contour", "projectcontour", data={"contour.yaml": "accesslog-format: envoy\n"})
    for name in ("contourcert", "envoycert"):
        yield thing("v1", "Secret", name, "projectcontour", type="Opaque")
    xds = {"name": "xds", "port": 8001, "protocol": "TCP", "targetPort": 8001}
    yield thing(
        "v1",
        "Service",
        "contour",
        "projectcontour",
        spec={"type": "ClusterIP", "clusterIP": "10.96.0.8", "selector": contour, "ports": [xds]},
    )
    outside = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
    yield thing(
        "v1",
        "Service",
        "envoy",
        "projectcontour",
        spec={"type": "ClusterIP", "clusterIP": "10.96.77.3", "selector": envoy, "ports": [outside]},
        status={"loadBalancer": {}},
    )


def _app() -> Iterator[JSON]:
    labels = {"service": POD}
    yield pod(POD, "apps", POD_IP, labels, containers={"server": [_port("http", 8080)]})
    port = {"name": "http", "port": 8080, "protocol": "TCP", "targetPort": 8080}
    yield thing(
        "v1",
        "Service",
        "my-service",
        "apps",
        spec={"type": "ClusterIP", "clusterIP": SERVICE_IP, "selector": labels, "ports": [port]},
    )
    yield thing(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "my-service-8fmwz",
        "apps",
        labels={"kubernetes.io/service-name": "my-service"},
        addressType="IPv4",
        endpoints=[
            {
                "addresses": [POD_IP],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": WORKER,
                "targetRef": {"kind": "Pod", "name": POD, "namespace": "apps"},
            }
        ],
        ports=[{"name": "http", "port": 8080, "protocol": "TCP"}],
    )
    backend = {"service": {"name": "my-service", "port": {"number": 8080}}}
    yield thing(
        "networking.k8s.io/v1",
        "Ingress",
        "my-service-ingress",
        "apps",
        spec={
            "ingressClassName": "contour",
            "rules": [{"host": HOST, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
        },
        status={"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}},
    )
    yield thing(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "my-service",
        "apps",
        spec={
            "podSelector": {"matchLabels": labels},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "projectcontour"}}}],
                    "ports": [{"port": 8080, "protocol": "TCP"}],
                }
            ],
        },
    )
