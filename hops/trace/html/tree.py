"""HTML as a tree: balanced and escaped by construction."""

import unicodedata
from xml.etree import ElementTree as ET

Child = ET.Element | str | None
_KEPT = "\n\t"


def element(tag: str, *children: Child, **attributes: str | None) -> ET.Element:
    """An element with its children in order; None is left out, of children and of attributes.

    An attribute is named with `_` for `-`, and with a last `_` where Python has the word.
    """
    made = ET.Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), plain(value))
    last: ET.Element | None = None
    for child in children:
        if isinstance(child, ET.Element):
            made.append(child)
            last = child
        elif child is not None and last is None:
            made.text = (made.text or "") + plain(child)
        elif child is not None and last is not None:
            last.tail = (last.tail or "") + plain(child)
    return made


def plain(text: str) -> str:
    """Without what changes how the text around it is read or that no file can hold.

    Such are control characters, marks that turn the direction of writing, and halves of surrogate pairs.
    """
    return "".join(c if c in _KEPT or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "\ufffd" for c in text)


def document(root: ET.Element) -> str:
    """The page as it is written to a file; what `style` and `script` hold is written as it stands."""
    return "<!doctype html>\n" + ET.tostring(root, encoding="unicode", method="html") + "\n"
