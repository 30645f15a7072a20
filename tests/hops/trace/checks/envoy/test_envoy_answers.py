"""Answers that Envoy gives itself: T70 to T75, each beside its healthy twin."""

import pytest

from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import CLUSTER, THROUGH_ENVOY, told
from tests.hops.trace.names import ENVOY, HOST, JSON
from tests.hops.trace.observations import failed, found, healthy, request, view

UP = "make up STACK=local"


def refused(sight: JSON, status: int, body: str, *places: str) -> JSON:
    """Envoy's own answer."""
    failed(sight, "503", *(places or THROUGH_ENVOY))
    for place in places or THROUGH_ENVOY:
        request(sight, place).update({"status": status, "body": body})
    return sight


def annotated(sight: JSON, kind: str, name: str, **annotations: str) -> None:
    given = {f"projectcontour.io/{key.replace('__', '.').replace('_', '-')}": v for key, v in annotations.items()}
    found(sight, kind, name)["metadata"].setdefault("annotations", {}).update(given)


def first(sight: JSON) -> tuple[str, str, str]:
    finding = trace(view(sight).sight).findings[0]
    return finding.message, finding.remedy, finding.evidence


# T70


def test_an_envoy_that_drains_is_advice_while_it_answers() -> None:
    sight = healthy()
    faults.envoy(sight)["server"]["state"] = "DRAINING"
    traced = trace(view(sight).sight)
    assert told(sight) == [("route", "T70")]
    assert (traced.first, traced.findings[0].remedy.split()[-3:]) == (None, ["delete", "pod", ENVOY])


def test_an_envoy_that_drains_and_is_sent_nothing_stops_the_request() -> None:
    sight = healthy()
    faults.envoy(sight)["server"]["state"] = "DRAINING"
    failed(sight, "503", *THROUGH_ENVOY)
    first_hop = trace(view(sight).sight).first
    assert first_hop is not None
    assert first_hop.name == "route"


# T71

OVERFLOW = "upstream connect error or disconnect/reset before headers. reset reason: overflow"


def test_an_open_circuit_breaker_names_the_bounds_of_the_service() -> None:
    sight = refused(healthy(), 503, OVERFLOW)
    annotated(sight, "Service", "my-service", max_requests="1")
    counter = f"cluster.{'_'.join(CLUSTER.split('/')[:3])}.upstream_rq_pending_overflow"
    faults.envoy(sight)["stats_after"][counter] = 3
    message, remedy, evidence = first(sight)
    assert told(sight) == [("route", "T71")]
    assert "max-requests 1" in message
    assert remedy == UP
    assert f"{counter}: 0 before and 3 after" in evidence
    assert first(faults.unowned(sight))[1].endswith("annotate service my-service projectcontour.io/max-requests-")


def test_an_open_circuit_breaker_without_bounds_of_the_service_is_only_looked_at() -> None:
    sight = refused(healthy(), 503, OVERFLOW)
    finding = trace(view(sight).sight).findings[0]
    assert (finding.code, finding.remedy) == ("T71", "")
    assert "get service my-service" in finding.look


def test_an_overflow_of_another_request_is_no_fault_of_this_one() -> None:
    sight = healthy()
    annotated(sight, "Service", "my-service", max_requests="1")
    faults.envoy(sight)["stats_after"]["cluster.apps_my-service_8080.upstream_rq_pending_overflow"] = 3
    assert told(sight) == []


# T72


def test_a_rate_limit_of_an_http_proxy() -> None:
    sight = healthy()
    proxy = faults.by_http_proxy(sight)
    proxy["spec"]["routes"][0]["rateLimitPolicy"] = {"local": {"requests": 1, "unit": "hour"}}
    refused(sight, 429, "local_rate_limited")
    message, remedy, evidence = first(sight)
    assert told(sight) == [("route", "T72")]
    assert "allows 1 requests a hour" in message
    assert '"path":"/spec/routes/0/rateLimitPolicy"' in remedy
    assert "rateLimitPolicy at /spec/routes/0" in evidence


def test_a_pods_own_429_is_the_apps() -> None:
    sight = healthy()
    for place in THROUGH_ENVOY:
        request(sight, place)["status"] = 429
    assert told(sight) == [("pod", "T43")]


# T73

TLS_ERROR = "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"


@pytest.mark.parametrize(
    ("name", "status", "body"), [("h2c", 502, "reset reason: protocol error"), ("tls", 503, TLS_ERROR)]
)
def test_another_protocol_than_the_pods(name: str, status: int, body: str) -> None:
    sight = refused(healthy(), status, body)
    annotated(sight, "Service", "my-service", **{f"upstream-protocol__{name}": "http,8080"})
    message, remedy, evidence = first(sight)
    assert told(sight) == [("route", "T73")]
    assert {"h2c": "HTTP/2", "tls": "TLS"}[name] in message
    assert remedy == UP
    assert f"projectcontour.io/upstream-protocol.{name}" in evidence
    assert first(faults.unowned(sight))[1].endswith(f"projectcontour.io/upstream-protocol.{name}-")


def test_a_protocol_of_the_stacks_own_setting_is_corrected_there() -> None:
    sight = refused(healthy(), 503, TLS_ERROR)
    service = sight["stack"]["settings"]["services"][0]
    for key in ("host", "path", "request", "ingress"):
        service.pop(key, None)
    service["routes"] = [{"name": "my-service-ingress", "host": HOST, "path": "/", "request": "/", "protocol": "tls"}]
    annotated(sight, "Service", "my-service", upstream_protocol__tls="8080")
    finding = trace(view(sight).sight).findings[0]
    assert finding.setting == "stacks/Pulumi.local.yaml: services[0].routes[0].protocol"
    assert finding.remedy == UP


def test_a_protocol_of_an_http_proxy() -> None:
    sight = healthy()
    faults.by_http_proxy(sight)["spec"]["routes"][0]["services"][0]["protocol"] = "tls"
    refused(sight, 503, TLS_ERROR)
    assert told(sight) == [("route", "T73")]
    assert '"path":"/spec/routes/0/services/0/protocol"' in first(sight)[1]


def test_a_protocol_for_another_port_is_not_the_cause() -> None:
    sight = refused(healthy(), 503, TLS_ERROR)
    annotated(sight, "Service", "my-service", upstream_protocol__tls="9443")
    assert ("route", "T73") not in told(sight)


def test_a_pod_that_speaks_the_declared_protocol_is_left_alone() -> None:
    sight = healthy()
    annotated(sight, "Service", "my-service", upstream_protocol__h2c="8080")
    assert told(sight) == []


# T74


def test_a_response_timeout_that_the_pod_needs_longer_than() -> None:
    sight = refused(healthy(), 504, "upstream request timeout")
    faults.envoy(sight)["routes"][0]["virtual_hosts"][0]["routes"][0]["route"]["timeout"] = "1s"
    for place in faults.DIRECT:
        request(sight, place)["seconds"]["total"] = 2.01
    message, remedy, evidence = first(sight)
    assert told(sight) == [("route", "T74")]
    assert message == "Envoy waits 1s for the pod, which needs 2.0 s."
    assert remedy == UP
    assert "timeout of 1s" in evidence
    assert "projectcontour.io/response-timeout=30s" in first(faults.unowned(sight))[1]


def test_a_timeout_of_a_pod_that_never_answers_is_the_pods() -> None:
    sight = refused(healthy(), 504, "upstream request timeout")
    failed(sight, "timeout", *faults.DIRECT)
    for place in faults.DIRECT:
        request(sight, place)["seconds"] = {"connect": 0.001, "total": 4.0}
    assert told(sight) == [("pod", "T44")]


# T75


def websocket(sight: JSON) -> JSON:
    sight["asked"]["headers"] = {"Upgrade": "websocket", "Connection": "Upgrade"}
    return sight


def test_a_websocket_that_the_route_does_not_allow() -> None:
    sight = websocket(refused(healthy(), 403, ""))
    finding = trace(view(sight).sight).findings[0]
    assert told(sight) == [("route", "T75")]
    assert finding.setting == "stacks/Pulumi.local.yaml: services[0].routes[0].websocket"
    assert "projectcontour.io/websocket-routes=/" in first(unplanned(sight))[1]


def unplanned(sight: JSON) -> JSON:
    return {**sight, "stack": None}


def test_a_403_of_another_request_is_not_about_websockets() -> None:
    assert ("route", "T75") not in told(refused(healthy(), 403, ""))


def test_a_websocket_that_is_allowed() -> None:
    sight = websocket(healthy())
    for place in THROUGH_ENVOY:
        request(sight, place)["status"] = 101
    assert told(sight) == []
