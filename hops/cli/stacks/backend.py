"""What the backend keeps of the project's stacks, read and changed by the command `pulumi`."""

import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hops.cli.programs.environment import environment, state_folder
from hops.cli.programs.project import ProjectError
from hops.model.commands import HOPS, of_stack
from hops.model.settings.setting_types import NAMESPACE
from hops.observe.local.stack_files import has_makefile

_SECONDS = 60
_REPEATED = re.compile(r"::[^:]*:index:(KindCluster|Image)\$command:local:Command::|[$:]kubernetes:")
"""The URN of a resource that can be created again: by server-side apply, or by a script that looks first."""


class BackendError(RuntimeError):
    """A backend, or a stack in it, that cannot be read or changed."""


class NotUpError(BackendError):
    """The backend does not know a stack."""


class _PulumiError(BackendError):
    """Pulumi ended with an error."""


def kept(project: Path) -> dict[str, int]:
    """The number of resources of each stack that the backend knows. Raises BackendError."""
    if _unmade(project):
        return {}
    url = _url(project)
    stacks = _json(_pulumi(project, f"{url} cannot be read", "stack", "ls", "--json"), url)
    try:
        # Pulumi Cloud puts an organisation before the name.
        return {stack["name"].rpartition("/")[2]: int(stack.get("resourceCount") or 0) for stack in stacks}
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise BackendError(_useless(url, error)) from None


def outputs(project: Path, name: str) -> dict[str, Any]:
    """The outputs of a stack; empty until its first `up` has ended. Raises BackendError."""
    up = of_stack("up", name, makefile=has_makefile(project))
    not_up = NotUpError(f"the stack {name} is not up; bring it up with: {up}")
    if _unmade(project):
        raise not_up
    try:
        printed = _pulumi(project, _unread(project, name), "stack", "output", "--json", f"--stack={name}")
    except _PulumiError as error:
        raise (not_up if "no stack named" in str(error) else BackendError(f"{error}; bring it up with: {up}")) from None
    return dict(_json(printed, f"the stack {name}"))


def remove(project: Path, name: str) -> None:
    """Removes a stack without resources and keeps its file. Raises BackendError."""
    _pulumi(project, f"the stack {name} cannot be removed", "stack", "rm", "--yes", "--preserve-config", name)


def state(project: Path, name: str) -> dict[str, Any] | None:
    """The state of a stack, as `pulumi stack export` prints it; None for an unknown stack. Raises BackendError."""
    try:
        printed = _pulumi(project, _unread(project, name), "stack", "export", f"--stack={name}")
    except _PulumiError as error:
        if "no stack named" in str(error):
            return None
        if damage := _damage(project, name):
            raise BackendError(damage) from None
        raise
    return dict(_json(printed, f"the stack {name}"))


def _damage(project: Path, name: str) -> str:
    """What is wrong with the state file of a stack, and the command that mends it; "" if it is whole or in no folder.

    On a disk that gets full during an update, Pulumi 3.259 leaves an empty file. The state before it is beside it.
    """
    folder = state_folder(project, _url(project))
    file = folder / ".pulumi" / "stacks" / NAMESPACE / f"{name}.json" if folder else None
    if file is None or not file.exists() or _whole(file):
        return ""
    before = file.with_name(f"{file.name}.bak")
    mend = shlex.join(["mv", str(before), str(file)] if _whole(before) else ["rm", str(file)])
    up = of_stack("up", name, makefile=has_makefile(project))
    return (
        f"the state file {file} is damaged, as a full disk leaves it; take the state before it, and an update "
        f"continues from what is in the cluster: {mend} && {up}"
    )


def _whole(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (OSError, ValueError):
        return False


def forget_interrupted(project: Path, name: str, state: Mapping[str, Any]) -> bool:
    """Removes the steps that a killed update left open, if this program repeats them anyway.

    Those are Kubernetes objects and the stack's kind cluster. Pulumi warns of such a step in every command, until a
    person answers its question. Other resources, a user's own, may exist and be known to nobody: their steps stay.

    state: as `state` returns it.

    Returns whether there were any. Raises BackendError.
    """
    deployment = state.get("deployment") or {}
    steps = deployment.get("pending_operations") or []
    other = [step for step in steps if not _REPEATED.search(str((step.get("resource") or {}).get("urn")))]
    if len(other) == len(steps):
        return False
    changed = {**state, "deployment": {**deployment, "pending_operations": other}}
    failure = f"the state of the stack {name} cannot be written"
    _pulumi(project, failure, "stack", "import", f"--stack={name}", text=json.dumps(changed))
    return True


def create(project: Path, name: str) -> None:
    """Creates a stack in the backend. Raises BackendError."""
    _pulumi(project, f"the stack {name} cannot be created", "stack", "init", name, "--no-select")


def unlock(project: Path, name: str) -> None:
    """Removes all locks of a stack. Raises BackendError."""
    _pulumi(project, f"the lock of the stack {name} cannot be removed", "cancel", "--yes", f"--stack={name}")


def _url(project: Path) -> str:
    return environment(project)["PULUMI_BACKEND_URL"]


def _unmade(project: Path) -> bool:
    """Whether the project's own backend is not there: the first stack makes its folder, and pulumi fails without it."""
    folder = project / ".ingress-hops" / "state"
    return _url(project) == f"file://{folder}" and not folder.exists()


def _unread(project: Path, name: str) -> str:
    return f"the stack {name} cannot be read from {_url(project)}"


def _pulumi(project: Path, failure: str, *words: str, text: str | None = None) -> str:
    """The standard output of a pulumi command.

    project: the project's folder.
    failure: what it means if the command fails, as a clause.
    words: the command without `pulumi`.
    text: the standard input; None leaves it closed.

    Raises BackendError, and _PulumiError if pulumi ends with an error.
    """
    command = ["pulumi", *words, "--non-interactive"]
    try:
        done = subprocess.run(
            command,
            cwd=project,
            env=environment(project),
            input=text or "",
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except ProjectError as error:
        raise BackendError(str(error)) from None
    except subprocess.TimeoutExpired:
        raise BackendError(f"{failure}: pulumi {words[0]} took longer than {_SECONDS} s") from None
    except OSError:
        remedy = f"fetch it into .tools/bin with: {HOPS} tools"
        raise BackendError(f"pulumi is not on PATH; {remedy}") from None
    if done.returncode:
        raise _PulumiError(f"{failure}: {done.stderr.strip().removeprefix('error: ')}")
    return done.stdout


def _json(printed: str, of: str) -> Any:
    try:
        return json.loads(printed)
    except ValueError as error:
        raise BackendError(_useless(of, error)) from None


def _useless(of: str, error: Exception) -> str:
    return f"pulumi printed nothing useful about {of}: {error}"
