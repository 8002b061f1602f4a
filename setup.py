"""Builds the extension modules: one kernel table per instruction set and real type, and the runner.

All kernel tables come from the single source ``mathnet/_kernels/table.pyx``.  Cython refuses two
extensions that name one source file, so each table gets a copy of it, under its own name, in the build folder.
``MATHNET_BUILD_ISA=avx2`` (a comma-separated list) builds only those tables; ``MATHNET_DEBUG=1`` builds with bounds checks;
``MATHNET_SANITIZE=address,undefined`` builds with the compiler's sanitizers; ``MATHNET_BUILD_JOBS=2`` compiles that many
extensions at a time.
"""

import os
import platform
import shutil
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

ROOT = Path(__file__).parent
KERNELS = Path("mathnet/_kernels")
GENERATED = Path("build/kernel_tables")
DEBUG = os.environ.get("MATHNET_DEBUG") == "1"
SANITIZERS = os.environ.get("MATHNET_SANITIZE", "")
JOBS = int(os.environ.get("MATHNET_BUILD_JOBS") or 1)

# -ffast-math would be faster still and wrong; contraction is off so that bits never depend on the compiler's mood.
FLAGS = [
    "-O3",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=off",
    "-fvisibility=hidden",
    "-std=gnu11",
]
# Python's own flags ask for debug information, which would be nine tenths of the installed size.
FLAGS += ["-g"] if DEBUG or SANITIZERS else ["-g0"]
LINK_FLAGS = []
if SANITIZERS:
    LINK_FLAGS += [f"-fsanitize={SANITIZERS}"]
    # The first finding ends the process; what -O1 would save in the tests it costs three times over in compiling.
    FLAGS += [*LINK_FLAGS, "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O0"]

#: The instruction sets of each processor family.  NEON is part of every AArch64, so there it takes the baseline's place.
ISA_FLAGS_OF = {
    "x86_64": {
        "baseline": [],
        "avx2": ["-mavx2", "-mfma"],
        "avx512": ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
    },
    "aarch64": {"neon": []},
}
#: Built only when named: the AVX-512 code with its intrinsics emulated by SIMDe, for tests on machines without them.
EMULATED = {
    "x86_64": {
        "wide": ["-O1", "-mavx2", "-mfma", "-Wno-psabi", "-include", "tests/kernels/avx512_emulated.h"]
    },
}
# _PYTHON_HOST_PLATFORM is how Python's own build and setuptools are told of another machine than this.
MACHINE = (os.environ.get("_PYTHON_HOST_PLATFORM") or platform.machine()).lower().rpartition("-")[2]
MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(MACHINE, MACHINE)
ISA_FLAGS = ISA_FLAGS_OF.get(MACHINE, {"baseline": []})
REALS = {"f32": [], "f64": [("MN_REAL_IS_DOUBLE", "1")]}


def chosen_isas() -> list[str]:
    wanted = os.environ.get("MATHNET_BUILD_ISA")
    if not wanted:
        return list(ISA_FLAGS)
    names = [name.strip() for name in wanted.split(",")]
    ISA_FLAGS.update(EMULATED.get(MACHINE, {}))
    for name in names:
        if name not in ISA_FLAGS:
            raise SystemExit(
                f"MATHNET_BUILD_ISA: no instruction set {name!r} here; choose from {', '.join(ISA_FLAGS)}"
            )
    return names


def kernel_tables() -> list[Extension]:
    """One extension per instruction set and real type, each compiled from its own copy of table.pyx."""
    GENERATED.mkdir(parents=True, exist_ok=True)
    source = ROOT / KERNELS / "table.pyx"
    # Cython finds the .pxi files through include_path, and writes the C anew when one of them is newer.
    families = [
        str(path.relative_to(ROOT))
        for pattern in ("*.pxi", "*.h")
        for path in sorted((ROOT / KERNELS).rglob(pattern))
    ]
    tables = []
    for isa in chosen_isas():
        for real, macros in REALS.items():
            copy = GENERATED / f"{isa}_{real}.pyx"
            if not copy.exists() or copy.read_bytes() != source.read_bytes():
                shutil.copyfile(source, copy)
            tables.append(
                Extension(
                    f"mathnet._kernels.{isa}_{real}",
                    [str(copy)],
                    include_dirs=[str(KERNELS)],
                    define_macros=[("MN_ISA_NAME", f'"{isa}"'), *macros],
                    extra_compile_args=FLAGS + ISA_FLAGS[isa],
                    extra_link_args=LINK_FLAGS,
                    depends=families,
                )
            )
    return tables


def dispatch() -> Extension:
    return Extension(
        "mathnet._kernels.dispatch",
        [str(KERNELS / "dispatch.pyx")],
        include_dirs=[str(KERNELS)],
        extra_compile_args=FLAGS,
        extra_link_args=LINK_FLAGS,
        depends=[str(KERNELS / name) for name in ("abi.h", "cpu.h", "layout.h", "opcodes.h")],
    )


def runner() -> Extension:
    return Extension(
        "mathnet._kernels.runner",
        [str(KERNELS / "runner.pyx"), str(KERNELS / "thread_pool.c")],
        include_dirs=[str(KERNELS), numpy.get_include()],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=FLAGS,
        extra_link_args=[*LINK_FLAGS, "-pthread"],
        depends=[
            *(
                str(KERNELS / name)
                for name in ("abi.h", "float_mode.h", "layout.h", "opcodes.h", "thread_pool.h")
            ),
            *(str(path.relative_to(ROOT)) for path in sorted((ROOT / KERNELS / "execution").glob("*.pxi"))),
        ],
    )


def extensions() -> list[Extension]:
    directives = {
        "language_level": 3,
        "boundscheck": DEBUG,
        "wraparound": False,
        "cdivision": True,
        "initializedcheck": DEBUG,
    }
    return cythonize(
        [*kernel_tables(), dispatch(), runner()],
        include_path=[str(KERNELS)],
        build_dir="build/cython",
        compiler_directives=directives,
        nthreads=JOBS if JOBS > 1 else 0,
    )


def packages() -> list[str]:
    """The core and the standard plugin, which lies beside it and comes in the same wheel."""
    standard = find_packages("plugins", include=["mathnet_std", "mathnet_std.*"])
    return find_packages(include=["mathnet", "mathnet.*"]) + standard


setup(
    packages=packages(),
    package_dir={"mathnet_std": "plugins/mathnet_std"},
    package_data={
        "mathnet": [
            "py.typed",
            "*.pyi",
            "data/*.npz",
            "data/*.csv",
            "data/*.md",
            "_kernels/*.pyi",
            "_kernels/*.pxd",
            "_kernels/*.h",
        ],
        "mathnet_std": ["py.typed", "*.pyi"],
    },
    # Headers and Cython sources are for building; the headers that a compiled plugin needs are package data above.
    include_package_data=False,
    options={"build_ext": {"parallel": JOBS}} if JOBS > 1 else {},
    ext_modules=extensions(),
)
