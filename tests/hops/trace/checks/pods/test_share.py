"""One of several pods or backends fails the request: T83; the pod that a finding is about; Envoy's conditions."""

import copy
import json

import pytest

from hops.model.pod_network import POD_NETWORK
from hops.trace.facts.envoy_drift import dialled
from hops.trace.facts.probes import probes
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.checks.nodes.test_pod_interfaces import edited
from tests.hops.trace.faults import reported
from tests.hops.trace.names import JSON, POD, POD_INTERFACE, POD_IP
from tests.hops.trace.objects import pod, thing
from tests.hops.trace.observations import added, found, healthy, node, request, view

OTHER_IP = "10.244.81.99"


def replicas(observation: JSON) -> JSON:
    """A second pod of the Service, which answers as the first does."""
    observation["stack"]["settings"]["services"][0]["replicas"] = 2
    second = copy.deepcopy(found(observation, "Pod", POD))
    second["metadata"]["name"] = f"{POD}-2"
    second["status"] |= {"podIP": OTHER_IP, "podIPs": [{"ip": OTHER_IP}]}
    interface = POD_NETWORK.interface("apps", f"{POD}-2")
    own = next(one for one in json.loads(node(observation)["links"]) if one["ifname"] == POD_INTERFACE)
    edited(node(observation), "links", lambda entries: [*entries, {**own, "ifname": interface}])
    way = {"dst": OTHER_IP, "dev": interface, "scope": "link", "flags": []}
    edited(node(observation), "routes", lambda entries: [*entries, way])
    slice_ = found(observation, "EndpointSlice", "my-service-8fmwz")
    slice_["endpoints"].append({**copy.deepcopy(slice_["endpoints"][0]), "addresses": [OTHER_IP]})
    added(observation, second)
    hosts = faults.envoy(observation)["clusters"]["cluster_statuses"][0]["host_statuses"]
    hosts.append(copy.deepcopy(hosts[0]))
    hosts[1]["address"]["socket_address"]["address"] = OTHER_IP
    observation["requests"] += [
        {**copy.deepcopy(request(observation, place)), "address": OTHER_IP} for place in faults.DIRECT
    ]
    return observation


def answers(observation: JSON, address: str, status: int) -> None:
    for one in observation["requests"]:
        if one["address"] == address:
            one["status"] = status


def test_replicas_that_answer_alike_are_left_alone() -> None:
    assert reported(replicas(healthy())) == []


def test_one_of_two_pods_fails_while_the_request_came_to_the_other() -> None:
    observation = replicas(healthy())
    answers(observation, OTHER_IP, 500)
    traced = trace(view(observation).observation)
    assert reported(observation) == [("pod", "T83")]
    assert (traced.first, traced.findings[0].resource.name) == (None, f"{POD}-2")
    assert "50% of the requests" in traced.findings[0].message


def test_one_of_two_pods_fails_the_request_itself() -> None:
    observation = replicas(healthy())
    answers(observation, OTHER_IP, 500)
    for place in faults.THROUGH_ENVOY:
        request(observation, place)["status"] = 500
    traced = trace(view(observation).observation)
    assert reported(observation) == [("pod", "T83")]
    assert traced.first is not None
    assert traced.findings[0].resource.name == f"{POD}-2"


def test_a_failure_of_all_pods_is_the_apps() -> None:
    observation = replicas(healthy())
    for address in (POD_IP, OTHER_IP):
        answers(observation, address, 500)
    for place in faults.THROUGH_ENVOY:
        request(observation, place)["status"] = 500
    assert [code for _, code in reported(observation)] == ["T44"]


def test_a_failure_that_no_pod_repeats_is_reported_of_the_service() -> None:
    observation = replicas(healthy())
    for place in faults.THROUGH_ENVOY:
        request(observation, place)["status"] = 500
    (finding,) = trace(view(observation).observation).findings
    assert (finding.code, finding.resource.kind) == ("T44", "Service")


# Weights


def canary(observation: JSON, weights: tuple[int, int] = (90, 10)) -> JSON:
    """A second Service behind the same route."""
    proxy = faults.by_http_proxy(observation)
    services = [("my-service", weights[0]), ("canary", weights[1])]
    proxy["spec"]["routes"][0]["services"] = [{"name": n, "port": 8080, "weight": w} for n, w in services]
    labels, port = {"app": "canary"}, {"name": "http", "port": 8080, "protocol": "TCP", "targetPort": 8080}
    slice_ = copy.deepcopy(found(observation, "EndpointSlice", "my-service-8fmwz"))
    slice_["metadata"] |= {"name": "canary-x", "labels": {"kubernetes.io/service-name": "canary"}}
    slice_["endpoints"] = [{**slice_["endpoints"][0], "addresses": [OTHER_IP]}]
    added(
        observation,
        thing("v1", "Service", "canary", "apps", spec={"selector": labels, "ports": [port]}),
        pod("canary-1", "apps", OTHER_IP, labels, containers={"web": [{"containerPort": 8080}]}),
        slice_,
    )
    route = faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"][0]["route"]
    names = [route.pop("cluster"), "apps/canary/8080/da39a3ee5e"]
    clusters = [{"name": name, "weight": weight} for name, weight in zip(names, weights, strict=True)]
    route["weighted_clusters"] = {"clusters": clusters}
    observation["requests"].append({**copy.deepcopy(request(observation, "pod from envoy")), "address": OTHER_IP})
    return observation


def test_both_backends_are_reported_with_their_weights() -> None:
    traced = trace(view(canary(healthy())).observation)
    route = next(hop for hop in traced.hops if hop.name == "route")
    assert [str(finding) for finding in traced.findings] == []
    assert "(weight 90)" in str(route.found)
    assert "(weight 10)" in str(route.found)


def test_the_pods_of_each_backend_are_asked() -> None:
    asked = {(probe.where, probe.address) for probe in probes(view(canary(healthy())))}
    assert {("pod from envoy", POD_IP), ("pod from envoy", OTHER_IP)} <= asked


def test_a_canary_that_fails_names_its_share_and_its_pod() -> None:
    observation = canary(healthy())
    answers(observation, OTHER_IP, 503)
    (finding,) = trace(view(observation).observation).findings
    assert (finding.code, finding.resource.name) == ("T83", "canary-1")
    assert "about 10% of the requests as a pod of the Service canary (weight 10)" in finding.message


def test_a_request_that_came_to_the_canary_is_not_reported_of_the_other_pod() -> None:
    observation = canary(healthy())
    answers(observation, OTHER_IP, 500)
    for place in faults.THROUGH_ENVOY:
        request(observation, place)["status"] = 500
    (finding,) = trace(view(observation).observation).findings
    assert (finding.code, finding.resource.name) == ("T83", "canary-1")


def test_a_canary_of_weight_0_fails_nobody() -> None:
    observation = canary(healthy(), (100, 0))
    answers(observation, OTHER_IP, 503)
    assert reported(observation) == []


# Conditions of Envoy's routes


@pytest.mark.parametrize(
    ("matcher", "asked", "takes"),
    [
        ({"string_match": {"exact": "1"}}, {"X-Canary": "1"}, True),
        ({"string_match": {"exact": "1"}}, {"X-Canary": "2"}, False),
        ({"string_match": {"exact": "1"}}, {}, False),
        ({"string_match": {"contains": "a"}, "invert_match": True}, {"X-Canary": "bcd"}, True),
        ({"present_match": True}, {"X-Canary": ""}, True),
        ({"present_match": False}, {"X-Canary": "1"}, False),
        ({"string_match": {"safe_regex": {"regex": "v[0-9]"}}}, {"X-Canary": "v2"}, True),
    ],
)
def test_a_route_with_a_condition_on_a_header(matcher: JSON, asked: JSON, *, takes: bool) -> None:
    observation = healthy()
    proxy = faults.by_http_proxy(observation)
    condition = {"header": {"name": "X-Canary", "present": True}}
    proxy["spec"]["routes"].append({"conditions": [condition], "services": [{"name": "my-service", "port": 8080}]})
    observation["asked"]["headers"] = asked
    routes = faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"]
    canary = {"match": {"prefix": "/", "headers": [{"name": "x-canary", **matcher}]}, "route": {"cluster": "canary"}}
    routes.insert(0, canary)
    assert (dialled(view(observation)) == "canary") is takes


def test_a_route_with_a_condition_on_the_query() -> None:
    observation = healthy()
    routes = faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"]
    query = [{"name": "v", "string_match": {"exact": "2"}}]
    routes.insert(0, {"match": {"prefix": "/", "query_parameters": query}, "route": {"cluster": "canary"}})
    observation["asked"]["path"] = "/?v=1"
    assert dialled(view(observation)) != "canary"
    observation["asked"]["path"] = "/?v=2"
    assert dialled(view(observation)) == "canary"
