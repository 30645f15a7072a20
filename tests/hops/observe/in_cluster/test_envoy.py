"""What Envoy's admin interface says, over a connection that stands in for a port-forward."""

import json
import re
import socket
from collections.abc import Iterator

import pytest

from hops.observe.in_cluster.api import API, APIError
from hops.observe.in_cluster.envoy import Admin, envoy
from tests.hops.observe.conftest import Connect, Server


@pytest.fixture
def admin(server: Server, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Iterator[Admin]:
    """An admin interface whose port-forward leads to the test's server."""

    def forward(_: API, namespace: str, pod: str, port: int) -> socket.socket:
        assert (namespace, pod, port) == ("projectcontour", "envoy-x", 9001)
        return socket.create_connection(("127.0.0.1", server.http.server_port), 1)

    monkeypatch.setattr(API, "forward", forward)
    one = Admin(connect(), "projectcontour", "envoy-x")
    yield one
    one.close()


def test_all_that_an_envoy_says(server: Server, admin: Admin) -> None:
    stats = [{"name": "cluster.a.upstream_cx_total", "value": 3}, {"histograms": {}}, {"name": "text", "value": "x"}]
    server.answers |= {
        "/listeners": (200, '{"listener_statuses": [{"name": "ingress_http"}]}'),
        "/clusters": (200, '{"cluster_statuses": []}'),
        "/server_info": (200, '{"version": "1.38.3", "node": {"extensions": ["many"]}}'),
        "/certs": (200, '{"certificates": []}'),
        "/config_dump": (200, '{"configs": [{"route_config": {"name": "ingress_http"}}]}'),
        "/stats": (200, json.dumps({"stats": stats})),
    }
    seen = envoy(admin)
    assert seen.pod == "projectcontour/envoy-x"
    assert seen.listeners == {"listener_statuses": [{"name": "ingress_http"}]}
    assert seen.routes == ({"route_config": {"name": "ingress_http"}},)
    assert seen.server == {"version": "1.38.3"}
    assert seen.stats == {"cluster.a.upstream_cx_total": 3}
    asked = [path for path, _, _ in server.asked]
    assert "/config_dump?resource=dynamic_route_configs" in asked
    assert all(re.fullmatch(r"[!-~]+", path) for path in asked)


def test_what_an_envoy_does_not_have_is_empty(admin: Admin) -> None:
    seen = envoy(admin)
    assert (seen.routes, seen.listeners, seen.stats) == ((), {}, {})


def test_an_admin_interface_that_breaks_off(server: Server, admin: Admin) -> None:
    server.answers["/listeners"] = (200, "{")
    with pytest.raises(APIError, match="Envoy's admin interface in projectcontour/envoy-x does not answer"):
        envoy(admin)


def test_a_pod_that_cannot_be_forwarded_to(connect: Connect, server: Server) -> None:
    with pytest.raises(APIError, match="no port-forward to projectcontour/envoy-x"):
        Admin(connect(), "projectcontour", "envoy-x")
    assert server.asked[0][0].startswith("/api/v1/namespaces/projectcontour/pods/envoy-x/portforward?ports=9001")


def test_an_envoy_that_closes_its_connections_is_forwarded_to_again(server: Server, admin: Admin) -> None:
    """One that drains does; the client would then connect to this machine's own port."""
    admin.get("/server_info")
    admin.close()
    admin.get("/stats")
    assert [path for path, _, _ in server.asked] == ["/server_info", "/stats"]
