"""The file container: atomic writing, and every broken file refused with words."""

import json
import os
import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from mathnet.errors import FileFormatError
from mathnet.model import container

TENSORS = {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(3), "none": np.zeros((0, 2))}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file.mathnet"
    container.write(path, "model", {"name": "naïve → é", "list": [1, 2.5, None]}, TENSORS)
    return path


def read(path, kind="model"):
    with container.read(path, kind) as file:
        return file.description, file.tensors()


def test_what_is_written_is_read(path):
    description, tensors = read(path)
    assert description == {"name": "naïve → é", "list": [1, 2.5, None]}
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype and np.array_equal(tensors[name], array)


def test_any_safetensors_reader_reads_it(path):
    from safetensors.numpy import load_file

    assert np.array_equal(load_file(path)["a/b"], TENSORS["a/b"])


def test_a_missing_file_is_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")


@pytest.mark.parametrize("keep", [0, 5, 8, 40, 300, -1])
def test_a_truncated_file_is_refused(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[:keep])
    with pytest.raises(FileFormatError, match=re.escape(str(path))):
        read(path)


def test_a_changed_byte_anywhere_is_refused(path):
    data = bytearray(path.read_bytes())
    for position in [*range(8, len(data), 7), len(data) - 1]:
        data[position] ^= 0x15
        path.write_bytes(data)
        try:
            description, tensors = read(path)
        except FileFormatError:
            pass
        else:  # a changed name of a tensor is for the reader of the model to find
            assert description["list"] == [1, 2.5, None] and tensors.keys() != TENSORS.keys()
        data[position] ^= 0x15


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "other"
    path.write_bytes(b"PK\x03\x04 certainly no tensors in here")
    with pytest.raises(FileFormatError, match="no safetensors file"):
        read(path)
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(FileFormatError, match="did not write it"):
        read(path)
    save_file({"a": np.zeros(3)}, path, {"mathnet": "[1, 2"})
    with pytest.raises(FileFormatError, match="damaged"):
        read(path)
    head = {"format": 99, "kind": "model", "crc32": 0, "description": "{}"}
    save_file({"a": np.zeros(3)}, path, {"mathnet": json.dumps(head)})
    with pytest.raises(FileFormatError, match="format 99"):
        read(path)


def test_the_wrong_kind_is_refused_with_the_way_out(tmp_path):
    path = tmp_path / "run"
    container.write(path, "checkpoint", {}, TENSORS)
    with pytest.raises(FileFormatError, match=r"holds a checkpoint, not a model; .*trainer.restore"):
        read(path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        container.write(path, "model", {}, {"a": np.ones(4)})
    assert path.read_bytes() == before and os.listdir(path.parent) == [path.name]


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist"):
        container.write(tmp_path / "no" / "file", "model", {}, {})
    with pytest.raises(IsADirectoryError):
        container.write(tmp_path, "model", {}, {})


def test_permissions_and_links_stay(path, tmp_path):
    os.chmod(path, 0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    container.write(link, "model", {"new": 1}, {})
    assert link.is_symlink() and os.stat(path).st_mode & 0o777 == 0o640
    assert read(path)[0] == {"new": 1}
    fresh = tmp_path / "fresh"
    container.write(fresh, "model", {}, {})
    mask = os.umask(0)
    os.umask(mask)
    assert os.stat(fresh).st_mode & 0o777 == 0o666 & ~mask


def test_arrays_in_any_layout(tmp_path):
    array = np.arange(24.0).reshape(4, 6)
    container.write(
        tmp_path / "f", "model", {}, {"t": array.T, "s": array[::2, ::-1], "r": np.asfortranarray(array)}
    )
    tensors = read(tmp_path / "f")[1]
    assert np.array_equal(tensors["t"], array.T)
    assert np.array_equal(tensors["s"], array[::2, ::-1])
    assert np.array_equal(tensors["r"], array)
