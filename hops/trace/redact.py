"""Takes secrets out of a sight. What is judged, printed and written to a file is always the redacted one."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from hops.trace.sight import Sight

GONE = "REDACTED"

_HEADER = re.compile(r"authorization|cookie|token|key|secret|password|credential|signature|session", re.IGNORECASE)
"""What the names of headers with secrets hold."""

_NAME = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|authorization|cookie|api[-_.]?key|access[-_.]?key|private[-_.]?key"
    r"|signing[-_.]?key|encryption[-_.]?key|connection[-_.]?string|webhook[-_.]?url|\bdsn\b|_dsn\b",
    re.IGNORECASE,
)
"""What the names of variables and options with secrets hold."""
