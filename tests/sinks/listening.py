"""A service in a thread of its own, for tests that drive other processes."""

import http.server
import json
import threading
import time
import urllib.request


class Listener:
    """Keeps (headers, body) of each POST; while `held` is set none is answered.

    `raw` has (path, headers, body as text).
    """

    def __init__(self):
        self.got, self.raw = [], []
        self.begun = []
        self.held = threading.Event()
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                said = (dict(self.headers), json.loads(body))
                listener.begun.append(said)
                listener.raw.append((self.path, said[0], body.decode()))
                while listener.held.is_set():
                    time.sleep(0.02)
                try:
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.flush()
                except OSError:
                    return
                listener.got.append(said)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self):
        self.held.clear()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def ask(url, body=None):
    """The JSON of an answer."""
    wanted = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(wanted, timeout=20) as answer:  # noqa: S310 - our own servers
        text = answer.read()
    return json.loads(text) if text else None


def patiently(look, wanted, seconds=60):
    """Ask until it is as wanted; gives what was found then."""
    deadline = time.monotonic() + seconds
    while not wanted(found := look()):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found
