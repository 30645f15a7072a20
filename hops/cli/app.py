"""The command `hops`, with one module for each subcommand."""

import errno
import os
import sys
import traceback
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from hops.cli.output import Status, echo, needs_project, stop


class Command(NamedTuple):
    """A command of `hops`.

    place: MODULE:NAME of its function, or of a typer.Typer that has commands of its own.
    summary: what it does, for the list of commands; at most 60 characters.
    """

    place: str
    summary: str


COMMANDS = {
    "ca": Command("hops.cli.authority.ca:app", "The certificate authority of this machine, for `tls: true`."),
    "check": Command("hops.cli.check:main", "Checks manifests and kind configurations with the rules."),
    "codes": Command("hops.cli.catalogues.codes:main", "Lists the codes of `hops trace`."),
    "comment": Command("hops.cli.reviews.comment:main", "Comments the report of preview.yml on its pull request."),
    "dev": Command("hops.cli.updates.dev:main", "Builds and rolls out a stack's services after each save."),
    "diff": Command("hops.cli.reviews.diff:main", "Compares the hops and findings of two stacks or folders."),
    "down": Command("hops.cli.updates.engine:down", "Removes a stack's cluster and everything in it."),
    "env": Command("hops.cli.programs.environment:main", "Prints the environment of plain pulumi and kubectl."),
    "explain": Command("hops.cli.catalogues.rules:explain", "Prints the page of a rule or of a code of `hops trace`."),
    "init": Command("hops.cli.stacks.init:main", "Turns the current folder into a project."),
    "kubectl": Command("hops.cli.programs.kubectl:main", "Runs kubectl in a stack's cluster."),
    "plan": Command("hops.cli.plan:main", "Shows a stack's hops and objects, without a cluster."),
    "preview": Command("hops.cli.updates.engine:preview", "Shows what an `up` of a stack would do."),
    "report": Command("hops.cli.reviews.report:main", "Reports what a preview changes, from its events."),
    "rules": Command("hops.cli.catalogues.rules:catalogue", "Lists the rules with code, title, level and severity."),
    "settings": Command("hops.cli.catalogues.settings:main", "Shows every key of a stack's file."),
    "stack": Command("hops.cli.stacks.stack:app", "Makes, lists, checks, shows and removes stacks."),
    "tools": Command("hops.cli.programs.tools:main", "Finds or downloads pulumi, kind and docker."),
    "trace": Command("hops.cli.trace:main", "Follows a request to its pod and back."),
    "up": Command("hops.cli.updates.engine:up", "Builds a stack, or repairs it."),
}
# pydantic looks for plugins in the metadata of every installed package, which takes longer than a check of one file.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
TRACEBACK = "INGRESS_HOPS_TRACEBACK"
"""Set to 1, it shows the traceback of a fault of hops itself."""
_SETTINGS = {"kubectl": {"ignore_unknown_options": True, "allow_interspersed_args": False}}
"""How click reads the arguments of a command: all that follows the stack is kubectl's."""


NOT_INSTALLED_WITH_HOPS = {"pulumi", "components", "stacks", "watchfiles"}
"""The top-level modules that some commands import and that a plain installation of this package leaves out."""


_UNWRITTEN = {errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC}
"""What happens to a file or a terminal that output goes to."""


class _OnDemand(TyperGroup):
    """Imports the command that is called and no other: Pulumi alone takes most of a second."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Runs the command. A fault of hops itself ends it with one line and status 2, and without a traceback."""
        try:
            return super().main(*args, **options)
        except Exception as error:
            if os.environ.get(TRACEBACK) == "1":
                raise
            if isinstance(error, OSError) and error.errno in _UNWRITTEN and error.filename is None:
                echo(f"hops: the output cannot be written: {error.strerror}", err=True)
                sys.exit(Status.COULD_NOT_LOOK)
            where = traceback.extract_tb(error.__traceback__)[-1]
            message = " ".join(str(error).split())[:300]
            echo(
                f"hops: {type(error).__name__}: {message} ({Path(where.filename).name}:{where.lineno}). This is a "
                f"fault of hops: please report it with the command and the output of {TRACEBACK}=1",
                err=True,
            )
            sys.exit(Status.COULD_NOT_LOOK)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command that is called. A value that it refuses is named in typer's words, without pydantic's."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as typer calls it
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as typer calls it
        """Lists the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Finds the command; for one that there is not, the nearest one is named."""
        near = get_close_matches(args[0], COMMANDS, 1)
        if near and args[0] not in COMMANDS:
            ctx.fail(f"No such command '{args[0]}'; did you mean {near[0]}?")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the same
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].place.partition(":")
        try:
            found = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            if str(error.name).partition(".")[0] not in NOT_INSTALLED_WITH_HOPS:
                raise
            return _without_project(cmd_name, str(error.name))
        if not isinstance(found, typer.Typer):
            # Plain help and errors: boxes break the sentences that logs and pull requests quote.
            alone = typer.Typer(rich_markup_mode=None, add_completion=False)
            alone.command(cmd_name, context_settings=_SETTINGS.get(cmd_name))(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


def _without_project(command: str, module: str) -> Any:
    """The command that stands for one that lacks a module: it takes any arguments, says what is missing and ends."""
    message = needs_project(module)
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)

    @alone.command(
        command,
        help=f"Not available here: {message}.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def unavailable() -> None:
        stop(f"hops {command} {message}")

    return typer.main.get_command(alone)


app = typer.Typer(cls=_OnDemand, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


def _print_version(requested: bool) -> None:  # noqa: FBT001 - as typer calls it
    if requested:
        from importlib.metadata import version  # noqa: PLC0415 - no other command needs it

        echo(f"hops {version('ingress-hops')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    _: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Where does my request go, and where does it stop?"""
