"""Reads manifests from files, folders and standard input."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml

from hops.kubernetes.values import JSON, at, sequence
from hops.model.finding import Place
from hops.rules.files.documents import UnreadableError, documents, line, nodes
from hops.rules.formats import Unread

STDIN = "-"
_ENDS = (".json", ".yaml", ".yml")


@dataclass
class File:
    """A file and its documents.

    name: path as given on the command line, or - for standard input.
    text: content.
    bodies: documents as JSON values; None for an empty document.
    """

    name: str
    text: str
    bodies: list[JSON]

    @cached_property
    def _nodes(self) -> list[yaml.Node | None]:
        try:
            return nodes(self.text)
        except UnreadableError:
            return []

    def line(self, place: Place, path: str) -> int | None:
        """The line of a finding, from 1; None if unknown."""
        number = place.document or 0
        return line(self._nodes[number], place.within + path) if number < len(self._nodes) else None

    def declared(self) -> Iterator[tuple[JSON, Place]]:
        """The documents that are Kubernetes objects or kind configurations, with their places.

        Other YAML has neither a `kind` nor an apiVersion with a group or metadata, as a chart's Chart.yaml.
        """
        for number, body in enumerate(self.bodies):
            known = isinstance(body, dict) and (isinstance(body.get("kind"), str) or _lacks_kind(body))
            if known and not _is_kustomization(body):
                yield body, Place(self.name, number)


def _lacks_kind(body: Mapping[str, JSON]) -> bool:
    version = body.get("apiVersion")
    return isinstance(version, str) and ("/" in version or isinstance(body.get("metadata"), dict))


def _is_kustomization(body: JSON) -> bool:
    """Whether a document configures Kustomize; the API server has no such object."""
    version = at(body, "apiVersion")
    return at(body, "kind") in ("Component", "Kustomization") and (
        version is None or str(version).startswith("kustomize.config.k8s.io/")
    )


@dataclass
class Manifests:
    """The files of a command.

    files: readable files by name, in the order of reading.
    unread: files that could not be read.
    left_out: files that were read and are no declarations, such as the patches of a Kustomization.
    """

    files: dict[str, File] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    left_out: list[Unread] = field(default_factory=list)

    def declared(self) -> Iterator[tuple[JSON, Place]]:
        for file in self.files.values():
            yield from file.declared()


def read(paths: Iterable[str]) -> Manifests:
    """Reads each file once, even if several paths lead to it.

    paths: files, folders whose YAML and JSON files are read, or - for standard input.
    """
    found = Manifests()
    seen: set[str] = set()
    for path in paths:
        for name in _names(path, found.unread):
            real = name if name == STDIN else os.path.realpath(name)
            if real not in seen:
                seen.add(real)
                try:
                    text = _text(name)
                    found.files[name] = File(name, text, documents(text))
                except UnreadableError as error:
                    reason = _TEMPLATE if _ACTION.search(text) else str(error)
                    found.unread.append(Unread(name, error.line, reason, error.column))
                except UnicodeDecodeError as error:
                    before = error.object[: error.start]
                    column = len(before) - before.rfind(b"\n")
                    found.unread.append(Unread(name, before.count(b"\n") + 1, "the file is not UTF-8", column))
                except OSError as error:
                    found.unread.append(Unread(name, None, error.strerror or str(error)))
    _leave_out_patches(found)
    return found


_ACTION = re.compile(r"\{\{-?\s*(?:[.$\"]|/\*|(?:define|else|end|if|include|range|template|toYaml|tpl|with)\b)")
"""An action of a Go template, as Helm's charts contain them."""
_TEMPLATE = "this is a Helm template; render the chart with `helm template` and check the output"


def _leave_out_patches(found: Manifests) -> None:
    """Removes the files that a Kustomization names as patches: they are parts of objects."""
    patches: dict[str, str] = {}
    for name, file in found.files.items():
        for body in file.bodies if Path(name).stem.lower() == "kustomization" else ():
            for path in _patches(body):
                patches[os.path.realpath(Path(name).parent / path)] = name
    for name in list(found.files):
        kustomization = patches.get(os.path.realpath(name)) if name != STDIN else None
        if kustomization:
            del found.files[name]
            found.left_out.append(
                Unread(
                    name, None, f"left out: {kustomization} applies it as a patch; render it with `kubectl kustomize`"
                )
            )


def _patches(kustomization: JSON) -> Iterator[str]:
    """The paths of the patch files of a Kustomization."""
    for key in ("patches", "patchesJson6902", "patchesStrategicMerge"):
        for entry in sequence(at(kustomization, key)):
            path = entry if key == "patchesStrategicMerge" else at(entry, "path")
            if isinstance(path, str) and "\n" not in path:
                yield path


def _names(path: str, unread: list[Unread]) -> Iterator[str]:
    if path == STDIN or not Path(path).is_dir():
        yield path
        return
    below: list[str] = []
    unreadable: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=unreadable.append):
        # Hidden folders such as .git and .venv contain YAML that is not applied.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below += [str(Path(folder, name)) for name in sorted(names) if name.endswith(_ENDS)]
    unread += [Unread(str(error.filename), None, error.strerror or str(error)) for error in unreadable]
    if not below and not unreadable:
        unread.append(Unread(path, None, "the folder contains no YAML or JSON file"))
    for name in below:
        # A named pipe is read if given as a path; in a folder, reading it could block forever.
        if Path(name).is_file() or not Path(name).exists():
            yield name
        else:
            unread.append(Unread(name, None, "not a regular file"))


def _text(name: str) -> str:
    data = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
    return data.decode()
