"""`hops rules` and `hops explain`: the catalogue and its pages."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import Format, FormatOption, print_json, print_table, stop
from hops.rules import RULES
from hops.rules.pages import page, pages


def catalogue(
    form: FormatOption = Format.TEXT,
    write: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write a page for each rule there.")] = None,
) -> None:
    """Lists the rules.

    Exit status: 0 listed, 2 the pages could not be written.
    """
    if write:
        try:
            _write(write)
        except OSError as error:
            stop(error)
    elif form is Format.JSON:
        print_json(
            [
                {
                    "code": rule.code,
                    "title": rule.title,
                    "level": str(rule.level),
                    "severity": str(rule.severity),
                    "scope": str(rule.scope),
                    "hop": rule.hop,
                    "remediable": rule.remediable,
                    "references": rule.references,
                }
                for rule in RULES.values()
            ]
        )
    else:
        rows = [(rule.code, rule.title, rule.level, rule.severity) for rule in RULES.values()]
        print_table(("code", "rule", "level", "severity"), rows)


def _write(folder: Path) -> None:
    """Writes what changed, and removes the pages of rules that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for old in folder.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def explain(code: Annotated[str, typer.Argument(metavar="CODE", help="A rule's code, such as HP01.")]) -> None:
    """Shows what a rule is for, what breaks it and what doesn't.

    Exit status: 0 shown, 2 there is no such rule.
    """
    rule = RULES.get(code.upper())
    if rule is None:
        stop(f"there is no rule {code}; hops rules lists them")
    typer.echo(page(rule), nl=False)
