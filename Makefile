# Flyball's front door. Needs Python >= 3.11 with pip and venv; everything else is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
REQUIREMENTS := pyproject.toml constraints.txt
HOME_DIR ?= .flyball

# compiled once at install and first use: an environment that forbids it makes every start slow
unexport PYTHONDONTWRITEBYTECODE

.PHONY: up test lint bench soak cover clean help

help: ## what there is to make
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

up: $(VENV)/.default ## a live API, console and closed loop on the built-in sample; Ctrl-C stops it
	@$(BIN)/flyball up --sample --home $(HOME_DIR)

test: $(VENV)/.dev ## all tests; ends with the runner's closing line
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

gameday: $(VENV)/.dev ## the rehearsals that `make test` leaves out: more faults at each step of a rollout
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m long

cover: $(VENV)/.dev ## all tests, with the coverage of branches
	@$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term

lint: $(VENV)/.dev ## style, types and the direction of imports
	@$(BIN)/ruff check --no-cache .
	@$(BIN)/ruff format --no-cache --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(VENV)/.dev ## the numbers of the README, measured here and now
	@$(BIN)/python -m benchmarks

soak: $(VENV)/.dev ## an hour of load on the inference server: does anything grow, slow down or fail?
	@$(BIN)/python -m benchmarks.soak --minutes 60

clean: ## forget what was installed (not what was stored)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Flyball needs Python 3.11 or newer; try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.default: $(BIN)/python $(REQUIREMENTS)
	@echo "installing Flyball and what it needs into $(VENV) (once, about a minute)"
	@$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(BIN)/python $(REQUIREMENTS)
	@echo "installing Flyball and its development tools into $(VENV) (once, about two minutes)"
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/.default
