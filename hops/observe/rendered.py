"""Renders Kustomize folders and Helm charts with the programs of this machine, without a network and in bounds."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

SECONDS = 60.0
MOST_BYTES = 32 * 1024 * 1024
_STEP = 0.02
_NOWHERE = "http://127.0.0.1:9"
"""The port of the discard service as proxy: nothing listens there, so every download fails at once."""


class RenderError(RuntimeError):
    """A folder cannot be rendered; the message is the reason, one sentence without a full stop."""


def kustomize(folder: Path) -> tuple[str, str]:
    """The objects of a Kustomize folder as YAML, and the command that rendered it.

    The program runs no plugin, no function and no Helm, because these need flags that are not given.

    Raises FileNotFoundError if there is no program, and RenderError.
    """
    if found := shutil.which("kustomize"):
        return _run([found, "build", str(folder)]), "kustomize build"
    return _run([_program("kubectl"), "kustomize", str(folder)]), "kubectl kustomize"


def helm(chart: Path) -> tuple[str, str]:
    """The objects of a Helm chart with its default values as YAML, and the command that rendered it.

    Raises FileNotFoundError if there is no program, and RenderError.
    """
    name = "".join(c if c.isalnum() else "-" for c in chart.resolve().name.lower()).strip("-")[:53] or "chart"
    return _run([_program("helm"), "template", name, str(chart), "--include-crds"]), "helm template"


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(name)
    return found


def _run(command: Sequence[str]) -> str:
    with TemporaryFile() as output, TemporaryFile() as errors, TemporaryDirectory() as empty:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=_environment(empty),
                start_new_session=True,
            )
        except OSError as error:
            raise RenderError(f"{command[0]} does not start: {error.strerror or error}") from None
        try:
            _wait(process, (output, errors), Path(command[0]).name)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode:
            raise RenderError(_reason(errors, f"{Path(command[0]).name} ended with {process.returncode}"))
        output.seek(0)
        try:
            return output.read().decode()
        except UnicodeDecodeError:
            raise RenderError(f"the output of {Path(command[0]).name} is not UTF-8") from None


def _wait(process: subprocess.Popen[bytes], files: Sequence[IO[bytes]], name: str) -> None:
    end = time.monotonic() + SECONDS
    while process.poll() is None:
        if any(os.fstat(file.fileno()).st_size > MOST_BYTES for file in files):
            raise RenderError(f"{name} wrote more than {MOST_BYTES // 1024 // 1024} MiB")
        if time.monotonic() > end:
            raise RenderError(f"{name} took longer than {SECONDS:.0f} s")
        time.sleep(_STEP)


def _environment(empty: str) -> Mapping[str, str]:
    """What a program needs to start; no secret of the caller, no plugin, no cluster, no way to a network."""
    kept = {key: os.environ[key] for key in ("HOME", "PATH") if key in os.environ}
    proxies = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY")
    return {
        **kept,
        **dict.fromkeys((*proxies, *map(str.lower, proxies)), _NOWHERE),
        "GIT_ALLOW_PROTOCOL": "none",
        "HELM_PLUGINS": empty,
        "HELM_REPOSITORY_CACHE": empty,
        "KUBECONFIG": os.devnull,
    }


def _reason(errors: IO[bytes], otherwise: str) -> str:
    errors.seek(0)
    lines = errors.read(64 * 1024).decode(errors="replace").strip().splitlines()
    said = lines[-1].strip() if lines else otherwise
    for begin in ("Error: ", "error: "):
        said = said.removeprefix(begin)
    return said[:500].rstrip(".")
