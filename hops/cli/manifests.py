"""Reads manifests from files, folders and standard input."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import takewhile
from pathlib import Path

import yaml

from hops.kubernetes import objects
from hops.kubernetes.controller.secrets import KUSTOMIZE
from hops.kubernetes.values import JSON, at, sequence
from hops.model.finding import Place
from hops.observe.local.files import read_bounded
from hops.observe.rendered import RenderError, helm, kustomize
from hops.rules.files.documents import UnreadableError, documents, line, nodes
from hops.rules.formats import Unread

STDIN = "-"
_ENDS = (".json", ".yaml", ".yml")
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_PATH_KEYS = frozenset(
    {
        *("bases", "components", "configurations", "crds", "generators", "resources", "transformers", "validators"),
        *("patchesStrategicMerge", "path", "files", "env", "envs", "valuesFile", "additionalValuesFiles"),
    }
)
"""The keys of a Kustomization under which paths stand."""
_RESOURCES = ("bases", "components", "resources")
"""The keys of a Kustomization that name files, folders and addresses with objects."""


@dataclass
class File:
    """A file and its documents.

    name: path as given on the command line, or - for standard input.
    text: content.
    bodies: documents as JSON values; None for an empty document.
    by: command that rendered the text from the file and others, such as `helm template`; "" for the file's own text.
    """

    name: str
    text: str
    bodies: list[JSON]
    by: str = ""

    @cached_property
    def folder(self) -> str:
        """The folder of the file."""
        return str(Path(self.name).parent)

    @cached_property
    def _nodes(self) -> list[yaml.Node | None]:
        try:
            return nodes(self.text)
        except UnreadableError:
            return []

    def line(self, place: Place, path: str) -> int | None:
        """The line of a finding, from 1; None if unknown, as in a text that no file has."""
        if self.by:
            return None
        number = place.document or 0
        return line(self._nodes[number], place.within + path) if number < len(self._nodes) else None

    def declared(self) -> Iterator[tuple[JSON, Place]]:
        """The documents that are Kubernetes objects or kind configurations, with their places.

        Other YAML has neither a `kind` nor an apiVersion with a group or metadata, as a chart's Chart.yaml. The file of
        a Kustomization that was not rendered tells which ConfigMaps and Secrets it generates.
        """
        for number, body in enumerate(self.bodies):
            if not isinstance(body, dict):
                continue
            kind = body.get("kind")
            if _is_kustomization(body) if isinstance(kind, str) else _is_kustomization_file(self.name):
                generators = {key: body[key] for key in ("configMapGenerator", "secretGenerator") if key in body}
                if generators:
                    yield {"apiVersion": KUSTOMIZE, "kind": "Kustomization", **generators}, Place(self.name, number)
            elif isinstance(kind, str) or _lacks_kind(body):
                yield body, Place(self.name, number)


def _identity(body: JSON) -> tuple[str, ...] | None:
    """Group, kind, namespace and name of an object; None for other documents and for values that are no strings."""
    version, kind = at(body, "apiVersion"), at(body, "kind")
    if kind == "Policy" or not isinstance(version, str) or not isinstance(kind, str) or not objects.name(body):
        return None
    return version.rpartition("/")[0], kind, objects.namespace(body) or "", objects.name(body)


def _shared(one: str, other: str) -> int:
    """How many parts two paths have in common from the beginning."""
    pairs = zip(Path(one).parts, Path(other).parts, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _lacks_kind(body: Mapping[str, JSON]) -> bool:
    version = body.get("apiVersion")
    # A kind that is no string is a mistake of an object.
    meant = body.get("kind") is not None or objects.described(body)
    return isinstance(version, str) and ("/" in version or meant)


def _is_kustomization(body: JSON) -> bool:
    """Whether a document configures Kustomize; the API server has no such object."""
    if at(body, "kind") not in ("Component", "Kustomization"):
        return False
    version = at(body, "apiVersion")
    return version is None or str(version).partition("/")[0] == KUSTOMIZE.partition("/")[0]


@dataclass
class Manifests:
    """The files of a command.

    files: readable files by name, in the order of reading.
    unread: files that could not be read.
    notes: what was done with files that are no declarations, such as the patches of a Kustomization.
    """

    files: dict[str, File] = field(default_factory=dict)
    unread: list[Unread] = field(default_factory=list)
    notes: list[Unread] = field(default_factory=list)

    def declared(self) -> Iterator[tuple[JSON, Place]]:
        for file in self.files.values():
            yield from file.declared()

    def alternatives(self) -> list[list[str]]:
        """The names of the files that make one stack each: folders that declare the same object are not of one stack.

        A folder stands with those that share the most of its path, and with those that no other folder rivals.
        """
        holders: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for file in self.files.values():
            folder = file.folder
            for body, _ in file.declared():
                if identity := _identity(body):
                    holders[identity].add(folder)
        rivals: dict[str, set[str]] = defaultdict(set)
        for folders in holders.values():
            for folder in folders if len(folders) > 1 else ():
                rivals[folder] |= folders - {folder}
        stacks: dict[frozenset[str], None] = {}
        for folder in rivals:
            stack = {folder}
            for other in sorted(rivals, key=lambda other: (-_shared(folder, other), other)):
                if rivals[other].isdisjoint(stack):
                    stack.add(other)
            stacks[frozenset(stack)] = None
        return [
            [name for name, file in self.files.items() if file.folder in stack or file.folder not in rivals]
            for stack in stacks
        ] or [list(self.files)]


def read(paths: Iterable[str], *, render: bool = False) -> Manifests:
    """Reads each file once, even if several paths lead to it.

    paths: files, folders whose YAML and JSON files are read, or - for standard input.
    render: whether Kustomize folders and Helm charts are rendered, which runs programs.
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
                    bodies = documents(text)
                    listed = next((number for number, body in enumerate(bodies) if _lists_objects(body)), None)
                    if listed is None:
                        found.files[name] = File(name, text, bodies)
                    else:
                        found.unread.append(Unread(name, line(nodes(text)[listed], ""), _LISTED))
                except UnreadableError as error:
                    reason = _TEMPLATE if _ACTION.search(text) else str(error)
                    found.unread.append(Unread(name, error.line, reason, error.column))
                except UnicodeDecodeError as error:
                    before = error.object[: error.start]
                    column = len(before) - before.rfind(b"\n")
                    found.unread.append(Unread(name, before.count(b"\n") + 1, "the file is not UTF-8", column))
                except OSError as error:
                    found.unread.append(Unread(name, None, error.strerror or str(error)))
    if render:
        _render_charts(found)
        _render_kustomizations(found)
    _name_missing_resources(found)
    _leave_out_patches(found)
    return found


def _lists_objects(body: JSON) -> bool:
    """Whether a document is a list with an object of the API in it; a JSON patch, for example, has none."""
    return isinstance(body, list) and any(at(item, "apiVersion") and at(item, "kind") for item in body)


_LISTED = (
    "the document is a list of objects, and kubectl takes one object for each document; separate them with ---, or "
    "write them as items of {apiVersion: v1, kind: List}"
)
_ACTION = re.compile(r"\{\{-?\s*(?:[.$\"]|/\*|(?:define|else|end|if|include|range|template|toYaml|tpl|with)\b)")
"""An action of a Go template, as Helm's charts contain them."""
_TEMPLATE = (
    "this is a Helm template, or one of another tool; render it, a chart with `helm template`, and check the output"
)


def _render_charts(found: Manifests) -> None:
    """Replaces the files of each Helm chart by what it renders to."""
    charts = [
        name for name in found.files if Path(name).name == "Chart.yaml" and (Path(name).parent / "templates").is_dir()
    ]
    for name in charts:
        chart = Path(name).parent
        if any(Path(other).parent in chart.parents for other in charts):
            # A chart of another chart is rendered with it.
            continue
        if at(found.files[name].bodies[0] if found.files[name].bodies else None, "type") == "library":
            continue
        inside = partial(_below, chart)
        try:
            _replace(found, name, inside, *helm(chart))
        except FileNotFoundError:
            _drop(found, inside)
            reason = (
                "this is a Helm chart, and helm is not on PATH; render it with `helm template` and check the output"
            )
            found.unread.append(Unread(str(chart), None, reason))
        except (RenderError, UnreadableError) as error:
            _drop(found, inside)
            found.unread.append(Unread(str(chart), None, f"the chart cannot be rendered: {error}"))


def _below(folder: Path, name: str) -> bool:
    return folder in Path(name).parents


def _render_kustomizations(found: Manifests) -> None:
    """Replaces the files of each Kustomization that no other one includes by what it renders to."""
    roots = {
        os.path.realpath(name): name
        for name, file in found.files.items()
        if _is_kustomization_file(name) and all(map(_is_built, file.bodies))
    }
    reached = {root: _reached(root) for root in roots}
    for root, name in roots.items():
        if any(root in files for other, files in reached.items() if other != root):
            continue
        inside = partial(_among, reached[root])
        try:
            _replace(found, name, inside, *kustomize(Path(name).parent))
        except FileNotFoundError:
            continue
        except (RenderError, UnreadableError) as error:
            found.unread.append(Unread(name, None, f"the folder cannot be rendered: {error}"))


def _is_built(body: JSON) -> bool:
    """Whether Kustomize builds a document of a file with this name; a Component is only included by others."""
    return at(body, "kind") in (None, "Kustomization") and (at(body, "kind") is None or _is_kustomization(body))


def _among(files: Container[str], name: str) -> bool:
    return os.path.realpath(name) in files


def _is_kustomization_file(name: str) -> bool:
    return name.endswith(_KUSTOMIZATIONS) and Path(name).name in _KUSTOMIZATIONS


def _reached(root: str) -> set[str]:
    """The files that a Kustomization reads, as real paths."""
    seen: set[str] = set()
    rest = [root]
    while rest:
        path = rest.pop()
        if Path(path).is_dir():
            path = next((str(file) for name in _KUSTOMIZATIONS if (file := Path(path, name)).is_file()), path)
        path = os.path.realpath(path)
        if path in seen or not Path(path).is_file():
            continue
        seen.add(path)
        if _is_kustomization_file(path):
            with suppress(OSError, UnicodeDecodeError, UnreadableError):
                for body in documents(Path(path).read_text(encoding="utf-8")):
                    rest += [str(Path(path).parent / named) for named in _paths(body)]
    return seen


def _paths(kustomization: JSON) -> Iterator[str]:
    """The strings of a Kustomization that may name a file or a folder."""
    rest: list[tuple[str, JSON]] = [("", kustomization)]
    while rest:
        key, one = rest.pop()
        if isinstance(one, str) and key in _PATH_KEYS and "\n" not in one:
            # An entry of a generator may name a key, too.
            yield from filter(None, (one, one.partition("=")[2]))
        elif isinstance(one, Mapping):
            rest += one.items()
        elif isinstance(one, list):
            rest += ((key, item) for item in one)


def _replace(found: Manifests, name: str, inside: Callable[[str], bool], text: str, by: str) -> None:
    bodies = documents(text)
    _drop(found, inside)
    found.files[name] = File(name, text, bodies, by)
    found.notes.append(Unread(name, None, f"rendered with `{by}`; a finding has no line, and --fix does not patch it"))


def _drop(found: Manifests, inside: Callable[[str], bool]) -> None:
    for name in [name for name, file in found.files.items() if not file.by and inside(name)]:
        del found.files[name]
    found.unread = [unread for unread in found.unread if not inside(unread.file)]


def _leave_out_patches(found: Manifests) -> None:
    """Removes the files that a Kustomization names as patches: they are parts of objects."""
    patches: dict[str, str] = {}
    for name, file in found.files.items():
        for body in file.bodies if _is_kustomization_file(name) and not file.by else ():
            for path in _patches(body):
                patches[os.path.realpath(Path(name).parent / path)] = name
    for name in list(found.files):
        kustomization = patches.get(os.path.realpath(name)) if name != STDIN else None
        if kustomization:
            del found.files[name]
            found.notes.append(
                Unread(
                    name, None, f"left out: {kustomization} applies it as a patch; render it with `kubectl kustomize`"
                )
            )


def _name_missing_resources(found: Manifests) -> None:
    """Reports what a Kustomization that was not rendered reads beside the files: its objects may be anywhere."""
    names = (*found.files, *(unread.file for unread in found.unread))
    there = {os.path.realpath(name) for name in names if name != STDIN}
    folders = {str(folder) for name in there for folder in Path(name).parents}
    for name, file in found.files.items():
        for body in file.bodies if _is_kustomization_file(name) and not file.by else ():
            for entry in (one for key in _RESOURCES for one in sequence(at(body, key))):
                if not isinstance(entry, str) or "\n" in entry:
                    continue
                if os.path.realpath(Path(name).parent / entry) not in there | folders:
                    reason = (
                        f"{entry} is not among the files; render the folder with `kubectl kustomize`, or pass it, too"
                    )
                    found.unread.append(Unread(name, None, reason))


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
    return read_bounded(None if name == STDIN else Path(name)).decode()
