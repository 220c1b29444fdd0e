# The commands of the repository; `make help` lists them. Each does all the set-up that it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PRESET ?= release
JOBS ?= $(shell nproc)
BUILD := build/$(PRESET)
PYTHON := build/python/bin/python
export PYTHONPATH := $(CURDIR)/clients/python/src:$(CURDIR)/deploy

.PHONY: help setup configure build programs test test-slow soak demo bench lint format image-check clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo "Variables: PRESET=release|debug|asan|tsan|cuda (default release), JOBS=N, GWM_CACHE_DIR, GWM_TORCH_ROOT"

setup:  ## Debian packages and Python environments (root needed the first time)
	@deploy/setup.sh

configure: setup
	@cmake --preset $(PRESET) $(CMAKE_ARGS) >build/configure-$(PRESET).log 2>&1 || { cat build/configure-$(PRESET).log; exit 1; }
	@grep -h '^-- \(CUDA\|LibTorch\):' build/configure-$(PRESET).log || true
	@clients/python/generate.sh

build: configure  ## set-up, then all programs and tests into build/release/{bin,tests}
	cmake --build --preset $(PRESET) --parallel $(JOBS)

programs: configure  ## set-up, then only the server and the client program
	cmake --build --preset $(PRESET) --parallel $(JOBS) --target gwm-server gwm-step

test: build  ## every C++ and Python test but the slow ones; closes with `N passed, N failed, N skipped`
	@$(PYTHON) deploy/run_tests.py --build $(BUILD) --jobs $(JOBS)

test-slow: build  ## the long forms: training, the client package built out of tree, stress
	@$(PYTHON) deploy/run_tests.py --build $(BUILD) --jobs $(JOBS) --slow

soak: build  ## mixed load with faults for SOAK_MINUTES (30) on a fake world; every value is checked
	@$(PYTHON) tests/reliability/soak.py

demo: programs  ## a server on the shipped checkpoint, driven from Python and C++; pictures and report in build/demo
	@$(PYTHON) -m demo --build $(BUILD) --out build/demo

bench: build  ## benchmark programs; JSON in build/bench and a table
	@$(PYTHON) deploy/run_benchmarks.py --build $(BUILD) --out build/bench

lint: setup  ## clang-format, clang-tidy, ruff, mypy, shellcheck (LINT=all checks every file, else the changed ones)
	@deploy/lint.sh $(LINT)

format: setup  ## rewrites C++ and Python files in the house format
	@deploy/lint.sh --fix

image-check:  ## replays the Dockerfile in a chroot, starts the server there, asks for its health (root, no engine)
	@python3 -m image_check $(IMAGE_CHECK_ARGS)

clean:  ## removes build outputs; keeps the Python environments
	rm -rf build/release build/debug build/asan build/tsan build/cuda build/demo build/bench build/image-check
