"""Hop 6: policies between Envoy and the pod, Calico on the pod's node, its pool."""

import json
import shlex

import pytest

from hops.model.finding import Level
from hops.model.versions import CALICO as CALICO_MANIFEST
from tests.hops.trace import faults
from tests.hops.trace.asked import codes, found
from tests.hops.trace.names import CONTROL, ENVOY, ENVOY_IP, ENVOY_IPV6, JSON, POD, POD_INTERFACE, POD_IPV6, WORKER
from tests.hops.trace.objects import thing
from tests.hops.trace.observations import added, dual, failed, healthy, node, without
from tests.hops.trace.observations import found as get

K8S, CALICO = "networking.k8s.io/v1", "crd.projectcalico.org/v1"


def blocked(failure: str = "timeout") -> JSON:
    """The pod answers its own node and nobody else."""
    observation = healthy()
    failed(observation, "503", "client", "node", "envoy")
    failed(observation, failure, "pod from envoy")
    return observation


def deny(namespace: str = "apps", kind: str = "Ingress", name: str = "deny-all") -> JSON:
    return thing(K8S, "NetworkPolicy", name, namespace, spec={"podSelector": {}, "policyTypes": [kind]})


# T33


def test_the_project_s_own_policy_admits_envoy_and_is_left_alone() -> None:
    assert codes(blocked()) == []


def test_a_policy_that_denies_all_is_reported_and_another_one_admits_envoy() -> None:
    observation = blocked()
    without(observation, "NetworkPolicy", "my-service")
    added(observation, deny())
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T33", "endpoint", Level.MANDATORY)
    assert str(finding.resource) == "NetworkPolicy/apps/deny-all"
    assert f"projectcontour/{ENVOY}" in finding.message
    assert f"port 8080 of apps/{POD}" in finding.message
    # What the remedy makes does mend it.
    made = json.loads(shlex.split(finding.remedy)[2])
    assert made["metadata"]["namespace"] == "apps"
    added(observation, made)
    assert codes(observation) == []


def test_a_policy_on_envoy_s_own_way_out_is_reported() -> None:
    observation = blocked()
    added(observation, deny("projectcontour", "Egress"))
    (finding,) = found(observation)
    assert (finding.code, str(finding.resource)) == ("T33", "NetworkPolicy/projectcontour/deny-all")
    made = json.loads(shlex.split(finding.remedy)[2])
    assert made["spec"]["policyTypes"] == ["Egress"]
    added(observation, made)
    assert codes(observation) == []


def test_a_deny_of_calico_is_reported_and_taken_away() -> None:
    observation = blocked()
    spec = {"order": 10, "selector": "service == 'example-pod'", "types": ["Ingress"], "ingress": [{"action": "Deny"}]}
    added(observation, thing(CALICO, "GlobalNetworkPolicy", "default.closed", spec=spec))
    (finding,) = found(observation)
    assert (finding.code, str(finding.resource)) == ("T33", "GlobalNetworkPolicy/default.closed")
    assert (
        finding.remedy
        == ".venv/bin/hops kubectl local delete globalnetworkpolicies.crd.projectcalico.org default.closed"
    )
    spec["order"] = 2000
    assert codes(observation) == []


def test_a_policy_is_not_blamed_where_the_pod_is_reached_or_refuses() -> None:
    observation = healthy()
    added(observation, deny("projectcontour", "Egress"))
    assert codes(observation) == []
    observation = blocked("refused")
    added(observation, deny("projectcontour", "Egress"))
    assert codes(observation) == []


def test_a_policy_counts_where_no_request_could_be_sent() -> None:
    observation = healthy()
    failed(observation, "503", "client", "node", "envoy")
    observation["requests"] = [r for r in observation["requests"] if r["where"] in ("client", "node")]
    added(observation, deny("projectcontour", "Egress"))
    assert codes(observation) == ["T33"]


def by_ipv4_only(observation: JSON) -> JSON:
    """A policy that admits Envoy by its IPv4 address alone: connections by IPv6 find no answer."""
    without(observation, "NetworkPolicy", "my-service")
    ingress = [{"from": [{"ipBlock": {"cidr": f"{ENVOY_IP}/32"}}], "ports": [{"port": 8080}]}]
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": ingress}
    added(observation, thing(K8S, "NetworkPolicy", "by-address", "apps", spec=spec))
    for one in observation["requests"]:
        if (one["where"], one["address"]) == ("pod from envoy", POD_IPV6):
            one |= {"failure": "timeout"}
            one.pop("status", None)
    return observation


def test_a_policy_that_admits_one_family_denies_the_other() -> None:
    observation = by_ipv4_only(dual())
    finding = next(one for one in found(observation) if one.code == "T33")
    assert str(finding.resource) == "NetworkPolicy/apps/by-address"
    assert f"to port 8080 of apps/{POD} by IPv6" in finding.message
    assert finding.level is Level.ADVISORY, "the followed request was answered"
    failed(observation, "503", "client", "node", "envoy")
    assert next(one for one in found(observation) if one.code == "T33").level is Level.MANDATORY
    # What the remedy makes does mend it.
    added(observation, json.loads(shlex.split(finding.remedy)[2]))
    assert "T33" not in codes(observation)


def test_a_policy_that_admits_both_families_is_left_alone() -> None:
    observation = by_ipv4_only(dual())
    peers = get(observation, "NetworkPolicy", "by-address")["spec"]["ingress"][0]["from"]
    peers.append({"ipBlock": {"cidr": f"{ENVOY_IPV6}/128"}})
    assert "T33" not in codes(observation)


def test_a_policy_for_ipv4_is_enough_where_the_service_has_no_ipv6() -> None:
    observation = by_ipv4_only(dual())
    without(observation, "EndpointSlice", "my-service-v6")
    assert "T33" not in codes(observation)


def test_what_is_not_understood_is_reported_only_where_nothing_but_the_node_gets_in() -> None:
    vague = thing(CALICO, "NetworkPolicy", "odd", "apps", spec={"order": 1, "selector": "service ~ 'x'", "ingress": []})
    observation = blocked()
    added(observation, vague)
    assert codes(observation) == []
    vague["spec"]["ingress"] = [{"action": "Deny"}]
    (finding,) = found(observation)
    assert finding.code == "T33"
    assert "could not be evaluated" in finding.message
    assert "not decided" in finding.evidence
    failed(observation, "timeout", "pod")
    assert codes(observation) == []
    observation = healthy()
    added(observation, vague)
    assert codes(observation) == []


def test_policies_do_not_hold_pods_in_the_node_s_network() -> None:
    observation = blocked()
    added(observation, deny("projectcontour", "Egress"))
    get(observation, "Pod", ENVOY)["spec"]["hostNetwork"] = True
    assert codes(observation) == []


def test_policies_that_were_not_seen_deny_nothing() -> None:
    observation = blocked()
    observation["cluster"]["objects"] = [o for o in observation["cluster"]["objects"] if o["kind"] != "NetworkPolicy"]
    assert codes(observation) == []


# T37


def _calico_down(on: str = WORKER) -> JSON:
    observation = blocked()
    name = {WORKER: "calico-node-5kq8v", CONTROL: "calico-node-r7d2c"}[on]
    without(observation, "Pod", name)
    return observation


def _waiting(observation: JSON, message: str) -> None:
    made = get(observation, "Pod", POD)
    made["status"] = {
        "phase": "Pending",
        "containerStatuses": [{"name": "server", "state": {"waiting": {"reason": "ContainerCreating"}}}],
    }
    event = thing("v1", "Event", "example-pod.1", "apps", reason="FailedCreatePodSandBox", message=message)
    added(
        observation, {**event, "involvedObject": {"kind": "Pod", "name": POD}, "lastTimestamp": "2026-11-24T09:59:00Z"}
    )


_SANDBOX = (
    'Failed to create pod sandbox: rpc error: code = Unknown desc = plugin type="calico" failed (add): stat '
    "/var/lib/calico/nodename: no such file or directory: check that the calico/node container is running"
)


def test_a_pod_that_waits_for_a_stopped_calico_is_reported() -> None:
    observation = _calico_down()
    _waiting(observation, _SANDBOX)
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T37", "endpoint")
    assert f"calico-node does not run on {WORKER}" in finding.message
    assert finding.remedy.endswith("--namespace kube-system rollout restart daemonset calico-node")


def test_the_remedy_names_what_keeps_calico_away() -> None:
    observation = _calico_down()
    _waiting(observation, _SANDBOX)
    get(observation, "DaemonSet", "calico-node")["spec"]["template"]["spec"]["nodeSelector"] = {"nowhere": "true"}
    (finding,) = found(observation)
    assert finding.remedy == "make up STACK=local"
    (finding,) = found(faults.unowned(observation))
    assert finding.remedy.startswith(
        ".venv/bin/hops kubectl local --namespace kube-system patch daemonset calico-node "
    )
    assert '"nodeSelector": {"nowhere": null}' in finding.remedy
    without(observation, "DaemonSet", "calico-node")
    (finding,) = found(observation)
    assert finding.remedy == "make up STACK=local"
    (finding,) = found(faults.unowned(observation))
    assert finding.remedy == f".venv/bin/hops kubectl local apply --filename {CALICO_MANIFEST.url}"


def test_a_pod_that_the_node_s_firewall_does_not_know_is_reported() -> None:
    observation = _calico_down()
    node(observation)["filter"] = node(observation)["filter"].replace(POD_INTERFACE, "cali00000000000")
    (finding,) = found(observation)
    assert finding.code == "T37"
    assert f"no chain cali-tw-{POD_INTERFACE}" in finding.evidence


def test_a_calico_that_is_away_stops_no_request_until_something_changes() -> None:
    observation = healthy()
    without(observation, "Pod", "calico-node-5kq8v")
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T37", "endpoint", Level.ADVISORY)
    assert str(finding.resource) == "DaemonSet/kube-system/calico-node"
    elsewhere = healthy()
    without(elsewhere, "Pod", "calico-node-r7d2c")
    assert codes(elsewhere) == []


def test_a_calico_that_is_only_not_ready_or_not_this_cluster_s_is_left_alone() -> None:
    observation = healthy()
    for condition in get(observation, "Pod", "calico-node-5kq8v")["status"]["conditions"]:
        condition["status"] = "False"
    assert codes(observation) == []
    for name in ("calico-node-5kq8v", "calico-node-r7d2c"):
        without(observation, "Pod", name)
    without(observation, "DaemonSet", "calico-node")
    assert codes(observation) == []


@pytest.mark.parametrize("change", ["ready", "other", "reason", "unseen", "chains", "elsewhere"])
def test_a_pod_that_waits_for_something_else_is_left_alone(change: str) -> None:
    observation = blocked() if change == "ready" else _calico_down(CONTROL if change == "elsewhere" else WORKER)
    if change == "chains":
        assert codes(observation) == []
        return
    _waiting(observation, "network: cni plugin not initialized" if change == "other" else _SANDBOX)
    if change == "reason":
        get(observation, "Event", "example-pod.1")["reason"] = "Failed"
    if change == "unseen":
        observation["unseen"] = {"cluster: Pod": "timed out"}
    if change in ("ready", "elsewhere"):
        get(observation, "Pod", POD)["spec"]["nodeName"] = WORKER
    # Whatever else keeps it from running is another code's to tell.
    assert [code for code in codes(observation) if code != "T42"] == []


# T38


def test_a_pool_outside_of_the_pod_subnet_is_reported() -> None:
    observation = healthy()
    get(observation, "IPPool", "default-ipv4-ippool")["spec"]["cidr"] = "192.168.0.0/16"
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T38", "endpoint", Level.ADVISORY)
    assert json.loads(shlex.split(finding.remedy)[2])["spec"]["cidr"] == "10.244.0.0/16"
    failed(observation, "503", "client")
    assert [one.level for one in found(observation)] == [Level.MANDATORY]


@pytest.mark.parametrize(
    "spec",
    [
        {"cidr": "10.244.128.0/17"},
        {"cidr": "192.168.0.0/16", "disabled": True},
        {"cidr": "192.168.0.0/16", "allowedUses": ["LoadBalancer"]},
        {"cidr": "fd00::/48"},
    ],
)
def test_a_pool_in_the_subnet_or_for_no_pod_is_well(spec: JSON) -> None:
    observation = healthy()
    get(observation, "IPPool", "default-ipv4-ippool")["spec"] = spec
    assert codes(observation) == []


def test_a_subnet_that_is_not_known_is_not_missed() -> None:
    observation = healthy()
    get(observation, "IPPool", "default-ipv4-ippool")["spec"]["cidr"] = "192.168.0.0/16"
    without(observation, "ConfigMap", "kubeadm-config")
    assert codes(observation) == []


def test_two_subnets_of_two_families_are_both_read() -> None:
    observation = healthy()
    text = get(observation, "ConfigMap", "kubeadm-config")["data"]
    text["ClusterConfiguration"] = "networking:\n  podSubnet: 10.244.0.0/16,fd00:10:244::/56\n"
    added(observation, thing(CALICO, "IPPool", "six", spec={"cidr": "fd00:10:244::/64"}))
    assert codes(observation) == []
    get(observation, "IPPool", "six")["spec"]["cidr"] = "fd01::/64"
    assert codes(observation) == ["T38"]
