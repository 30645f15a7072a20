"""Faults of hop 4 that Contour's rights and configuration make, and of the cluster's DNS, which is beside the path."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from hops.model.path import CONTOUR_NAMESPACE
from tests.live.faults.fault import ROUTE, Broken, fault
from tests.live.faults.kubernetes import Object, ready, until, waiting
from tests.live.faults.path import Path, hosts
from tests.live.faults.proxies import contours
from tests.live.faults.routes import no_listener, other_ingress


def new_contour(path: Path) -> None:
    """Contour's pod goes, and its Deployment makes another."""
    names = [pod["metadata"]["name"] for pod in contours(path)]
    for name in names:
        path.delete("pod", name, CONTOUR_NAMESPACE)
    until("Contour's pod is another", lambda: bool({p["metadata"]["name"] for p in contours(path)} - set(names)))


@contextmanager
def flagged(path: Path, *flags: str) -> Iterator[None]:
    """Contour with more flags. The old pod goes at once, whatever becomes of the new one."""

    def change(deployment: Object) -> None:
        deployment["spec"]["strategy"] = {"type": "Recreate"}
        deployment["spec"]["template"]["spec"]["containers"][0]["args"] += flags

    with path.changed("deployment", "contour", CONTOUR_NAMESPACE, change):
        until("Contour runs with its flags", lambda: contours(path) != [] and all(map(ready, contours(path))))
        yield


def stale_beside(path: Path) -> tuple[str, Object]:
    """A host whose Ingress is added, and the Ingress: whoever does not hear of it answers 404."""
    host = f"another.{path.backend.host}"
    return host, other_ingress(path, host)


@fault(74, "Contour loses its rights and starts again, then an Ingress is added", "404", (ROUTE, "T76"),
       touches="contour ingress", slow=True)  # fmt: skip
def no_rights(path: Path, _: Random) -> Iterator[Broken]:
    host, ingress = stale_beside(path)

    def denied() -> bool:
        return any(
            "is forbidden" in path.kubectl("logs", pod["metadata"]["name"], "--namespace", CONTOUR_NAMESPACE)
            for pod in contours(path)
        )

    with path.deleted("clusterrolebinding", "contour", "default"):
        new_contour(path)
        with path.created(ingress):
            yield Broken(
                lambda: denied() and path.ask(host).status == 404,
                ("--host", host),
                files=hosts(f"127.0.0.1 {host}"),
            )


@fault(
    75, "Contour serves another ingress class", "curl 52 or 56", (ROUTE, "IN09"), touches="contour ingress", slow=True
)
def another_class(path: Path, _: Random) -> Iterator[Broken]:
    with flagged(path, "--ingress-class-name=internal"):
        yield Broken(lambda: no_listener(path))


@fault(76, "Contour watches another namespace", "curl 52 or 56", (ROUTE, "RP05"), touches="contour ingress", slow=True)
def another_namespace(path: Path, _: Random) -> Iterator[Broken]:
    with flagged(path, "--watch-namespaces=default,projectcontour"):
        yield Broken(lambda: no_listener(path))


@fault(77, "Contour's configuration is invalid, and it starts again, then an Ingress is added", "404", (ROUTE, "T77"),
       touches="contour ingress", slow=True)  # fmt: skip
def misconfigured(path: Path, _: Random) -> Iterator[Broken]:
    host, ingress = stale_beside(path)

    def change(item: Object) -> None:
        item["data"]["contour.yaml"] += "\nnosuchfield: true\n"

    with path.changed("configmap", "contour", CONTOUR_NAMESPACE, change):
        new_contour(path)
        with path.created(ingress):
            yield Broken(
                lambda: "CrashLoopBackOff" in waiting(contours(path)) and path.ask(host).status == 404,
                ("--host", host),
                files=hosts(f"127.0.0.1 {host}"),
            )
    new_contour(path)


@fault(83, "the cluster's DNS is scaled to 0", "200", (None, "T81"), touches="dns", stops=False, slow=True)
def no_dns(path: Path, _: Random) -> Iterator[Broken]:
    def away(deployment: Object) -> None:
        deployment["spec"]["replicas"] = 0

    with path.changed("deployment", "coredns", "kube-system", away):
        yield Broken(lambda: not path.list("pods", "kube-system", "k8s-app=kube-dns"))
