import dataclasses
import hashlib
import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hops.cli.app import app
from hops.cli.programs import tools
from hops.cli.programs.project import ProjectError, project_folder, search_path
from hops.cli.programs.tools import (
    KIND,
    PULUMI,
    InstalledTool,
    Tool,
    ToolError,
    docker,
    have,
    machine,
)

UNREACHABLE = "http://127.0.0.1:9"


class Server(ThreadingHTTPServer):
    """Serves `files` by path; `short` files promise more bytes than they send."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.short: set[str] = set()
        self.asked: list[str] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path in self.server.short else content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as serving:
        threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
        yield serving
        serving.shutdown()


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "on-path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").touch()
    monkeypatch.chdir(folder)
    return folder


def program(folder: Path, name: str, says: str, status: int = 0) -> None:
    path = folder / name
    path.write_bytes(script(says, status))
    path.chmod(0o755)


def script(says: str, status: int = 0) -> bytes:
    return f"#!/bin/sh\necho '{says}'\nexit {status}\n".encode()


def archive(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("pulumi/pulumi-link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    return buffer.getvalue()


def publish(server: Server, tool: Tool, content: bytes) -> tuple[str, Tool]:
    """The path of the file, as its project lays it out, and the tool with the file's sum pinned."""
    if tool is KIND:
        path, system = f"/kubernetes-sigs/kind/releases/download/v{tool.version}/kind-linux-amd64", "linux-amd64"
    else:
        folder = f"/pulumi/pulumi/releases/download/v{tool.version}"
        path, system = f"{folder}/pulumi-v{tool.version}-linux-x64.tar.gz", "linux-x64"
    server.files[path] = content
    return path, dataclasses.replace(tool, sha256={system: hashlib.sha256(content).hexdigest()})


def left(project: Path) -> list[str]:
    return sorted(str(path.relative_to(project)) for path in (project / ".tools").rglob("*") if not path.is_dir())


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize(("tool", "system"), [(PULUMI, "linux-x64"), (KIND, "linux-amd64")], ids=["pulumi", "kind"])
def test_only_the_file_with_the_pinned_sum_is_installed(server: Server, project: Path, tool: Tool, system: str) -> None:
    publish(server, tool, script("another release"))
    with pytest.raises(ToolError, match=f"pinned {tool.sha256[system]}"):
        have(tool, project, server.base)
    assert left(project) == []


@pytest.mark.parametrize("tool", [PULUMI, KIND], ids=["pulumi", "kind"])
def test_the_sums_of_all_platforms_are_pinned(tool: Tool) -> None:
    assert set(tool.sha256) == {f"{system}-{cpu}" for system in ("linux", "darwin") for cpu in tool.cpus.values()}
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in tool.sha256.values())
    assert len(set(tool.sha256.values())) == 4


@pytest.mark.usefixtures("on_path")
def test_a_file_without_end_is_refused(server: Server, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, kind = publish(server, KIND, script(f"kind v{KIND.version} go1.26.0 linux/amd64"))
    monkeypatch.setattr(tools, "_MOST_BYTES", 40)
    with pytest.raises(ToolError, match="has more than 40 bytes"):
        have(kind, project, server.base)
    assert left(project) == []


def test_kind_is_fetched_where_there_is_none(
    server: Server, on_path: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, kind = publish(server, KIND, script(f"kind v{KIND.version} go1.26.0 linux/amd64"))
    where = f"{project}/.tools/bin/kind"
    assert have(kind, project, server.base) == InstalledTool("kind", KIND.version, where)
    assert left(project) == [".tools/bin/kind"]
    assert capsys.readouterr().err == f"fetching {server.base}{file}\n"
    server.files.clear()
    assert have(kind, project, server.base).where == where, "what was fetched is found the next time"
    assert not list(on_path.iterdir())


@pytest.mark.usefixtures("on_path")
def test_pulumi_comes_with_its_companions_and_nothing_else(server: Server, project: Path) -> None:
    content = archive(
        **{
            "pulumi/pulumi": script(f"v{PULUMI.version}"),
            "pulumi/pulumi-language-python": script(""),
            "pulumi/../../../escaped": b"",
            "/tmp/escaped-too": b"",  # noqa: S108 - a name that must not be written to
            "elsewhere/pulumi": b"",
            "pulumi/deeper/pulumi": b"",
        }
    )
    _, pulumi = publish(server, PULUMI, content)
    assert have(pulumi, project, server.base).version == PULUMI.version
    assert left(project) == [".tools/bin/pulumi", ".tools/bin/pulumi-language-python"]
    assert all((project / file).stat().st_mode & 0o111 for file in left(project))
    assert not (project.parent / "escaped").exists()


@pytest.mark.parametrize("version", [f"v{PULUMI.version}", f"v{PULUMI.version}-dev.1", "v3.9999.0"])
def test_what_path_has_is_taken(on_path: Path, project: Path, version: str) -> None:
    program(on_path, "pulumi", version)
    found = have(PULUMI, project, UNREACHABLE)
    assert (found.where, found.remedy) == (f"{on_path}/pulumi", None)
    assert not (project / ".tools").exists()


@pytest.mark.parametrize(("says", "status"), [("v3.1.0", 0), ("v4.0.0", 0), ("no number", 0), ("v3.9999.0", 1)])
def test_what_will_not_do_is_replaced(server: Server, on_path: Path, project: Path, says: str, status: int) -> None:
    program(on_path, "pulumi", says, status)
    _, pulumi = publish(server, PULUMI, archive(**{"pulumi/pulumi": script(f"v{PULUMI.version}")}))
    assert have(pulumi, project, server.base).where == f"{project}/.tools/bin/pulumi"


def test_an_older_fetched_one_is_replaced(server: Server, on_path: Path, project: Path) -> None:
    (project / ".tools/bin").mkdir(parents=True)
    program(project / ".tools/bin", "kind", "kind v0.20.0 go1.20")
    program(on_path, "kind", "kind v0.19.0 go1.20")
    with pytest.raises(ToolError, match=r"kind >= 0.27.0 and < 1 is needed, and .*/.tools/bin/kind is 0.20.0"):
        have(KIND, project, UNREACHABLE)
    _, kind = publish(server, KIND, script(f"kind v{KIND.version}"))
    assert have(kind, project, server.base).version == KIND.version


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize("tool", [PULUMI, KIND], ids=["pulumi", "kind"])
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("wrong sum", "is not the pinned release: sha256 [0-9a-f]{64}, pinned [0-9a-f]{64}"),
        ("truncated", r"is not the pinned release.*bytes came"),
        ("no file", "cannot be fetched: HTTP Error 404"),
        ("nobody there", "cannot be fetched: urlopen error .*HTTPS_PROXY"),
    ],
)
def test_a_faulty_release_is_refused_and_leaves_nothing(
    server: Server, project: Path, tool: Tool, fault: str, message: str
) -> None:
    good = {"kind": script(f"kind v{KIND.version}"), "pulumi": archive(**{"pulumi/pulumi": script("v3.259.0")})}
    file, pinned = publish(server, tool, good[tool.name])
    match fault:
        case "wrong sum":
            server.files[file] += b"x"
        case "truncated":
            server.short.add(file)
        case "no file":
            del server.files[file]
    with pytest.raises(ToolError, match=message) as refused:
        have(pinned, project, UNREACHABLE if fault == "nobody there" else server.base)
    assert tool.page in str(refused.value)
    assert left(project) == []


@pytest.mark.usefixtures("on_path")
@pytest.mark.parametrize(
    ("content", "message"),
    [(archive(), "holds no pulumi/pulumi"), (b"no archive", "cannot be fetched"), (b"", "cannot be fetched")],
)
def test_a_sound_download_that_holds_no_pulumi_is_refused(
    server: Server, project: Path, content: bytes, message: str
) -> None:
    _, pulumi = publish(server, PULUMI, content)
    with pytest.raises(ToolError, match=message):
        have(pulumi, project, server.base)
    assert left(project) == []


@pytest.mark.usefixtures("on_path")
def test_a_release_that_does_not_run_here_is_named(server: Server, project: Path) -> None:
    _, kind = publish(server, KIND, b"\x7fELF of another kind")
    with pytest.raises(ToolError, match="was fetched and does not run here"):
        have(kind, project, server.base)


@pytest.mark.usefixtures("on_path")
def test_a_proxy_is_respected(server: Server, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.base)
    monkeypatch.setattr("urllib.request._opener", None)
    with pytest.raises(ToolError, match="404"):
        have(KIND, project, "http://releases.invalid")
    assert server.asked[0].startswith("http://releases.invalid/kubernetes-sigs/kind/")


@pytest.mark.parametrize(
    ("system", "cpu", "file"),
    [
        ("Linux", "x86_64", ("pulumi-v{}-linux-x64.tar.gz", "kind-linux-amd64")),
        ("Linux", "aarch64", ("pulumi-v{}-linux-arm64.tar.gz", "kind-linux-arm64")),
        ("Darwin", "x86_64", ("pulumi-v{}-darwin-x64.tar.gz", "kind-darwin-amd64")),
        ("Darwin", "arm64", ("pulumi-v{}-darwin-arm64.tar.gz", "kind-darwin-arm64")),
    ],
)
@pytest.mark.usefixtures("on_path")
def test_each_platform_has_its_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, system: str, cpu: str, file: tuple[str, str]
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: cpu)
    for tool, name in zip((PULUMI, KIND), file, strict=True):
        with pytest.raises(ToolError, match=f"{name.format(tool.version)} cannot be fetched"):
            have(tool, project, UNREACHABLE)


@pytest.mark.parametrize(("system", "cpu"), [("Windows", "AMD64"), ("Linux", "riscv64"), ("FreeBSD", "amd64")])
def test_other_platforms_learn_what_works(monkeypatch: pytest.MonkeyPatch, system: str, cpu: str) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: cpu)
    with pytest.raises(ToolError, match=f"this machine is {system} on {cpu}.*WSL2"):
        machine()


def test_docker_is_looked_at_and_never_fetched(on_path: Path) -> None:
    missing = docker()
    assert (missing.where, missing.version) == (None, None)
    assert "install Docker" in (missing.remedy or "")
    program(on_path, "docker", "", status=1)
    assert "start it" in (docker().remedy or "")
    program(on_path, "docker", "28.1.0")
    assert docker() == InstalledTool("docker", "28.1.0", f"{on_path}/docker")


def test_the_project_is_found_from_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "stacks").mkdir()
    monkeypatch.chdir(project / "stacks")
    assert project_folder() == project
    monkeypatch.chdir(project.parent)
    with pytest.raises(ProjectError, match="go into the project's folder"):
        project_folder()


def test_the_projects_own_programs_come_first_and_once() -> None:
    path = search_path(Path("/project"), "/bin:/project/.venv/bin:/project/.tools/bin")
    assert path == "/project/.tools/bin:/project/.venv/bin:/bin"
    assert search_path(Path("/project"), path) == path


def test_the_command_prints_a_line_for_each_tool(on_path: Path, project: Path) -> None:
    program(on_path, "pulumi", "v3.260.1")
    program(on_path, "kind", "kind v0.33.0 go1.26")
    program(on_path, "docker", "28.1.0")
    done = CliRunner().invoke(app, ["tools"])
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["pulumi", "3.260.1", f"{on_path}/pulumi"],
        ["kind", "0.33.0", f"{on_path}/kind"],
        ["docker", "28.1.0", f"{on_path}/docker"],
    ]
    assert (done.exit_code, done.stderr) == (0, "")
    assert not (project / ".tools").exists()


@pytest.mark.usefixtures("on_path", "project")
def test_the_command_says_what_cannot_be_fetched() -> None:
    done = CliRunner().invoke(app, ["tools", "docker", "--format", "json"])
    assert json.loads(done.stdout)[0]["remedy"].startswith("not on PATH; install Docker")
    assert done.exit_code == 1


@pytest.mark.usefixtures("project")
def test_the_command_names_every_tool_that_it_cannot_have(on_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(tool: Tool, _: Path) -> InstalledTool:
        raise ToolError(f"no {tool.name}")

    program(on_path, "docker", "28.1.0")
    monkeypatch.setattr(tools, "have", refuse)
    done = CliRunner().invoke(app, ["tools"])
    assert done.stdout.startswith("docker   28.1.0")
    assert (done.exit_code, done.stderr) == (2, "hops: no pulumi\nhops: no kind\n")


def test_an_unknown_tool_is_refused() -> None:
    done = CliRunner().invoke(app, ["tools", "helm"])
    assert (done.exit_code, done.stderr) == (2, "hops: there is no tool helm; name some of pulumi, kind, docker\n")


def test_a_question_for_a_version_leaves_no_log_in_the_users_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pulumi"
    program.write_text('#!/bin/sh\nmkdir -p "$PULUMI_HOME/logs" 2>/dev/null\necho v3.259.0\n')
    program.chmod(0o755)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert have(PULUMI, tmp_path)
    assert not (tmp_path / "home").exists()
