"""A node that is not ready, and nodes that take no pod: T64 and T65."""

import pytest

from hops.model.finding import Level
from tests.hops.trace import faults
from tests.hops.trace.asked import codes, found
from tests.hops.trace.names import CONTROL, CONTROL_IP, JSON, POD, WORKER
from tests.hops.trace.observations import container, healthy
from tests.hops.trace.observations import found as get

KUBECTL = ".venv/bin/hops kubectl local"


def test_a_node_whose_kubelet_stopped_is_reported_and_the_kubelet_started_again() -> None:
    observation = healthy()
    faults.unready_node(observation)
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T64", None, Level.MANDATORY)
    assert finding.message == f"The node {WORKER} is not ready: its kubelet has stopped to report."
    assert finding.remedy == f"docker exec {WORKER} systemctl restart kubelet"
    assert finding.look.startswith(f"docker exec {WORKER} journalctl --unit kubelet")


def test_a_node_that_says_why_it_is_not_ready_is_only_looked_at() -> None:
    observation = healthy()
    faults.unready_node(observation)
    observation["docker"]["containers"] = []
    observation["cluster_name"] = observation["stack"] = None
    ready = next(one for one in get(observation, "Node", WORKER)["status"]["conditions"] if one["type"] == "Ready")
    ready |= {"status": "False", "reason": "KubeletNotReady", "message": "container runtime is down"}
    finding = next(one for one in found(observation) if one.code == "T64")
    assert "KubeletNotReady: container runtime is down" in finding.message
    assert finding.remedy == ""
    assert finding.look.endswith(f"describe node {WORKER}")


def test_a_kubelet_that_reports_is_not_started_again() -> None:
    observation = healthy()
    faults.unready_node(observation)
    ready = next(one for one in get(observation, "Node", WORKER)["status"]["conditions"] if one["type"] == "Ready")
    ready |= {"status": "False", "reason": "KubeletNotReady", "message": "container runtime is down"}
    (finding,) = found(observation)
    assert (finding.remedy, finding.look.split()[:3]) == ("", ["docker", "exec", WORKER])


def test_a_node_that_no_request_passes_is_left_alone() -> None:
    observation = healthy()
    next(one for one in get(observation, "Node", CONTROL)["status"]["conditions"])["status"] = "False"
    assert codes(observation) == []


def test_a_stopped_node_and_one_with_another_address_are_reported_as_that() -> None:
    stopped = healthy()
    faults.stopped(stopped)
    assert "T64" not in codes(stopped)
    moved = healthy()
    faults.unready_node(moved)
    container(moved, WORKER)["NetworkSettings"]["Networks"]["kind"]["IPAddress"] = CONTROL_IP
    assert "T46" in codes(moved)
    assert "T64" not in codes(moved)


_UNTOLERATED = (
    "0/2 nodes are available: 1 node(s) had untolerated taint {{{taint}}}, "
    "1 node(s) had untolerated taint {{node-role.kubernetes.io/control-plane: }}."
)
_NEWER = "0/2 nodes are available: 2 node(s) had untolerated taint(s). no new claims to deallocate."
"""Since Kubernetes 1.34."""
_PRESSURE = "node.kubernetes.io/disk-pressure"
_CASES = [
    (
        {"taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]},
        _UNTOLERATED.format(taint="dedicated: gpu"),
        "has the taint dedicated=gpu:NoSchedule",
        f"{KUBECTL} taint node {WORKER} dedicated=gpu:NoSchedule-",
    ),
    (
        {"taints": [{"key": "drain", "effect": "NoExecute"}]},
        _NEWER,
        "has the taint drain:NoExecute",
        f"{KUBECTL} taint node {WORKER} drain:NoExecute-",
    ),
    (
        {"unschedulable": True, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]},
        "0/2 nodes are available: 1 node(s) were unschedulable.",
        "is cordoned",
        f"{KUBECTL} uncordon {WORKER}",
    ),
    (
        {"taints": [{"key": _PRESSURE, "effect": "NoSchedule"}]},
        _UNTOLERATED.format(taint=f"{_PRESSURE}: "),
        "has disk-pressure",
        "",
    ),
]


def _kept_off(spec: JSON, message: str) -> JSON:
    observation = healthy()
    get(observation, "Node", CONTROL)["spec"]["taints"] = [
        {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    ]
    get(observation, "Node", WORKER)["spec"] |= spec
    faults.pending(observation, message)
    return observation


@pytest.mark.parametrize(("spec", "message", "what", "remedy"), _CASES)
def test_what_keeps_a_pod_off_the_nodes_is_reported(spec: JSON, message: str, what: str, remedy: str) -> None:
    (finding,) = found(_kept_off(spec, message))
    assert (finding.code, finding.hop) == ("T65", "pod")
    assert finding.message == f"No node can run the pod: {WORKER} {what}."
    assert finding.remedy == remedy


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "dedicated", "operator": "Exists"},
        {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
    ],
)
def test_a_taint_that_the_pod_tolerates_is_not_the_cause(toleration: JSON) -> None:
    taints = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}, {"key": "other", "effect": "NoSchedule"}]
    observation = _kept_off({"taints": taints}, _NEWER)
    get(observation, "Pod", POD)["spec"]["tolerations"] = [toleration]
    if "key" in toleration:
        assert "has the taint other:NoSchedule" in found(observation)[0].message
        assert "dedicated" not in found(observation)[0].evidence.partition("taint(s)")[2]
    else:
        assert codes(observation) == ["T42"]


def test_a_pod_that_no_node_takes_for_another_reason_does_not_run() -> None:
    observation = _kept_off({}, "0/2 nodes are available: 2 Insufficient memory.")
    assert codes(observation) == ["T42"]


def test_a_taint_that_keeps_nothing_off_is_left_alone() -> None:
    observation = healthy()
    get(observation, "Node", WORKER)["spec"]["taints"] = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]
    assert codes(observation) == []
