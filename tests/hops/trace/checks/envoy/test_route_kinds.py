"""Routes of other kinds than Ingress at the route hop: IN18, T52, T18, T23, and what the trace shows of them."""

from collections.abc import Callable

import pytest

from hops.trace.facts.declared_routes import claims
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import reported
from tests.hops.trace.names import HOST, JSON
from tests.hops.trace.observations import added, failed, found, healthy, view, without

LISTENER = "Listener http of Gateway/projectcontour/public"


def gateway_api(*, planned: bool = False) -> JSON:
    """A healthy path whose route is an HTTPRoute, without a stack; planned: beside the Ingress of a stack."""
    observation = healthy()
    faults.by_http_route(observation, planned=planned)
    return observation


def http_route(observation: JSON) -> JSON:
    return found(observation, "HTTPRoute", "web")


def listener(observation: JSON) -> JSON:
    return found(observation, "Gateway", "public")["spec"]["listeners"][0]  # type: ignore[no-any-return]


def conditions(observation: JSON) -> list[JSON]:
    return http_route(observation)["status"]["parents"][0]["conditions"]  # type: ignore[no-any-return]


def first(observation: JSON) -> JSON:
    finding = trace(view(observation).observation).findings[0]
    return {"who": str(finding.resource), "message": finding.message, "evidence": finding.evidence}


def hop_evidence(observation: JSON) -> str:
    hop = next(hop for hop in trace(view(observation).observation).hops if hop.name == "route")
    return "\n".join(hop.evidence)


def test_a_healthy_http_route_is_followed_to_its_pod() -> None:
    observation = gateway_api()
    assert reported(observation) == []
    backend = view(observation).backend
    assert backend is not None
    assert (backend.service, backend.kind, backend.ingress) == ("my-service", "HTTPRoute", "web")
    assert f"HTTPRoute/apps/web: {HOST}/ (PathPrefix) to my-service:8080" in hop_evidence(observation)
    assert "Envoy's listener http-80: 0.0.0.0:8080" in hop_evidence(observation)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda observation: listener(observation).pop("allowedRoutes"),
            f"{LISTENER} accepts routes only from its own namespace projectcontour, and not from apps.",
        ),
        (
            lambda observation: http_route(observation)["spec"]["parentRefs"][0].update(name="pubic"),
            "Gateway pubic does not exist in namespace projectcontour (Gateways there: public).",
        ),
        (
            lambda observation: http_route(observation)["spec"]["parentRefs"][0].update(sectionName="web"),
            "Gateway/projectcontour/public has no listener web (its listeners: http).",
        ),
        (
            lambda observation: listener(observation).update(hostname="*.example.com"),
            f"{LISTENER} accepts only *.example.com, and not {HOST}.",
        ),
        (
            lambda observation: without(observation, "Gateway", "public"),
            "Gateway public does not exist in namespace projectcontour.",
        ),
    ],
)
def test_a_route_that_no_gateway_accepts(change: Callable[[JSON], object], message: str) -> None:
    observation = gateway_api()
    change(observation)
    faults.listenerless(observation)
    assert reported(observation) == [("route", "IN18")]
    assert first(observation)["message"] == message
    assert "HTTPRoute/apps/web: not attached: " in hop_evidence(observation)


def test_the_routes_of_a_listener_that_envoy_drains_are_not_served() -> None:
    observation = gateway_api()
    without(observation, "Gateway", "public")
    faults.unrouted(observation)
    # Without its Gateway, Contour opens a listener of another name and Envoy drains the old one, with its routes.
    opened = next(
        one for one in faults.envoy(observation)["listeners"]["listener_statuses"] if one["name"] == "http-80"
    )
    opened["name"] = "ingress_http"
    drained = {"match": {"prefix": "/"}, "route": {"cluster": "apps/my-service/8080/da39a3ee5e"}}
    host = {"name": HOST, "domains": [HOST], "routes": [drained]}
    faults.envoy(observation)["routes"] = [
        {"name": "http-80", "virtual_hosts": [host]},
        {"name": "ingress_http", "virtual_hosts": []},
    ]
    assert reported(observation) == [("route", "IN18")]


def test_a_route_that_no_gateway_accepts_is_nothing_to_a_request_that_is_served() -> None:
    observation = gateway_api(planned=True)
    listener(observation).pop("allowedRoutes")
    assert reported(observation) == []


def test_a_route_of_another_host_that_no_gateway_accepts_is_not_the_cause() -> None:
    observation = gateway_api()
    http_route(observation)["spec"]["hostnames"] = ["other.localhost"]
    listener(observation).pop("allowedRoutes")
    faults.listenerless(observation)
    assert reported(observation) == [("route", "T17")]


def test_gateways_that_were_not_seen_are_not_missing() -> None:
    observation = gateway_api()
    without(observation, "Gateway", "public")
    observation["unseen"]["cluster: Gateway"] = "forbidden"
    assert reported(observation) == []


def test_a_route_whose_status_does_not_accept_it() -> None:
    observation = gateway_api()
    message = "HTTPRoute's Match has conflict with other HTTPRoute's Match"
    conditions(observation)[0] = faults.condition("Accepted", "False", "RouteMatchConflict", message)
    faults.unrouted(observation)
    assert reported(observation) == [("route", "T52")]
    assert first(observation)["message"] == (
        "The controller does not accept the route: HTTPRoute/apps/web: Accepted is False "
        f"(RouteMatchConflict: {message})."
    )
    assert f"RouteMatchConflict: {message}" in hop_evidence(observation)


def test_backends_that_are_not_resolved() -> None:
    observation = gateway_api()
    conditions(observation)[1] = faults.condition("ResolvedRefs", "False", "RefNotPermitted", "Spec.Rules.BackendRef")
    faults.unrouted(observation)
    assert reported(observation) == [("route", "T52")]
    assert "ResolvedRefs is False (RefNotPermitted" in first(observation)["message"]


def test_a_missing_service_explains_references_that_are_not_resolved() -> None:
    observation = gateway_api()
    http_route(observation)["spec"]["rules"][0]["backendRefs"][0]["name"] = "my-servise"
    conditions(observation)[1] = faults.condition(
        "ResolvedRefs", "False", "BackendNotFound", 'service "my-servise" is invalid'
    )
    faults.unrouted(observation)
    assert reported(observation) == [("route", "IN01")]


def test_a_gateway_that_is_not_programmed() -> None:
    observation = gateway_api()
    programmed = faults.condition("Programmed", "Unknown", "Pending", "Waiting for controller")
    found(observation, "Gateway", "public")["status"]["conditions"] = [programmed]
    http_route(observation)["status"] = {}
    faults.unrouted(observation)
    assert reported(observation) == [("route", "T52")]
    assert (
        "Gateway/projectcontour/public: Programmed is Unknown (Pending: Waiting for controller)"
        in (first(observation)["message"])
    )
    assert "no controller has read it" in first(observation)["message"]


@pytest.mark.parametrize(
    ("name", "codes", "said"),
    [
        ("http", [("route", "T52")], "listener http of Gateway/projectcontour/public: Programmed is False (Invalid)"),
        # Contour calls the Gateway not programmed for one bad listener and serves the others.
        ("web.localhost", [], ""),
    ],
)
def test_a_listener_that_is_not_programmed_stops_its_own_routes(
    name: str, codes: list[tuple[str, str]], said: str
) -> None:
    observation = gateway_api()
    invalid = {"name": name, "conditions": [faults.condition("Programmed", "False", "Invalid")]}
    valid = {"name": "http", "conditions": [faults.condition("Programmed"), faults.condition("Accepted")]}
    status = found(observation, "Gateway", "public")["status"]
    status["conditions"] = [faults.condition("Programmed", "False", "ListenersNotValid")]
    status["listeners"] = [one for one in (invalid, valid) if one is invalid or name != "http"]
    if codes:
        faults.unrouted(observation)
    assert reported(observation) == codes
    assert said in "\n".join(finding.message for finding in trace(view(observation).observation).findings)


def test_the_status_of_another_gateway_says_nothing() -> None:
    observation = gateway_api()
    other = {"parentRef": {"name": "other"}, "conditions": [faults.condition("Accepted", "False", "NoMatchingParent")]}
    http_route(observation)["status"]["parents"].append(other)
    faults.unrouted(observation)
    assert "T52" not in {code for _, code in reported(observation)}


def test_a_contour_that_does_not_run_writes_no_status() -> None:
    observation = gateway_api()
    http_route(observation)["status"] = {}
    faults.unrouted(observation)
    faults.contourless(observation)
    assert "T52" not in {code for _, code in reported(observation)}


def test_an_https_listener_serves_no_plain_request() -> None:
    observation = gateway_api()
    secret = {"certificateRefs": [{"name": "web-tls"}]}
    listener(observation).update(protocol="HTTPS", port=443, tls=secret)
    faults.listenerless(observation)
    assert reported(observation) == [("route", "T18")]
    assert first(observation)["message"] == (
        "HTTPRoute/apps/web is served by https only: its listener is Gateway/projectcontour/public:HTTPS:443."
    )


def test_an_invalid_http_proxy() -> None:
    observation = healthy()
    one = faults.by_http_proxy(observation)
    assert reported(observation) == []
    error = {"type": "TLSError", "reason": "SecretNotValid", "message": "Secret web-tls is invalid: expired"}
    conditions_ = [{"type": "Valid", "status": "False", "errors": [error]}]
    one["status"] = {"currentStatus": "invalid", "description": "see Errors", "conditions": conditions_}
    faults.unrouted(observation)
    assert reported(observation) == [("route", "T52")]
    assert first(observation)["message"] == (
        "The controller does not accept the route: HTTPProxy/apps/web is invalid: Secret web-tls is invalid: expired."
    )


def test_what_the_objects_show_explains_an_invalid_http_proxy() -> None:
    observation = healthy()
    one = faults.by_http_proxy(observation)
    one["spec"]["routes"][0]["services"][0]["name"] = "my-servise"
    one["status"] = {"currentStatus": "invalid"}
    faults.unrouted(observation)
    assert reported(observation) == [("route", "IN17")]


def test_an_invalid_http_proxy_of_another_host_is_not_the_cause() -> None:
    observation = healthy()
    one = faults.by_http_proxy(observation)
    one["spec"]["virtualhost"]["fqdn"] = "other.localhost"
    one["status"] = {"currentStatus": "invalid"}
    faults.listenerless(observation)
    assert reported(observation) == [("route", "T17")]


BLUE = {"name": "blue", "port": 8080, "weight": 1}


@pytest.mark.parametrize(
    ("match", "asked", "service"),
    [
        ({"headers": [{"name": "X-Blue", "value": "yes"}]}, {"headers": {"x-blue": "yes"}}, "blue"),
        ({"headers": [{"name": "X-Blue", "value": "yes"}]}, {"headers": {"x-blue": "no"}}, "my-service"),
        (
            {"headers": [{"name": "X-Blue", "value": "y.*", "type": "RegularExpression"}]},
            {"headers": {"X-Blue": "yo"}},
            "blue",
        ),
        ({"method": "POST"}, {"method": "POST"}, "blue"),
        ({"method": "POST"}, {}, "my-service"),
        ({"queryParams": [{"name": "v", "value": "2"}]}, {"path": "/?v=2&v=3"}, "blue"),
        ({"queryParams": [{"name": "v", "value": "2"}]}, {"path": "/?v=3"}, "my-service"),
        ({"path": {"type": "Exact", "value": "/a"}}, {"path": "/a"}, "blue"),
        ({"path": {"type": "Exact", "value": "/a"}}, {"path": "/a/b"}, "my-service"),
        ({"path": {"type": "PathPrefix", "value": "/a/"}}, {"path": "/a/b"}, "blue"),
        ({"path": {"type": "PathPrefix", "value": "/a"}}, {"path": "/ab"}, "my-service"),
        ({"path": {"type": "RegularExpression", "value": "/a[0-9]"}}, {"path": "/a1"}, "blue"),
    ],
)
def test_which_route_takes_this_request(match: JSON, asked: JSON, service: str) -> None:
    observation = gateway_api()
    http_route(observation)["spec"]["rules"].append({"matches": [match], "backendRefs": [BLUE]})
    observation["asked"].update(asked)
    taken = claims(view(observation)).first
    assert taken is not None
    assert [backend.service for backend in taken.backends] == [service]


@pytest.mark.parametrize(
    ("header", "asked", "taken"),
    [
        ({"exact": "yes"}, {"x-blue": "yes"}, True),
        ({"exact": "yes"}, {}, False),
        ({"notexact": "yes"}, {"x-blue": "no"}, True),
        ({"notexact": "yes"}, {"x-blue": "yes"}, False),
        ({"present": True}, {"x-blue": "no"}, True),
        ({"notpresent": True}, {"x-blue": "no"}, False),
        ({"notpresent": True}, {}, True),
        ({"contains": "e"}, {"x-blue": "yes"}, True),
    ],
)
def test_the_conditions_of_an_http_proxy(header: JSON, asked: JSON, taken: bool) -> None:  # noqa: FBT001
    observation = healthy()
    one = faults.by_http_proxy(observation)
    one["spec"]["routes"][0]["conditions"] = [{"prefix": "/"}, {"header": {"name": "X-Blue", **header}}]
    observation["asked"]["headers"] = asked
    assert bool(claims(view(observation)).hit) is taken


def test_a_request_that_does_not_meet_the_conditions() -> None:
    observation = gateway_api()
    http_route(observation)["spec"]["rules"][0]["matches"] = [{"headers": [{"name": "X-Blue", "value": "yes"}]}]
    faults.not_found(observation)
    faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"] = []
    assert reported(observation) == [("route", "T23")]
    assert first(observation)["message"] == (
        "HTTPRoute/apps/web matches / only if the request meets its conditions: header x-blue exact yes."
    )


def test_both_backends_of_a_canary_are_shown_with_their_weights() -> None:
    observation = gateway_api()
    canary = [{"name": "my-service", "port": 8080, "weight": 90}, {"name": "blue", "port": 8080, "weight": 10}]
    http_route(observation)["spec"]["rules"][0]["backendRefs"] = canary
    assert "to my-service:8080 (weight 90) and blue:8080 (weight 10)" in hop_evidence(observation)


@pytest.mark.parametrize(("how", "asked", "taken"), [("exact", {"x-token": "a"}, True), ("exact", {}, False)])
def test_a_condition_on_a_secret_is_taken_as_met(how: str, asked: JSON, taken: bool) -> None:  # noqa: FBT001
    observation = healthy()
    one = faults.by_http_proxy(observation)
    one["spec"]["routes"][0]["conditions"] = [{"prefix": "/"}, {"header": {"name": "X-Token", how: "b"}}]
    observation["asked"]["headers"] = asked
    assert bool(claims(view(observation)).hit) is taken


def planned_proxy() -> JSON:
    """A stack whose route is an HTTPProxy."""
    observation = healthy()
    without(observation, "Ingress", "my-service-ingress")
    (service,) = observation["stack"]["settings"]["services"]
    route = {"kind": "HTTPProxy", "name": HOST, "host": HOST, "path": "/", "request": "/"}
    for key in ("host", "path", "request", "ingress", "tls"):
        service.pop(key, None)
    service["routes"] = [route]
    services = [{"name": "my-service", "port": 8080}]
    proxy = {
        "apiVersion": "projectcontour.io/v1",
        "kind": "HTTPProxy",
        "metadata": {"name": HOST, "namespace": "apps"},
        "spec": {
            "virtualhost": {"fqdn": HOST},
            "routes": [{"conditions": [{"prefix": "/"}], "services": services}],
        },
        "status": {"currentStatus": "valid"},
    }
    added(observation, proxy)
    return observation


def test_a_planned_http_proxy_is_healthy() -> None:
    assert reported(planned_proxy()) == []


def test_a_changed_http_proxy_of_a_stack_is_mended_by_its_update() -> None:
    observation = planned_proxy()
    proxy = found(observation, "HTTPProxy", HOST)
    proxy["spec"]["routes"][0]["services"][0]["port"] = 9999
    proxy["status"] = {"currentStatus": "invalid"}
    observation["envoys"] = []
    failed(observation, "503", "client", "node", "envoy")
    findings = [one for one in trace(view(observation).observation).findings if one.code == "IN17"]
    assert [(str(one.resource), one.remedy) for one in findings] == [
        (f"HTTPProxy/apps/{HOST}", f"make up STACK={observation['stack']['name']}")
    ]


@pytest.mark.parametrize(("headers", "conditions"), [({}, []), ({"X-Canary": "1"}, ["header x-canary exact 1"])])
def test_the_planned_route_of_a_request_is_that_whose_conditions_it_meets(
    headers: dict[str, str], conditions: list[str]
) -> None:
    observation = healthy()
    (service,) = observation["stack"]["settings"]["services"]
    host = service.pop("host")
    service.pop("ingress")
    route = {"kind": "HTTPProxy", "name": host, "host": host, "request": "/"}
    service["routes"] = [route, {**route, "headers": [{"name": "X-Canary", "exact": "1"}]}]
    observation["asked"]["headers"] = headers
    backend = view(observation).backend
    assert backend is not None
    assert list(map(str, backend.requires)) == conditions


@pytest.mark.parametrize("kind", ["Ingress", "HTTPProxy"])
def test_a_gateway_without_a_plain_listener_stops_routes_of_other_kinds(kind: str) -> None:
    observation = gateway_api(planned=True)
    http_route(observation)["spec"]["hostnames"] = ["other.localhost"]
    if kind == "HTTPProxy":
        one = faults.by_http_proxy(observation)
        one["status"] = {"currentStatus": "invalid", "description": "no HTTP listener configured"}
    assert reported(observation) == ([] if kind == "Ingress" else [("route", "T52")])
    listener(observation).update(name="https", protocol="projectcontour.io/https", port=443)
    faults.listenerless(observation)
    assert reported(observation) == [("route", "T52")]
    assert first(observation)["who"] == "Gateway/projectcontour/public"
    assert "by its listeners only, and none is for http." in first(observation)["message"]
    # A Gateway that Contour has not accepted is not the one of its configuration.
    found(observation, "Gateway", "public")["status"] = {}
    assert first(observation)["who"] != "Gateway/projectcontour/public"


def test_a_planned_route_that_no_gateway_accepts_is_reported_once() -> None:
    observation = gateway_api()
    listener(observation).update(name="other")
    http_route(observation)["spec"]["parentRefs"][0]["sectionName"] = "http"
    faults.listenerless(observation)
    assert reported(observation) == [("route", "IN18")]
