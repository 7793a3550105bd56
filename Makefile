# Everything a person runs. Needs Python 3.11+ and make; the rest is set up in .venv.
PYTHON ?= python3
BIN := .venv/bin
# The one version whose CPU build is small; it is installed before whatever depends on it.
TORCH := torch==2.13.0
# The project's picture folder and the platforms' own interface descriptions, for those who have them:
# what needs them skips without.
PICTURES := $(wildcard ../shared/pictures)
SPECS := $(wildcard ../shared/specs)
export WHOSTHAT_PICTURES ?= $(abspath $(PICTURES))
export WHOSTHAT_SPECS ?= $(abspath $(SPECS))

.PHONY: run test lint format bench bench-review bench-gate bench-learning bench-life lock setup setup-dev clean

run: setup ## set everything up and run the bot and its page
	@exec $(BIN)/whosthat run

setup: .venv/.run-ready

setup-dev: .venv/.dev-ready

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "whosthat needs Python 3.11 or newer: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "Python's venv module is missing (Debian: apt install python3-venv)."; exit 1; }

.venv/.run-ready: requirements/run.txt requirements/backbone.txt pyproject.toml | .venv/bin/python
	@echo "Installing what the bot needs into .venv …"
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/run.txt
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/backbone.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e . 2>.venv/install.log || { cat .venv/install.log; exit 1; }
	@touch $@

.venv/.dev-ready: requirements/dev.txt .venv/.run-ready
	@echo "Installing what the tests need into .venv …"
	@$(BIN)/pip install -q --disable-pip-version-check $(TORCH)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

test: setup-dev ## everything, with whatever of Chromium is there
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: setup-dev ## style, types, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup-dev
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format .

bench: setup-dev ## how long it takes to be ready, and to answer
	@$(BIN)/python -m tests.bench $(ARGS)

bench-review: setup-dev ## how clean an export is, beside majority vote and Dawid-Skene; what a decision costs
	@$(BIN)/python -m tests.bench.review $(ARGS)

bench-learning: setup-dev ## what the memory knows again, how soon it learns, and what it costs
	@$(BIN)/python -m tests.bench.learning $(ARGS)

bench-gate: setup-dev ## whether the gate refuses what is worse and promotes what is better
	@$(BIN)/python -m tests.bench.gate $(ARGS)

bench-life: setup-dev ## whether the bot gets better by being corrected, drawn
	@$(BIN)/python -m tests.bench.life $(ARGS)

lock: ## renew requirements/*.txt from pyproject.toml
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile -q $(LOCK) pyproject.toml -o requirements/run.txt
	@$(BIN)/uv pip compile -q $(LOCK) pyproject.toml --extra dev --extra training --extra postgres --extra ray \
		--override requirements/without-torch.txt -c requirements/run.txt -o requirements/dev.txt
	@echo asyncpg | $(BIN)/uv pip compile -q $(LOCK) -c requirements/dev.txt - -o requirements/postgres.txt
LOCK := --upgrade --universal --python-version 3.11 --no-annotate --no-header --generate-hashes \
	--no-emit-index-url --no-emit-find-links

clean: ## forget what was installed; data/ stays
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
