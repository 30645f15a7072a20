"""An image that the project builds: its name follows from everything that goes into it."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hops.model.images.dockerignore import Ignored, IgnoreError, ignored

REGISTRY = "ingress-hops.invalid"
"""The registry in the names of built images. No name ends in .invalid (RFC 6761, section 6.4): a node that lacks such
an image cannot pull a stranger's."""

_DIGITS = 16


@dataclass(frozen=True)
class ContextFile:
    """An entry of a context.

    path: relative to the context, with slashes.
    mode: kind and permissions, as `os.lstat` gives them.
    content: the sha256 of a file, the target of a link, "" for a folder.
    """

    path: str
    mode: int
    content: str


@dataclass(frozen=True)
class Build:
    """How an image is built.

    service: the service that runs the image, as NAMESPACE/NAME.
    cluster: the kind cluster that it is loaded into.
    context: absolute path of the folder.
    dockerfile: absolute path of the Dockerfile.
    target: the stage to build; None for the last one.
    args: build arguments by name.
    digest: of everything that goes into the image.
    folders: the context's folders that hold files of the image, relative to it; "" is the context itself.
    """

    service: str
    cluster: str
    context: str
    dockerfile: str
    target: str | None
    args: Mapping[str, str]
    digest: str
    folders: Sequence[str] = ("",)

    @property
    def repository(self) -> str:
        """The image's name without its tag."""
        return f"{REGISTRY}/{self.cluster}/{self.service}"

    @property
    def image(self) -> str:
        """The image's name: another one for each content."""
        return f"{self.repository}:{self.digest}"


def digest(dockerfile: str, target: str | None, args: Mapping[str, str], files: Iterable[ContextFile]) -> str:
    """The digest of everything that goes into an image. Times and owners do not: Docker's own cache ignores them.

    dockerfile: its content.
    target: the stage to build; None for the last one.
    args: build arguments by name.
    files: the context, without what .dockerignore leaves out, in any order.
    """
    entries = sorted((file.path, file.mode, file.content) for file in files)
    whole: Any = [dockerfile, target, sorted(args.items()), entries]
    return hashlib.sha256(json.dumps(whole).encode(errors="surrogateescape")).hexdigest()[:_DIGITS]


def ignored_by(text: str, where: str) -> Ignored:
    """Reads a .dockerignore file.

    text: its content.
    where: the file's name, for messages.

    Raises IgnoreError with the file's name.
    """
    try:
        return ignored(text)
    except IgnoreError as error:
        raise IgnoreError(f"{where}, {error}") from None
