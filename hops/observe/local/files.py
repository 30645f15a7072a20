"""Reads files up to a bound, and writes them atomically: a reader never sees a half-written file."""

import errno
import os
import stat
import sys
import tempfile
from pathlib import Path

LARGEST = 256 * 1024 * 1024
"""The number of bytes of the largest file that is read: a device such as /dev/zero never ends."""


class FileChangedError(OSError):
    """The file changed between reading and writing it."""


def read_bounded(path: Path | None) -> bytes:
    """The content of a file.

    path: the file, which may be a pipe or a device. None: standard input.

    Raises OSError, also for more than LARGEST bytes.
    """
    if path is None:
        content = sys.stdin.buffer.read(LARGEST + 1)
    else:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(errno.EFBIG, f"larger than {LARGEST // 1024 // 1024} MiB, which is the most that is read")
    return content


def unwritable(path: Path) -> str:
    """Why a file must not be replaced by a changed one, with the remedy; "" if it may be.

    path: an existing file. The answer does not depend on the rights of this user: an owner who took away the right to
        write, as `chmod a-w` does, keeps the file from root, too.

    Raises OSError.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        return f"{path} is no regular file, and what was read from it is gone; copy it into a file first"
    if found.st_nlink > 1:
        return (
            f"{path} is one of {found.st_nlink} names of a file (hard links), and the others would keep the old "
            f"content; separate them with `cp {path} {path}.new && mv {path}.new {path}`, or apply the output of --diff"
        )
    if not found.st_mode & 0o222:
        return f"{path} is read-only; make it writable with `chmod u+w {path}`"
    return ""


def write(path: Path, content: str | bytes, *, private: bool = False, expected: bytes | None = None) -> None:
    """Writes a temporary file beside the target and renames it. A link stays a link, and the mode is kept.

    path: the file. A target that is no regular file, such as /dev/stdout, is written directly.
    content: the content; text is written as UTF-8.
    private: whether only the owner may read the file. Default: False.
    expected: the content that the file must have before it is replaced. Default: any.

    Raises FileChangedError if the file is not as expected, and OSError.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    target = path.resolve()
    if expected is not None and target.read_bytes() != expected:
        raise FileChangedError(f"{path} was changed since it was read; nothing was written, run the command again")
    mode = 0o600 if private else target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask()
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name[:50]}.", dir=target.parent)
    except OSError as error:
        # The error names the target, not the temporary file.
        raise OSError(error.errno, error.strerror, str(path)) from None
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(target)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # An error of a full disk names no file.
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
