# `make run` sets everything up and runs a gateway; `make test` sets everything up and tests it.
VENV ?= .venv
PYTHON ?= python3
PORT ?= 8000
PG ?= 18
export PORT
ifdef DATA_DIR
export DATA_DIR
endif
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup run test suite drill check types layers fmt bench bench-api bench-generation bench-gpu bench-review soak doctor
.DEFAULT_GOAL := help

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'
	@echo "  VENV=folder chooses the environment; DATA_DIR=folder and PORT=number choose a gateway."

setup: $(STAMP)  ## make the environment and install what is needed (a few minutes with downloads)

# What is never imported need not be compiled. torch first and alone, so that nothing else brings another build of it along.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or later is needed: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed; this is $$($(PYTHON) -V)."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "venv is missing: apt-get install python3-venv"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[worker,embedded,s3,dev]'
	@touch $(STAMP)

run: setup  ## a whole gateway in the foreground: DATA_DIR=… PORT=…
	@exec $(BIN)/python manage.py up

doctor: setup  ## what is wrong with the gateway in DATA_DIR, if anything
	@$(BIN)/python manage.py doctor

test: suite drill  ## the tests, on a database and a broker of their own: PG=16 takes the older PostgreSQL

# More processes than cores: many tests wait for a lease, a page or a process to end.
suite: setup
	$(BIN)/python scripts/chromium.py
	PG=$(PG) $(BIN)/python -m pytest -n 3 --dist loadgroup -m "not soak and not alone"

drill: setup
	PG=$(PG) $(BIN)/python -m pytest tests/test_drill.py

check: setup  ## what CI runs: lint, types, layers, templates, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --jobs 2 --output-sync=target types layers
	$(MAKE) test

types: setup
	$(BIN)/mypy gateway generation review

layers: setup
	PYTHONPATH=. $(BIN)/lint-imports
	git ls-files 'templates/*.html' | xargs $(BIN)/djade --target-version 5.2 --check
	$(BIN)/python manage.py makemigrations --check --dry-run

fmt: setup  ## format code and templates
	$(BIN)/ruff check --fix . || true
	$(BIN)/ruff format .
	git ls-files 'templates/*.html' | xargs $(BIN)/djade --target-version 5.2 || true

bench: setup  ## measure: each prints a table and, last, name=value pairs
	$(BIN)/python -m benchmarks.start
	$(BIN)/python -m benchmarks.sketch
	$(BIN)/python -m benchmarks.presets
	$(BIN)/python -m benchmarks.authentication
	$(BIN)/python -m benchmarks.screening
	$(BIN)/python -m benchmarks.review
	$(BIN)/python -m benchmarks.api
	$(BIN)/python -m benchmarks.generation
	$(BIN)/python -m benchmarks.cancel
	$(BIN)/python -m benchmarks.fairness
	$(BIN)/python -m benchmarks.line

bench-api: setup  ## requests a second of the interface, beside a bare Django view
	$(BIN)/python -m benchmarks.api

bench-generation: setup  ## what the gateway adds to a clip, beside a bare diffusers loop
	$(BIN)/python -m benchmarks.generation

bench-gpu: setup  ## CogVideoX and Mochi 1 under each preset, on the GPU at hand: nine minutes, nothing downloaded
	$(BIN)/python -m benchmarks.gpu

bench-review: setup  ## twenty reviewers at once, and the next one of 100,000
	$(BIN)/python -m benchmarks.review

soak: setup  ## the longer tests
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[clients]'
	$(BIN)/python -m pytest -m soak
