"""Answers that Envoy gives itself: T70 to T75, each beside its healthy twin."""

import pytest

from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import CLUSTER, THROUGH_ENVOY, reported
from tests.hops.trace.names import ENVOY, HOST, JSON
from tests.hops.trace.observations import failed, found, healthy, request, view

UP = "make up STACK=local"


def refused(observation: JSON, status: int, body: str, *places: str) -> JSON:
    """Envoy's own answer."""
    failed(observation, "503", *(places or THROUGH_ENVOY))
    for place in places or THROUGH_ENVOY:
        request(observation, place).update({"status": status, "body": body})
    return observation


def annotated(observation: JSON, kind: str, name: str, **annotations: str) -> None:
    given = {f"projectcontour.io/{key.replace('__', '.').replace('_', '-')}": v for key, v in annotations.items()}
    found(observation, kind, name)["metadata"].setdefault("annotations", {}).update(given)


def first(observation: JSON) -> tuple[str, str, str]:
    finding = trace(view(observation).observation).findings[0]
    return finding.message, finding.remedy, finding.evidence


# T70


def test_an_envoy_that_drains_is_advice_while_it_answers() -> None:
    observation = healthy()
    faults.envoy(observation)["server"]["state"] = "DRAINING"
    traced = trace(view(observation).observation)
    assert reported(observation) == [("route", "T70")]
    assert (traced.first, traced.findings[0].remedy.split()[-3:]) == (None, ["delete", "pod", ENVOY])


def test_an_envoy_that_drains_and_is_sent_nothing_stops_the_request() -> None:
    observation = healthy()
    faults.envoy(observation)["server"]["state"] = "DRAINING"
    failed(observation, "503", *THROUGH_ENVOY)
    first_hop = trace(view(observation).observation).first
    assert first_hop is not None
    assert first_hop.name == "route"


# T71

OVERFLOW = "upstream connect error or disconnect/reset before headers. reset reason: overflow"


def test_an_open_circuit_breaker_names_the_bounds_of_the_service() -> None:
    observation = refused(healthy(), 503, OVERFLOW)
    annotated(observation, "Service", "my-service", max_requests="1")
    counter = f"cluster.{'_'.join(CLUSTER.split('/')[:3])}.upstream_rq_pending_overflow"
    faults.envoy(observation)["stats_after"][counter] = 3
    message, remedy, evidence = first(observation)
    assert reported(observation) == [("route", "T71")]
    assert "max-requests 1" in message
    assert remedy == UP
    assert f"{counter}: 0 before and 3 after" in evidence
    assert first(faults.unowned(observation))[1].endswith("annotate service my-service projectcontour.io/max-requests-")


def test_an_open_circuit_breaker_without_bounds_of_the_service_is_only_looked_at() -> None:
    observation = refused(healthy(), 503, OVERFLOW)
    finding = trace(view(observation).observation).findings[0]
    assert (finding.code, finding.remedy) == ("T71", "")
    assert "get service my-service" in finding.look


def test_an_overflow_of_another_request_is_no_fault_of_this_one() -> None:
    observation = healthy()
    annotated(observation, "Service", "my-service", max_requests="1")
    faults.envoy(observation)["stats_after"]["cluster.apps_my-service_8080.upstream_rq_pending_overflow"] = 3
    assert reported(observation) == []


# T72


def test_a_rate_limit_of_an_http_proxy() -> None:
    observation = healthy()
    proxy = faults.by_http_proxy(observation)
    proxy["spec"]["routes"][0]["rateLimitPolicy"] = {"local": {"requests": 1, "unit": "hour"}}
    refused(observation, 429, "local_rate_limited")
    message, remedy, evidence = first(observation)
    assert reported(observation) == [("route", "T72")]
    assert "allows 1 requests a hour" in message
    assert '"path":"/spec/routes/0/rateLimitPolicy"' in remedy
    assert "rateLimitPolicy at /spec/routes/0" in evidence


def test_a_pods_own_429_is_the_apps() -> None:
    observation = healthy()
    for place in THROUGH_ENVOY:
        request(observation, place)["status"] = 429
    assert reported(observation) == [("pod", "T43")]


# T73

TLS_ERROR = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"


@pytest.mark.parametrize(
    ("name", "status", "body"), [("h2c", 502, "reset reason: protocol error"), ("tls", 503, TLS_ERROR)]
)
def test_another_protocol_than_the_pods(name: str, status: int, body: str) -> None:
    observation = refused(healthy(), status, body)
    annotated(observation, "Service", "my-service", **{f"upstream-protocol__{name}": "http,8080"})
    message, remedy, evidence = first(observation)
    assert reported(observation) == [("route", "T73")]
    assert {"h2c": "HTTP/2", "tls": "TLS"}[name] in message
    assert remedy == UP
    assert f"projectcontour.io/upstream-protocol.{name}" in evidence
    assert first(faults.unowned(observation))[1].endswith(f"projectcontour.io/upstream-protocol.{name}-")


def test_a_protocol_of_the_stacks_own_setting_is_corrected_there() -> None:
    observation = refused(healthy(), 503, TLS_ERROR)
    service = observation["stack"]["settings"]["services"][0]
    for key in ("host", "path", "request", "ingress"):
        service.pop(key, None)
    service["routes"] = [{"name": "my-service-ingress", "host": HOST, "path": "/", "request": "/", "protocol": "tls"}]
    annotated(observation, "Service", "my-service", upstream_protocol__tls="8080")
    finding = trace(view(observation).observation).findings[0]
    assert finding.setting == "stacks/Pulumi.local.yaml: services[0].routes[0].protocol"
    assert finding.remedy == UP


def test_a_protocol_of_an_http_proxy() -> None:
    observation = healthy()
    faults.by_http_proxy(observation)["spec"]["routes"][0]["services"][0]["protocol"] = "tls"
    refused(observation, 503, TLS_ERROR)
    assert reported(observation) == [("route", "T73")]
    assert '"path":"/spec/routes/0/services/0/protocol"' in first(observation)[1]


def test_a_protocol_for_another_port_is_not_the_cause() -> None:
    observation = refused(healthy(), 503, TLS_ERROR)
    annotated(observation, "Service", "my-service", upstream_protocol__tls="9443")
    assert ("route", "T73") not in reported(observation)


def test_a_pod_that_speaks_the_declared_protocol_is_left_alone() -> None:
    observation = healthy()
    annotated(observation, "Service", "my-service", upstream_protocol__h2c="8080")
    assert reported(observation) == []


# T74


def test_a_response_timeout_that_the_pod_needs_longer_than() -> None:
    observation = refused(healthy(), 504, "upstream request timeout")
    faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"][0]["route"]["timeout"] = "1s"
    for place in faults.DIRECT:
        request(observation, place)["seconds"]["total"] = 2.01
    message, remedy, evidence = first(observation)
    assert reported(observation) == [("route", "T74")]
    assert message == "Envoy waits 1s for the pod, which needs 2.0 s."
    assert remedy == UP
    assert "timeout of 1s" in evidence
    assert "projectcontour.io/response-timeout=30s" in first(faults.unowned(observation))[1]


def test_a_timeout_of_a_pod_that_never_answers_is_the_pods() -> None:
    observation = refused(healthy(), 504, "upstream request timeout")
    failed(observation, "timeout", *faults.DIRECT)
    for place in faults.DIRECT:
        request(observation, place)["seconds"] = {"connect": 0.001, "total": 4.0}
    assert reported(observation) == [("pod", "T44")]


# T75


def websocket(observation: JSON) -> JSON:
    observation["asked"]["headers"] = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return observation


def test_a_websocket_that_the_route_does_not_allow() -> None:
    observation = websocket(refused(healthy(), 403, ""))
    finding = trace(view(observation).observation).findings[0]
    assert reported(observation) == [("route", "T75")]
    assert finding.setting == "stacks/Pulumi.local.yaml: services[0].routes[0].websocket"
    assert "projectcontour.io/websocket-routes=/" in first(unplanned(observation))[1]


def unplanned(observation: JSON) -> JSON:
    return {**observation, "stack": None}


def test_a_403_of_another_request_is_not_about_websockets() -> None:
    assert ("route", "T75") not in reported(refused(healthy(), 403, ""))


def test_a_websocket_that_is_allowed() -> None:
    observation = websocket(healthy())
    for place in THROUGH_ENVOY:
        request(observation, place)["status"] = 101
    assert reported(observation) == []
