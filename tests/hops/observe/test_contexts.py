"""Contexts on disk: what is read of them, and what is said of one that cannot be built."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hops.model.settings.stack_config import settings
from hops.observe.contexts import BuildError, builds, with_images


@pytest.fixture
def project(tmp_path: Path) -> Path:
    web = tmp_path / "project" / "web"
    (web / "lib").mkdir(parents=True)
    (web / "Dockerfile").write_text("FROM a AS base\nCOPY . .\n")
    (web / "app.py").write_text("1")
    (web / "lib" / "a.py").write_text("1")
    return tmp_path / "project"


def image(project: Path, **build: Any) -> str:
    of = settings("alice", {"services": [{"name": "web", "build": {"context": "web", **build}}]})
    return with_images(of, builds(project, of)).services[0].image


def refusal(project: Path, **build: Any) -> str:
    with pytest.raises(BuildError) as caught:
        image(project, **build)
    return str(caught.value)


def test_another_time_is_no_other_image(project: Path) -> None:
    before = image(project)
    os.utime(project / "web" / "app.py", (1, 1))
    assert image(project) == before


@pytest.mark.parametrize("change", ["content", "mode", "name", "new", "gone", "link", "folder", "Dockerfile"])
def test_another_content_is_another_image(project: Path, change: str) -> None:
    before, file = image(project), project / "web" / "app.py"
    match change:
        case "content":
            file.write_text("2")
        case "mode":
            file.chmod(0o755)
        case "name":
            file.rename(file.with_name("main.py"))
        case "new":
            file.with_name("b.py").write_text("")
        case "gone":
            file.unlink()
        case "link":
            file.with_name("b.py").symlink_to("app.py")
        case "folder":
            file.with_name("empty").mkdir()
        case _:
            file.with_name("Dockerfile").write_text("FROM b\n")
    assert image(project) != before


IGNORED: Mapping[str, str] = {"the context's": ".dockerignore", "the Dockerfile's": "Dockerfile.dockerignore"}


@pytest.mark.parametrize("where", IGNORED)
def test_what_is_ignored_is_not_read(project: Path, where: str) -> None:
    web = project / "web"
    (web / IGNORED[where]).write_text("lib\n!lib/keep\n.dockerignore\n*.dockerignore\n")
    before = image(project)
    (web / "lib" / "a.py").write_text("2")
    assert image(project) == before
    (web / "lib" / "keep").write_text("1")
    assert image(project) != before


def test_the_ignore_file_of_the_dockerfile_replaces_that_of_the_context(project: Path) -> None:
    web = project / "web"
    (web / ".dockerignore").write_text("lib")
    (web / "Dockerfile.dockerignore").write_text("app.py")
    before = image(project)
    (web / "app.py").write_text("2")
    assert image(project) == before
    (web / "lib" / "a.py").write_text("2")
    assert image(project) != before


def test_the_folders_that_hold_files_are_known(project: Path) -> None:
    (project / "web" / "node_modules" / "x").mkdir(parents=True)
    (project / "web" / ".dockerignore").write_text("node_modules")
    of = settings("alice", {"services": [{"name": "web", "build": {"context": "web"}}]})
    assert builds(project, of)["apps/web"].folders == ["", "lib"]


def test_a_broken_link_and_a_socket_are_no_error(project: Path) -> None:
    (project / "web" / "link").symlink_to("nowhere")
    os.mkfifo(project / "web" / "pipe")
    assert image(project)


@pytest.mark.parametrize(
    ("build", "said"),
    [
        ({"context": "wob"}, "ingress-hops:services[0].build.context is wob: there is no folder"),
        ({"context": "web/app.py"}, "there is no folder"),
        ({"context": "../other"}, "is outside the project's folder"),
        ({"context": "/etc"}, "is outside the project's folder"),
        ({"dockerfile": "Containerfile"}, ".build.dockerfile is Containerfile: there is no file"),
        ({"dockerfile": "../../Dockerfile"}, "is outside the project's folder"),
        ({"target": "prod"}, "has no such stage; its stages: base"),
    ],
)
def test_a_build_that_cannot_work(project: Path, build: dict[str, str], said: str) -> None:
    assert said in refusal(project, **build)


@pytest.mark.parametrize(
    ("copy", "ignore", "said"),
    [
        ("app.py", "*.py", "line 2 copies app.py, and {web}/.dockerignore leaves it out; add the line !app.py to"),
        ("lib/a.py", "lib", "line 2 copies lib/a.py, and {web}/.dockerignore leaves it out"),
        ("main.py", "*.py", "line 2 copies main.py, and {web} has no such file; create it"),
        ("main.py", "", "line 2 copies main.py, and {web} has no such file"),
    ],
)
def test_what_is_copied_has_to_be_in_the_context(project: Path, copy: str, ignore: str, said: str) -> None:
    web = project / "web"
    (web / "Dockerfile").write_text(f"FROM a\nCOPY {copy} /\n")
    (web / ".dockerignore").write_text(ignore)
    said = f"ingress-hops:services[0].build.dockerfile: {said.format(web=web)}"
    assert said in refusal(project)


@pytest.mark.parametrize("copy", ["app.py", "lib", "lib/a.py", "./lib/ app.py", ".", "link/a.py", "$WHAT", "*.txt"])
def test_what_is_copied_is_in_the_context(project: Path, copy: str) -> None:
    web = project / "web"
    (web / "link").symlink_to("lib")
    (web / "Dockerfile").write_text(f"FROM a\nCOPY {copy} /srv/\n")
    (web / ".dockerignore").write_text("lib\n!lib/a.py\n")
    assert image(project)


def test_a_link_out_of_the_project_is_refused(project: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (project / "link").symlink_to(tmp_path / "other")
    assert "is outside the project's folder" in refusal(project, context="link")


def test_files_that_cannot_be_read_are_named(project: Path) -> None:
    (project / "web" / ".dockerignore").write_text("a\n!\n")
    assert '.dockerignore, line 2: "!" has no pattern' in refusal(project)
    (project / "web" / ".dockerignore").unlink()
    (project / "web" / "Dockerfile").write_bytes(b"FROM \xff\n")
    assert "is not UTF-8" in refusal(project)


def test_every_problem_is_reported_at_once(project: Path) -> None:
    wrong = [{"name": name, "build": {"context": name}} for name in ("one", "two")]
    with pytest.raises(BuildError) as caught:
        builds(project, settings("alice", {"services": wrong}))
    assert [line.partition(" is ")[0] for line in str(caught.value).splitlines()] == [
        "ingress-hops:services[0].build.context",
        "ingress-hops:services[1].build.context",
    ]
