"""What the Kubernetes API says, by the official client against a server of this test."""

import base64
import hashlib
import json
import re
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from urllib3.exceptions import InsecureRequestWarning

from hops.model.certificates import make_authority, make_leaf
from hops.observe.in_cluster import api as module
from hops.observe.in_cluster.api import API, APIError
from hops.observe.in_cluster.cluster import cluster, logs, secrets
from hops.trace.facts.path_facts import PathFacts
from hops.trace.observed.observation import FollowedRequest, Observation, ObservedCluster
from tests.hops.observe.conftest import Connect, Server

Object = dict[str, Any]


def pod(name: str, namespace: str = "apps", *, ready: bool = True, **more: Any) -> Object:
    status = {
        "conditions": [{"type": "Ready", "status": str(ready)}],
        "containerStatuses": [{"name": "main", "state": {"running": {"startedAt": "t"}}}],
    }
    return {"metadata": {"name": name, "namespace": namespace, "managedFields": [{}]}, "status": status, **more}


def test_objects_know_what_they_are(server: Server, connect: Connect) -> None:
    server.has("/api/v1/pods", "Pod", pod("web"))
    server.has("/apis/networking.k8s.io/v1/ingresses", "Ingress", {"metadata": {"name": "i"}}, version="networking/v1")
    server.answers["/api/v1/namespaces/projectcontour/configmaps/contour"] = (200, '{"kind": "ConfigMap"}')
    unseen: dict[str, str] = {}
    seen = cluster(connect(), unseen)
    assert (seen.version, seen.server) == ("v1.34.1", server.url)
    assert [(o["apiVersion"], o["kind"]) for o in seen.objects if "apiVersion" in o] == [
        ("v1", "Pod"),
        ("networking/v1", "Ingress"),
    ]
    assert seen.objects[0]["metadata"] == {"name": "web", "namespace": "apps"}
    assert seen.objects[-1]["kind"] == "ConfigMap"
    assert unseen == {}, "a kind that the cluster does not have is no gap"
    assert all(header == "Bearer hidden" for _, _, header in server.asked)


def test_gateways_and_their_routes_are_listed_where_the_api_server_has_them(server: Server, connect: Connect) -> None:
    api = "gateway.networking.k8s.io"
    for name, kind in (("gatewayclasses", "GatewayClass"), ("gateways", "Gateway"), ("httproutes", "HTTPRoute")):
        server.has(f"/apis/{api}/v1/{name}", kind, {"metadata": {"name": "x"}}, version=f"{api}/v1")
    grants = f"/apis/{api}/v1beta1/referencegrants"
    server.has(grants, "ReferenceGrant", {"metadata": {"name": "x"}}, version=f"{api}/v1beta1")
    unseen: dict[str, str] = {}
    kinds = [o["kind"] for o in cluster(connect(), unseen).objects]
    assert kinds == ["GatewayClass", "Gateway", "HTTPRoute", "ReferenceGrant"]
    assert unseen == {}


def test_a_kind_that_may_not_be_listed_hides_no_other(server: Server, connect: Connect) -> None:
    server.has("/api/v1/services", "Service", {"metadata": {"name": "s"}})
    server.answers["/api/v1/pods"] = (403, '{"message": "pods is forbidden"}')
    server.answers["/api/v1/nodes"] = (200, "not JSON")
    unseen: dict[str, str] = {}
    assert [o["kind"] for o in cluster(connect(), unseen).objects] == ["Service"]
    assert unseen["cluster: Pod"] == "the API answers 403 to /api/v1/pods: pods is forbidden"
    assert "not JSON" in unseen["cluster: Node"]
    assert len(unseen) == 2


def test_a_list_that_goes_on_is_reported(server: Server, connect: Connect) -> None:
    whole = {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "more"}, "items": [pod("web")]}
    server.answers["/api/v1/pods"] = (200, json.dumps(whole))
    unseen: dict[str, str] = {}
    assert len(cluster(connect(), unseen).objects) == 1
    assert "more than 2000" in unseen["cluster: Pod"]
    asked = [path for path, _, _ in server.asked]
    assert "/api/v1/events?fieldSelector=type%3DWarning&limit=2000" in asked


def test_data_of_secrets_is_not_even_asked_for(server: Server, connect: Connect) -> None:
    row = {"cells": ["tls", "kubernetes.io/tls", 2, "1d"], "object": {"metadata": {"name": "tls", "namespace": "apps"}}}
    server.answers["/api/v1/secrets"] = (200, json.dumps({"kind": "Table", "rows": [row]}))
    (secret,) = cluster(connect(), {}).objects
    assert (secret["metadata"], secret["type"]) == ({"namespace": "apps", "name": "tls"}, "kubernetes.io/tls")
    assert "as=Table" in next(accept for path, accept, _ in server.asked if path.startswith("/api/v1/secrets"))


def test_an_api_without_tables_gives_no_secrets(server: Server, connect: Connect) -> None:
    server.has("/api/v1/secrets", "Secret", {"metadata": {"name": "s"}, "data": {"password": "aGlkZGVu"}})
    unseen: dict[str, str] = {}
    seen = cluster(connect(), unseen)
    assert seen.objects == ()
    assert "no table of Secrets" in unseen["cluster: Secret"]


def certificate(end: datetime) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "contour")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1 << 120)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(pem + pem).decode()


def secret(namespace: str, name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace, "name": name}}


def view(*objects: Object) -> PathFacts:
    seen = ObservedCluster(server="", objects=objects)
    return PathFacts(
        Observation(taken="2026-01-01T00:00:00+00:00", asked=FollowedRequest(host="web.example", port=80), cluster=seen)
    )


MOUNTS = {"kind": "Pod", **pod("contour", "projectcontour"), "spec": {"volumes": [{"secret": {"secretName": "mine"}}]}}
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
TLS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"namespace": "apps", "name": "i"},
    "spec": {
        "tls": [{"hosts": ["web.example"], "secretName": "web"}, {"hosts": ["other"], "secretName": "other"}],
        "rules": [
            {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}
            for host in ("web.example", "other")
        ],
    },
}


@pytest.mark.parametrize("end", [datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2051, 1, 1, tzinfo=UTC)])
def test_when_certificates_end(server: Server, connect: Connect, end: datetime) -> None:
    data = {"tls.crt": certificate(end), "tls.key": "aGlkZGVu", "ca.crt": "bm90IFBFTQ=="}
    server.answers["/api/v1/namespaces/apps/secrets/web"] = (200, json.dumps({"data": data}))
    whole = data | {"ca.crt": data["tls.crt"]}
    server.answers["/api/v1/namespaces/projectcontour/secrets/mine"] = (200, json.dumps({"data": whole}))
    there = [secret("projectcontour", "mine"), secret("apps", "web"), secret("apps", "other"), secret("apps", "mine")]
    unseen: dict[str, str] = {}
    public = secrets(connect(), view(*there, MOUNTS, TLS), unseen)
    ends, authorities = public["certificates"], public["authorities"]
    assert set(ends) == {"apps/web/tls.crt", "projectcontour/mine/tls.crt", "projectcontour/mine/ca.crt"}
    assert set(ends.values()) == {end.isoformat()}
    first = base64.b64decode(data["tls.crt"]).decode().partition("-----END")[0]
    der = base64.b64decode("".join(first.splitlines()[1:]))
    assert authorities == {"projectcontour/mine": hashlib.sha256(der).hexdigest()}
    digest = hashlib.sha256(der).hexdigest()
    assert public["fingerprints"] == {"apps/web": digest, "projectcontour/mine": digest}
    assert set(public["unusable"].values()) == {"its tls.key holds no private key in PEM without a passphrase"}
    assert unseen == {}
    assert len(server.asked) == 2, "other Secrets are left alone"


def gateway_objects(host: str, namespace: str) -> list[Object]:
    """An HTTPRoute of a host behind an HTTPS listener, whose Secret is in a namespace."""
    reference = {"name": "web", "namespace": namespace}
    own = {"from": "All"}
    listener = {
        "name": "secure",
        "protocol": "HTTPS",
        "port": 443,
        "hostname": host,
        "allowedRoutes": {"namespaces": own},
    }
    listener["tls"] = {"certificateRefs": [reference]}
    parent = {"name": "public", "namespace": "edge"}
    rules = [{"backendRefs": [{"name": "web", "port": 80}]}]
    spec = {"parentRefs": [parent], "hostnames": ["web.example"], "rules": rules}
    group = "gateway.networking.k8s.io/v1"
    return [
        {
            "apiVersion": group,
            "kind": "GatewayClass",
            "metadata": {"name": "contour"},
            "spec": {"controllerName": "projectcontour.io/gateway-controller"},
        },
        {
            "apiVersion": group,
            "kind": "Gateway",
            "metadata": {"name": "public", "namespace": "edge"},
            "spec": {"gatewayClassName": "contour", "listeners": [listener]},
        },
        {"apiVersion": group, "kind": "HTTPRoute", "metadata": {"name": "web", "namespace": "apps"}, "spec": spec},
    ]


@pytest.mark.parametrize(("host", "read"), [("web.example", True), ("*.example", True), ("other.example", False)])
def test_the_certificate_of_a_gateway_s_listener_is_read(
    server: Server, connect: Connect, host: str, *, read: bool
) -> None:
    data = {"tls.crt": certificate(datetime(2031, 1, 1, tzinfo=UTC)), "tls.key": "aGlkZGVu"}
    server.answers["/api/v1/namespaces/certificates/secrets/web"] = (200, json.dumps({"data": data}))
    there = [secret("certificates", "web"), secret("apps", "web"), secret("edge", "web")]
    public = secrets(connect(), view(*there, *gateway_objects(host, "certificates")), {})
    assert list(public["fingerprints"]) == (["certificates/web"] if read else [])
    assert len(server.asked) == read


def test_a_secret_that_may_not_be_read_is_reported(server: Server, connect: Connect) -> None:
    server.answers["/api/v1/namespaces/projectcontour/secrets/mine"] = (403, '{"message": "forbidden"}')
    unseen: dict[str, str] = {}
    public = secrets(connect(), view(secret("projectcontour", "mine"), MOUNTS), unseen)
    assert not any(public.values())
    assert "forbidden" in unseen["certificates: projectcontour/mine"]


def test_logs_of_contour_and_of_what_is_not_ready(server: Server, connect: Connect) -> None:
    died = {"name": "main", "state": {"waiting": {}}, "lastState": {"terminated": {"exitCode": 1}}}
    labelled = {"labels": {"app": "contour"}, "name": "contour", "namespace": "projectcontour"}
    network = {"labels": {"k8s-app": "calico-node"}, "name": "calico", "namespace": "kube-system"}
    objects = [
        {"kind": "Pod", **pod("contour", "projectcontour"), "metadata": labelled},
        {"kind": "Pod", **pod("calico", "kube-system", ready=False), "metadata": network},
        {"kind": "Pod", **pod("other", "kube-system", ready=False)},
    ]
    objects[1]["status"]["containerStatuses"] = [died]
    server.answers["/api/v1/namespaces/projectcontour/pods/contour/log"] = (200, "line\n")
    server.answers["/api/v1/namespaces/kube-system/pods/calico/log"] = (400, '{"message": "no previous container"}')
    unseen: dict[str, str] = {}
    assert logs(connect(), view(*objects), unseen) == {"projectcontour/contour/main": "line\n"}
    assert "no previous container" in unseen["logs: kube-system/calico/main previous"]
    assert sorted(path.partition("?")[2] for path, _, _ in server.asked) == [
        "container=main&tailLines=200&previous=false",
        "container=main&tailLines=200&previous=true",
    ]


def test_nobody_answers(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(APIError, match=re.escape(f"http://127.0.0.1:{port} does not answer: Connection refused")):
        cluster(connect(f"http://127.0.0.1:{port}"), {})


def test_an_api_server_whose_name_is_unknown(connect: Connect) -> None:
    with pytest.raises(APIError, match=r"does not answer: [A-Z][a-z ]+$"):
        cluster(connect("http://api.invalid:6443"), {})


def test_an_answer_that_does_not_come(server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.2)
    server.delay = 1.0
    with pytest.raises(APIError, match=r"does not answer: Read timed out after 0\.2 s$"):
        cluster(connect(), {})


@pytest.mark.parametrize("text", ["", "[]", "{", "current-context: none", "apiVersion: v1\nclusters: {}"])
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(APIError, match="kubeconfig cannot be used"):
        API(file, None)


def test_no_file_and_no_context(tmp_path: Path, connect: Connect) -> None:
    with pytest.raises(APIError, match="cannot be used"):
        API(tmp_path / "missing", None)
    with pytest.raises(APIError, match=r"cannot be used.*nowhere"):
        connect(context="nowhere")


def test_a_followed_log_comes_line_by_line(server: Server, connect: Connect) -> None:
    path = "/api/v1/namespaces/apps/pods/web/log"
    server.answers[path] = (200, f"one\ntwo\n{'x' * 10_000}\nlast")
    lines = list(connect().lines(f"{path}?follow=true"))
    assert lines[:2] == ["one", "two"]
    assert lines[-1] == "last"
    assert "".join(lines[2:-1]) == "x" * 10_000
    assert max(map(len, lines)) <= 2 * module._LINE
    with pytest.raises(APIError, match="the API answers 404"):
        list(connect().lines("/api/v1/namespaces/apps/pods/gone/log"))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (datetime(2021, 2, 3, tzinfo=UTC), "the API refuses the client certificate of {}, which expired on 2021-05-04"),
        (datetime.now(UTC), "the API answers 401 to /version: Unauthorized"),
    ],
)
def test_a_client_certificate_that_is_refused(server: Server, tmp_path: Path, made: datetime, said: str) -> None:
    server.answers["/version"] = (401, '{"message": "Unauthorized"}')
    authority = make_authority("kubernetes", made)
    client, own = make_leaf(authority, "admin", made), make_leaf(authority, "localhost", made)
    (tmp_path / "own.pem").write_text(own.certificate + own.key)
    encrypted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    encrypted.load_cert_chain(tmp_path / "own.pem")
    server.http.socket = encrypted.wrap_socket(server.http.socket, server_side=True)
    (tmp_path / "client.pem").write_text(client.certificate)
    (tmp_path / "client.key").write_text(client.key)
    url = server.url.replace("http:", "https:")
    user = {"client-certificate": str(tmp_path / "client.pem"), "client-key": str(tmp_path / "client.key")}
    whole = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "u", "user": user}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(whole))
    api = API(file, "one")
    with pytest.warns(InsecureRequestWarning), pytest.raises(APIError) as refused:
        api.json("/version")
    api.close()
    assert str(refused.value) == said.format(file)
    assert refused.value.status == 401
