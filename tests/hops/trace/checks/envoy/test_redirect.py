"""Where a redirect leads: T51, T59, T60."""

import pytest

from hops.trace.facts.redirects import target
from hops.trace.formats import as_json, junit
from hops.trace.html.page import html
from hops.trace.observed.observation import FollowedRequest, SentRequest
from hops.trace.verdict import status, trace
from tests.hops.trace import faults
from tests.hops.trace.faults import redirected, secure
from tests.hops.trace.names import HOST, JSON, PORT
from tests.hops.trace.observations import failed, healthy, request, view


def followed(then: JSON, to: str = f"https://{HOST}/") -> JSON:
    """A path whose plain route redirects, and what was seen behind it."""
    observation = healthy()
    observation["stack"]["settings"]["cluster"]["httpsPort"] = 8443
    redirected(observation, to)
    observation["then"] = then
    return observation


def unreached() -> JSON:
    then = secure(healthy())
    then["asked"]["port"] = 443
    failed(then, "refused", "client")
    request(then, "client").update({"port": 443, "seconds": {"name": 0.001}, "tls": None})
    return then


def test_a_redirect_that_is_not_followed_is_reported_and_is_no_fault() -> None:
    observation = followed(unreached())
    del observation["then"]
    traced = trace(view(observation).observation)
    (finding,) = traced.findings
    assert (finding.hop, finding.code, str(finding.level)) == ("route", "T51", "advisory")
    assert finding.message == f"Envoy answers 301 and sends the client to https://{HOST}/; no pod is asked."
    assert finding.look == f"curl --insecure --connect-to ::127.0.0.1:8443 https://{HOST}/"
    assert "Envoy's route: / -> redirect" in finding.evidence.splitlines()
    assert (traced.first, status(traced)) == (None, 0)


def test_a_redirect_of_the_pods_own_is_its_answer() -> None:
    observation = healthy()
    redirected(observation)
    faults.envoy(observation)["routes"] = healthy()["envoys"][0]["routes"]
    for where in faults.THROUGH_ENVOY:
        request(observation, where)["headers"]["x-envoy-upstream-service-time"] = "2"
    assert faults.reported(observation) == []


def test_a_redirect_leads_the_trace_on_and_both_requests_are_reported() -> None:
    traced = trace(view(followed(secure(healthy()))).observation)
    assert [(f.code, str(f.level)) for f in traced.findings] == [("T51", "advisory")]
    assert traced.then is not None
    assert (traced.then.findings, traced.then.first, status(traced)) == ((), None, 0)
    assert as_json(traced)["then"]["asked"]["scheme"] == "https"
    assert junit(traced).count("<testsuite ") == 2
    assert f"https://{HOST}:8443/" in html(traced)


def test_the_expected_text_stands_in_the_answer_behind_the_redirect() -> None:
    then = secure(healthy())
    observation = followed(then)
    for one, held in ((observation, False), (then, True)):
        one["asked"]["expect"] = "welcome"
        request(one, "client")["expected"] = held
    traced = trace(view(observation).observation)
    assert ([finding.code for finding in traced.findings], status(traced)) == (["T51"], 0)
    request(then, "client")["expected"] = False
    assert status(trace(view(observation).observation)) == 1


def test_a_fault_behind_the_redirect_is_the_verdict() -> None:
    then = secure(healthy(), faults.certificate(hosts=["other.localhost"]))
    faults.distrusted(then, 62, "Hostname mismatch")
    traced = trace(view(followed(then)).observation)
    assert status(traced) == 1
    assert traced.then
    assert [finding.code for finding in traced.then.findings] == ["T54"]


def test_a_redirect_into_nothing() -> None:
    traced = trace(view(faults.unowned(followed(unreached()))).observation)
    assert [(f.hop, f.code) for f in traced.findings] == [("route", "T59")]
    assert (traced.then, status(traced)) == (None, 1)
    finding = traced.findings[0]
    assert f"https://{HOST}:443/, where nothing answers" in finding.message
    assert finding.look == f"curl --insecure --connect-to ::127.0.0.1:443 https://{HOST}/"
    owned = trace(view(followed(unreached())).observation).findings[0]
    assert "https is published on port 8443" in owned.evidence
    assert (owned.remedy, finding.look) == ("make up STACK=local", owned.look.replace("8443", "443"))
    assert finding.remedy.endswith("annotate ingress my-service-ingress ingress.kubernetes.io/force-ssl-redirect-")


def test_a_redirect_to_https_on_the_port_of_plain_http() -> None:
    """Envoy's own redirect keeps the port that the client asked for."""
    then = secure(healthy())
    then["asked"]["port"] = PORT
    faults.refused_handshake(then, "wrong version number")
    traced = trace(view(followed(then, f"https://{HOST}:{PORT}/")).observation)
    assert [(f.hop, f.code) for f in traced.findings] == [("route", "T59")]
    assert f"https://{HOST}:{PORT}/, a port that serves plain HTTP" in traced.findings[0].message


def test_a_redirect_of_the_stacks_own_http_proxy_is_not_mended_by_an_update() -> None:
    """Contour always redirects an HTTPProxy with tls, and Envoy keeps the unusual port."""
    then = secure(healthy())
    then["asked"]["port"] = PORT
    faults.refused_handshake(then, "wrong version number")
    observation = followed(then, f"https://{HOST}:{PORT}/")
    service = observation["stack"]["settings"]["services"][0]
    for key in ("host", "path", "request", "ingress"):
        service.pop(key, None)
    service["routes"] = [{"kind": "HTTPProxy", "name": HOST, "host": HOST, "request": "/", "tls": True}]
    stack = observation["stack"]
    proxy = faults.by_http_proxy(observation)
    observation["stack"] = stack
    proxy["metadata"]["name"] = HOST
    proxy["spec"]["virtualhost"]["tls"] = {"secretName": HOST}
    proxy["spec"]["routes"][0]["services"] = [{"name": "my-service", "port": 8080}]
    (finding,) = [f for f in trace(view(observation).observation).findings if f.code == "T59"]
    assert "Envoy keeps any port but 80" in finding.message
    assert finding.remedy.endswith(f"curl --cacert ca.pem https://{HOST}:8443/")


@pytest.mark.parametrize("by", ["envoy", "pod"])
def test_a_redirect_in_a_circle(by: str) -> None:
    then = healthy()
    observation = followed(then, f"http://{HOST}:{PORT}/")
    redirected(then, f"http://{HOST}:{PORT}/")
    if by == "pod":
        for one in (observation, then):
            request(one, "client")["headers"]["x-envoy-upstream-service-time"] = "1"
    found = [(str(f.hop), f.code) for f in trace(view(observation).observation).findings]
    assert found == [("route" if by == "envoy" else "pod", "T60")]


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://other.localhost", "https://other.localhost:443/"),
        ("https://Other.localhost:8443/a?b=c#d", "https://other.localhost:8443/a?b=c"),
        ("//other.localhost?a", "http://other.localhost:80/?a"),
        ("/home", f"http://{HOST}:{PORT}/home"),
        ("home", f"http://{HOST}:{PORT}/shop/home"),
        ("mailto:somebody", None),
        ("https://user:word@other.localhost/", None),
    ],
)
def test_where_a_location_leads(location: str, url: str | None) -> None:
    asked = FollowedRequest(host=HOST, port=PORT, path="/shop/cart?old=1")
    answer = SentRequest(where="client", address="127.0.0.1", port=PORT, status=302, headers={"location": location})
    found = target(asked, answer)
    assert (found.url if found else None) == url


def test_more_redirects_than_a_trace_follows() -> None:
    last = None
    for number in reversed(range(6)):
        observation = healthy()
        observation["asked"]["path"] = f"/{number}"
        redirected(observation, f"/{number + 1}")
        if last:
            observation["then"] = last
        last = observation
    assert last
    traced = trace(view(last).observation)
    assert [finding.code for finding in traced.findings] == ["T60"]
    assert traced.findings[0].message.endswith(f"-> http://{HOST}:{PORT}/6.")


def test_two_redirects_that_end_are_no_circle() -> None:
    between = secure(healthy())
    redirected(between, f"https://{HOST}:8443/home")
    last = secure(healthy())
    last["asked"]["path"] = "/home"
    between["then"] = last
    traced = trace(view(followed(between)).observation)
    assert [finding.code for finding in traced.findings] == ["T51"]
    assert status(traced) == 0
