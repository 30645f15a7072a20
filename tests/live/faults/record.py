"""`python -m tests.live.faults.record`: bundles of the last run into tests/recorded/faults, for the fast tests."""

import gzip
import json
import re
import sys

from tests.live.faults.run import FOLDER
from tests.project import ROOT

RECORDED = ROOT / "tests" / "recorded" / "faults"
_CHOSEN = "4 7 8 12 14 17 20 21 27 28 33 36 37 40 42 46 49 50 54 57 60 65 66 69 71 74 76 81 84"
CHOSEN = tuple(map(int, _CHOSEN.split()))
"""One or two of each hop, and those whose evidence is hardest to make up."""
_OF_THE_RUN = re.compile(r"/\w+/pytest-of-\w+/pytest-\d+/\w+")


def recorded(text: str) -> str:
    """A bundle without the names of the machine that it was taken on; nothing else of it is changed."""
    observation = json.loads(text)
    versions, docker = observation["versions"], observation["docker"] or {"containers": []}
    replaced = {versions["kernel"]: versions["kernel"].partition("-")[0]} if "kernel" in versions else {}
    for container in docker["containers"]:
        container["HostConfig"]["Runtime"] = "runc"
    text = json.dumps(observation, ensure_ascii=False, separators=(",", ":"))
    for old, new in replaced.items():
        text = text.replace(old, new)
    return _OF_THE_RUN.sub("/home/somebody/ingress-hops", text)


def main() -> int:
    """Exit status: 0 written, 1 the last run did not try all that are needed."""
    bundles = {number: FOLDER / f"{number:02}.json" for number in CHOSEN}
    if missing := [str(number) for number, file in bundles.items() if not file.exists()]:
        sys.stderr.write(f"no bundle of {', '.join(missing)} in {FOLDER}\n")
        return 1
    RECORDED.mkdir(parents=True, exist_ok=True)
    for number, file in bundles.items():
        content = gzip.compress(recorded(file.read_text()).encode(), 9, mtime=0)
        (RECORDED / f"{number:02}.json.gz").write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
