"""Faults of hop 7, the pod and its process. The pod is made anew with another command, and later as it was."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from random import Random

from tests.live.faults.fault import POD, Broken, fault
from tests.live.faults.kubernetes import MISSING_IMAGE, Object, ready, waiting
from tests.live.faults.path import Path


def container(pod: Object) -> Object:
    first: Object = pod["spec"]["containers"][0]
    return first


def serving(*words: str) -> Callable[[Object], None]:
    """Python's own server with other arguments, ready as soon as it runs."""

    def change(pod: Object) -> None:
        container(pod)["command"] = ["python", "-m", "http.server", *words]
        container(pod).pop("readinessProbe")

    return change


def answering(status: int, body: str, seconds: float = 0) -> Callable[[Object], None]:
    """A server that gives every request one answer, after a while."""
    lines = [
        "import http.server, time",
        "class Handler(http.server.BaseHTTPRequestHandler):",
        "    def do_GET(self):",
        f"        time.sleep({seconds})",
        f"        self.send_response({status})",
        "        self.end_headers()",
        f"        self.wfile.write({body.encode()!r})",
        "http.server.ThreadingHTTPServer(('', 8080), Handler).serve_forever()",
    ]

    def change(pod: Object) -> None:
        container(pod)["command"] = ["python", "-c", "\n".join(lines)]

    return change


def running(path: Path) -> bool:
    return bool(path.workload()["status"].get("containerStatuses", [{}])[0].get("started"))


def listening(path: Path, chance: Random) -> AbstractContextManager[None]:
    """The process listens on loopback alone; with the probe as it was the pod is not ready either."""
    probed = chance.random() < 0.5

    def change(pod: Object) -> None:
        probe = container(pod)["readinessProbe"]
        serving("8080", "--bind", "127.0.0.1")(pod)
        if probed:
            container(pod)["readinessProbe"] = probe

    return path.another_pod(change)


@fault(32, "the readiness probe asks a port that nobody has", "503", (POD, "T32"), touches="pod")
def wrong_probe(path: Path, _: Random) -> Iterator[Broken]:
    with path.another_pod(lambda pod: container(pod)["readinessProbe"]["tcpSocket"].update(port=9090)):
        yield Broken(lambda: running(path) and not ready(path.workload()))


@fault(40, "the process listens on 127.0.0.1 alone", "503", (POD, "T40"), touches="pod")
def loopback(path: Path, chance: Random) -> Iterator[Broken]:
    with listening(path, chance):
        yield Broken(lambda: running(path) and path.ask_pod().curl == 7)


@fault(41, "the process listens on 8081", "503", (POD, "T41"), touches="pod")
def another_port(path: Path, _: Random) -> Iterator[Broken]:
    with path.another_pod(serving("8081")):
        yield Broken(lambda: running(path) and path.ask_pod().curl == 7)


def crashing(pod: Object) -> None:
    container(pod)["command"] = ["python", "-c", "raise SystemExit('no configuration')"]


def greedy(pod: Object) -> None:
    container(pod)["command"] = ["python", "-c", "x = bytearray(200 << 20); x[::4096] = b'1' * len(x[::4096])"]
    container(pod)["resources"] = {"limits": {"memory": "32Mi"}}


def imageless(pod: Object) -> None:
    container(pod)["image"] = MISSING_IMAGE


def unplaced(pod: Object) -> None:
    pod["spec"]["nodeSelector"] = {"faults": "nowhere"}


@fault(
    42,
    "the pod crashes, runs out of memory, has no image, or no node",
    "503",
    (POD, "T42"),
    touches="pod",
    hides="veth",
)
def not_running(path: Path, chance: Random) -> Iterator[Broken]:
    change = chance.choice([crashing, greedy, imageless, unplaced])

    def there() -> bool:
        pod = path.workload()
        if change is unplaced:
            return any(c["type"] == "PodScheduled" and c["status"] == "False" for c in pod["status"]["conditions"])
        return bool(waiting([pod]) & {"CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff"})

    with path.another_pod(change):
        yield Broken(there)


@fault(63, "the publishing node is tainted or cordoned, and the pod is made anew", "503", (POD, "T65"), touches="pod",
       hides="veth")  # fmt: skip
def kept_off(path: Path, chance: Random) -> Iterator[Broken]:
    taint = ("taint", "node", path.worker, "dedicated=others:NoSchedule")
    off, on = chance.choice(
        [(taint, (*taint[:3], f"{taint[3]}-")), (("cordon", path.worker), ("uncordon", path.worker))]
    )

    def there() -> bool:
        conditions = path.workload()["status"].get("conditions", [])
        return any(c["type"] == "PodScheduled" and c["status"] == "False" for c in conditions)

    path.kubectl(*off)
    try:
        with path.another_pod(lambda _: None):
            yield Broken(there)
    finally:
        path.kubectl(*on)


@fault(43, "the server was started in another directory", "the app's 404", (POD, "T43"), touches="pod")
def another_directory(path: Path, _: Random) -> Iterator[Broken]:
    with path.another_pod(serving("8080", "--directory", "/tmp")):  # noqa: S108 - in the pod
        yield Broken(lambda: path.ask_envoy().by_pod and path.ask_envoy().status == 404)


@fault(44, "the app sleeps for 20 s, answers 500, or answers something else", "slow, 500, or 200 with another body",
       (POD, "T44"), touches="pod")  # fmt: skip
def wrong_answer(path: Path, chance: Random) -> Iterator[Broken]:
    how = chance.choice(["slow", "error", "other"])
    change = {"slow": answering(200, "root:", 20), "error": answering(500, ""), "other": answering(200, "welcome")}[how]
    with path.another_pod(change):
        yield Broken(
            lambda: ready(path.workload()) and not path.ask_envoy().well,
            ("--expect", "root:") if how == "other" else (),
        )
