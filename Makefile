# make        set up, and run the main job
# make quick  set up, and run the quick tests, with few examples of each property: two minutes
# make test   set up, and run all tests: nine minutes on two cores, or on slow ones more
# make lint   set up, and check style and types
# make plan   draw the plan of the house anew, docs/figures/plan.svg
# make campaign SECONDS=600  set up, and try hostile inputs for so long
# make benchmarks  set up, measure everything, and write docs/benchmarks.md: a quarter of an hour
#
# Set-up happens once, in .venv, and again only when pyproject.toml changes. Where kernels are not
# compiled yet, tests take a minute more.

PYTHON ?= python3
VENV ?= .venv
# The release that the project is tested with.
TORCH ?= torch==2.13.0

READY := $(VENV)/.ready
PIP := $(VENV)/bin/pip --disable-pip-version-check --quiet

CORES := $(shell nproc 2>/dev/null || echo 2)

# Workers take the next tests from those that have too many. There is one more than cores, because
# some tests wait for what they start. Each has one thread, and finds the kernels and the bytecode:
# else all of them, and what they start, would compile the same.
TESTS := PYTHONDONTWRITEBYTECODE= \
  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1 \
  $(VENV)/bin/pytest --numprocesses=$$(($(CORES) + 1)) --maxprocesses=8 --dist=worksteal --durations=20

# How long the campaign runs, and in how many processes: as many as there are cores by default.
SECONDS ?= 600
JOBS ?= $(CORES)

.PHONY: run quick test kernels lint plan campaign benchmarks setup
.DELETE_ON_ERROR:

run: setup
	$(VENV)/bin/relutopo

quick: kernels
	$(TESTS) -m "not slow" --hypothesis-profile=quick

test: kernels
	$(TESTS)

kernels: setup
	$(VENV)/bin/python tests/support/kernels.py

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

plan:
	$(PYTHON) docs/plan.py

campaign: kernels
	$(VENV)/bin/python -m tests.campaign --seconds $(SECONDS) --jobs $(JOBS)

benchmarks: setup
	$(VENV)/bin/python -m benchmarks

setup: $(READY)

# PHAT's only release gives two different version numbers, which pip's resolver refuses unless it
# is the old one; and it does not declare what it is built with. pip keeps the wheel that it builds.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else \
	  "relutopo needs Python 3.11 or newer, $(PYTHON) is %d.%d; run: make PYTHON=python3.11" % v)'
	@echo "Setting up $(VENV); the first time this takes some minutes ..."
	$(PYTHON) -m venv $(VENV)
	$(PIP) install setuptools wheel pybind11
	$(PIP) install "$(TORCH)" --editable ".[dev]"
	@: Else Python, started in the folder above, takes the folder of the clone for the package.
	$(VENV)/bin/python -c 'import site; print("$(CURDIR)", \
	  file=open(site.getsitepackages()[0] + "/relutopo_clone.pth", "w"))'
	$(VENV)/bin/python -c 'import phat' 2>/dev/null || \
	  $(PIP) install --no-build-isolation --use-deprecated=legacy-resolver --pre phat
	@touch $@
