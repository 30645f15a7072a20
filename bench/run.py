"""How long `make preview`, `make up` and `make down` take, beside a plain script that builds the same path.

All run in turns on this machine; a Markdown table is printed. The script: `kind create cluster`, everything applied at
once as published, then one request a second until it is answered with 200. Run it with nothing else on the machine:
`make bench`.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from bench.clone import clone_project
from hops.cli.plan import planned
from hops.model.kind_names import KUBECTL, control_plane
from hops.model.settings.stack_config import settings
from hops.model.versions import CALICO, CONTOUR
from hops.observe.local.published_files import manifests_folder

STACK = "bench"
CLUSTER = f"ingress-hops-{STACK}"
PORT = 8099
HOST = "my-service.bench.localhost"
URL = f"http://{HOST}:{PORT}/"
SERVICES = [{"name": "my-service", "pod": "example-pod", "host": HOST}]
NODES = {"two nodes": {}, "one node": {"workers": 0}}
PHASES = {
    "kind cluster": "kind create",
    "DaemonSet kube-system/calico-node": "Calico ready",
    "Deployment projectcontour/contour": "Contour ready",
    "DaemonSet projectcontour/envoy": "Envoy ready",
}
"""The lines of steps that took five seconds or more."""
PROGRAMS = ("Python program", "engine", "plugins", "hops")
GOALS = {
    "first 200": "0.75 of the script",
    "preview of a new stack": "3 s",
    "preview of a running stack": "3 s",
    "unchanged `make up`": "5 s",
    "`make down`": "6 s",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        clone, environment = clone_project(Path(folder))
        for _ in range(rounds):
            for phase, seconds in _script(Path(folder)):
                taken.setdefault(phase, []).append(seconds)
            for name, cluster in NODES.items():
                _write_stack(clone, cluster)
                for phase, seconds in _make(clone, environment):
                    taken.setdefault(f"{name}: {phase}", []).append(seconds)
    _print(taken, rounds)


def _write_stack(clone: Path, cluster: dict[str, int]) -> None:
    config = {
        "ingress-hops:cluster": {"httpPort": PORT, "httpsPort": None, **cluster},
        "ingress-hops:services": SERVICES,
    }
    (clone / "stacks" / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))


@contextmanager
def _clock() -> Iterator[Callable[[], float]]:
    began = time.monotonic()
    yield lambda: time.monotonic() - began


def _wait_for_200(pause: float) -> None:
    probe = ["curl", "--silent", "--output", "/dev/null", "--max-time", "2", "--write-out", "%{http_code}", URL]
    while subprocess.run(probe, capture_output=True, text=True, check=False).stdout != "200":
        time.sleep(pause)


def _script(folder: Path) -> Iterator[tuple[str, float]]:
    image = os.environ.get("INGRESS_HOPS_NODE_IMAGE")
    of = settings(STACK, {"cluster": {"httpPort": PORT, "httpsPort": None}, "services": SERVICES}, image)
    plan = planned(STACK, of, folder)
    cluster = plan.manifests[0]
    for node in cluster["nodes"]:
        node.pop("extraMounts")
    own = [item for item in plan.manifests[1:] if item["metadata"].get("namespace", item["metadata"]["name"]) == "apps"]
    objects = "---\n".join(
        [*((manifests_folder() / m.file_name).read_text() for m in (CALICO, CONTOUR)), yaml.safe_dump_all(own)]
    )
    kubeconfig = folder / "script.yaml"
    with _clock() as taken:
        create = ["kind", "create", "cluster", "--name", CLUSTER, "--image", of.cluster.node_image, "--config", "-"]
        _run([*create, "--kubeconfig", str(kubeconfig)], json.dumps(cluster))
        yield "script: kind create", taken()
        apply = [*KUBECTL, "apply", "--server-side", "--filename", "-"]
        _run(["docker", "exec", "--interactive", control_plane(CLUSTER), *apply], objects)
        yield "script: all applied", taken()
        _wait_for_200(1)
        yield "script, first 200", taken()
    _run(["kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", str(kubeconfig)])


def _make(clone: Path, environment: dict[str, str]) -> Iterator[tuple[str, float]]:
    make = ["make", "--no-print-directory", "-C", str(clone), f"STACK={STACK}"]
    with _clock() as taken:
        _run([*make, "preview"], None, environment)
        yield "preview of a new stack", taken()
    peak = _Peak()
    with _clock() as taken:
        answered: list[float] = []

        def ask() -> None:
            _wait_for_200(0.2)
            answered.append(taken())

        asking = threading.Thread(target=ask)
        asking.start()
        process = subprocess.Popen(
            [*make, "up"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in process.stdout or ():
            for begin, phase in PHASES.items():
                if re.match(rf"\s+{begin}.* … \d+ s$", line):
                    yield phase, taken()
        if process.wait():
            sys.exit("make up failed")
        finished = taken()
        asking.join()
    yield "first 200", answered[0]
    yield "`make up`, finished", finished
    for name, mib in peak.stop().items():
        yield f"largest memory of {name}, MiB", mib
    yield "memory of the nodes at rest, MiB", _memory()
    for phase, target in {"preview of a running stack": "preview", "unchanged `make up`": "up"}.items():
        with _clock() as taken:
            _run([*make, target], None, environment)
            yield phase, taken()
    with _clock() as taken:
        _run([*make, "down"], None, environment)
        yield "`make down`", taken()


def _memory() -> float:
    """What the processes of the cluster's nodes use, without the cache of files, in MiB."""
    nodes = _run(["docker", "ps", "--filter", f"label=io.x-k8s.kind.cluster={CLUSTER}", "--format", "{{.Names}}"])
    used = _run(["docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *nodes.split()])
    units = {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"^([\d.]+)(\w+)", used, re.MULTILINE))


class _Peak:
    """Watches the largest sum of resident sizes of each kind of process, in MiB."""

    def __init__(self) -> None:
        self._largest = dict.fromkeys(PROGRAMS, 0.0)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            now = dict.fromkeys(PROGRAMS, 0.0)
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    command = (process / "cmdline").read_bytes()
                    resident = re.search(r"VmRSS:\s*(\d+)", (process / "status").read_text())
                except OSError:
                    continue
                if name := _program(command):
                    now[name] += int(resident[1]) / 1024 if resident else 0
            self._largest = {name: max(self._largest[name], now[name]) for name in PROGRAMS}

    def stop(self) -> dict[str, float]:
        self._done.set()
        self._thread.join()
        return self._largest


def _program(command: bytes) -> str | None:
    """Which of PROGRAMS a command line belongs to."""
    first, _, rest = command.partition(b"\0")
    if b"pulumi-language-python-exec" in command:
        return "Python program"
    name = first.rpartition(b"/")[2]
    if name == b"pulumi":
        return "engine"
    if name.startswith(b"pulumi-"):
        return "plugins"
    return "hops" if rest.partition(b"\0")[0].endswith(b"/hops") else None


def _run(words: list[str], text: str | None = None, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(words, input=text, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def _print(taken: dict[str, list[float]], rounds: int) -> None:
    script = statistics.median(taken["script, first 200"])
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {rounds} rounds in turns; seconds where not said\n")
    print("| | median | all | of the script | goal |\n|---|---|---|---|---|")
    for phase, values in taken.items():
        median = statistics.median(values)
        ratio = f"{median / script:.2f}" if phase.endswith("first 200") else ""
        goal = GOALS.get(phase.partition(": ")[2], "")
        print(f"| {phase} | {median:.1f} | {', '.join(f'{v:.1f}' for v in values)} | {ratio} | {goal} |")


if __name__ == "__main__":
    main()
