"""Faults of hop 4 in which Envoy takes the request and answers it itself, or speaks another protocol to the pod."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

from hops.model.path import CONTOUR_NAMESPACE
from tests.live.faults.fault import ENDPOINT, POD, ROUTE, Broken, fault
from tests.live.faults.kubernetes import Object, bare, ready, until
from tests.live.faults.networks import blocked
from tests.live.faults.path import Path
from tests.live.faults.pods import answering, container


def annotated(**annotations: str) -> Object:
    return {f"projectcontour.io/{key}": value for key, value in annotations.items()}


@fault(68, "Envoy is reported to shut down", "200", (ROUTE, "T70"), touches="envoy", stops=False)
def draining(path: Path, _: Random) -> Iterator[Broken]:
    """By its admin interface, a socket that only its pod has; the node sees into it."""
    pid = path.node("pgrep", "--oldest", "--exact", "envoy").strip()
    socket = f"/proc/{pid}/root/admin/admin.sock"

    def tell(what: str) -> None:
        path.node("curl", "--silent", "--unix-socket", socket, "--request", "POST", f"http://envoy/healthcheck/{what}")

    tell("fail")
    try:
        yield Broken(lambda: not path.envoy_ready())
    finally:
        tell("ok")


def slow_beside(pod: Object) -> None:
    """A server that holds each request for /slow, and answers all others as before."""
    lines = [
        "import http.server, time",
        "class Handler(http.server.SimpleHTTPRequestHandler):",
        "    def do_GET(self):",
        "        if self.path == '/slow': time.sleep(60)",
        "        super().do_GET()",
        "http.server.ThreadingHTTPServer(('', 8080), Handler).serve_forever()",
    ]
    container(pod)["command"] = ["python", "-c", "\n".join(lines)]


@fault(69, "as many requests are open as the Service's max-requests allows", "503", (ROUTE, "T71"),
       touches="pod service", slow=True)  # fmt: skip
def overflow(path: Path, _: Random) -> Iterator[Broken]:
    limits = annotated(**{"max-connections": "1", "max-pending-requests": "1", "max-requests": "1"})

    def bounded(service: Object) -> None:
        service["metadata"].setdefault("annotations", {}).update(limits)

    url = f"http://{path.backend.host}:{path.port}/slow"
    ask = f"curl --silent --output /dev/null --resolve {path.backend.host}:{path.port}:127.0.0.1 {url}"
    # Envoy ends each request after 15 s.
    again = ["sh", "-c", f"while :; do {ask}; sleep 0.1; done"]
    with ExitStack() as stack:
        stack.enter_context(path.another_pod(slow_beside))
        until("the slow server is ready", lambda: ready(path.workload()) and path.ask().well)
        stack.enter_context(path.changed("service", path.backend.service, path.namespace, bounded))
        time.sleep(2)
        for _number in range(3):
            held = subprocess.Popen(again, start_new_session=True)
            stack.callback(held.wait)
            stack.callback(os.killpg, held.pid, signal.SIGTERM)
        yield Broken(lambda: path.ask_envoy().status == 503)


def proxy(path: Path, **more: object) -> Object:
    """An HTTPProxy in the place of the Ingress."""
    services = [{"name": path.backend.service, "port": path.backend.port}]
    return {
        "apiVersion": "projectcontour.io/v1",
        "kind": "HTTPProxy",
        "metadata": {"name": "faults-proxy", "namespace": path.namespace},
        "spec": {"virtualhost": {"fqdn": path.backend.host}, "routes": [{"services": services, **more}]},
    }


@fault(70, "the HTTPProxy allows one request an hour", "429", (ROUTE, "T72"), touches="ingress")
def limited(path: Path, _: Random) -> Iterator[Broken]:
    """The stack's own Ingress is away, so it is followed by the cluster alone."""
    limit = {"local": {"requests": 1, "unit": "hour"}}
    asked = ("--host", path.backend.host, "--port", str(path.port), "--path", path.backend.request_path)
    with (
        path.deleted("ingress", path.backend.ingress, path.namespace),
        path.created(proxy(path, rateLimitPolicy=limit)),
    ):
        yield Broken(
            lambda: path.ask_envoy().status == 429, ("--kubeconfig", str(path.kubeconfig()), *asked), stack=False
        )


@fault(
    71,
    "Envoy speaks TLS, or HTTP/2, to a pod that speaks plain HTTP/1.1",
    "502 or 503",
    (ROUTE, "T73"),
    touches="service",
)
def other_protocol(path: Path, chance: Random) -> Iterator[Broken]:
    name = chance.choice(["h2c", "tls"])

    def change(service: Object) -> None:
        given = annotated(**{f"upstream-protocol.{name}": str(path.backend.port)})
        service["metadata"].setdefault("annotations", {}).update(given)

    with path.changed("service", path.backend.service, path.namespace, change):
        yield Broken(lambda: path.ask_envoy().status in (502, 503))


def needing(pod: Object) -> None:
    """The same server, two seconds later."""
    lines = [
        "import http.server, time",
        "class Handler(http.server.SimpleHTTPRequestHandler):",
        "    def do_GET(self):",
        "        time.sleep(2)",
        "        super().do_GET()",
        "http.server.ThreadingHTTPServer(('', 8080), Handler).serve_forever()",
    ]
    container(pod)["command"] = ["python", "-c", "\n".join(lines)]


@fault(72, "the pod needs 2 s, and the route's response timeout is 1 s", "504", (ROUTE, "T74"), touches="ingress pod")
def timed_out(path: Path, _: Random) -> Iterator[Broken]:
    def change(ingress: Object) -> None:
        ingress["metadata"]["annotations"].update(annotated(**{"response-timeout": "1s"}))

    with (
        path.another_pod(needing),
        path.changed("ingress", path.backend.ingress, path.namespace, change),
    ):
        yield Broken(lambda: path.ask_envoy().status == 504)


@fault(73, "a WebSocket is asked for, and the Ingress does not allow it", "403", (ROUTE, "T75"), touches="request")
def no_websocket(path: Path, _: Random) -> Iterator[Broken]:
    headers = ("--header", "Upgrade: websocket", "--header", "Connection: Upgrade")
    yield Broken(lambda: path.ask().well, headers)


@fault(78, "a policy keeps Envoy's own requests in", "503 after 2 s", (ENDPOINT, "T33"), touches="veth")
def kept_in(path: Path, _: Random) -> Iterator[Broken]:
    """It admits those to Contour, as somebody would write who knows that Envoy needs it."""
    contour = {"podSelector": {"matchLabels": {"app": "contour"}}}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "faults-egress", "namespace": CONTOUR_NAMESPACE},
        "spec": {
            "podSelector": {"matchLabels": {"app": "envoy"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [contour]}],
        },
    }
    with path.created(policy):
        yield Broken(lambda: blocked(path))


@fault(86, "one of two weighted backends answers 500", "200 or 500", (POD, "T83"), touches="ingress", stops=False)
def canary(path: Path, _: Random) -> Iterator[Broken]:
    """A canary behind an HTTPProxy. The stack's own Ingress is away, so it is followed by the cluster alone."""
    pod, service = (bare(path.get(kind, name, path.namespace)) for kind, name in _of_the_stack(path))
    for item in (pod, service):
        item["metadata"]["name"] = "canary"
    pod["metadata"]["labels"] = service["spec"]["selector"] = {"service": "canary"}
    answering(500, "")(pod)
    for key in ("clusterIP", "clusterIPs"):
        service["spec"].pop(key, None)
    route = proxy(path)
    services = [{"name": name, "port": path.backend.port, "weight": 50} for name in (path.backend.service, "canary")]
    route["spec"]["routes"][0]["services"] = services
    asked = ("--host", path.backend.host, "--port", str(path.port), "--path", path.backend.request_path)
    with path.created(pod, service), path.deleted("ingress", path.backend.ingress, path.namespace):
        until("the canary is ready", lambda: ready(path.get("pod", "canary", path.namespace)))
        with path.created(route):
            yield Broken(
                lambda: 500 in [path.ask_envoy().status for _ in range(8)],
                ("--kubeconfig", str(path.kubeconfig()), *asked),
                stack=False,
            )


def _of_the_stack(path: Path) -> tuple[tuple[str, str], ...]:
    return ("pod", path.pod), ("service", path.backend.service)
