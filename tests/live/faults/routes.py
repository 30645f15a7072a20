"""Faults of hop 4 that an Ingress has: no listener, no virtual host, no route, no Service, another Service."""

from collections.abc import Callable, Iterator
from random import Random

from tests.live.faults.fault import ROUTE, Broken, fault
from tests.live.faults.kubernetes import Object, bare, ready, until
from tests.live.faults.path import Path
from tests.live.faults.pods import answering


def rule(ingress: Object) -> Object:
    first: Object = ingress["spec"]["rules"][0]
    return first


def way(ingress: Object) -> Object:
    first: Object = rule(ingress)["http"]["paths"][0]
    return first


def other_ingress(path: Path, host: str) -> Object:
    """A second Ingress like the first, for another host."""
    ingress = bare(path.get("ingress", path.backend.ingress, path.namespace))
    ingress["metadata"]["name"] = "another"
    rule(ingress)["host"] = host
    return ingress


def no_listener(path: Path) -> bool:
    return path.ask_envoy().curl == 7


def changed_ingress(path: Path, change: Callable[[Object], None]) -> Iterator[Broken]:
    with path.changed("ingress", path.backend.ingress, path.namespace, change):
        yield Broken(lambda: no_listener(path))


@fault(17, "the only Ingress is deleted", "curl 52 or 56", (ROUTE, "T17"), touches="ingress")
def no_ingress(path: Path, _: Random) -> Iterator[Broken]:
    with path.deleted("ingress", path.backend.ingress, path.namespace):
        yield Broken(lambda: no_listener(path))


@fault(
    18, 'the Ingress has kubernetes.io/ingress.allow-http: "false"', "curl 52 or 56", (ROUTE, "T18"), touches="ingress"
)
def no_http(path: Path, _: Random) -> Iterator[Broken]:
    yield from changed_ingress(
        path, lambda i: i["metadata"]["annotations"].update({"kubernetes.io/ingress.allow-http": "false"})
    )


@fault(19, "the only Ingress has the class nginx", "curl 52 or 56", (ROUTE, "IN09"), touches="ingress")
def another_class(path: Path, _: Random) -> Iterator[Broken]:
    yield from changed_ingress(path, lambda i: i["spec"].update(ingressClassName="nginx"))


@fault(22, "the Ingress's host is misspelt, and a second Ingress is right", "404", (ROUTE, "T22"), touches="ingress")
def misspelt_host(path: Path, _: Random) -> Iterator[Broken]:
    host = path.backend.host.replace("service", "servcie")
    with (
        path.created(other_ingress(path, f"another.{path.backend.host}")),
        path.changed("ingress", path.backend.ingress, path.namespace, lambda i: rule(i).update(host=host)),
    ):
        yield Broken(lambda: path.ask_envoy().status == 404)


@fault(23, "the Ingress's path is /app, or exactly /", "404", (ROUTE, "T23"), touches="ingress")
def another_path(path: Path, chance: Random) -> Iterator[Broken]:
    change = chance.choice([{"path": "/app"}, {"path": "/", "pathType": "Exact"}])
    with path.changed("ingress", path.backend.ingress, path.namespace, lambda i: way(i).update(change)):
        yield Broken(lambda: path.ask_envoy().status == 404)


@fault(24, "the Ingress names a Service that is not there", "curl 52 or 56", (ROUTE, "IN01"), touches="ingress")
def misspelt_service(path: Path, _: Random) -> Iterator[Broken]:
    yield from changed_ingress(path, lambda i: way(i)["backend"]["service"].update(name="my-servcie"))


@fault(25, "the Ingress names a port that the Service lacks", "curl 52 or 56", (ROUTE, "IN02"), touches="ingress")
def another_port(path: Path, _: Random) -> Iterator[Broken]:
    yield from changed_ingress(path, lambda i: way(i)["backend"]["service"].update(port={"number": 9999}))


@fault(26, "the Ingress is in another namespace than its Service", "curl 52 or 56", (ROUTE, "IN01"), touches="ingress")
def another_namespace(path: Path, _: Random) -> Iterator[Broken]:
    ingress = bare(path.get("ingress", path.backend.ingress, path.namespace))
    ingress["metadata"]["namespace"] = "default"
    with path.deleted("ingress", path.backend.ingress, path.namespace), path.created(ingress):
        yield Broken(lambda: no_listener(path))


@fault(
    27,
    "a second Ingress has the same host and path",
    "200 with another body",
    (ROUTE, "IN05"),
    touches="ingress",
    stops=False,
)
def rival(path: Path, _: Random) -> Iterator[Broken]:
    pod, service, ingress = (
        bare(path.get(kind, name, path.namespace))
        for kind, name in (
            ("pod", path.pod),
            ("service", path.backend.service),
            ("ingress", path.backend.ingress),
        )
    )
    for item in (pod, service, ingress):
        item["metadata"]["name"] = "a-rival"
    pod["metadata"]["labels"] = service["spec"]["selector"] = {"service": "a-rival"}
    answering(200, "welcome")(pod)
    for key in ("clusterIP", "clusterIPs"):
        service["spec"].pop(key, None)
    way(ingress)["backend"]["service"]["name"] = "a-rival"
    with path.created(pod, service):
        until("the second pod is ready", lambda: ready(path.get("pod", "a-rival", path.namespace)))
        with path.created(ingress):
            yield Broken(lambda: path.ask_envoy().body == "welcome")
