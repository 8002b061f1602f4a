"""Kernels as Python sees them: looked up in a table's capsule, packed by field name, run for tests.

Plans hold only `Kernel.address` and the packed descriptor; nothing here is on the hot path.
"""

import struct
from collections import namedtuple

from cpython.buffer cimport PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t, uint64_t, uintptr_t

cdef extern from "cpu.h":
    bint mn_cpu_runs(const char *isa)

cdef extern from "opcodes.h":
    """
    static const char *const mn_opcode_names[] = {
    #define X(name, reads, cost) #name,
        MN_OPCODES(X)
    #undef X
    };
    static const int mn_opcode_reads[] = {
    #define X(name, reads, cost) reads,
        MN_OPCODES(X)
    #undef X
    };
    static const char *const mn_pair_names[][2] = {
    #define X(first, uniform_first, second, uniform_second, operand) {#first, #second},
        MN_VM_PAIRS(X)
    #undef X
    };
    enum { MN_PAIR_COUNT = sizeof(mn_pair_names) / sizeof(mn_pair_names[0]) };
    static const char *const mn_slope_names[][2] = {
    #define X(function, slope) {#function, #slope},
        MN_VM_SLOPES(X)
    #undef X
    };
    enum { MN_SLOPE_COUNT = sizeof(mn_slope_names) / sizeof(mn_slope_names[0]) };
    """
    const int MN_OPCODE_COUNT
    const int MN_PAIR_COUNT
    const char *(*mn_pair_names)[2]
    const int MN_SLOPE_COUNT
    const char *(*mn_slope_names)[2]
    const char **mn_opcode_names
    const int *mn_opcode_reads

cdef extern from "layout.h":
    uint64_t mn_layout()

cdef extern from "abi.h":
    ctypedef struct mn_sizes:
        int64_t chunks
        int64_t scratch
        int64_t shared
        int64_t finish
        double work
    ctypedef struct mn_field:
        const char *name
        int64_t offset
        int64_t count
        char kind
    ctypedef int (*mn_kernel)(const void *descriptor, void **operands, int chunk, void *scratch) noexcept nogil
    ctypedef void (*mn_sizes_fn)(const void *descriptor, mn_sizes *out) noexcept nogil
    ctypedef struct mn_entry:
        const char *name
        mn_kernel fn
        mn_sizes_fn sizes
        const mn_field *fields
        int64_t n_fields
        int64_t descriptor_size
        int64_t tail_item
    ctypedef struct mn_table:
        int64_t abi_version
        const char *isa
        const char *real
        int64_t n_entries
        const mn_entry *entries
    ctypedef struct mn_fault:
        int64_t position
        double value
    const int64_t MN_ABI_VERSION
    const char *MN_CAPSULE_NAME
    const int MN_FAULT_BYTES
    mn_fault *mn_fault_of(void *scratch)


#: What this module was compiled with (layout.h); the runner and the tables must have the same.
LAYOUT = mn_layout()
#: Operations of the elementwise machine: name -> code, and name -> how many registers it reads.
OPCODES = {mn_opcode_names[i].decode(): i for i in range(MN_OPCODE_COUNT)}
OPCODE_READS = {mn_opcode_names[i].decode(): mn_opcode_reads[i] for i in range(MN_OPCODE_COUNT)}
#: Operations that run in one loop where the second follows the first and reads its result: (first, second).
OPCODE_PAIRS = frozenset([(mn_pair_names[i][0].decode(), mn_pair_names[i][1].decode()) for i in range(MN_PAIR_COUNT)])
#: Functions that run in one loop with their slope where it follows over the same operands: function -> slope.
OPCODE_SLOPES = {mn_slope_names[i][0].decode(): mn_slope_names[i][1].decode() for i in range(MN_SLOPE_COUNT)}


class KernelLookupError(KeyError):
    """No kernel, field or instruction set of that name."""

    def __str__(self):
        return self.args[0]


class KernelFault(ArithmeticError):
    """A kernel run by `Kernel.run` returned a status other than 0: `code`, `position` and `value` tell why."""

    def __init__(self, name, code, position, value):
        super().__init__(f"kernel {name} returned status {code} at position {position} (value {value})")
        self.code = code
        self.position = position
        self.value = value


#: What a packed instruction needs (see mn_sizes in abi.h).
Sizes = namedtuple("Sizes", "chunks scratch shared finish work")


def cpu_runs(str isa):
    """Whether this processor has the named instruction set."""
    return mn_cpu_runs(isa.encode())


cdef str nearest(name, names):
    import difflib      # only errors need it: importing mathnet stays light

    close = difflib.get_close_matches(name, names, n=3)
    return f"did you mean {' or '.join(map(repr, close))}?" if close else f"there are {', '.join(sorted(names))}"


cdef class Kernel:
    """One kernel of a table: `name`, `real` ("float32" or "float64"), `isa`, and the function's `address`."""

    cdef const mn_entry *entry
    cdef object table           # the capsule: keeps the module's memory alive
    cdef dict fields            # name -> (first slot, slots, struct code)
    cdef readonly str name
    cdef readonly str real
    cdef readonly str isa

    @property
    def address(self):
        return <uintptr_t>self.entry.fn

    @property
    def field_names(self):
        return tuple(self.fields)

    def __repr__(self):
        return f"<kernel {self.name} {self.real} {self.isa}>"

    def pack(self, bytes tail=b"", **values):
        """The descriptor as bytes, from field values by name; arrays as sequences, short ones are filled with zeros.

        tail: the items that follow the struct (the elementwise program), as many as the field n_ops says.
        Raises KernelLookupError for an unknown field, ValueError for a missing or misshapen one.
        """
        cdef list slots = [0] * (self.entry.descriptor_size // 8)
        cdef list codes = ["q"] * len(slots)
        if values.keys() != self.fields.keys():
            for field in values:
                if field not in self.fields:
                    raise KernelLookupError(f"kernel {self.name} has no field {field!r}: {nearest(field, list(self.fields))}")
            missing = [field for field in self.fields if field not in values]
            raise ValueError(f"kernel {self.name}: missing field{'s' if len(missing) > 1 else ''} {', '.join(missing)}")
        for field, value in values.items():
            first, count, code = self.fields[field]
            if count == 1:
                slots[first] = value
            else:
                items = list(value)
                if len(items) > count:
                    raise ValueError(f"kernel {self.name}: field {field} holds {count} values, got {len(items)}")
                slots[first : first + len(items)] = items
            if code != "q":
                codes[first : first + count] = code * count
        if self.entry.tail_item == 0:
            if tail:
                raise ValueError(f"kernel {self.name} takes no trailing array")
        elif len(tail) != values["n_ops"] * self.entry.tail_item:
            raise ValueError(
                f"kernel {self.name}: n_ops = {values['n_ops']} items of {self.entry.tail_item} bytes expected "
                f"after the descriptor, got {len(tail)} bytes"
            )
        try:
            return struct.pack("=" + "".join(codes), *slots) + tail
        except struct.error as error:
            raise ValueError(f"kernel {self.name}: {self._misfit(values)}") from error

    def _misfit(self, values):
        for field, value in values.items():
            _, count, code = self.fields[field]
            for item in [value] if count == 1 else value:
                try:
                    struct.pack("=" + code, item)
                except struct.error as error:
                    return f"field {field} cannot hold {item!r}: {error}"
        return "descriptor cannot be packed"

    cdef const char *check(self, bytes descriptor) except NULL:
        cdef int64_t tail = len(descriptor) - self.entry.descriptor_size
        if tail < 0 or (tail if self.entry.tail_item == 0 else tail % self.entry.tail_item):
            raise ValueError(f"not a descriptor of kernel {self.name}: {len(descriptor)} bytes")
        return PyBytes_AS_STRING(descriptor)

    def sizes(self, bytes descriptor not None):
        """Chunks, scratch, shared buffer, chunks of the second stage and work (ns) of a packed descriptor.

        Raises ValueError where the kernel rejects the descriptor.
        """
        cdef mn_sizes sizes
        self.entry.sizes(self.check(descriptor), &sizes)
        if sizes.chunks < 0:
            raise ValueError(f"kernel {self.name} rejects the descriptor {self.unpack(descriptor)}")
        return Sizes(sizes.chunks, sizes.scratch, sizes.shared, sizes.finish, sizes.work)

    def unpack(self, bytes descriptor not None):
        """The field values of a packed descriptor, by name."""
        self.check(descriptor)
        values = {}
        for field, (first, count, code) in self.fields.items():
            items = struct.unpack_from(f"={count}{code}", descriptor, first * 8)
            values[field] = items[0] if count == 1 else items
        return values

    def run(self, bytes descriptor not None, operands, order=None):
        """Runs every chunk, in order or (the first stage) in the given `order` of chunk numbers: for weights prepared once, tests
        and debugging.

        operands: arrays (any buffers) as the kernel wants them; their sizes are not checked. The shared buffer is added.
        Raises KernelFault when a chunk returns a status.
        """
        sizes = self.sizes(descriptor)
        cdef const char *packed = PyBytes_AS_STRING(descriptor)
        cdef int64_t count = len(operands), held = 0, code = 0, chunk
        cdef size_t scratch_bytes = sizes.scratch, shared_bytes = sizes.shared
        cdef char *memory = <char *>PyMem_Calloc(scratch_bytes + shared_bytes + MN_FAULT_BYTES + 192, 1)
        cdef Py_buffer *views = <Py_buffer *>PyMem_Calloc(count + 1, sizeof(Py_buffer))
        cdef void **pointers = <void **>PyMem_Calloc(count + 1, sizeof(void *))
        if memory == NULL or views == NULL or pointers == NULL:
            PyMem_Free(memory)
            PyMem_Free(views)
            PyMem_Free(pointers)
            raise MemoryError()
        cdef char *scratch = <char *>((<uintptr_t>memory + MN_FAULT_BYTES + 63) & ~<uintptr_t>63)
        cdef char *shared = <char *>((<uintptr_t>scratch + scratch_bytes + 63) & ~<uintptr_t>63)
        cdef mn_fault *fault = mn_fault_of(scratch)
        try:
            for operand in operands:
                PyObject_GetBuffer(operand, &views[held], PyBUF_STRIDED_RO)
                pointers[held] = views[held].buf
                held += 1
            if shared_bytes:
                pointers[count] = shared
            chunks = list(range(sizes.chunks) if order is None else order)
            for chunk in [*chunks, *range(sizes.chunks, sizes.chunks + sizes.finish)]:
                code = self.entry.fn(packed, pointers, <int>chunk, scratch)
                if code != 0:
                    raise KernelFault(self.name, code, fault.position, fault.value)
        finally:
            for chunk in range(held):
                PyBuffer_Release(&views[chunk])
            PyMem_Free(memory)
            PyMem_Free(views)
            PyMem_Free(pointers)


def read_table(capsule):
    """The kernels of a table module's capsule `__table__`, by name."""
    cdef mn_table *table = <mn_table *>PyCapsule_GetPointer(capsule, MN_CAPSULE_NAME)
    cdef const mn_entry *entry
    cdef const mn_field *field
    cdef Kernel kernel
    cdef int64_t i, j
    if table.abi_version != MN_ABI_VERSION:
        raise ImportError(
            f"its kernel table has ABI version {table.abi_version}, but this mathnet has ABI version {MN_ABI_VERSION}: "
            "rebuild it for this mathnet"
        )
    kernels = {}
    for i in range(table.n_entries):
        entry = &table.entries[i]
        if entry.name == NULL or entry.fn == NULL or entry.sizes == NULL or entry.descriptor_size % 8:
            raise ImportError(f"entry {i} of its kernel table lacks a name, a function or a descriptor of whole 8-byte fields")
        kernel = Kernel.__new__(Kernel)
        kernel.entry = entry
        kernel.table = capsule
        kernel.name = entry.name.decode()
        kernel.real = table.real.decode()
        kernel.isa = table.isa.decode()
        kernel.fields = {}
        for j in range(entry.n_fields):
            field = &entry.fields[j]
            if (field.offset < 0 or field.offset % 8 or field.count < 1 or field.kind not in b"qQd"
                    or field.offset + 8 * field.count > entry.descriptor_size):
                raise ImportError(f"field {field.name.decode()} of kernel {kernel.name} does not lie in its descriptor")
            kernel.fields[field.name.decode()] = (field.offset // 8, field.count, chr(field.kind))
        kernels[kernel.name] = kernel
    return kernels


def lookup(dict kernels, str name, str where):
    """kernels[name], or an error that suggests the nearest name."""
    try:
        return kernels[name]
    except KeyError:
        raise KernelLookupError(f"{where} has no kernel {name!r}: {nearest(name, list(kernels))}") from None
