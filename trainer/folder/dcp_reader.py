"""Reading a checkpoint of torch.distributed.checkpoint without the power of pickle.

The metadata is read by an unpickler that knows a handful of harmless classes, tensors with
weights_only; a pickled object, or a file outside the checkpoint's folder, is refused.
"""

from __future__ import annotations

import enum
import io
import pickle
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.default_planner import DefaultLoadPlanner
from torch.distributed.checkpoint.metadata import Metadata, StorageMeta
from torch.distributed.checkpoint.planner import ReadItem

from trainer.config.settings import TrainError

HARMLESS = {
    ("collections", "OrderedDict"),
    ("pathlib", "PosixPath"),
    ("torch", "Size"),
    ("torch._utils", "_rebuild_device"),
    ("torch.serialization", "_get_layout"),
}
METADATA = "torch.distributed.checkpoint.metadata"
# By name: a module as a whole would let in what it imports ("os.system" is a name to pickle 4).
HARMLESS |= {
    (METADATA, name)
    for name in (
        "BytesStorageMetadata",
        "ChunkStorageMetadata",
        "Metadata",
        "MetadataIndex",
        "StorageMeta",
        "TensorProperties",
        "TensorStorageMetadata",
        "_MEM_FORMAT_ENCODING",
    )
}
FILESYSTEM = "torch.distributed.checkpoint.filesystem"
HARMLESS |= {(FILESYSTEM, "_StorageInfo"), (FILESYSTEM, "_StoragePrefix")}


class SafeReader(dcp.FileSystemReader):
    """Reads .metadata without the power of pickle."""

    def read_metadata(self, *args: Any, **kwargs: Any) -> Metadata:
        path = Path(self.path) / ".metadata"
        metadata = _Unpickler(io.BytesIO(path.read_bytes())).load()
        if not isinstance(metadata, Metadata):
            raise TrainError(f"{path}: not checkpoint metadata")
        for info in (metadata.storage_data or {}).values():
            if Path(info.relative_path).name != info.relative_path:
                raise TrainError(f"{path}: {info.relative_path!r} is no file beside it: refused")
        if getattr(metadata, "storage_meta", None) is None:
            metadata.storage_meta = StorageMeta()
        assert metadata.storage_meta is not None
        metadata.storage_meta.load_id = self.load_id
        return metadata


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in HARMLESS:
            return super().find_class(module, name)
        if (module, name) == ("builtins", "getattr"):
            return _enum_member  # how some Python versions pickle an enum
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return super().find_class(module, name)
        raise TrainError(f"checkpoint metadata asks for {module}.{name}: refused as unsafe")


def _enum_member(kind: Any, name: str) -> Any:
    if not (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        raise TrainError(f"checkpoint metadata asks for getattr({kind!r}): refused as unsafe")
    return kind[name]


class TensorsOnly(DefaultLoadPlanner):
    """Refuses anything that is not a tensor: torch would unpickle it."""

    def load_bytes(self, read_item: ReadItem, value: io.BytesIO) -> None:
        raise TrainError("the checkpoint holds a pickled object: refused as unsafe")
