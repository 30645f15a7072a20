"""How every command speaks: text or JSON on stdout, errors on stderr, and three exit statuses."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum, StrEnum
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hops.observe.files import write

_COLUMNS = 100
_PAGE = re.compile(r"[A-Z]{1,2}[0-9]{2,3}\.md")
"""The name of a page that is written for a code."""


class Status(IntEnum):
    """What an exit status means."""

    ALL_WELL = 0
    FINDINGS = 1
    COULD_NOT_LOOK = 2


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]


def stop(error: object) -> NoReturn:
    """Ends the command, saying why it could not look."""
    typer.echo(f"hops: {error}", err=True)
    raise typer.Exit(Status.COULD_NOT_LOOK)


def needs_project(module: str) -> str:
    """The rest of a sentence about a command that lacks a module of the project or of Pulumi.

    module: the module that Python could not find.
    """
    return (
        f"needs the Python package {module.partition('.')[0]}, which is not installed here; in a checkout of the "
        "project, `make tools` installs all that it needs and .venv/bin/hops runs it"
    )


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Prints a table of at most 100 columns; None is left blank."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(width=_COLUMNS, markup=False, highlight=False).print(table)


def one_line(console: Console, said: str) -> Text:
    """A text that fits beside the spinner of a live line."""
    # The spinner drops the text's own no_wrap.
    text = Text(said)
    text.truncate(console.width - 2, overflow="ellipsis")
    return text


def write_pages(folder: Path, wanted: Mapping[str, str]) -> None:
    """Writes the pages that changed and removes those of codes that are gone.

    folder: other files in it stay as they are.
    wanted: the text of each page by file name.

    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        ours = _PAGE.fullmatch(old.name) and old.read_bytes().startswith(f"# {old.stem}: ".encode())
        if ours and old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write(path, text)


def print_hops(hops: Iterable[Mapping[str, Any]]) -> None:
    """Prints hops as the output `hops` holds them, a table for each service."""
    # Names are broken at their hyphens, which rich doesn't do; the widths fill the 100 columns.
    widths = {"component": 17, "address": 17, "next": 19, "standing": 8}
    keys = ("number", "name", "component", "address", "port", "next", "standing", "known_at")
    for service, path in groupby(hops, key=lambda hop: hop["service"]):
        rows = [
            ["\n".join(wrap(hop[key], widths[key])) if key in widths and hop[key] else hop[key] for key in keys]
            for hop in path
        ]
        print_table(["", *keys[1:-1], "known\nat"], rows, f"request to {service}")
