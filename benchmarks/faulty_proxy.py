"""A small HTTP proxy that fails as servers fail, for tests of a tracker that talks to one."""

import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal, final

Fault = Literal["none", "away", "silent", "slow", "lost", "garbage"] | int
"""What happens to a request: none, it is dropped, it is never answered, it is answered late, it is
done but its answer is dropped, its answer is no JSON, or its answer is this HTTP status."""


@final
class FaultyProxy:
    """Stands between a client and a server on 127.0.0.1.

    Attributes:
        fault: What happens to requests from now on.
        delay: Seconds by which a slow answer is late.
        num_faults: Requests that something has happened to.
    """

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.fault: Fault = "none"
        self.delay = 0.3
        self.num_faults = 0
        self.healed = Event()
        proxy = self

        class _Handler(BaseHTTPRequestHandler):
            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                del code, size

            def _answer(self) -> None:
                with suppress(ConnectionError):  # a client that has ceased to wait
                    proxy.answer(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - stdlib's names

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True

    @property
    def uri(self) -> str:
        """Where clients reach it."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def heal(self) -> None:
        """Let requests through again; those that were never answered are dropped."""
        self.fault = "none"
        self.healed.set()

    def harm(self, fault: Fault, seconds: float = 60.0, requests: int = 2) -> None:
        """Let requests meet a fault, and return when a few have, or raise."""
        met, end = self.num_faults + requests, time.monotonic() + seconds
        self.healed.clear()
        self.fault = fault
        while self.num_faults < met:
            if time.monotonic() > end:
                raise TimeoutError(f"fewer than {requests} requests in {seconds} s")
            time.sleep(0.01)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request, or fail to."""
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        fault = self.fault
        self.num_faults += fault != "none"
        match fault:
            case "none":
                self._forward(request, body)
            case "slow":
                time.sleep(self.delay)
                self._forward(request, body)
            case "lost":
                self._ask(request, body)
            case "silent":
                self.healed.wait(60.0)
            case "away":
                pass
            case "garbage":
                _reply(request, 200, "application/json", b"<html>\x00\x1b[31mno such page")
            case _:
                _reply(request, fault, "text/plain", b"the disk is full")

    def _forward(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        answer, content = self._ask(request, body)
        kind = answer.headers.get("Content-Type", "application/json")
        _reply(request, answer.status, kind, content)

    def _ask(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.upstream, timeout=60.0)
        passed = {"Content-Type", "Accept", "Range"}
        headers = {name: value for name, value in request.headers.items() if name in passed}
        connection.request(request.command, request.path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content


@contextmanager
def faulty_proxy(port: int) -> Generator[FaultyProxy]:
    """Stand between clients and the server at a port of 127.0.0.1."""
    proxy = FaultyProxy(port)
    thread = Thread(target=proxy.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.heal()
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()


def _reply(request: BaseHTTPRequestHandler, status: int, kind: str, content: bytes) -> None:
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)
