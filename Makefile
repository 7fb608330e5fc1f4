# Needs Python 3.11 or newer and network access to a package index; everything else is installed into .venv.
PYTHON ?= python3.11
ifeq ($(shell command -v $(PYTHON) 2>/dev/null),)
PYTHON := python3
endif
BIN := .venv/bin
PORT ?= 8080

.PHONY: install check test demo bench clean

install: .venv/installed

.venv/installed: pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv sync --locked --quiet --python $(BIN)/python
	@touch $@

demo: install  ## build a demo census and serve it
	@$(BIN)/llmcensus demo --port $(PORT)

test: install  ## the whole test suite; nothing else needs to be installed or running
	@$(BIN)/pytest

check: install  ## style, types, import table
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pytest tests/test_architecture.py

bench: install  ## measured figures, as ratios in one run
	@$(BIN)/python -m bench.ingest
	@$(BIN)/python -m bench.cold
	@$(BIN)/python -m bench.api

clean:
	rm -rf .venv dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
