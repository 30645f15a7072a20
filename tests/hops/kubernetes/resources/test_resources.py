"""The readers of running objects and of Docker containers, on bodies that lack what they read."""

from typing import Any

import pytest

from hops.kubernetes import objects
from hops.kubernetes.resources import calico_settings, docker_containers, ip_pools, quotas
from hops.kubernetes.resources.deployments import claim_names, replicas, rollout_strategy, scaled
from hops.kubernetes.resources.docker_containers import PortBinding
from hops.kubernetes.resources.issuers import solver_classes
from hops.kubernetes.resources.pod_status import StateReason, container_statuses, pod_reason, unscheduled
from hops.kubernetes.resources.pods import as_pod
from hops.kubernetes.resources.services import (
    Endpoint,
    address_holder,
    as_service,
    endpoints,
    load_balancers,
    service_of,
)
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


def test_a_condition_of_the_status() -> None:
    node = {"status": {"conditions": [None, {"type": "Ready", "status": "False", "reason": "KubeletNotReady"}]}}
    assert objects.condition(node, "Ready") == objects.StatusCondition("False", "KubeletNotReady", "", "")
    assert objects.condition(node, "DiskPressure") is None
    assert (objects.ready(node), objects.ready({})) == (False, None)


def test_an_object_without_a_name() -> None:
    assert objects.nameless({"metadata": {}})
    assert not objects.nameless({"metadata": {"generateName": "web-"}})
    assert (objects.uid({}), objects.created({}), objects.architecture(None)) == ("", "", None)


def test_how_a_workload_replaces_its_pods() -> None:
    deployment = {
        "kind": "Deployment",
        "spec": {"replicas": 2, "strategy": {"type": "Recreate", "rollingUpdate": {"maxUnavailable": "25%"}}},
    }
    strategy = rollout_strategy(deployment)
    assert (strategy.type, strategy.surge, strategy.unavailable) == ("Recreate", None, "25%")
    daemon_set = {"kind": "DaemonSet", "spec": {"updateStrategy": {"rollingUpdate": {"maxSurge": 1}}}}
    assert rollout_strategy(daemon_set).surge == 1
    assert rollout_strategy({**daemon_set, "kind": "Deployment"}).surge is None
    assert (replicas(deployment), replicas({"spec": {"replicas": "2"}}), replicas(None)) == (2, None, None)


def test_what_an_autoscaler_scales_and_a_stateful_set_claims() -> None:
    assert scaled({"spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "db"}}}) == ("StatefulSet", "db")
    assert scaled({"spec": {"scaleTargetRef": {"name": "web"}}}) == ("Deployment", "web")
    assert scaled({}) is None
    assert claim_names({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}]}}) == {"data"}


def test_quotas_and_limits() -> None:
    quota = {"spec": {"hard": {"pods": "3", "other": 1}}, "status": {"used": {"pods": "2"}}}
    assert (quotas.hard(quota), quotas.used(quota), quotas.used({})) == ({"pods": "3"}, {"pods": "2"}, {})
    limits = [{"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}, {"type": "Container", "max": {"cpu": "1"}}]
    assert list(quotas.pod_limits({"spec": {"limits": limits}})) == [quotas.PodLimit({"cpu": "1"}, {})]


def test_calicos_settings_and_pools() -> None:
    network = {"linuxDataplane": "BPF", "ipPools": [{"cidr": "10.244.0.0/16"}]}
    installation = {"kind": "Installation", "spec": {"calicoNetwork": network}}
    assert calico_settings.data_plane(installation) == "BPF"
    assert list(calico_settings.pools(installation)) == [("/spec/calicoNetwork/ipPools/0/cidr", "10.244.0.0/16")]
    assert calico_settings.ebpf({"spec": {"bpfEnabled": True}}) is True
    assert (calico_settings.data_plane({}), calico_settings.ebpf({})) == (None, None)
    pool = {"apiVersion": "crd.projectcalico.org/v1", "spec": {"cidr": "10.0.0.0/8", "natOutgoing": True}}
    assert ip_pools.like(pool, "pods", "10.244.0.0/16") == {
        "apiVersion": "crd.projectcalico.org/v1",
        "kind": "IPPool",
        "metadata": {"name": "pods"},
        "spec": {"cidr": "10.244.0.0/16", "natOutgoing": True},
    }
    assert ip_pools.for_pods(pool)
    assert not ip_pools.for_pods({"spec": {"disabled": True}})


def test_the_classes_of_an_issuers_solvers() -> None:
    by_ingress = {"http01": {"ingress": {"class": "contour"}}}
    assert solver_classes({"spec": {"acme": {"solvers": [by_ingress]}}}) == ["contour"]
    assert solver_classes({"spec": {"acme": {"solvers": [by_ingress, {"dns01": {}}]}}}) == []


def test_for_whom_the_api_server_allocated_an_address() -> None:
    labels = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
    held = {"resource": "services", "namespace": "apps", "name": "web"}
    address = {"metadata": {"name": "10.96.0.8", "labels": labels}, "spec": {"parentRef": held}}
    assert address_holder(address) == ("apps", "web")
    assert address_holder({**address, "metadata": {"name": "10.96.0.8"}}) is None
    assert address_holder({**address, "spec": {"parentRef": {**held, "resource": "gateways"}}}) is None
