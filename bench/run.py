"""How long `pulumi` takes, beside a plain script that builds the same path; prints a Markdown table.

Both run in turns on this machine. The script: `kind create cluster`, everything applied at once as published, then one
request a second until it is answered with 200. Run it with nothing else on the machine: `make bench`.
"""

import argparse
import json
import os
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

from hops.cli.plan import planned
from hops.model.settings import settings
from hops.model.versions import CALICO, CONTOUR
from hops.observe.local.published_files import manifests_folder

ROOT = Path(__file__).parents[1]
STACK = "bench"
CLUSTER = f"ingress-hops-{STACK}"
PORT = 8099
URL = f"http://my-service.localhost:{PORT}/"
PHASES = {
    "cluster-kind": "kind create",
    "calico-daemonset-calico-node": "Calico ready",
    "contour-deployment-contour": "Contour ready",
    "contour-daemonset-envoy": "Envoy ready",
}
AFTERWARDS = {
    "preview of an existing stack": ["preview"],
    "unchanged `up`": ["up", "--yes", "--skip-preview"],
    "`down`": ["destroy", "--yes", "--skip-preview"],
}
GOALS = {
    "`pulumi up`, first 200": "0.8 of the script",
    "preview of a new stack": "5 s",
    "preview of an existing stack": "5 s",
    "unchanged `up`": "5 s",
    "`down`": "6 s",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        clone, environment = _clone(Path(folder))
        for _ in range(rounds):
            for phase, seconds in _script(Path(folder)):
                taken.setdefault(phase, []).append(seconds)
            for phase, seconds in _pulumi(clone, environment):
                taken.setdefault(phase, []).append(seconds)
    _print(taken, rounds)


def _clone(folder: Path) -> tuple[Path, dict[str, str]]:
    """What is committed, with a stack and a state of its own, and the environment for it."""
    clone, state = folder / "project", folder / "state"
    _run(["git", "clone", "--quiet", str(ROOT), str(clone)])
    (clone / ".venv").symlink_to(sys.prefix)
    state.mkdir()
    config = {
        "ingress-hops:cluster": {"httpPort": PORT, "httpsPort": None},
        "ingress-hops:services": [{"name": "my-service", "pod": "example-pod"}],
    }
    (clone / "stacks" / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))
    return clone, dict(os.environ) | {"PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE": ""}


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
    of = settings(STACK, {"cluster": {"httpPort": PORT, "httpsPort": None}}, image)
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
        apply = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "apply", "--server-side", "--filename", "-"]
        _run(["docker", "exec", "--interactive", f"{CLUSTER}-control-plane", *apply], objects)
        yield "script: all applied", taken()
        _wait_for_200(1)
        yield "script, first 200", taken()
    _run(["kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", str(kubeconfig)])


def _pulumi(clone: Path, environment: dict[str, str]) -> Iterator[tuple[str, float]]:
    stack = ["--stack", STACK, "--non-interactive", "--cwd", str(clone)]
    _run(["pulumi", "stack", "select", "--create", STACK, "--cwd", str(clone)], None, environment)
    with _clock() as taken:
        _run(["pulumi", "preview", *stack], None, environment)
        yield "preview of a new stack", taken()
    peak = _Peak()
    with _clock() as taken:
        answered: list[float] = []

        def ask() -> None:
            _wait_for_200(0.2)
            answered.append(taken())

        asking = threading.Thread(target=ask)
        asking.start()
        up = ["pulumi", "up", "--yes", "--skip-preview", *stack]
        process = subprocess.Popen(up, env=environment, stdout=subprocess.PIPE, text=True)
        for line in process.stdout or ():
            for name, phase in PHASES.items():
                if f" {name} created (" in line:
                    yield f"`pulumi up`: {phase}", taken()
        if process.wait():
            sys.exit("pulumi up failed")
        finished = taken()
        asking.join()
    yield "`pulumi up`, first 200", answered[0]
    yield "`pulumi up`, finished", finished
    for phase, words in AFTERWARDS.items():
        with _clock() as taken:
            _run(["pulumi", *words, *stack], None, environment)
            yield phase, taken()
    yield "peak memory of the Python program, MiB", peak.stop()


class _Peak:
    """Watches the largest resident size of Pulumi's Python programs, in MiB, from the kernel's own high-water mark."""

    def __init__(self) -> None:
        self._largest = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if b"pulumi-language-python-exec" in (process / "cmdline").read_bytes():
                        status = (process / "status").read_text()
                        self._largest = max(self._largest, int(status.split("VmHWM:")[1].split()[0]))
                except (OSError, IndexError):
                    continue

    def stop(self) -> float:
        self._done.set()
        self._thread.join()
        return self._largest / 1024


def _run(words: list[str], text: str | None = None, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(words, input=text, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")


def _print(taken: dict[str, list[float]], rounds: int) -> None:
    script = statistics.median(taken["script, first 200"])
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {rounds} rounds in turns; seconds where not said\n")
    print("| | median | all | of the script | goal |\n|---|---|---|---|---|")
    for phase, values in taken.items():
        median = statistics.median(values)
        ratio = f"{median / script:.2f}" if phase.endswith("first 200") else ""
        print(
            f"| {phase} | {median:.1f} | {', '.join(f'{v:.1f}' for v in values)} | {ratio} | {GOALS.get(phase, '')} |"
        )


if __name__ == "__main__":
    main()
