"""Where requests are sent, decided from what is known of the path."""

from hops.trace.facts.probes import Probe, probes, published
from tests.hops.trace.names import (
    CONTROL,
    ENVOY,
    ENVOY_IP,
    ENVOY_IPV6,
    POD,
    POD_IP,
    POD_IPV6,
    SERVICE_IP,
    WORKER,
    WORKER_IP,
    WORKER_IPV6,
)
from tests.hops.trace.observations import container, dual, found, healthy, request, view, without


def by_place(observation: dict[str, object]) -> dict[str, Probe]:
    return {probe.where: probe for probe in probes(view(observation))}


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
    observation = healthy()
    found(observation, "Pod", POD)["spec"]["nodeName"] = CONTROL
    sent = by_place(observation)
    assert (sent["pod"].node, sent["pod from envoy"].node) == (CONTROL, WORKER)
    assert sent["service"].node == CONTROL, "a policy lets the pod's own node in, and no other"


def test_a_node_that_publishes_another_port_is_not_asked() -> None:
    """Two nodes publish, and the request enters by the one of its port."""
    observation = healthy()
    observation["stack"] = None
    container(observation, CONTROL)["HostConfig"]["PortBindings"]["80/tcp"] = [
        {"HostIp": "127.0.0.1", "HostPort": "8090"}
    ]
    assert view(observation).entrypoint.node == WORKER  # type: ignore[union-attr]
    sent = by_place(observation)
    assert (sent["node"].node, sent["node"].address) == (WORKER, WORKER_IP)


def test_what_has_no_address_is_not_asked() -> None:
    observation = healthy()
    del found(observation, "Pod", ENVOY)["status"]["podIP"]
    assert list(by_place(observation)) == ["node", "pod", "service"]
    without(observation, "Pod", POD)
    assert list(by_place(observation)) == ["node", "service"]
    found(observation, "Service", "my-service")["spec"]["clusterIP"] = "None"
    assert list(by_place(observation)) == ["node"]
    observation["docker"] = None
    assert list(by_place(observation)) == []


def test_envoys_network_must_have_been_seen_to_be_stood_in_for() -> None:
    observation = healthy()
    observation["nodes"] = []
    assert "pod from envoy" not in by_place(observation)
    found(observation, "Pod", ENVOY)["spec"]["hostNetwork"] = True
    assert by_place(observation)["pod from envoy"].namespace is None


def test_what_may_change_something_is_not_repeated() -> None:
    observation = healthy()
    observation["asked"]["method"] = "DELETE"
    assert {probe.method for probe in probes(view(observation))} == {"GET"}
    observation["asked"]["method"] = "HEAD"
    assert {probe.method for probe in probes(view(observation))} == {"HEAD"}


def test_a_grpc_call_is_a_call_at_every_hop_and_http_2_at_the_pod() -> None:
    assert {probe.scheme for probe in probes(view(healthy()))} == {"http"}
    observation = healthy()
    observation["asked"] |= {"method": "POST", "grpc": True}
    sent = by_place(observation)
    assert {probe.method for probe in sent.values()} == {"POST"}
    assert [where for where, probe in sent.items() if probe.scheme == "h2c"] == ["pod", "pod from envoy", "service"]


def test_from_the_node_the_followed_request_is_the_nodes() -> None:
    observation = healthy()
    observation["asked"] |= {"from_node": True, "method": "POST"}
    sent = by_place(observation)
    assert (sent["client"].node, sent["client"].address, sent["client"].method) == (WORKER, WORKER_IP, "POST")
    assert sent["node"].method == "GET"


def test_the_address_that_requests_enter_by() -> None:
    observation = healthy()
    assert published(view(observation)) == ("127.0.0.1",)
    observation["stack"]["settings"]["cluster"]["listenAddress"] = "0.0.0.0"
    assert published(view(observation)) == ("127.0.0.1",)
    observation["stack"]["settings"]["cluster"]["listenAddress"] = "192.0.2.7"
    assert published(view(observation)) == ("192.0.2.7",)


def test_a_load_balancers_address() -> None:
    observation = healthy()
    observation["stack"]["settings"]["cluster"] |= {"existing": "elsewhere", "name": "x", "listenAddress": None}
    assert published(view(observation)) == ()
    observation["cluster"]["objects"].append(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "envoy", "namespace": "projectcontour"},
            "spec": {"type": "LoadBalancer", "selector": {"app": "envoy"}},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.8"}]}},
        }
    )
    assert published(view(observation)) == ("192.0.2.8",)


def test_a_client_that_tried_another_family_did_not_enter_by_it() -> None:
    plain, both = healthy(), dual()
    for observation in (plain, both):
        request(observation, "client")["address"] = "::1"
    assert (view(plain).version, view(plain).address_of(WORKER)) == (4, WORKER_IP)
    assert (view(both).version, view(both).address_of(WORKER)) == (6, WORKER_IPV6)


def test_both_families_of_the_entrance_are_asked() -> None:
    asked = [(one.where, one.address) for one in probes(view(dual())) if one.where in ("node", "envoy", "pod")]
    assert asked == [
        ("node", WORKER_IP),
        ("node", WORKER_IPV6),
        ("envoy", ENVOY_IP),
        ("envoy", ENVOY_IPV6),
        ("pod", POD_IP),
        ("pod", POD_IPV6),
    ]
