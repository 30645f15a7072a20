"""Hop 2: who publishes the port, where, and from which node."""

import pytest

from hops.model.finding import Level
from tests.hops.trace import faults
from tests.hops.trace.asked import codes, found
from tests.hops.trace.names import CLUSTER, CONTROL, ENVOY, GATEWAY, JSON, PORT, WORKER
from tests.hops.trace.names import HOST as NAME
from tests.hops.trace.nodes import host_port, nat
from tests.hops.trace.observations import container, failed, healthy, node, request, view
from tests.hops.trace.observations import found as thing


def bound(observation: JSON, ports: JSON, name: str = WORKER) -> None:
    """Lets a container publish these ports."""
    container(observation, name)["HostConfig"]["PortBindings"] = ports
    container(observation, name)["NetworkSettings"]["Ports"] = ports


def at(address: str, port: int = PORT) -> list[JSON]:
    return [{"HostIp": address, "HostPort": str(port)}]


def halted(observation: JSON, state: str, name: str = WORKER) -> None:
    """Stops or pauses a container as Docker shows it."""
    paused = state == "paused"
    container(observation, name)["State"] |= {"Status": state, "Running": paused, "Paused": paused}
    if not paused:
        container(observation, name)["NetworkSettings"] = {"Ports": {}, "Networks": {"kind": {"IPAddress": ""}}}
        observation["host"]["listeners"] = []


def refused() -> JSON:
    observation = healthy()
    failed(observation, "refused", "client")
    return observation


# T05


def test_a_cluster_that_publishes_nothing_is_reported() -> None:
    observation = refused()
    bound(observation, {})
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T05", "port-mapping", Level.MANDATORY)
    assert finding.remedy == "make down STACK=local && make up STACK=local"
    assert codes(faults.unowned(observation)) == [], "an existing cluster may be entered by another way"


def test_without_a_stack_another_published_port_is_the_remedy_or_else_a_forwarding_container() -> None:
    observation = refused()
    observation["stack"] = None
    bound(observation, {"80/tcp": at("127.0.0.1", 9090)})
    (finding,) = found(observation)
    assert finding.code == "T05"
    assert finding.look == f"curl --header 'Host: {NAME}' http://127.0.0.1:9090/"
    assert finding.remedy.startswith("docker run ")
    bound(observation, {})
    (finding,) = found(observation)
    assert finding.look == ""
    assert finding.remedy.startswith(f"docker run --detach --network kind --publish 127.0.0.1:{PORT}:80 ")
    assert f"TCP:{WORKER}:80" in finding.remedy


def test_a_cluster_that_something_else_forwards_to_needs_no_binding() -> None:
    observation = healthy()
    bound(observation, {})
    assert codes(observation) == []


@pytest.mark.parametrize("part", ["docker", "existing", "balanced", "from_node"])
def test_where_docker_is_not_in_the_way_nothing_is_said_of_it(part: str) -> None:
    observation = refused()
    bound(observation, {})
    if part == "docker":
        observation["docker"] = None
    elif part == "existing":
        observation["stack"]["settings"]["cluster"]["existing"] = "their-context"
        observation["docker"] = observation["cluster_name"] = None
    elif part == "balanced":
        thing(observation, "Service", "envoy")["status"] = {"loadBalancer": {"ingress": [{"ip": GATEWAY}]}}
    else:
        observation["asked"]["from_node"] = True
    assert codes(observation) == []


# T06


def test_a_port_on_the_node_without_envoy_is_reported() -> None:
    observation = refused()
    failed(observation, "empty", "client", "node")
    bound(observation, {})
    bound(observation, {"80/tcp": at("127.0.0.1")}, CONTROL)
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T06", "port-mapping")
    assert (CONTROL in finding.message, WORKER in finding.message) == (True, True)
    assert finding.remedy == "make down STACK=local && make up STACK=local"
    (finding,) = found(faults.unowned(observation))
    assert finding.remedy.startswith(".venv/bin/hops kubectl local --namespace projectcontour patch daemonset envoy ")
    assert f'"kubernetes.io/hostname":"{CONTROL}"' in finding.remedy


def test_an_envoy_that_runs_nowhere_or_waits_there_is_not_elsewhere() -> None:
    observation = refused()
    bound(observation, {})
    bound(observation, {"80/tcp": at("127.0.0.1")}, CONTROL)
    thing(observation, "Pod", ENVOY)["status"]["phase"] = "Pending"
    assert codes(observation) == []
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [CONTROL]}]}
    affinity = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    waiting = {
        **thing(observation, "Pod", ENVOY),
        "metadata": {**thing(observation, "Pod", ENVOY)["metadata"], "name": "envoy-2"},
    }
    waiting["spec"] = {"containers": [], "affinity": {"nodeAffinity": affinity}}
    thing(observation, "Pod", ENVOY)["status"]["phase"] = "Running"
    observation["cluster"]["objects"].append(waiting)
    assert codes(observation) == []
    observation["cluster"]["objects"].remove(waiting)
    assert codes(observation) == ["T06"]


def test_an_api_that_was_not_seen_says_nothing_of_envoy_s_node() -> None:
    observation = refused()
    bound(observation, {})
    bound(observation, {"80/tcp": at("127.0.0.1")}, CONTROL)
    observation["unseen"] = {"cluster: Pod": "Forbidden"}
    assert codes(observation) == []


# T07


def test_a_mapping_to_a_port_of_the_node_that_nobody_takes_is_reported() -> None:
    observation = healthy()
    failed(observation, "empty", "client")
    bound(observation, {"82/tcp": at("127.0.0.1")})
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T07", "port-mapping")
    assert f"port 82 of {WORKER}" in finding.message
    assert finding.remedy == "make down STACK=local && make up STACK=local"
    (finding,) = found(faults.unowned(observation))
    assert finding.remedy.startswith(".venv/bin/hops kubectl local --namespace projectcontour patch daemonset envoy ")
    assert '"hostPort":82' in finding.remedy
    # A rule for it, whoever made that, is somebody who takes it.
    node(observation)["nat"] = nat(*host_port(), *host_port(chain="CNI-DN-82", outside=82))
    assert codes(observation) == []


def test_an_envoy_that_was_not_seen_takes_what_it_takes() -> None:
    observation = healthy()
    failed(observation, "empty", "client")
    bound(observation, {"82/tcp": at("127.0.0.1")})
    observation["cluster"] = None
    assert "T07" not in codes(observation)


# T09


def test_a_port_on_another_address_than_the_name_s_is_reported() -> None:
    observation = refused()
    bound(observation, {"80/tcp": at("192.168.1.20")})
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T09", "port-mapping")
    assert finding.remedy == "make down STACK=local && make up STACK=local"
    (unowned,) = found(faults.unowned(observation))
    assert unowned.remedy == "", "a stack does not make an existing cluster again"
    observation["stack"] = None
    look = f"curl --resolve {NAME}:{PORT}:192.168.1.20 http://{NAME}:{PORT}/"
    assert finding.look == look
    (finding,) = found(observation)
    assert (finding.remedy, finding.look) == ("", look)


def test_a_stack_that_asks_for_the_other_address_is_to_ask_for_the_name_s() -> None:
    observation = refused()
    bound(observation, {"80/tcp": at("192.168.1.20")})
    observation["stack"]["settings"]["cluster"]["listenAddress"] = "192.168.1.20"
    (finding,) = found(observation)
    assert finding.code == "T09"
    assert finding.setting == "stacks/Pulumi.local.yaml: cluster.listenAddress"


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", ""])
def test_an_address_that_serves_loopback_is_well(address: str) -> None:
    observation = refused()
    bound(observation, {"80/tcp": at(address)})
    assert codes(observation) == []


# T10


@pytest.mark.parametrize(
    ("state", "remedy"), [("exited", f"docker start {WORKER}"), ("paused", f"docker unpause {WORKER}")]
)
def test_a_node_that_does_not_run_is_reported(state: str, remedy: str) -> None:
    observation = refused()
    halted(observation, state)
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.remedy) == ("T10", "port-mapping", remedy)
    assert state in finding.message


def test_all_stopped_nodes_are_started_together() -> None:
    observation = refused()
    halted(observation, "exited")
    halted(observation, "exited", CONTROL)
    assert [finding.remedy for finding in found(observation)] == [f"docker start {CONTROL} {WORKER}"]


def test_another_node_that_does_not_run_is_not_this_path_s() -> None:
    observation = healthy()
    halted(observation, "exited", CONTROL)
    assert codes(observation) == []


# T48


def _gone() -> JSON:
    observation = refused()
    observation["docker"]["containers"] = []
    observation["nodes"], observation["cluster"], observation["envoys"], observation["host"]["listeners"] = (
        [],
        None,
        [],
        [],
    )
    observation["requests"] = [request(observation, "client")]
    return observation


def test_a_cluster_that_the_stack_believes_in_and_docker_has_not_is_reported() -> None:
    (finding,) = found(_gone())
    assert (finding.code, finding.hop, finding.remedy) == ("T48", "port-mapping", "make up STACK=local")
    assert f"Docker has no container of the kind cluster {CLUSTER}" in finding.message
    without = _gone()
    without["stack"]["outputs"] = None
    (finding,) = found(without)
    assert finding.code == "T48"
    assert finding.message.startswith("The stack local is not up")


def test_a_docker_that_was_not_seen_has_lost_nothing() -> None:
    observation = _gone()
    observation["docker"] = None
    assert codes(observation) == []
    observation = _gone()
    observation["stack"] = None
    assert codes(observation) == []
    elsewhere = healthy()
    elsewhere["docker"]["containers"] = []
    assert codes(elsewhere) == []


def test_a_pause_is_not_taken_for_a_stop_by_the_view() -> None:
    observation = healthy()
    assert view(observation).running(WORKER) is True
    halted(observation, "paused")
    assert view(observation).running(WORKER) is False
