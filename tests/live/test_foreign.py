"""A cluster that somebody else made: refused and untouched under our name, used where its context is named."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hops.model.versions import CALICO, NODE_IMAGE
from hops.observe.local.published_files import manifests_folder
from tests.project import Project, answer, containers, run

CLUSTER = "ingress-hops-local"


@pytest.fixture(scope="module")
def foreign(project: Project) -> Iterator[Path]:
    """The kubeconfig file of a cluster that carries the stack `local`'s name and is not its own."""
    assert containers(CLUSTER) == [], f"a cluster named {CLUSTER} is here already; these tests need that name"
    kubeconfig, config = project.folder / "foreign.yaml", project.folder / "kind.yaml"
    nodes = [{"role": "control-plane"}, {"role": "worker"}]
    cluster = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes}
    config.write_text(yaml.safe_dump({**cluster, "networking": {"disableDefaultCNI": True}}))
    image = os.environ.get("INGRESS_HOPS_NODE_IMAGE", NODE_IMAGE)
    files = ["--config", str(config), "--kubeconfig", str(kubeconfig)]
    run("kind", "create", "cluster", "--name", CLUSTER, "--image", image, *files)
    yield kubeconfig
    # A file that a failed test left would claim the cluster's name in the tests after it.
    (project.folder / "stacks" / "Pulumi.elsewhere.yaml").unlink(missing_ok=True)
    run("kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", str(kubeconfig))


def _identity() -> str:
    return run("docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *sorted(containers(CLUSTER)))


def test_a_cluster_of_somebody_else_is_refused_and_untouched(project: Project, foreign: Path) -> None:
    before, config = _identity(), foreign.read_bytes()
    assert "is not of this stack" in project.preview("local")
    refusal = project.up("local", fails=True)
    assert f"a kind cluster named {CLUSTER} exists" in refusal
    assert "nothing was changed" in refusal
    assert f"kind delete cluster --name {CLUSTER}" in refusal
    project.down("local")
    assert _identity() == before
    assert foreign.read_bytes() == config
    assert not [r for r in project.resources("local") if r["type"] == "command:local:Command"]


def _kubectl(*words: str) -> str:
    admin = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"]
    return run("docker", "exec", f"{CLUSTER}-control-plane", *admin, *words)


def _balance(address: str) -> None:
    """What a load balancer's controller does, which kind has none of: it gives Envoy's Service an address."""
    status = json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}})
    service = ["service", "envoy", "--namespace", "projectcontour"]
    for _ in range(240):
        time.sleep(0.5)
        try:
            _kubectl("patch", *service, "--subresource=status", "--type=merge", "--patch", status)
        except AssertionError:
            continue
        return


@pytest.mark.costly
def test_an_existing_cluster_is_used_by_its_context(project: Project, foreign: Path) -> None:
    """Contour stands behind a load balancer, the hop list says so, and down leaves the cluster alone."""
    calico = manifests_folder() / CALICO.file_name
    run("docker", "cp", str(calico), f"{CLUSTER}-control-plane:/calico.yaml")
    _kubectl("apply", "--server-side", "--filename", "/calico.yaml")
    _kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=120s")
    before = _identity()
    config = {
        "ingress-hops:cluster": {"existing": f"kind-{CLUSTER}", "httpsPort": None},
        "ingress-hops:services": [{"host": "my-service.elsewhere.localhost"}],
        # The cluster has the name that the stack `local` claims.
        "ingress-hops:policy": {"rules": {"XS03": {"level": "advisory"}}},
    }
    (project.folder / "stacks" / "Pulumi.elsewhere.yaml").write_text(yaml.safe_dump({"config": config}))
    theirs = Project(project.folder, project.environment | {"KUBECONFIG": str(foreign)})
    theirs.pulumi("stack", "init", "elsewhere")
    worker = run("docker", "inspect", "--format", "{{.NetworkSettings.Networks.kind.IPAddress}}", f"{CLUSTER}-worker")
    balancer = threading.Thread(target=_balance, args=(worker.strip(),))
    balancer.start()
    theirs.up("elsewhere")
    balancer.join()
    outputs = theirs.outputs("elsewhere")
    hops = {hop["name"]: hop for hop in outputs["hops"]}
    assert hops["load-balancer"]["address"] == worker.strip()
    pod = _kubectl("get", "pod", "my-service-pod", "--namespace", "apps", "--output", "jsonpath={.status.podIP}")
    assert hops["pod"]["address"] == pod
    assert f"my-service.elsewhere.localhost:80:{worker.strip()}" in outputs["curl"]
    deadline = time.monotonic() + 60
    while (status := answer(outputs["curl"])[0]) != 200 and time.monotonic() < deadline:
        time.sleep(1)
    assert status == 200
    theirs.down("elsewhere")
    theirs.pulumi("stack", "rm", "elsewhere", "--yes")
    assert _identity() == before
    assert "projectcontour" not in _kubectl("get", "namespaces", "--output", "name")
