"""The locks that Pulumi keeps in a file backend: who holds them, and whether that process is alive."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hops.cli import backend
from hops.cli.environment import state_folder
from hops.cli.output import echo

_PROJECT = "ingress-hops"


class LockedError(RuntimeError):
    """Another command works on the stack, or its lock cannot be judged from here."""


@dataclass(frozen=True)
class Lock:
    """One lock. since: ISO 8601. Source of its file: Pulumi, pkg/backend/diy/lock.go."""

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
        """Whether its process runs on this machine. Another program may have got its number since."""
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
    """The locks of a stack. folder: of the file backend. A file that is no lock is passed over."""
    for file in sorted((folder / ".pulumi" / "locks" / "organization" / _PROJECT / stack).glob("*.json")):
        try:
            found = json.loads(file.read_text())
            yield Lock(int(found["pid"]), str(found["username"]), str(found["hostname"]), str(found["timestamp"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue


def release(project: Path, stack: str, around: Mapping[str, str]) -> None:
    """Frees a stack whose locks belong to dead processes of this machine, and says so.

    around: the environment of Pulumi. Raises LockedError where a process lives or runs elsewhere, BackendError.
    """
    folder = state_folder(project, around["PULUMI_BACKEND_URL"])
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
