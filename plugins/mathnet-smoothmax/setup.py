"""The extension module; all else stands in pyproject.toml."""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

import mathnet

kernels = Extension(
    "mathnet_smoothmax._kernels",
    [os.path.join("src", "mathnet_smoothmax", "_kernels.pyx")],
    include_dirs=[mathnet.get_include()],
    extra_compile_args=["-O3"],
)
setup(ext_modules=cythonize([kernels], include_path=[mathnet.get_include()], language_level=3))
