"""What make does, with programs that only write down how they were called."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKE = shutil.which("make") or "make"
TESTS = "python -m pytest -m not live --numprocesses auto --dist loadscope --no-loadscope-reorder"
# What the Makefile may use of the system; a real docker, pulumi or Python beside them must not be met.
SYSTEM = ("sh", "awk", "grep", "mkdir", "sed", "test", "touch", "cp", "chmod")
RECORDER = """#!/bin/sh
echo "{name} $*" >>"$CALLS"
{body}
"""


class Project:
    """A copy of the project in a folder with a space, its environment made, and nothing of use on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a project"
        self.bin = folder / "bin"
        self.calls_file = folder / "calls"
        self.bin.mkdir()
        self.folder.mkdir()
        for file in ("Makefile", "requirements.txt", "requirements-dev.txt", "pyproject.toml", "stacks"):
            target = self.folder / file
            if (ROOT / file).is_dir():
                # Another process may be writing its compiled modules.
                shutil.copytree(ROOT / file, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(ROOT / file, target)
        for name in SYSTEM:
            (self.bin / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        (self.folder / ".venv" / "bin").mkdir(parents=True)
        for name in ("hops", "python", "ruff", "mypy", "lint-imports", "uv"):
            self.program(self.folder / ".venv/bin" / name)
        for stamp in (".ready", ".ready-dev"):
            (self.folder / ".venv" / stamp).touch()
        (self.folder / ".ingress-hops/lowest/bin").mkdir(parents=True)
        self.program(self.folder / ".ingress-hops/lowest/bin/python")
        self.program(self.bin / "pulumi")
        self.program(self.bin / "docker")

    def program(self, path: Path, body: str = "") -> None:
        path.write_text(RECORDER.format(name=path.name, body=body))
        path.chmod(0o755)

    def make(self, *words: str, given: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MAKE, *words],
            cwd=self.folder,
            env={"PATH": str(self.bin), "CALLS": str(self.calls_file), **(given or {})},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_plain_make_lists_every_target(project: Project) -> None:
    done = project.make()
    listed = {line.split()[0] for line in done.stdout.splitlines()[1:]}
    phony = next(line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    assert listed == set(phony.split()[1:]) - {"stack-file"}
    assert done.returncode == 0
    assert project.calls == []


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (("up", "STACK=ci"), "hops up ci"),
        (("up", "REPLACE=1"), "hops up local --replace"),
        (("up", "REPLACE=0", "VERBOSE=1"), "hops up local --verbose"),
        (("preview",), "hops preview local"),
        (("preview", "VERBOSE=1"), "hops preview local --verbose"),
        (("down",), "hops down local"),
        (("env", "STACK=ci"), "hops env ci"),
    ],
)
def test_a_target_is_one_command_of_hops(project: Project, words: tuple[str, ...], call: str) -> None:
    done = project.make(*words)
    assert done.returncode == 0, done.stderr
    assert project.calls == [call]


def test_the_stack_that_goes_needs_no_file(project: Project) -> None:
    assert project.make("down", "STACK=nope").returncode == 0


def test_a_missing_tool_ends_it_before_pulumi_runs(project: Project) -> None:
    project.program(project.folder / ".venv/bin/hops", "exit 1")
    for target in ("up", "preview", "down", "bench", "test-live"):
        assert project.make(target).returncode != 0
    assert not any(call.startswith(("pulumi", "python")) for call in project.calls)


@pytest.mark.parametrize("target", ["up", "preview", "plan"])
def test_a_stack_without_a_file_is_named(project: Project, target: str) -> None:
    done = project.make(target, "STACK=nope")
    assert done.returncode == 2
    message = "there is no stacks/Pulumi.nope.yaml; make it with: .venv/bin/hops stack new nope"
    assert message in done.stderr
    assert not any(call.startswith("pulumi") for call in project.calls)


def test_the_demo_shows_the_plan_where_docker_fails(project: Project) -> None:
    project.program(project.bin / "docker", "exit 1")
    done = project.make("demo")
    assert done.stdout.startswith("demo: no Docker answers here, so the plan is shown (hops plan)")
    assert project.calls == ["docker info", "hops plan local"]
    assert done.returncode == 0


def test_the_demo_shows_the_plan_where_there_is_no_docker(project: Project) -> None:
    (project.bin / "docker").unlink()
    assert project.make("demo", "STACK=seed").returncode == 0
    assert project.calls == ["hops plan seed"]


@pytest.mark.parametrize(("status", "makes"), [(0, 0), (1, 0), (2, 2)])
def test_a_plan_that_leaves_something_out_is_no_failure(project: Project, status: int, makes: int) -> None:
    project.program(project.folder / ".venv/bin/hops", f"exit {status}")
    assert project.make("plan").returncode == makes


def test_the_demo_builds_and_asks_where_docker_answers(project: Project) -> None:
    project.program(project.bin / "pulumi", 'case "$*" in *output*) echo "curl -s http://a/";; esac')
    page = "HTTP/1.1 200 OK\\r\\ndate: now\\r\\nserver: envoy\\r\\n\\r\\n<html>\\nand more\\n"
    project.program(project.bin / "curl", f"printf '{page}'")
    project.program(project.folder / ".venv/bin/hops", 'case "$1" in trace) echo all is well;; esac')
    done = project.make("demo")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("demo: Docker answers, so the path is built")
    assert lines[1:] == ["curl -s http://a/", "  HTTP/1.1 200 OK", "  server: envoy", "  <html>", "all is well"]
    assert project.calls == [
        "docker info",
        "hops up local",
        "hops env local",
        "pulumi stack output curl --stack local",
        "curl -s http://a/ --silent --show-error --include",
        "hops trace local --short",
    ]


@pytest.mark.parametrize("status", [0, 1, 2])
def test_a_trace_fails_where_the_path_is_broken(project: Project, status: int) -> None:
    project.program(project.folder / ".venv/bin/hops", f"exit {status}")
    assert (project.make("trace", "STACK=seed").returncode == 0) == (status == 0)
    assert project.calls == ["hops trace seed"]


def test_the_demo_fails_where_the_request_does(project: Project) -> None:
    project.program(project.bin / "pulumi", 'case "$*" in *output*) echo false;; esac')
    assert project.make("demo").returncode != 0


def test_what_hops_says_of_pulumi_holds_for_the_tests(project: Project) -> None:
    project.program(project.folder / ".venv/bin/hops", 'case "$1" in env) echo "export PULUMI_HOME=ours";; esac')
    project.program(project.folder / ".venv/bin/python", 'echo "$PULUMI_HOME" >>"$CALLS"')
    assert project.make("test").returncode == 0
    assert project.calls[-1] == "ours"


def test_no_test_runs_where_the_environment_cannot_be_made(project: Project) -> None:
    project.program(project.folder / ".venv/bin/hops", 'case "$1" in env) exit 2;; esac')
    assert project.make("check").returncode != 0
    assert not any("pytest" in call for call in project.calls)


def test_fetched_tools_come_before_those_on_path(project: Project) -> None:
    fetched = project.folder / ".tools" / "bin"
    fetched.mkdir(parents=True)
    project.program(fetched / "docker", 'echo fetched >>"$CALLS"')
    project.make("demo")
    assert "fetched" in project.calls


def test_test_goes_on_without_tools_and_says_how_to_run_the_rest(project: Project) -> None:
    project.program(project.folder / ".venv/bin/hops", 'case "$1" in tools) exit 2;; esac')
    project.program(project.folder / ".venv/bin/python", "exit 1")
    done = project.make("test")
    assert project.calls == ["hops tools pulumi kind", "hops env local", f"{TESTS} --durations 20"]
    assert "the tests that need them are skipped" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("make test-live (needs Docker)")
    assert done.returncode != 0


def test_check_runs_all_of_it(project: Project) -> None:
    assert project.make("check").returncode == 0
    assert project.calls == [
        "ruff format --check .",
        "ruff check .",
        "mypy .",
        "lint-imports ",
        "hops env local",
        TESTS,
    ]


def test_without_a_python_that_will_do_one_line_says_so(project: Project) -> None:
    shutil.rmtree(project.folder / ".venv")
    project.program(project.bin / "python3", "exit 1")
    done = project.make("tools")
    assert done.stderr.splitlines()[0].startswith("make: no Python 3.11 or later with venv is on PATH; install it")
    assert done.returncode == 2
    assert not (project.folder / ".venv").exists()


def test_the_environment_is_made_by_the_first_python_that_will_do(project: Project) -> None:
    shutil.rmtree(project.folder / ".venv")
    project.program(project.bin / "python3", "exit 1")
    project.program(
        project.bin / "python3.12",
        'case "$*" in *"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python; cp "$0" .venv/bin/hops;; esac',
    )
    assert project.make("tools").returncode == 0
    # The copies of the fake one keep its name.
    pip = "python3.12 -m pip install --quiet --disable-pip-version-check"
    assert [call for call in project.calls if " -c " not in call] == [
        "python3.12 -m venv --clear .venv",
        f"{pip} --require-hashes -r requirements.txt",
        f"{pip} --no-deps --no-build-isolation -e .",
        "python3.12 tools",
    ]


@pytest.fixture
def old(project: Project) -> Project:
    """A project whose requirements are older than its environment."""
    for number, file in enumerate(("requirements.txt", "requirements-dev.txt", "pyproject.toml")):
        os.utime(project.folder / file, (number, number))
    os.utime(project.folder / ".venv/.ready", (10, 10))
    os.utime(project.folder / ".venv/.ready-dev", (11, 11))
    return project


@pytest.mark.parametrize("file", ["requirements.txt", "pyproject.toml"])
def test_the_environment_is_filled_again_when_what_it_holds_changes(old: Project, file: str) -> None:
    old.make("tools")
    assert old.calls == ["hops tools"]
    os.utime(old.folder / file)
    old.make("tools")
    assert sum("pip install" in call for call in old.calls) == 2
    assert not any("venv --clear" in call for call in old.calls)


@pytest.mark.parametrize("target", ["up", "preview", "down", "plan", "trace", "tools", "bench", "env"])
def test_what_a_contributor_adds_is_not_installed_for_a_user(old: Project, target: str) -> None:
    (old.folder / ".venv/.ready-dev").unlink()
    assert old.make(target).returncode == 0
    assert not any("requirements-dev.txt" in call for call in old.calls)


@pytest.mark.parametrize(
    "target", ["test", "check", "lint", "format", "coverage", "lock", "audit", "test-live", "test-pairs"]
)
def test_what_a_contributor_adds_is_installed_once_for_whoever_needs_it(old: Project, target: str) -> None:
    (old.folder / ".venv/.ready-dev").unlink()
    assert old.make(target).returncode == 0
    pip = "python -m pip install --quiet --disable-pip-version-check --require-hashes"
    both = f"{pip} -r requirements.txt -r requirements-dev.txt"
    assert old.calls.count(both) == 1
    old.make(target)
    assert old.calls.count(both) == 1
    os.utime(old.folder / "requirements-dev.txt")
    old.make(target)
    assert old.calls.count(both) == 2
    # A user's requirements stay as they are meanwhile.
    assert sum("pip install" in call for call in old.calls) == 2


def test_a_failed_installation_is_tried_again(old: Project) -> None:
    (old.folder / ".venv/.ready-dev").unlink()
    old.program(old.folder / ".venv/bin/python", 'case "$*" in *"pip install"*) exit 1;; esac')
    assert old.make("lint").returncode != 0
    assert not any(call.startswith("ruff") for call in old.calls)
    assert not (old.folder / ".venv/.ready-dev").exists()


def test_format_mends_and_formats(project: Project) -> None:
    assert project.make("format").returncode == 0
    assert project.calls == ["ruff check --fix-only --quiet .", "ruff format ."]


def test_coverage_measures_the_tests_that_need_no_cluster(project: Project) -> None:
    assert project.make("coverage").returncode == 0
    assert project.calls == [f"{TESTS} --cov"]


def test_lock_remakes_both_files_and_the_second_without_the_first(project: Project) -> None:
    (project.folder / "requirements.txt").write_text(
        "one==1 ; sys_platform == 'win32' \\\n    --hash=sha256:0\ntwo-2==2\n"
    )
    os.utime(project.folder / "requirements.txt", (1, 1))
    assert project.make("lock", "UPGRADE=two-2 three").returncode == 0
    users, contributors = project.calls
    common = (
        "uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header "
        "--no-annotate --no-emit-index-url --extra pulumi --group build --upgrade-package two-2 --upgrade-package three"
    )
    assert users == f"{common} --output-file requirements.txt"
    assert contributors == (
        f"{common} --group development --constraint requirements.txt --output-file requirements-dev.txt "
        "--no-emit-package one --no-emit-package two-2"
    )


def test_audit_reads_every_locked_package(project: Project) -> None:
    locked = "one==1 ; sys_platform == 'win32' \\\n    --hash=sha256:0\n"
    (project.folder / "requirements.txt").write_text(locked)
    (project.folder / "requirements-dev.txt").write_text("two-2==2 \\\n    --hash=sha256:0\nthree==3\n")
    for number, file in enumerate(("requirements.txt", "requirements-dev.txt")):
        os.utime(project.folder / file, (number, number))
    assert project.make("audit").returncode == 0
    script = (project.folder / ".ingress-hops/audit.py").read_text()
    assert re.findall(r'^#   "(.*)",$', script, re.MULTILINE) == [
        "one==1 ; sys_platform == 'win32'",
        "two-2==2",
        "three==3",
    ]
    assert [call.split(" --")[0] for call in project.calls] == ["uv lock", "uv export", "uv audit"]


def test_lowest_tests_what_the_ranges_allow_in_an_environment_of_its_own(old: Project) -> None:
    (old.folder / ".venv/.ready-dev").unlink()
    assert old.make("lowest").returncode == 0
    filled, made, installed, further, tested = (call for call in old.calls if not call.startswith("python -c"))
    assert filled.endswith("--require-hashes -r requirements.txt -r requirements-dev.txt")
    assert made.startswith("uv venv")
    assert "--resolution lowest-direct --requirement pyproject.toml --extra pulumi" in installed
    assert all("--python .ingress-hops/lowest" in call for call in (installed, further))
    assert tested.startswith("python -m pytest -m not live")
