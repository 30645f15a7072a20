"""The workflow files are what their platforms take, and give away nothing."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from hops.cli.reviews.comment import WORKFLOW
from tests.conftest import PROJECT

WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))


def of(name: str) -> dict[Any, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((PROJECT / ".github/workflows" / name).read_text())
    return loaded


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def test_they_have_the_form_that_the_platforms_publish() -> None:
    run(program("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))
    run(program("check-jsonschema"), "--builtin-schema", "vendor.gitlab-ci", "docs/gitlab-ci.yml")


def test_zizmor_finds_nothing() -> None:
    assert "No findings to report" in run(program("zizmor"), "--offline", ".github/workflows")


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_nothing_of_the_event_is_written_into_a_script(file: Path) -> None:
    for job in of(file.name)["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            if "uses" in step:
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])


def test_what_runs_the_pull_requests_code_may_only_read() -> None:
    preview = of("preview.yml")
    assert preview["permissions"] == {"contents": "read"}
    (job,) = preview["jobs"].values()
    assert "permissions" not in job
    assert "secrets" not in (PROJECT / ".github/workflows/preview.yml").read_text()
    checkout = job["steps"][0]["with"]
    assert checkout["persist-credentials"] is False
    # YAML 1.1 reads the key `on` as true.
    assert list(preview[True]) == ["pull_request"]


def test_what_may_write_runs_the_main_branchs_code_after_the_right_workflow() -> None:
    comment = of("comment.yml")
    (job,) = comment["jobs"].values()
    assert comment["permissions"] == {}
    assert set(job["permissions"].values()) == {"read", "write"}
    assert comment[True]["workflow_run"]["workflows"] == [of("preview.yml")["name"]]
    assert (PROJECT / WORKFLOW).exists()
    (checkout,) = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
    assert set(checkout["with"]) == {"persist-credentials"}
    assert not any("download-artifact" in step.get("uses", "") for step in job["steps"])


def test_every_part_of_the_program_is_previewed() -> None:
    paths = of("preview.yml")[True]["pull_request"]["paths"]
    assert [path for path in paths if not list(PROJECT.glob(path))] == []
    for folder in ("components", "hops", "policy", "stacks"):
        assert f"{folder}/**" in paths
    changes = yaml.safe_load((PROJECT / "docs/gitlab-ci.yml").read_text())["preview"]["rules"][0]["changes"]
    assert [f"{path}/*" if path.endswith("**") else path for path in paths[:-1]] == changes


def test_the_checks_try_every_python_that_the_package_names() -> None:
    table = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    prefix = "Programming Language :: Python :: "
    named = [line.removeprefix(prefix) for line in table["classifiers"] if re.match(rf"{prefix}3\.", line)]
    assert of("checks.yml")["jobs"]["checks"]["strategy"]["matrix"]["python"] == named
    assert table["requires-python"] == f">={named[0]}"
    (choice,) = re.findall(r"^PYTHON3 \?= (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert choice.split()[2:] == [f"python{version}" for version in reversed(named)]
