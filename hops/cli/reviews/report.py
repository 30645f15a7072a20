"""`hops report`: reports a change, from the events of its preview."""

import sys
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from hops.cli.output import Status, echo, print_json, stop
from hops.model.finding import Level
from hops.model.project_files import STACK_FILES, STACKS
from hops.pull_requests.events import EventsError
from hops.pull_requests.markdown import comment
from hops.pull_requests.origin import PROGRAM
from hops.pull_requests.report import PullRequest, as_json, pull_request
from hops.rules.formats import code_quality, junit, sarif

_STDIN = Path("-")


class ReportFormat(StrEnum):
    """How a report is printed."""

    MARKDOWN = "markdown"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    CODE_QUALITY = "code-quality"
    SUMMARY = "summary"


def sources(folder: Path) -> dict[str, str]:
    """The texts of a project's files to which findings can point, by their path below its folder."""
    files = [*folder.glob(f"{STACKS}/{STACK_FILES}"), folder / PROGRAM, *folder.glob("components/*.py")]
    return {
        str(file.relative_to(folder)): file.read_text(encoding="utf-8", errors="replace")
        for file in sorted(files)
        if file.is_file()
    }


def main(
    events: Annotated[Path, typer.Argument(help="The output of a streaming JSON preview, or - for standard input.")],
    base: Annotated[Path | None, typer.Option(help="The output of the base's preview, to compare with.")] = None,
    form: Annotated[ReportFormat, typer.Option("--format", help="How to print the report.")] = ReportFormat.MARKDOWN,
    project: Annotated[Path, typer.Option(help="The folder of the sources, for the lines of the findings.")] = Path(),
) -> None:
    """Reports what a change does: resources, hops and findings, compared with its base.

    EVENTS is the output of: PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview --json --policy-pack policy

    Exit status: 0 no mandatory rule is broken, 1 one is, 2 the preview failed or its events cannot be read.
    """
    try:
        report = pull_request(_text(events), None if base is None else _base(base), sources(project))
    except FileNotFoundError:
        stop(f"there is no file {events}; EVENTS is what a streaming JSON preview wrote, see: hops report --help")
    except (EventsError, OSError) as error:
        stop(f"{events}: {error}")
    show(report, form)
    if report.failure:
        raise typer.Exit(Status.COULD_NOT_LOOK)
    raise typer.Exit(Status.FINDINGS if report.stopped else Status.ALL_WELL)


def _text(path: Path) -> str:
    # The engine writes UTF-8 only, so a replacement mark in other bytes does no harm.
    return (sys.stdin.buffer.read() if path == _STDIN else path.read_bytes()).decode("utf-8", "replace")


def _base(path: Path) -> str:
    """The events of the base; empty for a missing file, which the report shows as a failed base."""
    try:
        return _text(path)
    except FileNotFoundError:
        return ""


def show(report: PullRequest, form: ReportFormat) -> None:
    """Prints a report."""
    match form:
        case ReportFormat.MARKDOWN:
            echo(comment(report), nl=False)
        case ReportFormat.JSON:
            print_json(as_json(report))
        case ReportFormat.SARIF:
            print_json(sarif(report.found, report.unseen, version("ingress-hops")))
        case ReportFormat.JUNIT:
            echo(junit([report.stack_file], report.found, report.unseen, "hops report"), nl=False)
        case ReportFormat.CODE_QUALITY:
            print_json(code_quality(report.found, report.unseen))
        case ReportFormat.SUMMARY:
            echo(summary(report))


def summary(report: PullRequest) -> str:
    """One line: whether the preview is complete, and how many mandatory rules are broken."""
    if report.failure:
        return f"the preview failed: {report.failure.strip().splitlines()[0]}"
    broken = {located.finding.code for located in report.found if located.finding.level is Level.MANDATORY}
    rules = "mandatory rule is" if len(broken) == 1 else "mandatory rules are"
    return f"the preview is complete; {len(broken) or 'no'} {rules if broken else 'mandatory rule is'} broken"
