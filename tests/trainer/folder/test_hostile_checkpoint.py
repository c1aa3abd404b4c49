"""A checkpoint from elsewhere: metadata runs nothing; with a lying manifest it is not whole."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from trainer.config.settings import CheckpointConfig, ParallelConfig, TrainError
from trainer.folder.dcp_reader import METADATA, SafeReader
from trainer.folder.load import newest, read
from trainer.folder.manifest import check, seal
from trainer.run import processes
from trainer.run.checkpoint import Checkpointer


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A checkpoint of one small layer."""
    world = processes.start(ParallelConfig())
    keeper = Checkpointer(tmp_path, CheckpointConfig(), world, nn.Linear(4, 4), [])
    keeper.save(1, {"step": 1})
    assert check(newest(tmp_path)) == ""
    return newest(tmp_path)


def global_of(module: str, name: str) -> bytes:
    """The opcodes of pickle 4 that push module.name; the name may have dots."""
    parts = (b"\x8c" + bytes([len(s.encode())]) + s.encode() for s in (module, name))
    return b"".join(parts) + b"\x93"


def load(folder: Path, metadata: bytes) -> None:
    (folder / "MANIFEST.json").unlink()
    (folder / ".metadata").write_bytes(metadata)
    seal(folder)  # an attacker's manifest is right
    read(newest(folder.parent.parent), {"model.weight": torch.zeros(4, 4)})


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (METADATA, "os.system"),  # what the module imports is not what it defines
        (METADATA, "os"),
        (METADATA, "Metadata.__init__.__globals__"),
        (METADATA, "StorageMeta.__class__"),
        ("torch.distributed.checkpoint.filesystem", "os.system"),
        ("torch.distributed.checkpoint.filesystem", "_StorageInfo.__init__.__globals__"),
        ("torch", "serialization.os.system"),
        ("torch", "load"),
        ("collections", "OrderedDict.fromkeys"),
        ("pathlib", "os.system"),
        ("builtins", "eval"),
        ("os", "system"),
    ],
)
def test_no_name_in_the_metadata_reaches_foreign_code(
    whole: Path, tmp_path: Path, module: str, name: str
) -> None:
    mark = tmp_path / "ran"
    argument = f"touch {mark}".encode()
    text = b"\x8c" + bytes([len(argument)]) + argument
    with pytest.raises(TrainError, match=r"refused as unsafe") as caught:
        load(whole, b"\x80\x04" + global_of(module, name) + text + b"\x85R.")
    assert not mark.exists()
    assert f"{module}.{name}" in str(caught.value) and "\n" not in str(caught.value)


def test_getattr_in_the_metadata_reads_only_members_of_enums(whole: Path) -> None:
    get = global_of("builtins", "getattr")
    os_of = get + global_of(METADATA, "Metadata") + b"\x8c\x08__init__\x86R."
    with pytest.raises(TrainError, match=r"refused as unsafe"):
        load(whole, b"\x80\x04" + os_of)


def test_what_torch_itself_writes_is_read(whole: Path) -> None:
    metadata = SafeReader(str(whole)).read_metadata()
    kinds = {type(m) for m in metadata.state_dict_metadata.values()}
    assert kinds == {TensorStorageMetadata}
    assert pickle.loads(pickle.dumps(metadata)).state_dict_metadata.keys() == {
        "model.weight",
        "model.bias",
    }


def entry(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "MANIFEST.json").read_text())[name]
    return found


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "3",
        "null",
        '"text"',
        '{".metadata": []}',
        '{".metadata": {"size": 1}}',
        '{".metadata": {"size": "x", "sha256": ""}}',
        '{".metadata": null}',
        "{",
        "",
        "{}",
        '{"train.json": 7}',
    ],
)
def test_a_manifest_that_is_none_makes_the_checkpoint_not_whole(whole: Path, content: str) -> None:
    (whole / "MANIFEST.json").write_text(content)
    assert check(whole) in ("no readable MANIFEST.json", "incomplete manifest")
    with pytest.raises(TrainError, match="no whole checkpoint"):
        newest(whole.parent.parent)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "folder/x", ".", ".."])
def test_a_manifest_that_names_a_path_makes_the_checkpoint_not_whole(
    whole: Path, name: str
) -> None:
    (whole / "folder").mkdir()
    for file in (whole.parent / "outside", whole / "folder" / "x"):
        file.write_bytes((whole / "train.json").read_bytes())
    manifest = json.loads((whole / "MANIFEST.json").read_text())
    manifest[name] = manifest["train.json"]  # size and hash are right
    (whole / "MANIFEST.json").write_text(json.dumps(manifest))
    assert check(whole) == f"{name} is missing"


def test_a_link_in_a_checkpoint_makes_it_not_whole(whole: Path, tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    os.rename(whole / "train.json", aside)
    (whole / "train.json").symlink_to(aside)
    assert check(whole) == "train.json is missing"
