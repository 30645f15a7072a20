"""The readers of running objects and of Docker containers, on bodies that lack what they read."""

from typing import Any

import pytest

from hops.kubernetes import objects
from hops.kubernetes.resources import docker_containers
from hops.kubernetes.resources.docker_containers import PortBinding
from hops.kubernetes.resources.pod_status import StateReason, container_statuses, pod_reason, unscheduled
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.resources.services import Endpoint, as_service, endpoints, load_balancers, service_of
from hops.kubernetes.resources.warning_events import warning_event

CONTAINER: dict[str, Any] = {
    "Name": "/demo-worker",
    "Config": {"Labels": {"io.x-k8s.kind.cluster": "demo", "io.x-k8s.kind.role": "control-plane"}},
    "State": {"Status": "running", "Running": True},
    "HostConfig": {
        "Binds": ["/a:/b:ro"],
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}, {"HostPort": ""}], "53/udp": None},
    },
    "NetworkSettings": {
        "Networks": {"kind": {"IPAddress": "172.18.0.2", "GlobalIPv6Address": "fc00::2"}, "other": None},
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}]},
    },
}


def test_a_docker_container() -> None:
    assert docker_containers.name(CONTAINER) == "demo-worker"
    assert docker_containers.cluster(CONTAINER) == "demo"
    assert docker_containers.role(CONTAINER) == "control-plane"
    assert (docker_containers.state(CONTAINER), docker_containers.running(CONTAINER)) == ("running", True)
    assert not docker_containers.paused(CONTAINER)
    assert docker_containers.binds(CONTAINER) == ("/a:/b:ro",)
    assert list(docker_containers.addresses(CONTAINER)) == ["172.18.0.2"]
    assert list(docker_containers.addresses(CONTAINER, "IPAddress", "GlobalIPv6Address")) == ["172.18.0.2", "fc00::2"]
    assert docker_containers.declared_ports(CONTAINER) == (
        PortBinding(80, "tcp", "127.0.0.1", 8080),
        PortBinding(80, "tcp", "", 0),
    )
    assert docker_containers.bound_ports(CONTAINER) == (PortBinding(80, "tcp", "0.0.0.0", 32768),)


def test_a_stopped_container_has_no_bound_ports() -> None:
    assert docker_containers.bound_ports({**CONTAINER, "State": {"Status": "exited", "Running": False}}) == ()


def test_a_container_without_anything() -> None:
    assert docker_containers.cluster({"Config": {"Labels": None}}) is None
    assert (docker_containers.role({}), docker_containers.state(None)) == ("worker", None)
    assert (
        docker_containers.binds({}),
        docker_containers.declared_ports({}),
        list(docker_containers.addresses({})),
    ) == (
        (),
        (),
        [],
    )


WAITING = {"name": "web", "ready": False, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
ENDED = {"terminated": {"reason": "Error", "exitCode": 2, "message": "no config"}}


def test_a_container_that_crashes() -> None:
    (status,) = container_statuses({"status": {"containerStatuses": [WAITING | {"lastState": ENDED}]}})
    assert (status.name, status.ready, status.restarts, status.running) == ("web", False, 3, False)
    assert status.waiting == StateReason("CrashLoopBackOff", "", None)
    assert status.last_terminated == StateReason("Error", "no config", 2)
    assert status.terminated is None


def test_a_container_that_runs() -> None:
    running = {"name": "web", "ready": True, "state": {"running": {"startedAt": "2026-11-24T09:50:03Z"}}}
    (status,) = container_statuses({"status": {"containerStatuses": [running]}})
    assert (status.running, status.started, status.waiting) == (True, "2026-11-24T09:50:03Z", None)


def test_a_pod_without_a_status() -> None:
    assert container_statuses(None) == container_statuses({}) == ()
    assert unscheduled({}) is None
    assert pod_reason({}) == StateReason("", "", None)


@pytest.mark.parametrize(("status", "expected"), [("False", StateReason("Unschedulable", "no", None)), ("True", None)])
def test_the_scheduler_s_reason(status: str, expected: StateReason | None) -> None:
    condition = {"type": "PodScheduled", "status": status, "reason": "Unschedulable", "message": "no"}
    assert unscheduled({"status": {"conditions": [condition]}}) == expected


def test_the_ports_of_a_pod_are_those_of_lasting_containers() -> None:
    spec = {
        "initContainers": [
            {"name": "once", "ports": [{"containerPort": 1}]},
            {"name": "sidecar", "restartPolicy": "Always", "ports": [{"containerPort": 2}]},
        ],
        "containers": [
            {"name": "web", "image": "web:1", "command": ["serve"], "args": ["80"], "ports": [{"containerPort": 3}]}
        ],
        "volumes": [{"secret": {"secretName": "cert"}}, {"emptyDir": {}}],
    }
    pod = as_pod({"kind": "Pod", "spec": spec})
    assert [port.container_port for port in pod.ports] == [2, 3]
    assert [(each.image, each.command) for each in pod.lasting] == [(None, ()), ("web:1", ("serve", "80"))]
    assert list(pod.secrets) == ["cert"]


def test_the_node_that_a_daemonset_chose() -> None:
    field = {"key": "metadata.name", "operator": "In", "values": ["worker"]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    assert as_pod({"spec": {"affinity": affinity}}).required_node == "worker"
    assert as_pod({"spec": {}}).required_node is None


def test_a_running_service() -> None:
    service = {"kind": "Service", "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    assert (as_service(service).type, as_service(service).ports[0].port) == ("ClusterIP", 80)
    balanced = {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}, {"hostname": "lb.test"}]}}}
    assert list(load_balancers(balanced)) == [("1.2.3.4", None), (None, "lb.test")]
    assert list(load_balancers(None)) == []


def test_an_endpoint_slice() -> None:
    slice_ = {
        "metadata": {"labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}, {"addresses": ["10.0.0.2"]}],
        "ports": [{"port": 8080}],
    }
    assert service_of(slice_) == "web"
    assert list(endpoints(slice_)) == [Endpoint("10.0.0.1", 8080, ready=False), Endpoint("10.0.0.2", 8080, ready=True)]
    assert [str(each) for each in endpoints({**slice_, "ports": None})] == [
        "10.0.0.1:no port (not ready)",
        "10.0.0.2:no port",
    ]


@pytest.mark.parametrize(
    ("subject", "message", "time"), [("involvedObject", "message", "lastTimestamp"), ("regarding", "note", "eventTime")]
)
def test_an_event_of_either_api(subject: str, message: str, time: str) -> None:
    event = warning_event({subject: {"name": "web"}, "reason": "FailedMount", message: "no Secret", time: "2026"})
    assert (event.subject, event.reason, event.message, event.time) == ("web", "FailedMount", "no Secret", "2026")


def test_the_controller_of_an_object() -> None:
    owners = [{"kind": "Other", "name": "a"}, {"kind": "ReplicaSet", "name": "b", "controller": True}]
    assert objects.controller({"metadata": {"ownerReferences": owners}}) == ("ReplicaSet", "b")
    assert objects.controller({"metadata": {"ownerReferences": owners[:1]}}) is None
