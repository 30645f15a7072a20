"""A stack whose routes are of every kind: with the Gateway API, each is answered, traced, changed and broken."""

import json
import shlex
import socket
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hops.observe.local.authority import FOLDER
from tests.certificates import issued, root, root_file
from tests.live.conftest import SHARED as STACK
from tests.live.conftest import SHARED_PORT as PORT
from tests.live.conftest import Shared
from tests.live.faults.kubernetes import Kubernetes, Object, bare, until
from tests.project import Project, answer

pytestmark = pytest.mark.long
ROUTE = {"kind": "HTTPRoute", "host": "route.localhost"}
ECHO = {"kind": "HTTPRoute", "host": "echo.localhost"}
SAFE = "safe.localhost"
LISTENER = "/spec/listeners/0"
SERVER = (Path(__file__).parent / "echo_server.py").read_text(encoding="utf-8")


def services() -> list[dict[str, Any]]:
    return [
        {
            "name": "web",
            "files": {"/srv/index.html": "web"},
            "routes": [
                {"host": "web.localhost"},
                {"kind": "HTTPProxy", "host": "proxy.localhost"},
                {**ROUTE, "weight": 1, "others": [{"service": "next", "weight": 0}]},
                {**ROUTE, "path": "/v1", "rewrite": "/"},
                {**ROUTE, "path": "/old", "redirect": {"path": "/v1", "status": 301}},
            ],
        },
        {
            "name": "next",
            "files": {"/srv/index.html": "next"},
            "routes": [
                {**ROUTE, "headers": [{"name": "X-Canary", "exact": "1"}]},
                {**ROUTE, "host": SAFE, "tls": True},
            ],
        },
        echo(
            "one",
            "http",
            {**ECHO, "weight": 50, "others": [{"service": "two", "weight": 50}]},
            {**ECHO, "path": "/copied", "mirror": {"service": "two"}},
            {**ECHO, "path": "/patient", "timeout": "1s"},
            {**ECHO, "path": "/item-.+/large", "pathType": "Regex", "request": "/item-7/large"},
        ),
        echo(
            "two",
            "http",
            {
                **ECHO,
                "headers": [{"name": "X-Canary", "exact": "1"}],
                "requestHeaders": {"set": {"X-Stage": "canary"}},
                "responseHeaders": {"set": {"X-Served": "two"}, "remove": ["X-Powered-By"]},
            },
            {**ECHO, "query": [{"name": "version", "exact": "2"}]},
        ),
        echo("stream", "h2c", {"kind": "HTTPRoute", "protocol": "h2c"}),
    ]


def echo(name: str, protocol: str, *routes: dict[str, Any]) -> dict[str, Any]:
    """A service whose pod says what reached it."""
    command = ["python", "/app/server.py", protocol, "8080"]
    return {"name": name, "command": command, "files": {"/app/server.py": SERVER}, "routes": list(routes)}


@pytest.fixture(scope="module")
def routed(shared: Shared, manifests: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    assert manifests
    shared.project.environment[FOLDER] = str(tmp_path_factory.mktemp("authority"))
    shared.up(services(), https=PORT + 3)
    return shared.project


@pytest.fixture
def gateway(routed: Project) -> Iterator[Project]:
    """The running stack; whatever a test breaks, the next `up` restores."""
    yield routed
    routed.up(STACK)


def ask(host: str, path: str = "/", *options: str) -> tuple[int, str]:
    words = " ".join(options)
    return answer(f"curl {words} --resolve {host}:{PORT}:127.0.0.1 http://{host}:{PORT}{path}")


def trace(project: Project, host: str, path: str = "/", *more: str, status: int = 0) -> dict[str, Any]:
    words = [".venv/bin/hops", "trace", STACK, "--host", host, "--path", path, "--format", "json", *more]
    done = subprocess.run(
        words, cwd=project.folder, env=project.environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    traced: dict[str, Any] = json.loads(done.stdout)
    return traced


def test_routes_of_every_kind_are_answered_and_followed(routed: Project) -> None:
    for host in ("web.localhost", "proxy.localhost", "route.localhost"):
        assert ask(host) == (200, "web")
        traced = trace(routed, host)
        assert traced["first"] is None, traced["findings"]
    assert traced["hops"][3]["component"] == "httproute apps/web-route"
    assert "http-80" in json.dumps(traced["hops"][3])
    assert ask("route.localhost", "/v1") == (200, "web")
    assert ask("route.localhost", "/old")[0] == 301
    assert ask("route.localhost", "/", "--header 'X-Canary: 1'") == (200, "next")


def response(path: str, *options: str) -> dict[str, str]:
    """The status and the headers of an answer of `echo`, by their names in lower case."""
    words = ("--include", "--output", "-", *map(shlex.quote, options))
    status, text = ask(ECHO["host"], path, *words)
    # The standard output of a command is read with one kind of line end.
    head = text.partition("\n\n")[0].splitlines()[1:]
    found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head)}
    return found | {"status": str(status)}


CANARY = ("--header", "X-Canary: 1")


@pytest.mark.usefixtures("routed")
def test_weights_and_conditions_choose_the_backend() -> None:
    assert {response("/")["x-pod"] for _ in range(40)} == {"one-pod", "two-pod"}
    assert {response("/", *CANARY)["x-pod"] for _ in range(10)} == {"two-pod"}
    assert {response("/?version=2")["x-pod"] for _ in range(10)} == {"two-pod"}
    assert {response("/item-12/large")["x-pod"] for _ in range(10)} == {"one-pod"}


def test_a_mirror_gets_a_copy_and_the_plan_and_the_trace_name_it(routed: Project) -> None:
    before = int(response("/", *CANARY)["x-copied"])
    assert {response("/copied")["x-pod"] for _ in range(5)} == {"one-pod"}
    until("the mirror has all copies", lambda: int(response("/", *CANARY)["x-copied"]) == before + 5, 10)
    (hop,) = [
        hop
        for hop in routed.outputs(STACK)["hops"]
        if hop["name"] == "route" and hop.get("route") == f"{ECHO['host']}/copied"
    ]
    assert hop["details"]["mirror"] == "two:8080"
    assert trace(routed, ECHO["host"], "/copied")["first"] is None


@pytest.mark.usefixtures("routed")
def test_headers_are_set_and_removed_on_their_route_alone() -> None:
    canary = response("/", *CANARY)
    assert (canary["x-seen-stage"], canary["x-served"], "x-powered-by" in canary) == ("canary", "two", False)
    plain = response("/copied")
    assert (plain["x-seen-stage"], "x-served" in plain, plain["x-powered-by"]) == ("", False, "Python")


@pytest.mark.usefixtures("routed")
def test_a_timeout_ends_the_answer_on_its_route_alone() -> None:
    assert response("/patient/slow")["status"] == "504"
    assert response("/slow")["status"] == "200"


def test_http2_and_websockets_reach_the_pods_by_an_http_route(routed: Project) -> None:
    assert ask("stream.localhost") == (200, "over HTTP/2")
    assert trace(routed, "stream.localhost")["first"] is None
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as client:
        upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        client.sendall("\r\n".join([f"GET / HTTP/1.1\r\nHost: {ECHO['host']}:{PORT}", *upgrade, key, "", ""]).encode())
        received, patience = b"", time.monotonic() + 10
        while b"hello" not in received and time.monotonic() < patience and (part := client.recv(4096)):
            received += part
    assert b" 101 " in received
    assert b"hello" in received


def test_methods_and_expressions_of_headers_decide_where_a_request_goes(gateway: Project) -> None:
    """What a stack's file cannot say, in an HTTPRoute of somebody else's."""
    by_header = [{"name": "X-Team", "type": "RegularExpression", "value": "(blue|green)-[0-9]+"}]
    parent = {"name": "contour", "namespace": "projectcontour", "sectionName": "http"}
    rules = [
        {"matches": [{"method": "POST"}], "backendRefs": [{"name": "one", "port": 8080}]},
        {"matches": [{"headers": by_header}], "backendRefs": [{"name": "two", "port": 8080}]},
    ]
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "theirs", "namespace": "apps"},
        "spec": {"parentRefs": [parent], "hostnames": ["theirs.localhost"], "rules": rules},
    }
    with cluster().created(route):
        green = ("--header", "'X-Team: green-7'")
        until("Envoy has the route", lambda: ask("theirs.localhost", "/", *green)[0] == 200)
        assert ask("theirs.localhost", "/", "--request", "POST")[0] == 200
        assert ask("theirs.localhost", "/", "--header", "'X-Team: green'")[0] == 404
        for words, service in ((("--method", "POST"), "one"), (("--header", "X-Team: blue-1"), "two")):
            traced = trace(gateway, "theirs.localhost", "/", *words)
            assert traced["first"] is None, traced["findings"]
            assert f"apps/{service}/8080" in traced["hops"][3]["found"]
        assert trace(gateway, "theirs.localhost", "/", status=1)["findings"][0]["code"] == "T23"


def cluster() -> Kubernetes:
    return Kubernetes(f"ingress-hops-{STACK}")


def secret(certificate: str, key: str) -> Object:
    item = bare(cluster().get("secret", SAFE, "apps"))
    data = {"tls.crt": certificate, "tls.key": key}
    return item | {"data": {name: b64encode(text.encode()).decode() for name, text in data.items()}}


def test_the_certificate_of_a_listener_is_judged(gateway: Project) -> None:
    healthy = trace(gateway, SAFE)
    assert (healthy["first"], healthy["asked"]["scheme"]) == (None, "https"), healthy["findings"]
    trusted = ("--scheme", "https", "--cacert", root_file())
    good, other = issued(SAFE, root(), SAFE), issued(SAFE, root(), f"other.{SAFE}")
    ended = issued(SAFE, root(), SAFE, ended=True)
    cases = {"T53": (ended.pem, ended.key_pem), "T54": (other.pem, other.key_pem), "T57": (good.pem, other.key_pem)}
    for code, (certificate, key) in cases.items():
        cluster().apply("replace", secret(certificate, key))
        _told(gateway, trusted, code)
        cluster().apply("replace", secret(good.pem, good.key_pem))
        until(f"{code} is healed", lambda: codes(trace(gateway, SAFE, "/", *trusted)) == [])
    cluster().delete("secret", SAFE, "apps")
    _told(gateway, trusted, "T57")


def codes(traced: dict[str, Any]) -> list[str]:
    """Without the advice about this machine's resolver."""
    return [finding["code"] for finding in traced["findings"] if finding["code"] != "T79"]


def _told(project: Project, trusted: tuple[str, ...], code: str) -> None:
    """Waits until Contour has read the Secret. The remedy is the stack's own."""

    def named() -> bool:
        first = trace(project, SAFE, "/", *trusted, status=1)["findings"][0]
        assert (first["code"], first["resource"]["name"]) == (code, SAFE), first
        return bool("make up" in first["remedy"])

    until(f"{code} is told", named)


def test_changed_weights_send_the_requests_elsewhere(gateway: Project) -> None:
    file = gateway.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    before = file.read_text()
    whole = yaml.safe_load(before)
    route = whole["config"]["ingress-hops:services"][0]["routes"][2]
    route["weight"], route["others"][0]["weight"] = 0, 1
    file.write_text(yaml.safe_dump(whole))
    assert "1 updated" in gateway.up(STACK)
    assert {ask("route.localhost")[1] for _ in range(5)} == {"next"}
    file.write_text(before)


def test_a_listener_that_is_gone_is_named_for_routes_of_every_kind(gateway: Project) -> None:
    change = json.dumps([{"op": "remove", "path": LISTENER}])
    words = ("patch", "gateway", "contour", "--namespace", "projectcontour", "--type", "json", "--patch", change)
    gateway.kubectl(STACK, *words)
    route = trace(gateway, "route.localhost", status=1)["findings"][0]
    assert (route["code"], route["resource"]["kind"]) == ("IN18", "HTTPRoute")
    for host in ("web.localhost", "proxy.localhost"):
        found = trace(gateway, host, status=1)["findings"][0]
        assert (found["code"], found["resource"]["kind"]) == ("T52", "Gateway"), found
        assert "make up" in found["remedy"]


def test_a_backend_that_is_missing_is_named_on_its_route_alone(gateway: Project) -> None:
    name = "/spec/rules/0/backendRefs/0/name"
    change = json.dumps([{"op": "replace", "path": name, "value": "absent"}])
    words = ("patch", "httproute", "web-route-2", "--namespace", "apps", "--type", "json", "--patch", change)
    gateway.kubectl(STACK, *words)
    assert trace(gateway, "route.localhost", "/v1", status=1)["findings"][0]["code"] == "IN01"
    assert trace(gateway, "route.localhost")["first"] is None
