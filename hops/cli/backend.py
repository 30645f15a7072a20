"""What the backend keeps of the project's stacks, by the command `pulumi`. Reads only."""

import json
import subprocess
from pathlib import Path
from typing import Any

from hops.cli.environment import environment
from hops.cli.tools import ToolError

_SECONDS = 60


class BackendError(RuntimeError):
    """A backend, or a stack in it, that cannot be read."""


def kept(project: Path) -> dict[str, int]:
    """How many resources the backend keeps of each stack that it knows. Raises BackendError."""
    url = environment(project)["PULUMI_BACKEND_URL"]
    if url == f"file://{project}/.ingress-hops/state" and not Path(url.removeprefix("file://")).exists():
        # `make` makes the folder with the first stack, and pulumi does not take it well that there is none.
        return {}
    try:
        listed: list[dict[str, Any]] = json.loads(_pulumi(project, "stack", "ls", "--json"))
        # Pulumi Cloud puts an organisation before the name.
        return {stack["name"].rpartition("/")[2]: int(stack.get("resourceCount") or 0) for stack in listed}
    except subprocess.CalledProcessError as error:
        raise BackendError(f"{url} cannot be read: {_said(error)}") from None
    except (subprocess.TimeoutExpired, LookupError, TypeError, ValueError) as error:
        raise BackendError(f"pulumi says nothing of use about {url}: {error}") from None


def outputs(project: Path, name: str) -> dict[str, Any]:
    """The outputs of a stack, empty before its first `up`. Raises BackendError."""
    try:
        found: dict[str, Any] = json.loads(_pulumi(project, "stack", "output", "--json", f"--stack={name}"))
    except subprocess.CalledProcessError as error:
        where = environment(project)["PULUMI_BACKEND_URL"]
        raise BackendError(
            f"the stack {name} cannot be read from {where}: {_said(error)}; bring it up with: make up STACK={name}"
        ) from None
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise BackendError(f"pulumi says nothing of use about the stack {name}: {error}") from None
    return found


def remove(project: Path, name: str) -> None:
    """Removes a stack without resources and keeps its file. Raises BackendError."""
    try:
        _pulumi(project, "stack", "rm", "--yes", "--preserve-config", name)
    except subprocess.CalledProcessError as error:
        raise BackendError(f"the stack {name} cannot be removed: {_said(error)}") from None
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"the stack {name} cannot be removed: {error}") from None


def state(project: Path, name: str) -> dict[str, Any] | None:
    """What the backend keeps of a stack, as `pulumi stack export` prints it; None for an unknown stack.

    Raises BackendError.
    """
    try:
        found: dict[str, Any] = json.loads(_pulumi(project, "stack", "export", f"--stack={name}"))
    except subprocess.CalledProcessError as error:
        if "no stack named" in str(error.stderr):
            return None
        where = environment(project)["PULUMI_BACKEND_URL"]
        raise BackendError(f"the stack {name} cannot be read from {where}: {_said(error)}") from None
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise BackendError(f"pulumi prints no state of the stack {name}: {error}") from None
    return found


def create(project: Path, name: str) -> None:
    """Creates a stack in the backend. Raises BackendError."""
    try:
        _pulumi(project, "stack", "init", name, "--no-select")
    except subprocess.CalledProcessError as error:
        raise BackendError(f"the stack {name} cannot be created: {_said(error)}") from None
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"the stack {name} cannot be created: {error}") from None


def unlock(project: Path, name: str) -> None:
    """Removes all locks of a stack. Raises BackendError."""
    try:
        _pulumi(project, "cancel", "--yes", f"--stack={name}")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = _said(error) if isinstance(error, subprocess.CalledProcessError) else str(error)
        raise BackendError(f"the lock of the stack {name} cannot be removed: {said}") from None


def _pulumi(project: Path, *words: str) -> str:
    command = ["pulumi", *words, "--non-interactive"]
    try:
        done = subprocess.run(
            command,
            cwd=project,
            env=environment(project),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except ToolError as error:
        raise BackendError(str(error)) from None
    except OSError:
        raise BackendError("pulumi is not on PATH; `make tools` fetches it into .tools/bin") from None
    return done.stdout


def _said(error: subprocess.CalledProcessError) -> str:
    return str(error.stderr).strip().removeprefix("error: ")
