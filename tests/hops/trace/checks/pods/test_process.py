"""Processes that take no request, and pods that are not let in: T66 to T69."""

import shlex

import pytest

from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import reported
from tests.hops.trace.names import JSON, POD, POD_IP, WORKER
from tests.hops.trace.objects import thing
from tests.hops.trace.observations import added, failed, found, healthy, node, request, view, without

UP = "make up STACK=local"


def runs(observation: JSON, *lines: str) -> JSON:
    """The processes of the pod's network namespace."""
    space = next(one for one in node(observation)["namespaces"] if POD_IP in one["links"])
    space["processes"] = "\n".join(["901 S 5 1048576 pause", *lines])
    return observation


def hanging() -> JSON:
    return hang(healthy())


def hang(observation: JSON) -> JSON:
    """Lets the pod take connections and send nothing."""
    failed(observation, "timeout", *faults.THROUGH_ENVOY, *faults.DIRECT, "service")
    for place in faults.DIRECT:
        request(observation, place)["seconds"] = {"connect": 0.001, "total": 4.0}
    return observation


def first(observation: JSON) -> tuple[str, str, str]:
    finding = trace(view(observation).observation).findings[0]
    return finding.message, finding.remedy, finding.evidence


@pytest.mark.parametrize(("state", "by"), [("T", "SIGSTOP"), ("t", "a debugger")])
def test_a_stopped_process(state: str, by: str) -> None:
    observation = runs(hanging(), f"934 {state} 5 1048576 python")
    finding = trace(view(observation).observation).findings[0]
    assert reported(observation) == [("pod", "T66")]
    assert by in finding.message
    assert finding.resource.name == POD
    mend = ["docker", "exec", WORKER, "kill", "-CONT", "934"]
    assert shlex.split(finding.remedy) == (mend if state == "T" else [])


def test_a_process_without_descriptors() -> None:
    observation = runs(hanging(), "934 S 64 64 python")
    message, remedy, evidence = first(observation)
    assert reported(observation) == [("pod", "T67")]
    assert "all of its 64 file descriptors" in message
    assert remedy.endswith(f"delete pod {POD} && {UP}")
    assert "64 of 64" in evidence


@pytest.mark.parametrize("line", ["934 S 63 64 python", "934 S 90000 unlimited python", "934 R 5 1048576 python", "?"])
def test_a_process_that_only_hangs_is_the_apps(line: str) -> None:
    assert reported(runs(hanging(), line)) == [("pod", "T44")]


def test_a_stopped_helper_beside_an_answer_is_left_alone() -> None:
    assert reported(runs(healthy(), "934 T 5 1048576 python", "935 S 64 64 python")) == []


# T68


def podless() -> JSON:
    return without_pod(healthy())


def without_pod(observation: JSON) -> JSON:
    """Takes the pod away, as if the API had not let it in."""
    without(observation, "Pod", POD)
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"] = []
    faults.no_endpoints(observation)
    observation["requests"] = [one for one in observation["requests"] if one["where"] not in faults.DIRECT]
    return observation


def quota(**hard: str) -> JSON:
    hard = {key.replace("__", "."): value for key, value in hard.items()}
    used = dict.fromkeys(hard, "0")
    return thing("v1", "ResourceQuota", "small", "apps", spec={"hard": hard}, status={"hard": hard, "used": used})


def test_a_quota_without_room() -> None:
    observation = podless()
    added(observation, quota(pods="0"))
    message, remedy, _ = first(observation)
    assert reported(observation) == [("pod", "T68")]
    assert "0 of 0 pods are used" in message
    assert shlex.split(remedy)[-5:-3] == ['{"spec":{"hard":{"pods":null}}}', "&&"]
    assert remedy.endswith(UP)


def test_a_quota_that_asks_for_limits() -> None:
    observation = podless()
    added(observation, quota(limits__memory="1Gi"))
    assert reported(observation) == [("pod", "T68")]
    assert "the pod sets none" in first(observation)[0]


def test_a_quota_with_room_is_not_the_cause() -> None:
    observation = podless()
    added(observation, quota(pods="3"))
    assert [code for _, code in reported(observation)] == ["T42"]


def test_a_limit_range_below_what_the_pod_asks_for() -> None:
    observation = podless()
    observation["stack"]["settings"]["services"][0]["resources"] = {"limits": {"memory": "256Mi"}}
    limits = [{"type": "Container", "max": {"memory": "128Mi"}}]
    added(observation, thing("v1", "LimitRange", "small", "apps", spec={"limits": limits}))
    finding = trace(view(observation).observation).findings[0]
    assert reported(observation) == [("pod", "T68")]
    assert "asks for 256Mi memory, and max is 128Mi" in finding.message
    assert finding.setting == "stacks/Pulumi.local.yaml: services[0].resources"


def test_a_limit_range_that_the_pod_keeps_to_is_not_the_cause() -> None:
    observation = podless()
    observation["stack"]["settings"]["services"][0]["resources"] = {"limits": {"memory": "64Mi"}}
    limits = [{"type": "Container", "max": {"memory": "128Mi"}, "min": {"memory": "64Mi"}}]
    added(observation, thing("v1", "LimitRange", "small", "apps", spec={"limits": limits}))
    assert [code for _, code in reported(observation)] == ["T42"]


def test_an_event_of_a_replica_set_quotes_the_refusal() -> None:
    observation = podless()
    said = (
        'pods "my-service-6d8-" is forbidden: exceeded quota: small, requested: pods=1, used: pods=4, limited: pods=4'
    )
    event = thing("v1", "Event", "e", "apps", type="Warning", reason="FailedCreate", message=said)
    event["involvedObject"] = {"kind": "ReplicaSet", "namespace": "apps", "name": "my-service-6d8"}
    added(observation, quota(pods="4"), event)
    assert reported(observation) == [("pod", "T68")]
    assert "exceeded quota: small" in first(observation)[2]


def test_a_quota_is_no_fault_of_a_pod_that_runs() -> None:
    observation = healthy()
    added(observation, quota(pods="0"))
    assert reported(observation) == []


# T69


def test_an_image_of_another_architecture() -> None:
    observation = healthy()
    faults.waiting(observation, "CrashLoopBackOff", terminated={"exitCode": 255, "reason": "Error"})
    failed(observation, "refused", *faults.DIRECT)
    container = found(observation, "Pod", POD)["spec"]["containers"][0]["name"]
    observation["cluster"]["logs"][f"apps/{POD}/{container} previous"] = "exec /program/app: exec format error"
    found(observation, "Node", WORKER)["status"]["nodeInfo"] = {"architecture": "amd64"}
    node(observation)["namespaces"] = []
    assert reported(observation) == [("pod", "T69")]
    message, remedy, evidence = first(observation)
    assert "does not run on amd64" in message
    assert remedy == UP
    assert "exec format error" in evidence
