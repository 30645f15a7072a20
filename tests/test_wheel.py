"""The wheel in an environment of its own, with the locked packages that its metadata asks for and no others."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import PROJECT

RECORDED = PROJECT / "tests/recordings/clean.jsonl.gz"
BUNDLE = PROJECT / "tests/recorded/healthy.json"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  containers:
    - name: web
      image: registry.example/web:1
      ports: [{containerPort: 8080, hostPort: 80}]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the project: a build leaves files beside its sources."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(PROJECT / name, source)
    for name in ("hops", "components", "stacks", "policy"):
        shutil.copytree(PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    words = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder))
    subprocess.run([sys.executable, "-m", "pip", *words, str(source)], check=True)
    (built,) = folder.glob("*.whl")
    return built


def needed(metadata: Distribution) -> dict[str, Distribution]:
    """What a distribution needs here, directly and indirectly, by name; no extra of it."""
    found: dict[str, Distribution] = {}
    left = [(requirement, "") for requirement in metadata.requires or ()]
    while left:
        text, extra = left.pop()
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        one = distribution(requirement.name)
        assert requirement.specifier.contains(one.version, prereleases=True), f"{text}, and {one.version} is installed"
        name = canonicalize_name(requirement.name)
        if name not in found or requirement.extras:
            found[name] = one
            left += [(more, asked) for more in one.requires or () for asked in ("", *requirement.extras)]
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, and links to the installed packages that it needs."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    words = ("install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel))
    subprocess.run([sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), *words], check=True)
    (metadata,) = [Distribution.at(path) for path in site.glob("*.dist-info")]
    for one in needed(metadata).values():
        tops = {file.parts[0] for file in one.files or ()} - {"..", "__pycache__"}
        for top in tops:
            (site / top).symlink_to(str(one.locate_file(top)))
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def run(environment: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [environment / "bin/hops", *words],
        cwd=folder,
        env={"PATH": "/nowhere", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_holds_hops_and_what_hops_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    (metadata,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
    assert {name.split("/")[0] for name in names} == {"hops", metadata}
    schemas = {f"hops/kubernetes/schemas/{name}.json" for name in ("custom", "gateway", "kubernetes")}
    assert {"hops/py.typed", "hops/trace/html/page.css", "hops/trace/html/page.js", *schemas} <= set(names)
    assert f"{metadata}/licenses/LICENSE" in names
    modules = {str(path.relative_to(PROJECT)) for path in (PROJECT / "hops").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_its_base_dependencies_are_locked_and_are_no_part_of_pulumi(environment: Path) -> None:
    (site,) = environment.glob("lib/python*/site-packages")
    installed = {path.name.split("-")[0].replace("_", "-").lower() for path in site.glob("*.dist-info")}
    locked = re.findall(r"^([a-z0-9-]+)==", (PROJECT / "requirements.txt").read_text(), re.MULTILINE)
    assert installed - {"ingress-hops"} <= set(locked)
    done = subprocess.run([environment / "bin/python", "-c", "import pulumi"], capture_output=True, check=False)
    assert b"No module named 'pulumi'" in done.stderr


def test_it_is_a_plugin_of_kubectl(environment: Path, empty: Path) -> None:
    done = subprocess.run(
        [environment / "bin/kubectl-hops", "--host", "web.localhost", "--port", "1", "--short"],
        cwd=empty,
        env={"PATH": "/nowhere", "HOME": str(empty)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "GET http://web.localhost:1/" in done.stdout
    assert list(empty.iterdir()) == []


def test_help_lists_every_command(environment: Path, empty: Path) -> None:
    done = run(environment, empty, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in ("check", "codes", "comment", "diff", "explain", "plan", "report", "rules", "stack", "trace"):
        assert re.search(rf"^  {command} ", done.stdout, re.MULTILINE)


def test_check_judges_a_file(environment: Path, empty: Path) -> None:
    (empty / "pod.yaml").write_text(POD)
    done = run(environment, empty, "check", "pod.yaml")
    assert (done.returncode, done.stderr) == (1, "")
    assert "pod.yaml:" in done.stdout
    for form in ("json", "sarif", "junit"):
        assert run(environment, empty, "check", "--format", form, "pod.yaml").stdout


@pytest.mark.parametrize(
    ("words", "shown"),
    [(("rules",), "HP01"), (("explain", "HP01"), "HP01"), (("codes",), "T20"), (("explain", "T20"), "T20")],
)
def test_the_catalogues_are_printed(environment: Path, empty: Path, words: tuple[str, ...], shown: str) -> None:
    done = run(environment, empty, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout


def test_trace_judges_a_bundle_and_draws_its_page(environment: Path, empty: Path) -> None:
    done = run(environment, empty, "trace", "--replay", str(BUNDLE), "--html", "page.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert "<style>" in (empty / "page.html").read_text()


def test_trace_has_the_client_that_reads_a_kubeconfig(environment: Path, empty: Path) -> None:
    done = run(environment, empty, "trace", "--kubeconfig", "none", "--host", "web.localhost")
    assert (done.returncode, done.stderr) == (1, "")
    assert "none cannot be used: Invalid kube-config file" in done.stdout


def test_diff_compares_folders(environment: Path, empty: Path) -> None:
    for name, text in (("before", POD), ("after", POD.replace("80}", "81}"))):
        (empty / name).mkdir()
        (empty / name / "pod.yaml").write_text(text)
    assert run(environment, empty, "diff", "before", "before").returncode == 0
    done = run(environment, empty, "diff", "before", "after")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout


def test_report_reads_the_events_of_a_preview(environment: Path, empty: Path) -> None:
    (empty / "events.jsonl").write_bytes(gzip.decompress(RECORDED.read_bytes()))
    done = run(environment, empty, "report", "events.jsonl", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)


def assert_one_line_says_what_is_missing(done: subprocess.CompletedProcess[str], missing: str) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("hops: ")
    assert missing in line


@pytest.mark.parametrize(
    "words",
    [
        ("stack", "list"),
        ("stack", "check"),
        ("stack", "show", "local"),
        ("stack", "new", "alice"),
        ("tools", "pulumi"),
        ("trace", "local"),
        ("diff", "local", "ci"),
        ("check", "--stack", "local", "pod.yaml"),
    ],
    ids=" ".join,
)
def test_a_command_of_a_stack_says_that_there_is_no_project(
    environment: Path, empty: Path, words: tuple[str, ...]
) -> None:
    (empty / "pod.yaml").write_text(POD)
    assert_one_line_says_what_is_missing(run(environment, empty, *words), "there is no Pulumi.yaml in ")


@pytest.mark.parametrize(
    "words",
    [("plan", "local", "--html", "page.html"), ("plan", "--unheard-of"), ("diff", "local", "ci")],
    ids=" ".join,
)
def test_a_command_that_plans_says_that_pulumi_is_missing(
    environment: Path, empty: Path, words: tuple[str, ...]
) -> None:
    shutil.copy2(PROJECT / "Pulumi.yaml", empty)
    shutil.copytree(PROJECT / "stacks", empty / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    missing = "requires the Python package pulumi, which is not installed here; "
    assert_one_line_says_what_is_missing(run(environment, empty, *words), missing)
    assert not (empty / "page.html").exists()


def test_with_pulumi_and_without_the_project_the_missing_part_is_named(environment: Path, empty: Path) -> None:
    words: list[str | Path] = [environment / "bin/python", "-c", "from hops.cli.app import app; app()", "plan"]
    (empty / "pulumi.py").write_text("class runtime:\n    Mocks = MockResourceArgs = MockCallArgs = object\n")
    done = subprocess.run(
        words,
        cwd=empty,
        env={**os.environ, "PYTHONSAFEPATH": "", "PYTHONPATH": str(empty)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("hops: hops plan requires the Python package stacks, which is not installed here; ")


def test_the_policy_pack_has_the_version_of_the_package() -> None:
    package = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((PROJECT / "policy/PulumiPolicy.yaml").read_text())["version"] == package
