"""The command `hops`: one module for each of its commands."""

import typer

from cli import check, comment, diff, plan, report, rules, stack, tools

# Plain help and errors: boxes break the sentences that logs and pull requests quote.
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False)
app.command("check")(check.main)
app.command("comment")(comment.main)
app.command("diff")(diff.main)
app.command("explain")(rules.explain)
app.command("plan")(plan.main)
app.command("report")(report.main)
app.command("rules")(rules.catalogue)
app.command("tools")(tools.main)
app.add_typer(stack.app, name="stack")


@app.callback()
def main() -> None:
    """Where does my request go, and where does it stop?"""
