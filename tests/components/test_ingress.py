"""Ingress: one rule of host and path for one Service."""

from typing import Any

from components import Ingress, IngressArgs
from tests.recording import Recording, run


def recorded(**changes: Any) -> Recording:
    plain: Any = {
        "name": "example-ingress",
        "namespace": "default",
        "host": "my-service.local",
        "path": "/",
        "service": "my-service",
        "port": 8080,
        "tls": None,
    }
    args: IngressArgs = plain | changes
    return run(lambda: Ingress("web", args), Recording())


def test_the_documented_ingress() -> None:
    ingress = recorded().one("Ingress", "web-ingress").inputs
    assert ingress["metadata"] == {"name": "example-ingress", "namespace": "default"}
    backend = {"service": {"name": "my-service", "port": {"number": 8080}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    assert ingress["spec"] == {"rules": [{"host": "my-service.local", "http": {"paths": paths}}]}


def test_tls_names_a_secret_for_the_host() -> None:
    spec = recorded(tls="certificate").one("Ingress", "web-ingress").inputs["spec"]
    assert spec["tls"] == [{"hosts": ["my-service.local"], "secretName": "certificate"}]


def test_the_child_is_the_components() -> None:
    recording = recorded()
    component, child = recording.resources
    assert (component.type, component.name) == ("ingress-hops:index:Ingress", "web")
    assert component.inputs["host"] == "my-service.local"
    assert child.parent == component.urn
    assert "ingress-hops:index:Ingress$kubernetes:" in child.urn
    assert component.urn in recording.registered


def test_nobody_waits_ten_minutes() -> None:
    assert recorded().one("Ingress", "web-ingress").request.customTimeouts.create == "5m"
