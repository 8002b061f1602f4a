"""Data sets from files: ``.npz``, ``.npy``, CSV, MNIST's idx files, folders of pictures.

:func:`read` tells them apart by name and content and gives inputs, targets and the names of classes.
"""

from __future__ import annotations

import csv
import gzip
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DataError, FileFormatError

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_PICTURES = (".png", ".pgm", ".ppm", ".jpg", ".jpeg", ".bmp")


@dataclass
class DataSet:
    """Inputs x (N, …); targets y: int64 classes, float64 numbers, or None; classes: their names, empty for numbers."""

    x: np.ndarray
    y: np.ndarray | None = None
    classes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.x)


def read(path: str | os.PathLike, target: str | None = None, classes: Sequence[str] | None = None) -> DataSet:
    """The data set at ``path``.

    - ``.npz`` with arrays ``x`` and, if there are targets, ``y``; ``.npy``: inputs only.
    - ``.csv``: a header, or numbers from the first line on; ``target`` names the column of targets (default: the last one; "" for none).
      Targets that are no numbers become classes in alphabetical order.
    - an idx file of MNIST's format, also gzipped; labels come from the file beside it with ``labels-idx1`` for ``images-idx3``.
    - a folder with one folder of pictures for each class (needs Pillow: pip install 'mathnet[images]').

    classes: the names that targets must have, in order, when a model knows them already.
    Raises FileNotFoundError; FileFormatError for content that is not what the name says; DataError for values that cannot be.
    """
    place = Path(path)
    if place.is_dir():
        return _pictures(place, classes)
    if not place.exists():
        raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
    suffix = place.suffix.lower()
    if suffix == ".npz":
        return _npz(place)
    if suffix == ".npy":
        return DataSet(_load(place))
    if suffix == ".csv":
        return _csv(place, target, classes)
    if "idx" in place.name:
        return _idx_pair(place)
    raise ArgumentError(
        f"{place}: unknown kind of data; use .npz, .npy, .csv, an idx file or a folder of pictures"
    )


def _load(place: Path) -> Any:
    try:
        return np.load(place, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FileFormatError(f"{place}: no NumPy file, or damaged ({error})") from None


def _npz(place: Path) -> DataSet:
    with _load(place) as archive:
        names = archive.files
        if "x" not in names:
            raise FileFormatError(
                f"{place}: holds the arrays {', '.join(names) or 'none'}; 'x' (and 'y' for targets) are needed"
            )
        x, y = archive["x"], archive["y"] if "y" in names else None
    if y is not None and len(x) != len(y):
        raise DataError(f"{place}: x has {len(x)} rows, but y has {len(y)}")
    if y is not None and y.dtype.kind not in "fiub":
        raise DataError(f"{place}: y has element type {y.dtype}; give classes as numbers from 0")
    if y is not None and y.dtype.kind in "iub":
        y = y.astype(np.int64)
        return DataSet(x, y, [str(k) for k in range(int(y.max(initial=-1)) + 1)] if y.ndim == 1 else [])
    return DataSet(x, y)


# ---- CSV ----


def _csv(place: Path, target: str | None, classes: Sequence[str] | None) -> DataSet:
    with open(place, newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows:
        raise FileFormatError(f"{place}: the file is empty")
    header = None if all(_is_number(cell) for cell in rows[0]) else [cell.strip() for cell in rows[0]]
    if (
        header is not None
        and len(rows) > 1
        and sum(map(_is_number, rows[0])) >= sum(map(_is_number, rows[1])) > 0
    ):
        header = None  # a first line of data whose class is a word
    body = rows if header is None else rows[1:]
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise FileFormatError(f"{place}: line {number} has {len(row)} cells, the first one has {width}")
    if not body:
        raise FileFormatError(f"{place}: there is a header, but no data")
    column = _target_column(place, header, width, target)
    features = [k for k in range(width) if k != column]
    first = 1 if header is None else 2
    x = np.array(
        [[_number(place, first + n, row, k, header) for k in features] for n, row in enumerate(body)],
        np.float32,
    )
    if column is None:
        return DataSet(x)
    cells = [row[column].strip() for row in body]
    return DataSet(x, *_targets(place, cells, classes))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(place: Path, line: int, row: list[str], k: int, header: list[str] | None) -> float:
    if not _is_number(row[k]):
        name = repr(header[k]) if header else k + 1
        raise DataError(f"{place}: line {line}, column {name}: {row[k]!r} is no number")
    return float(row[k])


def _target_column(place: Path, header: list[str] | None, width: int, target: str | None) -> int | None:
    if target == "":
        return None
    if target is None:
        return width - 1
    if header is not None and target in header:
        return header.index(target)
    if target.lstrip("-").isdigit() and -width <= int(target) < width:
        return int(target) % width
    known = ", ".join(header) if header else f"0 … {width - 1}"
    raise ArgumentError(f"{place}: there is no column {target!r}; known: {known}")


def _targets(place: Path, cells: list[str], classes: Sequence[str] | None) -> tuple[np.ndarray, list[str]]:
    """Classes for words and whole numbers that are few, numbers else."""
    numeric = all(_is_number(cell) for cell in cells)
    whole = numeric and all(float(cell).is_integer() for cell in cells)
    if numeric and classes is None and not (whole and len(set(cells)) <= max(2, len(cells) // 10)):
        return np.array(cells, np.float64), []
    if numeric and not classes and classes is not None:
        return np.array(cells, np.float64), []
    names = (
        list(classes) if classes else sorted(set(cells), key=lambda c: (float(c), c) if numeric else (0.0, c))
    )
    position = {name: k for k, name in enumerate(names)}
    for cell in cells:
        if cell not in position:
            raise DataError(f"{place}: the class {cell!r} is not one of {', '.join(names)}")
    return np.array([position[cell] for cell in cells], np.int64), names


# ---- idx ----


def read_idx(path: str | os.PathLike) -> np.ndarray:
    """The array in an idx file of MNIST's format, gzipped or not; big-endian numbers become native.

    Raises FileFormatError when the header or the length is wrong.  Format: LeCun, Cortes and Burges, THE MNIST DATABASE.
    """
    place = Path(path)
    try:
        with open(place, "rb") as file:
            data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError) as error:
        raise FileFormatError(f"{place}: the gzip file is damaged ({error})") from None
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES:
        raise FileFormatError(f"{place}: no idx file")
    rank, dtype = data[3], np.dtype(_IDX_TYPES[data[2]])
    if len(data) < 4 + 4 * rank:
        raise FileFormatError(f"{place}: the idx header is cut off")
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    body = memoryview(data)[4 + 4 * rank :]
    size = dtype.itemsize
    for n in shape:
        size *= n
    if len(body) != size:
        raise FileFormatError(
            f"{place}: the header promises {size} bytes of data for shape {shape}, the file has {len(body)}"
        )
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _idx_pair(place: Path) -> DataSet:
    x = read_idx(place)
    beside = place.with_name(
        place.name.replace("images-idx3", "labels-idx1").replace("images.idx3", "labels.idx1")
    )
    if beside == place or not beside.exists():
        return DataSet(x)
    y = read_idx(beside).astype(np.int64)
    if len(x) != len(y):
        raise DataError(f"{place} has {len(x)} rows, but {beside} has {len(y)}")
    return DataSet(x, y, [str(k) for k in range(int(y.max(initial=-1)) + 1)])


# ---- pictures ----


def _pictures(folder: Path, classes: Sequence[str] | None) -> DataSet:
    """Pictures of one size: (N, 1, H, W) when all are grey, (N, 3, H, W) else; sub-folders are classes."""
    try:
        from PIL import Image
    except ImportError:
        raise ArgumentError("pictures need Pillow: pip install 'mathnet[images]'") from None
    folders = sorted(p for p in folder.iterdir() if p.is_dir())
    names = list(classes) if classes else [p.name for p in folders]
    groups = [(names.index(p.name) if p.name in names else -1, p) for p in folders] or [(-1, folder)]
    pictures: list[np.ndarray] = []
    labels: list[int] = []
    for label, place in groups:
        if folders and label < 0:
            raise DataError(f"{place}: the class {place.name!r} is not one of {', '.join(names)}")
        for file in sorted(p for p in place.iterdir() if p.suffix.lower() in _PICTURES):
            try:
                with Image.open(file) as picture:
                    array = np.asarray(
                        picture.convert("L" if picture.mode in ("1", "L", "I;16", "I") else "RGB")
                    )
            except (OSError, ValueError) as error:
                raise FileFormatError(f"{file}: no picture, or damaged ({error})") from None
            if pictures and array.shape[:2] != pictures[0].shape[:2]:
                height, width = pictures[0].shape[:2]
                raise DataError(
                    f"{file}: {array.shape[1]}×{array.shape[0]} pixels, but the first picture has {width}×{height}"
                )
            pictures.append(array)
            labels.append(label)
    if not pictures:
        raise FileFormatError(f"{folder}: no pictures ({', '.join(_PICTURES)}) in it or in its folders")
    grey = all(p.ndim == 2 for p in pictures)
    whole = [p if p.ndim == 3 or grey else np.repeat(p[..., None], 3, 2) for p in pictures]
    x = np.stack(whole)[:, None] if grey else np.stack(whole).transpose(0, 3, 1, 2)
    return DataSet(
        np.ascontiguousarray(x), np.array(labels, np.int64) if folders else None, names if folders else []
    )
