"""The pod and its process: T32, T40 to T44, and two faults at once."""

import shlex

import pytest

from hops.model.finding import Level
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import told
from tests.hops.trace.names import HOST, JSON, POD, POD_IP, WORKER
from tests.hops.trace.objects import thing
from tests.hops.trace.observations import added, failed, found, healthy, request, view, without

UP = "make up STACK=local"
KUBECTL = (".venv/bin/hops", "kubectl", "local", "--namespace", "apps")


def first(sight: JSON) -> tuple[str, str, str]:
    finding = trace(view(sight).sight).findings[0]
    return finding.message, finding.remedy, finding.evidence


def look(sight: JSON) -> tuple[str, ...]:
    return tuple(shlex.split(trace(view(sight).sight).findings[0].look))


def setting(sight: JSON) -> str:
    return trace(view(sight).sight).findings[0].setting


def test_a_readiness_probe_that_fails_while_the_process_serves() -> None:
    sight = healthy()
    faults.unready(sight)
    probe = {"httpGet": {"path": "/ready", "port": 8080}}
    found(sight, "Pod", POD)["spec"]["containers"][0]["readinessProbe"] = probe
    assert told(sight) == [("pod", "T32")]
    assert "readiness probe: httpGet /ready:8080" in first(sight)[2]
    assert first(sight)[1] == UP
    assert look(sight) == (*KUBECTL, "describe", "pod", POD)


def test_a_direct_request_is_evidence_for_the_pod_that_it_went_to_alone() -> None:
    sight = healthy()
    three_replicas(sight)
    faults.unready(sight)  # All of them: they share one status.
    cited = {
        finding.resource.name: f"request to {POD_IP}:8080 (pod)" in finding.evidence
        for finding in trace(view(sight).sight).findings
        if finding.code == "T32"
    }
    assert cited == {POD: True, f"{POD}-2": False, f"{POD}-3": False}


def test_a_pod_that_is_not_ready_since_it_cannot_be_reached_is_the_networks() -> None:
    sight = healthy()
    faults.unready(sight)
    failed(sight, "timeout", *faults.DIRECT)
    assert ("pod", "T32") not in told(sight)


def test_a_server_on_loopback() -> None:
    sight = healthy()
    faults.listening(sight, ("127.0.0.1", 8080))
    assert told(sight) == [("pod", "T40")]
    assert "127.0.0.1:8080" in first(sight)[2]
    assert first(sight)[1] == UP
    assert shlex.split(first(faults.unowned(sight))[1]) == [*KUBECTL, "edit", "pod", POD]


def test_a_server_on_another_port() -> None:
    sight = healthy()
    faults.listening(sight, ("0.0.0.0", 8081))
    assert told(sight) == [("pod", "T41")]
    assert "listens on 8081 and not on 8080" in first(sight)[0]


def test_a_refusal_tells_where_no_socket_could_be_seen() -> None:
    sight = healthy()
    faults.listening(sight)
    assert told(sight) == [("pod", "T41")]


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]", "*", POD_IP])
def test_a_server_that_can_be_reached_is_not_deaf(address: str) -> None:
    sight = healthy()
    faults.listening(sight, (address, 8080), ("127.0.0.1", 8080))
    failed(sight, "timeout", *faults.DIRECT)
    assert not {("pod", "T40"), ("pod", "T41")} & set(told(sight))


def test_sockets_of_the_kernels_own_table_are_read_as_well() -> None:
    sight = healthy()
    faults.listening(sight)
    space = next(one for one in sight["nodes"][1]["namespaces"] if POD_IP in one["links"])
    space["sockets"] = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  65534        0 7 1"
    assert told(sight) == [("pod", "T40")]


@pytest.mark.parametrize(
    "reason", ["CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError"]
)
def test_a_container_that_waits(reason: str) -> None:
    sight = healthy()
    faults.waiting(sight, reason, terminated={"reason": "Error", "exitCode": 1})
    failed(sight, "unreachable", *faults.DIRECT)
    sight["cluster"]["logs"][f"apps/{POD}/server previous"] = "Traceback\nOSError: no such directory"
    assert told(sight) == [("pod", "T42")]
    message, _, evidence = first(sight)
    assert reason in message
    assert "OSError: no such directory" in evidence


def test_the_last_line_is_of_the_container_and_of_none_whose_name_only_begins_like_its() -> None:
    sight = healthy()
    faults.waiting(sight, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    failed(sight, "unreachable", *faults.DIRECT)
    sight["cluster"]["logs"] |= {f"apps/{POD}/server2 previous": "another's", f"apps/{POD}/server": "its own"}
    assert f"log of apps/{POD}/server: its own" in first(sight)[2]
    assert "another's" not in first(sight)[2]
    assert look(sight) == (*KUBECTL, "logs", POD, "--container", "server", "--previous")


def test_an_image_that_cannot_be_had_is_the_stacks_setting_where_the_pod_has_it_from_there() -> None:
    sight = healthy()
    faults.waiting(sight, "ImagePullBackOff")
    failed(sight, "unreachable", *faults.DIRECT)
    service = view(sight).sight.stack.settings.services[0]  # type: ignore[union-attr]
    container = found(sight, "Pod", POD)["spec"]["containers"][0]
    container |= {"image": service.image, "command": list(service.command)}
    assert told(sight) == [("pod", "T42")]
    assert (setting(sight), first(sight)[1]) == ("stacks/Pulumi.local.yaml: services[0].image", UP)
    assert look(sight) == (*KUBECTL, "describe", "pod", POD)
    container["image"] = "registry.example/typo"
    assert (setting(sight), first(sight)[1]) == ("", UP)


def test_a_setting_is_that_of_the_traced_service() -> None:
    sight = healthy()
    faults.waiting(sight, "ImagePullBackOff")
    failed(sight, "unreachable", *faults.DIRECT)
    services = sight["stack"]["settings"]["services"]
    names = {"name": "other", "pod": "other-pod", "ingress": "other-ingress", "host": "other.localhost"}
    services.insert(0, {**services[0], **names})
    service = view(sight).sight.stack.settings.services[1]  # type: ignore[union-attr]
    container = found(sight, "Pod", POD)["spec"]["containers"][0]
    container |= {"image": service.image, "command": list(service.command)}
    assert setting(sight) == "stacks/Pulumi.local.yaml: services[1].image"


def test_a_container_that_was_killed_for_its_memory_and_runs_for_a_moment() -> None:
    sight = healthy()
    faults.unready(sight)
    status = faults.status(sight)["containerStatuses"][0]
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    status |= {"state": {"running": {"startedAt": "2026-11-24T09:59:50Z"}}, "lastState": ended, "restartCount": 3}
    failed(sight, "refused", *faults.DIRECT)
    assert told(sight) == [("pod", "T42")]
    assert "OOMKilled in container server, exit code 137" in first(sight)[0]


def test_a_container_that_crashed_long_ago_is_only_not_ready() -> None:
    sight = healthy()
    faults.unready(sight)
    faults.status(sight)["containerStatuses"][0]["lastState"] = {"terminated": {"reason": "Unknown", "exitCode": 255}}
    assert told(sight) == [("pod", "T32")]


@pytest.mark.parametrize(
    ("lasted", "code"),
    [("2026-11-24T09:57:59Z", "T32"), ("2026-11-24T09:57:38Z", "T32"), ("2026-11-24T09:50:00Z", "T42")],
)
def test_a_container_that_runs_for_longer_than_the_last_time_does_not_crash_now(lasted: str, code: str) -> None:
    """It runs since 90 s, and ran for a second, for 22 s or for minutes before it crashed."""
    sight = healthy()
    faults.unready(sight)
    end = {"exitCode": 1, "reason": "Error", "startedAt": lasted, "finishedAt": "2026-11-24T09:58:00Z"}
    faults.status(sight)["containerStatuses"][0] |= {
        "state": {"running": {"startedAt": "2026-11-24T09:58:30Z"}},
        "lastState": {"terminated": end},
    }
    assert told(sight) == [("pod", code)]


def test_a_pod_that_no_node_takes() -> None:
    sight = healthy()
    faults.unready(sight)
    status = faults.status(sight)
    scheduled = next(c for c in status["conditions"] if c["type"] == "PodScheduled")
    scheduled |= {"status": "False", "reason": "Unschedulable", "message": "0/2 nodes: Insufficient memory"}
    status |= {"phase": "Pending", "podIP": "", "containerStatuses": []}
    del found(sight, "Pod", POD)["spec"]["nodeName"]
    failed(sight, "unreachable", *faults.DIRECT)
    assert told(sight) == [("pod", "T42")]
    assert "Insufficient memory" in first(sight)[2]


def test_an_evicted_pod() -> None:
    sight = healthy()
    faults.unready(sight)
    faults.status(sight).update({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."})
    faults.status(sight)["containerStatuses"] = []
    failed(sight, "unreachable", *faults.DIRECT)
    assert told(sight) == [("pod", "T42")]
    assert first(sight)[1].endswith(f"delete pod {POD}")


def test_a_pod_without_a_network_is_the_networks_where_calico_is_away() -> None:
    sight = healthy()
    faults.waiting(sight, "ContainerCreating")
    faults.status(sight).update({"phase": "Pending", "podIP": ""})
    about = {"kind": "Pod", "name": POD, "namespace": "apps"}
    message = 'plugin type="calico" failed (add): error getting ClusterInformation'
    told_ = {"involvedObject": about, "reason": "FailedCreatePodSandBox", "message": message}
    added(sight, thing("v1", "Event", "e.1", "apps", **told_))
    assert told(sight) == [("pod", "T42")], "while Calico runs, the pod itself is all that can be told"
    without(sight, "Pod", "calico-node-5kq8v")
    assert told(sight) == [("endpoint", "T37")]


def test_a_pod_that_crashes_for_want_of_inotify_instances_is_the_machines() -> None:
    sight = healthy()
    faults.waiting(sight, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    failed(sight, "refused", *faults.DIRECT)
    sight["cluster"]["logs"][f"apps/{POD}/server previous"] = "inotify_init: too many open files"
    assert told(sight) == [("pod", "T42")], "the limits are high enough"
    sight["host"]["inotify"]["max_user_instances"] = 128
    assert told(sight) == [(None, "T49")]


def test_the_apps_own_404() -> None:
    sight = healthy()
    sight["asked"]["path"] = "/etc/passwd"
    for place in (*faults.THROUGH_ENVOY, *faults.DIRECT):
        request(sight, place)["status"] = 404
    assert told(sight) == [("pod", "T43")]
    assert "404 for /etc/passwd itself" in first(sight)[0]
    assert first(sight)[1] == UP
    assert look(sight) == (*KUBECTL, "logs", POD, "--tail", "20")


def test_envoys_own_404_is_not_the_apps() -> None:
    sight = healthy()
    faults.not_found(sight)
    assert ("pod", "T43") not in told(sight)


@pytest.mark.parametrize("status", [500, 503])
def test_the_apps_own_failure(status: int) -> None:
    sight = healthy()
    for place in (*faults.THROUGH_ENVOY, *faults.DIRECT):
        request(sight, place)["status"] = status
    assert told(sight) == [("pod", "T44")]
    assert first(sight)[1] == UP
    assert look(sight) == (*KUBECTL, "logs", POD, "--tail", "20")


def test_an_app_that_takes_the_connection_and_is_silent() -> None:
    sight = healthy()
    for place in (*faults.THROUGH_ENVOY, *faults.DIRECT):
        failed(sight, "timeout", place)
        request(sight, place)["seconds"] = {"name": 0.0, "connect": 0.001, "total": 4.0}
    assert told(sight) == [("pod", "T44")]
    assert "sent nothing in 4 s" in first(sight)[0]


def test_a_pod_that_takes_no_connection_is_not_slow() -> None:
    sight = healthy()
    failed(sight, "503", *faults.THROUGH_ENVOY)
    for place in faults.DIRECT:
        failed(sight, "timeout", place)
        request(sight, place)["seconds"] = {"name": 0.0, "total": 4.0}
    assert ("pod", "T44") not in told(sight)


def test_an_answer_without_the_expected_text() -> None:
    sight = healthy()
    sight["asked"]["expect"] = "hello"
    request(sight, "client")["expected"] = False
    assert told(sight) == [("pod", "T44")]
    request(sight, "client")["expected"] = True
    assert told(sight) == []


# Two faults at once


def test_two_faults_are_told_in_the_order_of_the_path() -> None:
    sight = healthy()
    found(sight, "Service", "my-service")["spec"]["selector"] = {"service": "exampel-pod"}
    faults.listening(sight, ("127.0.0.1", 8080))
    found(sight, "EndpointSlice", "my-service-8fmwz")["endpoints"] = []
    assert told(sight) == [("endpoint", "SV01"), ("pod", "T40")]


def test_a_route_and_a_pod_fail_together() -> None:
    sight = healthy()
    faults.ingress(sight)["spec"]["ingressClassName"] = "nginx"
    faults.waiting(sight, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    faults.listenerless(sight)
    failed(sight, "refused", *faults.DIRECT)
    assert told(sight) == [("route", "IN09"), ("pod", "T42")]


# Healthy variants


def without_class(sight: JSON) -> None:
    del faults.ingress(sight)["spec"]["ingressClassName"]


def unnamed_port(sight: JSON) -> None:
    del found(sight, "Service", "my-service")["spec"]["ports"][0]["name"]


def undeclared_port(sight: JSON) -> None:
    del found(sight, "Pod", POD)["spec"]["containers"][0]["ports"]


def three_replicas(sight: JSON) -> None:
    sight["stack"]["settings"]["services"][0]["replicas"] = 3
    for number in (2, 3):
        more = {**found(sight, "Pod", POD)}
        more["metadata"] = {**more["metadata"], "name": f"{POD}-{number}"}
        more["status"] = {**more["status"], "podIP": f"10.244.81.{80 + number}"}
        added(sight, more)


@pytest.mark.parametrize("variant", [without_class, unnamed_port, undeclared_port, three_replicas])
def test_a_healthy_variant_has_no_finding(variant: object) -> None:
    sight = healthy()
    variant(sight)  # type: ignore[operator]
    assert told(sight) == []


def test_a_host_in_capital_letters_is_the_same_host() -> None:
    sight = healthy()
    sight["asked"]["host"] = HOST.upper()
    assert told(sight) == []


def test_a_missing_pod_of_the_plan() -> None:
    sight = healthy()
    without(sight, "Pod", POD)
    faults.no_endpoints(sight)
    failed(sight, "unreachable", *faults.DIRECT)
    assert told(sight) == [("pod", "T42")]
    assert first(sight)[0] == "The pod does not exist."
    assert first(sight)[1] == UP
    assert look(sight) == (*KUBECTL, "get", "pods")
    service = view(sight).sight.stack.settings.services[0]  # type: ignore[union-attr]
    assert shlex.split(first(faults.unowned(sight))[1]) == [
        *(*KUBECTL, "run", POD, "--image", service.image, "--port", "8080", "--labels", f"service={POD}"),
        *("--command", "--", *service.command),
    ]


def test_a_pod_on_a_stopped_node_is_the_nodes_matter() -> None:
    sight = healthy()
    faults.unready(sight)
    faults.stopped(sight)
    assert not {"T16", "T20", "T32", "T42", "T45"} & {code for _, code in told(sight)}


def test_a_pod_that_failed_before_its_node_stopped_is_told_as_well() -> None:
    sight = healthy()
    faults.waiting(sight, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    faults.stopped(sight)
    assert ("pod", "T42") in told(sight)


def test_behind_an_ingress_that_takes_the_requests_the_pods_own_fault_is_told() -> None:
    sight = healthy()
    faults.claimed_twice(sight)
    for place in faults.DIRECT:
        request(sight, place)["status"] = 404
    assert told(sight) == [("route", "IN05"), ("pod", "T43")]


def test_a_node_that_is_not_ready_takes_its_pods_readiness_along() -> None:
    sight = healthy()
    faults.unready(sight)
    conditions = found(sight, "Node", WORKER)["status"]["conditions"]
    next(one for one in conditions if one["type"] == "Ready")["status"] = "Unknown"
    assert ("pod", "T32") not in told(sight)


def deployed() -> JSON:
    """A healthy path to the pod of a Deployment."""
    sight = healthy()
    service = sight["stack"]["settings"]["services"][0]
    service |= {"name": "my-service", "kind": "Deployment", "pod": "my-service-pod"}
    metadata = found(sight, "Pod", POD)["metadata"]
    metadata["labels"]["service"] = "my-service-pod"
    metadata["ownerReferences"] = [{"kind": "ReplicaSet", "name": "my-service-1", "controller": True}]
    found(sight, "Service", "my-service")["spec"]["selector"] = {"service": "my-service-pod"}
    return sight


def test_the_pods_of_a_deployment_are_those_with_its_label() -> None:
    assert told(deployed()) == []
    sight = deployed()
    faults.listening(sight, ("127.0.0.1", 8080))
    assert told(sight) == [("pod", "T40")]
    assert first(sight)[1] == UP
    assert shlex.split(first(faults.unowned(sight))[1])[-3:] == ["edit", "deployment", "my-service"]


def test_a_deployment_without_a_pod() -> None:
    sight = deployed()
    without(sight, "Pod", POD)
    faults.no_endpoints(sight)
    failed(sight, "unreachable", *faults.DIRECT)
    assert told(sight) == [("pod", "T42")]
    assert first(sight)[:2] == ("The Deployment has no pod.", UP)


POD_IPV6 = "fd00:10:244::2"


def with_both_families(sight: JSON) -> None:
    """Gives the pod and the endpoints of its Service an IPv6 address as well."""
    faults.status(sight)["podIPs"] = [{"ip": POD_IP}, {"ip": POD_IPV6}]
    endpoints = [{"addresses": [POD_IPV6], "conditions": {"ready": True}}]
    labels = {"kubernetes.io/service-name": "my-service"}
    ports = [{"port": 8080}]
    added(
        sight,
        thing(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "my-service-v6",
            "apps",
            labels=labels,
            addressType="IPv6",
            endpoints=endpoints,
            ports=ports,
        ),
    )


@pytest.mark.parametrize("address", ["*", "[::]"])
def test_a_server_on_both_families_is_left_alone(address: str) -> None:
    sight = healthy()
    with_both_families(sight)
    faults.listening(sight, (address, 8080))
    assert ("pod", "T90") not in told(sight)


def test_a_server_on_ipv4_only_refuses_every_second_connection() -> None:
    sight = healthy()
    with_both_families(sight)
    space = next(one for one in sight["nodes"][1]["namespaces"] if POD_IP in one["links"])
    space["sockets"] = "LISTEN 0 5 0.0.0.0:8080 0.0.0.0:*"
    (finding,) = [one for one in trace(view(sight).sight).findings if one.code == "T90"]
    assert finding.level is Level.ADVISORY, "the followed request was answered"
    assert f"listens on 0.0.0.0:8080, and Envoy connects to [{POD_IPV6}]:8080 as well" in finding.message
    failed(sight, "503", "client", "node", "envoy")
    (finding,) = [one for one in trace(view(sight).sight).findings if one.code == "T90"]
    assert finding.level is Level.MANDATORY


def test_a_service_of_ipv4_only_needs_no_ipv6_server() -> None:
    sight = healthy()
    faults.status(sight)["podIPs"] = [{"ip": POD_IP}, {"ip": POD_IPV6}]
    space = next(one for one in sight["nodes"][1]["namespaces"] if POD_IP in one["links"])
    space["sockets"] = "LISTEN 0 5 0.0.0.0:8080 0.0.0.0:*"
    assert told(sight) == []
