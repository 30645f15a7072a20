"""Every command that the documents show is run by a test, or stands here with the reason why not."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENTS = ("README.md", "ARCHITECTURE.md")
LIVE = (
    "make up",
    "make preview",
    "pulumi preview --stack local --policy-pack policy",
    "pulumi stack output --stack local hops",
    ".venv/bin/hops stack show local",
    "make trace",
    ".venv/bin/hops trace local --bundle seen.json",
    ".venv/bin/hops trace --replay seen.json",
    "curl --resolve my-service.localhost:8080:127.0.0.1 http://my-service.localhost:8080/",
)
"""Run by tests/live/test_readme.py in a real cluster, between `make demo` and `make down`."""
HERE = (".venv/bin/hops stack list", ".venv/bin/hops plan local")
"""Run below."""
ELSEWHERE = {
    "make demo": "tests/live/test_readme.py",
    "make down": "tests/live/test_readme.py",
    'eval "$(make -s env)"': "tests/live/test_readme.py",
    ".venv/bin/hops plan local --html path.html": "tests/cli/test_plan.py, since it writes a file",
    ".venv/bin/hops stack new alice": "tests/cli/test_stack.py, since it writes a file",
    ".venv/bin/hops tools": "tests/cli/test_tools.py, since it may download",
    "make up STACK=seed": "the stack is brought up by tests/live/test_path.py; the target is that of make up",
    "make down STACK=seed": "as before",
    "make test": "it runs this test",
    "printf '127.0.0.1 my-service.local\\n::1 my-service.local\\n' | sudo tee -a /etc/hosts": (
        "it changes the machine's hosts file"
    ),
}


def commands(project: Path) -> list[str]:
    """The commands of all shell blocks, without their remarks."""
    text = "\n".join((project / name).read_text() for name in DOCUMENTS)
    lines = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    return [re.sub(r"\s+# .*", "", line).strip() for line in lines if line.strip()]


def test_every_command_is_accounted_for(project: Path) -> None:
    assert set(commands(project)) == {*LIVE, *HERE, *ELSEWHERE}


@pytest.mark.parametrize("command", HERE)
def test_a_command_that_needs_no_cluster_works(project: Path, manifests: Path, command: str) -> None:
    _, *words = shlex.split(command)
    python = [sys.executable, "-c", "from cli.app import app; app()"]
    done = subprocess.run(
        [*python, *words],
        cwd=project,
        env={"PATH": "/nowhere", "HOME": "/nowhere", "INGRESS_HOPS_MANIFESTS": str(manifests)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "local" in done.stdout


def test_every_file_that_is_linked_is_there(project: Path) -> None:
    for name in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)\)", (project / name).read_text()):
            assert (project / target).exists(), f"{name} links to {target}"
