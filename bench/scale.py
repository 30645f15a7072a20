"""How large a stack may be: 50 services with 100 routes, and 500 with 1,000; prints a Markdown table.

`make bench-scale` needs no cluster for plan, preview and check. With `--live` it also brings 50 services up, traces one
route, adds the objects of 450 services without pods, and traces again. Run it with nothing else on the machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any

import yaml

from bench.clone import clone_project
from hops.model.kind_names import KUBECTL, control_plane

STACK = "scale"
PORT = 8302
HOPS = [".venv/bin/hops"]
SIZES = (1, 50, 500)
ROUTES = 2
"""Routes of each service."""


@dataclass(frozen=True)
class _Measured:
    """A command. mib: the largest resident size of it or of a process that it waited for. load: of the last minute."""

    seconds: float
    mib: float
    load: float


def services(count: int) -> list[dict[str, Any]]:
    """Services with two routes each: an Ingress, and an HTTPProxy."""
    return [
        {
            "name": f"service-{number}",
            "kind": "Deployment",
            "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
            "routes": [
                {"host": f"service-{number}.localhost", "path": "/"},
                {"kind": "HTTPProxy", "host": f"proxy-{number}.localhost", "path": "/"},
            ],
        }
        for number in range(count)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--live", action="store_true", help="also with a cluster")
    given = parser.parse_args()
    taken: dict[tuple[int, str], list[_Measured]] = {}
    with TemporaryDirectory() as folder:
        clone, environment = clone_project(Path(folder))
        for _ in range(given.rounds):
            for size in given.sizes:
                _write(clone, size)
                for what, measured in _planned(clone, environment):
                    taken.setdefault((size, what), []).append(measured)
        if given.live:
            for size, what, measured in _live(clone, environment):
                taken.setdefault((size, what), []).append(measured)
    _print(taken, given.rounds)


def _write(clone: Path, size: int) -> None:
    config = {
        "ingress-hops:cluster": {"workers": 0, "httpPort": PORT, "httpsPort": None},
        "ingress-hops:services": services(size),
    }
    (clone / "stacks" / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))


def _planned(clone: Path, environment: dict[str, str]) -> Iterator[tuple[str, _Measured]]:
    """What needs no cluster."""
    folder = clone / "planned"
    yield "`hops plan`", _measured(clone, environment, *HOPS, "plan", STACK, "--manifests", str(folder))
    yield "`hops check` of the plan", _measured(clone, environment, *HOPS, "check", str(folder), "--stack", STACK)
    yield "`hops preview`", _measured(clone, environment, *HOPS, "preview", STACK)


def _live(clone: Path, environment: dict[str, str]) -> Iterator[tuple[int, str, _Measured]]:
    small, large = SIZES[1:]
    trace = [*HOPS, "trace", STACK, "--host", f"proxy-{small - 1}.localhost"]
    _write(clone, small)
    try:
        yield small, "`hops up`", _measured(clone, environment, *HOPS, "up", STACK)
        yield small, "`hops preview` of what runs", _measured(clone, environment, *HOPS, "preview", STACK)
        yield small, "`hops trace` of a route", _measured(clone, environment, *trace)
        _add(clone, environment, large)
        _write(clone, small)
        yield large, "`hops trace` of a route, other services without pods", _measured(clone, environment, *trace)
    finally:
        subprocess.run([*HOPS, "down", STACK], cwd=clone, env=environment, check=False)


def _add(clone: Path, environment: dict[str, str], size: int) -> None:
    """Applies the objects of a larger stack, its new Deployments without pods."""
    folder = clone / "planned"
    _write(clone, size)
    _measured(clone, environment, *HOPS, "plan", STACK, "--manifests", str(folder))
    objects = [yaml.safe_load(file.read_text()) for file in sorted(folder.glob("*.yaml"))]
    own = [
        each for each in objects if each.get("metadata", {}).get("namespace") == "apps" and _number(each) >= SIZES[1]
    ]
    for each in own:
        if each["kind"] == "Deployment":
            each["spec"]["replicas"] = 0
    kubectl = ["docker", "exec", "--interactive", control_plane(f"ingress-hops-{STACK}"), *KUBECTL]
    apply = [*kubectl, "apply", "--server-side", "--filename", "-"]
    subprocess.run(apply, input=json.dumps({"apiVersion": "v1", "kind": "List", "items": own}).encode(), check=True)


def _number(of: dict[str, Any]) -> int:
    """The number of the service that an object is of; -1 if it is of none."""
    digits = "".join(filter(str.isdigit, of["metadata"]["name"].partition(".")[0]))
    return int(digits) if digits else -1


def _measured(clone: Path, environment: dict[str, str], *words: str) -> _Measured:
    began = time.monotonic()
    with TemporaryFile("w+") as out:
        process = subprocess.Popen(words, cwd=clone, env=environment, stdout=out, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode > 1:
            out.seek(0)
            sys.exit(f"{' '.join(words)} ended with {process.returncode}:\n{out.read()[-3000:]}")
    return _Measured(seconds, used.ru_maxrss / 1024, os.getloadavg()[0])


def _print(taken: dict[tuple[int, str], list[_Measured]], rounds: int) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {rounds} rounds; seconds\n")
    print(
        "| services, routes | | median | all | MiB of the largest process | load average |\n|---|---|---|---|---|---|"
    )
    for (size, what), values in taken.items():
        seconds = [each.seconds for each in values]
        cells = ", ".join(f"{each:.1f}" for each in seconds)
        mib, load = max(each.mib for each in values), max(each.load for each in values)
        print(
            f"| {size:,}, {size * ROUTES:,} | {what} | {statistics.median(seconds):.1f} | {cells} | {mib:.0f} "
            f"| {load:.1f} |"
        )


if __name__ == "__main__":
    main()
