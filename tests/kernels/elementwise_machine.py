"""Packs and runs programs of the elementwise machine on NumPy arrays."""

import struct

import numpy as np

import mathnet._kernels as kernels

ISAS = [name for name in kernels.built() if kernels.cpu_runs(name)]
DTYPES = {"float32": 0, "float64": 1, "int64": 2, "bool": 3, "int32": 4, "uint64": 5, "void64": 6}
REDUCTIONS = {None: 0, "sum": 1, "max": 2, "min": 3, "prod": 4}


def operation(name, d, a=0, b=0, c=0, e=0, imm=0.0):
    """One item of the program: an opcode, its registers and the immediate."""
    return struct.pack("=6H4xd", kernels.OPCODES[name], d, a, b, c, e, imm)


def pack(kernel, code, shape, inputs, outputs, reduce=None, axes=(), registers=None):
    """The descriptor for NumPy operands: inputs broadcast to shape, outputs have size 1 on reduced axes."""
    shape = tuple(shape) or (1,)
    strides, dtypes = [], []
    for array in (*inputs, *outputs):
        view = np.broadcast_to(array, shape)
        strides += [step // array.itemsize if n > 1 else 0 for step, n in zip(view.strides, shape)]
        strides += [0] * (4 - len(shape))
        dtypes.append(DTYPES[array.dtype.name])
    used = 1 + max(struct.unpack_from("=5H", item)[1] for item in code)
    return kernel.pack(
        b"".join(code),
        rank=len(shape),
        shape=shape,
        n_inputs=len(inputs),
        n_outputs=len(outputs),
        n_registers=registers or max(used, len(inputs) + len(outputs)),
        n_ops=len(code),
        reduce=REDUCTIONS[reduce],
        reduced=[int(i in axes) for i in range(len(shape))],
        dtype=dtypes,
        stride=strides,
    )


def run(isa, real, code, shape, inputs, outputs, reduce=None, axes=(), name="elementwise", order=None):
    """Runs a program and returns the outputs."""
    kernel = kernels.load_table(isa, real)[name]
    packed = pack(kernel, code, shape, inputs, outputs, reduce, axes)
    kernel.run(packed, [*inputs, *outputs], order)
    return outputs


def apply(isa, real, name, *inputs, imm=0.0):
    """One operation over arrays of the table's type and one shape."""
    target = np.full(inputs[0].shape, np.nan, real)
    code = [operation(name, len(inputs), *range(len(inputs)), imm=imm)]
    return run(isa, real, code, target.shape, list(inputs), [target])[0]
