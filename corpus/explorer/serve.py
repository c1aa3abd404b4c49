"""Start the explorer: find a port, print the address, serve until interrupted."""

from __future__ import annotations

import secrets
import socket
import sys
import webbrowser

import uvicorn

from corpus.errors import UsageError
from corpus.explorer.app import application
from corpus.explorer.views import Explorer
from corpus.folder.layout import Layout

LOOPBACK = ("127.0.0.1", "localhost", "::1")
IDLE = 5  # seconds that a connection may be silent


def serve(layout: Layout, host: str, port: int, open_browser: bool) -> None:
    """Serve a build folder; UsageError when the port cannot be had.

    To others than this machine (a host that is not its loopback) only with the token that is part
    of the printed address.
    """
    token = "" if host in LOOPBACK else secrets.token_urlsafe(24)
    explorer = Explorer(layout, in_advance=True)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/" + (f"?token={token}" if token else "")
    print(address, flush=True)
    print("Ctrl-C ends it.", file=sys.stderr)
    if open_browser:
        webbrowser.open(address)
    settings = uvicorn.Config(
        application(explorer, token), log_level="warning", access_log=False, server_header=False,
        lifespan="off",
        timeout_keep_alive=IDLE, limit_concurrency=100, backlog=64,
        h11_max_incomplete_event_size=32_768,
    )  # fmt: skip
    uvicorn.Server(settings).run(sockets=[listener])
