# Two commands do everything: `make run` and `make test`.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.run-$(shell cksum requirements.lock | cut -d' ' -f1)
TEST_STAMP := $(VENV)/.test-$(shell cksum requirements-test.lock | cut -d' ' -f1)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help run test chaos lint lock format clean

help:  ## Show what can be done
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(RUN_STAMP)  ## Start everything and print the address (HUB_PORT, HUB_DATA, HUB_HOST)
	@exec $(BIN)/python manage.py up

test: $(TEST_STAMP)  ## Run the whole suite against real services (PYTEST_ARGS="-k words")
	@.ci/install-browser $(BIN)
	@.ci/install-peers $(BIN)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

chaos: $(TEST_STAMP)  ## Break things for an hour: kills, freezes, a broker that forgets, a target that lies (SEEDS="1 2 3")
	@set -e; for seed in $${SEEDS:-1 2 3 4 5}; do for class in A B C D; do \
	  $(BIN)/python manage.py chaos F1 --records 50000 --kills 200 --seed $$seed --class $$class --json; done; done
	@$(BIN)/python manage.py chaos F2 --records 20000 --kills 100 --class B --json
	@$(BIN)/python manage.py chaos F3 --records 20000 --kills 20 --class B --json
	@$(BIN)/python manage.py chaos F8 --records 20000 --class C --json
	@set -e; for name in F13 F13-pages F14 F15 F18-source F29 F30 F34; do \
	  $(BIN)/python manage.py chaos $$name --records 5000 --json; done
	@set -e; for name in F16 F17 F18 F19 F28 F35; do $(BIN)/python manage.py chaos $$name --json; done
	@CHAOS_EXAMPLES=500 $(BIN)/python manage.py chaos model --json
	@set -e; for class in B C; do $(BIN)/python manage.py chaos crash-points --kills 50 --class $$class --json; done
	@$(BIN)/python manage.py chaos mutants --json

lint: $(TEST_STAMP)  ## Style, types, layers, templates, settings, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djade --check --target-version 5.2 $$(git ls-files '*.html')
	HUB_ENVIRONMENT=prod HUB_DATA=$$(mktemp -d) $(BIN)/python manage.py check --deploy --fail-level WARNING
	HUB_DATA=$$(mktemp -d) $(BIN)/python -W ignore manage.py makemigrations --check --dry-run

format: $(TEST_STAMP)  ## Format code and templates
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	-$(BIN)/djade --target-version 5.2 $$(git ls-files '*.html')

lock: $(TEST_STAMP)  ## Write both lock files anew from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate --quiet -o requirements-test.lock

clean:  ## Remove what make made (not your data)
	rm -rf $(VENV) .peers .cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Syncline needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }

$(RUN_STAMP): $(BIN)/python requirements.lock
	@echo "Installing (once)…"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@

$(TEST_STAMP): $(BIN)/python requirements-test.lock
	@echo "Installing (once)…"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-test.lock
	@touch $@ $(RUN_STAMP)
