"""How long `hops dev` takes from a save to the answer of the new version, and its parts; prints a Markdown table.

Brings the example web-api up in a clone of its own and changes one line of its API again and again. Beside what `hops
dev` prints, a client asks the route until the new text is there. Run it with nothing else on the machine:
`make bench-dev`.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from threading import Thread

from bench.clone import clone_project

STACK = "web-api"
URL = "http://127.0.0.1:8180/api/hello"
HOST = "web-api.localhost"
EXAMPLE = Path("examples", STACK)
TEXT = "hello from the API"
GOAL = 5.0
SECONDS = 300.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pause", type=float, default=15.0, help="seconds from an answer to the next save")
    given = parser.parse_args()
    taken: dict[str, list[float]] = {}
    with TemporaryDirectory() as folder:
        clone, environment = clone_project(Path(folder))
        environment |= {"PYTHONUNBUFFERED": "1"}
        shutil.copy(clone / EXAMPLE / f"{STACK}.yaml", clone / "stacks" / f"Pulumi.{STACK}.yaml")
        try:
            with _dev(clone, environment) as lines:
                _until(lines, r"watching ")
                text = TEXT
                for number in range(given.rounds):
                    time.sleep(given.pause)
                    for what, seconds in _saved(clone, lines, text, text := f"{TEXT} {number}"):
                        taken.setdefault(what, []).append(seconds)
        finally:
            subprocess.run([".venv/bin/hops", "down", STACK], cwd=clone, env=environment, check=False)
    _print(taken, given.rounds)


@contextmanager
def _dev(clone: Path, environment: dict[str, str]) -> Iterator[Queue[str]]:
    """`hops dev`, and the lines that it prints."""
    process = subprocess.Popen(
        [".venv/bin/hops", "dev", STACK],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: Queue[str] = Queue()

    def read() -> None:
        for line in process.stdout or ():
            lines.put(line)

    Thread(target=read, daemon=True).start()
    try:
        yield lines
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _until(lines: "Queue[str]", pattern: str) -> re.Match[str]:
    """The first line that begins with a pattern."""
    while True:
        line = lines.get(timeout=SECONDS)
        sys.stderr.write(line)
        if found := re.match(pattern, line):
            return found


def _saved(clone: Path, lines: "Queue[str]", old: str, new: str) -> Iterator[tuple[str, float]]:
    """Saves a changed line. Yields the seconds until a client saw it, and those that `hops dev` printed."""
    file = clone / EXAMPLE / "api" / "api.py"
    changed = file.read_text().replace(f'"{old}"', f'"{new}"')
    began = time.time()
    file.write_text(changed)
    while f'"{new}"' not in _answer():
        if time.time() - began > SECONDS:
            sys.exit(f"the new version did not answer within {SECONDS:.0f} s")
        time.sleep(0.02)
    yield "a client sees the new version", time.time() - began
    found = _until(lines, r"apps/api: (?P<whole>[\d.]+) s from save to answer \((?P<parts>.*)\)")
    yield "`hops dev` prints", float(found["whole"])
    for part in found["parts"].split(", "):
        what, seconds, _ = part.rsplit(" ", 2)
        yield f"part: {what}", float(seconds)


def _answer() -> str:
    words = ["curl", "--silent", "--max-time", "2", "--header", f"Host: {HOST}:8180", URL]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def _print(taken: dict[str, list[float]], rounds: int) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {rounds} rounds; seconds\n")
    print("| one changed line of a Python service | median | all | goal |\n|---|---|---|---|")
    for what, values in taken.items():
        goal = f"{GOAL:.0f} s" if not what.startswith("part") else ""
        cells = ", ".join(f"{value:.1f}" for value in values)
        print(f"| {what} | {statistics.median(values):.1f} | {cells} | {goal} |")


if __name__ == "__main__":
    main()
