"""Reads Envoy's admin interface through a port-forward. Nothing runs in Envoy's container."""

import http.client
import json
from functools import partial
from typing import Any
from urllib.parse import quote

from hops.kubernetes.values import at, sequence
from hops.observe.in_cluster.api import API, APIError
from hops.trace.observed.observation import ObservedEnvoy

# Contour's read-only admin listener (internal/envoy/v3/stats.go, AdminListener).
PORT = 9001
# The statistics of requests, of their targets, and of the connection to Contour.
_STATS = r"^(cluster\.|control_plane\.|http\.ingress_|listener\.|listener_manager\.|server\.(live|state|uptime))"


class Admin:
    """The admin interface of one Envoy, over one connection while Envoy keeps it. Raises APIError."""

    def __init__(self, api: API, namespace: str, pod: str) -> None:
        self.pod = f"{namespace}/{pod}"
        self._forward = partial(api.forward, namespace, pod, PORT)
        self._connection = http.client.HTTPConnection("127.0.0.1", PORT)
        self._connection.sock = self._forward()

    def get(self, path: str) -> Any:
        """The JSON at a path; None if Envoy has no such path. Raises APIError."""
        # An Envoy that drains closes each connection after its answer. The client would then connect to this machine.
        if self._connection.sock is None:
            self._connection.sock = self._forward()
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            body = answer.read()
            return json.loads(body) if answer.status == 200 else None
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise APIError(f"Envoy's admin interface in {self.pod} does not answer: {error!r}") from None

    def close(self) -> None:
        self._connection.close()

    def stats(self) -> dict[str, int]:
        """The counters and gauges that were set at least once. Raises APIError."""
        answer = self.get(f"/stats?format=json&usedonly&filter={quote(_STATS)}")
        return {
            str(at(stat, "name")): value
            for stat in sequence(at(answer, "stats"))
            if isinstance(value := at(stat, "value"), int)
        }


def envoy(admin: Admin) -> ObservedEnvoy:
    """The state of an Envoy before the requests are sent. Raises APIError."""
    parts: dict[str, Any] = {}
    paths = {
        "listeners": "/listeners?format=json",
        "clusters": "/clusters?format=json",
        "server": "/server_info",
        "certs": "/certs",
        "routes": "/config_dump?resource=dynamic_route_configs",
    }
    for name, path in paths.items():
        parts[name] = admin.get(path) or {}
    # It lists all extensions that Envoy was built with, which is ten times the rest.
    parts["server"].pop("node", None)
    parts["routes"] = tuple(sequence(at(parts["routes"], "configs")))
    return ObservedEnvoy(pod=admin.pod, stats=admin.stats(), **parts)
