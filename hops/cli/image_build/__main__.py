"""Makes or removes the image of a service: what components/image.py runs.

The state of a stack names this module, so a later version must keep its path.
"""

import json
import sys
from collections.abc import Sequence

from hops.cli.image_build.builder import make, remove
from hops.model.images.image import Build
from hops.observe.contexts import BuildError


def main(words: Sequence[str]) -> int:
    """`make` or `remove`, for the build on standard input. Returns the exit status."""
    build = Build(**json.load(sys.stdin))
    if list(words) == ["remove"]:
        remove(build)
        return 0
    try:
        print(make(build))  # noqa: T201 - the engine keeps it with the resource
    except BuildError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the engine shows it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
