# Two commands matter: `make demo` and `make test`. Each prepares .venv by itself, inside this folder.
PYTHON ?= python3
BIN := .venv/bin
# Containers often set it. Without bytecode, each of many processes compiles all it imports, and pytest rewrites every test.
unexport PYTHONDONTWRITEBYTECODE
# What .venv holds: what the program needs, the program itself, and what working on it needs.
# A stamp is older than its lock file after a `git pull` that changes one.
RUN := .venv/.run
PROGRAM := .venv/.program
DEV := .venv/.dev
DEPLOY := .venv/.deploy

.DEFAULT_GOAL := help
.PHONY: help demo test unit cover lint format image pictures bench dashboards lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# The lock files are whole: pip looks for nothing that is not in them, with its hash.
PIP = $(BIN)/python -m pip --disable-pip-version-check install -qq --no-compile --no-deps
LOCKED = $(PIP) --require-hashes

$(RUN): requirements/run.txt requirements/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; with another: make PYTHON=python3.12 …")'
	@echo 'Preparing .venv: some 50 packages, 20 seconds, once …'
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(LOCKED) --requirement requirements/run.txt --requirement requirements/build.txt
	@touch $@

$(PROGRAM): $(RUN) pyproject.toml
	@$(PIP) --no-build-isolation --editable .
	@touch $@

$(DEV): $(PROGRAM) requirements/dev.txt
	@echo 'Adding the tools for tests and checks, half a minute, once …'
	@$(LOCKED) --requirement requirements/dev.txt
	@$(BIN)/python -m compileall -q -j 0 .venv/lib >/dev/null || true # many processes start from it
	@touch $@

$(DEPLOY): $(DEV) requirements/deploy.txt
	@echo 'Adding what judges the chart, the stack and the image, 100 MB, once …'
	@$(LOCKED) --requirement requirements/deploy.txt
	@touch $@

demo: $(PROGRAM) ## Watch a simulated fleet; no key, no configuration, no network
	@$(BIN)/fluence-watch demo

# The long tests begin first, most wait rather than compute, and those that measure time run alone.
PYTEST = $(BIN)/python -m compileall -q fluence_watch && $(BIN)/python -m pytest

test: $(DEPLOY) ## Run all tests
	@$(PYTEST) tests/unit --numprocesses auto $(ARGS)
	@$(PYTEST) tests/integration tests/e2e -m alone $(ARGS)
	@$(PYTEST) tests/integration tests/e2e -m 'not alone' --numprocesses 4 --dist loadgroup --no-loadscope-reorder $(ARGS)

unit: $(DEV) ## Run the unit tests alone
	@$(PYTEST) tests/unit --numprocesses auto $(ARGS)

cover: $(DEV) ## Run the unit tests with more examples, and the days; hold the branch coverage of the core to its floor
	@TESTS_HYPOTHESIS=thorough $(PYTEST) tests/unit tests/integration/days --numprocesses auto --cov --cov-report=term:skip-covered $(ARGS)

lint: $(DEV) ## Check style, types and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ENGINE ?= $(shell command -v docker || command -v podman)
image: ## Build the container image, with docker or podman; print its size and what is in it
	@$(ENGINE) build --tag fluence-watch --build-arg REVISION=$$(git rev-parse HEAD) .
	@$(ENGINE) image inspect --format 'size: {{.Size}} bytes' fluence-watch
	@$(ENGINE) run --rm --entrypoint cat fluence-watch /usr/share/doc/fluence-watch/sbom.cdx.json | grep -c '"type": "library"' | sed 's/$$/ components in \/usr\/share\/doc\/fluence-watch\/sbom.cdx.json/'

pictures: $(DEV) ## Take the pictures of the README anew, in Chromium, into docs/pictures/
	@$(BIN)/python -m tests.pictures

bench: $(DEV) ## Measure decode, evaluate, commit and render
	$(BIN)/python -m tests.bench

dashboards: $(DEV) ## Write grafana/dashboards/*.json from grafana/source
	@$(BIN)/python -m grafana.source

# Extras stay in the lock: pip before 24 takes a requirement with an extra for another package than the pinned one.
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --python-version 3.11 --no-header $(ARGS)

lock: $(DEV) ## Write the exact versions, with hashes, into requirements/; to upgrade: make lock ARGS=--upgrade
	$(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) --group build --constraint requirements/run.txt --output-file requirements/build.txt
	$(COMPILE) pyproject.toml --group dev --constraint requirements/run.txt --constraint requirements/build.txt --output-file requirements/dev.txt
	$(COMPILE) --group deploy --constraint requirements/dev.txt --output-file requirements/deploy.txt

clean: ## Remove what the commands above made
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage build dist
