"""The process of a pod that says what reached it: over HTTP/1.1, a WebSocket, TLS, or HTTP/2 without TLS.

It runs in the pod's image, so it imports the standard library alone.
"""

import base64
import hashlib
import json
import os
import socketserver
import ssl
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
"""Frame types: RFC 9113, section 6."""
STATUS_200 = b"\x88"
"""RFC 7541, appendix A, entry 8."""


class Echo(BaseHTTPRequestHandler):
    """Answers with the path; waits where the path asks for it, and becomes a WebSocket where the client asks for it."""

    protocol_version = "HTTP/1.1"
    counts: ClassVar[Counter[str]] = Counter()
    """The requests by path."""

    def do_GET(self) -> None:
        self.counts[self.path] += 1
        if self.path.endswith("/slow"):
            time.sleep(3)
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._upgrade()
            return
        body = json.dumps({"path": self.path, "tls": isinstance(self.connection, ssl.SSLSocket)}).encode()
        # Each second request for it fails.
        self.send_response(503 if self.path == "/flaky" and self.counts[self.path] % 2 else 200)
        self.send_header("X-Powered-By", "Python")
        self.send_header("X-Pod", os.uname().nodename)
        self.send_header("X-Copied", str(self.counts["/copied"]))
        self.send_header("X-Seen-Stage", self.headers.get("X-Stage", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def _upgrade(self) -> None:
        key = self.headers["Sec-WebSocket-Key"].encode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        digest = hashlib.sha1(key + WEBSOCKET, usedforsecurity=False).digest()
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
        self.end_headers()
        # One text frame, then a close frame.
        self.wfile.write(b"\x81\x05hello" + b"\x88\x00")
        self.close_connection = True


class Http2(socketserver.StreamRequestHandler):
    """Answers every request of an HTTP/2 connection with 200 and a text."""

    def handle(self) -> None:
        if self.rfile.read(len(PREFACE)) != PREFACE:
            # A kubelet's probe, or a client that speaks HTTP/1.1.
            return
        self._send(SETTINGS, 0, 0, b"")
        while head := self.rfile.read(9):
            length, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
            stream, payload = int.from_bytes(head[5:], "big"), self.rfile.read(length)
            if kind == SETTINGS and not flags & 1:
                self._send(SETTINGS, 1, 0, b"")
            elif kind == PING and not flags & 1:
                self._send(PING, 1, 0, payload)
            elif kind == HEADERS:
                self._send(HEADERS, 4, stream, STATUS_200)
                self._send(DATA, 1, stream, b"over HTTP/2")

    def _send(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
        self.wfile.write(head + payload)
        self.wfile.flush()


class Http2Server(socketserver.ThreadingTCPServer):
    """A server of HTTP/2 without TLS."""

    daemon_threads = True
    allow_reuse_address = True


def main(protocol: str, port: str) -> None:
    address = ("", int(port))
    if protocol == "h2c":
        Http2Server(address, Http2).serve_forever()
        return
    server = ThreadingHTTPServer(address, Echo)
    if protocol == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = Path(__file__).parent
        context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
