"""Where requests are sent, decided from what is known of the path."""

from hops.trace.facts.probes import Probe, probes, published
from tests.hops.trace.names import CONTROL, ENVOY, ENVOY_IP, POD, POD_IP, SERVICE_IP, WORKER, WORKER_IP
from tests.hops.trace.observations import container, found, healthy, view, without


def by_place(sight: dict[str, object]) -> dict[str, Probe]:
    return {probe.where: probe for probe in probes(view(sight))}


def test_every_later_hop_is_asked_from_its_node() -> None:
    sent = by_place(healthy())
    assert list(sent) == ["node", "envoy", "pod", "pod from envoy", "service"]
    assert {probe.node for probe in sent.values()} == {WORKER}
    assert (sent["node"].address, sent["node"].port) == (WORKER_IP, 80)
    assert (sent["envoy"].address, sent["envoy"].port, sent["envoy"].pod) == (ENVOY_IP, 8080, f"projectcontour/{ENVOY}")
    assert (sent["pod"].address, sent["pod"].port, sent["pod"].namespace) == (POD_IP, 8080, None)
    assert (sent["pod from envoy"].address, sent["pod from envoy"].pod) == (POD_IP, f"apps/{POD}")
    assert sent["pod from envoy"].namespace
    assert (sent["service"].address, sent["service"].port) == (SERVICE_IP, 8080)


def test_a_pod_on_another_node_is_asked_from_there() -> None:
    sight = healthy()
    found(sight, "Pod", POD)["spec"]["nodeName"] = CONTROL
    sent = by_place(sight)
    assert (sent["pod"].node, sent["pod from envoy"].node) == (CONTROL, WORKER)
    assert sent["service"].node == CONTROL, "a policy lets the pod's own node in, and no other"


def test_a_node_that_publishes_another_port_is_not_asked() -> None:
    """Two nodes publish, and the request enters by the one of its port."""
    sight = healthy()
    sight["stack"] = None
    container(sight, CONTROL)["HostConfig"]["PortBindings"]["80/tcp"] = [{"HostIp": "127.0.0.1", "HostPort": "8090"}]
    assert view(sight).door.node == WORKER  # type: ignore[union-attr]
    sent = by_place(sight)
    assert (sent["node"].node, sent["node"].address) == (WORKER, WORKER_IP)


def test_what_has_no_address_is_not_asked() -> None:
    sight = healthy()
    del found(sight, "Pod", ENVOY)["status"]["podIP"]
    assert list(by_place(sight)) == ["node", "pod", "service"]
    without(sight, "Pod", POD)
    assert list(by_place(sight)) == ["node", "service"]
    found(sight, "Service", "my-service")["spec"]["clusterIP"] = "None"
    assert list(by_place(sight)) == ["node"]
    sight["docker"] = None
    assert list(by_place(sight)) == []


def test_envoys_network_must_have_been_seen_to_be_stood_in_for() -> None:
    sight = healthy()
    sight["nodes"] = []
    assert "pod from envoy" not in by_place(sight)
    found(sight, "Pod", ENVOY)["spec"]["hostNetwork"] = True
    assert by_place(sight)["pod from envoy"].namespace is None


def test_what_may_change_something_is_not_repeated() -> None:
    sight = healthy()
    sight["asked"]["method"] = "DELETE"
    assert {probe.method for probe in probes(view(sight))} == {"GET"}
    sight["asked"]["method"] = "HEAD"
    assert {probe.method for probe in probes(view(sight))} == {"HEAD"}


def test_a_grpc_call_is_a_call_at_every_hop_and_http_2_at_the_pod() -> None:
    assert {probe.scheme for probe in probes(view(healthy()))} == {"http"}
    sight = healthy()
    sight["asked"] |= {"method": "POST", "grpc": True}
    sent = by_place(sight)
    assert {probe.method for probe in sent.values()} == {"POST"}
    assert [where for where, probe in sent.items() if probe.scheme == "h2c"] == ["pod", "pod from envoy", "service"]


def test_from_the_node_the_followed_request_is_the_nodes() -> None:
    sight = healthy()
    sight["asked"] |= {"from_node": True, "method": "POST"}
    sent = by_place(sight)
    assert (sent["client"].node, sent["client"].address, sent["client"].method) == (WORKER, WORKER_IP, "POST")
    assert sent["node"].method == "GET"


def test_the_address_that_requests_enter_by() -> None:
    sight = healthy()
    assert published(view(sight)) == ("127.0.0.1",)
    sight["stack"]["settings"]["cluster"]["listenAddress"] = "0.0.0.0"
    assert published(view(sight)) == ("127.0.0.1",)
    sight["stack"]["settings"]["cluster"]["listenAddress"] = "192.0.2.7"
    assert published(view(sight)) == ("192.0.2.7",)


def test_a_load_balancers_address() -> None:
    sight = healthy()
    sight["stack"]["settings"]["cluster"] |= {"existing": "elsewhere", "name": "x", "listenAddress": None}
    assert published(view(sight)) == ()
    sight["cluster"]["objects"].append(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "envoy", "namespace": "projectcontour"},
            "spec": {"type": "LoadBalancer", "selector": {"app": "envoy"}},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.8"}]}},
        }
    )
    assert published(view(sight)) == ("192.0.2.8",)
