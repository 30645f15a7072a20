"""The way between two nodes: T84, T85, and T10 of a node behind the publishing one."""

import json

from hops.model.hop import HopName
from hops.trace.facts.evidence import found as seen_at
from hops.trace.verdict import trace
from tests.hops.trace.checks.nodes.test_pod_interfaces import edited, moved
from tests.hops.trace.faults import THROUGH_ENVOY, reported
from tests.hops.trace.names import CONTROL, CONTROL_IP, JSON, MTU, WORKER
from tests.hops.trace.observations import container, failed, healthy, node, view


def tunnelled(observation: JSON | None = None) -> JSON:
    """Two nodes that encapsulate all packets between them."""
    observation = moved(healthy() if observation is None else observation)
    for name, block in ((WORKER, "10.244.90.0/26"), (CONTROL, "10.244.81.64/26")):

        def by_tunnel(entries: list[JSON], block: str = block) -> list[JSON]:
            return [{**e, "dev": "vxlan.calico"} if e.get("dst") == block else e for e in entries]

        edited(node(observation, name), "routes", by_tunnel)
    return observation


def test_the_table_has_the_way_of_packets() -> None:
    assert trace(view(tunnelled()).observation).between_nodes == (
        f"{WORKER} -> {CONTROL} dev vxlan.calico, encapsulated as UDP 4789, MTU {MTU}",
    )
    (plain,) = trace(view(moved(healthy())).observation).between_nodes
    assert plain.startswith(f"{WORKER} -> {CONTROL} dev eth0, not encapsulated, MTU ")
    assert trace(view(healthy()).observation).between_nodes == (), "one worker runs all pods"


def test_a_further_publishing_worker_is_the_entrypoint_of_its_own_port() -> None:
    observation = healthy()
    port = observation["asked"]["port"]
    cluster = observation["stack"]["settings"]["cluster"]
    assert view(observation).entrypoint == view(observation).planned.entrypoint  # type: ignore[union-attr]
    cluster |= {"workers": 2, "publishingWorker": 2, "httpPort": port + 1, "httpsPort": None}
    cluster["alsoPublish"] = [{"worker": 1, "httpPort": port, "httpsPort": None}]
    entrypoint = view(observation).entrypoint
    assert entrypoint is not None
    assert (entrypoint.node, [mapping.host for mapping in entrypoint.mappings]) == (WORKER, [port])
    assert reported(observation) == []
    planned = {hop.name: str(hop.planned) for hop in trace(view(observation).observation).hops}
    assert planned[HopName.PORT_MAPPING] == f"127.0.0.1:{port} -> {WORKER}:80"


def cut(observation: JSON) -> JSON:
    failed(observation, "503", *THROUGH_ENVOY)
    failed(observation, "timeout", "pod from envoy")
    return observation


def test_a_tunnel_that_works_is_left_alone_and_reported() -> None:
    observation = tunnelled()
    assert reported(observation) == []
    line = f"from {WORKER} to {CONTROL}: 10.244.90.5 goes by vxlan.calico via {CONTROL_IP}, encapsulated as UDP 4789"
    assert line in seen_at(view(observation), HopName.ENDPOINT).evidence


def test_without_a_tunnel_it_says_that_packets_are_not_encapsulated() -> None:
    evidence = "\n".join(seen_at(view(moved(healthy())), HopName.ENDPOINT).evidence)
    assert f"goes by eth0 via {CONTROL_IP}, not encapsulated" in evidence


def counted(entries: list[JSON], received: int, sent: int, dropped: int = 0) -> list[JSON]:
    stats = {
        "rx": {"packets": received, "errors": 0, "dropped": 0},
        "tx": {"packets": sent, "errors": 0, "dropped": dropped},
    }
    return [{**e, "stats64": stats} if e["ifname"] == "vxlan.calico" else e for e in entries]


def test_the_counters_of_the_tunnel_before_and_after_are_reported() -> None:
    observation = tunnelled()
    node(observation)["links_after"] = json.dumps(counted(json.loads(node(observation)["links"]), 15, 14, dropped=2))
    edited(node(observation), "links", lambda entries: counted(entries, 9, 8))
    assert reported(observation) == []
    line = (
        f"vxlan.calico of {WORKER}: up, MTU {MTU}; packets received 9 before and 15 after, sent 8 before and 14 after, "
        "lost 0 before and 2 after"
    )
    assert line in seen_at(view(observation), HopName.ENDPOINT).evidence


def test_counters_that_were_not_printed_are_not_reported() -> None:
    evidence = seen_at(view(tunnelled()), HopName.ENDPOINT).evidence
    assert f"vxlan.calico of {WORKER}: up, MTU {MTU}" in evidence


def test_a_pod_beside_envoy_stays_on_its_node() -> None:
    observation = healthy()
    line = "are both on"
    assert line not in "\n".join(seen_at(view(observation), HopName.ENDPOINT).evidence), "one worker runs all pods"
    second = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": f"{WORKER}2"}}
    observation["cluster"]["objects"] = [*observation["cluster"]["objects"], second]
    assert line in "\n".join(seen_at(view(observation), HopName.ENDPOINT).evidence)
    assert line not in "\n".join(seen_at(view(moved(observation)), HopName.ENDPOINT).evidence)


def test_a_rule_that_drops_the_tunnels_port() -> None:
    observation = cut(tunnelled())
    rule = "-p udp -m udp --dport 4789 -j DROP"
    node(observation, CONTROL)["filter"] = f"*filter\n[9:540] -A INPUT {rule}\n" + node(observation, CONTROL)["filter"]
    assert reported(observation) == [("endpoint", "T84")]
    (finding,) = trace(view(observation).observation).findings
    assert finding.remedy == f"docker exec {CONTROL} iptables --delete INPUT {rule}"


def test_a_rule_of_the_machine_that_drops_the_tunnels_port() -> None:
    observation = cut(tunnelled())
    rule = "-d 172.18.0.3/32 -p udp -m udp --dport 4789 -j DROP"
    observation["host"]["filter"] = f"*filter\n-A DOCKER-USER {rule}\nCOMMIT\n"
    assert reported(observation) == [("endpoint", "T84")]
    assert trace(view(observation).observation).findings[0].remedy == f"sudo iptables --delete DOCKER-USER {rule}"


def test_calicos_own_rules_are_no_fault() -> None:
    observation = cut(tunnelled())
    for name in (CONTROL, WORKER):
        node(observation, name)["filter"] += "-A cali-INPUT -p udp -m multiport --dports 4789 -j DROP\n"
    assert "T84" not in [code for _, code in reported(observation)]


def test_a_tunnel_that_is_down() -> None:
    observation = cut(tunnelled())

    def down(entries: list[JSON]) -> list[JSON]:
        return [{**e, "flags": []} if e["ifname"] == "vxlan.calico" else e for e in entries]

    edited(node(observation), "links", down)
    assert reported(observation) == [("endpoint", "T84")]
    assert "vxlan.calico up" in trace(view(observation).observation).findings[0].remedy


def switched_off(observation: JSON) -> None:
    """The tunnel is switched off at the pod's node; the kernel dropped the routes by it."""
    cut(tunnelled(observation))

    def down(entries: list[JSON]) -> list[JSON]:
        return [{**e, "flags": []} if e["ifname"] == "vxlan.calico" else e for e in entries]

    edited(node(observation, CONTROL), "links", down)
    edited(node(observation, CONTROL), "routes", lambda entries: [e for e in entries if e.get("dev") != "vxlan.calico"])


def test_the_route_that_went_with_a_tunnel_is_not_reported() -> None:
    observation = healthy()
    switched_off(observation)
    assert reported(observation) == [("endpoint", "T84")]


def test_a_rule_for_the_tunnel_is_no_fault_of_a_request_that_is_answered() -> None:
    observation = tunnelled()
    node(observation, CONTROL)["filter"] += "-A INPUT -p udp -m udp --dport 4789 -j DROP\n"
    assert reported(observation) == []


def narrow(observation: JSON, mtu: int) -> JSON:
    def lower(entries: list[JSON]) -> list[JSON]:
        return [{**e, "mtu": mtu} if e["ifname"] == "eth0" else e for e in entries]

    edited(node(observation, CONTROL), "links", lower)
    return observation


def test_an_uplink_below_the_pods() -> None:
    observation = narrow(moved(healthy()), 400)
    assert reported(observation) == [("endpoint", "T85")]
    failed(observation, "timeout", *THROUGH_ENVOY)
    traced = trace(view(observation).observation)
    assert traced.first is not None
    assert traced.findings[0].remedy == f"docker exec {CONTROL} ip link set eth0 mtu 1500"


def test_an_uplink_that_carries_the_pods_packets() -> None:
    assert reported(narrow(moved(healthy()), 1450)) == []


def test_an_uplink_without_room_for_the_tunnels_overhead() -> None:
    assert reported(narrow(tunnelled(), 1450)) == [("endpoint", "T85")]


# T10 behind the publishing node


def test_the_node_of_the_pod_is_stopped() -> None:
    observation = moved(healthy())
    container(observation, CONTROL)["State"] |= {"Running": False, "Status": "exited"}
    observation["nodes"] = [one for one in observation["nodes"] if one["name"] != CONTROL]
    failed(observation, "503", *THROUGH_ENVOY)
    failed(observation, "timeout", "pod from envoy", "service")
    observation["requests"] = [one for one in observation["requests"] if one["where"] != "pod"]
    assert ("pod", "T10") in reported(observation)
    mends = [f.remedy for f in trace(view(observation).observation).findings if f.code == "T10"]
    assert mends == [f"docker start {CONTROL}"]


def test_a_stopped_node_of_the_pod_is_advice_while_the_request_is_answered() -> None:
    observation = moved(healthy())
    container(observation, CONTROL)["State"] |= {"Running": False, "Status": "exited"}
    assert ("pod", "T10") in reported(observation)
    assert trace(view(observation).observation).first is None
