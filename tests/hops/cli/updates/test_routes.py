"""The requests that an update sends to its routes."""

from pathlib import Path

import pytest

from hops.cli.updates import routes
from hops.model.plan import plan
from hops.model.settings.stack_config import settings
from hops.observe.local.authority import FOLDER
from hops.trace.observed.observation import FollowedRequest, SentRequest


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
