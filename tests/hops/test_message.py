"""Findings as messages of the pack, and what is read back from them."""

from dataclasses import replace

import pytest

from hops.finding import Level, Place
from hops.message import heard, told
from hops.rules import RULES
from hops.rules.configuration import configure
from hops.rules.documents import documents
from hops.rules.inventory import Inventory
from hops.rules.judge import judge
from tests.hops.rules.cases import TODAY

URN = "urn:pulumi:ci::shop::ingress-hops:index:Workload$kubernetes:core/v1:Pod::web"


def of(text: str, code: str) -> list:  # type: ignore[type-arg]
    declared = [(body, Place(urn=URN)) for body in documents(text) if body]
    return [f for f in judge(Inventory(declared, today=TODAY), configure(), [RULES[code]]) if f.code == code]
