"""Reads the Kubernetes API with the official client: raw answers, never a change."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from socket import socket
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import quote

from hops.model.certificates import facts

CONNECT_SECONDS = 2.0
SECONDS = 5.0
_AT_ONCE = 8
_LINE = 4096


class APIError(RuntimeError):
    """The API cannot be reached, or answers with an error.

    status: HTTP status; None if nothing answered.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class API:
    """The API of a cluster.

    kubeconfig: the kubeconfig file; None for the user's own.
    context: a context of the file; None for the current one.

    Raises APIError.
    """

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        # The import takes a third of a second, which a command that needs no cluster must not spend.
        from kubernetes import client, config  # noqa: PLC0415

        self._configuration = client.Configuration()
        self._configuration.retries = False
        self._configuration.connection_pool_maxsize = _AT_ONCE
        try:
            config.load_kube_config(
                str(kubeconfig) if kubeconfig else None,
                context,
                client_configuration=self._configuration,
                persist_config=False,
            )
        except Exception as error:  # noqa: BLE001 - the client raises many exceptions for a wrong file
            reason = " ".join(str(error).split()) or type(error).__name__
            raise APIError(f"{kubeconfig or 'the kubeconfig'} cannot be used: {reason}") from None
        self.kubeconfig = str(kubeconfig) if kubeconfig else None
        self.context = context
        self._client = client.ApiClient(self._configuration)
        self._gate = BoundedSemaphore(_AT_ONCE)

    @property
    def server(self) -> str:
        return str(self._configuration.host)

    @property
    def _file(self) -> str:
        return self.kubeconfig or "the kubeconfig"

    def _client_ended(self) -> str:
        """The date on which the client certificate expired; "" if it has not, or there is none."""
        try:
            ends = facts(Path(str(self._configuration.cert_file)).read_text()).ends
        except (OSError, ValueError):
            return ""
        return f"{ends:%Y-%m-%d}" if ends <= datetime.now(UTC) else ""

    def close(self) -> None:
        self._client.close()

    def text(self, path: str, accept: str = "application/json") -> str:
        """The body that a GET of a path returns. Raises APIError."""
        return self.answer("GET", path, {"Accept": accept})

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: Any = None) -> str:
        """The body that a request returns. Raises APIError.

        method, path, headers: of the request.
        body: JSON values. Default: None, no body.
        """
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the client

        sent = self._client.param_serialize(
            method, path, header_params=dict(headers), body=body, auth_settings=["BearerToken"]
        )
        try:
            with self._gate:
                answer = self._client.call_api(*sent, _request_timeout=(CONNECT_SECONDS, SECONDS))
                received = bytes(answer.read()).decode(errors="replace")
        except (HTTPError, OSError) as error:
            raise APIError(f"{self.server} does not answer: {_cause(error)}") from None
        except Exception as error:  # noqa: BLE001 - the client has exceptions of its own for TLS errors
            raise APIError(f"{self.server} cannot be asked: {error}") from None
        if answer.status == 401 and (ended := self._client_ended()):
            raise APIError(f"the API refuses the client certificate of {self._file}, which expired on {ended}", 401)
        if answer.status >= 400:
            raise APIError(
                f"the API answers {answer.status} to {path.partition('?')[0]}: {_message(received)}", answer.status
            )
        return received

    def json(self, path: str, accept: str = "application/json") -> Any:
        """The JSON value that a GET of a path returns. Raises APIError."""
        try:
            return json.loads(self.text(path, accept))
        except ValueError:
            raise APIError(f"the API's answer to {path} is not JSON") from None

    def lines(self, path: str) -> Iterator[str]:
        """The lines that a GET of a path returns, until the server ends them, such as those of a followed log.

        A line longer than 4 KiB is cut into lines. Raises APIError.
        """
        method, url, headers, _, _ = self._client.param_serialize("GET", path, auth_settings=["BearerToken"])
        try:
            answer = self._client.call_api(method, url, headers, _request_timeout=(CONNECT_SECONDS, None))
            rest = b""
            for chunk in answer.response.stream(_LINE) if answer.status < 400 else ():
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
                if len(rest) >= _LINE:
                    yield rest.decode(errors="replace")
                    rest = b""
        except Exception as error:  # noqa: BLE001 - the client has exceptions of its own
            raise APIError(f"{self.server} cannot be asked: {error}") from None
        if rest:
            yield rest.decode(errors="replace")
        if answer.status >= 400:
            raise APIError(f"the API answers {answer.status} to {path.partition('?')[0]}", answer.status)

    def forward(self, namespace: str, pod: str, port: int) -> socket:
        """A connection to a port in a pod's network namespace, which includes its loopback. Raises APIError.

        namespace: of the pod.
        pod: its name.
        port: TCP port.
        """
        from kubernetes.stream.ws_client import portforward_call  # noqa: PLC0415

        # The public function, stream.portforward, needs CoreV1Api, whose import takes a second.
        path = f"/api/v1/namespaces/{namespace}/pods/{quote(pod)}/portforward?ports={port}"
        method, url, headers, _, _ = self._client.param_serialize("GET", path, auth_settings=["BearerToken"])
        try:
            forwarded = portforward_call(self._configuration, method, url, headers=headers)
        except Exception as error:  # noqa: BLE001 - the client wraps every error of the websocket
            raise APIError(f"no port-forward to {namespace}/{pod}: {str(error).strip()}") from None
        connection: socket = forwarded.socket(port)
        connection.settimeout(SECONDS)
        return connection


def _cause(error: BaseException) -> str:
    """The last part of urllib3's message, which is the system's own."""
    reason = getattr(error, "reason", None) or error
    whole = str(reason.args[-1] if reason.args else reason)
    last = re.sub(r"^.*(\[Errno -?\d+\]|: )\s*", "", whole)
    timed_out = re.sub(r"\.? \((?:read|connect) timeout=([\d.]+)\)", r" after \1 s", last)
    return timed_out.strip(" ()'\"") or type(error).__name__


def _message(body: str) -> str:
    """The message of a Status object."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.strip()[:200]
