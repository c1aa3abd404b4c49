"""An S3 server (moto's) on loopback behind a proxy that fails in the ways S3 does."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message><RequestId>1</RequestId></Error>"
)


DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>'
    b"<Message>Access Denied</Message><RequestId>1</RequestId></Error>"
)


class Proxy(ThreadingHTTPServer):
    """Hands requests on to `target`; a range's first GET gets `fault`, or all of them (`always`).

    `log` holds (fault or "", Range, status) of every GET with a range. With `every`, the first
    request of each method and path (of every `stride`th) fails, whatever it is:

        403 500 503    that status, nothing done
        lost           the connection ends before the request is done; a GET is cut in the middle
        deaf           the request is done, its answer is lost
        stall          no answer for `stall_s`, then the end

    `only`: a method, where no other is to fail. `watch(number, method, path)` is called before a
    request is handed on.
    """

    daemon_threads = True

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.fault = ""
        self.always = False
        self.every = False
        self.only = ""
        self.stride = 1
        self.stall_s = 5.0
        self.watch: Callable[[int, str, str], object] = lambda number, method, path: None
        self.requests: list[tuple[str, str, str]] = []  # fault or "", method, path
        self.lock = threading.Lock()
        self.seen: Counter[str] = Counter()
        self.log: list[tuple[str, str, int]] = []
        self.stop = threading.Event()

    def reset(self) -> None:
        """No fault, no memory."""
        self.fault, self.always, self.every, self.stride, self.stall_s = "", False, False, 1, 5.0
        self.only = ""
        self.watch = lambda number, method, path: None
        self.seen.clear()
        self.log.clear()
        self.requests.clear()

    def draw(self, method: str, path: str) -> tuple[str, int]:
        """The fault of a request, and its number."""
        with self.lock:
            key = f"{method} {path}"
            self.seen[key] += 1
            first = self.seen[key] == 1 and len(self.requests) % self.stride == 0
            struck = self.every and (self.always or first) and method.startswith(self.only)
            fault = self.fault if struck else ""
            self.requests.append((fault, method, path))
            return fault, len(self.requests)

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that hang up are part of the test


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        any_fault, number = self.server.draw(self.command, self.path)
        self.server.watch(number, self.command, self.path)
        if any_fault in ("lost", "stall") and self.command != "GET":
            self._hang_up(self.server.stall_s if any_fault == "stall" else 0.0)
            return
        upstream = http.client.HTTPConnection(*self.server.target, timeout=20)
        fault, ranged = "", self.headers.get("Range", "")
        headers = dict(self.headers)
        if self.command == "GET" and ranged:
            self.server.seen[ranged] += 1
            if self.server.always or self.server.seen[ranged] == 1:
                fault = self.server.fault
            if fault == "whole":
                del headers["Range"]
        if any_fault in ("403", "500", "503"):
            self._refuse(int(any_fault))
            return
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        status, sent = answer.status, dict(answer.getheaders())
        fault = fault or any_fault
        if any_fault == "deaf":
            self._hang_up()
            return
        if fault in ("500", "503"):
            status, data, sent = int(fault), SLOW_DOWN, {"Content-Type": "application/xml"}
        elif fault == "short":
            data = data[: len(data) // 2]
        if ranged:
            self.server.log.append((fault, ranged, status))
        self.send_response(status)
        for name, value in sent.items():
            if not re.fullmatch(
                r"(?i)content-length|transfer-encoding|connection|date|server", name
            ):
                self.send_header(name, value)
        length = sent.get("Content-Length", "") if self.command == "HEAD" else len(data)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault in ("cut", "stall", "lost"):
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            if fault == "stall":
                self.server.stop.wait(self.server.stall_s)
            self._hang_up()
            return
        self.wfile.write(data)

    def _refuse(self, status: int) -> None:
        data = DENIED if status == 403 else SLOW_DOWN
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _hang_up(self, after: float = 0.0) -> None:
        self.server.stop.wait(after)
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on


@contextlib.contextmanager
def s3_server() -> Iterator[Proxy]:
    """A proxy before an empty S3 server, both stopped at the end."""
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    proxy = Proxy(moto.get_host_and_port())
    threading.Thread(target=proxy.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield proxy
    finally:
        proxy.stop.set()
        proxy.shutdown()
        proxy.server_close()
        moto.stop()
