"""How long `hops trace` takes on a healthy path, and what a running `--watch` costs it; prints a Markdown table.

Needs a stack that is up. Requests are sent one after another over one connection by curl, in turns with and without
`hops trace --watch` beside it. Run it with nothing else on the machine: `make bench-trace`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
# -P: the project that is installed, and not one that the current folder holds.
HOPS = [sys.executable, "-P", "-c", "from hops.cli.app import app; app()", "trace"]
BATCH = 500
GOALS = {"`hops trace`": "3 s", "the look in it": "", "requests in it": "1 s", "with of without, round by round": "1"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack", nargs="?", default="local")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement of requests a second")
    given = parser.parse_args()
    taken: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle.json")
        for _ in range(given.rounds):
            for what, value in _traced(given.stack, bundle):
                taken.setdefault(what, []).append(value)
        asked = json.loads(bundle.read_text())["asked"]
        url = f"http://{asked['host']}:{asked['port']}{asked['path']}"
        for _ in range(given.rounds):
            taken.setdefault("requests/s without --watch", []).append(_rate(url, given.seconds))
            with _watching(given.stack):
                taken.setdefault("requests/s with --watch", []).append(_rate(url, given.seconds))
    with_it, without = taken["requests/s with --watch"], taken["requests/s without --watch"]
    taken["with of without, round by round"] = [one / other for one, other in zip(with_it, without, strict=True)]
    _print(taken, given.rounds)


def _traced(stack: str, bundle: Path) -> Iterator[tuple[str, float]]:
    """Seconds of the whole command, of the look, and of its parts."""
    began = time.monotonic()
    done = subprocess.run([*HOPS, stack, "--bundle", str(bundle)], capture_output=True, text=True, check=False)
    whole = time.monotonic() - began
    if done.returncode:
        sys.exit(f"the path is not healthy, so there is nothing to measure:\n{done.stdout}{done.stderr}")
    yield "`hops trace`", whole
    seconds = json.loads(bundle.read_text())["seconds"]
    yield "the look in it", seconds.pop("all")
    yield "requests in it", seconds.pop("requests")
    yield from ((f"part: {part}", value) for part, value in seconds.items())


@contextmanager
def _watching(stack: str) -> Iterator[None]:
    watch = subprocess.Popen([*HOPS, stack, "--watch", "--format", "json"], stdout=subprocess.PIPE, cwd=Path.cwd())
    try:
        # Its first look has ended when its first line is there.
        if not watch.stdout or not watch.stdout.readline():
            sys.exit("hops trace --watch ended")
        yield
    finally:
        watch.terminate()
        watch.communicate()


def _rate(url: str, seconds: float) -> float:
    """Requests a second that are answered, one after another."""
    words = ["curl", "--silent", "--fail", "--output", os.devnull, f"{url}?[1-{BATCH}]"]
    began = time.monotonic()
    sent = 0
    while (passed := time.monotonic() - began) < seconds:
        subprocess.run(words, check=True)
        sent += BATCH
    return sent / passed


def _print(taken: dict[str, list[float]], rounds: int) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {rounds} rounds; seconds where not said\n")
    print("| | median | all | goal |\n|---|---|---|---|")
    for what, values in taken.items():
        digits = 0 if "requests/s" in what else 2
        cells = ", ".join(f"{value:.{digits}f}" for value in values)
        print(f"| {what} | {statistics.median(values):.{digits}f} | {cells} | {GOALS.get(what, '')} |")


if __name__ == "__main__":
    main()
