"""Fixtures of the tests of builds in S3; the functions beside them are in s3_builds.py."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator

import pytest
from s3_builds import INPUTS, OPTIONS, corpus, on_disk
from s3_server import Proxy, s3_server


@pytest.fixture(scope="module")
def s3_store() -> Iterator[Proxy]:
    import fsspec

    with pytest.MonkeyPatch.context() as environment, s3_server() as proxy:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        for name, value in (
            ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_ENDPOINT_URL", proxy.url),
            ("AWS_EC2_METADATA_DISABLED", "true"), ("INAHO_STORE_BACKOFF_S", "0.02"),
        ):  # fmt: skip
            environment.setenv(name, value)
        store = fsspec.filesystem("s3", skip_instance_cache=True)
        store.makedirs("out", exist_ok=True)  # moto keeps buckets from server to server
        yield proxy


@pytest.fixture
def s3(s3_store: Proxy) -> Iterator[Proxy]:
    """The server without fault or memory; every test has a prefix of its own."""
    s3_store.reset()
    yield s3_store
    s3_store.reset()


@pytest.fixture
def s3_out(s3: Proxy, request: pytest.FixtureRequest) -> str:
    """The prefix of a test, without objects."""
    return "out/" + hashlib.sha256(request.node.name.encode()).hexdigest()[:8]


@pytest.fixture(scope="module")
def local_build(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the same build on disk."""
    out = tmp_path_factory.mktemp("local") / "out"
    corpus("build", *INPUTS, "--out", out, *OPTIONS, "-j", 1, "-q")
    return on_disk(out)
