"""The counts of published examples: each file is judged alone, and each finding is of one kind."""

from pathlib import Path

from hops.rules.catalogue import RULES
from tests.agreement.corpora import PAGE, PUBLISHED
from tests.agreement.published import COLLECTIONS, counted

FILES = {
    "quiet.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: apps}}",
    "absent.yaml": "{apiVersion: v1, kind: Service, metadata: {name: a, namespace: apps}, spec: {selector: {a: b}, "
    "ports: [{port: 80}]}}",
    "policy.yaml": RULES["IN03"].bad,
    "mistake.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: apps}, dta: {}}",
    "unread.yaml": "a: {b",
}


def test_every_finding_is_of_one_kind(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    found = counted(tmp_path.iterdir(), tmp_path)
    assert (found.files, found.quiet, found.policy["IN03"]) == (5, 1, 1)
    assert found.absent >= 1
    mistake, unread = sorted(found.others)
    assert mistake.startswith("mistake.yaml: AP02 ConfigMap/apps/a: ")
    assert unread.startswith("unread.yaml:")


def test_the_page_has_a_row_for_every_collection() -> None:
    published = PAGE.read_text().partition(PUBLISHED)[2]
    assert all(f"| {source} | " in published for source in COLLECTIONS.values())
