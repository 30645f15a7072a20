"""`hops report`: what a change does, from the events that the engine wrote in a preview of it."""

import sys
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from hops.cli.output import Status, print_json, stop
from hops.pull_requests.events import EventsError
from hops.pull_requests.markdown import comment
from hops.pull_requests.origin import PROGRAM
from hops.pull_requests.report import STACKS, PullRequest, as_json, pull_request
from hops.rules.formats import code_quality, junit, sarif

_STDIN = Path("-")


class Form(StrEnum):
    """How a report is printed."""

    MARKDOWN = "markdown"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    CODE_QUALITY = "code-quality"


def sources(folder: Path) -> dict[str, str]:
    """The files of a project whose lines findings stand on, by their names below its folder."""
    files = [*folder.glob(f"{STACKS}/Pulumi.*.yaml"), folder / PROGRAM, *folder.glob("components/*.py")]
    return {
        str(file.relative_to(folder)): file.read_text(encoding="utf-8", errors="replace")
        for file in sorted(files)
        if file.is_file()
    }


def main(
    events: Annotated[Path, typer.Argument(help="What a streaming JSON preview wrote, or - for standard input.")],
    base: Annotated[Path | None, typer.Option(help="The same of the base, to compare with.")] = None,
    form: Annotated[Form, typer.Option("--format", help="How to print the report.")] = Form.MARKDOWN,
    project: Annotated[Path, typer.Option(help="Where the sources are, whose lines findings stand on.")] = Path(),
) -> None:
    """Tells what a change does: resources, hops and findings, compared with its base.

    EVENTS is the output of: PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview --json --policy-pack policy

    Exit status: 0 no mandatory rule is broken, 1 one is, 2 the preview failed or its events can't be read.
    """
    try:
        told = pull_request(_text(events), None if base is None else _base(base), sources(project))
    except (EventsError, OSError) as error:
        stop(f"{events}: {error}")
    show(told, form)
    if told.failure:
        raise typer.Exit(Status.COULD_NOT_LOOK)
    raise typer.Exit(Status.FINDINGS if told.stopped else Status.ALL_WELL)


def _text(path: Path) -> str:
    # What isn't UTF-8 isn't the engine's, and a mark in its place does no harm.
    return (sys.stdin.buffer.read() if path == _STDIN else path.read_bytes()).decode("utf-8", "replace")


def _base(path: Path) -> str:
    """A base that isn't there is told of, as one that failed."""
    try:
        return _text(path)
    except FileNotFoundError:
        return ""


def show(told: PullRequest, form: Form) -> None:
    """Prints a report."""
    match form:
        case Form.MARKDOWN:
            typer.echo(comment(told), nl=False)
        case Form.JSON:
            print_json(as_json(told))
        case Form.SARIF:
            print_json(sarif(told.found, told.unseen, version("ingress-hops")))
        case Form.JUNIT:
            typer.echo(junit([told.stack_file], told.found, told.unseen, "hops report"), nl=False)
        case Form.CODE_QUALITY:
            print_json(code_quality(told.found, told.unseen))
