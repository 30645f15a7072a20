"""Faults of hop 6's endpoints, which a Service gives, of hop 5 beside the path, and two faults at once."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from random import Random

from tests.live.faults.fault import ENDPOINT, POD, ROUTE, SERVICE, Broken, fault
from tests.live.faults.kubernetes import Object, until
from tests.live.faults.path import Path
from tests.live.faults.pods import listening, running


def changed_service(path: Path, change: Callable[[Object], None]) -> AbstractContextManager[None]:
    return path.changed("service", path.backend.service, path.namespace, change)


def misspelt(service: Object) -> None:
    service["spec"]["selector"] = {"service": "exmaple-pod"}


@fault(28, "the Service's selector is misspelt", "503", (ENDPOINT, "SV01"), touches="service")
def selector(path: Path, _: Random) -> Iterator[Broken]:
    with changed_service(path, misspelt):
        yield Broken(lambda: not path.offers())


@fault(29, "the Service is deleted", "curl 52 or 56", (ROUTE, "IN01"), touches="service")
def no_service(path: Path, _: Random) -> Iterator[Broken]:
    with path.deleted("service", path.backend.service, path.namespace):
        yield Broken(lambda: path.ask_envoy().curl == 7)


@fault(30, "the Service's targetPort is one that no pod listens on", "503", (ENDPOINT, "SV02"), touches="service")
def target_port(path: Path, _: Random) -> Iterator[Broken]:
    with changed_service(path, lambda s: s["spec"]["ports"][0].update(targetPort=9090)):
        yield Broken(lambda: {port for _, _, port in path.offers()} == {9090})


@fault(31, "the Service's targetPort is a name that the pod lacks", "503", (ENDPOINT, "SV02"), touches="service")
def named_port(path: Path, _: Random) -> Iterator[Broken]:
    with changed_service(path, lambda s: s["spec"]["ports"][0].update(targetPort="web")):
        yield Broken(lambda: not [port for _, _, port in path.offers() if port])


@fault(
    45, "kube-proxy is deleted and its rules are flushed", "200", (SERVICE, "T45"), touches="kube-proxy", stops=False
)
def no_kube_proxy(path: Path, _: Random) -> Iterator[Broken]:
    def rules() -> list[str]:
        return path.node("iptables-save", "--table", "nat").splitlines()

    def of_services() -> bool:
        return any(line.startswith("-A KUBE-SERVICES") for line in rules())

    with path.deleted("daemonset", "kube-proxy", "kube-system"):
        until("kube-proxy is away", lambda: not path.list("pods", "kube-system", "k8s-app=kube-proxy"))
        kept = [line for line in rules() if "KUBE-" not in line]
        path.node("iptables-restore", "--table", "nat", stdin="\n".join([*kept, ""]))
        yield Broken(lambda: not of_services())
    until("kube-proxy has its rules back", of_services)


@fault(50, "28 and 40 at once", "503", (ENDPOINT, "SV01"), (POD, "T40"), touches="service pod")
def two(path: Path, chance: Random) -> Iterator[Broken]:
    with listening(path, chance), changed_service(path, misspelt):
        yield Broken(lambda: not path.offers() and running(path) and path.ask_pod().curl == 7)
