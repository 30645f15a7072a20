"""The environment that Pulumi runs in, and `hops env`, which prints it for a shell."""

import os
import shlex
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hops.cli.output import stop
from hops.cli.programs.project import ProjectError, project_folder, search_path

ENGINE_LOG = "INGRESS_HOPS_ENGINE_LOG"
"""The variable that, set to 1, turns the engine's debug log on."""
_FOLDER = ".ingress-hops"
_OWN = frozenset(("logs", "workspaces", "credentials.json"))
"""Entries of the user's Pulumi home that the project's does not link to. `PULUMI_CREDENTIALS_PATH` has the logins."""


def environment(project: Path, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment in which `make`, `hops` and a shell after `make env` run Pulumi.

    project: the project's folder.
    inherited: the caller's environment, which overrides every default except the Pulumi home.

    Creates the project's Pulumi home. Raises ProjectError if that is impossible.
    """
    defaults = {
        "PULUMI_BACKEND_URL": f"file://{project}/{_FOLDER}/state",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    } | ({} if inherited.get("PULUMI_CONFIG_PASSPHRASE_FILE") else {"PULUMI_CONFIG_PASSPHRASE": ""})
    path = search_path(project, inherited.get("PATH", os.defpath))
    return {**defaults, **inherited, **_home(project, inherited), "PATH": path}


def state_folder(project: Path, url: str) -> Path | None:
    """The folder of a file backend; None for every other backend.

    project: the folder that relative paths start from.
    url: the URL of the backend.
    """
    kind, separator, path = url.partition("://")
    return project / Path(path.partition("?")[0]).expanduser() if separator and kind == "file" else None


def _home(project: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """PULUMI_HOME, and the path of the logins.

    Pulumi writes a debug log of every operation to `$PULUMI_HOME/logs`. This takes more time than the operation and
    has no switch (3.259). Pulumi works without the log if it cannot create that folder. So the project has a home of
    its own in which `logs` is a file. All other entries link to the user's home.
    """
    users = _users(inherited)
    logins = {"PULUMI_CREDENTIALS_PATH": str(users)} if users.is_dir() else {}
    logins |= {key: inherited[key] for key in logins if inherited.get(key)}
    if inherited.get(ENGINE_LOG) == "1":
        return {"PULUMI_HOME": str(users), **logins}
    ours = project / _FOLDER / "pulumi-home"
    try:
        ours.mkdir(parents=True, exist_ok=True)
        (ours / "logs").touch()
        for entry in users.iterdir() if users.is_dir() else ():
            if entry.name not in _OWN:
                _link(ours / entry.name, entry)
    except OSError as error:
        raise ProjectError(
            f"{ours} cannot be made ({error.strerror}); make it writable, or set {ENGINE_LOG}=1"
        ) from None
    return {"PULUMI_HOME": str(ours), **logins}


def _users(inherited: Mapping[str, str]) -> Path:
    """The user's own Pulumi home, even in a shell whose PULUMI_HOME is a project's."""
    given = Path(inherited.get("PULUMI_HOME") or Path.home() / ".pulumi").expanduser()
    if not (given / "logs").is_file():
        return given.absolute()
    plugins = given / "plugins"
    return plugins.readlink().parent if plugins.is_symlink() else Path.home() / ".pulumi"


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() != target:
        link.unlink(missing_ok=True)
    # Another command of the project may create it at the same time.
    with suppress(FileExistsError):
        link.symlink_to(target)


def main(
    stack: Annotated[str | None, typer.Argument(help="The stack whose cluster kubectl uses.  [local]")] = None,
) -> None:
    """Prints what a shell needs for plain pulumi and kubectl: eval "$(hops env alice)".

    Never prints a passphrase. KUBECONFIG is set if the stack has a cluster.

    Exit status: 0 printed, 2 there is no project here, or no such stack.
    """
    # The import takes a third of a second, so it happens only here.
    from hops.cli.stacks.stack_file import StackError, read_or_default, stack_file  # noqa: PLC0415
    from hops.observe.local.stack_files import kubeconfig  # noqa: PLC0415

    try:
        project = project_folder()
        found = environment(project)
    except ProjectError as error:
        stop(error)
    if folder := state_folder(project, found["PULUMI_BACKEND_URL"]):
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
    keys = ["PATH", "PULUMI_BACKEND_URL", "PULUMI_SKIP_UPDATE_CHECK", "PULUMI_HOME", "PULUMI_CREDENTIALS_PATH"]
    name = stack or "local"
    try:
        settings, _ = read_or_default(stack_file(project, name))
        if file := kubeconfig(project, name, settings):
            found["KUBECONFIG"] = str(file)
            keys.append("KUBECONFIG")
    except StackError as error:
        # A project need not have the stack that nobody named.
        if stack:
            stop(error)
    for key in keys:
        if key in found:
            typer.echo(f"export {key}={shlex.quote(found[key])}")
    if "PULUMI_CONFIG_PASSPHRASE" in found:
        typer.echo('export PULUMI_CONFIG_PASSPHRASE="${PULUMI_CONFIG_PASSPHRASE-}"')
