# Everything is brought in by tools/setup: a machine needs Python 3.11 or newer and make, nothing else.
.DEFAULT_GOAL := help
.PHONY: help demo up test check python-rules web-rules format bench chaos lock web clean
SHELL := /bin/sh

ARGS ?=
BIN := .venv/bin
NPM := PATH="$(CURDIR)/.venv/tools/node/bin:$$PATH" npm --prefix web --silent run
export PYTHON UPGRADE

# One line per step, so that the last line on the screen names what is running.
say = @printf '» %s\n' "$(1)"

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Start the desk on real sample prices with paper accounts (ARGS="--port 8123 --speed 20")
	@tools/setup runtime web
	@exec $(BIN)/evenkeel demo $(ARGS)

up: ## Start Evenkeel on your own data (ARGS go to `evenkeel up`)
	@tools/setup runtime web
	@exec $(BIN)/evenkeel up $(ARGS)

check: ## What a change must pass before a commit: style, types, contracts, house rules, quick tests
	@tools/setup dev
	@$(MAKE) --no-print-directory python-rules
	$(call say,house rules and quick tests)
	@$(BIN)/pytest -q -m "not service and not browser and not chaos and not slow" $(ARGS)

test: ## Everything: style, types, contracts, web, and every test with its services and browser
	@tools/setup dev web web-dev
	@tools/beside "$(MAKE) --no-print-directory web-rules" "$(MAKE) --no-print-directory python-rules"
	$(call say,tests)
	@$(BIN)/pytest -q -n 2 --dist loadfile $(ARGS)

python-rules:
	$(call say,style)
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	$(call say,types)
	@$(BIN)/mypy
	$(call say,import contracts)
	@$(BIN)/lint-imports --no-logo

web-rules:
	$(call say,web: lint)
	@$(NPM) lint
	$(call say,web: types)
	@$(NPM) typecheck
	$(call say,web: tests)
	@$(NPM) test

format: ## Format the Python sources
	@tools/setup dev
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format

bench: ## Print the figures behind every speed claim as JSON
	@tools/setup runtime >&2
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: ## Kill and restart under load, and fuzz the API at length (ARGS="--seed 7 --sqlite 10")
	@tools/setup dev web
	@$(BIN)/python -m tests.chaos $(ARGS)

lock: ## Write requirements/*.txt again from pyproject.toml (UPGRADE=1 takes the newest versions)
	@tools/setup lock

web: ## Build the web application into the package
	@tools/setup web

clean: ## Remove what was built; your data and the demo's stay
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache \
	  build dist test-results web/node_modules web/.next web/out src/evenkeel/server/static
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
