"""What Pulumi changes, in a few lines."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from hops.kubernetes.values import at
from hops.pull_requests.events import Preview, PreviewedResource

_OPS = {"create": "create", "update": "update", "replace": "replace", "delete": "delete"}
_DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
_FOLDED = 5
"""A component with more objects of one change is shown as a number."""
_MOST_LINES = 12
_FIELDS = 3
_BOOKKEEPING = (
    "metadata.annotations.ingress-hops~1spec",
    "metadata.annotations.ingress-hops~1address",
    "spec.template.metadata.annotations.ingress-hops~1spec",
)
"""Annotations that a preview compares: see components/workload.py."""
_LINES, _LINES_OF_A_BUILD = 8, 16
_BUILD = "hops.cli.image_build"
_INVOKED = "invocation of command:local:run returned an error: "
_OWN_COMMANDS = ("set -", _BUILD, "hops.cli.registries")
"""What the commands of components/ contain. They are left out of messages."""


def brief(said: Preview, *, would: bool = False) -> str:
    """How many objects change in which way, in one line."""
    counts = Counter(_OPS[each.op] for each in _changed(said))
    words = {op: f"to {op}" for op in _OPS} if would else _DONE
    return ", ".join(f"{counts[op]} {words[op]}" for op in _OPS if counts[op]) or "no changes"


def lines_of(said: Preview) -> list[str]:
    """Each change by component; a long list is folded into its number."""
    lines = list(_lines(said))
    rest = len(lines) - _MOST_LINES
    return lines if rest <= 1 else [*lines[:_MOST_LINES], f"and {rest} more; all of them: VERBOSE=1"]


def _lines(said: Preview) -> Iterator[str]:
    signs = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
    # The engine registers resources in another order each time.
    found = sorted(_changed(said), key=lambda each: (list(_OPS).index(each.op), _component(each), _name(each)))
    for (op, component), group in groupby(found, key=lambda each: (each.op, _component(each))):
        each = list(group)
        if len(each) > _FOLDED:
            yield f"{signs[op]} {component}: {len(each)} objects"
        elif op in ("create", "delete"):
            yield f"{signs[op]} {component}: {', '.join(map(_name, each))}"
        else:
            for one in each:
                yield f"{signs[op]} {component}: {_name(one)}{_fields(one)}"


def _changed(said: Preview) -> list[PreviewedResource]:
    """The objects that change; providers and components only group them."""
    return [
        each
        for each in said.resources.values()
        if each.op in _OPS and not each.type.startswith(("ingress-hops:", "pulumi:"))
    ]


def _component(each: PreviewedResource) -> str:
    if each.component in ("Workload", "Ingress"):
        return f"{each.component.lower()} {each.parent}"
    if each.component == "Image":
        return f"build {each.parent}"
    return {"KindCluster": "cluster", "": "stack"}.get(each.component, each.component)


def _name(each: PreviewedResource) -> str:
    if each.type == "command:local:Command":
        if image := each.inputs.get("/environment/BUILT_IMAGE"):
            return f"image {image}"
        if "/environment/REGISTRIES_OF" in each.inputs:
            return "mirrors of registries"
        return f"kind cluster {each.inputs.get('/environment/CLUSTER', each.name)}"
    kind, name = each.type.rpartition(":")[2], each.inputs.get("/metadata/name", each.name)
    namespace = each.inputs.get("/metadata/namespace")
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _fields(each: PreviewedResource) -> str:
    """Which inputs differ. A text that holds JSON, such as kind's configuration, is shown as a whole."""
    names = list(
        dict.fromkeys(re.sub(r"/\d+(?=/|$)", "[]", place).strip("/").replace("/", ".") for place in each.changed)
    )
    # A digest of what changes says nothing beside it.
    names = [name for name in names if name not in _BOOKKEEPING]
    # An empty map is a value of its own to JSON pointers, and its first key another.
    names = [name for name in names if not any(other.startswith(f"{name}.") for other in names)]
    if not names:
        return ""
    return f": {', '.join(names[:_FIELDS])}" + (f" and {len(names) - _FIELDS} more" if len(names) > _FIELDS else "")


def object_name(metadata: Mapping[str, Any]) -> str:
    """What a resource is called while it is worked on. metadata: of the engine's event."""
    kind, urn = str(metadata.get("type")), str(metadata.get("urn"))
    state = metadata.get("new") or metadata.get("old") or {}
    if kind == "command:local:Command":
        if image := at(state, "inputs", "environment", "BUILT_IMAGE"):
            return f"image {image}"
        if at(state, "inputs", "environment", "REGISTRIES_OF"):
            return "mirrors of registries"
        return f"kind cluster {at(state, 'inputs', 'environment', 'CLUSTER') or ''}".strip()
    if not kind.startswith("kubernetes:"):
        return ""
    name, namespace = at(state, "inputs", "metadata", "name"), at(state, "inputs", "metadata", "namespace")
    name = name or urn.rpartition("::")[2]
    return f"{kind.rpartition(':')[2]} {f'{namespace}/' if namespace else ''}{name}"


def sentence(text: str) -> str:
    """A message without the shell script of the command that failed, and of a few lines at most."""
    # What a command says that the program runs ends a traceback of the program.
    text = text.rpartition(_INVOKED)[2]
    most = _LINES_OF_A_BUILD if _BUILD in text else _LINES
    if "running " in text and any(word in text for word in _OWN_COMMANDS):
        head, _, rest = text.partition("running ")
        # The script is quoted on one line, or stands there as it is: what the command printed follows it.
        match = re.match(r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'):?\s*""", rest, re.DOTALL)
        rest = rest[match.end() :] if match else rest.rpartition(":\n")[2]
        text = f"{head.rstrip(' :')}: {rest}"
    lines = [line.rstrip() for line in text.strip().splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("an unhandled error occurred: the program exited")]
    if len(lines) > most:
        lines = [lines[0], f"({len(lines) - most} lines left out; all of them: VERBOSE=1)", *lines[-most + 1 :]]
    return "\n".join(lines)
