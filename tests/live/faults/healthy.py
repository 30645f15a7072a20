"""Healthy variants of the path: whatever a trace says of them is wrong."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.live.faults.elsewhere import TWIN
from tests.live.faults.fault import Broken
from tests.live.faults.kubernetes import Object, bare, until
from tests.live.faults.path import Path
from tests.live.faults.pods import container

Variant = Callable[[Path], AbstractContextManager[Broken]]
VARIANTS: dict[str, tuple[str, Variant]] = {}


def variant(name: str, title: str) -> Callable[[Callable[[Path], Iterator[Broken]]], Variant]:
    def enlist(make: Callable[[Path], Iterator[Broken]]) -> Variant:
        managed = contextmanager(make)
        VARIANTS[name] = (title, managed)
        return managed

    return enlist


def well(path: Path) -> Broken:
    return Broken(path.whole)


@variant("N1", "an Ingress without a class")
def no_class(path: Path) -> Iterator[Broken]:
    ingress = path.get("ingress", path.backend.ingress, path.namespace)
    assert "ingressClassName" not in ingress["spec"]
    yield well(path)


@variant("N2", "the class contour, which no object describes")
def class_contour(path: Path) -> Iterator[Broken]:
    def change(ingress: Object) -> None:
        ingress["spec"]["ingressClassName"] = "contour"

    with path.changed("ingress", path.backend.ingress, path.namespace, change):
        yield well(path)


@variant("N3", "a Service whose port has no name")
def unnamed_port(path: Path) -> Iterator[Broken]:
    with path.changed("service", path.backend.service, path.namespace, lambda s: s["spec"]["ports"][0].pop("name")):
        yield well(path)


@variant("N4", "a pod that no controller looks after")
def bare_pod(path: Path) -> Iterator[Broken]:
    assert "ownerReferences" not in path.workload()["metadata"]
    yield well(path)


@variant("N5", "a pod that declares no ports")
def no_declared_port(path: Path) -> Iterator[Broken]:
    with path.another_pod(lambda pod: container(pod).pop("ports")):
        yield well(path)


@variant("N6", "three replicas")
def three(path: Path) -> Iterator[Broken]:
    more = [bare(path.workload()) for _ in range(2)]
    for number, pod in enumerate(more, 2):
        pod["metadata"]["name"] += f"-{number}"
    with path.created(*more):
        until("three endpoints are ready", lambda: [is_ready for _, is_ready, _ in path.offers()] == [True] * 3)
        yield well(path)


@variant("twin", "a cluster of somebody else's making, known by its kubeconfig alone")
def twin(path: Path) -> Iterator[Broken]:
    options = ("--host", path.backend.host, "--port", str(TWIN), "--path", path.backend.request_path)
    kubeconfig = ("--kubeconfig", str(path.elsewhere().kubeconfig))
    yield Broken(lambda: path.ask(port=TWIN).well, (*kubeconfig, *options), stack=False)
