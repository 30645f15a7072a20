"""What the rules are measured with."""

from collections.abc import Iterator
from typing import Any


def objects(count: int, broken: int = 10) -> Iterator[dict[str, Any]]:
    """So many objects: apps of Deployment, Service, Ingress and NetworkPolicy, every `broken`th at fault."""
    for number in range(count // 4):
        name, labels = f"app-{number}", {"app": f"app-{number}"}
        metadata = {"name": name, "namespace": f"team-{number // 50}"}
        port = {"name": "http", "containerPort": 8080}
        container = {
            "name": "web",
            "image": f"registry.example/{name}:1.0.0",
            "command": ["/bin/server", "--port", "8080"],
            "ports": [{**port, "hostPort": 8080} if broken and number % broken == 0 else port],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "readOnlyRootFilesystem": True},
        }
        pod = {"automountServiceAccountToken": False, "containers": [container]}
        template = {"metadata": {"labels": labels}, "spec": pod}
        backend = {"service": {"name": name, "port": {"number": 80}}}
        http = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
        sender = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "projectcontour"}}}
        specs = {
            "apps/v1 Deployment": {"selector": {"matchLabels": labels}, "template": template},
            "v1 Service": {"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
            "networking.k8s.io/v1 Ingress": {
                "ingressClassName": "contour",
                "rules": [{"host": f"{name}.localhost", "http": http}],
            },
            "networking.k8s.io/v1 NetworkPolicy": {
                "podSelector": {"matchLabels": labels},
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [sender]}],
            },
        }
        for token, spec in specs.items():
            version, kind = token.split()
            yield {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
