"""The route that Envoy takes: T17, T18, T22, T23, IN01, IN02, IN05, IN09."""

import pytest

from hops.model.finding import Level
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import reported
from tests.hops.trace.names import CONTOUR, HOST, JSON
from tests.hops.trace.objects import thing
from tests.hops.trace.observations import added, failed, found, healthy, request, view, without

INGRESS = "my-service-ingress"
UP = "make up STACK=local"
PATCH = f".venv/bin/hops kubectl local --namespace apps patch ingress {INGRESS} --type json --patch "


def remedy(observation: JSON, *, owned: bool = False) -> str:
    """The first remedy in an existing cluster, or in one of the stack's own."""
    return trace(view(observation if owned else faults.unowned(observation)).observation).findings[0].remedy


def test_no_ingress_at_all_closes_the_listener() -> None:
    observation = healthy()
    without(observation, "Ingress", INGRESS)
    faults.listenerless(observation)
    assert reported(observation) == [("route", "T17")]
    assert f"create ingress {INGRESS} --class contour --rule '{HOST}/*=my-service:8080'" in remedy(observation)
    assert remedy(observation, owned=True) == UP


def test_an_ingress_that_is_gone_is_missing_also_while_envoy_keeps_its_route() -> None:
    """A restart of Contour would bring nothing back: the stack's own Ingress has to be declared again."""
    observation = healthy()
    without(observation, "Ingress", INGRESS)
    traced = trace(view(observation).observation)
    assert [(f.code, str(f.level), f.remedy) for f in traced.findings] == [("T22", "advisory", UP)]
    assert traced.first is None
    faults.not_found(observation)
    assert reported(observation) == [("route", "T22")]
    assert remedy(observation, owned=True) == UP
    assert f"create ingress {INGRESS} --class contour" in remedy(observation)


def test_no_ingress_at_all_is_reported_by_the_objects_where_envoy_is_not_seen() -> None:
    observation = healthy()
    without(observation, "Ingress", INGRESS)
    faults.listenerless(observation)
    observation["envoys"] = []
    assert reported(observation) == [("route", "T17")]


def test_an_ingress_without_plain_http() -> None:
    observation = healthy()
    faults.ingress(observation)["metadata"]["annotations"] = {"kubernetes.io/ingress.allow-http": "false"}
    faults.listenerless(observation)
    assert reported(observation) == [("route", "T18")]
    assert remedy(observation).endswith(f"annotate ingress {INGRESS} kubernetes.io/ingress.allow-http-")
    assert remedy(observation, owned=True) == UP


def test_a_route_with_tls_in_the_stacks_file_is_asked_by_https() -> None:
    observation = healthy()
    observation["stack"]["settings"]["cluster"]["httpsPort"] = 8443
    faults.ingress(observation)["metadata"]["annotations"] = {"kubernetes.io/ingress.allow-http": "false"}
    faults.listenerless(observation)
    observation["stack"]["settings"]["services"][0]["tls"] = "own-secret"
    assert remedy(observation, owned=True) == UP
    observation["stack"]["settings"]["services"][0]["tls"] = True
    assert reported(observation) == [("route", "T18")]
    export = ".venv/bin/hops ca export ca.pem"
    assert remedy(observation, owned=True) == f"{export} && curl --cacert ca.pem https://{HOST}:8443/"


def test_the_annotation_with_another_value_is_no_fault() -> None:
    observation = healthy()
    faults.ingress(observation)["metadata"]["annotations"] = {"kubernetes.io/ingress.allow-http": "true"}
    assert reported(observation) == []


def test_a_class_that_contour_does_not_serve() -> None:
    observation = healthy()
    faults.ingress(observation)["spec"]["ingressClassName"] = "nginx"
    faults.listenerless(observation)
    assert reported(observation) == [("route", "IN09")]
    assert '"contour"' in remedy(observation)
    assert remedy(observation, owned=True) == UP


def test_a_host_that_the_ingress_misspells() -> None:
    observation = healthy()
    faults.ingress(observation)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.second(observation)
    faults.unrouted(observation)
    assert reported(observation) == [("route", "T22")]
    assert f'"path":"/spec/rules/0/host","value":"{HOST}"' in remedy(observation)
    assert remedy(observation, owned=True) == UP


def test_another_host_than_the_stacks_is_its_setting() -> None:
    observation = healthy()
    observation["asked"]["host"] = "other.localhost"
    faults.not_found(observation)
    assert reported(observation) == [("route", "T22")]
    finding = trace(view(observation).observation).findings[0]
    assert (finding.setting, finding.remedy) == ("stacks/Pulumi.local.yaml: services[0].host", UP)
    faults.ingress(observation)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["domains"] = ["my-servce.localhost"]
    finding = trace(view(observation).observation).findings[0]
    assert (finding.code, finding.setting) == ("T22", ""), "the Ingress is not as the stack declares it"


def test_another_path_than_the_stacks_is_its_setting() -> None:
    observation = healthy()
    observation["stack"]["settings"]["services"][0]["path"] = "/app"
    faults.path(observation)["path"] = "/app"
    route = faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"][0]
    route["match"] = {"path_separated_prefix": "/app"}
    faults.not_found(observation)
    assert reported(observation) == [("route", "T23")]
    finding = trace(view(observation).observation).findings[0]
    assert (finding.setting, finding.remedy) == ("stacks/Pulumi.local.yaml: services[0].path", UP)
    faults.path(observation)["path"] = route["match"]["path_separated_prefix"] = "/typo"
    finding = trace(view(observation).observation).findings[0]
    assert (finding.code, finding.setting) == ("T23", ""), "the Ingress is not as the stack declares it"


def test_the_only_host_misspelt_is_no_missing_ingress() -> None:
    observation = healthy()
    faults.ingress(observation)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.unrouted(observation)
    faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["domains"] = ["my-servce.localhost"]
    assert reported(observation) == [("route", "T22")]


def test_a_misspelt_host_of_a_class_that_contour_does_not_serve_is_both() -> None:
    """To create the Ingress would fail: it is there."""
    observation = healthy()
    faults.ingress(observation)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.ingress(observation)["spec"]["ingressClassName"] = "nginx"
    faults.listenerless(observation)
    assert sorted(reported(observation)) == [("route", "IN09"), ("route", "T22")]
    assert all(
        " patch ingress " in finding.remedy for finding in trace(view(faults.unowned(observation)).observation).findings
    )
    assert [finding.remedy for finding in trace(view(observation).observation).findings] == [UP, UP]


@pytest.mark.parametrize(
    ("path", "path_type", "match"),
    [("/app", "Prefix", {"path_separated_prefix": "/app"}), ("/app", "Exact", {"path": "/app"})],
)
def test_a_path_that_nothing_takes(path: str, path_type: str, match: JSON) -> None:
    observation = healthy()
    faults.path(observation).update({"path": path, "pathType": path_type})
    faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"][0]["match"] = match
    faults.not_found(observation)
    assert reported(observation) == [("route", "T23")]
    assert '"path":"/spec/rules/0/http/paths/0/path","value":"/"' in remedy(observation)
    assert remedy(observation, owned=True) == UP


def test_an_exact_path_does_not_take_what_lies_below() -> None:
    observation = healthy()
    observation["asked"]["path"] = "/etc/passwd"
    faults.path(observation)["pathType"] = "Exact"
    faults.envoy(observation)["routes"][0]["virtual_hosts"][0]["routes"][0]["match"] = {"path": "/"}
    faults.not_found(observation)
    assert reported(observation) == [("route", "T23")]


# What Contour drops


def test_a_service_that_is_not_there_by_a_typing_error() -> None:
    observation = healthy()
    faults.path(observation)["backend"]["service"]["name"] = "my-servise"
    faults.listenerless(observation)
    line = f'level=error msg="unresolved service reference" name={INGRESS} namespace=apps'
    observation["cluster"]["logs"][f"projectcontour/{CONTOUR}/contour"] = line
    assert reported(observation) == [("route", "IN01")]
    finding = trace(view(observation).observation).findings[0]
    assert "unresolved service reference" in finding.evidence
    assert finding.remedy == UP
    assert remedy(observation).startswith(PATCH)
    assert '"name":"my-service"' in remedy(observation)


def test_a_service_port_that_is_not_there() -> None:
    observation = healthy()
    faults.path(observation)["backend"]["service"]["port"]["number"] = 9090
    faults.listenerless(observation)
    assert reported(observation) == [("route", "IN02")]
    assert remedy(observation).startswith(PATCH)
    assert remedy(observation, owned=True) == UP


def test_an_ingress_in_another_namespace_than_its_service() -> None:
    observation = healthy()
    faults.ingress(observation)["metadata"]["namespace"] = "default"
    faults.listenerless(observation)
    assert reported(observation) == [("route", "IN01")]
    finding = trace(view(observation).observation).findings[0]
    assert "namespace apps" in finding.message
    delete = f".venv/bin/hops kubectl local --namespace default delete ingress {INGRESS}"
    assert finding.remedy == f"{delete} && {UP}"
    create = f".venv/bin/hops kubectl local --namespace apps create ingress {INGRESS} --class contour"
    assert remedy(observation) == f"{delete} && {create} --rule '{HOST}/*=my-service:8080'"


def test_a_deleted_service_is_reported_once() -> None:
    observation = healthy()
    without(observation, "Service", "my-service")
    without(observation, "EndpointSlice", "my-service-8fmwz")
    faults.listenerless(observation)
    failed(observation, "refused", "service")
    assert reported(observation) == [("route", "IN01")]
    assert "expose pod example-pod --name my-service --port 8080 --target-port 8080" in remedy(observation)
    assert remedy(observation, owned=True) == UP


def test_an_unused_ingress_of_another_host_is_left_alone() -> None:
    observation = healthy()
    faults.second(observation)["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = "nobody"
    assert reported(observation) == []
    failed(observation, "503", *faults.THROUGH_ENVOY)
    assert ("route", "IN01") not in reported(observation)


def test_a_second_ingress_takes_the_requests() -> None:
    observation = healthy()
    faults.claimed_twice(observation)
    assert reported(observation) == [("route", "IN05")]
    traced = trace(view(observation).observation)
    assert traced.first
    assert remedy(observation).endswith("delete ingress other")
    assert remedy(observation, owned=True) == remedy(observation), "no stack owns the other Ingress"
    for place in faults.THROUGH_ENVOY:
        request(observation, place)["status"] = 404
    # The other pod's own 404 is what follows.
    assert reported(observation) == [("route", "IN05")]


def test_a_second_ingress_that_gets_nothing_is_advice() -> None:
    observation = healthy()
    faults.claimed_twice(observation)
    faults.envoy(observation)["routes"] = healthy()["envoys"][0]["routes"]
    assert [str(finding.level) for finding in trace(view(observation).observation).findings] == ["advisory"]


def test_a_second_ingress_for_the_same_service_is_no_fault() -> None:
    observation = healthy()
    faults.second(observation, host=HOST)
    assert reported(observation) == []


def test_without_a_stack_the_objects_alone_say_what_is_declared() -> None:
    observation = healthy()
    del observation["stack"]
    assert reported(observation) == []
    without(observation, "Ingress", INGRESS)
    faults.listenerless(observation)
    assert reported(observation) == [("route", "T17")]
    finding = trace(view(observation).observation).findings[0]
    cluster = observation["cluster"]
    options = [f"--{key} {cluster[key]}" for key in ("kubeconfig", "context") if cluster.get(key)]
    assert (finding.remedy, finding.look) == ("", " ".join(["kubectl", *options, "get ingresses --all-namespaces"]))


@pytest.mark.parametrize("kind", ["Ingress", "HTTPProxy", "Service"])
def test_what_cannot_be_listed_is_not_missing(kind: str) -> None:
    observation = healthy()
    observation["cluster"]["objects"] = [one for one in observation["cluster"]["objects"] if one["kind"] != kind]
    observation["unseen"][f"cluster: {kind}"] = "forbidden"
    faults.listenerless(observation)
    assert [code for _, code in reported(observation)] in ([], ["T50"])


def proxied(observation: JSON) -> JSON:
    """The host served by an HTTPProxy."""
    without(observation, "Ingress", INGRESS)
    spec = {"virtualhost": {"fqdn": HOST}, "routes": [{"services": [{"name": "my-service", "port": 8080}]}]}
    proxy = thing("projectcontour.io/v1", "HTTPProxy", "web", "apps", spec=spec)
    added(observation, proxy)
    return proxy


def test_an_http_proxy_serves_the_host_as_well() -> None:
    observation = healthy()
    proxied(observation)
    assert reported(observation) == []


def test_an_invalid_http_proxy_brings_contours_own_word() -> None:
    observation = healthy()
    proxy = proxied(observation)
    proxy["spec"]["routes"][0]["services"][0]["name"] = "nobody"
    error = {"type": "ServiceError", "reason": "ServiceUnresolvedReference", "message": "service apps/nobody not found"}
    proxy["status"] = {"currentStatus": "invalid", "conditions": [{"type": "Valid", "errors": [error]}]}
    faults.listenerless(observation)
    assert reported(observation) == [("route", "IN17")]
    assert "service apps/nobody not found" in trace(view(observation).observation).findings[0].evidence


def test_an_invalid_http_proxy_is_advice_while_the_request_is_answered() -> None:
    """Contour leaves a Service out that is missing, and another one of the route answers."""
    observation = healthy()
    proxy = proxied(observation)
    error = {"type": "ServiceError", "reason": "ServiceUnresolvedReference", "message": "service apps/gone not found"}
    proxy["status"] = {"currentStatus": "invalid", "conditions": [{"type": "Valid", "errors": [error]}]}
    (finding,) = trace(view(observation).observation).findings
    assert (finding.code, finding.level) == ("T52", Level.ADVISORY)
    assert "service apps/gone not found" in finding.message
    assert trace(view(observation).observation).first is None


def test_an_unserved_class_is_reported_even_where_its_path_would_not_fit() -> None:
    observation = healthy()
    faults.ingress(observation)["spec"]["ingressClassName"] = "nginx"
    faults.path(observation)["path"] = "/app"
    faults.listenerless(observation)
    assert reported(observation) == [("route", "IN09")]


def test_a_wrong_port_shows_also_while_the_service_is_missing() -> None:
    observation = healthy()
    without(observation, "Service", "my-service")
    without(observation, "EndpointSlice", "my-service-8fmwz")
    faults.listenerless(observation)
    assert reported(observation) == [("route", "IN01")]
    faults.path(observation)["backend"]["service"]["port"] = {"number": 9999}
    assert reported(observation) == [("route", "IN01"), ("route", "IN02")]
    assert '"value":{"number":8080}' in trace(view(faults.unowned(observation)).observation).findings[1].remedy.replace(
        " ", ""
    )
    assert [finding.remedy for finding in trace(view(observation).observation).findings] == [UP, UP]


def test_a_missing_service_shows_also_while_nobody_serves_the_class() -> None:
    observation = healthy()
    faults.ingress(observation)["spec"]["ingressClassName"] = "nginx"
    faults.listenerless(observation)
    assert reported(observation) == [("route", "IN09")]
    without(observation, "Service", "my-service")
    without(observation, "EndpointSlice", "my-service-8fmwz")
    assert sorted(reported(observation)) == [("route", "IN01"), ("route", "IN09")]


def test_a_missing_service_shows_also_while_the_host_is_misspelt() -> None:
    """Without a valid route the listener is closed, as it is without any Ingress."""
    observation = healthy()
    faults.ingress(observation)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    without(observation, "Service", "my-service")
    without(observation, "EndpointSlice", "my-service-8fmwz")
    faults.listenerless(observation)
    assert sorted(reported(observation)) == [("route", "IN01"), ("route", "T22")]


def foreign() -> JSON:
    """A healthy path to a Service that the stack does not make."""
    observation = healthy()
    service = observation["stack"]["settings"]["services"][0]
    for key in ("image", "command"):
        service.pop(key, None)
    service |= {"kind": "Service", "pod": "my-service-pod"}
    return observation


def test_a_foreign_service_and_its_pods_are_read_from_the_cluster() -> None:
    assert reported(foreign()) == []
    observation = foreign()
    service, pod = found(observation, "Service", "my-service"), found(observation, "Pod", "example-pod")
    service["spec"]["selector"] = pod["metadata"]["labels"] = {"app": "web"}
    assert reported(observation) == []
    assert view(observation).pods == (pod,)


def test_a_foreign_service_that_is_not_there() -> None:
    observation = foreign()
    without(observation, "Service", "my-service")
    without(observation, "EndpointSlice", "my-service-8fmwz")
    faults.listenerless(observation)
    failed(observation, "refused", "service")
    (finding,) = trace(view(observation).observation).findings
    assert (finding.code, finding.remedy) == ("IN01", "")
    assert finding.look.endswith("--namespace apps get services")
