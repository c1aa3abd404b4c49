"""A build of ordinary pages and one of hostile pages, and clients that ask the explorer."""

from __future__ import annotations

from pathlib import Path

import hostile_pages
import pytest
from explorer_client import client_of
from starlette.testclient import TestClient


@pytest.fixture(scope="session")
def judged(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample under the profile web: some pages are dropped by its rules."""
    out = tmp_path_factory.mktemp("judged") / "corpus"
    run_corpus("build", "tests/data/sample.warc.gz", "--out", out, "--profile", "web", "-q")
    return out


@pytest.fixture(scope="session")
def client(judged: Path) -> TestClient:
    return client_of(judged)


@pytest.fixture(scope="session")
def hostile(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of two hundred hostile pages, all of them kept."""
    place = tmp_path_factory.mktemp("hostile")
    assert hostile_pages.write(place / "pages") >= 195
    run_corpus("build", place / "pages", "--out", place / "corpus", "--profile", "none", "-q",
               "-j", 1, "--set", "dedup.mode=none",
               "--set", "harvest.min_language_score=0")  # fmt: skip
    return place / "corpus"
