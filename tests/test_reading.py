"""Data sets from files: what is read, and what is refused in words."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from mathnet.data.reading import read, read_idx
from mathnet.errors import ArgumentError, DataError, FileFormatError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def idx(path: Path, array: np.ndarray, code: int = 0x08) -> Path:
    data = (
        struct.pack(">HBB", 0, code, array.ndim)
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def test_csv_with_words_as_classes(tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.csv", "w,h,kind\n1,2,oak\n3,4.5,ash\n5,6,oak\n"))
    np.testing.assert_array_equal(found.x, np.array([[1, 2], [3, 4.5], [5, 6]], np.float32))
    assert found.classes == ["ash", "oak"]
    assert found.y is not None and found.y.tolist() == [1, 0, 1]


def test_csv_with_a_named_column_of_numbers(tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.csv", "price,w\n1.5,2\n3.25,4\n"), target="price")
    assert found.classes == [] and found.y is not None and found.y.tolist() == [1.5, 3.25]
    assert found.x.tolist() == [[2.0], [4.0]]


def test_csv_without_a_header_or_targets(tmp_path: Path) -> None:
    found = read(write(tmp_path / "a.csv", "1,2\n3,4\n"), target="")
    assert found.y is None and found.x.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_known_classes_keep_their_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,kind\n1,b\n2,c\n")
    assert read(path, classes=["a", "b", "c"]).y.tolist() == [1, 2]  # type: ignore[union-attr]
    with pytest.raises(DataError, match="'c' is not one of a, b"):
        read(path, classes=["a", "b"])


@pytest.mark.parametrize(
    ("text", "target", "error", "words"),
    [
        ("", None, FileFormatError, "empty"),
        ("a,b\n", None, FileFormatError, "no data"),
        ("a,b\n1,2\n3\n", None, FileFormatError, "line 3 has 1 cells"),
        ("a,b\nx,2\n3,4\n", None, DataError, "line 2, column 'a': 'x' is no number"),
        ("a,b\n1,2\n", "c", ArgumentError, "no column 'c'; known: a, b"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, target: str | None, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read(write(tmp_path / "a.csv", text), target)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_pictures_and_labels(tmp_path: Path, suffix: str) -> None:
    pictures = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    idx(tmp_path / f"t10k-labels-idx1-ubyte{suffix}", np.array([3, 0], np.uint8))
    found = read(idx(tmp_path / f"t10k-images-idx3-ubyte{suffix}", pictures))
    np.testing.assert_array_equal(found.x, pictures)
    assert found.y is not None and found.y.tolist() == [3, 0] and len(found.classes) == 4


def test_idx_of_big_endian_floats(tmp_path: Path) -> None:
    values = np.array([1.5, -2.25])
    np.testing.assert_array_equal(read_idx(idx(tmp_path / "a-idx", values.astype(">f8"), 0x0E)), values)


def test_bad_idx(tmp_path: Path) -> None:
    good = idx(tmp_path / "images-idx3", np.zeros((2, 2, 2), np.uint8)).read_bytes()
    for data, words in [(b"hello", "no idx file"), (good[:7], "cut off"), (good[:-1], "promises 8 bytes")]:
        (tmp_path / "bad-idx").write_bytes(data)
        with pytest.raises(FileFormatError, match=words):
            read_idx(tmp_path / "bad-idx")
    idx(tmp_path / "labels-idx1", np.zeros(3, np.uint8))
    with pytest.raises(DataError, match="2 rows, but"):
        read(tmp_path / "images-idx3")


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 2)), y=np.array([0, 2, 1]))
    found = read(tmp_path / "a.npz")
    assert found.classes == ["0", "1", "2"]
    np.savez(tmp_path / "b.npz", data=np.zeros(3))
    with pytest.raises(FileFormatError, match="'x'"):
        read(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", x=np.zeros(3), y=np.zeros(2))
    with pytest.raises(DataError, match="3 rows, but y has 2"):
        read(tmp_path / "c.npz")
    (tmp_path / "d.npz").write_bytes(b"no zip")
    with pytest.raises(FileFormatError, match="damaged"):
        read(tmp_path / "d.npz")


def test_pictures_in_folders(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, value in (("cat", 10), ("dog", 200)):
        (tmp_path / name).mkdir()
        for k in range(2):
            image.fromarray(np.full((4, 5), value + k, np.uint8)).save(tmp_path / name / f"{k}.png")
    found = read(tmp_path)
    assert found.x.shape == (4, 1, 4, 5) and found.classes == ["cat", "dog"]
    assert found.y is not None and found.y.tolist() == [0, 0, 1, 1]
    image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "cat" / "9.png")
    with pytest.raises(DataError, match="2×2 pixels, but the first picture has 5×4"):
        read(tmp_path)


def test_unknown_and_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.csv")
    with pytest.raises(ArgumentError, match="unknown kind of data"):
        read(write(tmp_path / "a.txt", "x"))
