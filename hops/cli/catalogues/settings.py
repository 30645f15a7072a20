"""`hops settings`: the page of all settings, and their JSON schema."""

import json
from pathlib import Path
from typing import Annotated

import typer

from hops.cli.output import Format, FormatOption, echo, print_json, stop
from hops.model.settings.settings_page import file_schema, page, schema
from hops.observe.local.files import write


def main(
    form: FormatOption = Format.TEXT,
    page_file: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write the page to this file.")
    ] = None,
    schema_file: Annotated[
        Path | None,
        typer.Option("--schema", metavar="FILE", help="Write the JSON schema of a stack's file to this file."),
    ] = None,
) -> None:
    """Shows every key of a stack's file; with --format json their JSON schema.

    Exit status: 0 shown or written, 2 a file could not be written.
    """
    texts = ((page_file, page()), (schema_file, json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n"))
    files = [(path, text) for path, text in texts if path]
    for path, text in files:
        try:
            write(path, text)
        except OSError as error:
            stop(f"{path} cannot be written: {error.strerror or error}")
    if files:
        return
    if form is Format.JSON:
        print_json(schema())
    else:
        echo(page(), nl=False)
