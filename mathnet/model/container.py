"""The file container: tensors and one JSON description in a safetensors file, written atomically, read with suspicion.

Nothing in a file is run; sizes are known from the header before any memory is taken.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mathnet.errors import FileFormatError

FORMAT = 1
KEY = "mathnet"
DTYPES = {
    "F32": np.float32,
    "F64": np.float64,
    "I64": np.int64,
    "I32": np.int32,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def write(
    path: str | os.PathLike, kind: str, description: dict[str, Any], tensors: Mapping[str, np.ndarray]
) -> None:
    """Writes a file of ``kind`` ("model", "checkpoint"); OSError: ``path`` is as it was before."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in tensors.items()}
    body = json.dumps(description, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    head = {
        "format": FORMAT,
        "kind": kind,
        "crc32": _crc(arrays),
        "description_crc32": zlib.crc32(body.encode()),
        "description": body,
    }
    with replacing(path) as temporary:
        try:
            save_file(arrays, temporary, {KEY: json.dumps(head)})
        except SafetensorError as error:
            raise OSError(f"{os.fspath(path)} could not be written: {error}") from error


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[str]:
    """The name of a temporary file beside ``path``, of the same suffix, that takes its place at the end, when all is on disk.

    After an error ``path`` is as it was before, and nothing else is left behind.
    """
    target = os.path.realpath(os.fspath(path))
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{os.fspath(path)}: the folder {folder} does not exist")
    if os.path.isdir(target):
        raise IsADirectoryError(f"{os.fspath(path)} is a folder, not a file")
    temporary = os.path.join(folder, f".{secrets.token_hex(6)}.tmp.{os.path.basename(target)}")
    try:
        yield temporary
        _settle(temporary, target)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _settle(temporary: str, target: str) -> None:
    """The data on disk, with the permissions of the file that they replace or of a new file."""
    try:
        mode = os.stat(target).st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        mode = 0o666 & ~mask
    os.chmod(temporary, mode)
    handle = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Container:
    """An open file: ``kind``, ``description``, and tensors whose shapes are known before they are read."""

    def __init__(self, path: str, file: Any, head: dict[str, Any], description: dict[str, Any]) -> None:
        self.path, self._file = path, file
        self.format, self.kind, self._crc32 = head["format"], head["kind"], head["crc32"]
        self.description = description
        self.specs: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        for name in file.keys():
            part = file.get_slice(name)
            if part.get_dtype() not in DTYPES:
                raise FileFormatError(
                    f"{path}: tensor {name!r} has the element type {part.get_dtype()}, which mathnet does not write"
                )
            self.specs[name] = tuple(part.get_shape()), np.dtype(DTYPES[part.get_dtype()])

    @property
    def nbytes(self) -> int:
        return sum(
            int(np.prod(shape, dtype=np.int64)) * dtype.itemsize for shape, dtype in self.specs.values()
        )

    def tensors(self) -> dict[str, np.ndarray]:
        """All tensors, checked against the stored checksum."""
        found = {name: self._file.get_tensor(name) for name in self.specs}
        if _crc(found) != self._crc32:
            raise FileFormatError(
                f"{self.path}: the data do not match their checksum; the file was damaged after it was written"
            )
        return found


@contextlib.contextmanager
def read(path: str | os.PathLike, kind: str | None = None) -> Iterator[Container]:
    """Opens a file of ``kind`` (None: any).  FileNotFoundError when it is missing, FileFormatError when it is something else."""
    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    with open(name, "rb"):  # missing, a folder, not readable: the system's own error
        pass
    try:
        with safe_open(name, "numpy") as file:
            container = _opened(name, file)
            if kind is not None and container.kind != kind:
                raise FileFormatError(
                    f"{name} holds a {container.kind}, not a {kind}{_HINTS.get((container.kind, kind), '')}"
                )
            yield container
    except SafetensorError as error:
        raise FileFormatError(
            f"{name} is no safetensors file, or it is cut off or damaged ({error})"
        ) from None


_HINTS = {
    ("checkpoint", "model"): "; make the model and its Trainer, then trainer.restore(path)",
    ("model", "checkpoint"): "; read it with mn.load(path)",
}


def _opened(path: str, file: Any) -> Container:
    text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise FileFormatError(
            f"{path} is a safetensors file, but mathnet did not write it (its metadata have no {KEY!r})"
        )
    try:
        head = json.loads(text)
        version, body = head["format"], head["description"]
        good = isinstance(version, int) and isinstance(head["kind"], str) and isinstance(head["crc32"], int)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileFormatError(f"{path}: the description is damaged ({error!r})") from None
    if good and version > FORMAT:
        raise FileFormatError(
            f"{path} has format {version}, but this mathnet reads formats up to {FORMAT}; use a newer mathnet"
        )
    if not good or not isinstance(body, str) or zlib.crc32(body.encode()) != head.get("description_crc32"):
        raise FileFormatError(
            f"{path}: the description does not match its checksum; the file was damaged after it was written"
        )
    try:
        description = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: the description is damaged ({error})") from None
    if not isinstance(description, dict):
        raise FileFormatError(f"{path}: the description is no mapping")
    return Container(path, file, head, description)


def _crc(tensors: Mapping[str, np.ndarray]) -> int:
    """CRC-32 of the tensors' bytes, in the order of their names."""
    value = 0
    for name in sorted(tensors):
        array = tensors[name]
        if array.size:
            value = zlib.crc32(array.reshape(-1).view(np.uint8).data, value)
    return value
