# Everything a person or CI runs. `make demo` and `make test` need only Python 3.11+ and make:
# they build .venv from requirements.lock.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help demo test fast check bench lint format types docs docs-write record lock clean

help:            ## This list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

demo: $(READY)   ## The whole mission on real-shaped telemetry: no account, nothing left running
	@$(BIN)/orchestrator demo

test: $(READY)   ## Every test
	$(BIN)/pytest -n auto

fast: $(READY)   ## Lint and unit tests, for the inner loop
	$(BIN)/ruff check .
	$(BIN)/pytest tests/unit -x

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

check: lint types docs ## What CI runs: layout, lint, types, generated pages, rules, tests
	$(BIN)/orchestrator fmt --check
	$(BIN)/orchestrator lint
	$(BIN)/orchestrator test
	$(MAKE) test

docs: $(READY)
	$(BIN)/python -m orchestrator.cli.reference --check

docs-write: $(READY) ## Write the generated pages
	$(BIN)/python -m orchestrator.cli.reference

bench: $(READY)  ## Benchmarks, JSON results in build/bench
	mkdir -p build/bench
	for script in benchmarks/bench_*.py; do \
	    $(BIN)/python $$script > build/bench/$$(basename $$script .py).json || exit 1; \
	    cat build/bench/$$(basename $$script .py).json; \
	done

format: $(READY) ## Rewrite layout and safe lint fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/orchestrator fmt

record: $(READY) ## Cassettes from a real LogScale: make record URL=… TOKEN_FILE=… REPOSITORY=…
	$(BIN)/python -m tests.record --url "$(URL)" --token-file "$(TOKEN_FILE)" --repository "$(REPOSITORY)"

lock:            ## Re-pin requirements.lock from pyproject.toml
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet uv
	build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
	    --extra geoip --extra lsp --extra postgres --group dev --generate-hashes --no-header --no-emit-index-url \
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
