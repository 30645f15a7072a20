"""Contour's rights, configuration and namespaces, and the cluster's DNS: T76, T77, RP05, T81."""

import pytest

from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import reported
from tests.hops.trace.names import CONTOUR, DNS_IP, JSON, WORKER
from tests.hops.trace.objects import pod, thing
from tests.hops.trace.observations import added, found, healthy, view, without

UP = "make up STACK=local"
LOG = f"projectcontour/{CONTOUR}/contour"
FORBIDDEN = (
    'time="2026-11-29T10:00:00Z" level=error msg="Failed to watch" error="failed to list *v1.Ingress: '
    'ingresses.networking.k8s.io is forbidden: User \\"system:serviceaccount:projectcontour:contour\\" cannot list '
    'resource \\"ingresses\\" in API group \\"networking.k8s.io\\" at the cluster scope"'
)


def unready(observation: JSON) -> JSON:
    """Contour's new pod runs and never becomes ready; Envoy goes on with what it has."""
    faults.unready(observation, CONTOUR)
    faults.disconnected(observation)
    return observation


def test_rights_that_contour_lacks() -> None:
    observation = unready(healthy())
    observation["cluster"]["logs"][LOG] = FORBIDDEN
    finding = trace(view(observation).observation).findings[0]
    assert reported(observation) == [("route", "T76")]
    assert "forbids system:serviceaccount:projectcontour:contour to list ingresses" in finding.message
    assert finding.remedy == UP
    assert "auth can-i --list --as system:serviceaccount:projectcontour:contour" in finding.look


def test_rights_that_contour_lacks_stop_a_request_that_envoy_never_got() -> None:
    observation = unready(healthy())
    observation["cluster"]["logs"][LOG] = FORBIDDEN
    faults.unrouted(observation)
    first = trace(view(observation).observation).first
    assert first is not None
    assert first.name == "route"
    assert [code for _, code in reported(observation)] == ["T76"]


def test_an_old_denial_of_a_contour_that_runs_is_left_alone() -> None:
    observation = healthy()
    observation["cluster"]["logs"][LOG] = FORBIDDEN
    assert reported(observation) == []


INVALID = 'level=fatal msg="error parsing configuration" error="yaml: unmarshal errors: field nosuchfield not found"'


def crashing(observation: JSON) -> JSON:
    faults.waiting(observation, "CrashLoopBackOff", CONTOUR, terminated={"exitCode": 1, "reason": "Error"})
    faults.disconnected(observation)
    return observation


@pytest.mark.parametrize(
    ("line", "edited"),
    [(INVALID, "configmap contour"), ("contour: error: unknown long flag '--no'", "deployment contour")],
)
def test_a_configuration_that_contour_refuses(line: str, edited: str) -> None:
    observation = crashing(healthy())
    observation["cluster"]["logs"][f"{LOG} previous"] = line
    assert reported(observation) == [("route", "T77")]
    assert line[:40] in trace(view(observation).observation).findings[0].message
    assert trace(view(observation).observation).findings[0].remedy == UP
    assert trace(view(faults.unowned(observation)).observation).findings[0].remedy.endswith(f"edit {edited}")


def test_a_contour_that_crashes_for_another_reason() -> None:
    observation = crashing(healthy())
    observation["cluster"]["logs"][f"{LOG} previous"] = "panic: runtime error: invalid memory address"
    assert reported(observation) == [("route", "T20")]


def flagged(observation: JSON, flag: str) -> JSON:
    template = found(observation, "Deployment", "contour")["spec"]["template"]["spec"]
    template["containers"][0] |= {"command": ["contour"], "args": ["serve", "--incluster", flag]}
    return observation


def test_a_contour_that_watches_other_namespaces() -> None:
    observation = flagged(healthy(), "--watch-namespaces=default")
    faults.listenerless(observation)
    assert reported(observation) == [("route", "RP05")]
    finding = trace(view(observation).observation).findings[0]
    assert finding.remedy == UP
    assert trace(view(faults.unowned(observation)).observation).findings[0].remedy.endswith("edit deployment contour")


def test_a_contour_that_watches_the_namespace_is_left_alone() -> None:
    assert reported(flagged(healthy(), "--watch-namespaces=default,apps")) == []


@pytest.mark.parametrize("name", ["contour", None])
def test_a_contour_of_another_class(name: str | None) -> None:
    observation = flagged(healthy(), "--ingress-class-name=internal")
    faults.ingress(observation)["spec"]["ingressClassName"] = name
    routes = faults.envoy(observation)["routes"]
    faults.listenerless(observation)
    # Envoy keeps them while it drains the listener.
    faults.envoy(observation)["routes"] = routes
    assert reported(observation) == [("route", "IN09")]


# T81


def dns(observation: JSON) -> JSON:
    """CoreDNS, as kubeadm makes it."""
    labels = {"k8s-app": "kube-dns"}
    service = thing("v1", "Service", "kube-dns", "kube-system", spec={"clusterIP": "10.96.0.10", "selector": labels})
    deployment = thing("apps/v1", "Deployment", "coredns", "kube-system", labels=labels, spec={"replicas": 1})
    endpoint = {"addresses": [DNS_IP], "conditions": {"ready": True}, "nodeName": WORKER}
    endpoints = thing(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        "kube-dns-x",
        "kube-system",
        labels={"kubernetes.io/service-name": "kube-dns"},
        addressType="IPv4",
        endpoints=[endpoint],
        ports=[{"name": "dns", "port": 53, "protocol": "UDP"}],
    )
    running = pod("coredns-1", "kube-system", DNS_IP, labels, containers={"coredns": []})
    added(observation, service, deployment, endpoints, running)
    return observation


def test_a_cluster_with_dns_is_left_alone() -> None:
    assert reported(dns(healthy())) == []


def test_dns_without_a_pod() -> None:
    observation = dns(healthy())
    without(observation, "Pod", "coredns-1")
    found(observation, "EndpointSlice", "kube-dns-x")["endpoints"] = []
    found(observation, "Deployment", "coredns")["spec"]["replicas"] = 0
    traced = trace(view(observation).observation)
    assert reported(observation) == [(None, "T81")]
    assert traced.first is None
    assert traced.findings[0].remedy.endswith("scale deployment/coredns --replicas 2")


def test_dns_that_crashes_is_looked_at() -> None:
    observation = dns(healthy())
    faults.waiting(observation, "CrashLoopBackOff", "coredns-1", terminated={"exitCode": 1, "reason": "Error"})
    found(observation, "EndpointSlice", "kube-dns-x")["endpoints"][0]["conditions"]["ready"] = False
    finding = trace(view(observation).observation).findings[0]
    assert reported(observation) == [(None, "T81")]
    assert (finding.remedy, finding.look.split()[-3:]) == ("", ["describe", "deployment", "coredns"])
