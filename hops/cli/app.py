"""The command `hops`: one module for each of its commands."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

_COMMANDS = {
    "check": "hops.cli.check:main",
    "codes": "hops.cli.codes:main",
    "comment": "hops.cli.comment:main",
    "diff": "hops.cli.diff:main",
    "explain": "hops.cli.rules:explain",
    "plan": "hops.cli.plan:main",
    "report": "hops.cli.report:main",
    "rules": "hops.cli.rules:catalogue",
    "settings": "hops.cli.settings:main",
    "stack": "hops.cli.stack:app",
    "tools": "hops.cli.tools:main",
    "trace": "hops.cli.trace:main",
}
"""Where each command is: a function, or a typer.Typer that has commands of its own."""


class _OnDemand(TyperGroup):
    """Imports the command that is called and no other: Pulumi alone takes most of a second."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as typer calls it
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the same
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(module), name)
        if not isinstance(found, typer.Typer):
            # Plain help and errors: boxes break the sentences that logs and pull requests quote.
            alone = typer.Typer(rich_markup_mode=None, add_completion=False)
            alone.command(cmd_name)(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(cls=_OnDemand, no_args_is_help=True, rich_markup_mode=None, add_completion=False)


@app.callback()
def main() -> None:
    """Where does my request go, and where does it stop?"""
