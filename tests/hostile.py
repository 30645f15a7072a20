"""What somebody may write into names, messages and stack files who wants more than a preview."""

import json
from collections.abc import Callable
from typing import Any

TOKEN = "PWNED"  # noqa: S105 - what the tests look for
PAYLOADS = (
    "`PWNED`",
    "```PWNED",
    "`` ` PWNED ` ``",
    "PWNED`",
    "|PWNED|PWNED|",
    "\\|PWNED\\",
    "<img src=x onerror=PWNED>",
    "</code></details><h1>PWNED",
    "<!-- PWNED",
    "--> PWNED",
    "@PWNED #1 a/b#2 GH-3",
    "[PWNED](https://evil.example)",
    "![PWNED](//evil.example/x.png)",
    "https://evil.example/PWNED www.evil.example a@evil.example",
    "a\n\n# PWNED\n\n- PWNED\n",
    "a\r\n| --- |\r\n| PWNED |",
    "\u202ePWNED\u2066\u200b\ufeff\x07\x1b[31m",
    "&lt;PWNED&#96;",
    "*PWNED* __PWNED__ ~~PWNED~~",
    "$(touch PWNED)`touch PWNED`; touch PWNED #",
    "'; touch PWNED; '",
    '"; touch PWNED; "',
    "::error file=PWNED::PWNED",
    "{0} PWNED %s ${{ github.token }}",
    "PWNED" * 2000,
)


def replaced(value: Any, word: str, by: str) -> Any:
    """A JSON value with a word of its texts, and of its keys, replaced."""
    if isinstance(value, dict):
        return {replaced(key, word, by): replaced(item, word, by) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, word, by) for item in value]
    if not isinstance(value, str):
        return value
    sentences, _, line = value.rstrip("\n").rpartition("\n")
    if line.startswith('{"ingress-hops":'):
        # As the pack would write it: escaped.
        return f"{replaced(sentences, word, by)}\n{json.dumps(replaced(json.loads(line), word, by))}"
    return value.replace(word, by)


def with_names(events: str, word: str, by: str, also: Callable[[Any], Any] = lambda event: event) -> str:
    """Events in which something has another name."""
    return "\n".join(json.dumps(also(replaced(json.loads(line), word, by))) for line in events.splitlines())
