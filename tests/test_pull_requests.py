"""The workflows' own steps on recorded pull requests: what the check says, and the comment on the pull request."""

import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from hops.pull_requests.markdown import LIMIT, MARKER
from tests.conftest import PROJECT
from tests.github import BOT, RUN, GitHub, codes_in, pull, serving, zipped
from tests.hops.pull_requests.test_markdown import contained
from tests.hostile import PAYLOADS, TOKEN, replaced, with_names
from tests.project import copy_project
from tests.recordings.record import recorded, stack_file

FAILS = {"open", "fails"}
"""The recordings in which `pulumi preview` itself says that it failed."""
PULUMI = """#!/bin/sh
case "$*" in
  version) echo v3.259.0;;
  "preview "*"--cwd .ingress-hops/base"*) cat "$RECORDED/base.jsonl"; test ! -e "$RECORDED/base.failed";;
  "preview "*) cat "$RECORDED/head.jsonl"; test ! -e "$RECORDED/head.failed";;
esac
"""


COMPLETE = "the preview is complete; {} broken"
FAILURE = "the preview failed: ingress-hops:cluster.httpPort is 808100: "


@dataclass(frozen=True)
class CheckRun:
    """What came of a recorded pull request. uploaded: the artifact's files."""

    status: int
    summary: str
    uploaded: dict[str, str]


def steps(workflow: str, job: str) -> list[dict[str, Any]]:
    loaded = yaml.safe_load((PROJECT / ".github/workflows" / workflow).read_text())
    listed: list[dict[str, Any]] = loaded["jobs"][job]["steps"]
    return listed


class Checkout:
    """The project in a repository of its own, in which programs answer as they were recorded."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.recorded, self.bin = folder / "project", folder / "recorded", folder / "bin"
        for made in (self.folder, self.recorded, self.bin):
            made.mkdir()
        copy_project(self.folder)
        venv = self.folder / ".venv"
        venv.mkdir()
        for name in ("bin", "lib", "lib64", "include", "pyvenv.cfg"):
            if Path(sys.prefix, name).exists():
                (venv / name).symlink_to(Path(sys.prefix, name))
        for name in ("requirements.txt", "pyproject.toml"):
            os.utime(self.folder / name, (0, 0))
        (venv / ".ready").touch()
        for name, script in (("pulumi", PULUMI), ("kind", "#!/bin/sh\necho kind v0.32.0\n")):
            (self.bin / name).write_text(script)
            (self.bin / name).chmod(0o755)
        self.environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(folder),
            "RECORDED": str(self.recorded),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        }

    def commit(self, which: str, recording: str, stack: str | None = None) -> str:
        """A commit whose preview is a recorded one. which: base or head."""
        (self.folder / "stacks" / "Pulumi.ci.yaml").write_text(stack or stack_file(recording))
        (self.recorded / f"{which}.jsonl").write_text(recorded(recording))
        (self.recorded / f"{which}.failed").unlink(missing_ok=True)
        if recording in FAILS:
            (self.recorded / f"{which}.failed").touch()
        somebody = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        for words in (("add", "--all"), (*somebody, "commit", "--quiet", "--allow-empty", "--message", recording)):
            subprocess.run(["git", *words], cwd=self.folder, check=True)
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """As GitHub's runner does."""
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def preview(self, base: str, head: str) -> CheckRun:
        """The steps of preview.yml that run something, on two recordings."""
        summary = Path(self.environment["GITHUB_STEP_SUMMARY"])
        summary.unlink(missing_ok=True)
        started_from = self.commit("base", base)
        self.commit("head", head)
        known = {"BASE": "${{ github.event.pull_request.base.sha }}"}
        status, uploaded = 0, {}
        for step in steps("preview.yml", "preview"):
            if "upload-artifact" in step.get("uses", ""):
                root = self.folder / step["with"]["path"]
                uploaded = {str(f.relative_to(root)): f.read_text() for f in root.rglob("*") if f.is_file()}
            if "run" in step:
                assert step.get("env", {}).items() <= known.items()
                done = self.run(step["run"], **({"BASE": started_from} if "env" in step else {}))
                assert step["name"] == "report" or done.returncode == 0, done.stdout + done.stderr
                status = done.returncode
        return CheckRun(status, summary.read_text(), uploaded)

    def comment(self, github: GitHub) -> subprocess.CompletedProcess[str]:
        """The step of comment.yml that tells."""
        (step,) = [step for step in steps("comment.yml", "comment") if step.get("name") == "comment"]
        known = {"GITHUB_TOKEN": "${{ github.token }}", "RUN": "${{ github.event.workflow_run.id }}"}
        assert step["env"] == known
        return self.run(step["run"], RUN=str(RUN), **github.environment)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    for program in ("make", "git", "bash", "tar"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not on PATH")
    return Checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture
def github() -> Iterator[GitHub]:
    with serving(GitHub()) as served:
        yield served


@pytest.fixture
def tell(checkout: Checkout, github: GitHub) -> Callable[[str, str], tuple[CheckRun, str]]:
    """Both workflows after each other; the comment is the pull request's only one."""

    def both(base: str, head: str) -> tuple[CheckRun, str]:
        run = checkout.preview(base, head)
        github.archive = zipped(run.uploaded)
        done = checkout.comment(github)
        assert done.returncode == 0, done.stderr
        (one,) = github.comments
        assert one["body"] == run.summary
        return run, one["body"]

    return both


Tell = Callable[[str, str], tuple[CheckRun, str]]


def lines(github: GitHub) -> list[tuple[str, str, int]]:
    """Rule, file and line of the findings in the newest log."""
    log = json.loads(gzip.decompress(base64.b64decode(github.logs[-1]["sarif"])))
    found = []
    for result in log["runs"][0]["results"]:
        where = result["locations"][0]["physicalLocation"]
        found.append((result["ruleId"], where["artifactLocation"]["uri"], where.get("region", {}).get("startLine")))
    return found


def test_a_clean_change_passes_and_shows_the_path_before_and_after(tell: Tell) -> None:
    run, comment = tell("clean", "other-port")
    assert run.status == 0
    assert comment.startswith(f"{MARKER}\n\n### Preview of `ci`: no mandatory findings, 0 advisory\n")
    assert "adds no findings, fixes 0 and leaves 0" in comment
    (row,) = [row for row in comment.splitlines() if row.startswith("| 2 |")]
    assert "127.0.0.1:8081" in row.split("|")[3]
    assert "127.0.0.1:8082" in row.split("|")[4]
    assert "| 6 | `endpoint` |" in comment
    assert "| update | `Command cluster-kind` |" in comment
    assert "1 update\n" in comment


def test_a_change_of_nothing_says_so(tell: Tell) -> None:
    run, comment = tell("clean", "clean")
    assert run.status == 0
    assert "The path of the requests to 1 service is as before." in comment
    assert "Resources" not in comment


def test_a_mandatory_finding_fails_the_check_and_stands_on_the_settings_line(tell: Tell, github: GitHub) -> None:
    run, comment = tell("clean", "open")
    assert run.status == 1
    assert codes_in(comment) == ["KN05"]
    assert "adds 1 finding, fixes 0 and leaves 0" in comment
    assert "Set `ingress-hops:cluster.listenAddress` in stacks/Pulumi.ci.yaml to 127.0.0.1." in comment
    assert '"path": "/nodes/1/extraPortMappings/0/listenAddress", "value": "127.0.0.1"' in comment
    line = 1 + stack_file("open").splitlines().index("    listenAddress: 0.0.0.0")
    assert f"in `stacks/Pulumi.ci.yaml:{line}`" in comment
    assert lines(github) == [("KN05", "stacks/Pulumi.ci.yaml", line)]
    assert (github.logs[0]["ref"], github.logs[0]["commit_sha"]) == ("refs/pull/5/head", "a" * 40)


def test_a_finding_that_was_there_already_is_left(tell: Tell) -> None:
    run, comment = tell("open", "open")
    assert run.status == 1
    assert "adds no findings, fixes 0 and leaves 1" in comment
    assert "#### Findings that stay (1)" in comment


def test_a_fixed_finding_is_reported_and_passes(tell: Tell) -> None:
    run, comment = tell("open", "clean")
    assert run.status == 0
    assert "fixes 1 and leaves 0" in comment
    assert "#### Findings that the change fixes (1)" in comment
    assert codes_in(comment) == ["KN05"]
    assert "Remedy" not in comment


def test_a_preview_that_fails_says_why_and_claims_nothing_else(tell: Tell, github: GitHub) -> None:
    run, comment = tell("open", "fails")
    assert run.status == 2
    assert "### Preview of `ci`: it failed" in comment
    assert "ingress-hops:cluster.httpPort is 808100" in comment
    assert "fixes" not in comment
    assert "not there" not in comment
    log = json.loads(gzip.decompress(base64.b64decode(github.logs[-1]["sarif"])))
    assert log["runs"][0]["invocations"][0]["executionSuccessful"] is False


@pytest.mark.parametrize(
    ("base", "head", "expected"),
    [
        ("clean", "open", (COMPLETE.format("no mandatory rule is"), COMPLETE.format("1 mandatory rule is"))),
        ("clean", "fails", (COMPLETE.format("no mandatory rule is"), FAILURE)),
        ("fails", "clean", (FAILURE, COMPLETE.format("no mandatory rule is"))),
    ],
)
def test_make_tells_a_broken_rule_from_a_failed_preview(
    checkout: Checkout, base: str, head: str, expected: tuple[str, str]
) -> None:
    started_from = checkout.commit("base", base)
    checkout.commit("head", head)
    done = checkout.run(f"make pull-request STACK=ci BASE={started_from}")
    assert done.returncode == 0, done.stderr
    of_base, of_head = done.stdout.splitlines()[-2:]
    assert of_base.startswith(f"make: the base: {expected[0]}")
    assert of_head.startswith(f"make: the branch: {expected[1]}")


def test_a_base_that_fails_is_reported_and_nothing_is_compared_with_it(tell: Tell) -> None:
    run, comment = tell("fails", "open")
    assert run.status == 1
    assert "No comparison: the preview of the base failed" in comment
    assert "#### Findings (1)" in comment
    assert "ingress-hops:cluster.httpPort is 808100" in comment
    assert "before" not in comment.split("#### Requests")[1]


def test_a_stack_whose_cluster_does_not_exist_is_previewed_all_the_same(tell: Tell) -> None:
    run, comment = tell("clean", "no-cluster")
    assert run.status == 0
    assert "| 2 | `load-balancer` |" in comment
    assert "address not known yet" in comment
    assert "delete | `Command cluster-kind`" in comment


def test_five_hundred_findings_fit_and_what_is_left_out_is_said(tell: Tell, github: GitHub) -> None:
    run, comment = tell("clean", "many")
    assert run.status == 0
    assert len(comment.encode()) <= LIMIT
    shown = len(codes_in(comment))
    assert shown > 50
    assert f"{510 - shown} more findings are left out here; `hops report --format json` has all of them." in comment
    assert "Requests to 167 more services are left out here" in comment
    found = lines(github)
    assert len(found) == 510
    text = stack_file("many").splitlines()
    assert {file for _, file, _ in found} == {"stacks/Pulumi.ci.yaml"}
    assert {text[line - 1] for *_, line in found} == {"    namespace: default"}
    assert len({line for *_, line in found}) == 170


def test_the_comment_is_updated_and_nobody_elses_is_touched(checkout: Checkout, github: GitHub) -> None:
    github.say("mallory", f"{MARKER}\nit is all well")
    for number in range(120):
        github.say("somebody", f"comment {number}")
    github.say(BOT, "another workflow's comment")
    for head, code in (("open", ["KN05"]), ("clean", [])):
        github.archive = zipped(checkout.preview("clean", head).uploaded)
        assert checkout.comment(github).returncode == 0
        ours = [one for one in github.comments if one["user"]["login"] == BOT]
        assert [one["body"].startswith(MARKER) for one in ours] == [False, True]
        assert codes_in(ours[1]["body"]) == code
    assert github.comments[0]["body"] == f"{MARKER}\nit is all well"
    assert [method for method, path, _ in github.asked if "comments" in path and method != "GET"] == ["POST", "PATCH"]


def test_a_pull_request_that_has_moved_on_is_reported_nothing(checkout: Checkout, github: GitHub) -> None:
    github.archive = zipped(checkout.preview("clean", "open").uploaded)
    github.pulls = [pull(5, sha="b" * 40), pull(6, repo={"id": 3}), pull(7, repo=None)]
    done = checkout.comment(github)
    assert (done.returncode, github.comments, github.logs) == (0, [], [])
    assert "no open pull request has its commit" in done.stdout


def test_the_token_is_shown_to_the_api_alone(checkout: Checkout, github: GitHub) -> None:
    github.archive = zipped(checkout.preview("clean", "clean").uploaded)
    done = checkout.comment(github)
    assert ("GET", "/elsewhere", False) in github.asked
    assert all(has for _, path, has in github.asked if path != "/elsewhere")
    assert github.environment["GITHUB_TOKEN"] not in done.stdout + done.stderr


def test_a_hostile_stack_file_and_hostile_names_run_nothing(checkout: Checkout, github: GitHub) -> None:
    base = checkout.commit("base", "clean")
    names = " ".join(payload.replace("\n", " ") for payload in PAYLOADS[:-1])
    hostile = with_names(recorded("open"), "my-service", names)
    stack = yaml.safe_dump(replaced(yaml.safe_load(stack_file("open")), "example-pod", names))
    checkout.commit("head", "open", stack)
    (checkout.recorded / "head.jsonl").write_text(hostile)
    before = {path for path in checkout.folder.rglob("*") if TOKEN in path.name}
    for step in (step for step in steps("preview.yml", "preview") if "run" in step):
        checkout.run(step["run"], BASE=base)
    root = checkout.folder / ".ingress-hops/pull-request"
    github.archive = zipped({str(f.relative_to(root)): f.read_text() for f in root.rglob("*") if f.is_file()})
    assert checkout.comment(github).returncode == 0
    contained(github.comments[0]["body"])
    assert codes_in(github.comments[0]["body"]) == ["KN05"]
    assert {path for path in checkout.folder.rglob("*") if TOKEN in path.name} == before == set()


def test_gitlab_runs_the_same(checkout: Checkout) -> None:
    job = yaml.safe_load((PROJECT / "docs/gitlab-ci.yml").read_text())["preview"]
    base = checkout.commit("base", "clean")
    checkout.commit("head", "open")
    done = checkout.run("set -o pipefail\n" + "\n".join(job["script"]), CI_MERGE_REQUEST_DIFF_BASE_SHA=base)
    assert done.returncode == 1, done.stderr
    assert codes_in((checkout.folder / "report.markdown").read_text()) == ["KN05"]
    (entry,) = json.loads((checkout.folder / "report.code-quality").read_text())
    assert (entry["check_name"], entry["severity"], entry["location"]["path"]) == (
        "KN05",
        "critical",
        "stacks/Pulumi.ci.yaml",
    )
    assert "<failure" in (checkout.folder / "report.junit").read_text()
    for name in ("markdown", "code-quality", "junit"):
        (checkout.folder / f"report.{name}").unlink()
