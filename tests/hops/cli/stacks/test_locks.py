"""Locks of a file backend: a dead holder is removed, a living or distant one is reported."""

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from hops.cli.stacks.locks import LockedError, locks, release

FOLDER = ".ingress-hops/state/.pulumi/locks/organization/ingress-hops/alice"


def lock(project: Path, pid: int, host: str = socket.gethostname(), name: str = "one") -> None:
    folder = project / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    held = {"pid": pid, "username": "bob", "hostname": host, "timestamp": "2026-11-28T17:03:53.871522785Z"}
    (folder / f"{name}.json").write_text(json.dumps(held))


def around(project: Path) -> dict[str, str]:
    return {"PULUMI_BACKEND_URL": f"file://{project}/.ingress-hops/state"}


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen(["/bin/sh", "-c", ":"]) as process:
        process.wait()
    return process.pid


@pytest.fixture
def calls(alone: Path, pulumi: Path) -> Path:
    pulumi.write_text(f'#!/bin/sh\necho "$*" >>{alone}/calls\n')
    return alone / "calls"


def test_a_stack_without_locks_is_free(alone: Path, calls: Path) -> None:
    release(alone, "alice", around(alone))
    assert not calls.exists()


def test_the_lock_of_a_dead_process_is_removed_and_reported(
    alone: Path, calls: Path, dead: int, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(alone, dead)
    release(alone, "alice", around(alone))
    assert calls.read_text() == "cancel --yes --stack=alice --non-interactive\n"
    reported = (
        f"freed the stack alice: process {dead} of bob on {socket.gethostname()}, since 2026-11-28 17:03:53, is gone"
    )
    assert reported in capsys.readouterr().err


def test_a_number_that_another_program_has_now_is_dead(alone: Path, calls: Path) -> None:
    if not Path("/proc/self/comm").exists():
        pytest.skip("there is no /proc to name a process")
    lock(alone, os.getpid())
    release(alone, "alice", around(alone))
    assert calls.exists()


def test_a_living_process_is_reported_and_left(alone: Path, calls: Path) -> None:
    program = alone / "pulumi-lives"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as process:
        try:
            # The kernel names a process a moment after it started.
            name = Path(f"/proc/{process.pid}/comm")
            while name.exists() and not name.read_text().startswith("pulumi"):
                pass
            lock(alone, process.pid)
            with pytest.raises(LockedError, match=rf"locked by process {process.pid} of bob .* kill -INT"):
                release(alone, "alice", around(alone))
        finally:
            process.terminate()
    assert not calls.exists()


def test_another_machine_cannot_be_judged(alone: Path, calls: Path, dead: int) -> None:
    lock(alone, dead)
    lock(alone, dead, "elsewhere", "two")
    with pytest.raises(LockedError, match=r"on elsewhere, since .*: pulumi cancel --yes --stack alice"):
        release(alone, "alice", around(alone))
    assert not calls.exists()


def test_other_backends_and_other_files_hold_no_lock_here(alone: Path, calls: Path, dead: int) -> None:
    lock(alone, dead)
    release(alone, "alice", {"PULUMI_BACKEND_URL": "s3://bucket"})
    (alone / FOLDER / "one.json").write_text("not JSON")
    assert list(locks(alone / ".ingress-hops/state", "alice")) == []
    assert not calls.exists()
