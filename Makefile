# Two commands do everything on a fresh machine with Python >= 3.11, a C compiler and make:
#
#   make demo    makes .venv, installs mathnet with the plot extra, trains on the bundled digits
#   make test    makes .venv, installs mathnet with what the tests need, runs them
#
# Also: make examples (runs all of them; pictures in build/examples), make lint, make format, make docs, make bench, make build (sdist and wheel), make clean; and the kernel tests on
# other builds of the kernels: make sanitize, make wide (emulated AVX-512), make neon (AArch64 under qemu-user).
# Override on the command line: PYTHON=python3.12  VENV=/somewhere/else  CC=clang  ARGS="-k conv -x"  JOBS=4

SHELL := /bin/sh
VENV ?= .venv
ARGS ?=
JOBS ?= $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
# The first interpreter on the path that is new enough.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

export MATHNET_BUILD_JOBS ?= $(JOBS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

python := $(VENV)/bin/python
pip := $(python) -m pip --quiet
# What the compiled modules are made from: a change here rebuilds; the Python files are used where they lie.
sources := setup.py pyproject.toml mathnet/version.py $(shell find mathnet plugins -name '*.pyx' -o -name '*.pxd' -o -name '*.pxi' \
	-o -name '*.h' -o -name 'thread_pool.c')

.PHONY: demo examples test lint format docs bench build sanitize wide neon clean

demo: $(VENV)/.plot
	$(VENV)/bin/mathnet demo $(ARGS)

examples: $(VENV)/.examples
	@for script in examples/*.py; do \
		echo "$$script"; $(python) "$$script" --out build/examples $(ARGS) || exit 1; done

test: $(VENV)/.test
	$(python) -m pytest $(ARGS)

lint: $(VENV)/.lint
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	PATH="$(abspath $(VENV))/bin:$$PATH" cython-lint mathnet plugins

format: $(VENV)/.lint
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

docs: $(VENV)/.docs
	$(python) -m sphinx -W --keep-going -q -b html docs build/docs

bench: $(VENV)/.bench
	$(python) -m benchmarks $(ARGS)

build: $(VENV)/.build
	rm -rf dist
	$(python) -m build --outdir dist .

sanitize wide neon: $(VENV)/.test $(VENV)/.compile
	PYTHON="$(abspath $(python))" tools/check_kernels $@ $(ARGS)

clean:
	rm -rf "$(VENV)" build dist mathnet.egg-info .pytest_cache .hypothesis .ruff_cache .mypy_cache
	find mathnet plugins tests benchmarks \( -name '*.so' -o -name '__pycache__' \) -exec rm -rf {} +

$(python):
	@test -n "$(PYTHON)" || { echo "make: no Python >= 3.11 found; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "make: $(PYTHON) is no Python >= 3.11; name another: make PYTHON=/path/to/python3" >&2; exit 1; }
# Some distributions package venv without pip: then the interpreter's own pip fills the environment.
	@"$(PYTHON)" -m venv "$(VENV)" >/dev/null 2>&1 \
		|| { "$(PYTHON)" -m venv --clear --without-pip "$(VENV)" && "$(PYTHON)" -m pip --python "$(python)" install --quiet pip; } \
		|| { rm -rf "$(VENV)"; echo "make: $(PYTHON) cannot make a virtual environment; install its venv package" \
			"(Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }

# An editable install: compiles the extension modules into the tree, once for all the targets.
$(VENV)/.package: $(sources) | $(python)
	@command -v $(firstword $(CC)) >/dev/null || { echo "make: no C compiler '$(firstword $(CC))'; install one or name it: make CC=gcc" >&2; exit 1; }
	$(pip) install --editable .
	@touch $@

# The package is installed already, so each of these only adds what its extra names.
$(VENV)/.plot $(VENV)/.examples $(VENV)/.test $(VENV)/.lint $(VENV)/.docs $(VENV)/.bench: $(VENV)/.%: $(VENV)/.package
	$(pip) install 'mathnet[$*]'
	@touch $@

# What `pip install` brings along for itself.
$(VENV)/.compile: | $(python)
	$(pip) install 'setuptools>=77' 'Cython>=3.1' 'numpy>=2.0'
	@touch $@

$(VENV)/.build: | $(python)
	$(pip) install build
	@touch $@
