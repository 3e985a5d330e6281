# Headgate's chores, one target each. `make demo` and `make test` need only Python 3.11, pip and make.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SOURCES := headgate controller workers tests loadtests

.PHONY: help install demo test test-fast lint format protos protos-check lock bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The stamp makes installation idempotent: it runs again only when the lock or a pyproject changes.
$(VENV)/.installed: requirements.lock pyproject.toml deploy/server/pyproject.toml deploy/server/hatch_build.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e deploy/server
	touch $@

install: $(VENV)/.installed ## create .venv with everything, development tools included

demo: install ## the whole path on real data: search, gate, winner, served prediction, metrics
	$(BIN)/python -m loadtests.demo

test: install ## every test, real Ray included
	$(BIN)/python -m pytest

test-fast: install ## the tests that start no Ray
	$(BIN)/python -m pytest -m "not ray and not e2e"

lint: install ## ruff, mypy strict, buf
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python protos/generate.py --lint

format: install ## let ruff rewrite what it can
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

protos: install ## regenerate headgate/v1 from protos/
	$(BIN)/python protos/generate.py

protos-check: install ## fail when the committed generated code is not what protos/ gives
	$(BIN)/python protos/generate.py --check

lock: ## resolve requirements.lock anew (needs uv in .venv)
	$(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-annotate --no-header --no-emit-package headgate --no-emit-package headgate-server \
		--output-file requirements.lock pyproject.toml deploy/server/pyproject.toml requirements-dev.in

bench: install ## measure overheads, enforcement, plans, decisions, and predicted against measured memory
	$(BIN)/python -m loadtests.overheads
	$(BIN)/python -m loadtests.enforcement
	$(BIN)/python -m loadtests.faults
	$(BIN)/python -m loadtests.plan_latency
	$(BIN)/python -m loadtests.measure_families --quick
	$(BIN)/python -m loadtests.admit_latency

clean: ## remove what the targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache dist build
