"""A Dockerfile: its stages, and what they copy out of the context. Source: Docker's Dockerfile reference."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from posixpath import normpath

_HEREDOC = re.compile(r"(?:^|(?<=\s))\d*<<-?[\"']?([^\s<\"']+)")
_STAGE_OF = re.compile(r"\bfrom=([^\s,]+)")
_UNKNOWN = re.compile(r"[$*?\[\\\"'<]|://|^git@")
"""In a source: a variable, a wildcard, a heredoc or an address, so its files are known only to the builder."""


@dataclass(frozen=True)
class Copied:
    """A file or folder that is copied out of the context. path: relative to the context. line: of the Dockerfile."""

    path: str
    line: int


@dataclass
class _Stage:
    """name: in lower case, or "". uses: names or numbers of stages and images. copied: out of the context."""

    name: str
    uses: list[str]
    copied: list[Copied] = field(default_factory=list)


def problem(dockerfile: str, target: str | None) -> str:
    """Why a Dockerfile cannot be built, with the remedy; "" if nothing is known against it.

    dockerfile: its content.
    target: the stage to build; None for the last one.
    """
    names = [stage.name for stage in _stages(dockerfile)]
    if not names:
        return "the Dockerfile has no FROM; begin it with FROM and an image"
    if target is None or _index(names, target) is not None:
        return ""
    known = ", ".join(filter(None, names)) or "none has a name"
    return f"target is {target}, and the Dockerfile has no such stage; its stages: {known}"


def copied(dockerfile: str, target: str | None) -> list[Copied]:
    """What a build copies out of its context by a plain path, in the order of the lines.

    dockerfile: its content.
    target: the stage to build; None for the last one. Stages that it does not need are not built.
    """
    stages = _stages(dockerfile)
    names = [stage.name for stage in stages]
    needed: set[int] = set()
    ahead = [len(stages) - 1 if target is None else _index(names, target)] if stages else []
    while ahead:
        number = ahead.pop()
        if number is not None and number not in needed:
            needed.add(number)
            # A stage can use those before it.
            ahead += [_index(names[:number], use) for use in stages[number].uses]
    return [each for number in sorted(needed) for each in stages[number].copied]


def _index(names: Sequence[str], stage: str) -> int | None:
    """The number of the stage of a name or number; None if there is none. A later stage hides one of its name."""
    if stage.lower() in names:
        return len(names) - 1 - names[::-1].index(stage.lower())
    return int(stage) if stage.isdecimal() and int(stage) < len(names) else None


def _stages(dockerfile: str) -> list[_Stage]:
    stages: list[_Stage] = []
    for line, keyword, rest in _instructions(dockerfile):
        words = rest.split()
        flags = list(takewhile(lambda word: word.startswith("--"), words))
        words = words[len(flags) :]
        uses = [use for flag in flags for use in _STAGE_OF.findall(flag)]
        if keyword == "FROM" and words:
            name = words[2].lower() if [word.upper() for word in words[1:2]] == ["AS"] and len(words) > 2 else ""
            stages.append(_Stage(name, [words[0]]))
        elif stages:
            stages[-1].uses.extend(uses)
            if keyword in ("ADD", "COPY") and not uses:
                stages[-1].copied.extend(Copied(path, line) for path in _sources(words))
    return stages


def _sources(words: Sequence[str]) -> Iterator[str]:
    """The plain paths that an ADD or COPY takes out of the context."""
    if words and words[0].startswith("["):
        try:
            words = list(map(str, json.loads(" ".join(words))))
        except ValueError:
            return
    for word in words[:-1]:
        if not _UNKNOWN.search(word):
            yield normpath(f"/{word}").lstrip("/")


def _instructions(dockerfile: str) -> Iterator[tuple[int, str, str]]:
    """The number of the first line, the keyword in upper case, and the rest of each instruction."""
    first, parts, heredocs = 0, list[str](), list[str]()
    for number, line in enumerate(dockerfile.splitlines(), 1):
        text = line.strip()
        if heredocs:
            if text == heredocs[0]:
                heredocs.pop(0)
            continue
        # Comments and empty lines can stand inside an instruction.
        if not text or text.startswith("#"):
            continue
        first = first or number
        parts.append(text.removesuffix("\\"))
        if text.endswith("\\"):
            continue
        keyword, *rest = " ".join(parts).split(None, 1)
        yield first, keyword.upper(), "".join(rest)
        heredocs = _HEREDOC.findall("".join(rest)) if keyword.upper() in ("ADD", "COPY", "RUN") else []
        first, parts = 0, []
