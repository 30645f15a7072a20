"""Tables and live lines in the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hops.cli.output import echo
from hops.model.hop import between
from hops.model.visible import on_one_line, visible

_NARROWEST, _WIDEST = 80, 120
_SIGNS = {
    "->": "leads to",
    "dev": "interface",
    "beside": "off the data path",
    "planned:": "what the stack's settings say",
    "declared:": "what Docker and Kubernetes hold",
    "found:": "as it was seen",
}


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Prints a table; None is left blank. A cell is broken at spaces only.

    columns: the headings.
    rows: of cells; None is left blank.
    title: stands above. Default: none.

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


def print_legend(rows: Iterable[Sequence[object]]) -> None:
    """Explains the signs in printed rows, and no others. Prints nothing for rows without a sign."""
    words = {word for row in rows for cell in row if cell is not None for word in str(cell).split()}
    if signs := [f"{sign.rstrip(':')}: {meaning}" for sign, meaning in _SIGNS.items() if sign in words]:
        echo("  ".join(signs))


def print_path(rows: Iterable[Sequence[object]], last: str, title: str | None = None) -> None:
    """Prints the hops of one path.

    rows: of each hop its number, its name, what it is or where, its state, and a last column.
    last: the heading of the last column.
    """
    print_table(["", "hop", "where", "state", last], rows, title)


def print_hops(outputs: Mapping[str, Any]) -> None:
    """Prints hops as the output `hops` holds them, a table for each route.

    outputs: those of a stack. The outputs `betweenNodes` and `entrances` are lines below the table of their route.
    """
    hops, crossings, entrances = (list(outputs.get(name) or ()) for name in ("hops", "betweenNodes", "entrances"))
    printed: list[list[object]] = []
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
        printed += rows
        print_path(rows, "known at", f"request to {service}{f' by {route}' if route else ''}")
        for one in crossings:
            if (one["service"], one["route"]) == (service, route):
                way = between(one["pod"], one["source"], one["target"], encapsulated=one["encapsulated"])
                echo(f"between nodes: {way}")
        for one in entrances:
            if (one["service"], one["route"]) == (service, route):
                echo(f"also published: {one['url']} -> {one['node']}")
    print_legend(printed)


def _way(hop: Mapping[str, Any]) -> str:
    """The address of a hop and the next one, as far as they are known."""
    here = ":".join(str(part) for part in (hop["address"], hop["port"]) if part)
    here = here if hop["address"] or not here else f"port {here}"
    onward = f" -> {hop['next']}" if hop["next"] else ""
    if weights := hop["details"].get("weights"):
        onward += f" ({weights})"
    return f": {here}{onward}" if here or onward else ""
