"""The file of one stack, and the settings in it."""

import difflib
import shlex
from pathlib import Path

from hops.model.commands import HOPS
from hops.model.project_files import STACK_FILES, STACKS, stack_of, stack_path
from hops.model.settings.stack_config import SettingsError, settings
from hops.model.settings.stack_settings import Settings
from hops.observe.local.files import read_bounded
from hops.rules.configuration import configure
from hops.rules.files.stack_file_settings import stack_settings


class StackError(RuntimeError):
    """A stack that cannot be made, read or removed."""


def stack_file(project: Path, name: str) -> Path:
    """The file of a stack that exists.

    project: the project's folder.
    name: the stack's name.

    Raises StackError if there is no such file. The text lists the stacks and the nearest name.
    """
    path = project / stack_path(name)
    if path.is_file():
        return path
    names = sorted(stack_of(file.name) for file in (project / STACKS).glob(STACK_FILES))
    close = difflib.get_close_matches(name, names, 1)
    meant = f"; did you mean {close[0]}?" if close else "."
    raise StackError(
        f"there is no stack {name}{meant} The stacks here are: {', '.join(names) or 'none'}. "
        f"Make one with: {shlex.join([HOPS, 'stack', 'new', name])}"
    )


def read(path: Path, node_image: str | None = None) -> Settings:
    """The settings of a stack file.

    path: the file.
    node_image: the node image if the file names none.

    Raises StackError.
    """
    name = stack_of(path.name)
    try:
        found = stack_settings(name, read_bounded(path), node_image)
        configure(found.policy)
    except (OSError, SettingsError) as error:
        raise StackError(in_file(path, error)) from None
    return found


def read_or_default(path: Path) -> tuple[Settings, str]:
    """The settings of a stack file, or those of an empty file, and why the file cannot be used; "" if it can.

    A stack with a broken file must still be reachable and removable. path: the file.
    """
    try:
        return read(path), ""
    except StackError as error:
        return settings(stack_of(path.name), {}), str(error)


def in_file(path: Path, error: Exception) -> str:
    """What is wrong in a file, a line for each problem, each with the file's name."""
    return "\n".join(f"{path}: {line}" for line in str(error).splitlines())
