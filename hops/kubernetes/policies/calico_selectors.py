"""Calico's selector language.

Source: Calico, libcalico-go/lib/selector, and https://docs.tigera.io/calico/latest/reference/resources/networkpolicy.
"""

import re
from collections.abc import Iterator, Mapping

_TOKEN = re.compile(
    r"\s*(?:(?P<sign>==|!=|&&|\|\||[!(){},])|(?P<text>'[^']*'|\"[^\"]*\")"
    r"|(?P<word>(?:not\s+in|starts\s+with|ends\s+with|[A-Za-z0-9_./\-]+)))"
)


class SelectorError(ValueError):
    """A selector that this module cannot parse."""


def takes(selector: str, labels: Mapping[str, str]) -> bool:
    """Whether a Calico selector matches labels; an empty one matches all. Raises SelectorError."""
    tokens = list(_tokens(selector))
    if not tokens:
        return True
    reader = _Reader(tokens, labels)
    found = reader.either()
    if reader.left():
        raise SelectorError(f"{selector!r} has unexpected text at its end")
    return found


def _tokens(selector: str) -> Iterator[str]:
    position, text = 0, selector.rstrip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise SelectorError(f"{selector!r} is not a valid selector at character {position}")
        position = found.end()
        yield " ".join(found.group().split()) if found.lastgroup == "word" else found.group().strip()


class _Reader:
    """Reads an expression and answers it at once."""

    def __init__(self, tokens: list[str], labels: Mapping[str, str]) -> None:
        self._tokens, self._labels, self._position = tokens, labels, 0

    def left(self) -> bool:
        return self._position < len(self._tokens)

    def either(self) -> bool:
        found = self._both()
        while self._skip("||"):
            other = self._both()
            found = found or other
        return found

    def _both(self) -> bool:
        found = self._one()
        while self._skip("&&"):
            other = self._one()
            found = found and other
        return found

    def _one(self) -> bool:
        if self._skip("!"):
            return not self._one()
        if self._skip("("):
            found = self.either()
            self._expect(")")
            return found
        key = self._next()
        if key in ("all", "global", "has") and self._skip("("):
            if key != "has":
                self._expect(")")
                # A pod is in a namespace, and global() means what is in none.
                return key == "all"
            label = self._next()
            self._expect(")")
            return label in self._labels
        return self._compared(self._labels.get(key), self._next())

    def _compared(self, value: str | None, operator: str) -> bool:
        if operator in ("in", "not in"):
            return (value in self._set()) is (operator == "in")
        expected = self._text()
        match operator:
            case "==":
                return value == expected
            case "!=":
                return value != expected
            case "contains":
                return value is not None and expected in value
            case "starts with":
                return value is not None and value.startswith(expected)
            case "ends with":
                return value is not None and value.endswith(expected)
        raise SelectorError(f"the operator {operator!r} is not known here")

    def _set(self) -> set[str]:
        self._expect("{")
        found = set()
        while not self._skip("}"):
            found.add(self._text())
            self._skip(",")
        return found

    def _text(self) -> str:
        word = self._next()
        if word[0] not in "'\"":
            raise SelectorError(f"{word!r} should be a text in quotes")
        return word[1:-1]

    def _next(self) -> str:
        if not self.left():
            raise SelectorError("the selector ends too early")
        self._position += 1
        return self._tokens[self._position - 1]

    def _skip(self, token: str) -> bool:
        found = self.left() and self._tokens[self._position] == token
        self._position += found
        return found

    def _expect(self, token: str) -> None:
        if not self._skip(token):
            raise SelectorError(f"{token!r} is missing")
