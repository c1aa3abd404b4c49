"""Web servers for the tests: a real nginx, and one that fails in the ways servers do."""

from __future__ import annotations

import contextlib
import email.utils
import re
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
NGINX_CONF = """
daemon off; master_process off; pid {run}/pid; error_log {run}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {run}/access.log; client_body_temp_path {run}/b; proxy_temp_path {run}/p;
    fastcgi_temp_path {run}/f; uwsgi_temp_path {run}/u; scgi_temp_path {run}/s;
    limit_req_zone $binary_remote_addr zone=calm:64k rate=200r/s; limit_req_status 503;
    server {{
        listen 127.0.0.1:{port};
        location / {{ root {root}; }}
        location /busy/ {{ alias {root}/; limit_req zone=calm; }}
        location /moved/ {{ rewrite ^/moved/(.*)$ /$1 redirect; }}
        location /unranged/ {{ alias {root}/; max_ranges 0; }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(root: Path, run: Path) -> Iterator[str]:
    """nginx from Debian that serves `root` on loopback; yields its base URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    conf = run / "nginx.conf"
    conf.write_text(NGINX_CONF.format(run=run, root=root, port=port))
    command = [str(NGINX), "-e", f"{run}/error.log", "-p", str(run), "-c", str(conf)]
    process = subprocess.Popen(command)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


class Faulty(ThreadingHTTPServer):
    """Serves one folder; /FAULT/file fails in the way FAULT, most only at a range's first request.

    `log` holds (time.monotonic(), fault, first byte, status) of every request.
    """

    daemon_threads = True

    def __init__(self, root: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = root
        self.base = f"http://127.0.0.1:{self.server_port}"
        self.seen: Counter[tuple[str, str]] = Counter()
        self.log: list[tuple[float, str, int, int]] = []
        self.lock = threading.Lock()
        self.broken_from = 1 << 60  # with fault "half": ranges from this byte on get 503
        self.stop = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients that hang up are part of the test


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Faulty

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        _, fault, name = self.path.split("/", 2)
        ranged = self.headers.get("Range", "")
        with self.server.lock:
            self.server.seen[fault, ranged] += 1
            attempt = self.server.seen[fault, ranged]
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", ranged)
        file = self.server.root / name
        if fault == "gone" or not match or not file.is_file():
            return self._plain(404)
        whole = file.read_bytes()
        first, last = int(match[1]), min(int(match[2]), len(whole) - 1)
        if first >= len(whole):
            return self._plain(416, {"Content-Range": f"bytes */{len(whole)}"})
        data = whole[first : last + 1]
        kinds = ("busy", "later", "cut", "short", "shifted", "bare", "stall", "error")
        if fault == "all":  # every range has a fault of its own, then another one
            fault = kinds[(first + attempt) % len(kinds)] if attempt <= 2 else "none"
            attempt = 1
        answer = getattr(self, f"_{fault}", None)
        always = ("down", "drip", "half", "whole", "chunked", "multipart")
        if answer and (attempt == 1 or fault in always):
            return answer(data, first, last, whole)
        self._range(data, first, last, len(whole))

    # answers --------------------------------------------------------------------------------------

    def _begin(self, status: int, headers: dict[str, object]) -> None:
        match = re.match(r"bytes=(\d+)", self.headers.get("Range", ""))
        entry = (time.monotonic(), self.path.split("/")[1], int(match[1]) if match else -1, status)
        self.server.log.append(entry)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def _plain(self, status: int, headers: dict[str, object] | None = None) -> None:
        self._begin(status, {"Content-Length": 5, **(headers or {})})
        self.wfile.write(b"sorry")

    def _range(self, data: bytes, first: int, last: int, total: int) -> None:
        about = {"Content-Range": f"bytes {first}-{last}/{total}", "Content-Length": len(data)}
        self._begin(206, about)
        self.wfile.write(data)

    def _busy(self, *_: object) -> None:
        self._plain(503)

    _down = _busy

    def _error(self, *_: object) -> None:
        self._plain(500)

    def _later(self, *_: object) -> None:
        self._plain(429, {"Retry-After": 1})

    def _date(self, *_: object) -> None:
        when = email.utils.formatdate(time.time() + 2, usegmt=True)
        self._plain(503, {"Retry-After": when})

    def _half(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        if first >= self.server.broken_from:
            return self._plain(503)
        self._range(data, first, last, len(whole))

    def _cut(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        about = {"Content-Range": f"bytes {first}-{last}/{len(whole)}", "Content-Length": len(data)}
        self._begin(206, about)
        self.wfile.write(data[: len(data) // 2])
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _short(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        about = {"Content-Range": f"bytes {first}-{last}/{len(whole)}",
                 "Content-Length": len(data) // 2}  # fmt: skip
        self._begin(206, about)
        self.wfile.write(data[: len(data) // 2])

    def _shifted(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        self._range(whole[first + 9 : last + 10], first + 9, last + 9, len(whole))

    def _bare(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        self._begin(206, {"Content-Length": len(data)})
        self.wfile.write(data)

    def _stall(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        about = {"Content-Range": f"bytes {first}-{last}/{len(whole)}", "Content-Length": len(data)}
        self._begin(206, about)
        self.wfile.write(data[:10])
        self.wfile.flush()
        self.server.stop.wait(5)
        self.close_connection = True

    def _drip(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        about = {"Content-Range": f"bytes {first}-{last}/{len(whole)}", "Content-Length": len(data)}
        self._begin(206, about)
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.stop.wait(0.05):
                return

    def _whole(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        self._begin(200, {"Content-Length": len(whole)})
        self.wfile.write(whole)

    def _chunked(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        self._begin(200, {"Transfer-Encoding": "chunked"})
        for at in range(0, len(whole), 1 << 16):
            piece = whole[at : at + (1 << 16)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _multipart(self, data: bytes, first: int, last: int, whole: bytes) -> None:
        self._begin(206, {"Content-Type": "multipart/byteranges; boundary=x", "Content-Length": 5})
        self.wfile.write(b"--x--")
