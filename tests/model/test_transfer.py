"""Weights by name: round trips, renaming, partial loading, refusals that leave the model as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import mathnet as mn


def network(hidden: int = 5, name: str = "out", seed: int = 0) -> mn.Model:
    with mn.Runtime(seed=seed):
        x = mn.Input((3,))
        return mn.Model(
            x, mn.layers.Dense(2, name=name)(mn.layers.Dense(hidden, activation="tanh", name="hidden")(x))
        )


def values(model: mn.Model) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in model.parameters.items()}


@pytest.mark.parametrize("file", ["w.npz", "w.safetensors", "w.mathnet"])
def test_round_trip(tmp_path: Path, file: str) -> None:
    first, second = network(), network(seed=1)
    path = tmp_path / file
    (first.save if file.endswith("mathnet") else first.save_weights)(path)
    report = second.load_weights(path)
    assert report.complete and sorted(report.loaded) == sorted(first.parameters)
    for name, array in first.parameters.items():
        np.testing.assert_array_equal(second.parameters[name], array)
    assert [p.name for p in tmp_path.iterdir()] == [file]


def test_other_programs_read_the_weights(tmp_path: Path) -> None:
    model = network()
    model.save_weights(tmp_path / "w.safetensors")
    assert load_file(tmp_path / "w.safetensors").keys() == model.parameters.keys()
    save_file({name: array + 1 for name, array in values(model).items()}, tmp_path / "other.safetensors")
    before = values(model)
    model.load_weights(tmp_path / "other.safetensors")
    np.testing.assert_array_equal(model.parameters["out/kernel"], before["out/kernel"] + 1)


def test_renaming_and_partial_loading(tmp_path: Path) -> None:
    source, target = network(name="head"), network(name="out", seed=1)
    source.save_weights(tmp_path / "w.npz")
    assert target.load_weights(tmp_path / "w.npz", rename={"head/": "out/"}).complete
    np.testing.assert_array_equal(target.parameters["out/bias"], source.parameters["head/bias"])
    report = network(seed=2).load_weights(tmp_path / "w.npz", partial=True)
    assert sorted(report.missing) == ["out/bias", "out/kernel"]
    assert sorted(report.unexpected) == ["head/bias", "head/kernel"]
    assert "2 loaded" in str(report) and not report.complete


def test_what_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    network(hidden=7).save_weights(tmp_path / "w.npz")
    model = network(seed=1)
    before = values(model)
    with pytest.raises(
        mn.FileFormatError, match=r"hidden/kernel \(float32\(3, 7\) for float32\(3, 5\)\).*partial=True"
    ):
        model.load_weights(tmp_path / "w.npz")
    for name, array in before.items():
        np.testing.assert_array_equal(model.parameters[name], array)


def test_weights_only(tmp_path: Path) -> None:
    model = network()
    model.save(tmp_path / "m.mathnet")
    found = mn.load(tmp_path / "m.mathnet", weights_only=True)
    assert found.keys() == model.parameters.keys()
    np.testing.assert_array_equal(found["hidden/kernel"], model.parameters["hidden/kernel"])


def test_refusals(tmp_path: Path) -> None:
    model = network()
    with pytest.raises(FileNotFoundError):
        model.load_weights(tmp_path / "none.npz")
    with pytest.raises(mn.ArgumentError, match=r"\.npz or \.safetensors"):
        model.save_weights(tmp_path / "w.bin")
    for name in ("bad.npz", "bad.safetensors"):
        (tmp_path / name).write_bytes(b"\x08\x00\x00")
        with pytest.raises(mn.FileFormatError, match="damaged"):
            model.load_weights(tmp_path / name)
    header = b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    (tmp_path / "half.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\x80\x3f")
    with pytest.raises(mn.FileFormatError, match=r"NumPy does not know .*bfloat16.*with float32 or float16"):
        model.load_weights(tmp_path / "half.safetensors")
    with pytest.raises(mn.ArgumentError, match="rename must be a mapping such as"):
        model.load_weights(tmp_path / "half.safetensors", rename="dense/")
    with pytest.raises(mn.ArgumentError, match="two weights"):
        model.save_weights(tmp_path / "w.npz")
        model.load_weights(tmp_path / "w.npz", rename=lambda name: "same")


def test_a_file_is_little_larger_than_its_weights(tmp_path: Path) -> None:
    model = mn.Sequential([mn.layers.Dense(128, activation="relu"), mn.layers.Dense(10)], input_shape=(784,))
    model.save(tmp_path / "m.mathnet")
    weights = sum(array.nbytes for array in model.parameters.values())
    assert (tmp_path / "m.mathnet").stat().st_size < 1.05 * weights


def test_files_of_the_first_format_are_read_for_ever() -> None:
    """tests/data/format-1.mathnet was written by mathnet 0.1.0; its predictions were noted then."""
    data = Path(__file__).parent.parent / "data"
    model = mn.load(data / "format-1.mathnet")
    with np.load(data / "format-1.npz") as noted:
        np.testing.assert_allclose(model.predict(noted["x"]), noted["y"], rtol=1e-5, atol=1e-6)
