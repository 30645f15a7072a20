"""Secrets that somebody planted, and what only looks like one."""

import json
from typing import Any

import pytest

from hops.trace.observed.observation import Observation
from hops.trace.observed.redact import redacted
from hops.trace.verdict import trace
from tests.hops.rules.cases import Case, documents, verdict
from tests.hops.rules.families.test_accepted_routes import FIELDS
from tests.hops.trace.faults import secure
from tests.hops.trace.names import JSON, WORKER
from tests.hops.trace.observations import added, healthy, node

HIDDEN = "hunter2-hunter2"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"  # noqa: S105 - nobody's
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{HIDDEN}\n-----END EC PRIVATE KEY-----"


def after(observation: JSON) -> str:
    return redacted(Observation.model_validate_json(json.dumps(observation))).model_dump_json()


def pod(**more: Any) -> JSON:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "apps"}, **more}


@pytest.mark.parametrize(
    "name",
    ["Authorization", "Cookie", "X-Auth-Token", "X-API-Key", "X-Amz-Security-Token", "Proxy-Authorization", "X-Secret"],
)
def test_headers_of_the_request(name: str) -> None:
    observation = healthy()
    observation["asked"]["headers"] = {name: HIDDEN, "Accept": "text/html"}
    assert HIDDEN not in after(observation)
    assert "text/html" in after(observation)


@pytest.mark.parametrize("name", ["set-cookie", "x-session-id", "authorization"])
def test_headers_of_an_answer(name: str) -> None:
    observation = healthy()
    observation["requests"][0]["headers"][name] = HIDDEN
    text = after(observation)
    assert HIDDEN not in text
    assert "x-envoy-upstream-service-time" in text


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{"env": [{"name": "DB_PASSWORD", "value": HIDDEN}]}]},
        {"containers": [{"args": [f"--token={HIDDEN}"]}]},
        {"containers": [{"args": ["--db-password", HIDDEN]}]},
        {"containers": [{"command": ["sh", "-c", f"export API_KEY='{HIDDEN}'; run"]}]},
        {"containers": [{"command": ["curl", "-H", f"Authorization: Basic {HIDDEN}", "http://x"]}]},
        {"containers": [{"image": PEM}]},
    ],
    ids=["variable", "option", "next argument", "script", "header", "key by its form"],
)
def test_what_a_pod_is_given(spec: dict[str, Any]) -> None:
    observation = healthy()
    observation["cluster"]["objects"].append(pod(spec=spec))
    assert HIDDEN not in after(observation)
    assert TOKEN not in after(observation)


def test_what_a_service_s_container_is_given() -> None:
    observation = healthy()
    (service,) = observation["stack"]["settings"]["services"]
    del service["image"]
    service |= {
        "env": {"MODE": "plainword"},
        "files": {"/etc/shop.ini": "plainword"},
        "build": {"context": ".", "args": {"A": "plainword"}},
    }
    assert "plainword" not in after(observation)


def test_annotations() -> None:
    observation = healthy()
    annotations = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"stringData": {"x": HIDDEN}}),
        "example.com/api-token": HIDDEN,
        "example.com/note": f"password: {HIDDEN}",
        "example.com/team": "web",
    }
    observation["cluster"]["objects"].append(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "annotations": annotations}}
    )
    assert HIDDEN not in after(observation)
    assert "last-applied" not in after(observation)
    assert "example.com" not in after(observation)


def test_data_of_a_secret() -> None:
    observation = healthy()
    observation["cluster"]["objects"].append(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "type": "Opaque", "data": {"x": HIDDEN}}
    )
    assert HIDDEN not in after(observation)


@pytest.mark.parametrize(
    "line",
    [
        f"login with password={HIDDEN} failed",
        f'{{"level": "info", "token": "{HIDDEN}"}}',
        f"GET /?access_token={HIDDEN}&x=1",
        f"> Authorization: Bearer {HIDDEN}",
        f"authorization: {HIDDEN}",
        f"connecting to amqp://guest:{HIDDEN}@queue:5672",
        PEM,
        PEM.removesuffix("-----END EC PRIVATE KEY-----"),
    ],
)
def test_logs(line: str) -> None:
    observation = healthy()
    observation["cluster"]["logs"] = {"projectcontour/token-service/main": f"before\n{line}\n"}
    text = after(observation)
    assert HIDDEN not in text
    assert "projectcontour/token-service/main" in text
    assert "before" in text


def test_forms_that_are_known_wherever_they_stand() -> None:
    observation = healthy()
    known = ["AKIA" + "A" * 16, "ghp_" + "a" * 36, "xoxb-" + "1" * 12, TOKEN]
    node(observation)["cni"]["10-x.conf"] = json.dumps({"any": known})
    assert not [form for form in known if form in after(observation)]


def test_environments_of_docker() -> None:
    observation = healthy()
    container = observation["docker"]["containers"][0]
    container.setdefault("Config", {})["Env"] = ["PATH=/bin", f"REGISTRY={HIDDEN}"]
    container["Args"] = ["--password", HIDDEN]
    text = after(observation)
    assert HIDDEN not in text
    assert "PATH=/bin" not in text


def test_headers_that_envoy_adds() -> None:
    observation = healthy()
    added = [{"header": {"key": "x-team", "value": HIDDEN}}]
    observation["envoys"][0]["routes"].append({"route_config": {"request_headers_to_add": added}})
    assert HIDDEN not in after(observation)


def test_what_only_looks_like_a_secret_stays() -> None:
    observation = healthy()
    rule = '-A KUBE-SERVICES -m comment --comment "apps/token:http cluster IP" -j KUBE-SVC-TOKEN\n'
    node(observation, WORKER)["nat"] += rule
    observation["unseen"] = {"cluster: Secret": "forbidden", "outputs": "pulumi is not there"}
    observation["cluster"]["certificates"] = {"apps/web-secret/tls.crt": "2031-01-01T00:00:00+00:00"}
    observation["cluster"]["objects"].append(
        pod(
            spec={
                "volumes": [{"name": "token", "secret": {"secretName": "web-tls"}}],
                "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}],
            }
        )
    )
    text = after(observation)
    assert json.dumps(rule)[1:-1] in text
    for kept in (
        "forbidden",
        "2031-01-01T00:00:00+00:00",
        "web-tls",
        "node.kubernetes.io/not-ready",
    ):
        assert kept in text


def test_a_healthy_observation_is_judged_the_same() -> None:
    observation = Observation.model_validate_json(json.dumps(healthy()))
    assert trace(redacted(observation)) == trace(observation)
    assert redacted(redacted(observation)) == redacted(observation)


def test_the_observation_behind_a_redirect_is_redacted_too() -> None:
    observation = secure(healthy())
    observation["then"] = secure(healthy())
    key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----"
    for one in (observation, observation["then"]):
        one["cluster"]["objects"][-1]["data"] = {"tls.key": "bWluZQ==", "tls.crt": "bWluZQ=="}
        one["cluster"]["logs"] = {"projectcontour/envoy/envoy": key}
        one["requests"][0]["tls"]["error"] = key
        one["requests"][0]["headers"]["set-cookie"] = "session=mine"
    text = redacted(Observation.model_validate_json(json.dumps(observation))).model_dump_json(by_alias=True)
    assert "PRIVATE KEY" not in text
    assert "bWluZQ" not in text
    assert "session=mine" not in text
    assert '"hosts":["my-service.localhost"]' in text


@pytest.mark.parametrize("case", FIELDS, ids=str)
def test_an_httpproxy_is_judged_alike_before_and_after(case: Case) -> None:
    bodies = documents(case.text)
    certificates = [body for body in bodies if body["kind"] in ("Secret", "TLSCertificateDelegation")]
    observation = healthy()
    observation["cluster"]["objects"] = []
    added(observation, *(body for body in bodies if body not in certificates))
    left = json.loads(after(observation))["cluster"]["objects"]
    # An observation has no ExtensionServices, so it keeps no reference to one; nor has it Contour's configuration.
    paths = [path for path in case.paths if "authorization" not in path and "and authorization" not in case.about]
    if case.about in ("a fallback certificate of a Contour without one", "a fallback certificate that is not there"):
        paths.remove("/spec/virtualhost/tls/enableFallbackCertificate")
    assert [finding.path for finding in verdict([*left, *certificates], rules=["IN17"])] == paths
