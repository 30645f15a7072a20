"""The route that Envoy takes: T17, T18, T22, T23, IN01, IN02, IN05, IN09."""

import pytest

from hops.model.finding import Level
from hops.trace.verdict import trace
from tests.hops.trace import faults
from tests.hops.trace.faults import told
from tests.hops.trace.names import CONTOUR, HOST, JSON
from tests.hops.trace.objects import thing
from tests.hops.trace.observations import added, failed, found, healthy, request, view, without

INGRESS = "my-service-ingress"
UP = "make up STACK=local"
PATCH = f".venv/bin/hops kubectl local --namespace apps patch ingress {INGRESS} --type json --patch "


def remedy(sight: JSON, *, owned: bool = False) -> str:
    """The first remedy in an existing cluster, or in one of the stack's own."""
    return trace(view(sight if owned else faults.unowned(sight)).sight).findings[0].remedy


def test_no_ingress_at_all_closes_the_listener() -> None:
    sight = healthy()
    without(sight, "Ingress", INGRESS)
    faults.listenerless(sight)
    assert told(sight) == [("route", "T17")]
    assert f"create ingress {INGRESS} --class contour --rule '{HOST}/*=my-service:8080'" in remedy(sight)
    assert remedy(sight, owned=True) == UP


def test_an_ingress_that_is_gone_is_missing_also_while_envoy_keeps_its_route() -> None:
    """A restart of Contour would bring nothing back: the stack's own Ingress has to be declared again."""
    sight = healthy()
    without(sight, "Ingress", INGRESS)
    traced = trace(view(sight).sight)
    assert [(f.code, str(f.level), f.remedy) for f in traced.findings] == [("T22", "advisory", UP)]
    assert traced.first is None
    faults.not_found(sight)
    assert told(sight) == [("route", "T22")]
    assert remedy(sight, owned=True) == UP
    assert f"create ingress {INGRESS} --class contour" in remedy(sight)


def test_no_ingress_at_all_is_told_by_the_objects_where_envoy_is_not_seen() -> None:
    sight = healthy()
    without(sight, "Ingress", INGRESS)
    faults.listenerless(sight)
    sight["envoys"] = []
    assert told(sight) == [("route", "T17")]


def test_an_ingress_without_plain_http() -> None:
    sight = healthy()
    faults.ingress(sight)["metadata"]["annotations"] = {"kubernetes.io/ingress.allow-http": "false"}
    faults.listenerless(sight)
    assert told(sight) == [("route", "T18")]
    assert remedy(sight).endswith(f"annotate ingress {INGRESS} kubernetes.io/ingress.allow-http-")
    assert remedy(sight, owned=True) == UP


def test_a_route_with_tls_in_the_stacks_file_is_asked_by_https() -> None:
    sight = healthy()
    sight["stack"]["settings"]["cluster"]["httpsPort"] = 8443
    faults.ingress(sight)["metadata"]["annotations"] = {"kubernetes.io/ingress.allow-http": "false"}
    faults.listenerless(sight)
    sight["stack"]["settings"]["services"][0]["tls"] = "own-secret"
    assert remedy(sight, owned=True) == UP
    sight["stack"]["settings"]["services"][0]["tls"] = True
    assert told(sight) == [("route", "T18")]
    export = ".venv/bin/hops ca export ca.pem"
    assert remedy(sight, owned=True) == f"{export} && curl --cacert ca.pem https://{HOST}:8443/"


def test_the_annotation_with_another_value_is_no_fault() -> None:
    sight = healthy()
    faults.ingress(sight)["metadata"]["annotations"] = {"kubernetes.io/ingress.allow-http": "true"}
    assert told(sight) == []


def test_a_class_that_contour_does_not_serve() -> None:
    sight = healthy()
    faults.ingress(sight)["spec"]["ingressClassName"] = "nginx"
    faults.listenerless(sight)
    assert told(sight) == [("route", "IN09")]
    assert '"contour"' in remedy(sight)
    assert remedy(sight, owned=True) == UP


def test_a_host_that_the_ingress_misspells() -> None:
    sight = healthy()
    faults.ingress(sight)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.second(sight)
    faults.unrouted(sight)
    assert told(sight) == [("route", "T22")]
    assert f'"path":"/spec/rules/0/host","value":"{HOST}"' in remedy(sight)
    assert remedy(sight, owned=True) == UP


def test_another_host_than_the_stacks_is_its_setting() -> None:
    sight = healthy()
    sight["asked"]["host"] = "other.localhost"
    faults.not_found(sight)
    assert told(sight) == [("route", "T22")]
    finding = trace(view(sight).sight).findings[0]
    assert (finding.setting, finding.remedy) == ("stacks/Pulumi.local.yaml: services[0].host", UP)
    faults.ingress(sight)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.envoy(sight)["routes"][0]["virtual_hosts"][0]["domains"] = ["my-servce.localhost"]
    finding = trace(view(sight).sight).findings[0]
    assert (finding.code, finding.setting) == ("T22", ""), "the Ingress is not as the stack declares it"


def test_another_path_than_the_stacks_is_its_setting() -> None:
    sight = healthy()
    sight["stack"]["settings"]["services"][0]["path"] = "/app"
    faults.path(sight)["path"] = "/app"
    route = faults.envoy(sight)["routes"][0]["virtual_hosts"][0]["routes"][0]
    route["match"] = {"path_separated_prefix": "/app"}
    faults.not_found(sight)
    assert told(sight) == [("route", "T23")]
    finding = trace(view(sight).sight).findings[0]
    assert (finding.setting, finding.remedy) == ("stacks/Pulumi.local.yaml: services[0].path", UP)
    faults.path(sight)["path"] = route["match"]["path_separated_prefix"] = "/typo"
    finding = trace(view(sight).sight).findings[0]
    assert (finding.code, finding.setting) == ("T23", ""), "the Ingress is not as the stack declares it"


def test_the_only_host_misspelt_is_no_missing_ingress() -> None:
    sight = healthy()
    faults.ingress(sight)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.unrouted(sight)
    faults.envoy(sight)["routes"][0]["virtual_hosts"][0]["domains"] = ["my-servce.localhost"]
    assert told(sight) == [("route", "T22")]


def test_a_misspelt_host_of_a_class_that_contour_does_not_serve_is_both() -> None:
    """To create the Ingress would fail: it is there."""
    sight = healthy()
    faults.ingress(sight)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    faults.ingress(sight)["spec"]["ingressClassName"] = "nginx"
    faults.listenerless(sight)
    assert sorted(told(sight)) == [("route", "IN09"), ("route", "T22")]
    assert all(" patch ingress " in finding.remedy for finding in trace(view(faults.unowned(sight)).sight).findings)
    assert [finding.remedy for finding in trace(view(sight).sight).findings] == [UP, UP]


@pytest.mark.parametrize(
    ("path", "path_type", "match"),
    [("/app", "Prefix", {"path_separated_prefix": "/app"}), ("/app", "Exact", {"path": "/app"})],
)
def test_a_path_that_nothing_takes(path: str, path_type: str, match: JSON) -> None:
    sight = healthy()
    faults.path(sight).update({"path": path, "pathType": path_type})
    faults.envoy(sight)["routes"][0]["virtual_hosts"][0]["routes"][0]["match"] = match
    faults.not_found(sight)
    assert told(sight) == [("route", "T23")]
    assert '"path":"/spec/rules/0/http/paths/0/path","value":"/"' in remedy(sight)
    assert remedy(sight, owned=True) == UP


def test_an_exact_path_does_not_take_what_lies_below() -> None:
    sight = healthy()
    sight["asked"]["path"] = "/etc/passwd"
    faults.path(sight)["pathType"] = "Exact"
    faults.envoy(sight)["routes"][0]["virtual_hosts"][0]["routes"][0]["match"] = {"path": "/"}
    faults.not_found(sight)
    assert told(sight) == [("route", "T23")]


# What Contour drops


def test_a_service_that_is_not_there_by_a_typing_error() -> None:
    sight = healthy()
    faults.path(sight)["backend"]["service"]["name"] = "my-servise"
    faults.listenerless(sight)
    line = f'level=error msg="unresolved service reference" name={INGRESS} namespace=apps'
    sight["cluster"]["logs"][f"projectcontour/{CONTOUR}/contour"] = line
    assert told(sight) == [("route", "IN01")]
    finding = trace(view(sight).sight).findings[0]
    assert "unresolved service reference" in finding.evidence
    assert finding.remedy == UP
    assert remedy(sight).startswith(PATCH)
    assert '"name":"my-service"' in remedy(sight)


def test_a_service_port_that_is_not_there() -> None:
    sight = healthy()
    faults.path(sight)["backend"]["service"]["port"]["number"] = 9090
    faults.listenerless(sight)
    assert told(sight) == [("route", "IN02")]
    assert remedy(sight).startswith(PATCH)
    assert remedy(sight, owned=True) == UP


def test_an_ingress_in_another_namespace_than_its_service() -> None:
    sight = healthy()
    faults.ingress(sight)["metadata"]["namespace"] = "default"
    faults.listenerless(sight)
    assert told(sight) == [("route", "IN01")]
    finding = trace(view(sight).sight).findings[0]
    assert "namespace apps" in finding.message
    delete = f".venv/bin/hops kubectl local --namespace default delete ingress {INGRESS}"
    assert finding.remedy == f"{delete} && {UP}"
    create = f".venv/bin/hops kubectl local --namespace apps create ingress {INGRESS} --class contour"
    assert remedy(sight) == f"{delete} && {create} --rule '{HOST}/*=my-service:8080'"


def test_a_deleted_service_is_told_once() -> None:
    sight = healthy()
    without(sight, "Service", "my-service")
    without(sight, "EndpointSlice", "my-service-8fmwz")
    faults.listenerless(sight)
    failed(sight, "refused", "service")
    assert told(sight) == [("route", "IN01")]
    assert "expose pod example-pod --name my-service --port 8080 --target-port 8080" in remedy(sight)
    assert remedy(sight, owned=True) == UP


def test_an_unused_ingress_of_another_host_is_left_alone() -> None:
    sight = healthy()
    faults.second(sight)["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"] = "nobody"
    assert told(sight) == []
    failed(sight, "503", *faults.THROUGH_ENVOY)
    assert ("route", "IN01") not in told(sight)


def test_a_second_ingress_takes_the_requests() -> None:
    sight = healthy()
    faults.claimed_twice(sight)
    assert told(sight) == [("route", "IN05")]
    traced = trace(view(sight).sight)
    assert traced.first
    assert remedy(sight).endswith("delete ingress other")
    assert remedy(sight, owned=True) == remedy(sight), "no stack owns the other Ingress"
    for place in faults.THROUGH_ENVOY:
        request(sight, place)["status"] = 404
    # The other pod's own 404 is what follows.
    assert told(sight) == [("route", "IN05")]


def test_a_second_ingress_that_gets_nothing_is_advice() -> None:
    sight = healthy()
    faults.claimed_twice(sight)
    faults.envoy(sight)["routes"] = healthy()["envoys"][0]["routes"]
    assert [str(finding.level) for finding in trace(view(sight).sight).findings] == ["advisory"]


def test_a_second_ingress_for_the_same_service_is_no_fault() -> None:
    sight = healthy()
    faults.second(sight, host=HOST)
    assert told(sight) == []


def test_without_a_stack_the_objects_alone_say_what_is_wanted() -> None:
    sight = healthy()
    del sight["stack"]
    assert told(sight) == []
    without(sight, "Ingress", INGRESS)
    faults.listenerless(sight)
    assert told(sight) == [("route", "T17")]
    finding = trace(view(sight).sight).findings[0]
    cluster = sight["cluster"]
    options = [f"--{key} {cluster[key]}" for key in ("kubeconfig", "context") if cluster.get(key)]
    assert (finding.remedy, finding.look) == ("", " ".join(["kubectl", *options, "get ingresses --all-namespaces"]))


@pytest.mark.parametrize("kind", ["Ingress", "HTTPProxy", "Service"])
def test_what_cannot_be_listed_is_not_missing(kind: str) -> None:
    sight = healthy()
    sight["cluster"]["objects"] = [one for one in sight["cluster"]["objects"] if one["kind"] != kind]
    sight["unseen"][f"cluster: {kind}"] = "forbidden"
    faults.listenerless(sight)
    assert [code for _, code in told(sight)] in ([], ["T50"])


def proxied(sight: JSON) -> JSON:
    """The host served by an HTTPProxy."""
    without(sight, "Ingress", INGRESS)
    spec = {"virtualhost": {"fqdn": HOST}, "routes": [{"services": [{"name": "my-service", "port": 8080}]}]}
    proxy = thing("projectcontour.io/v1", "HTTPProxy", "web", "apps", spec=spec)
    added(sight, proxy)
    return proxy


def test_an_http_proxy_serves_the_host_as_well() -> None:
    sight = healthy()
    proxied(sight)
    assert told(sight) == []


def test_an_invalid_http_proxy_brings_contours_own_word() -> None:
    sight = healthy()
    proxy = proxied(sight)
    proxy["spec"]["routes"][0]["services"][0]["name"] = "nobody"
    error = {"type": "ServiceError", "reason": "ServiceUnresolvedReference", "message": "service apps/nobody not found"}
    proxy["status"] = {"currentStatus": "invalid", "conditions": [{"type": "Valid", "errors": [error]}]}
    faults.listenerless(sight)
    assert told(sight) == [("route", "IN17")]
    assert "service apps/nobody not found" in trace(view(sight).sight).findings[0].evidence


def test_an_invalid_http_proxy_is_advice_while_the_request_is_answered() -> None:
    """Contour leaves a Service out that is missing, and another one of the route answers."""
    sight = healthy()
    proxy = proxied(sight)
    error = {"type": "ServiceError", "reason": "ServiceUnresolvedReference", "message": "service apps/gone not found"}
    proxy["status"] = {"currentStatus": "invalid", "conditions": [{"type": "Valid", "errors": [error]}]}
    (finding,) = trace(view(sight).sight).findings
    assert (finding.code, finding.level) == ("T52", Level.ADVISORY)
    assert "service apps/gone not found" in finding.message
    assert trace(view(sight).sight).first is None


def test_an_unserved_class_is_told_even_where_its_path_would_not_fit() -> None:
    sight = healthy()
    faults.ingress(sight)["spec"]["ingressClassName"] = "nginx"
    faults.path(sight)["path"] = "/app"
    faults.listenerless(sight)
    assert told(sight) == [("route", "IN09")]


def test_a_wrong_port_shows_also_while_the_service_is_missing() -> None:
    sight = healthy()
    without(sight, "Service", "my-service")
    without(sight, "EndpointSlice", "my-service-8fmwz")
    faults.listenerless(sight)
    assert told(sight) == [("route", "IN01")]
    faults.path(sight)["backend"]["service"]["port"] = {"number": 9999}
    assert told(sight) == [("route", "IN01"), ("route", "IN02")]
    assert '"value":{"number":8080}' in trace(view(faults.unowned(sight)).sight).findings[1].remedy.replace(" ", "")
    assert [finding.remedy for finding in trace(view(sight).sight).findings] == [UP, UP]


def test_a_missing_service_shows_also_while_nobody_serves_the_class() -> None:
    sight = healthy()
    faults.ingress(sight)["spec"]["ingressClassName"] = "nginx"
    faults.listenerless(sight)
    assert told(sight) == [("route", "IN09")]
    without(sight, "Service", "my-service")
    without(sight, "EndpointSlice", "my-service-8fmwz")
    assert sorted(told(sight)) == [("route", "IN01"), ("route", "IN09")]


def test_a_missing_service_shows_also_while_the_host_is_misspelt() -> None:
    """Without a valid route the listener is closed, as it is without any Ingress."""
    sight = healthy()
    faults.ingress(sight)["spec"]["rules"][0]["host"] = "my-servce.localhost"
    without(sight, "Service", "my-service")
    without(sight, "EndpointSlice", "my-service-8fmwz")
    faults.listenerless(sight)
    assert sorted(told(sight)) == [("route", "IN01"), ("route", "T22")]


def foreign() -> JSON:
    """A healthy path to a Service that the stack does not make."""
    sight = healthy()
    service = sight["stack"]["settings"]["services"][0]
    for key in ("image", "command"):
        service.pop(key, None)
    service |= {"kind": "Service", "pod": "my-service-pod"}
    return sight


def test_a_foreign_service_and_its_pods_are_read_from_the_cluster() -> None:
    assert told(foreign()) == []
    sight = foreign()
    service, pod = found(sight, "Service", "my-service"), found(sight, "Pod", "example-pod")
    service["spec"]["selector"] = pod["metadata"]["labels"] = {"app": "web"}
    assert told(sight) == []
    assert view(sight).pods == (pod,)


def test_a_foreign_service_that_is_not_there() -> None:
    sight = foreign()
    without(sight, "Service", "my-service")
    without(sight, "EndpointSlice", "my-service-8fmwz")
    faults.listenerless(sight)
    failed(sight, "refused", "service")
    (finding,) = trace(view(sight).sight).findings
    assert (finding.code, finding.remedy) == ("IN01", "")
    assert finding.look.endswith("--namespace apps get services")
