"""A stack whose services have several routes, or none: each is asked, traced, changed and broken."""

import json
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.certificates import issued
from tests.live.conftest import SHARED as STACK
from tests.live.conftest import SHARED_PORT as PORT
from tests.live.conftest import Shared
from tests.project import Project, answer

SHOP = {"kind": "HTTPProxy", "host": "shop.localhost"}
SERVER = (Path(__file__).parent / "echo_server.py").read_text(encoding="utf-8")


def service(name: str, protocol: str, routes: list[dict[str, Any]], **files: str) -> dict[str, Any]:
    return {
        "name": name,
        "command": ["python", "/app/server.py", protocol, "8080"],
        "files": {"/app/server.py": SERVER} | {f"/app/{key}.pem": text for key, text in files.items()},
        "routes": routes,
    }


def services() -> list[dict[str, Any]]:
    pod = issued("pod", None, "secure")
    proxy = {"kind": "HTTPProxy", "host": "api.localhost"}
    return [
        service(
            "web",
            "http",
            [
                {"host": "web.localhost"},
                {"host": "web.localhost", "path": "/exact", "pathType": "Exact"},
                {"host": "web.localhost", "path": "/live", "websocket": True},
                {"host": "web.localhost", "path": "/patient", "timeout": "1s"},
            ],
        ),
        service(
            "api",
            "http",
            [
                {**proxy, "path": "/v1", "rewrite": "/inner"},
                {**proxy, "path": "/item-[0-9]+", "pathType": "Regex", "request": "/item-7"},
                {**proxy, "path": "/old", "redirect": {"path": "/v1/new", "status": 301}},
            ],
        ),
        service("stream", "h2c", [{"protocol": "h2c"}]),
        service(
            "secure",
            "tls",
            [{"kind": "HTTPProxy", "protocol": "tls"}],
            certificate=pod.pem,
            key=pod.key_pem,
        ),
        service("database", "http", []),
        service(
            "shop",
            "http",
            [
                {
                    **SHOP,
                    "weight": 50,
                    "others": [{"service": "next", "weight": 50}],
                    "cors": {"allowOrigin": ["https://shop.example"], "allowMethods": ["GET", "PUT"]},
                },
                {**SHOP, "path": "/copied", "mirror": {"service": "next"}},
                {**SHOP, "path": "/flaky", "retries": 2, "idleTimeout": "1m"},
                {**SHOP, "path": "/limited", "rateLimit": {"requests": 5}},
            ],
        ),
        service(
            "next",
            "http",
            [
                {
                    **SHOP,
                    "headers": [{"name": "X-Canary", "exact": "1"}],
                    "requestHeaders": {"set": {"X-Stage": "canary"}},
                    "responseHeaders": {"set": {"X-Served": "next"}, "remove": ["X-Powered-By"]},
                },
                {**SHOP, "query": [{"name": "version", "exact": "2"}]},
            ],
        ),
    ]


@pytest.fixture(scope="module")
def routed(shared: Shared) -> Project:
    shared.up(services())
    return shared.project


def ask(host: str, path: str) -> tuple[int, str]:
    return answer(f"curl --resolve {host}:{PORT}:127.0.0.1 http://{host}:{PORT}{path}")


def seen(host: str, path: str) -> Any:
    """What reached the pod."""
    status, body = ask(host, path)
    assert status == 200, body
    return json.loads(body)


def trace(project: Project, host: str, path: str, *more: str, status: int = 0) -> dict[str, Any]:
    words = [".venv/bin/hops", "trace", STACK, "--host", host, "--path", path, "--format", "json", *more]
    done = subprocess.run(
        words, cwd=project.folder, env=project.environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == status, done.stdout + done.stderr
    traced: dict[str, Any] = json.loads(done.stdout)
    return traced


def websocket(path: str) -> bytes:
    """What a WebSocket to the path says first."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as client:
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: web.localhost:{PORT}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b""
        while part := client.recv(4096):
            received += part
            if b"hello" in received or (b"\r\n\r\n" in received and b" 101 " not in received):
                break
        return received


@pytest.mark.usefixtures("routed")
def test_every_route_leads_where_it_says() -> None:
    assert seen("web.localhost", "/any") == {"path": "/any", "tls": False}
    assert seen("web.localhost", "/exact")["path"] == "/exact"
    assert seen("api.localhost", "/item-12")["path"] == "/item-12"
    assert seen("api.localhost", "/v1/things") == {"path": "/inner/things", "tls": False}
    assert ask("api.localhost", "/old")[0] == 301
    assert ask("api.localhost", "/other")[0] == 404
    assert ask("stream.localhost", "/") == (200, "over HTTP/2")
    assert seen("secure.localhost", "/")["tls"] is True
    assert ask("database.localhost", "/")[0] == 404


@pytest.mark.usefixtures("routed")
def test_a_websocket_opens_on_its_route_alone() -> None:
    assert b" 101 " in (opened := websocket("/live")), opened
    assert b"hello" in opened
    assert b" 403 " in websocket("/")


@pytest.mark.usefixtures("routed")
def test_a_timeout_ends_the_answer_on_its_route_alone() -> None:
    assert ask("web.localhost", "/patient/slow")[0] == 504
    assert ask("web.localhost", "/slow")[0] == 200


def test_the_outputs_tell_the_routes_apart(routed: Project) -> None:
    outputs = routed.outputs(STACK)
    urls = [route["url"] for route in outputs["routes"]]
    assert f"http://api.localhost:{PORT}/item-7" in urls
    assert len(urls) == 15
    named = [(route["url"], route["curl"]) for route in outputs["routes"]]
    assert len(set(named)) == 15
    for route in outputs["routes"]:
        assert answer(route["curl"])[0] in {200, 301}, route
    assert {hop["route"] for hop in outputs["hops"] if hop["service"] == "apps/api"} == {
        "api.localhost/v1",
        "api.localhost/item-[0-9]+",
        "api.localhost/old",
    }
    assert not [hop for hop in outputs["hops"] if hop["service"] == "apps/database"]


@pytest.mark.parametrize(
    ("host", "path", "kind"),
    [
        ("web.localhost", "/exact", "Ingress"),
        ("api.localhost", "/v1/a", "HTTPProxy"),
        ("stream.localhost", "/", "Ingress"),
        ("secure.localhost", "/", "HTTPProxy"),
    ],
)
def test_the_trace_follows_the_route_of_the_request(routed: Project, host: str, path: str, kind: str) -> None:
    traced = trace(routed, host, path)
    assert traced["first"] is None, traced["findings"]
    assert traced["hops"][3]["component"].startswith(kind.lower())


def response(path: str, method: str = "GET", **headers: str) -> tuple[int, Message]:
    """The status and the headers of an answer of the shop; `_` in a header's name stands for a hyphen."""
    client = HTTPConnection("127.0.0.1", PORT, timeout=20)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    client.request(method, path, headers={"Host": f"shop.localhost:{PORT}"} | given)
    found = client.getresponse()
    found.read()
    client.close()
    return found.status, found.headers


@pytest.mark.usefixtures("routed")
def test_weights_and_conditions_choose_the_backend() -> None:
    pods = [response("/")[1]["X-Pod"] for _ in range(40)]
    assert set(pods) == {"shop-pod", "next-pod"}
    assert {response("/", X_Canary="1")[1]["X-Pod"] for _ in range(10)} == {"next-pod"}
    assert {response("/?version=2")[1]["X-Pod"] for _ in range(10)} == {"next-pod"}
    assert {response("/", X_Canary="2")[1]["X-Pod"] for _ in range(40)} == {"shop-pod", "next-pod"}


@pytest.mark.long
@pytest.mark.usefixtures("routed")
def test_headers_are_set_and_removed_on_their_route_alone() -> None:
    _, canary = response("/", X_Canary="1")
    assert (canary["X-Seen-Stage"], canary["X-Served"], canary["X-Powered-By"]) == ("canary", "next", None)
    _, plain = response("/")
    assert (plain["X-Seen-Stage"], plain["X-Served"], plain["X-Powered-By"]) == ("", None, "Python")


@pytest.mark.long
@pytest.mark.usefixtures("routed")
def test_a_browser_learns_what_another_origin_may_do() -> None:
    asked = {"Access_Control_Request_Method": "PUT"}
    status, reported = response("/", "OPTIONS", Origin="https://shop.example", **asked)
    assert (status, reported["Access-Control-Allow-Origin"]) == (200, "https://shop.example")
    assert reported["Access-Control-Allow-Methods"] == "GET,PUT"
    assert response("/", Origin="https://other.example")[1]["Access-Control-Allow-Origin"] is None


@pytest.mark.long
@pytest.mark.usefixtures("routed")
def test_a_mirror_gets_a_copy_and_its_answer_is_dropped() -> None:
    before = int(response("/", X_Canary="1")[1]["X-Copied"])
    assert {response("/copied")[1]["X-Pod"] for _ in range(5)} == {"shop-pod"}
    # Envoy does not wait for the mirror.
    patience = time.monotonic() + 10
    while (copied := int(response("/", X_Canary="1")[1]["X-Copied"]) - before) < 5 and time.monotonic() < patience:
        time.sleep(0.2)
    assert copied == 5


@pytest.mark.long
@pytest.mark.usefixtures("routed")
def test_a_failed_request_is_sent_again_on_its_route() -> None:
    assert [response("/flaky")[0] for _ in range(4)] == [200] * 4


@pytest.mark.long
@pytest.mark.usefixtures("routed")
def test_a_rate_limit_refuses_what_is_beyond_it() -> None:
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda _: response("/limited")[0], range(60)))
    assert set(statuses) == {200, 429}


@pytest.mark.parametrize(
    ("words", "backends"),
    [
        ([], {"apps/shop", "apps/next"}),
        (["--header", "X-Canary: 1"], {"apps/next"}),
    ],
)
def test_the_trace_names_the_backends_of_this_request(routed: Project, words: list[str], backends: set[str]) -> None:
    traced = trace(routed, "shop.localhost", "/", *words)
    assert traced["first"] is None, traced["findings"]
    said = json.dumps(traced["hops"][3])
    assert {name for name in ("apps/shop", "apps/next") if f"{name}/8080" in said} == backends, said


@pytest.mark.long
def test_an_unchanged_stack_stays_and_a_changed_route_changes_alone(routed: Project) -> None:
    assert "no changes" in routed.up(STACK)
    file = routed.folder / "stacks" / f"Pulumi.{STACK}.yaml"
    whole = yaml.safe_load(file.read_text())
    whole["config"]["ingress-hops:services"][1]["routes"][0]["rewrite"] = "/elsewhere"
    file.write_text(yaml.safe_dump(whole))
    assert "1 updated" in routed.up(STACK)
    assert seen("api.localhost", "/v1/things")["path"] == "/elsewhere/things"


@pytest.mark.long
def test_a_route_without_its_service_is_named_and_mended(routed: Project) -> None:
    routed.kubectl(STACK, "delete", "service", "--namespace", "apps", "api")
    traced = trace(routed, "api.localhost", "/v1/a", status=1)
    assert traced["first"] in {4, 5}
    assert traced["findings"][0]["resource"]["kind"] == "HTTPProxy"
    assert trace(routed, "web.localhost", "/any")["first"] is None
    routed.up(STACK)
    assert seen("api.localhost", "/v1/a")["tls"] is False
