"""Counts visits on port 8000: GET /api/visits returns their number, POST adds one first."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from shop.database import connect


class API(BaseHTTPRequestHandler):
    """Answers every path with the number of visits."""

    def do_GET(self) -> None:
        self._answer(visit=False)

    def do_POST(self) -> None:
        self._answer(visit=True)

    def _answer(self, *, visit: bool) -> None:
        with connect() as database:
            if visit:
                database.run("INSERT INTO visits DEFAULT VALUES")
            ((visits,),) = database.run("SELECT count(*) FROM visits")
        body = json.dumps({"visits": visits}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8000), API).serve_forever()
