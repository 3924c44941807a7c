# make demo    separate a choir and a band and compare with the truth
# make test    run the tests, but those that take minutes
# make test-slow  those: real choirs as hard as rendered ones, adaptation, half precision, interpreted GPU kernels
# make coverage  which lines the tests of `make test` without an audio server reach; a third slower than those; not in CI
# make lint    formatting, types, import rules
# make sanitize  ring and callback under the thread, address and undefined-behaviour sanitizers
# make sanitize-kernels  tests/kernels on C++ built with the address and undefined-behaviour sanitizers; not in CI
# make docs    API reference, glossary and formulas as pages in build/docs
# Each works on a bare machine with Python 3.11 or newer: it makes .venv and installs what is missing.

PYTHON ?= python3
BIN := .venv/bin
SYSTEM_PACKAGES := python3-venv python3-dev g++ libportaudio2 libsamplerate0 jackd2 lv2-dev
# Pinned, and installed before the rest: asked for exactly this version, pip takes a CPU build that it finds
# locally (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL); of a range it would take the gigabytes of a CUDA build.
TORCH := torch==2.13.0
# Those with an audio server run after the others, a file at a time in each process. Each process
# gets one stretch of the others, so that what a module prepares is prepared once, and takes over at the end.
TEST_PROCESSES := 2
# the package is built again when any of these changes
BUILD_INPUTS := pyproject.toml CMakeLists.txt $(wildcard kernels/src/* rt/embed/*pp rt/embed/*.h)

.PHONY: demo test test-slow coverage lint sanitize sanitize-kernels docs clean
.DELETE_ON_ERROR:

demo: .venv/.installed
	$(BIN)/python -P -m rtsep.bench.demo

test: .venv/.installed-test
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m "not jack and not slow"
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile -m "jack and not slow"

test-slow: .venv/.installed-test
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m "slow and not jack"
	$(BIN)/python -m pytest -m "slow and jack"

coverage: .venv/.installed-test
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal -m "not jack and not slow" --cov --cov-report=term:skip-covered

lint: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

sanitize: .venv/.installed-test
	$(BIN)/python tests/sanitizers/check.py

sanitize-kernels: .venv/.installed-test
	$(BIN)/python tests/sanitizers/kernels.py

docs: .venv/.installed-test
	$(BIN)/python docs/build.py build/docs
	@echo "open build/docs/index.html"

clean:
	rm -rf .venv build demo-out

# System packages: installed by root where apt is; otherwise the missing ones are named and the run goes on,
# for files and pipes need no PortAudio and tests that need jackd say so and are skipped.
.venv/.system:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.11"; exit 1; }
	@missing=""; \
	if command -v dpkg-query >/dev/null; then \
		for package in $(SYSTEM_PACKAGES); do \
			dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q "ok installed" || missing="$$missing $$package"; \
		done; \
	fi; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing; \
	elif [ -n "$$missing" ]; then \
		echo "not installed (install with: sudo apt install$$missing)"; \
	fi
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@touch $@

# Build tools live in .venv, so that a later build finds them where the first one did. Setuptools and wheel are
# for tensorrt-rtx-cu13 (tests), a page of Python that comes as source.
.venv/.build-tools: .venv/.system
	$(BIN)/python -m pip install -q --disable-pip-version-check "scikit-build-core>=1.0" "pybind11>=3.0" cmake ninja "setuptools>=70" wheel
	@touch $@

.venv/.installed: .venv/.build-tools $(BUILD_INPUTS)
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation -e .
	@touch $@

.venv/.installed-test: .venv/.build-tools $(BUILD_INPUTS)
	$(BIN)/python -m pip install -q --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-build-isolation -e ".[test]"
	@touch $@ .venv/.installed
