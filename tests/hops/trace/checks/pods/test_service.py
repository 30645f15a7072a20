"""The Service beside the path and the endpoints that it gives: SV01, SV02, T45."""

import json

from hops.trace.result import Verdict
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import reported
from tests.hops.trace.names import JSON, POD, POD_INTERFACE, SERVICE_IP
from tests.hops.trace.observations import failed, found, healthy, node, request, view, without

UP = "make up STACK=local"


def remedy(observation: JSON, *, owned: bool = False) -> str:
    """The first remedy in an existing cluster, or in one of the stack's own."""
    return trace(view(observation if owned else faults.unowned(observation)).observation).findings[0].remedy


def port(observation: JSON) -> JSON:
    return found(observation, "Service", "my-service")["spec"]["ports"][0]  # type: ignore[no-any-return]


def selectorless(observation: JSON) -> None:
    """A Service whose selector no pod meets."""
    found(observation, "Service", "my-service")["spec"]["selector"] = {"service": "exampel-pod"}
    faults.no_endpoints(observation)
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"] = []


def test_a_selector_that_no_pod_meets_is_reported_at_the_endpoint() -> None:
    observation = healthy()
    selectorless(observation)
    assert reported(observation) == [("endpoint", "SV01")]
    assert f'"value":{{"service":"{POD}"}}' in remedy(observation)
    assert remedy(observation, owned=True) == UP
    assert trace(view(observation).observation).hops[4].verdict is Verdict.BESIDE


def test_a_missing_pod_is_no_wrong_selector() -> None:
    observation = healthy()
    without(observation, "Pod", POD)
    faults.no_endpoints(observation)
    failed(observation, "timeout", *faults.DIRECT)
    assert reported(observation) == [("pod", "T42")]


def test_a_target_port_that_no_pod_offers() -> None:
    observation = healthy()
    port(observation)["targetPort"] = 9999
    failed(observation, "503", *faults.THROUGH_ENVOY)
    failed(observation, "refused", "service")
    assert reported(observation) == [("endpoint", "SV02")]
    assert '"/spec/ports/0/targetPort","value":8080' in remedy(observation)
    assert remedy(observation, owned=True) == UP


def test_a_target_port_where_the_pod_declares_none() -> None:
    observation = healthy()
    port(observation)["targetPort"] = 9999
    del found(observation, "Pod", POD)["spec"]["containers"][0]["ports"]
    failed(observation, "503", *faults.THROUGH_ENVOY)
    assert reported(observation) == [("endpoint", "SV02")]


def test_a_named_target_port_that_the_pod_lacks() -> None:
    observation = healthy()
    port(observation)["targetPort"] = "web"
    faults.no_endpoints(observation)
    assert reported(observation) == [("endpoint", "SV02")]


def test_a_named_target_port_that_the_pod_has_and_ports_that_it_does_not_declare() -> None:
    observation = healthy()
    port(observation)["targetPort"] = "http"
    assert reported(observation) == []
    undeclared = healthy()
    del found(undeclared, "Pod", POD)["spec"]["containers"][0]["ports"]
    assert reported(undeclared) == []


def test_without_a_stack_a_selector_is_held_against_the_pods() -> None:
    observation = healthy()
    del observation["stack"]
    selectorless(observation)
    assert reported(observation) == [("endpoint", "SV01")]


# kube-proxy


def flushed(observation: JSON) -> None:
    """kube-proxy's chains gone."""
    for key in ("nat", "nat_after"):
        node(observation)[key] = "\n".join(
            line for line in node(observation)[key].splitlines() if SERVICE_IP not in line
        )


def test_kube_proxy_gone_is_advice_beside_the_path() -> None:
    observation = healthy()
    without(observation, "DaemonSet", "kube-proxy")
    for name in ("kube-proxy-2m9xj", "kube-proxy-w8t6h"):
        without(observation, "Pod", name)
    flushed(observation)
    failed(observation, "timeout", "service")
    traced = trace(view(observation).observation)
    assert [(f.hop, f.code, str(f.level)) for f in traced.findings] == [("service", "T45", "advisory")]
    assert traced.first is None
    assert traced.hops[4].verdict is Verdict.BESIDE
    assert "kubeadm init phase addon kube-proxy" in remedy(observation)
    assert "kubeadm init phase addon kube-proxy" in remedy(observation, owned=True)


def test_somebody_elses_answer_at_the_cluster_ip_is_not_the_services() -> None:
    """Without a rule the request leaves the node by its default route."""
    observation = healthy()
    without(observation, "DaemonSet", "kube-proxy")
    for name in ("kube-proxy-2m9xj", "kube-proxy-w8t6h"):
        without(observation, "Pod", name)
    flushed(observation)
    request(observation, "service").update({"status": 404, "headers": {"server": "a proxy"}})
    assert reported(observation) == [("service", "T45")]
    failed(observation, "timeout", "client", "node", "envoy", "pod", "pod from envoy")
    assert ("service", "T45") in reported(observation), "the pods are silent, so that answer is none of theirs"
    another = {**request(healthy(), "pod"), "address": "10.244.81.69"}
    observation["requests"].append(another)
    request(observation, "service").update({"status": another["status"], "headers": another["headers"]})
    assert ("service", "T45") not in reported(observation), (
        "another pod answers, by the ClusterIP as by its own address"
    )


def test_kube_proxy_gone_shows_in_a_cluster_of_ones_own_also_while_no_pod_is_ready() -> None:
    observation = healthy()
    without(observation, "DaemonSet", "kube-proxy")
    for name in ("kube-proxy-2m9xj", "kube-proxy-w8t6h"):
        without(observation, "Pod", name)
    for key in ("nat", "nat_after"):
        node(observation)[key] = "\n".join(line for line in node(observation)[key].splitlines() if "KUBE-" not in line)
    faults.unready(observation)
    faults.no_endpoints(observation)
    failed(observation, "refused", "pod", "pod from envoy", "service")
    assert ("service", "T45") in reported(observation)
    del observation["stack"]
    assert ("service", "T45") not in reported(observation), "another cluster may have something else than kube-proxy"


def test_kube_proxy_that_is_not_ready() -> None:
    observation = healthy()
    status = faults.status(observation, "kube-proxy-2m9xj")
    next(c for c in status["conditions"] if c["type"] == "Ready")["status"] = "False"
    assert reported(observation) == [("service", "T45")]
    assert remedy(observation).endswith("rollout restart daemonset/kube-proxy")
    assert remedy(observation, owned=True) == remedy(observation), "an update does not restart a DaemonSet"


def test_a_rivals_answer_hides_no_interface_that_is_down_and_makes_no_fault_of_kube_proxy() -> None:
    """kube-proxy refuses what has no endpoints."""
    observation = healthy()
    faults.claimed_twice(observation)
    faults.unready(observation)
    faults.no_endpoints(observation)
    observation["requests"] = healthy()["requests"]
    down = [link | {"flags": ["BROADCAST"]} if link["ifname"] == POD_INTERFACE else link for link in links(observation)]
    node(observation)["links"] = json.dumps(down)
    failed(observation, "refused", "service")
    failed(observation, "timeout", "pod", "pod from envoy")
    assert reported(observation) == [("route", "IN05"), ("endpoint", "T34")]


def links(observation: JSON) -> list[JSON]:
    found: list[JSON] = json.loads(node(observation)["links"])
    return found


def test_flushed_rules_show_by_the_request_to_the_cluster_ip() -> None:
    observation = healthy()
    flushed(observation)
    failed(observation, "timeout", "service")
    assert reported(observation) == [("service", "T45")]


def test_a_kube_proxy_without_chains_that_serves_is_well() -> None:
    observation = healthy()
    flushed(observation)
    assert reported(observation) == []


def test_a_cluster_without_kube_proxy_that_serves_its_addresses_is_well() -> None:
    observation = healthy()
    without(observation, "DaemonSet", "kube-proxy")
    for name in ("kube-proxy-2m9xj", "kube-proxy-w8t6h"):
        without(observation, "Pod", name)
    assert reported(observation) == []


def test_kube_proxy_out_of_inotify_instances_is_the_machines() -> None:
    observation = healthy()
    status = faults.status(observation, "kube-proxy-2m9xj")
    next(c for c in status["conditions"] if c["type"] == "Ready")["status"] = "False"
    status["containerStatuses"][0] |= {"ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    name = status["containerStatuses"][0]["name"]
    observation["cluster"]["logs"][f"kube-system/kube-proxy-2m9xj/{name}"] = "fsnotify: too many open files"
    assert reported(observation) == [("service", "T45")]
    observation["host"]["inotify"]["max_user_instances"] = 128
    assert reported(observation) == [(None, "T49")]


def test_a_named_target_port_whose_slice_has_no_port_is_no_matter_of_contour() -> None:
    observation = healthy()
    port(observation)["targetPort"] = "web"
    faults.no_endpoints(observation)
    found(observation, "EndpointSlice", "my-service-8fmwz").update({"ports": [{"name": "http", "protocol": "TCP"}]})
    found(observation, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["conditions"]["ready"] = True
    assert reported(observation) == [("endpoint", "SV02")]


def test_what_stops_a_request_comes_before_advice_from_an_earlier_hop() -> None:
    observation = healthy()
    faults.listening(observation, ("127.0.0.1", 8080))
    status = faults.status(observation, "kube-proxy-2m9xj")
    next(c for c in status["conditions"] if c["type"] == "Ready")["status"] = "False"
    assert reported(observation) == [("pod", "T40"), ("service", "T45")]


def test_the_planned_target_port_that_a_pod_does_not_declare_is_reported_of_the_pod() -> None:
    observation = healthy()
    container = found(observation, "Pod", POD)["spec"]["containers"][0]
    container |= {"command": ["python", "-m", "http.server", "8081"], "ports": []}
    faults.listening(observation, ("0.0.0.0", 8081))
    assert reported(observation) == [("pod", "T41")]
