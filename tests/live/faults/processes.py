"""Faults of hop 7: a process that is there and takes no request, and a pod that the API does not let in."""

from collections.abc import Iterator
from random import Random

from tests.live.faults.fault import POD, Broken, fault
from tests.live.faults.kubernetes import Object, ready
from tests.live.faults.path import Path
from tests.live.faults.pods import container, running


def pids(path: Path, name: str) -> list[str]:
    """The processes of the workload's container, as the node numbers them."""
    status = path.workload()["status"]["containerStatuses"][0]
    inside = f"grep --files-with-matches {status['containerID'].partition('//')[2]} /proc/[0-9]*/cgroup"
    files = path.node("bash", "-c", f"{inside} 2>/dev/null || true").split()
    found = [file.split("/")[2] for file in files]
    assert found, f"no process of {name}"
    return found


@fault(64, "the pod's process is stopped by SIGSTOP", "no answer", (POD, "T66"), touches="pod")
def stopped(path: Path, _: Random) -> Iterator[Broken]:
    own = pids(path, path.pod)
    path.node("kill", "-STOP", *own)
    try:
        yield Broken(lambda: path.ask_envoy().curl == 28)
    finally:
        path.node("kill", "-CONT", *own)


def exhausted(pod: Object) -> None:
    """A server that opens files until it may open no more. It sleeps, since accept() fails at once again and again."""
    lines = [
        "import http.server, os, resource, time",
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
        "class Server(http.server.ThreadingHTTPServer):",
        "    def get_request(self):",
        "        time.sleep(0.2)",
        "        return super().get_request()",
        "server, kept = Server(('', 8080), http.server.SimpleHTTPRequestHandler), []",
        "try:",
        "    while True: kept.append(open(os.devnull))",
        "except OSError: pass",
        "server.serve_forever()",
    ]
    container(pod)["command"] = ["python", "-c", "\n".join(lines)]


@fault(65, "the pod's process has no file descriptor left", "no answer", (POD, "T67"), touches="pod")
def descriptors(path: Path, _: Random) -> Iterator[Broken]:
    with path.another_pod(exhausted):
        yield Broken(lambda: running(path) and path.ask_pod().curl == 28)


@fault(66, "a ResourceQuota leaves no room for the pod, which is made anew", "503", (POD, "T68"), touches="pod",
       hides="veth")  # fmt: skip
def no_room(path: Path, _: Random) -> Iterator[Broken]:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "faults-quota", "namespace": path.namespace},
        "spec": {"hard": {"pods": "0"}},
    }

    def counted() -> bool:
        return bool(path.get("resourcequota", "faults-quota", path.namespace).get("status", {}).get("used"))

    with path.deleted("pod", path.pod, path.namespace), path.created(quota):
        yield Broken(lambda: counted() and path.ask_envoy().status == 503)


FOREIGN = r"\177ELF\002\001\001\0\0\0\0\0\0\0\0\0\002\0\267\0"
"""The beginning of a program for 64-bit ARM (elf(5), e_machine)."""


def foreign(pod: Object) -> None:
    """The container starts a program of another processor, as an image of another architecture would."""
    first = container(pod)
    writer: Object = {
        **{key: first[key] for key in ("image", "securityContext") if key in first},
        "name": "writer",
        "command": ["sh", "-c", f"printf '{FOREIGN}' >/program/app && chmod 755 /program/app"],
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
    }
    pod["spec"]["volumes"] = [*pod["spec"].get("volumes", []), {"name": "program", "emptyDir": {}}]
    pod["spec"]["initContainers"] = [writer]
    first["volumeMounts"] = [*first.get("volumeMounts", []), {"name": "program", "mountPath": "/program"}]
    first["command"] = ["/program/app"]


@fault(67, "the image is for another architecture", "503", (POD, "T69"), touches="pod", hides="veth", slow=True)
def another_architecture(path: Path, _: Random) -> Iterator[Broken]:
    def crashed() -> bool:
        (status,) = path.workload()["status"]["containerStatuses"]
        return not ready(path.workload()) and (status["restartCount"] > 0 or "waiting" in status["state"])

    with path.another_pod(foreign):
        yield Broken(lambda: crashed() and path.ask_envoy().status == 503)
