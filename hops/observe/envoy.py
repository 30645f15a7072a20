"""Looks at Envoy by its own admin interface, through a port-forward. Nothing is run in its container."""

import http.client
import json
from typing import Any
from urllib.parse import quote

from hops.kubernetes.values import at, sequence
from hops.observe.api import API, APIError
from hops.trace.observed.observation import ObservedEnvoy

# Contour's read-only admin listener (internal/envoy/v3/stats.go, AdminListener).
PORT = 9001
# What tells whether requests came, where they went, and whether Contour is heard.
_STATS = r"^(cluster\.|control_plane\.|http\.ingress_|listener\.|listener_manager\.|server\.(live|state|uptime))"


class Admin:
    """One Envoy's admin interface, over one connection. Raises APIError."""

    def __init__(self, api: API, namespace: str, pod: str) -> None:
        self.pod = f"{namespace}/{pod}"
        self._connection = http.client.HTTPConnection("127.0.0.1", PORT)
        self._connection.sock = api.forward(namespace, pod, PORT)

    def get(self, path: str) -> Any:
        """The JSON at a path, None where there is none. Raises APIError."""
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
            said = answer.read()
            return json.loads(said) if answer.status == 200 else None
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise APIError(f"Envoy's admin interface in {self.pod} does not answer: {error!r}") from None

    def close(self) -> None:
        self._connection.close()

    def stats(self) -> dict[str, int]:
        """Counters and gauges that were ever set. Raises APIError."""
        found = self.get(f"/stats?format=json&usedonly&filter={quote(_STATS)}")
        return {
            str(at(one, "name")): value
            for one in sequence(at(found, "stats"))
            if isinstance(value := at(one, "value"), int)
        }


def envoy(admin: Admin) -> ObservedEnvoy:
    """What an Envoy says of itself before the requests. Raises APIError."""
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
    # With the list of all that Envoy is built of, which is ten times the rest.
    parts["server"].pop("node", None)
    parts["routes"] = tuple(sequence(at(parts["routes"], "configs")))
    return ObservedEnvoy(pod=admin.pod, stats=admin.stats(), **parts)
