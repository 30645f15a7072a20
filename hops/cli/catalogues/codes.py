"""`hops codes`: lists the codes of `hops trace` and writes their pages."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hops.cli.output import Format, FormatOption, print_json, stop, write_pages
from hops.cli.tables import print_table
from hops.trace.checks.registry import CODES
from hops.trace.docs import pages

EVIDENCE = "evidence.json"
"""File in the folder of the pages: the output of the fault tests as Markdown, by code."""


def main(
    form: FormatOption = Format.TEXT,
    write: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help=f"Write a Markdown page per code into this folder, with the evidence in its {EVIDENCE}.",
        ),
    ] = None,
) -> None:
    """Lists the codes of `hops trace` with hop, title and level.

    Exit status: 0 listed, 2 the pages could not be written.
    """
    if write:
        try:
            write_pages(write, pages(evidence(write)))
        except (OSError, ValueError) as error:
            stop(error)
    elif form is Format.JSON:
        print_json(
            [
                {
                    "code": code.code,
                    "title": code.title,
                    "hop": code.hop,
                    "level": str(code.level),
                    "severity": str(code.severity),
                    "symptom": code.symptom,
                    "cause": code.cause,
                    "told_apart": code.confirmed_by,
                    "remedy": code.remedy,
                    "references": code.references,
                }
                for code in CODES.values()
            ]
        )
    else:
        rows = [(code.code, code.hop, code.title, code.level) for code in CODES.values()]
        print_table(("code", "hop", "fault", "level"), rows)


def evidence(folder: Path) -> dict[str, str]:
    """Reads the evidence file of a folder.

    folder: folder of the pages; without the file, the result is empty.

    Returns Markdown texts by code. Raises ValueError that names the file if its content has another form.
    """
    path = folder / EVIDENCE
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: {error.msg}") from None
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError(
            f"{path} is not an object of texts by code; delete it and run the fault tests to write it again"
        )
    return found
