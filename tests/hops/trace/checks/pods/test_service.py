"""The Service beside the path and the endpoints that it gives: SV01, SV02, T45."""

import json

from hops.trace.result import Verdict
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import told
from tests.hops.trace.names import JSON, POD, POD_INTERFACE, SERVICE_IP
from tests.hops.trace.observations import failed, found, healthy, node, request, view, without

UP = "make up STACK=local"


def remedy(sight: JSON, *, owned: bool = False) -> str:
    """The first remedy in an existing cluster, or in one of the stack's own."""
    return trace(view(sight if owned else faults.unowned(sight)).sight).findings[0].remedy


def port(sight: JSON) -> JSON:
    return found(sight, "Service", "my-service")["spec"]["ports"][0]  # type: ignore[no-any-return]


def selectorless(sight: JSON) -> None:
    """A Service whose selector no pod meets."""
    found(sight, "Service", "my-service")["spec"]["selector"] = {"service": "exampel-pod"}
    faults.no_endpoints(sight)
    found(sight, "EndpointSlice", "my-service-8fmwz")["endpoints"] = []


def test_a_selector_that_no_pod_meets_is_told_at_the_endpoint() -> None:
    sight = healthy()
    selectorless(sight)
    assert told(sight) == [("endpoint", "SV01")]
    assert f'"value":{{"service":"{POD}"}}' in remedy(sight)
    assert remedy(sight, owned=True) == UP
    assert trace(view(sight).sight).hops[4].verdict is Verdict.BESIDE


def test_a_missing_pod_is_no_wrong_selector() -> None:
    sight = healthy()
    without(sight, "Pod", POD)
    faults.no_endpoints(sight)
    failed(sight, "timeout", *faults.DIRECT)
    assert told(sight) == [("pod", "T42")]


def test_a_target_port_that_no_pod_offers() -> None:
    sight = healthy()
    port(sight)["targetPort"] = 9999
    failed(sight, "503", *faults.THROUGH_ENVOY)
    failed(sight, "refused", "service")
    assert told(sight) == [("endpoint", "SV02")]
    assert '"/spec/ports/0/targetPort","value":8080' in remedy(sight)
    assert remedy(sight, owned=True) == UP


def test_a_target_port_where_the_pod_declares_none() -> None:
    sight = healthy()
    port(sight)["targetPort"] = 9999
    del found(sight, "Pod", POD)["spec"]["containers"][0]["ports"]
    failed(sight, "503", *faults.THROUGH_ENVOY)
    assert told(sight) == [("endpoint", "SV02")]


def test_a_named_target_port_that_the_pod_lacks() -> None:
    sight = healthy()
    port(sight)["targetPort"] = "web"
    faults.no_endpoints(sight)
    assert told(sight) == [("endpoint", "SV02")]


def test_a_named_target_port_that_the_pod_has_and_ports_that_it_does_not_declare() -> None:
    sight = healthy()
    port(sight)["targetPort"] = "http"
    assert told(sight) == []
    undeclared = healthy()
    del found(undeclared, "Pod", POD)["spec"]["containers"][0]["ports"]
    assert told(undeclared) == []


def test_without_a_stack_a_selector_is_held_against_the_pods() -> None:
    sight = healthy()
    del sight["stack"]
    selectorless(sight)
    assert told(sight) == [("endpoint", "SV01")]


# kube-proxy


def flushed(sight: JSON) -> None:
    """kube-proxy's chains gone."""
    for key in ("nat", "nat_after"):
        node(sight)[key] = "\n".join(line for line in node(sight)[key].splitlines() if SERVICE_IP not in line)


def test_kube_proxy_gone_is_advice_beside_the_path() -> None:
    sight = healthy()
    without(sight, "DaemonSet", "kube-proxy")
    for name in ("kube-proxy-2m9xj", "kube-proxy-w8t6h"):
        without(sight, "Pod", name)
    flushed(sight)
    failed(sight, "timeout", "service")
    traced = trace(view(sight).sight)
    assert [(f.hop, f.code, str(f.level)) for f in traced.findings] == [("service", "T45", "advisory")]
    assert traced.first is None
    assert traced.hops[4].verdict is Verdict.BESIDE
    assert "kubeadm init phase addon kube-proxy" in remedy(sight)
    assert "kubeadm init phase addon kube-proxy" in remedy(sight, owned=True)


def test_somebody_elses_answer_at_the_cluster_ip_is_not_the_services() -> None:
    """Without a rule the request leaves the node by its default route."""
    sight = healthy()
    without(sight, "DaemonSet", "kube-proxy")
    for name in ("kube-proxy-2m9xj", "kube-proxy-w8t6h"):
        without(sight, "Pod", name)
    flushed(sight)
    request(sight, "service").update({"status": 404, "headers": {"server": "a proxy"}})
    assert told(sight) == [("service", "T45")]
    failed(sight, "timeout", "client", "node", "envoy", "pod", "pod from envoy")
    assert ("service", "T45") in told(sight), "the pods are silent, so that answer is none of theirs"
    another = {**request(healthy(), "pod"), "address": "10.244.81.69"}
    sight["requests"].append(another)
    request(sight, "service").update({"status": another["status"], "headers": another["headers"]})
    assert ("service", "T45") not in told(sight), "another pod answers, by the ClusterIP as by its own address"


def test_kube_proxy_gone_shows_in_a_cluster_of_ones_own_also_while_no_pod_is_ready() -> None:
    sight = healthy()
    without(sight, "DaemonSet", "kube-proxy")
    for name in ("kube-proxy-2m9xj", "kube-proxy-w8t6h"):
        without(sight, "Pod", name)
    for key in ("nat", "nat_after"):
        node(sight)[key] = "\n".join(line for line in node(sight)[key].splitlines() if "KUBE-" not in line)
    faults.unready(sight)
    faults.no_endpoints(sight)
    failed(sight, "refused", "pod", "pod from envoy", "service")
    assert ("service", "T45") in told(sight)
    del sight["stack"]
    assert ("service", "T45") not in told(sight), "another cluster may have something else than kube-proxy"


def test_kube_proxy_that_is_not_ready() -> None:
    sight = healthy()
    status = faults.status(sight, "kube-proxy-2m9xj")
    next(c for c in status["conditions"] if c["type"] == "Ready")["status"] = "False"
    assert told(sight) == [("service", "T45")]
    assert remedy(sight).endswith("rollout restart daemonset/kube-proxy")
    assert remedy(sight, owned=True) == remedy(sight), "an update does not restart a DaemonSet"


def test_a_rivals_answer_hides_no_interface_that_is_down_and_makes_no_fault_of_kube_proxy() -> None:
    """kube-proxy refuses what has no endpoints."""
    sight = healthy()
    faults.claimed_twice(sight)
    faults.unready(sight)
    faults.no_endpoints(sight)
    sight["requests"] = healthy()["requests"]
    down = [link | {"flags": ["BROADCAST"]} if link["ifname"] == POD_INTERFACE else link for link in links(sight)]
    node(sight)["links"] = json.dumps(down)
    failed(sight, "refused", "service")
    failed(sight, "timeout", "pod", "pod from envoy")
    assert told(sight) == [("route", "IN05"), ("endpoint", "T34")]


def links(sight: JSON) -> list[JSON]:
    found: list[JSON] = json.loads(node(sight)["links"])
    return found


def test_flushed_rules_show_by_the_request_to_the_cluster_ip() -> None:
    sight = healthy()
    flushed(sight)
    failed(sight, "timeout", "service")
    assert told(sight) == [("service", "T45")]


def test_a_kube_proxy_without_chains_that_serves_is_well() -> None:
    sight = healthy()
    flushed(sight)
    assert told(sight) == []


def test_a_cluster_without_kube_proxy_that_serves_its_addresses_is_well() -> None:
    sight = healthy()
    without(sight, "DaemonSet", "kube-proxy")
    for name in ("kube-proxy-2m9xj", "kube-proxy-w8t6h"):
        without(sight, "Pod", name)
    assert told(sight) == []


def test_kube_proxy_out_of_inotify_instances_is_the_machines() -> None:
    sight = healthy()
    status = faults.status(sight, "kube-proxy-2m9xj")
    next(c for c in status["conditions"] if c["type"] == "Ready")["status"] = "False"
    status["containerStatuses"][0] |= {"ready": False, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    name = status["containerStatuses"][0]["name"]
    sight["cluster"]["logs"][f"kube-system/kube-proxy-2m9xj/{name}"] = "fsnotify: too many open files"
    assert told(sight) == [("service", "T45")]
    sight["host"]["inotify"]["max_user_instances"] = 128
    assert told(sight) == [(None, "T49")]


def test_a_named_target_port_whose_slice_has_no_port_is_no_matter_of_contour() -> None:
    sight = healthy()
    port(sight)["targetPort"] = "web"
    faults.no_endpoints(sight)
    found(sight, "EndpointSlice", "my-service-8fmwz").update({"ports": [{"name": "http", "protocol": "TCP"}]})
    found(sight, "EndpointSlice", "my-service-8fmwz")["endpoints"][0]["conditions"]["ready"] = True
    assert told(sight) == [("endpoint", "SV02")]


def test_what_stops_a_request_comes_before_advice_from_an_earlier_hop() -> None:
    sight = healthy()
    faults.listening(sight, ("127.0.0.1", 8080))
    status = faults.status(sight, "kube-proxy-2m9xj")
    next(c for c in status["conditions"] if c["type"] == "Ready")["status"] = "False"
    assert told(sight) == [("pod", "T40"), ("service", "T45")]


def test_the_planned_target_port_that_a_pod_does_not_declare_is_told_of_the_pod() -> None:
    sight = healthy()
    container = found(sight, "Pod", POD)["spec"]["containers"][0]
    container |= {"command": ["python", "-m", "http.server", "8081"], "ports": []}
    faults.listening(sight, ("0.0.0.0", 8081))
    assert told(sight) == [("pod", "T41")]
