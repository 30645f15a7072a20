"""The pack as the engine meets it: a process of its own that speaks gRPC."""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2 as messages
from pulumi.runtime.proto import analyzer_pb2_grpc as services

FOLDER = Path(__file__).parents[2] / "policy"
NAME = "ingress-hops"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes a string that it doesn't know yet."""
_LEVELS = {messages.ADVISORY: "advisory", messages.MANDATORY: "mandatory"}

Resource = tuple[str, Mapping[str, Any], str]
"""Type token, properties, name."""


class Pack:
    """A running pack. Answers are lists of level and message, the message without the policy's description."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub

    def configure(self, rules: Mapping[str, Any], level: Any = messages.REMEDIATE) -> None:
        config = messages.PolicyConfig(enforcementLevel=level, properties=_struct({"rules": rules}))
        self.stub.Configure(messages.ConfigureAnalyzerRequest(policyConfig={NAME: config}))

    def analyze(
        self, kind: str, properties: Mapping[str, Any], name: str = "it", provider: Mapping[str, Any] | None = None
    ) -> list[tuple[str, str]]:
        request = _request(kind, properties, name)
        if provider is not None:
            request.provider.CopyFrom(messages.AnalyzerProviderResource(properties=_struct(provider)))
        return _said(self.stub.Analyze(request))

    def stack(self, *resources: Resource) -> list[tuple[str, str]]:
        """What it says of resources with these outputs."""
        listed = [
            messages.AnalyzerResource(type=kind, properties=_struct(properties), name=name, urn=urn(kind, name))
            for kind, properties, name in resources
        ]
        return _said(self.stub.AnalyzeStack(messages.AnalyzeStackRequest(resources=listed)))

    def preview(self, *resources: Resource) -> list[tuple[str, str]]:
        """What it says of each and then of all, where outputs are the inputs."""
        each = [said for kind, properties, name in resources for said in self.analyze(kind, properties, name)]
        return each + self.stack(*resources)

    def mended(self, kind: str, properties: Mapping[str, Any], name: str = "it") -> Any:
        """The properties after remediation, None where nothing is changed."""
        answer = self.stub.Remediate(_request(kind, properties, name))
        return json_format.MessageToDict(answer.remediations[0].properties) if answer.remediations else None


@contextmanager
def running(environment: Mapping[str, str], folder: Path = FOLDER) -> Iterator[Pack]:
    """A pack that ends with the block. environment: what the engine tells it of project, stack and configuration.

    folder: where the pack lies, beside the project's stack files.
    """
    words = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder, env=dict(environment)) as process:
        try:
            assert process.stdout
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                yield Pack(services.AnalyzerStub(channel))
        finally:
            process.terminate()


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["hops.rules", "policy.dispatcher", "pulumi.runtime.proto.analyzer_pb2_grpc"])


def _serve(environment: Mapping[str, str], folder: Path, out: Connection) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.dup2(out.fileno(), 1)
    sys.argv = ["policy", "127.0.0.1:1", str(folder)]
    runpy.run_module("pulumi.policy", run_name="__main__")


@contextmanager
def forked(environment: Mapping[str, str], folder: Path = FOLDER) -> Iterator[Pack]:
    """Like `running`: a process of its own, forked from one that has imported the pack's modules."""
    read, write = _FORKS.Pipe(duplex=False)
    process = _FORKS.Process(target=_serve, args=(dict(environment), folder, write), daemon=True)
    process.start()
    write.close()
    try:
        with os.fdopen(os.dup(read.fileno())) as printed:
            port = int(printed.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Pack(services.AnalyzerStub(channel))
    finally:
        process.terminate()
        process.join()


def urn(kind: str, name: str) -> str:
    return f"urn:pulumi:test::test::{kind}::{name}"


def _request(kind: str, properties: Mapping[str, Any], name: str) -> Any:
    return messages.AnalyzeRequest(type=kind, properties=_struct(properties), name=name, urn=urn(kind, name))


def _said(answer: Any) -> list[tuple[str, str]]:
    return [(_LEVELS[d.enforcementLevel], d.message.partition("\n")[2]) for d in answer.diagnostics]


def _struct(value: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(value)
    return struct


def codes(said: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Level and code of each."""
    return [(level, message[:4]) for level, message in said]
