"""The pod and its process: T32, T40 to T44, and two faults at once."""

import shlex
from typing import Any

import pytest

from hops.model.finding import Finding, Level
from hops.model.hop import HopName
from hops.trace.facts.evidence import found as seen_at
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.checks.envoy.test_route_kinds import planned_proxy
from tests.hops.trace.faults import reported
from tests.hops.trace.names import HOST, JSON, POD, POD_IP, POD_IPV6, WORKER
from tests.hops.trace.objects import thing
from tests.hops.trace.observations import added, dual, failed, found, healthy, node, request, view, without

UP = "make up STACK=local"
KUBECTL = (".venv/bin/hops", "kubectl", "local", "--namespace", "apps")


def first(observation: JSON) -> tuple[str, str, str]:
    finding = trace(view(observation).observation).findings[0]
    return finding.message, finding.remedy, finding.evidence


def look(observation: JSON) -> tuple[str, ...]:
    return tuple(shlex.split(trace(view(observation).observation).findings[0].look))


def setting(observation: JSON) -> str:
    return trace(view(observation).observation).findings[0].setting


def test_a_readiness_probe_that_fails_while_the_process_serves() -> None:
    observation = healthy()
    faults.unready(observation)
    probe = {"httpGet": {"path": "/ready", "port": 8080}}
    found(observation, "Pod", POD)["spec"]["containers"][0]["readinessProbe"] = probe
    assert reported(observation) == [("pod", "T32")]
    assert "readiness probe: httpGet /ready:8080" in first(observation)[2]
    assert first(observation)[1] == UP
    assert look(observation) == (*KUBECTL, "describe", "pod", POD)


def test_a_direct_request_is_evidence_for_the_pod_that_it_went_to_alone() -> None:
    observation = healthy()
    three_replicas(observation)
    faults.unready(observation)  # All of them: they share one status.
    cited = {
        finding.resource.name: f"request to {POD_IP}:8080 (pod)" in finding.evidence
        for finding in trace(view(observation).observation).findings
        if finding.code == "T32"
    }
    assert cited == {POD: True, f"{POD}-2": False, f"{POD}-3": False}


def test_a_pod_that_is_not_ready_since_it_cannot_be_reached_is_the_networks() -> None:
    observation = healthy()
    faults.unready(observation)
    failed(observation, "timeout", *faults.DIRECT)
    assert ("pod", "T32") not in reported(observation)


def test_a_server_on_loopback() -> None:
    observation = healthy()
    faults.listening(observation, ("127.0.0.1", 8080))
    assert reported(observation) == [("pod", "T40")]
    assert "127.0.0.1:8080" in first(observation)[2]
    assert first(observation)[1] == UP
    assert shlex.split(first(faults.unowned(observation))[1]) == [*KUBECTL, "edit", "pod", POD]


def test_a_server_on_another_port() -> None:
    observation = healthy()
    faults.listening(observation, ("0.0.0.0", 8081))
    assert reported(observation) == [("pod", "T41")]
    assert "listens on 8081 and not on 8080" in first(observation)[0]


def test_a_refusal_tells_where_no_socket_could_be_seen() -> None:
    observation = healthy()
    faults.listening(observation)
    assert reported(observation) == [("pod", "T41")]


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]", "*", POD_IP])
def test_a_server_that_can_be_reached_is_not_deaf(address: str) -> None:
    observation = healthy()
    faults.listening(observation, (address, 8080), ("127.0.0.1", 8080))
    failed(observation, "timeout", *faults.DIRECT)
    assert not {("pod", "T40"), ("pod", "T41")} & set(reported(observation))


@pytest.mark.parametrize(
    ("address", "shown"), [("0.0.0.0", POD_IP), ("[::]", POD_IP), ("*", POD_IP), (POD_IP, POD_IP), ("127.0.0.1", None)]
)
def test_a_pod_is_shown_at_the_address_that_leads_to_its_server(address: str, shown: str | None) -> None:
    observation = healthy()
    faults.listening(observation, (address, 8080))
    seen = seen_at(view(observation), HopName.POD)
    assert str(seen.value) == f"{shown or address}:8080"
    assert f"listens in its namespace: {address}:8080" in seen.evidence


def test_sockets_of_the_kernels_own_table_are_read_as_well() -> None:
    observation = healthy()
    faults.listening(observation)
    space = next(one for one in observation["nodes"][1]["namespaces"] if POD_IP in one["links"])
    space["sockets"] = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  65534        0 7 1"
    assert reported(observation) == [("pod", "T40")]


@pytest.mark.parametrize(
    "reason", ["CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError"]
)
def test_a_container_that_waits(reason: str) -> None:
    observation = healthy()
    faults.waiting(observation, reason, terminated={"reason": "Error", "exitCode": 1})
    failed(observation, "unreachable", *faults.DIRECT)
    observation["cluster"]["logs"][f"apps/{POD}/server previous"] = "Traceback\nOSError: no such directory"
    assert reported(observation) == [("pod", "T42")]
    message, _, evidence = first(observation)
    assert reason in message
    assert "OSError: no such directory" in evidence


def test_the_last_line_is_of_the_container_and_of_none_whose_name_only_begins_like_its() -> None:
    observation = healthy()
    faults.waiting(observation, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    failed(observation, "unreachable", *faults.DIRECT)
    observation["cluster"]["logs"] |= {f"apps/{POD}/server2 previous": "another's", f"apps/{POD}/server": "its own"}
    assert f"log of apps/{POD}/server: its own" in first(observation)[2]
    assert "another's" not in first(observation)[2]
    assert look(observation) == (*KUBECTL, "logs", POD, "--container", "server", "--previous")


def test_an_image_that_cannot_be_had_is_the_stacks_setting_where_the_pod_has_it_from_there() -> None:
    observation = healthy()
    faults.waiting(observation, "ImagePullBackOff")
    failed(observation, "unreachable", *faults.DIRECT)
    service = view(observation).observation.stack.settings.services[0]  # type: ignore[union-attr]
    container = found(observation, "Pod", POD)["spec"]["containers"][0]
    container |= {"image": service.image, "command": list(service.command)}
    assert reported(observation) == [("pod", "T42")]
    assert (setting(observation), first(observation)[1]) == ("stacks/Pulumi.local.yaml: services[0].image", UP)
    assert look(observation) == (*KUBECTL, "describe", "pod", POD)
    container["image"] = "registry.example/typo"
    assert (setting(observation), first(observation)[1]) == ("", UP)


def test_a_setting_is_that_of_the_traced_service() -> None:
    observation = healthy()
    faults.waiting(observation, "ImagePullBackOff")
    failed(observation, "unreachable", *faults.DIRECT)
    services = observation["stack"]["settings"]["services"]
    names = {"name": "other", "pod": "other-pod", "ingress": "other-ingress", "host": "other.localhost"}
    services.insert(0, {**services[0], **names})
    service = view(observation).observation.stack.settings.services[1]  # type: ignore[union-attr]
    container = found(observation, "Pod", POD)["spec"]["containers"][0]
    container |= {"image": service.image, "command": list(service.command)}
    assert setting(observation) == "stacks/Pulumi.local.yaml: services[1].image"


def test_a_container_that_was_killed_for_its_memory_and_runs_for_a_moment() -> None:
    observation = healthy()
    faults.unready(observation)
    status = faults.status(observation)["containerStatuses"][0]
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    status |= {"state": {"running": {"startedAt": "2026-11-24T09:59:50Z"}}, "lastState": ended, "restartCount": 3}
    failed(observation, "refused", *faults.DIRECT)
    assert reported(observation) == [("pod", "T42")]
    assert "OOMKilled in container server, exit code 137" in first(observation)[0]


def test_a_container_that_crashed_long_ago_is_only_not_ready() -> None:
    observation = healthy()
    faults.unready(observation)
    faults.status(observation)["containerStatuses"][0]["lastState"] = {
        "terminated": {"reason": "Unknown", "exitCode": 255}
    }
    assert reported(observation) == [("pod", "T32")]


@pytest.mark.parametrize(
    ("lasted", "code"),
    [("2026-11-24T09:57:59Z", "T32"), ("2026-11-24T09:57:38Z", "T32"), ("2026-11-24T09:50:00Z", "T42")],
)
def test_a_container_that_runs_for_longer_than_the_last_time_does_not_crash_now(lasted: str, code: str) -> None:
    """It runs since 90 s, and ran for a second, for 22 s or for minutes before it crashed."""
    observation = healthy()
    faults.unready(observation)
    end = {"exitCode": 1, "reason": "Error", "startedAt": lasted, "finishedAt": "2026-11-24T09:58:00Z"}
    faults.status(observation)["containerStatuses"][0] |= {
        "state": {"running": {"startedAt": "2026-11-24T09:58:30Z"}},
        "lastState": {"terminated": end},
    }
    assert reported(observation) == [("pod", code)]


def test_a_pod_that_no_node_takes() -> None:
    observation = healthy()
    faults.unready(observation)
    status = faults.status(observation)
    scheduled = next(c for c in status["conditions"] if c["type"] == "PodScheduled")
    scheduled |= {"status": "False", "reason": "Unschedulable", "message": "0/2 nodes: Insufficient memory"}
    status |= {"phase": "Pending", "podIP": "", "containerStatuses": []}
    del found(observation, "Pod", POD)["spec"]["nodeName"]
    failed(observation, "unreachable", *faults.DIRECT)
    assert reported(observation) == [("pod", "T42")]
    assert "Insufficient memory" in first(observation)[2]


def test_an_evicted_pod() -> None:
    observation = healthy()
    faults.unready(observation)
    faults.status(observation).update(
        {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}
    )
    faults.status(observation)["containerStatuses"] = []
    failed(observation, "unreachable", *faults.DIRECT)
    assert reported(observation) == [("pod", "T42")]
    assert first(observation)[1].endswith(f"delete pod {POD}")


def test_a_pod_without_a_network_is_the_networks_where_calico_is_away() -> None:
    observation = healthy()
    faults.waiting(observation, "ContainerCreating")
    faults.status(observation).update({"phase": "Pending", "podIP": ""})
    about = {"kind": "Pod", "name": POD, "namespace": "apps"}
    message = 'plugin type="calico" failed (add): error getting ClusterInformation'
    event = {"involvedObject": about, "reason": "FailedCreatePodSandBox", "message": message}
    added(observation, thing("v1", "Event", "e.1", "apps", **event))
    assert reported(observation) == [("pod", "T42")], "while Calico runs, the pod itself is all that can be reported"
    without(observation, "Pod", "calico-node-5kq8v")
    assert reported(observation) == [("endpoint", "T37")]


def test_a_pod_that_crashes_for_want_of_inotify_instances_is_the_machines() -> None:
    observation = healthy()
    faults.waiting(observation, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    failed(observation, "refused", *faults.DIRECT)
    observation["cluster"]["logs"][f"apps/{POD}/server previous"] = "inotify_init: too many open files"
    assert reported(observation) == [("pod", "T42")], "the limits are high enough"
    observation["host"]["inotify"]["max_user_instances"] = 128
    assert reported(observation) == [(None, "T49")]


def test_the_apps_own_404() -> None:
    observation = healthy()
    observation["asked"]["path"] = "/etc/passwd"
    for place in (*faults.THROUGH_ENVOY, *faults.DIRECT):
        request(observation, place)["status"] = 404
    assert reported(observation) == [("pod", "T43")]
    assert "404 for /etc/passwd itself" in first(observation)[0]
    assert first(observation)[1] == UP
    assert look(observation) == (*KUBECTL, "logs", POD, "--tail", "20")


def test_envoys_own_404_is_not_the_apps() -> None:
    observation = healthy()
    faults.not_found(observation)
    assert ("pod", "T43") not in reported(observation)


@pytest.mark.parametrize("status", [500, 503])
def test_the_apps_own_failure(status: int) -> None:
    observation = healthy()
    for place in (*faults.THROUGH_ENVOY, *faults.DIRECT):
        request(observation, place)["status"] = status
    assert reported(observation) == [("pod", "T44")]
    assert first(observation)[1] == UP
    assert look(observation) == (*KUBECTL, "logs", POD, "--tail", "20")


def test_an_app_that_takes_the_connection_and_is_silent() -> None:
    observation = healthy()
    for place in (*faults.THROUGH_ENVOY, *faults.DIRECT):
        failed(observation, "timeout", place)
        request(observation, place)["seconds"] = {"name": 0.0, "connect": 0.001, "total": 4.0}
    assert reported(observation) == [("pod", "T44")]
    assert "sent nothing in 4 s" in first(observation)[0]


def test_a_pod_that_takes_no_connection_is_not_slow() -> None:
    observation = healthy()
    failed(observation, "503", *faults.THROUGH_ENVOY)
    for place in faults.DIRECT:
        failed(observation, "timeout", place)
        request(observation, place)["seconds"] = {"name": 0.0, "total": 4.0}
    assert ("pod", "T44") not in reported(observation)


def test_an_answer_without_the_expected_text() -> None:
    observation = healthy()
    observation["asked"]["expect"] = "hello"
    request(observation, "client")["expected"] = False
    assert reported(observation) == [("pod", "T44")]
    request(observation, "client")["expected"] = True
    assert reported(observation) == []


# Two faults at once


def test_two_faults_are_reported_in_the_order_of_the_path() -> None:
    observation = healthy()
    found(observation, "Service", "my-service")["spec"]["selector"] = {"service": "exampel-pod"}
    faults.listening(observation, ("127.0.0.1", 8080))
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"] = []
    assert reported(observation) == [("endpoint", "SV01"), ("pod", "T40")]


def test_a_route_and_a_pod_fail_together() -> None:
    observation = healthy()
    faults.ingress(observation)["spec"]["ingressClassName"] = "nginx"
    faults.waiting(observation, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    faults.listenerless(observation)
    failed(observation, "refused", *faults.DIRECT)
    assert reported(observation) == [("route", "IN09"), ("pod", "T42")]


# Healthy variants


def without_class(observation: JSON) -> None:
    del faults.ingress(observation)["spec"]["ingressClassName"]


def unnamed_port(observation: JSON) -> None:
    del found(observation, "Service", "my-service")["spec"]["ports"][0]["name"]


def undeclared_port(observation: JSON) -> None:
    del found(observation, "Pod", POD)["spec"]["containers"][0]["ports"]


def three_replicas(observation: JSON) -> None:
    observation["stack"]["settings"]["services"][0]["replicas"] = 3
    for number in (2, 3):
        more = {**found(observation, "Pod", POD)}
        more["metadata"] = {**more["metadata"], "name": f"{POD}-{number}"}
        more["status"] = {**more["status"], "podIP": f"10.244.81.{80 + number}"}
        added(observation, more)


@pytest.mark.parametrize("variant", [without_class, unnamed_port, undeclared_port, three_replicas])
def test_a_healthy_variant_has_no_finding(variant: object) -> None:
    observation = healthy()
    variant(observation)  # type: ignore[operator]
    assert reported(observation) == []


def test_a_host_in_capital_letters_is_the_same_host() -> None:
    observation = healthy()
    observation["asked"]["host"] = HOST.upper()
    assert reported(observation) == []


def test_a_missing_pod_of_the_plan() -> None:
    observation = healthy()
    without(observation, "Pod", POD)
    faults.no_endpoints(observation)
    failed(observation, "unreachable", *faults.DIRECT)
    assert reported(observation) == [("pod", "T42")]
    assert first(observation)[0] == "The pod does not exist."
    assert first(observation)[1] == UP
    assert look(observation) == (*KUBECTL, "get", "pods")
    service = view(observation).observation.stack.settings.services[0]  # type: ignore[union-attr]
    assert shlex.split(first(faults.unowned(observation))[1]) == [
        *(*KUBECTL, "run", POD, "--image", service.image, "--port", "8080", "--labels", f"service={POD}"),
        *("--command", "--", *service.command),
    ]


def test_a_pod_on_a_stopped_node_is_the_nodes_matter() -> None:
    observation = healthy()
    faults.unready(observation)
    faults.stopped(observation)
    assert not {"T16", "T20", "T32", "T42", "T45"} & {code for _, code in reported(observation)}


def test_a_pod_that_failed_before_its_node_stopped_is_reported_as_well() -> None:
    observation = healthy()
    faults.waiting(observation, "CrashLoopBackOff", terminated={"reason": "Error", "exitCode": 1})
    faults.stopped(observation)
    assert ("pod", "T42") in reported(observation)


def test_behind_an_ingress_that_takes_the_requests_the_pods_own_fault_is_reported() -> None:
    observation = healthy()
    faults.claimed_twice(observation)
    for place in faults.DIRECT:
        request(observation, place)["status"] = 404
    assert reported(observation) == [("route", "IN05"), ("pod", "T43")]


def test_a_node_that_is_not_ready_takes_its_pods_readiness_along() -> None:
    observation = healthy()
    faults.unready(observation)
    conditions = found(observation, "Node", WORKER)["status"]["conditions"]
    next(one for one in conditions if one["type"] == "Ready")["status"] = "Unknown"
    assert ("pod", "T32") not in reported(observation)


def deployed() -> JSON:
    """A healthy path to the pod of a Deployment."""
    observation = healthy()
    service = observation["stack"]["settings"]["services"][0]
    service |= {"name": "my-service", "kind": "Deployment", "pod": "my-service-pod"}
    metadata = found(observation, "Pod", POD)["metadata"]
    metadata["labels"]["service"] = "my-service-pod"
    metadata["ownerReferences"] = [{"kind": "ReplicaSet", "name": "my-service-1", "controller": True}]
    found(observation, "Service", "my-service")["spec"]["selector"] = {"service": "my-service-pod"}
    return observation


def test_the_pods_of_a_deployment_are_those_with_its_label() -> None:
    assert reported(deployed()) == []
    observation = deployed()
    faults.listening(observation, ("127.0.0.1", 8080))
    assert reported(observation) == [("pod", "T40")]
    assert first(observation)[1] == UP
    assert shlex.split(first(faults.unowned(observation))[1])[-3:] == ["edit", "deployment", "my-service"]


def test_a_deployment_without_a_pod() -> None:
    observation = deployed()
    without(observation, "Pod", POD)
    faults.no_endpoints(observation)
    failed(observation, "unreachable", *faults.DIRECT)
    assert reported(observation) == [("pod", "T42")]
    assert first(observation)[:2] == ("The Deployment has no pod.", UP)


def without_backend(**route: Any) -> JSON:
    """A stack whose HTTPProxy leads to a Service that does not exist; the pod has nothing at the requested path."""
    observation = planned_proxy()
    proxy = found(observation, "HTTPProxy", HOST)
    proxy["spec"]["routes"][0] |= {"services": [{"name": "my-servise", "port": 8080}], **route}
    proxy["status"] = {"currentStatus": "invalid"}
    faults.unrouted(observation)
    for one in observation["requests"]:
        if one["where"] in faults.DIRECT:
            one["status"] = 404
    return observation


def test_a_pod_is_not_judged_by_a_path_that_the_route_rewrites() -> None:
    observation = without_backend(pathRewritePolicy={"replacePrefix": [{"replacement": "/app"}]})
    assert reported(observation) == [("route", "IN17")]


def test_a_pods_own_404_at_the_path_that_it_gets_is_reported() -> None:
    assert reported(without_backend()) == [("route", "IN17"), ("pod", "T43")]


# One of both families


def on_ipv4_only(observation: JSON) -> JSON:
    """The process listens on 0.0.0.0, and refuses Envoy's connections by IPv6."""
    space = next(one for one in node(observation)["namespaces"] if POD_IP in one["links"])
    space["sockets"] = "LISTEN 0 5 0.0.0.0:8080 0.0.0.0:*"
    for one in observation["requests"]:
        if one["address"] == POD_IPV6:
            one |= {"failure": "refused"}
            one.pop("status", None)
    return observation


def one_family(observation: JSON) -> Finding:
    (finding,) = trace(view(observation).observation).findings
    assert finding.code == "T90"
    return finding


@pytest.mark.parametrize("address", ["*", "[::]", f"[{POD_IPV6}]"])
def test_a_server_that_takes_both_families_is_left_alone(address: str) -> None:
    observation = dual()
    space = next(one for one in node(observation)["namespaces"] if POD_IP in one["links"])
    also = f"\nLISTEN 0 5 {POD_IP}:8080 0.0.0.0:*" if address == f"[{POD_IPV6}]" else ""
    space["sockets"] = f"LISTEN 0 5 {address}:8080 *:*{also}"
    assert reported(observation) == []


def test_a_server_on_ipv4_only_refuses_every_second_connection() -> None:
    observation = on_ipv4_only(dual())
    finding = one_family(observation)
    assert finding.level is Level.ADVISORY, "the followed request was answered"
    assert f"listens on 0.0.0.0:8080, and Envoy connects to [{POD_IPV6}]:8080 as well" in finding.message
    failed(observation, "503", "client", "node", "envoy")
    assert one_family(observation).level is Level.MANDATORY


def test_a_server_on_ipv4_only_in_a_cluster_of_ipv6() -> None:
    observation = with_ipv6_only(on_ipv4_only(dual()))
    faults.unready(observation)
    finding = one_family(observation)
    assert (finding.level, finding.message) == (
        Level.MANDATORY,
        f"The process listens on 0.0.0.0:8080, and Envoy connects to [{POD_IPV6}]:8080.",
    )


def with_ipv6_only(observation: JSON) -> JSON:
    """The pod and its Service have no IPv4 address."""
    faults.status(observation).update({"podIP": POD_IPV6, "podIPs": [{"ip": POD_IPV6}]})
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["addresses"] = [POD_IPV6]
    without(observation, "EndpointSlice", "my-service-v6")
    del faults.envoy(observation)["clusters"]["cluster_statuses"][0]["host_statuses"][0]
    space = next(one for one in node(observation)["namespaces"] if POD_IP in one["links"])
    space["links"] = space["links"].replace(POD_IP, POD_IPV6)
    observation["requests"] = [one for one in observation["requests"] if one["address"] != POD_IP]
    return observation


def test_a_pod_that_is_not_ready_for_another_reason_keeps_that_reason() -> None:
    observation = on_ipv4_only(dual())
    faults.unready(observation)
    assert reported(observation) == [("pod", "T32")]


def test_a_service_of_ipv4_only_needs_no_ipv6_server() -> None:
    observation = on_ipv4_only(dual())
    without(observation, "EndpointSlice", "my-service-v6")
    hosts = faults.envoy(observation)["clusters"]["cluster_statuses"][0]["host_statuses"]
    del hosts[1]
    observation["requests"] = [one for one in observation["requests"] if one["address"] != POD_IPV6]
    assert reported(observation) == []
