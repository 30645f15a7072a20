"""`hops kubectl`: kubectl with the kubeconfig of a stack's cluster."""

import os
import shutil
import subprocess
from typing import Annotated

import typer

from hops.cli.output import echo, stop
from hops.cli.programs.project import ProjectError, project_folder, search_path
from hops.cli.stacks.stack_file import StackError, read_or_default, stack_file
from hops.model.commands import of_stack
from hops.model.kind_names import KUBECTL, control_plane
from hops.observe.local.stack_files import has_makefile, kubeconfig


def main(
    stack: Annotated[str, typer.Argument(help="The stack.")],
    words: Annotated[list[str], typer.Argument(help="The arguments of kubectl, such as: get pods -A.")],
) -> None:
    """Runs kubectl in a stack's cluster: hops kubectl alice get pods -A.

    Without a kubectl on PATH, the one in the cluster's control-plane node is used.

    Exit status: that of kubectl; 2 if the stack or its cluster does not exist.
    """
    try:
        project = project_folder()
        settings, problem = read_or_default(stack_file(project, stack))
    except (StackError, ProjectError) as error:
        stop(error)
    if problem:
        echo(f"hops: {problem}\nhops: the cluster of its last up is used", err=True)
    path = search_path(project, os.environ.get("PATH", os.defpath))
    if settings.cluster.existing:
        command = ["kubectl", "--context", settings.cluster.existing, *words]
    elif (file := kubeconfig(project, stack, settings)) is None:
        up = of_stack("up", stack, makefile=has_makefile(project))
        stop(f"the stack {stack} has no cluster here; build it with: {up}")
    elif shutil.which("kubectl", path=path):
        command = ["kubectl", "--kubeconfig", str(file), *words]
    else:
        terminal = ["--tty"] if os.isatty(0) and os.isatty(1) else []
        node = control_plane(settings.cluster.name)
        command = ["docker", "exec", "--interactive", *terminal, node, *KUBECTL, *words]
    try:
        status = subprocess.run(command, env={**os.environ, "PATH": path}, check=False).returncode
    except OSError as error:
        stop(f"{command[0]} cannot be run: {error.strerror}")
    raise typer.Exit(status)
