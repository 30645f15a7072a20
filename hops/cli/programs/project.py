"""The project's folder, and where its own programs are."""

import os
from pathlib import Path


class ProjectError(RuntimeError):
    """The current folder belongs to no project, or the project's folder cannot be used."""


def project_folder() -> Path:
    """The folder of the project that the current folder belongs to. Raises ProjectError."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Pulumi.yaml").exists():
            return folder
    raise ProjectError(f"there is no Pulumi.yaml in {here} or above it; go into the project's folder")


def search_path(project: Path, path: str) -> str:
    """A PATH that begins with the folders of the project's own programs, without duplicates of them."""
    own = [f"{project}/.tools/bin", f"{project}/.venv/bin"]
    return os.pathsep.join([*own, *(folder for folder in path.split(os.pathsep) if folder not in own)])
