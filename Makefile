# Everything runs from .venv, which `make setup` makes. `make help` lists the commands.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2
LOCKING := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate pyproject.toml
.DEFAULT_GOAL := help
.PHONY: help setup develop demo serve test lint types fmt bench openapi schema lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: ## make .venv with what the product runs on, and the command .venv/bin/tallystick
	@$(PYTHON) tools/setup.py

develop: ## the same, with what tests, checks and benchmarks need besides
	@$(PYTHON) tools/setup.py develop

demo: setup ## run the whole product on this machine, with sample data; Ctrl-C stops it
	@$(BIN)/tallystick demo $(ARGS)

serve: setup ## run the server alone (see `tallystick serve --help`)
	@$(BIN)/tallystick serve $(ARGS)

test: lint types ## lint, types, then every test, side by side (ARGS="-k name" narrows it)
	@$(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS)

lint: develop ## style, import directions, unused dependencies, SQL of the migrations
	@$(BIN)/ruff format --check --quiet . || { echo "Run make fmt."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-cache > .venv/imports.log || { cat .venv/imports.log; exit 1; }
	@$(BIN)/deptry . --no-ansi > .venv/deptry.log 2>&1 || { cat .venv/deptry.log; exit 1; }
	@$(BIN)/squawk --config tools/squawk.toml tallystick/migrations/0*.sql > .venv/squawk.log || { cat .venv/squawk.log; exit 1; }

types: develop ## mypy --strict
	@$(BIN)/mypy

fmt: develop ## format the code, and mend what can be mended
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: develop ## measure: ratios to the database's own tools, in one run
	@$(BIN)/python -m bench $(ARGS)

openapi: develop ## write tallystick/api/openapi.json anew
	@$(BIN)/tallystick openapi --write

schema: develop ## write tallystick/migrations/schema.sql anew
	@$(BIN)/pytest --quiet --write-schema tests/store/kernel/test_schema.py

lock: develop ## choose new versions of all packages
	@$(BIN)/uv pip compile $(LOCKING) --upgrade --group build -o requirements.lock
	@$(BIN)/uv pip compile $(LOCKING) --upgrade --group dev \
		-c requirements.lock -o requirements-dev.lock

clean: ## remove .venv and caches; your data in TALLYSTICK_HOME stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
