"""The names of the files and folders that a stack has in its project."""

import re
from collections.abc import Iterable

STACKS = "stacks"
"""The folder of the stack files, in the project's folder."""
STACK_FILES = "Pulumi.*.yaml"
"""A pattern that matches the names of the stack files."""


def stack_path(stack: str) -> str:
    """The path of a stack's file, from the project's folder."""
    return f"{STACKS}/Pulumi.{stack}.yaml"


def stack_of(file_name: str) -> str:
    """The stack that a file with this name belongs to."""
    return file_name.removeprefix("Pulumi.").removesuffix(".yaml")


def owner_folder(kubeconfig_folder: str, stack: str) -> str:
    """The folder that is mounted into a stack's nodes to mark them."""
    return f"{kubeconfig_folder}/{stack}.owner"


def kubeconfig_file(stack: str, generation: int) -> str:
    """The name of a cluster's kubeconfig file."""
    return f"{stack}-{generation}.yaml"


def kubeconfig_link(stack: str) -> str:
    """The name of the link to the kubeconfig file of a stack's running cluster."""
    return f"{stack}.yaml"


def generations(stack: str, files: Iterable[str]) -> list[int]:
    """The generations of a stack whose kubeconfig files are among these file names."""
    name = re.compile(re.escape(stack) + r"-(\d+)\.yaml")
    return [int(found[1]) for file in files if (found := name.fullmatch(file))]
