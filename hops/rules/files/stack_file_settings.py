"""Reads the settings in a stack file."""

from typing import Any

from hops.model.settings.setting_types import NAMESPACE
from hops.model.settings.stack_config import SettingsError, settings
from hops.model.settings.stack_settings import Settings
from hops.rules.files.documents import UnreadableError, documents

_LAST = ("encryptionsalt", "encryptedkey", "secretsprovider")
"""The keys that Pulumi writes below `config`, so that a text appended to the file stands below them."""


def stack_settings(stack: str, file: bytes, node_image: str | None = None) -> Settings:
    """Reads the settings in a stack file.

    stack: name of the stack.
    file: content of Pulumi.<stack>.yaml.
    node_image: node image to use if the file sets none. Default: that of `hops.model.versions`.

    Raises SettingsError if the file is not a stack file or a setting is invalid.
    """
    try:
        # The reader of manifests: it reads dates as texts, as the engine does, and bounds what is built.
        whole: dict[str, Any] = (documents(file.decode()) or [None])[0] or {}
        given: dict[str, Any] = whole.get("config") or {}
        prefix = f"{NAMESPACE}:"
        if outside := [key for key in whole if key.startswith(prefix)]:
            raise SettingsError(
                f"{', '.join(outside)} stands beside the key config; move it with its lines into config"
            )
        own = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
    except AttributeError:
        raise SettingsError(
            "it is not a stack file: the file and its key `config` must be mappings, as in the other files of stacks/"
        ) from None
    except UnreadableError as error:
        where = f"line {error.line}, column {error.column}: " if error.line else ""
        raise SettingsError(_appended(file.decode(), error.line or 0) or f"{where}{error}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(str(error)) from None
    return settings(stack, own, node_image)


def _appended(text: str, broken: int) -> str:
    """What is wrong with lines that stand below the key that Pulumi wrote last; "" for other lines.

    broken: number of the line that cannot be read.
    """
    lines = text.splitlines()
    last = next((number for number, line in enumerate(lines, 1) if line.startswith(_LAST)), broken)
    if broken <= last:
        return ""
    return (
        f"line {broken} stands below line {last}, {lines[last - 1].partition(':')[0]}, which is no part of config; "
        f"move everything below line {last} in front of it"
    )
