"""Looking up, packing and running kernels: names, fields and what happens when they are wrong."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mathnet._kernels as kernels

USABLE = [name for name in kernels.built() if kernels.cpu_runs(name)]


@pytest.mark.parametrize("isa", USABLE)
@pytest.mark.parametrize("real", ["float32", "float64"])
def test_every_usable_table_loads_and_fills(isa, real):
    fill = kernels.load_table(isa, real)["fill"]
    assert (fill.name, fill.real, fill.isa) == ("fill", real, isa)
    for dtype in ("uint8", "float32", "float64"):
        target = np.zeros(13, dtype)
        value = np.array(7, dtype)
        bits = int(value.view(f"u{value.itemsize}"))
        fill.run(fill.pack(n=11, itemsize=value.itemsize, value=bits), [target])
        assert target.tolist() == [7] * 11 + [0] * 2


def test_both_real_types_offer_the_same_kernels():
    for isa in USABLE:
        f32, f64 = (kernels.load_table(isa, real) for real in ("float32", "float64"))
        assert f64.keys() - f32.keys() == {"elementwise_i64"}  # registers of 8 bytes
        assert not f32.keys() - f64.keys()
        for name, kernel in f32.items():
            assert kernel.field_names == f64[name].field_names
            assert kernel.address != f64[name].address


def test_kernel_comes_from_the_instruction_set_in_use():
    assert kernels.isa() in USABLE
    assert kernels.kernel("fill", "float32") is kernels.load_table(kernels.isa(), "float32")["fill"]


def test_unknown_names_are_answered_with_near_ones():
    with pytest.raises(KeyError, match=r"no kernel 'fil': did you mean 'fill'"):
        kernels.kernel("fil", "float32")
    with pytest.raises(KeyError, match="'float16': choose from float32, float64"):
        kernels.kernel("fill", "float16")
    with pytest.raises(KeyError, match="instruction set 'sse9'"):
        kernels.load_table("sse9", "float32")


def test_pack_names_the_field_that_is_wrong():
    fill = kernels.kernel("fill", "float32")
    with pytest.raises(KeyError, match=r"fill has no field 'valu': did you mean 'value'"):
        fill.pack(n=1, itemsize=4, valu=0)
    with pytest.raises(ValueError, match="missing fields itemsize, value"):
        fill.pack(n=1)
    with pytest.raises(ValueError, match=r"field n cannot hold 1\.5"):
        fill.pack(n=1.5, itemsize=4, value=0)
    with pytest.raises(ValueError, match="field value cannot hold -1"):
        fill.pack(n=1, itemsize=4, value=-1)
    with pytest.raises(ValueError, match="takes no trailing array"):
        fill.pack(b"12345678", n=1, itemsize=4, value=0)


def test_descriptors_of_other_kernels_and_bad_values_are_rejected():
    fill = kernels.kernel("fill", "float32")
    with pytest.raises(ValueError, match="not a descriptor of kernel fill: 3 bytes"):
        fill.sizes(b"abc")
    with pytest.raises(ValueError, match=r"rejects the descriptor.*'itemsize': 3"):
        fill.sizes(fill.pack(n=1, itemsize=3, value=0))


def test_unpack_returns_what_was_packed():
    fill = kernels.kernel("fill", "float64")
    fields = {"n": 5, "itemsize": 8, "value": 2**64 - 1}
    assert fill.unpack(fill.pack(**fields)) == fields


def test_chunks_cover_everything_in_any_order():
    fill = kernels.kernel("fill", "float32")
    packed = fill.pack(n=200_001, itemsize=1, value=1)
    target = np.zeros(200_002, np.uint8)
    fill.run(packed, [target], order=reversed(range(fill.sizes(packed).chunks)))
    assert target.sum() == 200_001 and target[-1] == 0


def test_environment_forces_an_instruction_set():
    run = subprocess.run(
        [sys.executable, "-c", "import mathnet._kernels as k; print(k.isa())"],
        env={**os.environ, "MATHNET_ISA": USABLE[-1]},
        capture_output=True,
        text=True,
    )
    assert run.stdout.strip() == USABLE[-1]


def test_the_best_usable_instruction_set_is_chosen_and_others_are_refused(monkeypatch):
    every = kernels.INSTRUCTION_SETS
    monkeypatch.setattr(kernels, "built", lambda: every)
    monkeypatch.setattr(kernels, "cpu_runs", lambda name: name in ("avx2", "baseline"))
    monkeypatch.delenv("MATHNET_ISA", raising=False)
    assert kernels._choose() == "avx2"
    for name in every:
        monkeypatch.setenv("MATHNET_ISA", name)
        if name in ("avx2", "baseline"):
            assert kernels._choose() == name
        else:
            with pytest.raises(
                ImportError, match=f"'{name}' is not an instruction set of this .* from avx2, baseline"
            ):
                kernels._choose()
    monkeypatch.setenv("MATHNET_ISA", "sse9")
    with pytest.raises(ImportError, match="'sse9' is not built: choose from avx2, baseline"):
        kernels._choose()
    monkeypatch.setattr(kernels, "cpu_runs", lambda name: False)
    with pytest.raises(ImportError, match="no kernel table for this processor"):
        kernels._choose()


def test_the_processor_is_asked():
    """Linux lists only features whose registers it saves, which is what makes an instruction set usable."""
    assert not kernels.cpu_runs("sse9")
    if platform.machine() == "x86_64" and sys.platform == "linux":
        flags = set(re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)[1].split())
        assert kernels.cpu_runs("avx2") == ({"avx2", "fma"} <= flags)
        wanted = {"avx512f", "avx512dq", "avx512bw", "avx512vl", "fma"}
        assert kernels.cpu_runs("avx512") == (wanted <= flags)
        assert kernels.cpu_runs("baseline") and not kernels.cpu_runs("neon")
    elif platform.machine() in ("aarch64", "arm64"):
        assert [name for name in kernels.INSTRUCTION_SETS if kernels.cpu_runs(name)] == ["neon"]


def test_opcodes_are_counted_from_zero():
    assert sorted(kernels.OPCODES.values()) == list(range(len(kernels.OPCODES)))
    assert kernels.OPCODES.keys() == kernels.OPCODE_READS.keys()
    assert kernels.OPCODE_READS["fma"] == 3
