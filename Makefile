# Two commands matter: `make demo` and `make test`. Each prepares .venv by itself, inside this folder.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test unit lint format bench lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements/dev.txt pyproject.toml
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## Watch a simulated fleet; no key, no configuration, no network
	@$(BIN)/fluence-watch demo

test: $(STAMP) ## Run the tests
	$(BIN)/python -m pytest tests/unit --numprocesses auto
	$(BIN)/python -m pytest tests/integration tests/e2e

unit: $(STAMP) ## Run the unit tests alone, with branch coverage
	$(BIN)/python -m pytest tests/unit --numprocesses auto --cov --cov-report=term:skip-covered $(ARGS)

lint: $(STAMP) ## Check style, types and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## Measure decode, evaluate, commit and render
	$(BIN)/python -m tests.bench

COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --upgrade

lock: $(STAMP) ## Write the exact versions, with hashes, into requirements/
	$(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) --group build --constraint requirements/run.txt --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --group dev --constraint requirements/run.txt --output-file requirements/dev.txt

clean: ## Remove what the commands above made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
