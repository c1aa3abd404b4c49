"""Byte ranges of files on web servers, in stores or on disk, with patience for servers that fail.

Near ranges are joined into one request, a few requests run at the same time, answers come back in
the order asked. A request that fails is tried again after an exponential back-off with jitter, or
after what the server asks for in Retry-After, which then holds for all requests of this worker.
None of this reaches the bytes: a range is given whole and right, or with the reason it is not.
HTTP: RFC 9110, sections 10.2.3 (Retry-After), 14 (ranges), 15 (status).
"""

from __future__ import annotations

import email.utils
import http.client
import random
import re
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    SSLError,
)

from corpus import __version__
from corpus.settings import MIB, FetchSettings
from corpus.sources.remote.stores import FetchError, read_range

AGENT = f"inaho/{__version__} (+https://github.com/inaho/inaho)"
MAX_SPAN = 8 * MIB  # of one request for several ranges
MAX_PAUSE = 60.0  # seconds of back-off
MAX_RETRY_AFTER = 300.0  # seconds a server may make us wait
SLOWEST = 32 << 10  # bytes/s; an answer that drips slower than this is given up
CHUNK = 1 << 18
TRANSIENT = (408, 425, 429)  # and everything from 500
NO_RETRY = urllib3.Retry(
    total=None, connect=0, read=0, status=0, other=0, redirect=5, respect_retry_after_header=False
)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.I)

Place = tuple[str, int, int]  # file, first byte, behind the last byte


@dataclass(frozen=True)
class Failure:
    """Why a range could not be had."""

    reason: str
    final: bool  # asking again is of no use (404), not a server in trouble
    first: bool = True  # of the ranges that one request asked for


def fetch_all(places: list[Place], settings: FetchSettings) -> Iterator[bytes | Failure]:
    """For each place, in order: its bytes, fewer where the file ends earlier, or a Failure.

    `places` must be sorted by (file, first byte). At most `connections` + 1 answers of 8 MiB (or
    one longer range) are held.
    """
    # At most `connections` + 1 requests are out, and the oldest is waited for: so the order holds
    # and a slow answer does not let the others pile up in memory.
    requests = join(places, settings.gap_kib << 10)
    fetcher = _Fetcher(settings)
    waiting: deque[tuple[list[Place], Future[bytes | Failure]]] = deque()
    pool = ThreadPoolExecutor(settings.connections, "fetch")
    try:
        for request in requests:
            waiting.append((request, pool.submit(fetcher.get, *_span(request))))
            if len(waiting) > settings.connections:
                yield from _shares(*waiting.popleft())
        while waiting:
            yield from _shares(*waiting.popleft())
    finally:  # also when the reader breaks off: threads that rest or read give up at once
        fetcher.stop.set()
        pool.shutdown(cancel_futures=True)
        fetcher.close()


def join(places: list[Place], gap: int) -> Iterator[list[Place]]:
    """Places of the same file at most `gap` bytes apart, up to MAX_SPAN together."""
    held: list[Place] = []
    stop = 0
    for place in places:
        file, first, behind = place
        if held and (
            file != held[0][0] or first > stop + gap or max(stop, behind) - held[0][1] > MAX_SPAN
        ):
            yield held
            held, stop = [], 0
        held.append(place)
        stop = max(stop, behind)
    if held:
        yield held


def _span(request: list[Place]) -> Place:
    """The one range that covers the places of a request."""
    return request[0][0], request[0][1], max(behind for _, _, behind in request)


def _shares(request: list[Place], answer: Future[bytes | Failure]) -> Iterator[bytes | Failure]:
    """Cut the answer of a request into those of its places."""
    data = answer.result()
    start = request[0][1]
    for number, (_, first, behind) in enumerate(request):
        if isinstance(data, Failure):
            yield Failure(data.reason, data.final, number == 0)
        else:
            yield data[first - start : behind - start]


class _Fetcher:
    """Fetches one range at a time per thread; the threads share connections and pauses."""

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._lock = threading.Lock()
        self._not_before = 0.0  # time.monotonic(): the server asked for peace until then
        self.stop = threading.Event()

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.clear()

    def get(self, file: str, start: int, stop: int) -> bytes | Failure:
        """Bytes [start, stop) of `file`, tried as often as the settings say."""
        attempts = self._settings.attempts
        reason = ""
        for attempt in range(attempts):
            self._rest(attempt)
            if self.stop.is_set():
                return Failure("stopped", False)
            try:
                return self._once(file, start, stop)
            except FetchError as error:
                reason = str(error)
                if error.final:
                    return Failure(reason, True)
                with self._lock:
                    self._not_before = max(self._not_before, time.monotonic() + error.pause)
        return Failure(f"{reason}, {attempts} attempts", False)

    def _rest(self, attempt: int) -> None:
        """Sleep before an attempt: back-off with jitter, and the pause the server asked for."""
        pause = 0.0
        if attempt:
            full = min(MAX_PAUSE, self._settings.backoff_s * 2.0 ** min(attempt - 1, 30))
            pause = full * random.uniform(0.5, 1.0)
        # Retry-After of any thread holds for all: they ask the same server.
        with self._lock:
            asked = self._not_before - time.monotonic()
        if max(pause, asked) > 0:
            self.stop.wait(max(pause, asked))

    def _once(self, file: str, start: int, stop: int) -> bytes:
        if file.startswith(("http://", "https://")):
            return self._http(file, start, stop)
        return read_range(file, start, stop, self._settings.timeout_s)

    # HTTP -----------------------------------------------------------------------------------------

    def _http(self, url: str, start: int, stop: int) -> bytes:
        wait = self._settings.timeout_s
        headers = {
            "Range": f"bytes={start}-{stop - 1}",
            "Accept-Encoding": "identity",  # the range is one of the stored bytes
            "User-Agent": AGENT,
        }
        try:
            response = self._pool(url).request(
                "GET",
                url,
                headers=headers,
                preload_content=False,
                retries=NO_RETRY,
                timeout=urllib3.Timeout(connect=min(wait, 20.0), read=wait),
            )
        except (HTTPError, ValueError, OSError) as error:
            raise FetchError(_words(error), isinstance(error, ValueError)) from error
        try:
            return self._answer(response, start, stop)
        except (HTTPError, OSError) as error:
            raise FetchError(_words(error)) from error
        finally:
            response.close()  # before the connection goes back: there may be unread bytes in it
            response.release_conn()

    def _answer(self, response: urllib3.BaseHTTPResponse, start: int, stop: int) -> bytes:
        """The bytes of an answer by its status; FetchError for all but 206, 200 and 416."""
        # Only an answer that says which bytes it holds, and holds as many, is believed.
        status = response.status
        if status == 206:
            header = response.headers.get("Content-Range", "")
            match = _CONTENT_RANGE.fullmatch(header.strip())
            if not match:
                raise FetchError(f"status 206 with Content-Range {header[:60]!r}")
            first, last, total = match.groups()
            behind = int(last) + 1
            if int(first) != start or behind > stop or (behind < stop and str(behind) != total):
                raise FetchError(
                    f"asked for bytes {start}-{stop - 1}, got Content-Range {header[:60]!r}"
                )
            data = self._body(response, 0, behind - start)
            if len(data) < behind - start:
                raise FetchError(f"answer cut at {len(data)} of {behind - start} bytes")
            return data
        if status == 200:
            return self._whole(response, start, stop)
        if status == 416:  # the file ends before `start`, if the server knows what it says
            total = response.headers.get("Content-Range", "").rpartition("/")[2]
            if total.isascii() and total.isdigit() and int(total) > start:
                raise FetchError(f"status 416 for a file of {total[:20]} bytes")
            return b""
        reason = http.client.responses.get(status, "")
        raise FetchError(
            f"HTTP status {status} {reason}".rstrip(),
            final=status < 500 and status not in TRANSIENT,
            pause=_retry_after(response.headers.get("Retry-After", "")),
        )

    def _whole(self, response: urllib3.BaseHTTPResponse, start: int, stop: int) -> bytes:
        """The server ignores Range and sends the file from its first byte: read away, then take."""
        limit = self._settings.max_skip_mib * MIB
        if start > limit:
            raise FetchError(
                f"the server ignores Range, and the record stands behind the first "
                f"{self._settings.max_skip_mib} MiB (fetch.max_skip_mib)",
                final=True,
            )
        length = response.headers.get("Content-Length", "")
        chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
        data = self._body(response, start, stop - start)
        if len(data) < stop - start and not (chunked or length.isdigit()):
            raise FetchError("an answer of unknown length ended early")
        return data

    def _body(self, response: urllib3.BaseHTTPResponse, skip: int, count: int) -> bytes:
        """`count` bytes of the body behind the first `skip`; fewer when it ends before."""
        deadline = time.monotonic() + self._settings.timeout_s + (skip + count) / SLOWEST
        parts: list[bytes] = []
        left = skip + count
        while left:
            # read1 comes back with what there is, so a dripping answer meets the deadline
            chunk = response.read1(min(CHUNK, left if left <= count else left - count))
            if not chunk:
                break
            if left <= count:
                parts.append(chunk)
            left -= len(chunk)
            if time.monotonic() > deadline or self.stop.is_set():
                raise FetchError("the answer came too slowly")
        return b"".join(parts)

    def _pool(self, url: str) -> urllib3.PoolManager:
        """Connections for a scheme, through the proxy of the environment if there is one."""
        parts = urlsplit(url)
        with self._lock:
            if parts.scheme not in self._pools:
                proxy = urllib.request.getproxies().get(parts.scheme, "")
                if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
                    made: urllib3.PoolManager = urllib3.ProxyManager(
                        proxy, maxsize=self._settings.connections
                    )
                else:
                    made = urllib3.PoolManager(maxsize=self._settings.connections)
                self._pools[parts.scheme] = made
            return self._pools[parts.scheme]


def _retry_after(text: str) -> float:
    """Seconds of a Retry-After header: a number, or an HTTP date from now on; 0 when it is none."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(MAX_RETRY_AFTER, float(text[:9]))
    try:
        seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(MAX_RETRY_AFTER, max(0.0, seconds))


def _words(error: BaseException) -> str:
    """A short reason without addresses of memory: it stands in the ledger."""
    if isinstance(error, MaxRetryError) and error.reason is not None:
        error = error.reason
    known = (
        (NameResolutionError, "the host name is not known"),
        (ConnectTimeoutError, "no connection in time"),
        (NewConnectionError, "no connection"),
        (ReadTimeoutError, "no answer in time"),
        (SSLError, "no trusted TLS connection"),
    )
    for cause, words in known:
        if isinstance(error, cause):
            return words
    if isinstance(error, HTTPError | OSError):
        return f"the connection broke ({type(error).__name__})"
    return f"no usable address: {str(error)[:80]}"
