"""What load and rolling updates do to the requests of a stack; prints Markdown tables.

Needs a stack that is up. curl sends the requests from this machine to the first route that leads to a Deployment, or
else to the first one, over some connections at once that stay open: first as many requests as the machine gives, then
half as many. Half as many are also sent while the pods of the Deployment, of Envoy and of Contour are replaced, by one
rolling update after another until enough are sent. Run it with nothing else on the machine: `make bench-load`.
"""

import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hops.observe.in_cluster.api import API
from hops.observe.in_cluster.envoy import Admin

# -P: the project that is installed, and not one that the current folder holds.
HOPS = [sys.executable, "-P", "-c", "from hops.cli.app import app; app()"]
CONTOUR = "projectcontour"
REPLACED = (("Envoy", CONTOUR, "daemonset/envoy"), ("Contour", CONTOUR, "deployment/contour"))
"""What is replaced behind every route: its name, namespace and owner."""
SETTLED = 20
"""Seconds of load after a rolling update, in which the old pods end."""
COUNTERS = re.compile(
    r"(downstream_(rq_total|rq_[2-5]xx|rq_rx_reset|cx_total)"
    r"|upstream_(rq_total|rq_retry|rq_timeout|rq_pending_overflow|cx_connect_fail|cx_overflow))$"
)


@dataclass
class Sent:
    """The requests of one measurement.

    lasted: its length in seconds; 0 while it runs.
    files: where curl writes a line for each request while it runs.
    seconds: the times of the requests that were answered with 200.
    failed: how often each failure was seen.
    """

    lasted: float = 0
    files: Sequence[Path] = ()
    seconds: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def so_far(self) -> int:
        """The number of requests while it runs."""
        return sum(file.read_bytes().count(b"\n") for file in self.files)

    @property
    def rate(self) -> float:
        return (len(self.seconds) + self.failed.total()) / self.lasted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", nargs="?", default="local")
    parser.add_argument("--seconds", type=float, default=600.0, help="of each of the two steady measurements")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--requests", type=int, default=10_000, help="during the rolling updates, of each kind of pod")
    given = parser.parse_args()
    outputs = json.loads(_said(["pulumi", "stack", "output", "--json", "--stack", given.stack]))
    curl, service = _route(given.stack, outputs)
    kubeconfig, context = Path(outputs["cluster"]["kubeconfig"]), outputs["cluster"]["context"]
    rows: dict[str, Sent] = {}
    counted: dict[str, Mapping[str, int]] = {}
    with _counting(kubeconfig, context, counted, "full"), _load(curl, given.connections) as full:
        time.sleep(given.seconds / 2)
        traced = subprocess.run([*HOPS, "trace", given.stack], capture_output=True, check=False).returncode
        time.sleep(given.seconds / 2)
    rows["full"] = full
    half = full.rate / 2
    with _counting(kubeconfig, context, counted, "half"), _load(curl, given.connections, half) as rows["half"]:
        time.sleep(given.seconds)
    for what, namespace, owner in (*service, *REPLACED):
        updates = 0
        with _load(curl, given.connections, half) as sent:
            while not updates or sent.so_far < given.requests:
                _kubectl(given.stack, "rollout", "restart", "--namespace", namespace, owner)
                _kubectl(given.stack, "rollout", "status", "--namespace", namespace, owner, "--timeout=10m")
                updates += 1
            time.sleep(SETTLED)
        rows[f"half, {what} replaced, {updates} rolling updates"] = sent
    _print(rows, counted)
    print(f"\n`hops trace` under full load ended with status {traced}.")


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _kubectl(stack: str, *words: str) -> str:
    return _said([*HOPS, "kubectl", stack, *words])


def _route(stack: str, outputs: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[tuple[str, str, str]]]:
    """The words of the curl command of a route, and what is replaced behind it: a Deployment, or nothing."""
    component = next(hop["component"] for hop in outputs["hops"] if hop["name"] == "service")
    routes = outputs.get("routes") or [{"curl": outputs["curl"], "service": component.removeprefix("service ")}]
    form = "jsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {end}"
    deployments = _kubectl(stack, "get", "deployments", "--all-namespaces", "--output", form).split()
    route = next((route for route in routes if route["service"] in deployments), routes[0])
    namespace, _, name = route["service"].partition("/")
    deployed = [(f"the Deployment {name}", namespace, f"deployment/{name}")] if route["service"] in deployments else []
    return shlex.split(route["curl"]), deployed


@contextmanager
def _load(curl: Sequence[str], connections: int, rate: float | None = None) -> Iterator[Sent]:
    """Sends requests in the meantime. rate: of all connections together, a second; None for as many as possible."""
    # Standard error has no buffer, whose lines would be lost at the end.
    form = "%{stderr}%{http_code} %{time_total} %{errormsg}\\n"
    words = [*curl[:-1], "--silent", "--output", os.devnull, "--max-time", "20", "--write-out", form]
    if rate:
        words += ["--rate", f"{max(1, round(rate / connections))}/s"]
    words.append(f"{curl[-1]}?[1-1000000000]")
    with TemporaryDirectory() as folder:
        files = [Path(folder, str(number)) for number in range(connections)]
        sent = Sent(files=files)
        began = time.monotonic()
        processes = []
        for file in files:
            with file.open("wb") as lines:
                processes.append(subprocess.Popen(words, stderr=lines))
        try:
            yield sent
        finally:
            for process in processes:
                process.terminate()
                process.wait()
        sent.lasted = time.monotonic() - began
        for file in files:
            # The last line may be cut.
            for line in file.read_text().split("\n")[:-1]:
                status, seconds, error = line.split(" ", 2)
                if status == "200" and not error:
                    sent.seconds.append(float(seconds))
                else:
                    sent.failed[re.sub(r"\d+", "N", error) if error else f"status {status}"] += 1


@contextmanager
def _counting(kubeconfig: Path, context: str, counted: dict[str, Mapping[str, int]], what: str) -> Iterator[None]:
    before = _counters(kubeconfig, context)
    yield
    after = _counters(kubeconfig, context)
    counted[what] = {name: grown for name in after if (grown := after[name] - before.get(name, 0))}


def _counters(kubeconfig: Path, context: str) -> Mapping[str, int]:
    """Envoy's own counters by name, of all of its pods together."""
    api, total = API(kubeconfig, context), Counter[str]()
    pods = api.json(f"/api/v1/namespaces/{CONTOUR}/pods?labelSelector=app%3Denvoy")
    for pod in pods["items"]:
        admin = Admin(api, CONTOUR, pod["metadata"]["name"])
        for name, value in admin.stats().items():
            if found := COUNTERS.search(name):
                total[f"{name.split('.')[0]} {found[1]}"] += value
        admin.close()
    api.close()
    return total


def _print(rows: Mapping[str, Sent], counted: Mapping[str, Mapping[str, int]]) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores; times in milliseconds\n")
    print("| load | seconds | requests | a second | failed | 50 % | 90 % | 99 % | 99.9 % | longest |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for what, sent in rows.items():
        number, times = len(sent.seconds) + sent.failed.total(), sorted(sent.seconds)
        shares = statistics.quantiles(times, n=1000) if len(times) > 1 else [0.0] * 999
        parts = [shares[499], shares[899], shares[989], shares[998], times[-1] if times else 0.0]
        cells = " | ".join(f"{1000 * part:.1f}" for part in parts)
        print(f"| {what} | {sent.lasted:.0f} | {number} | {sent.rate:.0f} | {sent.failed.total()} | {cells} |")
    print("\n| load | failure | requests |\n|---|---|---|")
    for what, sent in rows.items():
        for failure, number in sent.failed.most_common():
            print(f"| {what} | {failure} | {number} |")
    print("\n| load | Envoy's counter | grew by |\n|---|---|---|")
    for what, counters in counted.items():
        for name, grown in sorted(counters.items()):
            print(f"| {what} | {name} | {grown} |")


if __name__ == "__main__":
    main()
