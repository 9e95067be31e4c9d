"""What is in stock: plain Python that knows nothing of Signalbox. Its sidecar registers it, and finds `prices` for it."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError
from urllib.request import urlopen

EGRESS = f"http://127.0.0.1:{os.environ['EGRESS_PORT']}"


class Stock(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body go out together, and not the second one only after the first was acknowledged.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, {"result": "OK"})
        item = self.path.removeprefix("/stock/")
        try:
            with urlopen(f"{EGRESS}/prices/{item}", timeout=3) as response:
                price = json.load(response)["price"]
        except (URLError, OSError) as error:
            return self.answer(502, {"detail": f"prices: {error}"})
        return self.answer(200, {"item": item, "left": 7, "worth": 7 * price})

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.answer(200, {"item": self.path.removeprefix("/stock/"), "left": 6})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    # Python's own is 5: under load, connections would wait for a second.
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["PORT"])), Stock).serve_forever()
