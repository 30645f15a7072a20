"""The locks in a file backend of Pulumi: which process holds each, and whether it is alive."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hops.cli.output import echo
from hops.cli.programs.environment import state_folder
from hops.cli.stacks import backend

_PROJECT = "ingress-hops"


class LockedError(RuntimeError):
    """Another command works on the stack, or the lock belongs to another machine."""


@dataclass(frozen=True)
class Lock:
    """One lock. Source of its file: Pulumi, pkg/backend/diy/lock.go.

    pid: process id of the holder.
    user, host: user and machine of the holder.
    since: when it was taken, in ISO 8601.
    """

    pid: int
    user: str
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since[:19].replace('T', ' ')}"

    @property
    def here(self) -> bool:
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether the holder still runs on this machine. Its process id may belong to another program by now."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        name = Path(f"/proc/{self.pid}/comm")
        try:
            return name.read_text().startswith("pulumi")
        except OSError:
            return True


def locks(folder: Path, stack: str) -> Iterator[Lock]:
    """The locks of a stack; files of another form are skipped.

    folder: the folder of the file backend.
    stack: the stack's name.
    """
    for file in sorted((folder / ".pulumi" / "locks" / "organization" / _PROJECT / stack).glob("*.json")):
        try:
            lock = json.loads(file.read_text())
            yield Lock(int(lock["pid"]), str(lock["username"]), str(lock["hostname"]), str(lock["timestamp"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue


def release(project: Path, stack: str, environment: Mapping[str, str]) -> None:
    """Removes the locks of a stack if their processes on this machine are dead, and prints a line for each.

    project: the project's folder.
    stack: the stack's name.
    environment: the environment of Pulumi.

    Raises LockedError if a process is alive or on another machine, and BackendError.
    """
    folder = state_folder(project, environment["PULUMI_BACKEND_URL"])
    held = list(locks(folder, stack)) if folder else []
    if not held:
        return
    for lock in held:
        if not lock.here:
            remedy = f"where that process is gone, free it: pulumi cancel --yes --stack {stack}"
            raise LockedError(f"the stack {stack} is locked by {lock}; {remedy}")
        if lock.alive:
            remedy = f"wait for it, or stop it: kill -INT {lock.pid}"
            raise LockedError(f"the stack {stack} is locked by {lock}, which is running; {remedy}")
    backend.unlock(project, stack)
    for lock in held:
        echo(f"freed the stack {stack}: {lock}, is gone", err=True)
