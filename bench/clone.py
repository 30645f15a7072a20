"""A clone of the project in which a benchmark makes its stack."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def clone_project(folder: Path) -> tuple[Path, dict[str, str]]:
    """What is committed, with a state of its own, and the environment for it.

    folder: where the clone and its state are made.
    """
    project, state = folder / "project", folder / "state"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(project)], check=True)
    (project / ".venv").symlink_to(sys.prefix)
    for name in ("pyproject.toml", "requirements.txt", "requirements-dev.txt"):
        # Older than the environment, so that `make` does not install the clone into it.
        os.utime(project / name, (0, 0))
    state.mkdir()
    return project, dict(os.environ) | {"PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE": ""}
