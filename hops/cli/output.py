"""The output of all commands: text or JSON on stdout, errors on stderr, and three exit statuses."""

import json
import re
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from hops.model.visible import visible
from hops.observe.local.files import write

_PAGE = re.compile(r"[A-Z]{1,2}[0-9]{2,3}\.md")
"""The name of a page that is written for a code."""


class Status(IntEnum):
    """The exit statuses."""

    ALL_WELL = 0
    FINDINGS = 1
    COULD_NOT_LOOK = 2


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Prints a text: the only way of text to the terminal, which obeys none of its characters.

    err: whether it goes to standard error.
    nl: whether the line ends.
    """
    typer.echo(visible(str(text)), err=err, nl=nl)


def stop(error: object) -> NoReturn:
    """Prints an error and ends the command with status 2."""
    # Each line is this message's own.
    echo(f"hops: {error}".replace("\n::", "\n ::"), err=True)
    raise typer.Exit(Status.COULD_NOT_LOOK)


def needs_project(module: str) -> str:
    """The rest of a sentence about a command that lacks a module of the project or of Pulumi.

    module: the module that Python could not find.
    """
    return (
        f"requires the Python package {module.partition('.')[0]}, which is not installed here; in a checkout of the "
        "project, `make tools` installs all that it needs and .venv/bin/hops runs it"
    )


def print_json(value: object) -> None:
    echo(as_text(value, indent=2))


def as_text(value: object, *, indent: int | None = None) -> str:
    """A value as JSON, in which every character that cannot be seen is escaped."""
    return visible(json.dumps(value, indent=indent, ensure_ascii=False))


def write_pages(folder: Path, pages: Mapping[str, str]) -> None:
    """Writes the pages that changed and removes those of codes that are gone.

    folder: other files in it stay as they are.
    pages: the text of each page by file name.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        ours = _PAGE.fullmatch(old.name) and old.read_bytes().startswith(f"# {old.stem}: ".encode())
        if ours and old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write(path, text)
