"""`hops init`: what a repository of your own needs, so that a stack runs its application."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from hops.cli.output import echo, stop
from hops.cli.stacks.stack import NewStack, create
from hops.cli.stacks.stack_file import StackError
from hops.model.commands import HOPS, of_stack
from hops.model.project_files import STACKS, stack_path
from hops.model.settings.settings_page import file_schema
from hops.observe.local.files import write

_PULUMI = """\
# The settings in stacks/ and the policy pack belong to a project of this name.
name: ingress-hops
description: The path to the services of this repository, built by ingress-hops.
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: .venv
stackConfigDir: {stacks}
"""
_PROGRAM = '''\
"""Declares the stack: its settings are in stacks/. Resources of your own can follow below."""

from stacks.program import run

stack = run()
'''
_WORKFLOW = """\
# Plans the stack and checks its rules, without a cluster. The variable INGRESS_HOPS of the repository names where
# ingress-hops is, as OWNER/NAME.
name: ingress-hops
on: [pull_request]
permissions:
  contents: read
jobs:
  plan:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          persist-credentials: false
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          repository: ${{{{ vars.INGRESS_HOPS }}}}
          path: .ingress-hops/source
          persist-credentials: false
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with:
          python-version: "3.13"
      - run: python -m pip install --editable '.ingress-hops/source[pulumi]'
      - run: hops plan {stack}
"""
_IGNORED = (".venv", ".ingress-hops", ".tools")
"""What ingress-hops keeps in the repository: it belongs neither into git nor into an image."""
_NOT_IN_IMAGES = (".git", STACKS, *_IGNORED)


def main(
    stack: Annotated[str, typer.Argument(help="The first stack.")] = "local",
    *,
    build: Annotated[str, typer.Option(metavar="FOLDER", help="The folder with the application's Dockerfile.")] = ".",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port on which the application listens.")] = 8080,
    host: Annotated[str | None, typer.Option(help="[FOLDER.STACK.localhost]")] = None,
) -> None:
    """Turns the current folder into a project: Pulumi.yaml, __main__.py, a stack, a workflow. Overwrites nothing.

    Exit status: 0 written, 2 not written, and why.
    """
    project = Path.cwd()
    files = {
        Path("Pulumi.yaml"): _PULUMI.format(stacks=STACKS),
        Path("__main__.py"): _PROGRAM,
        Path(".github/workflows/ingress-hops.yml"): _WORKFLOW.format(stack=stack),
        Path(STACKS, "stack.schema.json"): json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n",
    }
    if there := [str(path) for path in (*files, Path(stack_path(stack))) if (project / path).exists()]:
        stop(f"nothing was written, because these files already exist: {', '.join(there)}. Remove or rename them")
    ignore = {Path(".gitignore"): _IGNORED, Path(".dockerignore"): _NOT_IN_IMAGES}
    written: list[Path] = []
    made = [folder for path in files for folder in path.parents if not (project / folder).exists()]
    try:
        for path, text in files.items():
            (project / path).parent.mkdir(parents=True, exist_ok=True)
            write(project / path, text)
            written.append(path)
        for path, names in ignore.items():
            if not (project / path).exists():
                write(project / path, "".join(f"{name}\n" for name in names))
                written.append(path)
        create(project, stack, NewStack(build=build, port=port, host=host))
    except (OSError, StackError) as error:
        _remove([project / path for path in written], [project / folder for folder in made])
        stop(error)
    for path in (*written, Path(stack_path(stack))):
        echo(f"written: {path}")
    for path, names in ignore.items():
        if path not in written:
            echo(f"add to {path}, if they are missing: {' '.join(names)}")
    echo(f"Bring it up with: {of_stack('up', stack, makefile=False)}")
    echo(f"Then build and roll out at each save: {HOPS} dev {stack}")


def _remove(files: Sequence[Path], folders: Sequence[Path]) -> None:
    """Removes files, and folders that are empty then; each folder comes before those above it."""
    for file in files:
        file.unlink(missing_ok=True)
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
