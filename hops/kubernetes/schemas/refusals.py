"""What a schema refuses in an object, each with its place, its reason and, where it is certain, its correction."""

import difflib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import jsonschema_rs

from hops.kubernetes.schemas.catalogue import Validator
from hops.kubernetes.values import JSON, UNKNOWN, at, pointer

Operations = tuple[Mapping[str, Any], ...]

_ARTICLES = {
    "array": "a list",
    "boolean": "a boolean",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a mapping",
    "string": "a string",
}
_BOUNDS = {
    "exclusiveMaximum": "less than {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "maxItems": "a list of at most {} entries",
    "maxLength": "a text of at most {} characters",
    "maxProperties": "a mapping of at most {} entries",
    "minimum": "at least {}",
    "minItems": "a list of at least {} entries",
    "minLength": "a text of at least {} characters",
    "minProperties": "a mapping of at least {} entries",
    "pattern": "a text that matches {}",
}
_LONGEST = 60
_MOST_FIELDS = 12
_ANY_SCALAR = frozenset({"boolean", "number", "string"})
_ANY_UNIT = "infinity"


class Fault(StrEnum):
    """The kind of a refusal."""

    VERSION = "version"
    FIELD = "field"
    TYPE = "type"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason for which an object is refused.

    fault: its kind.
    path: JSON pointer inside the object.
    message: one sentence.
    remedy: what to write instead, in the imperative.
    patch: RFC 6902 operations that remove it; empty where the intended value is not certain.
    """

    fault: Fault
    path: str
    message: str
    remedy: str
    patch: Operations = ()


def refusals(validator: Validator, body: Mapping[str, JSON], moved: Mapping[str, str] | None = None) -> list[Refusal]:
    """What the schema of an object refuses; values that a preview does not know are accepted.

    validator: the schema.
    body: the object.
    moved: the successor of each retired field, as text.
    """
    try:
        if validator.compiled.is_valid(body):
            return []
    except ValueError:
        # A value that is not JSON: UNKNOWN, or one of YAML's own types.
        pass
    unknown: set[tuple[str | int, ...]] = set()
    known = _known(body, (), unknown)
    reader = _Reader(validator, known, unknown, moved or {})
    try:
        errors = _without_misnamed(list(validator.compiled.iter_errors(known)))
        return [refusal for error, missing in errors for refusal in reader.read(error, missing)]
    except ValueError:
        # Half a surrogate pair, or nested deeper than the library reads. The readers of files refuse both.
        return []


def _without_misnamed(
    errors: Sequence[jsonschema_rs.ValidationError],
) -> Iterator[tuple[jsonschema_rs.ValidationError, str]]:
    """The errors, without those about the form of a value of a wrong type.

    One unknown and one missing field of a mapping are one error, which gets the missing field's name.
    """
    unknown: dict[tuple[str | int, ...], list[str]] = defaultdict(list)
    missing: dict[tuple[str | int, ...], list[str]] = defaultdict(list)
    mistyped = {tuple(error.instance_path) for error in errors if str(error.kind.name) == "type"}
    errors = [e for e in errors if str(e.kind.name) != "enum" or tuple(e.instance_path) not in mistyped]
    for error in errors:
        kind: Any = error.kind
        if kind.name == "additionalProperties":
            unknown[tuple(error.instance_path)] += kind.unexpected
        elif kind.name == "required":
            missing[tuple(error.instance_path)].append(str(kind.property))
    for error in errors:
        path = tuple(error.instance_path)
        misnamed = len(unknown.get(path, ())) == len(missing.get(path, ())) == 1
        if misnamed and str(error.kind.name) == "additionalProperties":
            yield error, missing[path][0]
        elif not (misnamed and str(error.kind.name) == "required"):
            yield error, ""


def dotted(path: Iterable[str | int]) -> str:
    """A path as people write it, such as `spec.ports[0].nodePort`; a key with a dot is in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif "." in part or "/" in part:
            text += f"[{json.dumps(part)}]"
        else:
            text += f".{part}" if text else part
    return text or "the object"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a misspelt one means; None if none or several are near."""
    names = list(known)
    same = [other for other in names if other.lower() == name.lower()]
    close = same or difflib.get_close_matches(name, names, 2, 0.8)
    if len(close) == 2 and _likeness(name, close[0]) - _likeness(name, close[1]) < 0.03:
        return None
    return close[0] if close else None


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, one).ratio()


def _known(value: JSON, path: tuple[str | int, ...], unknown: set[tuple[str | int, ...]]) -> JSON:
    """A copy that the library can read: null for an UNKNOWN value, whose path is noted, and text for other types."""
    if value is UNKNOWN:
        unknown.add(path)
        return None
    if isinstance(value, Mapping):
        return {str(key): _known(item, (*path, str(key)), unknown) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_known(item, (*path, index), unknown) for index, item in enumerate(value)]
    return value if isinstance(value, str | int | float | None) else str(value)


class _Reader:
    """Reads the errors of one object."""

    def __init__(
        self, validator: Validator, body: JSON, unknown: set[tuple[str | int, ...]], moved: Mapping[str, str]
    ) -> None:
        self.validator = validator
        self.body = body
        self.unknown = unknown
        self.moved = moved

    def read(self, error: jsonschema_rs.ValidationError, missing: str = "") -> Iterator[Refusal]:
        path = tuple(error.instance_path)
        kind: Any = error.kind
        name = str(kind.name)
        combined = name in ("allOf", "anyOf", "not", "oneOf")
        if any(path == u[: len(path)] if combined else u == path for u in self.unknown):
            return
        schema = self.validator.node(tuple(error.schema_path)[:-1])
        match name:
            case "additionalProperties":
                yield self._fields(path, list(kind.unexpected), schema, missing)
            case "type":
                yield self._type(path, error.instance, schema)
            case "required":
                field = str(kind.property)
                yield Refusal(
                    Fault.VALUE,
                    pointer("", *path, field),
                    f"{dotted(path)} has no {field}, which is required.",
                    f"Set {dotted((*path, field))}.",
                )
            case "propertyNames":
                key = str(kind.error.instance)
                yield self._value((*path, key), f"the key {self._shown(path, key)}", key, schema)
            case _:
                shown = self._shown(path, error.instance)
                yield self._value(path, f"{dotted(path)} is {shown}, which", error.instance, schema, name)

    def _fields(
        self, path: tuple[str | int, ...], names: Sequence[str], schema: Mapping[str, Any], missing: str
    ) -> Refusal:
        """Several unknown fields of one mapping are one refusal. missing: the required field that one of them means."""
        known = list(schema.get("properties", ()))
        there = at(self.body, *path)
        remedies: list[str] = []
        patch: list[Mapping[str, Any]] = []
        for name in names:
            successor = self.moved.get(name, "")
            near = missing or nearest(name, (key for key in known if key not in there))
            near = successor if successor in known and successor not in there else near
            if name.startswith("$"):
                remedies.append(f"pass the file to Kustomize as a patch, or remove {name}, which only a patch has")
            elif successor not in ("", near):
                remedies.append(f"write {self.moved[name]} instead of {name}")
            elif near:
                remedies.append(f"rename {name} to {near}")
                patch.append({"op": "move", "from": pointer("", *path, name), "path": pointer("", *path, near)})
            elif place := next(
                (place for place in self.validator.places(name, at(there, name)) if _same_branch(path, place[:-1])),
                None,
            ):
                remedies.append(f"move {name} to {dotted(place).replace('.*', '[]')}")
            elif taken := nearest(name, known):
                remedies.append(f"write what {name} has into {taken}, and remove {name}")
            elif len(known) > _MOST_FIELDS or not known:
                remedies.append(f"remove {name}")
            else:
                remedies.append(f"remove {name}; the fields are {', '.join(sorted(known))}")
        shown = ", ".join(names)
        exist = "fields that do not exist" if len(names) > 1 else "a field that does not exist"
        return Refusal(
            Fault.FIELD,
            pointer("", *path, names[0]),
            f"{dotted(path)} has {exist}: {shown}.",
            _sentence(", and ".join(remedies)),
            # A patch that corrects some of the fields would leave the object refused.
            tuple(patch) if len(patch) == len(names) else (),
        )

    def _type(self, path: tuple[str | int, ...], value: JSON, schema: Mapping[str, Any]) -> Refusal:
        given = schema.get("type", ())
        types = [given] if isinstance(given, str) else [type_ for type_ in given if type_ != "null"]
        expected = "a text" if _ANY_SCALAR.issubset(types) else " or ".join(_ARTICLES[type_] for type_ in types)
        corrected = _corrected(value, types)
        options = [str(option) for option in schema.get("enum", ()) if option not in ("", None)]
        form = f"one of {', '.join(options)}" if options else schema.get("title", expected)
        remedy = f"Write {form}"
        failed = _failed(schema, corrected) if corrected is not None else ""
        if failed:
            # The value in quotes would be refused next, such as the duration "30".
            remedy = self._value(path, "", corrected, schema, failed).remedy.removesuffix(".")
            corrected = None
        elif corrected is not None:
            hidden = self._shown(path, value) == _HIDDEN
            remedy = "Write it in quotes" if "string" in types else "Write it without quotes"
            remedy += "" if hidden else f": {json.dumps(corrected)}"
        elif "string" in types and isinstance(value, float):
            remedy = "Write it in quotes"
        elif inside := self._inside(path, value, schema):
            remedy += inside
        return Refusal(
            Fault.TYPE,
            pointer("", *path),
            f"{dotted(path)} is {_described(value, self._shown(path, value))}; it must be {expected}.",
            f"{remedy}.",
            () if corrected is None else ({"op": "replace", "path": pointer("", *path), "value": corrected},),
        )

    def _inside(self, path: tuple[str | int, ...], value: JSON, schema: Mapping[str, Any]) -> str:
        """How a list or mapping takes the value that stands in its place, after its article; "" if that is unclear."""
        shown = "" if isinstance(value, dict | list) else self._shown(path, value)
        if value is None or shown == _HIDDEN or shown.endswith("…"):
            return ""
        if re.fullmatch(r'"[A-Za-z][\w./-]*"', shown):
            shown = shown.strip('"')
        if "items" in schema:
            fits = self.validator.takes(schema["items"], value)
            return "" if not fits else f": [{shown}]" if shown else " that has the mapping as its item"
        fields = schema.get("properties", {})
        fitting = [key for key, part in fields.items() if self.validator.takes(part, value)]
        if shown and len(fitting) == 1:
            return f": {{{fitting[0]}: {shown}}}"
        return f" with the fields {', '.join(sorted(fields))}" if 0 < len(fields) <= _MOST_FIELDS else ""

    def _value(
        self, path: tuple[str | int, ...], subject: str, value: JSON, schema: Mapping[str, Any], name: str = "pattern"
    ) -> Refusal:
        options = [option for option in schema.get("enum", ()) if option not in ("", None)]
        near = nearest(value, map(str, options)) if options and isinstance(value, str) else None
        detail = ""
        if options:
            bound = f"one of {', '.join(map(str, options))}" if len(options) > 1 else str(options[0])
        elif "title" in schema:
            # The part behind the colon says what such a value consists of.
            bound, detail = schema["title"].partition(":")[0], schema["title"]
        elif name in _BOUNDS and name in schema:
            bound = _BOUNDS[name].format(schema[name])
            if _ANY_UNIT in bound and isinstance(value, str) and value.replace(".", "", 1).isdigit():
                bound = f"a duration with its unit, such as {value}s, or infinity"
        else:
            bound = "in a form that the schema allows"
        return Refusal(
            Fault.VALUE,
            pointer("", *path),
            f"{subject} is not {bound}.",
            f"Write {near or detail or bound}.",
            ({"op": "replace", "path": pointer("", *path), "value": near},) if near else (),
        )

    def _shown(self, path: tuple[str | int, ...], value: JSON) -> str:
        if at(self.body, "kind") == "Secret" and path[:1] in (("data",), ("stringData",)):
            return _HIDDEN
        if isinstance(value, dict | list):
            return _ARTICLES["object" if isinstance(value, dict) else "array"]
        shown = json.dumps(value, ensure_ascii=False)
        return shown if len(shown) <= _LONGEST else shown[:_LONGEST] + "…"


def _same_branch(one: Sequence[str | int], other: Sequence[str | int]) -> bool:
    """Whether one of two paths leads through the other; `*` is any item of a list."""
    return all(a in (b, "*") or (isinstance(a, int) and b == "*") for a, b in zip(one, other, strict=False))


_HIDDEN = "a hidden value"


def _described(value: JSON, shown: str) -> str:
    if isinstance(value, bool):
        return f"the boolean {shown}"
    if isinstance(value, int | float):
        return f"the number {shown}"
    return f"the string {shown}" if isinstance(value, str) else shown


def _corrected(value: JSON, types: Sequence[str]) -> JSON:
    """The value in the type that is meant; None where that is not certain, as for 1.10, which YAML reads as 1.1."""
    if "string" in types and isinstance(value, int):
        return json.dumps(value)
    if isinstance(value, str):
        if "boolean" in types and value in ("true", "false"):
            return value == "true"
        if ("integer" in types or "number" in types) and value.isascii() and value.isdigit() and len(value) < 16:
            return int(value)
    return None


def _failed(schema: Mapping[str, Any], value: JSON) -> str:
    """The keyword of a schema of a scalar that refuses a value; "" if it accepts it."""
    error = next(iter(jsonschema_rs.iter_errors(dict(schema), value)), None)
    kind: Any = error.kind if error else None
    return str(kind.name) if kind else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
