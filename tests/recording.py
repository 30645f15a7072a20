"""Runs a program without an engine and records all that it declares."""

import asyncio
import contextvars
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import mocks
from pulumi.runtime.config import set_all_config
from pulumi.runtime.proto import engine_pb2, resource_pb2
from pulumi.runtime.settings import SETTINGS, configure
from pulumi.runtime.stack import run_in_stack

Request = Any
"""A message of the engine's protocol, whose classes are made at run time."""


@dataclass(frozen=True)
class Declared:
    """A resource as the engine would meet it. request: the whole registration, with its options."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    request: Request

    @property
    def parent(self) -> str:
        return str(self.request.parent)


@dataclass
class Recording(mocks.Mocks):
    """What a program declared, in the order of registration.

    registered: outputs by URN, the stack's own under "". logs: severity and text. calls: token and arguments.
    answers: what calls give, by token. found: outputs of resources beyond their inputs, by type.
    """

    preview: bool = False
    answers: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = field(
        default_factory=lambda: {"command:local:run": lambda _: {"stdout": ""}}
    )
    found: Mapping[str, Callable[[str], dict[str, Any]]] = field(
        default_factory=lambda: {"kubernetes:core/v1:Pod": lambda _: {"status": {"podIP": "10.244.55.134"}}}
    )
    resources: list[Declared] = field(default_factory=list)
    registered: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    logs: list[tuple[int, str]] = field(default_factory=list)

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        self.calls.append((args.token, args.args))
        answer = self.answers.get(args.token)
        return answer(args.args) if answer else {}, None

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return args.name, args.inputs

    @property
    def outputs(self) -> dict[str, Any]:
        """Of the stack."""
        return self.registered[""]

    @property
    def warnings(self) -> list[str]:
        return [text for severity, text in self.logs if severity == engine_pb2.WARNING]

    def of(self, kind: str) -> list[Declared]:
        """All resources whose type ends so, such as `:Pod`."""
        return [resource for resource in self.resources if resource.type.endswith(f":{kind}")]

    def one(self, kind: str, name: str | None = None) -> Declared:
        (found,) = [resource for resource in self.of(kind) if name in (None, resource.name)]
        return found

    def objects(self) -> list[dict[str, Any]]:
        """The Kubernetes objects, as the API would know them."""
        return [r.inputs for r in self.resources if r.type.startswith("kubernetes:") and "metadata" in r.inputs]


class _Monitor(mocks.MockMonitor):
    """Pulumi's own, with what it leaves out: options, component outputs, unknown ids in a preview."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(recording)
        self._recording = recording

    def RegisterResource(self, request: Request) -> Request:  # noqa: N802 - the protocol's name
        urn = self.make_urn("" if "pulumi:Stack" in request.parent else request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        self._recording.resources.append(Declared(urn, request.type, request.name, _plain(request.object), request))
        state = struct_pb2.Struct()
        state.CopyFrom(request.object)
        found = self._recording.found.get(request.type)
        if found and not self._recording.preview:
            state.update(found(request.name))
        known = request.custom and not self._recording.preview
        return resource_pb2.RegisterResourceResponse(urn=urn, id=request.name if known else "", object=state)

    def RegisterResourceOutputs(self, request: Request) -> Request:  # noqa: N802 - the protocol's name
        urn = "" if "pulumi:pulumi:Stack" in request.urn else request.urn
        self._recording.registered[urn] = _plain(request.outputs)
        return empty_pb2.Empty()

    def Invoke(self, request: Request) -> Request:  # noqa: N802 - the protocol's name
        answer, _ = self._recording.call(mocks.MockCallArgs(request.tok, _plain(request.args), request.provider))
        returned = struct_pb2.Struct()
        returned.update(answer)
        return resource_pb2.ResourceInvokeResponse(**{"return": returned})


class _Engine:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def Log(self, request: Request) -> Request:  # noqa: N802 - the protocol's name
        self._recording.logs.append((request.severity, request.message))
        return empty_pb2.Empty()


def _plain(value: Request) -> dict[str, Any]:
    plain = _whole(json_format.MessageToDict(value))
    assert isinstance(plain, dict)
    return plain


def _whole(value: Any) -> Any:
    """The protocol knows floats only."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def run(
    program: Callable[[], Any],
    recording: Recording,
    stack: str = "seed",
    config: Mapping[str, str] | None = None,
    secret: tuple[str, ...] = (),
) -> Recording:
    """Runs a program as the stack of that name, under the configuration as the engine hands it over: all texts.

    secret: keys of it. Raises what the program raises.
    """
    given = dict(config or {})

    def inside() -> None:
        monitor: Request = _Monitor(recording)
        features = set(monitor.GetDeploymentInfo(empty_pb2.Empty()).supportedFeatures)
        settings = mocks.MockSettings(
            monitor=monitor,
            monitor_features=features,
            engine=_Engine(recording),
            project="ingress-hops",
            stack=stack,
            dry_run=recording.preview,
            organization="organization",
        )
        configure(settings)
        # A program that failed leaves tasks of its own event loop.
        SETTINGS.rpc_manager.clear()
        SETTINGS.outputs.clear()
        set_all_config(given, list(secret))

        def declare() -> None:
            program()

        asyncio.run(run_in_stack(declare))

    # In a context of its own: what a program leaves behind is gone after it.
    with mock.patch.dict(os.environ, PULUMI_CONFIG=json.dumps(given)):
        contextvars.copy_context().run(inside)
    return recording


def strings(value: Any) -> Iterator[str]:
    """All texts in a value, keys included."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from strings(key)
            yield from strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value
