"""The plan runner: everything between a Python call and the kernels, for every instruction set.

A :class:`Program` is an immutable array of instructions; a :class:`Workspace` is the memory that one run of
it needs; a :class:`Call` is what ``trainer.step`` and ``model(x)`` enter: it checks the arguments, borrows a
workspace, runs the program without Python, and returns fresh arrays.

The parts, in the order in which they need each other (one extension, several files):

========================  ==============================================================================
execution/threads.pxi     thread budget, CPU features
execution/status.pxi      StatusError, what a failing kernel becomes
execution/lock.pxi        StepLock, which serialises the steps on one model
execution/code.pxi        the C structs of a program
execution/workspace.pxi   Block, Workspace, WorkspacePool: memory of runs, bounded and recycled
execution/interpret.pxi   the interpreter: kernels, chunks, loops, branches, host calls, signals
execution/program.pxi     Program: builds, binds, runs, describes, profiles
execution/build.pxi       ProgramBuilder: from tuples to C structs
execution/arguments.pxi   InputSpec, OutputSpec, and their checks
execution/call.pxi        Call, the hot path
execution/steps.pxi       many training steps in one call
========================  ==============================================================================

Two rules hold throughout.  Everything that changes a Python object or borrows memory happens with the GIL
held; everything that runs kernels neither needs it nor allocates.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject, PyTypeObject
from cpython.pycapsule cimport PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint64_t, uintptr_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

import math
import os
import statistics
import weakref

import numpy as np

cimport numpy as cnp

cnp.import_array()

cdef extern from "abi.h" nogil:
    ctypedef int (*mn_kernel)(
        const void *descriptor, void *const *operands, int chunk, void *scratch
    ) noexcept nogil
    ctypedef struct mn_fault:
        int64_t position
        double value
    enum:
        MN_OK
        MN_INDEX_OUT_OF_RANGE
        MN_NAN
        MN_NOT_FINITE
        MN_ZERO_WEIGHT
        MN_HOST_ERROR
        MN_INTERRUPTED
        MN_STEPS_EXHAUSTED

cdef extern from "layout.h":
    uint64_t mn_layout()

cdef extern from "thread_pool.h" nogil:
    ctypedef int (*mn_pool_job)(void *argument, int chunk, int worker) noexcept nogil
    enum:
        MN_POOL_MAX_THREADS
    void mn_pool_initialize()
    void mn_pool_set_threads(int threads)
    int mn_pool_threads()
    int mn_pool_workers()
    int mn_pool_run(mn_pool_job job, void *argument, int chunks, int limit)
    unsigned mn_fork_count()
    long long mn_clock()

cdef extern from "float_mode.h" nogil:
    uint64_t mn_float_mode_enter(int flush)
    void mn_float_mode_leave(uint64_t before)

mn_pool_initialize()

#: What this module was compiled with (layout.h).
LAYOUT = mn_layout()

include "execution/threads.pxi"
include "execution/status.pxi"
include "execution/lock.pxi"
include "execution/code.pxi"
include "execution/workspace.pxi"
include "execution/interpret.pxi"
include "execution/program.pxi"
include "execution/build.pxi"
include "execution/arguments.pxi"
include "execution/results.pxi"
include "execution/call.pxi"
include "execution/steps.pxi"
