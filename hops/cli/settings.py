"""`hops settings`: the page of all settings, and their JSON schema."""

from pathlib import Path
from typing import Annotated

import typer

from hops.cli.output import Format, FormatOption, echo, print_json, stop
from hops.model.settings_page import page, schema


def main(
    form: FormatOption = Format.TEXT,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the page there.")] = None,
) -> None:
    """Shows every key of a stack's file; with --format json their JSON schema.

    Exit status: 0 shown or written, 2 the page could not be written.
    """
    if write:
        try:
            write.write_text(page(), encoding="utf-8")
        except OSError as error:
            stop(error)
    elif form is Format.JSON:
        print_json(schema())
    else:
        echo(page(), nl=False)
