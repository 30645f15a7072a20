"""The sentences about wrong settings: key, value, bound and remedy."""

import difflib
import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from hops.model.commands import HOPS
from hops.model.settings.service_settings import REFERENCE, TEXT
from hops.model.settings.setting_types import NAMESPACE, SECRETS

_TYPES = {
    "bool_parsing": "it has to be true or false",
    "bool_type": "it has to be true or false",
    "dict_type": "it has to be a mapping",
    "list_type": "it has to be a list",
    "model_type": "it has to be a mapping",
    "string_type": "it has to be a text",
    "tuple_type": "it has to be a list",
}
_NUMBERS = ("greater_than_equal", "int_from_float", "int_parsing", "int_type", "less_than_equal")
_MOST_SHOWN = 2000
_Location = tuple[int | str, ...]


def problem_lines(
    problems: Sequence[ErrorDetails], whole: Mapping[str, Any], services: Any, root: type[BaseModel], namespace: str
) -> list[str]:
    """The problems of a stack's settings, a line or more each: key, value, bound and remedy.

    problems: as pydantic reports them.
    whole: the settings with their derived defaults, as JSON values.
    services: the entries of `services` as declared, without these defaults.
    root: the section that has all others.
    namespace: the configuration namespace, which the keys begin with.
    """
    # pydantic also reports a list as too short if its only entry is wrong.
    inner = {problem["loc"][:length] for problem in problems for length in range(1, len(problem["loc"]))}
    wrong = {problem["loc"] for problem in problems}
    lines = []
    for problem in problems:
        sources = _sources(problem["loc"], services)
        if sources.isdisjoint(wrong) and not (problem["type"] == "too_short" and problem["loc"] in inner):
            if sources and problem["type"] != "missing":
                lines.append(_derived_sentence(problem, min(sources), whole, namespace))
            else:
                lines.append(_sentence(problem, root, namespace))
    return lines


def nearest(word: object, known: Iterable[str], what: str) -> str:
    """The rest of a sentence about an unknown word.

    word: the unknown word.
    known: the words that exist.
    what: their plural noun, such as "keys".
    """
    words = list(known)
    close = difflib.get_close_matches(str(word), words, 1)
    if not words:
        return f"there are no {what}"
    listed = ", ".join(words)
    return f"did you mean {close[0]}? ({what}: {listed})" if close else f"the {what} are: {listed}"


def keys(section: type[BaseModel]) -> list[str]:
    """The keys of a section as files write them."""
    return [field.alias or name for name, field in section.model_fields.items()]


def _sources(location: _Location, services: Any) -> set[_Location]:
    """The keys from which the default of a key follows; none for a key that is set, or whose default is fixed."""
    of_route = len(location) == 5 and location[2] == "routes"
    if location[:1] != ("services",) or not (of_route or len(location) == 3):
        return set()
    *entry, key = location
    given = services[entry[1]]["routes"][entry[3]] if of_route else services[entry[1]]
    if key in given:
        return set()
    name, path, host = (*entry[:2], "name"), (*entry, "path"), (*entry, "host")
    if of_route:
        return {"host": {name}, "name": {name, host}, "request": {path}}.get(str(key), set())
    return {"pod": {name}, "ingress": {name}, "host": {name}, "request": {path}}.get(str(key), set())


def _derived_sentence(problem: ErrorDetails, source: _Location, whole: Any, namespace: str) -> str:
    """Like _sentence, of a default that does not fit, with the key that it follows from."""
    value = whole
    for part in source:
        value = value[part]
    key, bound = problem["loc"][-1], problem["msg"].removeprefix("Value error, ")
    return (
        f"{namespace}:{written(source)} is {_shown(value)}, and {key}, which follows from it, is "
        f"{_shown(problem['input'])}: {bound}. Set {source[-1]} to another value, or set {key} as well"
    )


def _shown(value: Any) -> str:
    """A value as JSON; of a long one the beginning."""
    text = json.dumps(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def written(place: Iterable[int | str]) -> str:
    """The place of a setting as messages, and Pulumi's `--path`, write it. place: keys and indices from the root."""
    return "".join(
        f".{part}" if isinstance(part, str) and "." not in part else f"[{json.dumps(part)}]" for part in place
    ).lstrip(".")


def _sentence(problem: ErrorDetails, root: type[BaseModel], namespace: str) -> str:
    """Key, value, bound and remedy of one problem that pydantic reports."""
    # pydantic ends the place of a mapping's wrong key with the key and this word.
    of_key = problem["loc"][-1:] == ("[key]",)
    place = problem["loc"][:-2] if of_key else problem["loc"]
    place = tuple(part for part in place if part not in (TEXT, REFERENCE))
    key = written(place)
    bound = problem["msg"].removeprefix("Value error, ")
    if of_key:
        return f"{namespace}:{key} has the key {json.dumps(problem['input'])}: {bound}. Write another key"
    if not key:
        # What is wrong between sections: each line begins with its key.
        return "\n".join(f"{namespace}:{line}" for line in bound.splitlines())
    if problem["type"] == "value_error" and isinstance(problem["input"], Mapping):
        return f"{namespace}:{key}: {bound}"
    if problem["type"] == "extra_forbidden":
        known = keys(_section(problem["loc"][:-1], root))
        return f"{namespace}:{key}: there is no such key; {nearest(problem['loc'][-1], known, 'keys')}"
    if problem["type"] == "missing":
        return f"{namespace}:{key} is missing; give it a value"
    if problem["type"] == "too_short" and isinstance(problem["input"], list):
        bound = "at least one entry"
    bound = in_words(problem, _field(problem["loc"], root)) or bound
    given, remedy = _shown(problem["input"]), "Write another value in the stack's file"
    if problem["type"] == "string_type" and isinstance(problem["input"], bool | int | float):
        remedy = f'Write it in quotes in the stack\'s file: "{given}"'
    return f"{namespace}:{key} is {given}: {bound}. {remedy}"


def _field(location: _Location, root: type[BaseModel]) -> FieldInfo | None:
    *entry, name = location
    return _named(_section(tuple(entry), root), name)


def _named(section: type[BaseModel], name: object) -> FieldInfo | None:
    """The field of a section that files write by a name; None for none."""
    fields = section.model_fields
    return next((field for own, field in fields.items() if name in (own, field.alias)), None)


def _section(location: _Location, root: type[BaseModel]) -> type[BaseModel]:
    """The section of the settings that a place is in. Numbers of entries and keys of mappings stay in their section."""
    section = root
    for part in location:
        field = _named(section, part)
        section = next(_sections(field.annotation), section) if field else section
    return section


def _sections(of: Any) -> Iterator[type[BaseModel]]:
    """The sections that a type consists of."""
    if isinstance(of, type) and issubclass(of, BaseModel):
        yield of
    for part in get_args(of):
        yield from _sections(part)


def in_words(problem: ErrorDetails, field: FieldInfo | None) -> str | None:
    """What a value of a wrong type or size has to be; None for other problems.

    problem: as pydantic reports it.
    field: the field that the value is of; None if it is not known, and only the bound that is broken is named.
    """
    if problem["type"] not in _NUMBERS:
        return _TYPES.get(problem["type"])
    limits = list(_limits(field))
    broken = problem.get("ctx", {})
    least = next((limit.ge for limit in limits if isinstance(limit, Ge)), broken.get("ge"))
    most = next((limit.le for limit in limits if isinstance(limit, Le)), broken.get("le"))
    if least is not None and most is not None:
        return f"it has to be a whole number from {least} to {most}"
    one_end = f" of at least {least}" if least is not None else f" of at most {most}" if most is not None else ""
    return f"it has to be a whole number{one_end}"


def _limits(of: Any) -> Iterator[Any]:
    """The limits that a field, or a type within it, has as metadata."""
    if isinstance(of, FieldInfo):
        yield from of.metadata
        of = of.annotation
    for metadata in getattr(of, "__metadata__", ()):
        yield from _limits(metadata) if isinstance(metadata, FieldInfo) else (metadata,)
    for part in get_args(of):
        yield from _limits(part)


def set_secret(stack: str, name: str) -> str:
    """How a secret is set, as the end of a sentence: a line for a shell in the project's folder. Pulumi asks for it.

    stack: the stack's name.
    name: the secret's name.
    """
    words = ["pulumi", "config", "set", "--secret", "--path", f"{NAMESPACE}:{written((SECRETS, name))}"]
    line = shlex.join([*words, "--stack", stack])
    return f'set it with: eval "$({HOPS} env {shlex.quote(stack)})" && {line}'
