"""The programs that ingress-hops runs: taken from PATH, or else downloaded from their official releases."""

import dataclasses
import hashlib
import http.client
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from hops.cli.output import Format, FormatOption, Status, echo, print_json, stop
from hops.cli.programs.project import ProjectError, project_folder, search_path
from hops.model import versions

GITHUB = "https://github.com"
_SECONDS = 30
_CHUNK = 1 << 18
_MOST_BYTES = 1_000_000_000
"""More than any release has, so that a wrong server cannot fill the disk."""


class ToolError(RuntimeError):
    """A program is missing and cannot be installed."""


@dataclass(frozen=True)
class Tool:
    """A program and its official release.

    name: name of the program.
    version: the pinned version, which is downloaded.
    oldest: the oldest usable version; another major version is not usable.
    folder, file: the release's path below GITHUB, and its file.
    cpus: the release's names of processors, by this project's names.
    page: address of the instructions to install it by hand.
    sha256: the pinned sums of the file by SYSTEM-CPU.
    """

    name: str
    version: str
    oldest: str
    folder: str
    file: str
    cpus: Mapping[str, str]
    page: str
    sha256: Mapping[str, str]

    def accepts(self, version: str) -> bool:
        found, oldest = _numbers(version), _numbers(self.oldest)
        return found[0] == oldest[0] and found >= oldest


PULUMI = Tool(
    "pulumi",
    versions.PULUMI,
    versions.PULUMI,
    "pulumi/pulumi/releases/download/v{version}",
    "pulumi-v{version}-{system}-{cpu}.tar.gz",
    {"x86-64": "x64", "arm64": "arm64"},
    "https://www.pulumi.com/docs/install",
    versions.PULUMI_SHA256,
)
KIND = Tool(
    "kind",
    versions.KIND,
    # Older ones cannot load images into nodes with containerd 2, and the pinned node image has it.
    "0.27.0",
    "kubernetes-sigs/kind/releases/download/v{version}",
    "kind-{system}-{cpu}",
    {"x86-64": "amd64", "arm64": "arm64"},
    "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    versions.KIND_SHA256,
)
TOOLS = {tool.name: tool for tool in (PULUMI, KIND)}


@dataclass(frozen=True)
class InstalledTool:
    """A program on this machine.

    name: name of the program.
    version: its version; None if unknown.
    where: its path; None if it is not on PATH.
    remedy: why it cannot be used, and what to do; None if it can be used.
    """

    name: str
    version: str | None
    where: str | None
    remedy: str | None = None


def have(tool: Tool, project: Path, base: str = GITHUB) -> InstalledTool:
    """The program on PATH if its version is usable, or else the pinned release in `.tools/bin`. Raises ToolError."""
    path = search_path(project, os.environ.get("PATH", os.defpath))
    found = _look(tool, path)
    if found.version and tool.accepts(found.version):
        return found
    seen = f"{found.where} is {found.version or 'of no known version'}" if found.where else "it is not on PATH"
    try:
        _fetch(tool, project / ".tools" / "bin", base)
    except ToolError as error:
        raise ToolError(
            f"{tool.name} >= {tool.oldest} and < {_numbers(tool.oldest)[0] + 1} is needed, and {seen}; {error}. "
            f"To install it yourself: {tool.page}"
        ) from None
    found = _look(tool, path)
    if found.version != tool.version:
        raise ToolError(f"{found.where} was fetched and does not run here; install it yourself: {tool.page}")
    return found


def _look(tool: Tool, path: str) -> InstalledTool:
    where = shutil.which(tool.name, path=path)
    printed = _printed(where, "version") if where else None
    version = re.search(r"\d+\.\d+\.\d+", printed or "")
    return InstalledTool(tool.name, version[0] if version else None, where)


def _printed(*words: str) -> str | None:
    """What a program prints; None if it fails."""
    # Without a folder for its home, Pulumi writes no log of the question into the user's.
    home = {"PULUMI_HOME": os.devnull}
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=_SECONDS, check=True, env={**os.environ, **home}
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def machine() -> tuple[str, str]:
    """The system and the processor of this machine. Raises ToolError if no release fits."""
    system, cpu = platform.system(), platform.machine()
    cpus = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "arm64", "arm64": "arm64"}
    if system not in ("Linux", "Darwin") or cpu.lower() not in cpus:
        raise ToolError(
            f"this machine is {system} on {cpu}, and tools are fetched for Linux and macOS on x86-64 and arm64 only "
            "(on Windows, work inside WSL2: wsl --install)"
        )
    return system.lower(), cpus[cpu.lower()]


def _fetch(tool: Tool, folder: Path, base: str) -> None:
    """Downloads the pinned release into `folder`. Raises ToolError and leaves nothing there if that fails."""
    system, cpu = machine()
    url = f"{base}/{tool.folder}/{tool.file}".format(version=tool.version, system=system, cpu=tool.cpus[cpu])
    echo(f"fetching {url}", err=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Beside the folder and not in /tmp: a rename is atomic only within one file system.
        with tempfile.TemporaryDirectory(prefix=f"{tool.name}-", dir=folder.parent) as scratch:
            download = Path(scratch, "download")
            digest = _download(url, download, f"{tool.name} {tool.version}")
            if digest != (expected := tool.sha256[f"{system}-{tool.cpus[cpu]}"]):
                raise ToolError(
                    f"{url} is not the pinned release: sha256 {digest}, pinned {expected} "
                    f"({download.stat().st_size} bytes came); nothing was installed, try again"
                )
            _install(tool, download, Path(scratch), folder)
    except (OSError, http.client.HTTPException, tarfile.TarError, EOFError) as error:
        if isinstance(error, urllib.error.HTTPError):
            # The error is also an open response.
            error.close()
        raise ToolError(
            f"{url} cannot be fetched: {str(error).strip('<>')} (a proxy is taken from HTTPS_PROXY)"
        ) from None


def _download(url: str, path: Path, what: str) -> str:
    """Downloads a file. Returns its sha256. Raises ToolError for a file above the bound."""
    digest = hashlib.sha256()
    come = 0
    console = Console(stderr=True)
    with (
        urllib.request.urlopen(url, timeout=_SECONDS) as answer,  # noqa: S310 - https, or a test's own server
        path.open("wb") as file,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        size = answer.headers.get("Content-Length")
        task = progress.add_task(f"fetching {what}", total=int(size) if size else None)
        while chunk := answer.read(_CHUNK):
            come += len(chunk)
            if come > _MOST_BYTES:
                raise ToolError(f"{url} has more than {_MOST_BYTES:,} bytes; nothing was installed")
            digest.update(chunk)
            file.write(chunk)
            progress.advance(task, len(chunk))
    return digest.hexdigest()


def _install(tool: Tool, download: Path, scratch: Path, folder: Path) -> None:
    programs = {tool.name: download}
    if tool.file.endswith(".tar.gz"):
        programs = {}
        with tarfile.open(download) as archive:
            for member in archive:
                # Plain files of the one folder only, so that no name or link in an archive leads elsewhere; the
                # filter that does it is missing from Python 3.11.2, which Debian 12 has.
                name = PurePosixPath(member.name).name
                plain = member.isfile() and member.name == f"{tool.name}/{name}"
                if plain and (content := archive.extractfile(member)):
                    programs[name] = scratch / f"{name}.new"
                    with programs[name].open("wb") as file:
                        shutil.copyfileobj(content, file)
        if tool.name not in programs:
            raise ToolError(f"the archive holds no {tool.name}/{tool.name}")
    # The program itself comes last: if it is there, its companions are, too.
    for name in sorted(programs, key=lambda name: name == tool.name):
        programs[name].chmod(0o755)
        programs[name].replace(folder / name)


def docker() -> InstalledTool:
    """Docker, which cannot be downloaded into a folder."""
    where = shutil.which("docker")
    if not where:
        remedy = "not on PATH; install Docker Engine or Desktop: https://docs.docker.com/get-started/get-docker"
        return InstalledTool("docker", None, None, remedy)
    version = _printed(where, "version", "--format", "{{.Server.Version}}")
    return InstalledTool(
        "docker", version, where, None if version else "it does not answer; start it, and see: docker info"
    )


def main(
    names: Annotated[list[str] | None, typer.Argument(help="pulumi, kind, docker; all where none is named.")] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Finds pulumi, kind and docker, and downloads pulumi and kind into .tools/bin if PATH has no usable ones.

    It downloads the official releases, pinned by version and sha256.

    Exit status: 0 all are there, 1 docker is missing or does not answer, 2 a tool is missing and cannot be downloaded.
    """
    names = names or [*TOOLS, "docker"]
    if unknown := set(names) - {*TOOLS, "docker"}:
        stop(f"there is no tool {', '.join(sorted(unknown))}; name some of {', '.join(TOOLS)}, docker")
    found, errors = [], []
    for name in names:
        try:
            found.append(have(TOOLS[name], project_folder()) if name in TOOLS else docker())
        except (ProjectError, ToolError) as error:
            errors.append(str(error))
    if form is Format.JSON:
        print_json([dataclasses.asdict(tool) for tool in found])
    else:
        for tool in found:
            echo(f"{tool.name:8} {tool.version or '-':14} {tool.remedy or tool.where}")
    if errors:
        stop("\nhops: ".join(errors))
    if any(tool.remedy for tool in found):
        raise typer.Exit(Status.FINDINGS)
