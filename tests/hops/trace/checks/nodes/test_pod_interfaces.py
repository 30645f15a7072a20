"""Hops 3 and 6: interfaces, routes, sysctls and MTUs between a node and its pods."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from hops.model.finding import Level
from hops.trace.verdict import trace
from tests.hops.trace.asked import codes, found
from tests.hops.trace.names import (
    CONTROL,
    CONTROL_IP,
    ENVOY,
    ENVOY_INTERFACE,
    ENVOY_IP,
    JSON,
    POD,
    POD_INTERFACE,
    POD_IP,
    WORKER,
)
from tests.hops.trace.observations import failed, healthy, node, request, view
from tests.hops.trace.observations import found as get

OTHER_NODE = "ingress-hops-local-worker2"
OTHER_IP = "172.18.0.4"
_TO_POD = ("client", "node", "envoy")


def cut(observation: JSON, failure: str = "timeout") -> JSON:
    """Envoy gets no answer from the pod, nor does anybody else."""
    failed(observation, "503", *_TO_POD)
    failed(observation, failure, "pod", "pod from envoy", "service")
    return observation


def closed(observation: JSON) -> JSON:
    """Nothing comes to Envoy."""
    failed(observation, "empty", "client")
    failed(observation, "timeout", "node", "envoy", "pod from envoy")
    return observation


def edited(holder: JSON, key: str, change: Callable[[list[JSON]], Any]) -> None:
    """Changes a JSON text in place."""
    entries = json.loads(holder[key])
    holder[key] = json.dumps(change(entries) or entries)


def switched(holder: JSON, name: str, *flags: str, state: str = "DOWN") -> None:
    """Gives an interface these flags."""

    def change(entries: list[JSON]) -> None:
        next(entry for entry in entries if entry["ifname"] == name).update(flags=list(flags), operstate=state)

    edited(holder, "links", change)


def space(observation: JSON, address: str, on: str = WORKER) -> JSON:
    """The network namespace of a pod."""
    return next(s for s in node(observation, on)["namespaces"] if f'"{address}"' in s["links"])


def unrouted(observation: JSON, address: str, on: str = WORKER) -> None:
    edited(node(observation, on), "routes", lambda entries: [entry for entry in entries if entry["dst"] != address])


# T34


def test_an_interface_that_is_down_is_reported_and_not_the_route_that_went_with_it() -> None:
    observation = cut(healthy())
    switched(node(observation), POD_INTERFACE, "BROADCAST", "MULTICAST")
    switched(space(observation, POD_IP), "eth0", "NO-CARRIER", "BROADCAST", "MULTICAST", "UP", "M-DOWN")
    unrouted(observation, POD_IP)
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T34", "endpoint")
    assert finding.remedy == f"docker exec {WORKER} ip link set {POD_INTERFACE} up"
    assert POD_INTERFACE in finding.message


def test_the_pod_s_own_end_that_is_down_is_reported_with_its_routes() -> None:
    observation = cut(healthy())
    switched(node(observation), POD_INTERFACE, "NO-CARRIER", "BROADCAST", "MULTICAST", "UP", state="LOWERLAYERDOWN")
    switched(space(observation, POD_IP), "eth0", "BROADCAST", "MULTICAST")
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T34", "endpoint")
    assert "ip -netns cni-dd04 link set eth0 up" in finding.remedy


def test_an_end_without_carrier_is_reported_where_the_pod_s_end_was_not_seen() -> None:
    observation = cut(healthy())
    switched(node(observation), POD_INTERFACE, "NO-CARRIER", "BROADCAST", "MULTICAST", "UP", state="LOWERLAYERDOWN")
    node(observation)["namespaces"] = []
    (finding,) = found(observation)
    assert finding.code == "T34"
    assert "on, without carrier" in finding.message


def test_an_interface_that_is_gone_is_reported() -> None:
    observation = cut(healthy())
    edited(node(observation), "links", lambda entries: [e for e in entries if e["ifname"] != POD_INTERFACE])
    node(observation)["namespaces"].remove(space(observation, POD_IP))
    (finding,) = found(observation)
    assert finding.code == "T34"
    assert "replace --force" in finding.remedy


def test_envoy_s_interface_breaks_the_host_port() -> None:
    observation = closed(healthy())
    switched(node(observation), ENVOY_INTERFACE, "BROADCAST", "MULTICAST")
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T34", "host-port")
    assert f"projectcontour/{ENVOY}" in finding.message


def test_interfaces_are_not_down_where_they_answer_or_were_not_seen() -> None:
    observation = healthy()
    switched(node(observation), POD_INTERFACE, "BROADCAST", "MULTICAST")
    assert codes(observation) == []
    for key in ("links", None):
        observation = cut(healthy())
        if key:
            node(observation)[key] = ""
        else:
            observation["nodes"] = []
        assert codes(observation) == []


def test_another_network_plugin_s_interfaces_are_not_missed() -> None:
    observation = cut(healthy())
    for holder in observation["nodes"]:
        holder["links"] = holder["links"].replace('"cali', '"veth')
        holder["routes"] = holder["routes"].replace('"cali', '"veth')
    assert codes(observation) == []


# T35


def test_a_pod_s_missing_route_is_reported() -> None:
    observation = cut(healthy())
    unrouted(observation, POD_IP)
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T35", "endpoint")
    assert "by blackhole 10.244.81.64/26" in finding.evidence
    assert finding.remedy == f"docker exec {WORKER} ip route replace {POD_IP}/32 dev {POD_INTERFACE} scope link"


def test_a_route_to_another_interface_is_reported() -> None:
    observation = cut(healthy())
    edited(node(observation), "routes", lambda es: [e | {"dev": "eth0"} if e["dst"] == POD_IP else e for e in es])
    (finding,) = found(observation)
    assert finding.code == "T35"
    assert f"{POD_IP} dev eth0" in finding.evidence


def test_envoy_s_missing_route_breaks_the_host_port() -> None:
    observation = closed(healthy())
    unrouted(observation, ENVOY_IP)
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T35", "host-port")


def test_a_missing_route_is_nothing_where_the_pod_answers_or_no_route_was_seen() -> None:
    observation = healthy()
    unrouted(observation, POD_IP)
    assert codes(observation) == []
    observation = cut(healthy())
    node(observation)["routes"] = ""
    assert codes(observation) == []


def moved(observation: JSON) -> JSON:
    """The backend's pod runs on the control plane's node."""
    moving = get(observation, "Pod", POD)
    moving["spec"]["nodeName"] = CONTROL
    moving["status"]["hostIP"] = CONTROL_IP
    address = "10.244.90.5"
    moving["status"]["podIP"] = address
    here = space(observation, POD_IP)
    node(observation)["namespaces"].remove(here)
    here["links"] = here["links"].replace(POD_IP, address)
    node(observation, CONTROL)["namespaces"].append(here)
    link = next(e for e in json.loads(node(observation)["links"]) if e["ifname"] == POD_INTERFACE)
    edited(node(observation, CONTROL), "links", lambda entries: [*entries, link])
    route = {"dst": address, "dev": POD_INTERFACE, "scope": "link", "flags": []}
    edited(node(observation, CONTROL), "routes", lambda entries: [*entries, route])
    node(observation, CONTROL)["filter"] = node(observation)["filter"]
    edited(node(observation), "links", lambda entries: [e for e in entries if e["ifname"] != POD_INTERFACE])
    unrouted(observation, POD_IP)
    for where in ("pod", "pod from envoy"):
        request(observation, where)["address"] = address
    return observation


def test_two_nodes_with_routes_to_each_other_are_well() -> None:
    assert codes(moved(healthy())) == []
    assert codes(cut(moved(healthy()))) == []


BLOCKS = [(WORKER, "10.244.90.0/26", CONTROL_IP), (CONTROL, "10.244.81.64/26", "172.18.0.2")]


def without_answer_from_envoy(observation: JSON) -> JSON:
    """Envoy gets no answer from the pod; the pod's own node does."""
    failed(observation, "503", *_TO_POD)
    failed(observation, "timeout", "pod from envoy")
    return observation


@pytest.mark.parametrize(("on", "block", "via"), BLOCKS)
def test_a_missing_route_between_two_nodes_is_reported(on: str, block: str, via: str) -> None:
    observation = without_answer_from_envoy(moved(healthy()))
    unrouted(observation, block, on)
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T35", "endpoint")
    assert finding.remedy == f"docker exec {on} ip route replace {block} via {via} dev eth0"


def test_a_missing_route_is_no_fault_of_a_request_that_is_answered() -> None:
    observation = moved(healthy())
    unrouted(observation, "10.244.90.0/26")
    assert codes(observation) == []


def test_a_missing_route_between_two_nodes_by_the_tunnel() -> None:
    """A third node's route shows that packets between nodes are encapsulated."""
    observation = without_answer_from_envoy(moved(healthy()))
    end = {"family": "inet", "local": "10.244.90.0", "prefixlen": 32}
    edited(
        node(observation, CONTROL),
        "links",
        lambda entries: [e | {"addr_info": [end]} if e["ifname"] == "vxlan.calico" else e for e in entries],
    )
    unrouted(observation, "10.244.90.0/26")
    third = {"dst": "10.244.7.0/26", "gateway": "10.244.7.0", "dev": "vxlan.calico", "flags": ["onlink"]}
    edited(node(observation), "routes", lambda entries: [*entries, third])
    (finding,) = found(observation)
    assert finding.remedy.endswith("ip route replace 10.244.90.0/26 via 10.244.90.0 dev vxlan.calico onlink")
    (way,) = trace(view(observation).observation).between_nodes
    assert "by the default route only" in way


# T36


def test_a_node_that_forwards_nothing_is_reported() -> None:
    observation = cut(healthy())
    forwarding = [name for name in node(observation)["sysctls"] if name.endswith((".forwarding", "ip_forward"))]
    node(observation)["sysctls"] |= dict.fromkeys(forwarding, 0)
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T36", "endpoint")
    assert "net.ipv4.ip_forward is 0" in finding.message
    assert f"docker exec {WORKER} sysctl --write net.ipv4.ip_forward=1" in finding.remedy
    assert f"net.ipv4.conf.{ENVOY_INTERFACE}.forwarding=1" in finding.remedy


def test_forwarding_is_no_trouble_where_the_request_arrives_or_elsewhere() -> None:
    observation = healthy()
    node(observation)["sysctls"]["net.ipv4.ip_forward"] = 0
    assert codes(observation) == []
    observation = cut(healthy())
    node(observation, CONTROL)["sysctls"]["net.ipv4.ip_forward"] = 0
    assert codes(observation) == []
    observation = cut(healthy())
    node(observation)["sysctls"] = {}
    assert codes(observation) == []


def test_strict_rp_filter_is_reported_only_where_a_request_failed_on_two_ways() -> None:
    def tunnel(entries: list[JSON]) -> None:
        next(e for e in entries if e["dst"] == "10.244.81.64/26").update(dev="vxlan.calico")

    observation = moved(healthy())
    edited(node(observation, CONTROL), "routes", tunnel)
    assert codes(observation) == []
    failed(observation, "503", *_TO_POD)
    failed(observation, "timeout", "pod from envoy")
    (finding,) = found(observation)
    assert (finding.code, finding.hop) == ("T36", "endpoint")
    assert finding.remedy == f"docker exec {CONTROL} sysctl --write net/ipv4/conf/eth0/rp_filter=2"
    for name, interface in ((CONTROL, "eth0"), (WORKER, "all")):
        node(observation, name)["sysctls"] |= {f"net.ipv4.conf.{interface}.rp_filter": 2}
    assert codes(observation) == []


# T39


def narrow(holder: JSON, name: str, mtu: int) -> None:
    def change(entries: list[JSON]) -> None:
        next(entry for entry in entries if entry["ifname"] == name)["mtu"] = mtu

    edited(holder, "links", change)


def test_a_narrow_end_at_the_node_is_reported_by_what_it_does_to_the_request() -> None:
    observation = healthy()
    narrow(node(observation), POD_INTERFACE, 600)
    (finding,) = found(observation)
    assert (finding.code, finding.hop, finding.level) == ("T39", "endpoint", Level.ADVISORY)
    assert finding.remedy == f"docker exec {WORKER} ip link set {POD_INTERFACE} mtu 1450"
    request(observation, "client")["failure"] = "timeout"
    assert [one.level for one in found(observation)] == [Level.MANDATORY]


def test_envoy_s_narrow_end_is_the_host_port_s() -> None:
    observation = healthy()
    narrow(node(observation), ENVOY_INTERFACE, 600)
    assert [(finding.code, finding.hop) for finding in found(observation)] == [("T39", "host-port")]


def test_a_narrow_end_in_the_pod_does_tcp_no_harm() -> None:
    observation = healthy()
    narrow(space(observation, POD_IP), "eth0", 600)
    assert codes(observation) == []


def test_pods_of_different_days_may_have_different_mtus() -> None:
    observation = healthy()
    narrow(node(observation), POD_INTERFACE, 1400)
    narrow(space(observation, POD_IP), "eth0", 1400)
    assert codes(observation) == []


def test_an_end_that_was_not_seen_is_not_compared() -> None:
    observation = healthy()
    narrow(node(observation), POD_INTERFACE, 600)
    node(observation)["namespaces"] = []
    assert codes(observation) == []
