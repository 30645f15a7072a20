"""TLS at Envoy: T53 to T58, T61 to T63."""

import copy
from collections.abc import Callable

import pytest

from hops.trace.verdict import status, trace
from tests.hops.trace import faults
from tests.hops.trace.faults import SECRET, certificate, distrusted, refused_handshake, reported, secure, unowned
from tests.hops.trace.names import ENVOY, HOST, JSON
from tests.hops.trace.nodes import host_port, nat
from tests.hops.trace.objects import thing
from tests.hops.trace.observations import added, container, failed, found, healthy, node, request, view, without

ISSUER, LEAF = "CN=Example Issuing CA,O=Example", "CN=leaf"
NO_ISSUER = "unable to get local issuer certificate"


def finding(observation: JSON) -> JSON:
    one = trace(view(unowned(observation) if observation["stack"] else observation).observation).findings[0]
    return {"resource": str(one.resource), "message": one.message, "remedy": one.remedy, "evidence": one.evidence}


def by_proxy(observation: JSON, **tls: object) -> JSON:
    """The route of a secure observation is an HTTPProxy."""
    proxy = faults.by_http_proxy(observation)
    proxy["spec"]["virtualhost"]["tls"] = {"secretName": SECRET, **tls}
    return proxy


def test_a_healthy_path_over_https_is_reported_at_each_hop() -> None:
    observation = secure(healthy())
    traced = trace(view(observation).observation)
    assert (traced.findings, traced.first, status(traced)) == ((), None, 0)
    for number in (2, 3, 4):
        lines = "\n".join(traced.hops[number - 1].evidence)
        assert f"for {HOST}: TLSv1.3 TLS_AES_256_GCM_SHA384, ALPN h2" in lines
        assert f"certificate 1: CN={HOST} for {HOST}, from 2026-11-01T00:00:00+00:00 to 2027-11-01" in lines
    assert str(traced.hops[1].found) == "127.0.0.1:8443 -> ingress-hops-local-worker:443"
    assert traced.hops[1].planned == traced.hops[1].declared == traced.hops[1].found
    assert traced.hops[2].declared == traced.hops[2].found
    assert str(traced.hops[2].found) == "ingress-hops-local-worker:443 -> 10.244.81.67:8443"
    assert "the client trusts it" in "\n".join(traced.hops[1].evidence)


def test_an_expired_certificate() -> None:
    observation = secure(healthy(), certificate(ends="2026-11-23T09:00:00+00:00"))
    distrusted(observation, 10, "certificate has expired")
    assert reported(observation) == [("route", "T53")]
    said = finding(observation)
    assert "expired on 2026-11-23T09:00:00+00:00" in said["message"]
    assert f"create secret tls {SECRET} --cert tls.crt --key tls.key" in said["remedy"]
    assert trace(view(observation).observation).first is not None


def test_a_certificate_that_is_not_valid_yet() -> None:
    observation = secure(healthy(), certificate(begins="2026-11-25T09:00:00+00:00"))
    distrusted(observation, 9, "certificate is not yet valid")
    assert reported(observation) == [("route", "T53")]
    assert "is valid from 2026-11-25" in finding(observation)["message"]


def test_an_expired_certificate_that_the_client_accepts_is_advice() -> None:
    observation = secure(healthy(), certificate(ends="2026-11-23T09:00:00+00:00"))
    observation["asked"]["insecure"] = True
    request(observation, "client")["tls"]["verified"] = None
    traced = trace(view(observation).observation)
    assert [(f.code, str(f.level)) for f in traced.findings] == [("T53", "advisory")]
    assert status(traced) == 0


@pytest.mark.parametrize("hosts", [[], ["other.localhost"], ["*.other.localhost"], ["*.my-service.localhost"]])
def test_a_certificate_of_another_host(hosts: list[str]) -> None:
    observation = secure(healthy(), certificate(hosts=hosts))
    distrusted(observation, 62, "Hostname mismatch")
    assert reported(observation) == [("route", "T54")]
    assert f"and not for {HOST}" in finding(observation)["message"]


def test_a_wildcard_is_for_the_host() -> None:
    assert reported(secure(healthy(), certificate(hosts=["*.localhost"]))) == []


def test_a_self_signed_certificate() -> None:
    observation = secure(healthy(), certificate(issuer=f"CN={HOST}"))
    distrusted(observation, 18, "self-signed certificate")
    assert reported(observation) == [("route", "T55")]
    said = finding(observation)
    assert said["message"] == f"It is self-signed: CN={HOST}."
    assert "base64 --decode > ca.crt && curl --cacert ca.crt" in said["remedy"]
    assert "tls" in said["remedy"]


def test_an_issuer_that_this_machine_does_not_know() -> None:
    observation = secure(healthy())
    observation["cluster"]["authorities"] = {f"apps/{SECRET}": "cd" * 32}
    distrusted(observation, 20, NO_ISSUER)
    assert reported(observation) == [("route", "T55")]
    assert "jsonpath={.data.ca\\.crt}" in finding(observation)["remedy"]


@pytest.mark.parametrize(
    ("leaf", "trusted"),
    [
        ({"issued_at": "http://ca.example/issuing.crt"}, []),
        ({}, ["CN=Example Root CA,O=Example"]),
    ],
)
def test_a_chain_without_its_intermediate(leaf: JSON, trusted: list[str]) -> None:
    observation = secure(healthy(), certificate(issuer=ISSUER, **leaf))
    distrusted(observation, 20, NO_ISSUER, trusted=trusted)
    assert reported(observation) == [("route", "T56")]
    assert f"its issuer {ISSUER} is missing" in finding(observation)["message"]


def test_an_authority_of_another_organization_is_another_issuer() -> None:
    observation = secure(healthy(), certificate(issuer=ISSUER))
    distrusted(observation, 20, NO_ISSUER, trusted=["CN=Other Root CA,O=Other"])
    assert reported(observation) == [("route", "T55")]


def unserved(observation: JSON) -> None:
    """No TLS for the host."""
    faults.envoy(observation)["routes"].pop()
    listeners = faults.envoy(observation)["listeners"]["listener_statuses"]
    listeners.remove(next(one for one in listeners if one["name"] in ("ingress_https", "https-443")))
    refused_handshake(observation, "unexpected eof while reading")


def no_secret(observation: JSON) -> None:
    without(observation, "Secret", SECRET)


def of_another_type(observation: JSON) -> None:
    found(observation, "Secret", SECRET)["type"] = "kubernetes.io/dockerconfigjson"


def without_key(observation: JSON) -> None:
    observation["cluster"]["unusable"] = {f"apps/{SECRET}": "it has no tls.key"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (no_secret, "it does not exist"),
        (of_another_type, "it has the type kubernetes.io/dockerconfigjson, and kubernetes.io/tls is needed"),
        (without_key, "it has no tls.key"),
    ],
)
def test_a_secret_that_is_missing_or_of_another_form(change: Callable[[JSON], None], said: str) -> None:
    observation = secure(healthy())
    change(observation)
    unserved(observation)
    assert reported(observation) == [("route", "T57")]
    one = finding(observation)
    assert (one["resource"], said in one["message"]) == (f"Secret/apps/{SECRET}", True)
    assert f"delete secret {SECRET} --ignore-not-found &&" in one["remedy"]


def test_a_proxy_without_its_secret_has_no_plain_route_either() -> None:
    observation = healthy()
    proxy = by_proxy(observation)
    proxy["status"] = {"currentStatus": "invalid", "description": "the Secret is invalid"}
    faults.unrouted(observation)
    assert reported(observation) == [("route", "T57")]


def unresolved(gateway: JSON) -> None:
    """The status that Contour writes for a listener without a usable Secret."""
    conditions = [
        faults.condition("Programmed", "False", "Invalid", "Listener has invalid TLS configuration"),
        faults.condition("ResolvedRefs", "False", "InvalidCertificateRef", "Secret not found"),
    ]
    gateway["status"]["listeners"] = [{"name": "https", "conditions": conditions}]


def test_the_certificate_of_a_gateway_s_listener_is_missing() -> None:
    observation = secure(healthy())
    gateway = faults.by_secure_http_route(observation)
    assert reported(observation) == []
    without(observation, "Secret", SECRET)
    unresolved(gateway)
    refused_handshake(observation, "unexpected eof while reading")
    assert reported(observation) == [("route", "T57")]
    one = finding(observation)
    assert (one["resource"], "it does not exist" in one["message"]) == (f"Secret/apps/{SECRET}", True)
    assert f"Gateway/projectcontour/public names Secret apps/{SECRET}" in one["evidence"]
    assert "InvalidCertificateRef" in one["evidence"]


def test_the_certificate_of_a_gateway_s_listener_is_unusable() -> None:
    observation = secure(healthy())
    gateway = faults.by_secure_http_route(observation)
    observation["cluster"]["unusable"] = {f"apps/{SECRET}": "its tls.key is not the key of its tls.crt"}
    unresolved(gateway)
    refused_handshake(observation, "unexpected eof while reading")
    assert reported(observation) == [("route", "T57")]
    assert "its tls.key is not the key of its tls.crt" in finding(observation)["message"]


@pytest.mark.parametrize(
    ("other", "code", "expected"),
    [({"ends": "2026-11-23T09:00:00+00:00"}, 10, "T53"), ({"hosts": ["other.localhost"]}, 62, "T54")],
)
def test_a_bad_certificate_of_a_gateway_s_listener(other: dict[str, object], code: int, expected: str) -> None:
    observation = secure(healthy(), certificate(**other))
    faults.by_secure_http_route(observation)
    distrusted(observation, code, "certificate verify failed")
    assert reported(observation) == [("route", expected)]
    one = finding(observation)
    assert one["resource"] == f"Secret/apps/{SECRET}"
    assert f"create secret tls {SECRET} --cert tls.crt --key tls.key" in one["remedy"]


def test_a_gateway_without_a_listener_for_https() -> None:
    observation = secure(healthy())
    gateway = faults.by_secure_http_route(observation)
    del gateway["spec"]["listeners"][1]
    unserved(observation)
    assert reported(observation) == [("route", "T58")]
    one = trace(view(observation).observation).findings[0]
    assert "Give its Gateway a listener of protocol HTTPS" in one.message
    assert (one.remedy, one.look) == ("", "kubectl get gateways --all-namespaces --output yaml")


def test_an_ingress_and_a_gateway_name_two_certificates() -> None:
    observation = secure(healthy())
    ingress = copy.deepcopy(faults.ingress(observation))
    gateway = faults.by_secure_http_route(observation)
    gateway["spec"]["listeners"].append({"name": "contour", "protocol": "projectcontour.io/https", "port": 443})
    gateway["spec"]["listeners"][1]["tls"]["certificateRefs"][0]["name"] = "other-tls"
    added(observation, ingress, {**thing("v1", "Secret", "other-tls", "apps"), "type": "kubernetes.io/tls"})
    one = next(one for one in trace(view(observation).observation).findings if one.code == "T63")
    assert (str(one.resource), one.remedy) == ("Gateway/projectcontour/public", "")
    assert one.look == "kubectl --namespace projectcontour get gateway public --output yaml"


def test_what_a_stack_declares_is_put_right_by_the_stack() -> None:
    observation = secure(healthy())
    without(observation, "Secret", SECRET)
    refused_handshake(observation, "unexpected eof while reading")
    one = trace(view(observation).observation).findings[0]
    assert one.remedy.startswith(".venv/bin/hops kubectl local --namespace apps delete secret web-tls")
    assert "Put the new certificate" in one.message
    observation["stack"]["settings"]["services"][0]["tls"] = True
    faults.ingress(observation)["spec"]["tls"][0]["secretName"] = HOST
    one = trace(view(observation).observation).findings[0]
    assert (one.code, one.remedy) == (
        "T57",
        f".venv/bin/hops kubectl local --namespace apps delete secret {HOST} --ignore-not-found && make up STACK=local",
    )
    assert "Put the new certificate" not in one.message


def test_a_route_without_tls_in_the_stack_s_file_is_corrected_there() -> None:
    observation = secure(healthy())
    del faults.ingress(observation)["spec"]["tls"]
    unserved(observation)
    one = trace(view(observation).observation).findings[0]
    assert (one.code, one.remedy) == ("T58", "make up STACK=local")
    assert one.setting == "stacks/Pulumi.local.yaml: services[0].routes[0].tls"
    observation["stack"]["settings"]["services"][0]["tls"] = True
    assert trace(view(observation).observation).findings[0].setting == ""


def test_a_host_without_tls_behind_an_open_port() -> None:
    observation = secure(healthy())
    del faults.ingress(observation)["spec"]["tls"]
    unserved(observation)
    assert reported(observation) == [("route", "T58")]
    one = finding(observation)
    assert '"path":"/spec/tls"' in one["remedy"]
    assert "Envoy's listener ingress_https: none" in one["evidence"]


def test_a_port_that_leads_to_the_plain_listener() -> None:
    observation = secure(healthy())
    refused_handshake(observation, "wrong version number")
    assert reported(observation) == [("route", "T58")]
    assert "leads to Envoy's HTTP listener" in finding(observation)["message"]


def test_routes_of_a_listener_that_envoy_drains_are_no_old_configuration() -> None:
    observation = secure(healthy())
    no_secret(observation)
    refused_handshake(observation, "unexpected eof while reading")
    assert reported(observation) == [("route", "T57")]


def test_a_minimum_version_above_the_clients() -> None:
    observation = secure(healthy())
    observation["asked"]["tls_max"] = "1.2"
    key = "projectcontour.io/tls-minimum-protocol-version"
    faults.ingress(observation)["metadata"].setdefault("annotations", {})[key] = "1.3"
    refused_handshake(observation, "tlsv1 alert protocol version")
    assert reported(observation) == [("route", "T61")]
    one = finding(observation)
    assert "requires TLS 1.3, and the client supports at most 1.2" in one["message"]
    assert one["remedy"].endswith(f"annotate ingress my-service-ingress {key}=1.2 --overwrite")


def test_a_minimum_version_of_a_proxy() -> None:
    observation = secure(healthy())
    observation["asked"]["tls_max"] = "1.2"
    by_proxy(observation, minimumProtocolVersion="1.3")
    refused_handshake(observation, "tlsv1 alert protocol version")
    assert reported(observation) == [("route", "T61")]


@pytest.mark.parametrize("failure", ["tls", "reset"])
def test_a_certificate_of_the_client_is_required(failure: str) -> None:
    observation = secure(healthy())
    by_proxy(observation, clientValidation={"caSecret": "clients"})
    added(observation, {**thing("v1", "Secret", "clients", "apps"), "type": "Opaque"})
    refused_handshake(observation, "tlsv13 alert certificate required", failure, wants_client=True)
    assert reported(observation) == [("route", "T62")]
    one = finding(observation)
    assert one["resource"] == "HTTPProxy/apps/web"
    assert "a certificate of clients" in one["message"]


def test_a_secret_that_may_not_be_read_is_not_reported_as_missing() -> None:
    observation = secure(healthy())
    by_proxy(observation, clientValidation={"caSecret": "clients"})
    refused_handshake(observation, "tlsv13 alert certificate required", wants_client=True)
    assert reported(observation) == [("route", "IN17"), ("route", "T62")]
    observation["unseen"]["cluster: Secret"] = "forbidden"
    assert reported(observation) == [("route", "T62")]


def test_an_optional_certificate_of_the_client_is_no_fault() -> None:
    observation = secure(healthy())
    by_proxy(observation, clientValidation={"caSecret": "clients", "optionalClientCertificate": True})
    request(observation, "node")["tls"]["wants_client"] = True
    assert reported(observation) == []


def test_two_certificates_for_one_host() -> None:
    observation = secure(healthy())
    other = faults.second(observation, host=HOST)
    other["spec"]["rules"][0]["http"]["paths"][0]["path"] = "/other"
    other["spec"]["tls"] = [{"hosts": [HOST], "secretName": "other-tls"}]
    added(observation, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other-tls", "namespace": "apps"}})
    traced = trace(view(observation).observation)
    assert [(f.code, str(f.level)) for f in traced.findings] == [("T63", "advisory")]
    assert f"Envoy shows that of apps/{SECRET}" in traced.findings[0].evidence
    assert f'"path":"/spec/tls/0/secretName","value":"{SECRET}"' in traced.findings[0].remedy
    other["spec"]["tls"][0]["secretName"] = SECRET
    assert reported(observation) == []


def test_without_an_answer_of_envoy_tls_is_not_blamed() -> None:
    observation = secure(healthy())
    failed(observation, "timeout", "client", "node", "envoy")
    for place in faults.THROUGH_ENVOY:
        request(observation, place).pop("tls")
    assert not {code for _, code in reported(observation)} & {f"T{number}" for number in range(53, 64)}


def test_https_that_is_not_published_is_a_setting() -> None:
    observation = secure(healthy())
    for ports in ("HostConfig", "NetworkSettings"):
        published = container(observation)[ports]
        (published.get("PortBindings") or published["Ports"]).pop("443/tcp", None)
    observation["host"]["listeners"].pop()
    failed(observation, "refused", "client")
    request(observation, "client").update({"tls": None, "seconds": {"name": 0.001}})
    assert reported(observation) == [("port-mapping", "T05")]
    assert trace(view(observation).observation).findings[0].setting == "stacks/Pulumi.local.yaml: cluster.httpsPort"


def test_envoy_without_a_host_port_for_https() -> None:
    observation = secure(healthy())
    for one in (found(observation, "Pod", ENVOY), found(observation, "DaemonSet", "envoy")["spec"]["template"]):
        ports = next(c for c in one["spec"]["containers"] if c["name"] == "envoy")["ports"]
        ports[:] = [port for port in ports if port.get("hostPort") != 443]
    node(observation).update({key: nat(*host_port()) for key in ("nat", "nat_after")})
    failed(observation, "reset", "client", "node")
    for place in ("client", "node"):
        request(observation, place)["tls"] |= {"protocol": None, "chain": [], "verified": None, "error": "reset"}
    assert reported(observation) == [("host-port", "T11")]
    assert '"containerPort":8443,"hostPort":443' in finding(observation)["remedy"]
