"""Reads the build contexts of a stack's services, and names the images that they make."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hops.model.images.dockerfile import copied, problem
from hops.model.images.dockerignore import Ignored, IgnoreError
from hops.model.images.image import Build, ContextFile, digest, ignored_by
from hops.model.settings.service_settings import BuildSettings, ServiceSettings
from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_settings import Settings

_CHUNK = 1 << 20


class BuildError(RuntimeError):
    """A service that cannot be built. The text has one line per problem: key, value, bound and remedy."""


def builds(project: Path, settings: Settings) -> dict[str, Build]:
    """The build of each service that has one, by NAMESPACE/NAME.

    project: the project's folder; contexts are relative to it and inside it.
    settings: the stack's settings.

    Raises BuildError.
    """
    found: dict[str, Build] = {}
    problems = []
    for number, service in enumerate(settings.services):
        if service.build is None:
            continue
        try:
            build = _build(project.resolve(), str(settings.cluster.kind_name), service, service.build)
        except (BuildError, IgnoreError, OSError, UnicodeDecodeError) as error:
            problems.append(f"{NAMESPACE}:services[{number}].build{_reason(error)}")
        else:
            found[build.service] = build
    if problems:
        raise BuildError("\n".join(problems))
    return found


def with_images(settings: Settings, found: Mapping[str, Build]) -> Settings:
    """The settings with the name of its image in each service that is built.

    settings: the stack's settings.
    found: of `builds`.
    """
    services = tuple(
        service.model_copy(update={"image": build.image})
        if (build := found.get(f"{service.namespace}/{service.name}"))
        else service
        for service in settings.services
    )
    return settings.model_copy(update={"services": services})


def _reason(error: Exception) -> str:
    if isinstance(error, BuildError):
        return str(error)
    if isinstance(error, OSError):
        return f": {error.filename} cannot be read ({error.strerror}); make it readable, or name it in .dockerignore"
    if isinstance(error, UnicodeDecodeError):
        return ": the Dockerfile or its .dockerignore is not UTF-8; save it as UTF-8"
    return f": {error}"


def _build(project: Path, cluster: str, service: ServiceSettings, of: BuildSettings) -> Build:
    context = _inside(project, project, ".context", of.context)
    if not context.is_dir():
        raise BuildError(f".context is {of.context}: there is no folder {context}; correct it, or create the folder")
    dockerfile = _inside(project, context, ".dockerfile", of.dockerfile)
    if not dockerfile.is_file():
        raise BuildError(
            f".dockerfile is {of.dockerfile}: there is no file {dockerfile}; write it, or name another, relative to "
            "the context"
        )
    return read_build(
        f"{service.namespace}/{service.name}",
        cluster,
        context=context,
        dockerfile=dockerfile,
        target=of.target,
        args=of.args,
    )


def read_build(
    service: str, cluster: str, *, context: Path, dockerfile: Path, target: str | None, args: Mapping[str, str]
) -> Build:
    """Reads everything that goes into an image.

    service: the service that runs the image, as NAMESPACE/NAME.
    cluster: the kind cluster that it is loaded into.
    context: absolute path of the folder.
    dockerfile: absolute path of the Dockerfile.
    target: the stage to build; None for the last one.
    args: build arguments by name.

    Raises BuildError, IgnoreError, OSError or UnicodeDecodeError.
    """
    text = dockerfile.read_text(encoding="utf-8")
    if why := problem(text, target):
        raise BuildError(f": {why} ({dockerfile})")
    # BuildKit prefers the ignore file of the Dockerfile to that of the context.
    ignore_files = (dockerfile.with_name(f"{dockerfile.name}.dockerignore"), context / ".dockerignore")
    ignore = next((file for file in ignore_files if file.is_file()), None)
    left_out = ignored_by(ignore.read_text(encoding="utf-8") if ignore else "", str(ignore))
    files = list(_listing(context, left_out))
    _check_copied(text, target, context, {file.path: file for file in files}, ignore)
    folders = sorted({"", *(file.path for file in files if stat.S_ISDIR(file.mode))})
    return Build(
        service=service,
        cluster=cluster,
        context=str(context),
        dockerfile=str(dockerfile),
        target=target,
        args=args,
        digest=digest(text, target, args, files),
        folders=folders,
    )


def _check_copied(
    dockerfile: str, target: str | None, context: Path, files: Mapping[str, ContextFile], ignore: Path | None
) -> None:
    """Raises BuildError if the Dockerfile copies what the builder does not get."""
    for each in copied(dockerfile, target):
        through_link = any(stat.S_ISLNK(files[above].mode) for above in _above(each.path) if above in files)
        if not each.path or each.path in files or through_link:
            continue
        if ignore and (context / each.path).exists():
            why = f"{ignore} leaves it out; add the line !{each.path} to that file, or correct the Dockerfile"
        else:
            why = f"{context} has no such file; create it, or correct the Dockerfile"
        raise BuildError(f".dockerfile: line {each.line} copies {each.path}, and {why}")


def _inside(project: Path, folder: Path, key: str, path: str) -> Path:
    found = (folder / path).resolve()
    if not found.is_relative_to(project):
        raise BuildError(f"{key} is {path}: {found} is outside the project's folder {project}; take a place inside it")
    return found


def _listing(context: Path, left_out: Ignored) -> Iterator[ContextFile]:
    """The entries of a context that are not left out, and the folders above those that are taken back in."""
    listed: dict[str, ContextFile] = {}
    for path, entry in _walk(str(context), "", left_out):
        if left_out(path):
            continue
        listed[path] = _file(path, entry)
        for above in _above(path):
            if above not in listed:
                listed[above] = ContextFile(above, (context / above).lstat().st_mode, "")
    yield from listed.values()


def _above(path: str) -> Sequence[str]:
    parts = path.split("/")
    return ["/".join(parts[:number]) for number in range(1, len(parts))]


def _walk(context: str, folder: str, left_out: Ignored) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(os.path.join(context, folder)) as entries:  # noqa: PTH118 - a pathlib walk takes twice as long
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            yield path, entry
            if entry.is_dir(follow_symlinks=False) and (left_out.takes_back or not left_out(path)):
                yield from _walk(context, path, left_out)


def _file(path: str, entry: os.DirEntry[str]) -> ContextFile:
    mode = entry.stat(follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        return ContextFile(path, stat.S_IFLNK, os.readlink(entry.path))  # noqa: PTH115 - the text, not a path
    if stat.S_ISDIR(mode):
        return ContextFile(path, mode, "")
    if not stat.S_ISREG(mode):
        # Docker leaves out sockets, and refuses to read pipes and devices.
        return ContextFile(path, stat.S_IFMT(mode), "")
    sha256 = hashlib.sha256()
    try:
        with open(entry.path, "rb") as file:  # noqa: PTH123 - the entry has its path as a text
            while chunk := file.read(_CHUNK):
                sha256.update(chunk)
    except OSError as error:
        # An editor's temporary file may be gone by now.
        if error.errno != errno.ENOENT:
            raise
    return ContextFile(path, mode, sha256.hexdigest())
