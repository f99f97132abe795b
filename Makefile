# Everything a person or CI runs. `make test` needs only Python 3.11+ and make:
# it builds .venv from requirements.lock.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help test fast check lint format types lock clean

help:            ## This list
	@grep -hE '^[a-z]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | column -t -s '|'

test: $(READY)   ## Every test
	$(BIN)/pytest

fast: $(READY)   ## Lint and unit tests, for the inner loop
	$(BIN)/ruff check .
	$(BIN)/pytest tests/unit -x

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

check: lint types test ## What CI runs: format, lint, types, tests

format: $(READY) ## Rewrite layout and safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock:            ## Re-pin requirements.lock from pyproject.toml
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet uv
	build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
	    --extra postgres --group dev --generate-hashes --no-header --no-emit-index-url \
	    --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@
