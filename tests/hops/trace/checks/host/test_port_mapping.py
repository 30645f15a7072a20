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


def bound(sight: JSON, ports: JSON, name: str = WORKER) -> None:
    """Lets a container publish these ports."""
    container(sight, name)["HostConfig"]["PortBindings"] = ports
    container(sight, name)["NetworkSettings"]["Ports"] = ports


def at(address: str, port: int = PORT) -> list[JSON]:
    return [{"HostIp": address, "HostPort": str(port)}]


def halted(sight: JSON, state: str, name: str = WORKER) -> None:
    """Stops or pauses a container as Docker shows it."""
    paused = state == "paused"
    container(sight, name)["State"] |= {"Status": state, "Running": paused, "Paused": paused}
    if not paused:
        container(sight, name)["NetworkSettings"] = {"Ports": {}, "Networks": {"kind": {"IPAddress": ""}}}
        sight["host"]["listeners"] = []


def refused() -> JSON:
    sight = healthy()
    failed(sight, "refused", "client")
    return sight


# T05


def test_a_cluster_that_publishes_nothing_is_told() -> None:
    sight = refused()
    bound(sight, {})
    (finding,) = found(sight)
    assert (finding.code, finding.hop, finding.level) == ("T05", "port-mapping", Level.MANDATORY)
    assert finding.remedy == "make down STACK=local && make up STACK=local"
    assert codes(faults.unowned(sight)) == [], "an existing cluster may be entered by another way"


def test_without_a_stack_another_published_port_is_the_remedy_or_else_a_forwarding_container() -> None:
    sight = refused()
    sight["stack"] = None
    bound(sight, {"80/tcp": at("127.0.0.1", 9090)})
    (finding,) = found(sight)
    assert finding.code == "T05"
    assert finding.look == f"curl --header 'Host: {NAME}' http://127.0.0.1:9090/"
    assert finding.remedy.startswith("docker run ")
    bound(sight, {})
    (finding,) = found(sight)
    assert finding.look == ""
    assert finding.remedy.startswith(f"docker run --detach --network kind --publish 127.0.0.1:{PORT}:80 ")
    assert f"TCP:{WORKER}:80" in finding.remedy


def test_a_cluster_that_something_else_forwards_to_needs_no_binding() -> None:
    sight = healthy()
    bound(sight, {})
    assert codes(sight) == []


@pytest.mark.parametrize("part", ["docker", "existing", "balanced", "from_node"])
def test_where_docker_is_not_in_the_way_nothing_is_said_of_it(part: str) -> None:
    sight = refused()
    bound(sight, {})
    if part == "docker":
        sight["docker"] = None
    elif part == "existing":
        sight["stack"]["settings"]["cluster"]["existing"] = "their-context"
        sight["docker"] = sight["cluster_name"] = None
    elif part == "balanced":
        thing(sight, "Service", "envoy")["status"] = {"loadBalancer": {"ingress": [{"ip": GATEWAY}]}}
    else:
        sight["asked"]["from_node"] = True
    assert codes(sight) == []


# T06


def test_a_port_on_the_node_without_envoy_is_told() -> None:
    sight = refused()
    failed(sight, "empty", "client", "node")
    bound(sight, {})
    bound(sight, {"80/tcp": at("127.0.0.1")}, CONTROL)
    (finding,) = found(sight)
    assert (finding.code, finding.hop) == ("T06", "port-mapping")
    assert (CONTROL in finding.message, WORKER in finding.message) == (True, True)
    assert finding.remedy == "make down STACK=local && make up STACK=local"
    (finding,) = found(faults.unowned(sight))
    assert finding.remedy.startswith(".venv/bin/hops kubectl local --namespace projectcontour patch daemonset envoy ")
    assert f'"kubernetes.io/hostname":"{CONTROL}"' in finding.remedy


def test_an_envoy_that_runs_nowhere_or_waits_there_is_not_elsewhere() -> None:
    sight = refused()
    bound(sight, {})
    bound(sight, {"80/tcp": at("127.0.0.1")}, CONTROL)
    thing(sight, "Pod", ENVOY)["status"]["phase"] = "Pending"
    assert codes(sight) == []
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [CONTROL]}]}
    wanted = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    waiting = {**thing(sight, "Pod", ENVOY), "metadata": {**thing(sight, "Pod", ENVOY)["metadata"], "name": "envoy-2"}}
    waiting["spec"] = {"containers": [], "affinity": {"nodeAffinity": wanted}}
    thing(sight, "Pod", ENVOY)["status"]["phase"] = "Running"
    sight["cluster"]["objects"].append(waiting)
    assert codes(sight) == []
    sight["cluster"]["objects"].remove(waiting)
    assert codes(sight) == ["T06"]


def test_an_api_that_was_not_seen_says_nothing_of_envoy_s_node() -> None:
    sight = refused()
    bound(sight, {})
    bound(sight, {"80/tcp": at("127.0.0.1")}, CONTROL)
    sight["unseen"] = {"cluster: Pod": "Forbidden"}
    assert codes(sight) == []


# T07


def test_a_mapping_to_a_port_of_the_node_that_nobody_takes_is_told() -> None:
    sight = healthy()
    failed(sight, "empty", "client")
    bound(sight, {"82/tcp": at("127.0.0.1")})
    (finding,) = found(sight)
    assert (finding.code, finding.hop) == ("T07", "port-mapping")
    assert f"port 82 of {WORKER}" in finding.message
    assert finding.remedy == "make down STACK=local && make up STACK=local"
    (finding,) = found(faults.unowned(sight))
    assert finding.remedy.startswith(".venv/bin/hops kubectl local --namespace projectcontour patch daemonset envoy ")
    assert '"hostPort":82' in finding.remedy
    # A rule for it, whoever made that, is somebody who takes it.
    node(sight)["nat"] = nat(*host_port(), *host_port(chain="CNI-DN-82", outside=82))
    assert codes(sight) == []


def test_an_envoy_that_was_not_seen_takes_what_it_takes() -> None:
    sight = healthy()
    failed(sight, "empty", "client")
    bound(sight, {"82/tcp": at("127.0.0.1")})
    sight["cluster"] = None
    assert "T07" not in codes(sight)


# T09


def test_a_port_on_another_address_than_the_name_s_is_told() -> None:
    sight = refused()
    bound(sight, {"80/tcp": at("192.168.1.20")})
    (finding,) = found(sight)
    assert (finding.code, finding.hop) == ("T09", "port-mapping")
    assert finding.remedy == "make down STACK=local && make up STACK=local"
    (unowned,) = found(faults.unowned(sight))
    assert unowned.remedy == "", "a stack does not make an existing cluster again"
    sight["stack"] = None
    look = f"curl --resolve {NAME}:{PORT}:192.168.1.20 http://{NAME}:{PORT}/"
    assert finding.look == look
    (finding,) = found(sight)
    assert (finding.remedy, finding.look) == ("", look)


def test_a_stack_that_asks_for_the_other_address_is_to_ask_for_the_name_s() -> None:
    sight = refused()
    bound(sight, {"80/tcp": at("192.168.1.20")})
    sight["stack"]["settings"]["cluster"]["listenAddress"] = "192.168.1.20"
    (finding,) = found(sight)
    assert finding.code == "T09"
    assert finding.setting == "stacks/Pulumi.local.yaml: cluster.listenAddress"


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", ""])
def test_an_address_that_serves_loopback_is_well(address: str) -> None:
    sight = refused()
    bound(sight, {"80/tcp": at(address)})
    assert codes(sight) == []


# T10


@pytest.mark.parametrize(
    ("state", "remedy"), [("exited", f"docker start {WORKER}"), ("paused", f"docker unpause {WORKER}")]
)
def test_a_node_that_does_not_run_is_told(state: str, remedy: str) -> None:
    sight = refused()
    halted(sight, state)
    (finding,) = found(sight)
    assert (finding.code, finding.hop, finding.remedy) == ("T10", "port-mapping", remedy)
    assert state in finding.message


def test_all_stopped_nodes_are_started_together() -> None:
    sight = refused()
    halted(sight, "exited")
    halted(sight, "exited", CONTROL)
    assert [finding.remedy for finding in found(sight)] == [f"docker start {CONTROL} {WORKER}"]


def test_another_node_that_does_not_run_is_not_this_path_s() -> None:
    sight = healthy()
    halted(sight, "exited", CONTROL)
    assert codes(sight) == []


# T48


def _gone() -> JSON:
    sight = refused()
    sight["docker"]["containers"] = []
    sight["nodes"], sight["cluster"], sight["envoys"], sight["host"]["listeners"] = [], None, [], []
    sight["requests"] = [request(sight, "client")]
    return sight


def test_a_cluster_that_the_stack_believes_in_and_docker_has_not_is_told() -> None:
    (finding,) = found(_gone())
    assert (finding.code, finding.hop, finding.remedy) == ("T48", "port-mapping", "make up STACK=local")
    assert f"Docker has no container of the kind cluster {CLUSTER}" in finding.message
    without = _gone()
    without["stack"]["outputs"] = None
    (finding,) = found(without)
    assert finding.code == "T48"
    assert finding.message.startswith("The stack local is not up")


def test_a_docker_that_was_not_seen_has_lost_nothing() -> None:
    sight = _gone()
    sight["docker"] = None
    assert codes(sight) == []
    sight = _gone()
    sight["stack"] = None
    assert codes(sight) == []
    elsewhere = healthy()
    elsewhere["docker"]["containers"] = []
    assert codes(elsewhere) == []


def test_a_pause_is_not_taken_for_a_stop_by_the_view() -> None:
    sight = healthy()
    assert view(sight).running(WORKER) is True
    halted(sight, "paused")
    assert view(sight).running(WORKER) is False
