"""The defaults of settings that depend on other settings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hops.model.settings.cluster_settings import ENTRANCE_PORTS


def entrance_ports(contour: Any) -> dict[str, int]:
    """The default ports of an existing cluster, by key."""
    entrance = contour.get("entrance") if isinstance(contour, Mapping) else None
    known = ENTRANCE_PORTS.get(entrance, {}) if isinstance(entrance, str) else {}
    return {f"{scheme}Port": port for scheme, port in known.items()}


def ipv6(cluster: Any) -> bool:
    """Whether the cluster has IPv6, by the declared section `cluster`."""
    return isinstance(cluster, Mapping) and cluster.get("ipFamily") in ("dual", "ipv6")


def with_derived(service: Any, *, listening: Sequence[str] = ()) -> Any:
    """An entry of `services` with the defaults that depend on its name, path and port.

    service: the entry as declared; a value that is no mapping stays as it is.
    listening: the options by which the default command listens. Default: none, its own default, 0.0.0.0.
    """
    if not isinstance(service, Mapping):
        return service
    name, port, routes = service.get("name", "my-service"), _served(service), service.get("routes")
    short = {
        "ingress": f"{name}-ingress",
        "host": f"{name}.localhost",
        "path": "/",
        "request": service.get("path", "/"),
    }
    imaged = service.get("image") is not None or service.get("build") is not None
    return {
        "name": name,
        "pod": f"{name}-pod",
        # A folder of its own and never /: whatever lies under the served folder, a token included, is public.
        **(
            {"command": ["python", "-m", "http.server", str(port), *listening, "--directory", "/srv"]}
            if not imaged and not service.get("args") and service.get("kind") != "Service"
            else {}
        ),
        **(short if routes is None else {}),
        **service,
        "kind": service.get("kind") or ("Deployment" if imaged and service.get("pod") is None else "Pod"),
        **({"routes": list(_derived_routes(name, routes))} if isinstance(routes, list) else {}),
    }


def _served(service: Mapping[str, Any]) -> Any:
    """The port that the default command listens on."""
    declared = service.get("ports")
    first = declared[0] if isinstance(declared, list) and declared else None
    if isinstance(first, Mapping):
        return first.get("targetPort") or first.get("port")
    return service.get("port", 8080)


def _derived_routes(service: object, routes: Iterable[Any]) -> Iterator[Any]:
    """The entries of `routes` with the defaults that depend on the service, the host and the path."""
    count = {"ingress": 0, "route": 0}
    for route in routes:
        if not isinstance(route, Mapping):
            yield route
            continue
        host = route.get("host", f"{service}.localhost")
        kind = "route" if route.get("kind") == "HTTPRoute" else "ingress"
        proxy = route.get("kind") == "HTTPProxy"
        count[kind] += not proxy
        named = f"{service}-{kind}" + (f"-{count[kind]}" if count[kind] > 1 else "")
        derived = {"host": host, "name": host if proxy else named}
        if route.get("pathType") != "Regex":
            derived["request"] = route.get("path", "/")
        yield {**derived, **route}
