"""A stack whose routes are of every kind: with the Gateway API, each is answered, traced, changed and broken."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.conftest import SHARED as STACK
from tests.live.conftest import SHARED_PORT as PORT
from tests.live.conftest import Shared
from tests.project import Project, answer

pytestmark = pytest.mark.long
ROUTE = {"kind": "HTTPRoute", "host": "route.localhost"}
LISTENER = "/spec/listeners/0"


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
            "routes": [{**ROUTE, "headers": [{"name": "X-Canary", "exact": "1"}]}],
        },
    ]


@pytest.fixture(scope="module")
def routed(shared: Shared, manifests: Path) -> Project:
    assert manifests
    shared.up(services())
    return shared.project


@pytest.fixture
def gateway(routed: Project) -> Iterator[Project]:
    """The running stack; whatever a test breaks, the next `up` restores."""
    yield routed
    routed.up(STACK)


def ask(host: str, path: str = "/", *options: str) -> tuple[int, str]:
    words = " ".join(options)
    return answer(f"curl {words} --resolve {host}:{PORT}:127.0.0.1 http://{host}:{PORT}{path}")


def trace(project: Project, host: str, path: str = "/", *, status: int = 0) -> dict[str, Any]:
    words = [".venv/bin/hops", "trace", STACK, "--host", host, "--path", path, "--format", "json"]
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
