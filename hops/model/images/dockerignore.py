"""The patterns of a .dockerignore file, as Docker reads them (github.com/moby/patternmatcher)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from posixpath import normpath


class IgnoreError(ValueError):
    """A pattern that Docker refuses."""


@dataclass(frozen=True)
class Ignored:
    """What a .dockerignore file leaves out of a context.

    patterns: a regular expression for each line, and whether the line takes files back in (`!`).
    """

    patterns: Sequence[tuple[re.Pattern[str], bool]]

    @property
    def takes_back(self) -> bool:
        """Whether a line takes files back in, so that an ignored folder can hold files of the context."""
        return any(back for _, back in self.patterns)

    def __call__(self, path: str) -> bool:
        """Whether a path is left out. The last pattern that matches it or a folder above it decides.

        path: relative to the context, with slashes.
        """
        parts = path.split("/")
        names = ["/".join(parts[: number + 1]) for number in range(len(parts))]
        out = False
        for pattern, back in self.patterns:
            # Each pattern can only change the result into one direction.
            if out == back and any(pattern.fullmatch(name) for name in names):
                out = not back
        return out


def ignored(text: str) -> Ignored:
    """Reads a .dockerignore file.

    text: the file's content; "" leaves nothing out.

    Raises IgnoreError.
    """
    return Ignored(tuple(_patterns(text.removeprefix("\ufeff").splitlines())))


def _patterns(lines: Iterable[str]) -> Iterable[tuple[re.Pattern[str], bool]]:
    for number, line in enumerate(lines, 1):
        pattern = line.strip()
        # Only a # in the first column begins a comment.
        if not pattern or line.startswith("#"):
            continue
        back = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip() if back else pattern
        if not pattern:
            raise IgnoreError(f'line {number}: "!" has no pattern; write what to take back in, such as !README.md')
        pattern = normpath(pattern)
        # Patterns are relative to the context, with or without a leading slash.
        pattern = "/".join(part for part in pattern.split("/") if part) if pattern.startswith("/") else pattern
        if not pattern or pattern == ".":
            # Docker leaves out nothing for a pattern that is the context itself.
            continue
        try:
            yield _expression(pattern), back
        except re.error as error:
            raise IgnoreError(f"line {number}: {pattern} is no pattern ({error}); correct it") from None


_LITERAL_SUFFIX = re.compile(r"\*\*/?([^*?\\\[\]]+)")


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    # Docker compares a pattern of ** and plain text with the end of the path, also within a name.
    if suffix := _LITERAL_SUFFIX.fullmatch(pattern):
        before = "(?:.*/)?" if pattern.startswith("**/") else ".*"
        return re.compile(before + re.escape(suffix[1]), re.DOTALL)
    text, position = "", 0
    while position < len(pattern):
        character, rest = pattern[position], pattern[position + 1 :]
        position += 1
        if character == "*" and rest.startswith("*"):
            position += 2 if rest.startswith("*/") else 1
            text += "(?:.*/)?" if position < len(pattern) else ".*"
        elif character == "*":
            text += "[^/]*"
        elif character == "?":
            text += "[^/]"
        elif character == "[" and (end := _end_of_class(rest)):
            text += f"[{rest[:end]}]"
            position += end + 1
        elif character == "\\" and rest:
            text += re.escape(rest[0])
            position += 1
        elif character == "[":
            raise re.error("[ is not closed")
        else:
            text += re.escape(character)
    return re.compile(text, re.DOTALL)


def _end_of_class(rest: str) -> int:
    """The place of the bracket that closes a class of characters; 0 if there is none."""
    start = 2 if rest.startswith("^") else 1
    return max(rest.find("]", start), 0)
