"""Answers /api/hello on port 8000 in JSON."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEXT = "hello from the API"


class API(BaseHTTPRequestHandler):
    """Answers every path with the text."""

    def do_GET(self) -> None:
        body = json.dumps({"text": TEXT, "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), API).serve_forever()
