"""A client that asks the explorer of a build folder, in this process."""

from __future__ import annotations

from pathlib import Path

from starlette.testclient import TestClient

from corpus.explorer.app import application
from corpus.explorer.views import Explorer
from corpus.folder.layout import Layout


def client_of(folder: Path, token: str = "") -> TestClient:
    return TestClient(application(Explorer(Layout(folder)), token), base_url="http://localhost")
