"""`hops trace --watch` for minutes, in which the path breaks and is mended again and again."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.test_mend import patch
from tests.project import Project, run

STACK = "watched"
ROUNDS = 12
SECONDS = 10
MOST_GROWTH = 8192
"""KiB of memory that the second half of the rounds may add."""


@pytest.fixture(scope="module")
def running(project: Project) -> Iterator[Project]:
    with project.running(STACK):
        yield project


def _memory(pid: int) -> int:
    """Resident memory in KiB."""
    return int(run("ps", "-o", "rss=", "-p", str(pid)))


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc, which shows a process's open files")
def test_a_watch_for_long_keeps_its_memory_and_files(running: Project) -> None:
    command = [".venv/bin/hops", "trace", STACK, "--watch"]
    output = running.folder / "watched.log"
    with (
        output.open("w") as log,
        subprocess.Popen(
            command, cwd=running.folder, env=running.environment, stdout=log, stderr=subprocess.STDOUT
        ) as watch,
    ):
        memory, files = [], []
        for number in range(2 * ROUNDS):
            selector = {"app": "other"} if number % 2 == 0 else {"service": "example-pod"}
            change = [{"op": "replace", "path": "/spec/selector", "value": selector}]
            running.kubectl(STACK, *patch("apps", "service/my-service", change))
            time.sleep(SECONDS)
            assert watch.poll() is None, output.read_text()
            if number % 2:
                memory.append(_memory(watch.pid))
                files.append(len(os.listdir(f"/proc/{watch.pid}/fd")))  # noqa: PTH208 - they go away meanwhile
        zombies = [line for line in run("ps", "-e", "-o", "ppid=,stat=").splitlines() if f"{watch.pid} Z" in line]
        watch.send_signal(signal.SIGINT)
        watch.wait(60)
    said = output.read_text()
    assert "Traceback" not in said
    assert said.count("all is well") >= ROUNDS / 2, said
    assert not zombies
    half = ROUNDS // 2
    assert max(memory[half:]) - max(memory[:half]) < MOST_GROWTH, memory
    assert max(files[half:]) <= max(files[:half]), files
