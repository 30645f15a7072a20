"""Reads the settings in a stack file."""

from typing import Any

from hops.model.settings import NAMESPACE, Settings, SettingsError, settings
from hops.rules.files.documents import UnreadableError, documents


def stack_settings(stack: str, file: bytes, node_image: str | None = None) -> Settings:
    """Reads the settings in a stack file.

    stack: name of the stack.
    file: content of Pulumi.<stack>.yaml.
    node_image: node image to use if the file sets none. Default: that of `hops.model.versions`.

    Raises SettingsError if the file is not a stack file or a setting is invalid.
    """
    try:
        # The reader of manifests: it reads dates as texts, as the engine does, and bounds what is built.
        given: dict[str, Any] = ((documents(file.decode()) or [None])[0] or {}).get("config") or {}
        prefix = f"{NAMESPACE}:"
        own = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
    except AttributeError:
        raise SettingsError(
            "it is not a stack file: the file and its key `config` must be mappings, as in the other files of stacks/"
        ) from None
    except UnreadableError as error:
        where = f"line {error.line}, column {error.column}: " if error.line else ""
        raise SettingsError(f"{where}{error}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(str(error)) from None
    return settings(stack, own, node_image)
