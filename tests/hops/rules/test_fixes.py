"""Safe patches keep every path that works: one at a time, and all together."""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from hops.kubernetes.controller.classes import class_of
from hops.kubernetes.declared_path import read
from hops.kubernetes.inventory import Inventory
from hops.kubernetes.resources.kind_nodes import nodes
from hops.kubernetes.routing.hosts import bare, named
from hops.kubernetes.routing.routes import routes
from hops.kubernetes.values import Undecidable, at, unknown_paths
from hops.model.finding import Finding, Level, Place
from hops.rules.catalogue import RULES
from hops.rules.patches import patched
from tests.hops.rules.cases import TODAY, documents, verdict
from tests.hops.rules.test_catalogue import EDGES

NAMESPACE = """
---
apiVersion: v1
kind: Namespace
metadata: {name: projectcontour, labels: {pod-security.kubernetes.io/enforce: privileged}}
"""


def envoy(kind: str = "DaemonSet", spec: str = "") -> str:
    return (
        NAMESPACE
        + f"""---
apiVersion: apps/v1
kind: {kind}
metadata: {{name: envoy, namespace: projectcontour}}
spec:
  selector: {{matchLabels: {{app: envoy}}}}
  template:
    metadata: {{labels: {{app: envoy}}}}
    spec:
      automountServiceAccountToken: false
      {spec or "terminationGracePeriodSeconds: 1"}
      containers:
      - name: envoy
        image: docker.io/envoyproxy/envoy:v1.35.0
        ports: [{{name: http, containerPort: 8080, hostPort: 80}}]
"""
    )


def cluster(*entries: str) -> str:
    listed = "".join(f"- {entry}\n" for entry in entries)
    return f"kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: lab\nnodes:\n{listed}"


MAPPED = "extraPortMappings: [{containerPort: 80, hostPort: 8080, listenAddress: 127.0.0.1}]"
APP = """
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: apps, labels: {app: web}}
spec: {automountServiceAccountToken: false, containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: apps}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: apps}
spec:
  rules:
  - host: web.localhost
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""
LABEL = (
    "kubeadmConfigPatches: "
    "['{kind: InitConfiguration, nodeRegistration: {kubeletExtraArgs: {node-labels: edge=open}}}']"
)
HOST_PORTS = {
    "a label that no worker gets": cluster("{role: control-plane}", f"{{role: worker, {LABEL}, {MAPPED}}}")
    + envoy(spec="nodeSelector: {edge: open}"),
    "the control plane publishes": cluster(f"{{role: control-plane, {MAPPED}}}", "{role: worker}") + envoy(),
    "the mapping is a node of its own": cluster("{role: control-plane}", "{role: worker}", f"{{{MAPPED}}}") + envoy(),
    "a Deployment beside three workers": cluster(
        "{role: control-plane}", "{role: worker}", "{role: worker}", f"{{role: worker, {MAPPED}}}"
    )
    + envoy("Deployment"),
    "a healthy host port": cluster("{role: control-plane}", f"{{role: worker, {MAPPED}}}") + envoy() + APP,
}
TEXTS = [
    *HOST_PORTS.values(),
    *(text for rule in RULES.values() for text in (rule.bad, rule.good)),
    *(c.text for c in EDGES),
]


def kept(bodies: Iterable[Any]) -> set[tuple[Any, ...]]:
    """What a safe patch may add to but not change: paths, ports, objects, hosts, routes and classes."""
    declared = [body for body in bodies if at(body, "kind") != "Policy"]
    inventory = Inventory([(body, Place()) for body in declared], today=TODAY)
    facts: set[tuple[Any, ...]] = set()
    for part in (_host_ports, _objects, _routes):
        try:
            facts |= set(part(inventory))
        except Undecidable:
            continue
    return facts


def _host_ports(inventory: Inventory) -> Iterator[tuple[Any, ...]]:
    for path in read([resource.body for resource in inventory.resources]):
        yield "url", path.service, path.url
    for _, node in nodes(inventory):
        yield from (("mapping", node.name, str(mapped)) for mapped in node.mappings)
    for pod in inventory.pods:
        yield from (("host port", str(pod.resource), number, port.protocol) for port, number in pod.node_ports())
    for service in inventory.services:
        yield "type", str(service.resource), service.type, tuple(service.spec.get("externalIPs") or ())
        yield from (("port", str(service.resource), port.port, port.node_port) for port in service.ports)


def _objects(inventory: Inventory) -> Iterator[tuple[Any, ...]]:
    for resource in inventory.resources:
        yield "object", resource.kind, resource.namespace, resource.name
    for subject in named(inventory):
        # The API server refuses any other spelling of a host.
        yield from (("host", str(subject.resource), bare(host)) for host, _ in subject.hosts)


def _routes(inventory: Inventory) -> Iterator[tuple[Any, ...]]:
    for ingress in inventory.ingresses:
        yield "class", str(ingress.resource), class_of(ingress, inventory)
    yield from (("route", *key) for key in inventory.once(routes).claims)


def applied(bodies: list[Any], finding: Finding) -> list[Any]:
    assert finding.patch is not None
    number = finding.patch.place.document
    assert number is not None
    within = finding.patch.place.within
    operations = [
        {**operation, **{key: within + operation[key] for key in ("from", "path") if key in operation}}
        for operation in finding.patch.operations
    ]
    return [patched(body, operations) if index == number else body for index, body in enumerate(bodies)]


def safe(bodies: list[Any]) -> list[Finding]:
    return [finding for finding in verdict(bodies) if finding.patch and finding.patch.safe]


REFUSED = ("AP01", "AP02", "AP03", "AP04", "KN09")
"""The rules about what the API server or kind refuses as a whole: nothing of it works before it is mended."""


def is_refused(text: str) -> bool:
    return any(finding.code in REFUSED for finding in verdict(documents(text)))


@pytest.mark.parametrize("text", [text for text in TEXTS if not is_refused(text)])
def test_a_safe_patch_keeps_what_works(text: str) -> None:
    bodies = documents(text)
    before = kept(bodies)
    for finding in safe(bodies):
        assert finding.level is Level.MANDATORY
        assert before <= kept(applied(bodies, finding)), finding
    for _ in range(20):
        findings = safe(bodies)
        if not findings:
            break
        bodies = applied(bodies, findings[0])
    assert before <= kept(bodies)


def test_what_is_kept_contains_the_url() -> None:
    assert ("url", "apps/web", "http://web.localhost:8080/") in kept(documents(HOST_PORTS["a healthy host port"]))


def unsafe(text: str) -> set[str]:
    return {finding.code for finding in verdict(documents(text)) if finding.patch and not finding.patch.safe}


def test_patches_that_close_or_rename_are_unsafe() -> None:
    for code in ("HP01", "HP02", "HP03", "SV03", "SV04", "IN07", "IN08", "IN13", "KN05", "XS01", "XS02", "XS03"):
        assert code in unsafe(RULES[code].bad), code
    assert "KN02" in unsafe(RULES["KN02"].bad)


@pytest.mark.parametrize("about", list(HOST_PORTS))
def test_a_host_port_has_at_most_one_finding_and_no_patch_closes_it(about: str) -> None:
    text = HOST_PORTS[about]
    bodies = documents(text)
    before = {fact for fact in kept(bodies) if fact[0] in ("mapping", "host port")}
    assert before
    found = [f for f in verdict(bodies) if f.code in ("HP01", "HP02", "KN01", "KN02", "KN03")]
    assert [f.code for f in found] == ([] if about == "a healthy host port" else ["KN03"])
    for finding in found:
        if finding.patch:
            assert before <= kept(applied(bodies, finding))


def test_no_patch_copies_a_value_that_the_api_server_refuses() -> None:
    findings = verdict(documents(RULES["SV08"].bad.replace("app: webb", "app:web")))
    (labels,) = [finding for finding in findings if finding.code == "SV08"]
    assert labels.patch is None
    assert all(not finding.patch or not unknown_paths(list(finding.patch.operations)) for finding in findings)
