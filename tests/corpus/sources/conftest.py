"""What the tests of the sources share."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus.build import Build
from corpus.engine.local import LocalEngine
from corpus.folder.folder import Folder
from corpus.settings import Settings


@pytest.fixture(scope="session")
def harvested(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample archive harvested from the local file, in this process."""
    out = tmp_path_factory.mktemp("harvested") / "out"
    inputs = (str(data / "sample.warc.gz"),)
    Build(Folder(out), Settings(), inputs, LocalEngine(1, quiet=True)).run("harvest")
    return out
