# Everything runs from .venv, which `make setup` makes. `make help` lists the commands.
PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2
.DEFAULT_GOAL := help
.PHONY: help setup demo serve test lint types fmt bench openapi schema lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: ## make .venv with all pinned packages and the command .venv/bin/tallystick
	@$(PYTHON) tools/setup.py

demo: setup ## run the whole product on this machine, with sample data; Ctrl-C stops it
	@$(BIN)/tallystick demo $(ARGS)

serve: setup ## run the server alone (see `tallystick serve --help`)
	@$(BIN)/tallystick serve $(ARGS)

test: lint types ## lint, types, then every test, side by side (ARGS="-k name" narrows it)
	@$(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS)

lint: setup ## style, import directions, unused dependencies, SQL of the migrations
	@$(BIN)/ruff format --check --quiet . || { echo "Run make fmt."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-cache > .venv/imports.log || { cat .venv/imports.log; exit 1; }
	@$(BIN)/deptry . --no-ansi > .venv/deptry.log 2>&1 || { cat .venv/deptry.log; exit 1; }
	@$(BIN)/squawk --config tools/squawk.toml tallystick/migrations/0*.sql > .venv/squawk.log || { cat .venv/squawk.log; exit 1; }

types: setup ## mypy --strict
	@$(BIN)/mypy

fmt: setup ## format the code, and mend what can be mended
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: setup ## measure: ratios to the database's own tools, in one run
	@$(BIN)/python -m bench $(ARGS)

openapi: setup ## write tallystick/api/openapi.json anew
	@$(BIN)/tallystick openapi --write

schema: setup ## write tallystick/migrations/schema.sql anew
	@$(BIN)/pytest --quiet --write-schema tests/store/kernel/test_schema.py

lock: setup ## choose new versions of all packages
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-header --no-annotate --group dev pyproject.toml -o requirements.lock

clean: ## remove .venv and caches; your data in TALLYSTICK_HOME stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
