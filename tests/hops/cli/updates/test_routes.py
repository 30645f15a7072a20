"""The requests that an update sends to its routes."""

from pathlib import Path
from typing import Any

import pytest

from hops.cli.updates import routes
from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from hops.model.settings.stack_settings import Settings
from hops.observe.in_cluster.api import APIError
from hops.observe.local.authority import FOLDER
from hops.trace.observed.observation import FollowedRequest, SentRequest
from tests.elsewhere import HELM, service


def test_each_route_is_asked_by_each_publishing_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def first(request: FollowedRequest, _: str) -> SentRequest:
        asked.append((request.host, request.port))
        return SentRequest(where="client", address="127.0.0.1", port=request.port, failure="refused")

    monkeypatch.setattr(routes, "_first", first)
    cluster = {"workers": 2, "alsoPublish": [{"worker": 2, "httpPort": 8081}]}
    of = settings("alice", {"cluster": cluster, "services": [{"name": "a"}, {"name": "b"}]})
    answers = routes.ask(of, plan(of))
    assert sorted(asked) == [("a.localhost", 80), ("a.localhost", 8081), ("b.localhost", 80), ("b.localhost", 8081)]
    assert [answer.well for answer in answers] == [False] * 4


def test_each_route_is_asked_as_its_url_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    asked: list[FollowedRequest] = []

    def first(request: FollowedRequest, _: str) -> SentRequest:
        asked.append(request)
        return SentRequest(where="client", address="127.0.0.1", port=request.port, status=200)

    monkeypatch.setattr(routes, "_first", first)
    monkeypatch.setattr(routes, "_answer", lambda *_: routes.Answer("is answered", well=True))
    grpc = {"name": "d", "routes": [{"protocol": "h2c"}]}
    services = [{"name": "a", "tls": True}, {"name": "b", "tls": "mine"}, {"name": "c"}, grpc]
    of = settings("alice", {"services": services})
    routes.ask(of, plan(of))
    call = asked.pop()
    assert (call.method, call.headers["content-type"], call.grpc) == ("POST", "application/grpc", True)
    assert {(r.method, r.grpc) for r in asked} == {("GET", False)}
    found = {r.host: (r.scheme, r.port, r.ca_file, r.insecure) for r in asked}
    assert found == {
        "a.localhost": ("https", of.cluster.https_port, str(tmp_path / "authority.pem"), False),
        "b.localhost": ("https", of.cluster.https_port, None, True),
        "c.localhost": ("http", of.cluster.http_port, None, False),
    }


def beyond(entrance: str | None) -> Settings:
    contour = {"existing": "edge", "entrance": entrance}
    return settings("beyond", {"cluster": {"existing": "mine"}, "contour": contour, "services": [{"name": "a"}]})


@pytest.mark.parametrize(
    ("entrance", "address", "port"),
    [("LoadBalancer", "203.0.113.7", 80), ("NodePort", "192.0.2.2", 31080), (None, "203.0.113.7", 80)],
)
def test_a_route_in_an_existing_cluster_is_asked_at_its_entrance(
    monkeypatch: pytest.MonkeyPatch, entrance: str | None, address: str, port: int
) -> None:
    asked: list[tuple[str, str, int]] = []

    def first(request: FollowedRequest, at: str) -> SentRequest:
        asked.append((request.host, at, request.port))
        return SentRequest(where="client", address=at, port=request.port, status=404)

    monkeypatch.setattr(routes, "_first", first)
    monkeypatch.setattr(routes, "context_objects", lambda *_: HELM)
    of = beyond(entrance)
    (answer,) = routes.ask(of, routes.running(of))
    assert asked == [("a.localhost", address, port)]
    assert str(answer) == "is not answered by its pod (404 by Envoy)"


def test_a_route_whose_entrance_has_no_address_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = [service("LoadBalancer") if item is HELM[3] else item for item in HELM]
    monkeypatch.setattr(routes, "context_objects", lambda *_: waiting)
    of = beyond("LoadBalancer")
    (answer,) = routes.ask(of, routes.running(of))
    assert (str(answer), answer.well) == ("cannot be asked: the LoadBalancer of Envoy has no address", False)


def test_deployments_of_an_unreachable_cluster_are_not_called_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> list[Any]:
        raise APIError("https://192.0.2.1 does not answer: timed out")

    monkeypatch.setattr(routes, "context_objects", silent)
    of = settings("alice", {"services": [{"name": "a", "kind": "Deployment"}]})
    (problem,) = routes.unfinished(plan(of), None)
    assert problem == "whether the Deployments are ready is not known: https://192.0.2.1 does not answer: timed out"
    assert routes.unfinished(plan(settings("bob", {"services": [{"name": "a", "kind": "Pod"}]})), None) == []
