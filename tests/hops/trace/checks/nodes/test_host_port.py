"""Hop 3: what leads from the node's port to Envoy's pod."""

import json

import pytest

from hops.model.finding import Level
from tests.hops.trace import faults
from tests.hops.trace.asked import codes, found
from tests.hops.trace.names import CONTOUR_IP, ENVOY, ENVOY_IP, JSON, POD, POD_IP, WORKER
from tests.hops.trace.nodes import CNI, host_port, nat
from tests.hops.trace.objects import pod, thing
from tests.hops.trace.observations import added, failed, healthy, node
from tests.hops.trace.observations import found as get

DEAD = "10.244.81.99"
OLD = "CNI-DN-0000000000000000dead0"


def _closed(*rules: str) -> JSON:
    """Nothing comes through the node's port, whose rules are these."""
    observation = healthy()
    failed(observation, "empty", "client")
    failed(observation, "refused", "node")
    node(observation)["nat"] = node(observation)["nat_after"] = nat(*rules)
    return observation


def _without_host_port(observation: JSON, *others: JSON) -> None:
    """Takes the plain hostPort out of Envoy's pod."""
    get(observation, "Pod", ENVOY)["spec"]["containers"][1]["ports"] = [
        {"name": "http", "containerPort": 8080},
        *others,
    ]


def _conflist(*plugins: str) -> str:
    return json.dumps({"name": "k8s-pod-network", "plugins": [{"type": plugin} for plugin in plugins]})


def _healthy_rules(observation: JSON) -> None:
    node(observation)["nat"] = nat(*host_port())


# T11


def test_an_envoy_without_a_host_port_is_reported() -> None:
    observation = _closed()
    _without_host_port(observation)
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T11", "host-port", Level.MANDATORY)
    assert f"port 80 of {WORKER}" in finding.message
    assert finding.remedy == "make up STACK=local"
    (finding,) = found(faults.unowned(observation))
    assert finding.remedy.startswith(".venv/bin/hops kubectl local --namespace projectcontour patch daemonset envoy ")
    assert '{"containerPort":8080,"hostPort":80,"protocol":"TCP"}' in finding.remedy


def test_another_number_than_the_planned_one_is_envoy_s_fault_and_not_docker_s() -> None:
    observation = _closed()
    _without_host_port(observation, {"name": "other", "containerPort": 8081, "hostPort": 81})
    (finding,) = found(observation)
    assert finding.code == "T11"
    assert "declares 81" in finding.evidence


def test_a_missing_host_port_is_reported_where_the_node_was_not_seen() -> None:
    observation = _closed()
    _without_host_port(observation)
    observation["nodes"] = []
    assert codes(observation) == ["T11"]


def test_a_node_port_needs_no_host_port() -> None:
    observation = _closed()
    _without_host_port(observation)
    assert "T11" in codes(faults.unowned(observation))
    observation["stack"]["settings"]["contour"] = {"entrance": "NodePort"}
    behind = faults.unowned(observation)
    behind["stack"]["settings"]["cluster"] |= {"httpPort": 30080, "httpsPort": 30443}
    assert "T11" not in codes(behind)


def test_an_envoy_in_the_node_s_own_network_needs_none() -> None:
    observation = healthy()
    _without_host_port(observation)
    assert codes(observation) == []
    observation = _closed()
    _without_host_port(observation)
    get(observation, "Pod", ENVOY)["spec"]["hostNetwork"] = True
    assert codes(observation) == []


# T12


def test_a_configuration_without_portmap_is_reported_and_what_follows_is_not() -> None:
    for rules in ([], host_port(DEAD, OLD)):
        observation = _closed(*rules)
        node(observation)["cni"] = {"10-calico.conflist": _conflist("calico"), "99-other.conflist": CNI}
        (finding,) = found(observation)
        assert (finding.code, finding.hop) == ("T12", "host-port")
        assert "10-calico.conflist has no portmap" in finding.message
        assert "rollout restart daemonset calico-node" in finding.remedy


def test_an_operator_that_leaves_host_ports_out_is_reported() -> None:
    observation = _closed()
    spec = {"calicoNetwork": {"hostPorts": "Disabled"}}
    added(observation, thing("operator.tigera.io/v1", "Installation", "default", spec=spec))
    node(observation)["cni"] = {}
    (finding,) = found(observation)
    assert finding.code == "T12"
    assert "patch installation default" in finding.remedy
    spec["calicoNetwork"]["hostPorts"] = "Enabled"
    assert codes(observation) == ["T14"]


def test_a_portmap_that_went_after_envoy_s_rules_were_made_harms_nobody_yet() -> None:
    observation = healthy()
    node(observation)["cni"] = {"10-calico.conflist": _conflist("calico")}
    assert codes(observation) == []


def test_a_configuration_that_cannot_be_read_is_not_said_to_lack_portmap() -> None:
    observation = _closed()
    for cni in ({}, {"10-calico.conflist": "not JSON"}):
        node(observation)["cni"] = cni
        assert codes(observation) == ["T14"]


# T13


def test_a_stale_rule_before_envoy_s_is_reported() -> None:
    observation = _closed(*host_port(DEAD, OLD), *host_port())
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T13", "host-port", Level.MANDATORY)
    assert f"to {DEAD}:8080, which is no pod's, before the rule to Envoy's {ENVOY_IP}:8080" in finding.message
    assert finding.remedy == (
        f"docker exec {WORKER} iptables --table nat --delete {OLD} -p tcp -m tcp --dport 80 -j DNAT "
        f"--to-destination {DEAD}:8080"
    )


def test_a_stale_rule_behind_envoy_s_is_reported_and_stops_nothing() -> None:
    observation = healthy()
    node(observation)["nat"] = nat(*host_port(), *host_port(DEAD, OLD))
    (finding,) = found(observation)
    assert (finding.code, finding.level) == ("T13", Level.ADVISORY)
    assert "behind the rule" in finding.message


def test_a_stale_rule_alone_needs_envoy_to_be_made_again() -> None:
    observation = _closed(*host_port(CONTOUR_IP, OLD))
    (finding,) = found(observation)
    assert finding.code == "T13"
    assert "which is projectcontour/contour-" in finding.message
    assert finding.remedy.endswith("rollout restart daemonset envoy")


def test_a_rule_of_somebody_s_own_in_prerouting_counts_too() -> None:
    observation = _closed(*host_port())
    line = f"[1:60] -A PREROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination {DEAD}:8080\n"
    saved = node(observation)["nat"]
    where = saved.index("[14:840] -A PREROUTING")
    node(observation)["nat"] = saved[:where] + line + saved[where:]
    (finding,) = found(observation)
    assert finding.code == "T13"
    assert "--delete PREROUTING -p tcp" in finding.remedy


@pytest.mark.parametrize(
    "rule",
    [
        f"-A PREROUTING -p udp -m udp --dport 80 -j DNAT --to-destination {DEAD}:8080",
        f"-A PREROUTING -p tcp -m tcp --dport 81 -j DNAT --to-destination {DEAD}:8080",
        f"-A PREROUTING -d 192.0.2.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination {DEAD}:8080",
        f"-A PREROUTING -i docker0 -p tcp -m tcp --dport 80 -j DNAT --to-destination {DEAD}:8080",
        f"-A PREROUTING -m addrtype ! --dst-type LOCAL -p tcp --dport 80 -j DNAT --to-destination {DEAD}:8080",
        f"-A PREROUTING -s 10.9.9.9/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination {DEAD}:8080",
        f"-A UNUSED -p tcp -m tcp --dport 80 -j DNAT --to-destination {DEAD}:8080",
    ],
)
def test_a_rule_that_the_request_does_not_meet_is_not_stale(rule: str) -> None:
    observation = _closed(*host_port())
    node(observation)["nat"] = node(observation)["nat"].replace(
        "[14:840] -A PREROUTING", f"[0:0] {rule}\n[14:840] -A PREROUTING", 1
    )
    assert codes(observation) == []


# T14


def test_a_missing_rule_is_reported_where_envoy_is_well() -> None:
    observation = _closed()
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T14", "host-port")
    assert finding.remedy.endswith("--namespace projectcontour rollout restart daemonset envoy")
    assert f"{ENVOY_IP}:8080" in finding.message


def test_what_was_not_seen_is_not_missing() -> None:
    observation = _closed()
    node(observation)["nat"] = ""
    assert codes(observation) == []
    observation["nodes"] = []
    assert codes(observation) == []
    observation = _closed()
    observation["cluster"] = None
    assert codes(observation) == ["T47"]


def test_rules_that_iptables_does_not_show_are_there_where_the_node_answers() -> None:
    observation = healthy()
    node(observation)["nat"] = nat()
    assert codes(observation) == []


def test_without_a_running_envoy_no_rule_is_missed() -> None:
    observation = _closed()
    get(observation, "Pod", ENVOY)["status"]["phase"] = "Pending"
    assert codes(observation) == []
    get(observation, "Pod", ENVOY)["status"]["phase"] = "Running"
    get(observation, "Pod", ENVOY)["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"
    assert codes(observation) == []


def test_an_envoy_that_crashes_is_the_cause_and_not_its_missing_rule() -> None:
    observation = _closed()
    waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
    get(observation, "Pod", ENVOY)["status"]["containerStatuses"][1] |= {"ready": False, "state": waiting}
    assert codes(observation) == ["T14"], "Envoy's own port still answers, so the rule alone is missing"
    failed(observation, "refused", "envoy")
    assert codes(observation) == ["T16"]


def test_a_path_without_docker_has_no_port_of_a_node() -> None:
    observation = _closed()
    observation["docker"] = observation["cluster_name"] = observation["stack"] = None
    assert codes(observation) == []


# T15


def _contested(owner: tuple[str, str] | None = None) -> JSON:
    observation = _closed(*host_port(POD_IP, OLD))
    scheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/2 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    }
    envoy = get(observation, "Pod", ENVOY)
    envoy["status"] = {"phase": "Pending", "conditions": [scheduled]}
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [WORKER]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    envoy["spec"]["affinity"] = {"nodeAffinity": required}
    del envoy["spec"]["nodeName"]
    ports = [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
    added(
        observation,
        pod("web-7d9c-x", "default", "10.244.81.70", {"app": "web"}, containers={"web": ports}, owner=owner),
    )
    return observation


@pytest.mark.parametrize(
    ("owner", "remedy"),
    [
        (None, "--namespace default delete pod web-7d9c-x"),
        (("ReplicaSet", "web-7d9c"), "--namespace default delete deployment web"),
        (("DaemonSet", "web"), "--namespace default delete daemonset web"),
    ],
)
def test_a_pod_that_came_first_to_the_port_is_reported(owner: tuple[str, str] | None, remedy: str) -> None:
    (finding,) = found(_contested(owner))
    assert (finding.code, finding.hop) == ("T15", "host-port")
    assert str(finding.resource) == "Pod/default/web-7d9c-x"
    assert finding.remedy.endswith(remedy)


def test_a_pod_that_the_kubelet_refused_is_reported_too() -> None:
    observation = _contested()
    get(observation, "Pod", ENVOY)["status"] = {"phase": "Failed", "reason": "NodePorts", "message": "Pod was rejected"}
    get(observation, "Pod", ENVOY)["spec"]["nodeName"] = WORKER
    assert codes(observation) == ["T15"]


@pytest.mark.parametrize("change", ["port", "node", "reason", "gone"])
def test_a_pod_that_does_not_stand_in_the_way_is_left_alone(change: str) -> None:
    observation = _contested()
    rival = get(observation, "Pod", "web-7d9c-x")
    if change == "port":
        rival["spec"]["containers"][0]["ports"][0]["hostPort"] = 81
    elif change == "node":
        rival["spec"]["nodeName"] = "elsewhere"
    elif change == "gone":
        rival["status"]["phase"] = "Succeeded"
    else:
        get(observation, "Pod", ENVOY)["status"]["conditions"][0]["message"] = (
            "0/2 nodes are available: Insufficient cpu."
        )
    assert codes(observation) == []


def test_the_backend_s_port_is_nobody_s_host_port() -> None:
    observation = healthy()
    get(observation, "Pod", POD)["spec"]["containers"][0]["ports"][0]["hostPort"] = 8080
    assert codes(observation) == []
    _healthy_rules(observation)
    assert codes(observation) == []
