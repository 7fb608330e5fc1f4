# Needs Python 3.11 or newer and network access to a package index; everything else is installed into .venv.
PYTHON ?= python3.11
ifeq ($(shell command -v $(PYTHON) 2>/dev/null),)
PYTHON := python3
endif
BIN := .venv/bin
PORT ?= 8080

# Requests of others to learn from and to be measured on, which are not in the repository.
CORPUS ?= $(LLMCENSUS_SHARED)/corpus/requests.jsonl.gz
MATERIAL = $(addprefix --data ,$(wildcard $(CORPUS)) $(sort $(wildcard training/requests/*.jsonl))) \
	$(addprefix --instructions ,$(sort $(wildcard training/instructions/*.jsonl))) --readings training/readings.jsonl

.PHONY: install senders check test demo bench train eval clean

install: .venv/installed

.venv/installed: pyproject.toml uv.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"
	@VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/uv sync --locked --quiet --python $(BIN)/python
	@$(BIN)/python hatch_build.py || echo "No charts: pages will be tables."
	@touch $@

senders: .senders/installed  ## programs that send traffic to us, for the tests that need them

.senders/installed: .venv/installed
	@UV_PROJECT_ENVIRONMENT=.senders $(BIN)/uv sync --locked --quiet --only-group senders --python $(BIN)/python
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
	@$(BIN)/python -m bench.otlp
	@$(BIN)/python -m bench.wire
	@$(BIN)/python -m bench.cold
	@$(BIN)/python -m bench.api
	@$(BIN)/python -m bench.pages

train: install  ## the shipped weights; CORPUS names requests of others
	@$(BIN)/llmcensus train $(MATERIAL) --out src/llmcensus/classify/model.npz

eval: install  ## the figures of docs/classifier.md; CORPUS names requests of others
	@$(BIN)/llmcensus evaluate $(MATERIAL) --card docs/classifier.md

clean:
	rm -rf .venv .senders dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
