"""Asks the Kubernetes API by the official client: raw answers, never a change."""

import json
import re
from pathlib import Path
from socket import socket
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import quote

CONNECT_SECONDS = 2.0
SECONDS = 5.0
_AT_ONCE = 8


class APIError(RuntimeError):
    """The API cannot be asked, or says no. status: of HTTP, None where nothing answered."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class API:
    """A cluster's API by a kubeconfig.

    kubeconfig: its file, None for the user's own. context: of it, None for the current one. Raises APIError.
    """

    def __init__(self, kubeconfig: Path | None, context: str | None) -> None:
        # A third of a second to import, which whoever follows no cluster need not wait for.
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
        except Exception as error:  # noqa: BLE001 - a file can be wrong in more ways than the client has exceptions
            said = " ".join(str(error).split()) or type(error).__name__
            raise APIError(f"{kubeconfig or 'the kubeconfig'} cannot be used: {said}") from None
        self.kubeconfig = str(kubeconfig) if kubeconfig else None
        self.context = context
        self._client = client.ApiClient(self._configuration)
        self._gate = BoundedSemaphore(_AT_ONCE)

    @property
    def server(self) -> str:
        return str(self._configuration.host)

    def close(self) -> None:
        self._client.close()

    def text(self, path: str, accept: str = "application/json") -> str:
        """What a GET of a path answers. Raises APIError."""
        from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the client

        headers = {"Accept": accept}
        method, url, headers, _, _ = self._client.param_serialize(
            "GET", path, header_params=headers, auth_settings=["BearerToken"]
        )
        try:
            with self._gate:
                answer = self._client.call_api(method, url, headers, _request_timeout=(CONNECT_SECONDS, SECONDS))
                said = bytes(answer.read()).decode(errors="replace")
        except (HTTPError, OSError) as error:
            raise APIError(f"{self.server} does not answer: {_cause(error)}") from None
        except Exception as error:  # noqa: BLE001 - the client wraps what TLS says into an exception of its own
            raise APIError(f"{self.server} cannot be asked: {error}") from None
        if answer.status >= 400:
            raise APIError(
                f"the API answers {answer.status} to {path.partition('?')[0]}: {_message(said)}", answer.status
            )
        return said

    def json(self, path: str, accept: str = "application/json") -> Any:
        """The same as a value. Raises APIError."""
        try:
            return json.loads(self.text(path, accept))
        except ValueError:
            raise APIError(f"the API's answer to {path} is not JSON") from None

    def forward(self, namespace: str, pod: str, port: int) -> socket:
        """A connection to a port in a pod's network namespace, its loopback included. Raises APIError."""
        from kubernetes.stream.ws_client import portforward_call  # noqa: PLC0415

        # Its public way, stream.portforward, needs CoreV1Api, which takes a second to import.
        path = f"/api/v1/namespaces/{namespace}/pods/{quote(pod)}/portforward?ports={port}"
        method, url, headers, _, _ = self._client.param_serialize("GET", path, auth_settings=["BearerToken"])
        try:
            forwarded = portforward_call(self._configuration, method, url, headers=headers)
        except Exception as error:  # noqa: BLE001 - whatever the websocket meets becomes one exception of the client
            raise APIError(f"no port-forward to {namespace}/{pod}: {str(error).strip()}") from None
        connection: socket = forwarded.socket(port)
        connection.settimeout(SECONDS)
        return connection


def _cause(error: BaseException) -> str:
    """The last part of what urllib3 says, which is the system's own sentence."""
    return re.sub(r"^.*(\[Errno \d+\]|: )\s*", "", str(error)).strip(" ()'\"") or type(error).__name__


def _message(said: str) -> str:
    """What a Status object says."""
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said.strip()[:200]
