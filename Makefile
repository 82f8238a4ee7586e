# `make demo` and `make test` do all their set-up themselves: a .venv made with venv and pip, a CPU build of PyTorch, the
# small model. `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH := $(shell grep '^torch==' constraints.txt)

# What an installation depends on: change one of these and the next `make` installs again.
INPUTS := Makefile pyproject.toml constraints.txt $(wildcard setup.py src/radixa/kernels/c/*.c src/radixa/kernels/c/*.h)

.PHONY: help install dev model demo test test-slow lint format bench clean

help:
	@echo "make install    the .venv with Radixa and a CPU build of PyTorch"
	@echo "make demo       a server, three workloads, the table of what prefix reuse saves (a few minutes)"
	@echo "make test       the tests (under ten minutes on two cores)"
	@echo "make test-slow  the long tests"
	@echo "make lint       ruff, mypy --strict, the layers"
	@echo "make format     ruff's formatter and its safe fixes"
	@echo "make bench      every figure of the README, measured on this machine"
	@echo "make clean      remove the .venv, caches and outputs; models stay where they are"

install: $(VENV)/.installed

dev: $(VENV)/.dev

# The model is fetched once, into the models folder (RADIXA_HOME or the platform's user folder).
model: install
	@"$(BIN)/radixa" pull smollm2

demo: install
	@"$(BIN)/radixa" demo

# Two at a time, by file: most of their time is waiting for servers and for one core.
test: dev model
	@"$(BIN)/python" -m pytest -n 2 --dist loadfile

test-slow: dev model
	@"$(BIN)/python" -m pytest -m slow -n 2 --dist loadfile --timeout 900

lint: dev
	@echo "==> ruff"
	@"$(BIN)/ruff" check .
	@"$(BIN)/ruff" format --check .
	@echo "==> mypy --strict"
	@"$(BIN)/mypy"
	@echo "==> layers"
	@"$(BIN)/lint-imports"

format: dev
	@"$(BIN)/ruff" check --fix .
	@"$(BIN)/ruff" format .

bench: dev model
	@"$(BIN)/python" benchmarks/run_all.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	rm -f radix_cache.html radixa_demo.html radixa_demo.json

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "make: no $(PYTHON) found; install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $(PYTHON) is $$("$(PYTHON)" --version 2>&1), but Radixa needs Python 3.11 or newer;" \
	       "name one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: $(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "==> making $(VENV) with $$("$(PYTHON)" --version)"
	@rm -rf "$(VENV)"
	@"$(PYTHON)" -m venv "$(VENV)"

# PyTorch goes first and without its dependencies, so that only torch itself is looked for at the index that has its CPU
# build; the next step brings what it needs from the usual index.
$(VENV)/.torch: constraints.txt | $(BIN)/python
	@if [ -n "$$TORCH_INDEX" ]; then \
	  echo "==> installing $(TORCH) from $$TORCH_INDEX (TORCH_INDEX)"; \
	  $(PIP) install --no-deps --index-url "$$TORCH_INDEX" "$(TORCH)"; \
	elif $(PIP) config list | grep -E '(index-url|find-links)=' >/dev/null; then \
	  echo "==> installing $(TORCH) from the index that pip is configured with"; \
	  $(PIP) install --no-deps "$(TORCH)"; \
	else \
	  echo "==> installing $(TORCH) from PyTorch's index of CPU builds"; \
	  $(PIP) install --no-deps --index-url "$(PYTORCH_CPU_INDEX)" "$(TORCH)"; \
	fi
	@touch "$@"

$(VENV)/.installed: $(VENV)/.torch $(INPUTS)
	@echo "==> installing Radixa and what it needs into $(VENV)"
	@$(PIP) install --constraint constraints.txt --editable .
	@touch "$@"

$(VENV)/.dev: $(VENV)/.installed
	@echo "==> installing what the tests and linters need"
	@$(PIP) install --constraint constraints.txt --editable '.[dev]'
	@touch "$@"
