"""Says in plain words why a text is not YAML, and how to mend it."""

import re

_COLON = re.compile(r"^\s*(?:- +)*[^\s:#\"']+:(?=\S)")
"""A key whose colon no space follows."""
_CONFLICT = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)
"""A line that git writes before or after a conflict."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
"""The characters that YAML 1.1 does not allow (section 5.1)."""
_SHOWN = 60
_NO_COLON = "mapping values are not allowed in this context"
_NO_KEY = "did not find expected key"
_NO_START = "did not find expected <document start>"
_NO_END = "could not find expected ':'"
_BAD_START = "found character that cannot start any token"
_SENTENCES = {
    _BAD_START: "no value can begin with {first}; put the value in quotes",
    "block sequence entries are not allowed in this context": "a list cannot begin in the line of its key; begin it "
    "in the next line",
    _NO_END: 'no colon follows "{line}"; write "{line}: VALUE", or remove the line',
    "did not find expected ',' or ']'": "the [ is not closed; write ] after its last entry, and a comma between two",
    "did not find expected ',' or '}'": "the {{ is not closed; write }} after its last entry, and a comma between two",
    "did not find expected '-' indicator": "the list of line {above} continues here, and this line has no dash; begin "
    'it with "- ", or give it {spaces} if it belongs to the entry above',
    "did not find expected alphabetic or numeric character": "no name follows {before}; put a value that begins with "
    "{before} in quotes",
    "did not find expected comment or line break": "a text after | or > begins in the next line; put a value that "
    "begins with such a sign in quotes",
    "did not find expected node content": "a value is missing before {first}; put a value that begins with it in "
    "quotes",
    "found undefined alias": "no value is marked with &{word}; put a value that begins with * in quotes",
    "found unexpected end of stream": "the quotation mark is not closed; write the same mark at the end of the value",
    "found unknown escape character": "a backslash in double quotes begins an escape sequence; put the value in single "
    "quotes",
}
"""What a person reads in the place of libyaml's words. Source of the keys: libyaml, src/parser.c and src/scanner.c."""
_KEYLESS = "no key stands before this colon; put a value that contains a colon in quotes"
_OF_BEGINNING = (
    _NO_END,
    "did not find expected ',' or ']'",
    "did not find expected ',' or '}'",
    "found unexpected end of stream",
)
"""The problems that are mended where the collection, quotation or key begins."""

_Place = tuple[int, int]
"""A line and a column, both from 0."""


def explained(text: str, problem: str, place: _Place | None, began: _Place | None) -> tuple[str, _Place | None]:
    """What is wrong, how to mend it, and where: a sentence and its place.

    text: the whole text.
    problem: what libyaml calls the problem. An unknown problem stays in these words.
    place: where libyaml noticed it; None if it does not say.
    began: where the collection, quotation or key began that libyaml was reading; None if there is none.
    """
    if conflict := _CONFLICT.search(text):
        return "this line marks a merge conflict of git; resolve the conflict", _place(text, conflict.start())
    if place is None:
        found = _CONTROL.search(text) if problem == "control characters are not allowed" else None
        if found:
            return f"the character U+{ord(found[0]):04X} is not allowed in YAML; remove it", _place(text, found.start())
        return problem, place
    # A text that ends too early has no line at its end.
    lines = [*text.split("\n"), ""]
    here = lines[min(place[0], len(lines) - 1)]
    return _explained(lines, problem, place, began or place, here)


def _explained(lines: list[str], problem: str, place: _Place, start: _Place, here: str) -> tuple[str, _Place]:
    """As `explained`. lines: of the text. here: the line in which libyaml noticed the problem."""
    before, rest = here[: place[1]], here[place[1] :].strip()
    if problem == _NO_COLON:
        return _colon(lines, place)
    if problem == _NO_END and (close := _COLON.match(lines[start[0]])):
        return _close(lines[start[0]], close.end()), (start[0], close.end())
    if problem in (_NO_KEY, _NO_START):
        return _misplaced(lines, start[0] if problem == _NO_KEY else _document(lines, place[0]), place), place
    if problem == _BAD_START and here[: place[1] + 1].strip(" ").startswith("\t"):
        return "a tab indents this line, and YAML takes spaces only; replace the tab by spaces", place
    if not rest and problem == "did not find expected node content":
        return "the text ends, and the bracket or brace before its end is not closed; close it", place
    sentence = _SENTENCES.get(problem, problem.replace("{", "{{").replace("}", "}}")).format(
        first=rest[:1],
        before=before[-1:],
        word=rest.partition(" ")[0].lstrip("*"),
        line=lines[start[0]].strip()[:_SHOWN],
        above=start[0] + 1,
        spaces=_spaces(start[1] + 2),
    )
    return sentence, start if problem in _OF_BEGINNING else place


def _place(text: str, index: int) -> _Place:
    return text.count("\n", 0, index), index - text.rfind("\n", 0, index) - 1


def _colon(lines: list[str], place: _Place) -> tuple[str, _Place]:
    """What is wrong with a colon that cannot stand where it is."""
    number, here = place[0], lines[place[0]]
    if re.search(r":\s", here[: place[1]]):
        value = here[: place[1]].partition(": ")[2] + here[place[1] :]
        return f"the value {_quoted(value.strip())} contains a colon and a space; put the value in quotes", place
    above = next((at for at in range(number - 1, -1, -1) if _bare(lines[at])), None)
    if above is None:
        return _KEYLESS, place
    line = lines[above]
    if missing := _COLON.match(line):
        return _close(line, missing.end()), (above, missing.end())
    if ":" not in line:
        key = line.strip()
        return f"no colon follows {_quoted(key)}; write {_quoted(f'{key}:')}", (above, _indent(line))
    return (
        f"this line is indented below line {above + 1}, which has a value already; give it {_spaces(_indent(line))}",
        (number, _indent(here)),
    )


def _close(line: str, after: int) -> str:
    """What is wrong with a colon that no space follows. after: where the text behind it begins."""
    return f"no space follows the colon; write {_quoted(f'{line[:after].strip()} {line[after:].strip()}')}"


def _misplaced(lines: list[str], first: int, place: _Place) -> str:
    """What is wrong with a text in the place of a key. first: the line in which its collection begins."""
    before, rest = lines[place[0]][: place[1]], lines[place[0]][place[1] :].strip()
    if before.strip():
        return f"a value ends before {_quoted(rest)}; put the whole value in quotes, or remove the rest"
    return _KEYLESS if rest.startswith(":") else _indentation(lines, first, place)


def _indentation(lines: list[str], first: int, place: _Place) -> str:
    """What is wrong with a line that is indented like none above. first: the line in which its collection begins."""
    above = [(_indent(line), number) for number, line in enumerate(lines[first : place[0]], first) if _bare(line)]
    indent, number = min(
        above, key=lambda line: (abs(line[0] - place[1]), -line[0], -line[1]), default=(place[1], place[0])
    )
    if indent == place[1]:
        return "the document ends above this line; write --- between two documents, or remove this line"
    return f"the indentation fits no line above; give this line {_spaces(indent)}, as line {number + 1} has"


def _document(lines: list[str], number: int) -> int:
    """The line in which the document of a line begins."""
    return next((at for at in range(number - 1, -1, -1) if lines[at].startswith("---")), -1) + 1


def _bare(line: str) -> str:
    """A line without indentation; "" for a comment."""
    return line.partition("#")[0].strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _spaces(count: int) -> str:
    return "no space in front" if count == 0 else f"{count} space{'s' * (count > 1)} in front"


def _quoted(text: str) -> str:
    return f'"{text[:_SHOWN]}…"' if len(text) > _SHOWN else f'"{text}"'
