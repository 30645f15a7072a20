"""`hops rules` and `hops explain`: list the rules and print their pages."""

from pathlib import Path
from typing import Annotated

import typer

from hops.cli.output import Format, FormatOption, echo, print_json, stop, write_pages
from hops.cli.tables import print_table
from hops.rules.catalogue import RULES
from hops.rules.docs import page, pages
from hops.trace import docs as codes
from hops.trace.checks.registry import CODES


def catalogue(
    form: FormatOption = Format.TEXT,
    write: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a Markdown page per rule into this folder.")
    ] = None,
) -> None:
    """Lists the rules with code, title, level and severity.

    Exit status: 0 listed, 2 the pages could not be written.
    """
    if write:
        try:
            write_pages(write, pages())
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


def explain(
    code: Annotated[
        str, typer.Argument(metavar="CODE", help="Code of a rule or of a trace finding, such as HP01 or T17.")
    ],
) -> None:
    """Prints the page of a rule or of a `hops trace` code: reason, remedy and examples.

    Exit status: 0 printed, 2 the code does not exist.
    """
    rule, traced = RULES.get(code.upper()), CODES.get(code.upper())
    if rule:
        echo(page(rule), nl=False)
    elif traced:
        echo(codes.page(traced), nl=False)
    else:
        stop(f"code {code} does not exist; `hops rules` and `hops codes` list all codes")
