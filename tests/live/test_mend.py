"""What somebody changes or deletes by kubectl is repaired by `make up`, and an `up` that was killed is gone on with."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from hops.cli.updates.mend import free_addresses
from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from tests.live.conftest import SHARED as STACK
from tests.live.conftest import Shared
from tests.project import Project, answer, run

CONTOUR = "projectcontour"


@dataclass(frozen=True)
class Change:
    """What somebody does. reported: by `make up`. holds: a jsonpath of an object, and its declared value."""

    kubectl: Sequence[str]
    reported: str
    holds: tuple[str, str, str, str]


def patch(namespace: str, what: str, value: object) -> tuple[str, ...]:
    return ("patch", "--namespace", namespace, what, "--type=json", "--patch", json.dumps(value))


def _at(path: str, value: object, op: str = "replace") -> list[dict[str, object]]:
    return [{"op": op, "path": path, "value": value}]


GATE = (
    Change(
        ("delete", "--namespace", "apps", "pod/example-pod"),
        "Pod apps/example-pod is gone",
        ("apps", "pod/example-pod", "{.status.phase}", "Running"),
    ),
    Change(
        patch("apps", "service/my-service", _at("/spec/selector", {"app": "other"})),
        "Service apps/my-service has spec.selector",
        ("apps", "service/my-service", "{.spec.selector}", '{"service":"example-pod"}'),
    ),
    Change(
        ("scale", "--namespace", CONTOUR, "deployment/contour", "--replicas=0"),
        f"Deployment {CONTOUR}/contour has spec.replicas changed",
        (CONTOUR, "deployment/contour", "{.spec.replicas}", "1"),
    ),
    Change(
        patch(CONTOUR, "daemonset/envoy", _at("/spec/template/spec/nodeSelector", {"no": "where"}, "add")),
        f"DaemonSet {CONTOUR}/envoy has spec.template.spec.nodeSelector added",
        (CONTOUR, "daemonset/envoy", "{.spec.template.spec.nodeSelector}", ""),
    ),
)
OTHERS = (
    Change(
        patch("apps", "ingress/my-service-ingress", _at("/spec/rules/0/host", "elsewhere.localhost")),
        "Ingress apps/my-service-ingress has spec.rules changed",
        ("apps", "ingress/my-service-ingress", "{.spec.rules[0].host}", "my-service.shared.localhost"),
    ),
    Change(
        ("delete", "--namespace", "apps", "networkpolicy/my-service"),
        "NetworkPolicy apps/my-service is gone",
        ("apps", "networkpolicy/my-service", "{.metadata.name}", "my-service"),
    ),
    Change(
        patch(CONTOUR, "configmap/contour", _at("/data/contour.yaml", "disablePermitInsecure: true")),
        f"ConfigMap {CONTOUR}/contour has data.contour.yaml changed",
        (CONTOUR, "configmap/contour", "{.metadata.name}", "contour"),
    ),
    Change(
        ("label", "--namespace", "apps", "pod/example-pod", "more=label"),
        "Pod apps/example-pod has metadata.labels.more added",
        ("apps", "pod/example-pod", "{.metadata.labels.more}", ""),
    ),
)
GONE = (
    Change(
        ("delete", "--namespace", "apps", "ingress/my-service-ingress"),
        "Ingress apps/my-service-ingress is gone",
        ("apps", "ingress/my-service-ingress", "{.spec.rules[0].host}", "my-service.shared.localhost"),
    ),
    Change(
        ("delete", "namespace", "apps", "--wait=false"),
        "Namespace apps is gone",
        ("apps", "pod/example-pod", "{.status.phase}", "Running"),
    ),
)


@pytest.fixture(scope="module")
def running(shared: Shared) -> Project:
    shared.up()
    return shared.project


def _as_declared(running: Project, changes: Sequence[Change]) -> None:
    for change in changes:
        namespace, what, path, expected = change.holds
        value = running.kubectl(STACK, "get", "--namespace", namespace, what, "--output", f"jsonpath={path}")
        assert value == expected, change.reported
    assert answer(running.outputs(STACK)["curl"])[0] == 200
    again = running.up(STACK)
    assert "changed in the cluster" not in again
    assert re.search(r"looked for .*; no changes, \d+ unchanged\n", again), again


def _mended(running: Project, changes: Sequence[Change]) -> None:
    for change in changes:
        running.kubectl(STACK, *change.kubectl)
    for said in (running.preview(STACK), running.up(STACK)):
        for change in changes:
            assert f"changed in the cluster: {change.reported}" in said, said
    _as_declared(running, changes)


def test_what_kubectl_changed_is_repaired(running: Project) -> None:
    _mended(running, GATE)


@pytest.mark.long
def test_all_else_that_kubectl_changed_is_repaired(running: Project) -> None:
    text = running.kubectl(STACK, "get", "--namespace", CONTOUR, "configmap/contour", "--output", "jsonpath={.data}")
    _mended(running, OTHERS)
    after = running.kubectl(STACK, "get", "--namespace", CONTOUR, "configmap/contour", "--output", "jsonpath={.data}")
    assert after == text
    for change in GONE:
        _mended(running, (change,))


def _interrupted(running: Project, stop: Callable[[subprocess.Popen[str], int], None]) -> str:
    """What an `up` prints that is stopped as soon as it holds the stack's lock. stop: is given it and Pulumi's pid."""
    running.kubectl(STACK, "delete", "--namespace", "apps", "pod/example-pod")
    locks = running.folder / ".ingress-hops/state/.pulumi/locks/organization/ingress-hops" / STACK
    command = [".venv/bin/hops", "up", STACK]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=running.folder, env=running.environment, **streams) as up:
        deadline = time.monotonic() + 600
        while not (held := list(locks.glob("*.json"))):
            assert up.poll() is None, up.communicate()[0]
            assert time.monotonic() < deadline, "the up takes no lock"
            time.sleep(0.05)
        stop(up, int(json.loads(held[0].read_text())["pid"]))
        said, _ = up.communicate(timeout=120)
    assert up.returncode != 0, said
    return str(said)


@pytest.mark.long
def test_an_up_that_was_killed_is_gone_on_with(running: Project) -> None:
    _interrupted(running, lambda _, pulumi: os.kill(pulumi, signal.SIGKILL))
    again = running.up(STACK)
    assert f"freed the stack {STACK}: process " in again
    assert answer(running.outputs(STACK)["curl"])[0] == 200


@pytest.mark.costly
def test_ctrl_c_ends_an_up_in_order(running: Project) -> None:
    said = _interrupted(running, lambda up, _: up.send_signal(signal.SIGINT))
    assert f"make up STACK={STACK} continues from there" in said, said
    again = running.up(STACK)
    assert "freed the stack" not in again, "it left a lock"
    assert answer(running.outputs(STACK)["curl"])[0] == 200


def test_an_address_that_a_cut_off_apply_left_allocated_is_freed(running: Project) -> None:
    address = "10.96.0.40"
    labels = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io", "ipaddress.kubernetes.io/ip-family": "IPv4"}
    left = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {"name": address, "labels": labels},
        "spec": {"parentRef": {"group": "", "resource": "services", "namespace": "apps", "name": "other"}},
    }
    node, file = f"ingress-hops-{STACK}-control-plane", running.folder / "left.json"
    file.write_text(json.dumps(left))
    run("docker", "cp", str(file), f"{node}:/left.json")
    file.unlink()
    running.kubectl(STACK, "create", "--filename", "/left.json")
    service = ("service", "clusterip", "other", "--namespace", "apps", f"--clusterip={address}", "--tcp=80")
    with pytest.raises(AssertionError, match="provided IP is already allocated"):
        running.kubectl(STACK, "create", *service)
    cluster = {"name": f"ingress-hops-{STACK}"}
    intended = plan(settings(STACK, {"cluster": cluster, "services": [{"name": "other", "clusterIP": address}]}))
    assert free_addresses(intended) == [address]
    running.kubectl(STACK, "create", *service)
    assert free_addresses(intended) == []
    running.kubectl(STACK, "delete", "service", "other", "--namespace", "apps")


def test_kubectl_meets_the_stacks_cluster(running: Project) -> None:
    command = (".venv/bin/hops", "kubectl", STACK, "get", "pods", "--all-namespaces")
    done = subprocess.run(
        command, cwd=running.folder, env=running.environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "example-pod" in done.stdout
    assert run("docker", "ps", "--quiet", "--filter", f"name=ingress-hops-{STACK}-control-plane")
