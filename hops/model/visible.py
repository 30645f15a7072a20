"""What may be shown on a terminal or in a log of what others wrote."""

import json
import re

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""Control characters, marks that turn the direction of writing or cannot be seen, and halves of surrogate pairs."""


def visible(text: str, keep: str = "\n\t") -> str:
    """A text in which characters that a terminal obeys, or that cannot be seen, are replaced by their escapes in JSON.

    keep: the control characters that stay.
    """
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else json.dumps(found[0])[1:-1], text)


def on_one_line(text: object) -> str:
    """The same as one line: a name with a line break does not look like the next message."""
    return visible(str(text), keep="")
