"""The output of all commands: text or JSON on stdout, errors on stderr, and three exit statuses."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum, StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hops.model.visible import on_one_line, visible
from hops.observe.local.files import write

_NARROWEST, _WIDEST = 80, 120
LEGEND = "->: leads to  dev: interface  beside: off the data path"
"""The meaning of the signs in a printed path."""
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
        f"needs the Python package {module.partition('.')[0]}, which is not installed here; in a checkout of the "
        "project, `make tools` installs all that it needs and .venv/bin/hops runs it"
    )


def print_json(value: object) -> None:
    echo(as_text(value, indent=2))


def as_text(value: object, *, indent: int | None = None) -> str:
    """A value as JSON, in which every character that cannot be seen is escaped."""
    return visible(json.dumps(value, indent=indent, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Prints a table; None is left blank. A cell is broken at spaces only.

    It is as wide as the terminal, within 80 and 120 columns; wider where a word needs it.
    """
    cells = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    console = Console(markup=False, highlight=False)
    widths = _widths([columns, *cells], min(max(console.width, _NARROWEST), _WIDEST) - len(columns))
    console.width = sum(widths) + len(columns)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, title=title, title_justify="left")
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column, width=width)
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _widths(rows: Sequence[Sequence[str]], most: int) -> list[int]:
    """The width of each column, so that all have `most` together where their longest words allow it."""
    columns = list(zip(*rows, strict=True))
    widths = [max(len(line) for cell in column for line in cell.split("\n")) for column in columns]
    floors = [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    for index in sorted(range(len(widths)), key=widths.__getitem__, reverse=True):
        excess = max(sum(widths) - most, 0)
        widths[index] -= min(excess, widths[index] - floors[index])
    return widths


def one_line(console: Console, sentence: str) -> Text:
    """A text that fits beside the spinner of a live line."""
    # The spinner drops the text's own no_wrap.
    text = Text(on_one_line(sentence))
    text.truncate(console.width - 2, overflow="ellipsis")
    return text


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


def print_path(rows: Iterable[Sequence[object]], last: str, title: str | None = None) -> None:
    """Prints the hops of one path.

    rows: of each hop its number, its name, what it is or where, its state, and a last column.
    last: the heading of the last column.
    """
    print_table(["", "hop", "where", "state", last], rows, title)


def print_hops(hops: Iterable[Mapping[str, Any]]) -> None:
    """Prints hops as the output `hops` holds them, a table for each route."""
    for (service, route), path in groupby(hops, key=lambda hop: (hop["service"], hop.get("route", ""))):
        rows = [
            [
                hop["number"],
                hop["name"],
                f"{hop['component']}{_way(hop)}",
                hop["standing"].replace(" the path", ""),
                hop["known_at"],
            ]
            for hop in path
        ]
        print_path(rows, "known at", f"request to {service}{f' by {route}' if route else ''}")
    echo(LEGEND)


def _way(hop: Mapping[str, Any]) -> str:
    """The address of a hop and the next one, as far as they are known."""
    here = ":".join(str(part) for part in (hop["address"], hop["port"]) if part)
    here = here if hop["address"] or not here else f"port {here}"
    onward = f" -> {hop['next']}" if hop["next"] else ""
    return f": {here}{onward}" if here or onward else ""
