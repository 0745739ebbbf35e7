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

# Tests wait for services more than they compute; a server that you name is shared, which several workers cannot.
TEST_WORKERS ?= $(if $(DATABASE_URL)$(REDIS_URL),0,3)
test: $(TEST_STAMP)  ## Run the whole suite against real services (PYTEST_ARGS="-k words", TEST_WORKERS=0)
	@.ci/install-browser $(BIN)
	@.ci/install-peers $(BIN)
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# Sizes end within 90 minutes on two idle cores; minutes stand behind each line.
CHAOS := $(BIN)/python manage.py chaos
chaos: $(TEST_STAMP)  ## Break everything the fault catalogue knows: docs/chaos.md (SEEDS="1 2 3 4 5" for more kills)
	@set -e; for seed in $${SEEDS:-1}; do for class in A B C D; do \
	  $(CHAOS) F1 --records 10000 --kills 40 --seed $$seed --class $$class --json; done; done  # 12
	@$(CHAOS) F2 --records 2000 --kills 15 --class B --json  # 3
	@$(CHAOS) F3 --records 2000 --kills 40 --class B --json  # 6
	@$(CHAOS) F4 --records 100 --kills 50 --class B --json  # 8
	@$(CHAOS) F5 --records 2000 --kills 20 --class B --json  # 4
	@$(CHAOS) F6 --records 2000 --kills 30 --class B --json  # 7
	@$(CHAOS) F7 --records 2000 --kills 20 --class B --json  # 3
	@$(CHAOS) F8 --records 10000 --class C --json  # 4
	@$(CHAOS) F9 --records 1500 --json  # 2
	@$(CHAOS) F10 --records 1000 --class C --json  # 2
	@$(CHAOS) F11 --records 5000 --json  # 2
	@$(CHAOS) F12 --records 2000 --class C --json  # 2
	@$(CHAOS) F22 --records 100 --kills 30 --json  # 4
	@$(CHAOS) F23 --records 100 --kills 200 --json  # 2
	@$(CHAOS) F24 --records 2000 --kills 10 --json  # 5
	@$(CHAOS) F25 --records 2000 --kills 150 --json  # 2
	@$(CHAOS) F27 --records 1000 --kills 8 --json  # 3
	@$(CHAOS) F38 --records 2000 --seconds 240 --json  # 6
	@set -e; for name in F13 F13-pages F14 F15 F18-source F29 F30 F34; do $(CHAOS) $$name --records 5000 --json; done  # 8
	@set -e; for name in F16 F17 F18 F19 F28 F35; do $(CHAOS) $$name --json; done  # 4
	@CHAOS_EXAMPLES=100 $(CHAOS) model --json  # 10
	@set -e; for class in B C; do $(CHAOS) crash-points --kills 50 --class $$class --json; done  # 20
	@$(CHAOS) mutants --json  # 12

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
