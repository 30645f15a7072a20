"""Takes secrets out of an observation. What is judged, printed or written to a file is always the redacted one.

First only what the judge reads is kept (`hops.trace.observed.kept`). Then secrets are looked for in what is left, by
their names and by their forms. Every expression takes time in proportion to the text.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from hops.trace.observed.kept import kept, kept_lines
from hops.trace.observed.observation import Observation

GONE = "REDACTED"

_WORDS = (
    r"passw(?:or)?d|passphrase|passcode|pwd|secret|token|credential|authorization|cookie|jwt|signature|session[-_]?id"
    r"|(?:api|access|account|auth|private|signing|encryption|shared)[-_.]?key|client-key-data|connection[-_]?string"
)
_NAME = re.compile(_WORDS, re.IGNORECASE)
"""What the names of variables, options and fields with secrets hold."""
_REFERENCE = re.compile(r"(?:name|ref|path|file|type|seconds)$|^(?:ca|crl)Secret$", re.IGNORECASE)
"""How a name ends that refers to a secret, such as `secretName`, `caSecret` and `crlSecret`."""
_FORMS = tuple(
    (hint, re.compile(form, re.DOTALL))
    for hint, form in (
        ("-----BEGIN", r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
        # The end of one whose beginning is cut off.
        ("-----END", r"\A[A-Za-z0-9+/=\s]*-----END [A-Z ]*PRIVATE KEY-----"),
        # The same in base64.
        ("LS0tLS1CRUdJTi", r"LS0tLS1CRUdJTi[\w+/=]+"),
        ("eyJ", r"(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"),
        ("://", r"(?<=://)[^\s/@\"']+(?=@)"),
        ("hooks.slack.com", r"(?<=hooks\.slack\.com/)services/[\w/]+"),
        ("A", r"(?<![A-Za-z0-9])A(?:KIA|SIA|BIA|CCA)[0-9A-Z]{16}(?![A-Za-z0-9])"),
        ("AIza", r"(?<!\w)AIza[\w-]{35}"),
        ("AGE-SECRET-KEY", r"AGE-SECRET-KEY-1[0-9A-Z]+"),
        ("gh", r"(?<!\w)(?:gh[pousr]_\w{30,}|github_pat_\w{30,})"),
        ("pat", r"(?<!\w)(?:glpat-|dckr_pat_)[\w-]{16,}"),
        ("xox", r"(?<!\w)xox[a-z]-[\w-]{10,}"),
        ("sk", r"(?<!\w)[sr]k[-_](?:live_|test_|proj-|ant-)?[\w-]{16,}"),
        ("_", r"(?<!\w)(?:npm|dop_v1|hf)_[A-Za-z0-9]{20,}"),
        ("pypi-", r"(?<!\w)pypi-[\w-]{16,}"),
        ("hv", r"(?<!\w)hv[sbr]\.[\w-]{20,}"),
        ("SG.", r"(?<!\w)SG\.[\w-]{16,}\.[\w-]{16,}"),
        ("$", r"\$2[aby]\$\d\d\$[./\w]{53}|\$(?:apr1|[156y])\$[./\w$]{8,}"),
    )
)
"""Secrets that are known by their form wherever they stand, each with a text that makes it worth looking."""
_SCHEME = re.compile(r"\b(bearer|basic|digest|negotiate)(\s+)[\w.~+/=-]{6,}", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""((?:{_WORDS})[\w.-]{{0,60}}\\?["']?\s*[:=]\s*)"""
    r"""(?!["']?(?:bearer|basic|digest|negotiate)\s)(?:\\?"[^"]*"?|'[^']*'?|[^\s"',;&}]+)""",
    re.IGNORECASE,
)
_OPTION = re.compile(rf"(--?[\w-]{{0,60}}(?:{_WORDS})[\w-]{{0,60}}[ ]+)(?![ -])[^\s]+", re.IGNORECASE)
_USER = re.compile(r"((?:^|\s)(?:-u|--user|--proxy-user)[ =]*[^\s:]{1,200}:)[^\s]+")
_RANDOM = re.compile(r"(?<![\w+/=.-])(?=[\w+=-]*[A-Z])(?=[\w+=-]*[a-z])(?=(?:[\w+=-]*[0-9]){2})[\w+=-]{24,}(?![\w./-])")
"""A word that looks random: names of objects have no capital letters, and digests neither."""
_FREE = frozenset(
    {
        *("args", "command", "annotations", "message", "note", "error", "body", "path", "expect", "location"),
        *("description", "details", "Error"),
    }
)
"""Below what programs' own words stand, in which a secret is known by the name before it. The kernel's tables are not
among them: a rule for the Service `token` at a port looks the same."""
_BY_SUBJECT = ("authorities", "certificates", "fingerprints", "logs", "unseen", "unusable")
"""Whose keys say what something is about, such as a Secret, and not what it is."""


def redacted(observation: Observation) -> Observation:
    """The same observation without secrets, and without all that no check reads."""
    return Observation.model_validate_json(json.dumps(reduced(observation.model_dump(mode="json", by_alias=True))))


def reduced(whole: Mapping[str, Any]) -> dict[str, Any]:
    """An observation as JSON values, without secrets, and without all that no check reads."""
    found: dict[str, Any] = _Redaction().value(kept(whole), free=False)
    following: dict[str, Any] | None = found
    while following:
        if cluster := following["cluster"]:
            cluster["logs"] = {name: kept_lines(name, log) for name, log in cluster["logs"].items()}
        following = following["then"]
    return found


class _Redaction:
    """Redacts one observation."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def value(self, value: Any, *, free: bool) -> Any:
        """A value without secrets. free: whether it holds programs' own words."""
        match value:
            case str():
                return _text(value, free=free)
            case list():
                return self._list(value, free=free)
            case dict():
                return self._object(value, free=free)
        return value

    def _object(self, value: Mapping[str, Any], *, free: bool) -> dict[str, Any]:
        # An option or a header by its name.
        named = value.get("name") or value.get("key")
        secret = isinstance(named, str) and _secret(named)
        found: dict[str, Any] = {}
        for key, item in value.items():
            name = _text(key, free=False)
            if key in _BY_SUBJECT and isinstance(item, dict):
                found[name] = {
                    _text(subject, free=False): self.value(text, free=True) for subject, text in item.items()
                }
            elif secret and key in ("exact", "contains", "prefix", "regex", "notexact", "notcontains"):
                found[name] = self._numbered(item)
            elif isinstance(item, str) and (_secret(key) or (key == "value" and secret)):
                found[name] = GONE if item else item
            else:
                found[name] = self.value(item, free=free or key in _FREE)
        return found

    def _numbered(self, item: Any) -> str:
        """A condition's value: two routes with different ones have to stay different."""
        return f"{GONE} {self._numbers.setdefault(json.dumps(item), len(self._numbers) + 1)}"

    def _list(self, value: list[Any], *, free: bool) -> list[Any]:
        """The item after an option whose name has a secret is the secret."""
        found: list[Any] = []
        follows = False
        for item in value:
            found.append(GONE if follows and isinstance(item, str) else self.value(item, free=free))
            follows = free and isinstance(item, str) and item.startswith("-") and "=" not in item and _secret(item)
        return found


def _secret(name: str) -> bool:
    return bool(_NAME.search(name)) and not _REFERENCE.search(name)


def _text(text: str, *, free: bool) -> str:
    for hint, form in _FORMS:
        if hint in text:
            text = form.sub(GONE, text)
    if free:
        text = _ASSIGNED.sub(rf"\1{GONE}", _SCHEME.sub(rf"\1\2{GONE}", text))
        text = _RANDOM.sub(GONE, _USER.sub(rf"\1{GONE}", _OPTION.sub(rf"\1{GONE}", text)))
    return text
