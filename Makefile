# Every chore by name; `make help` lists them. All of Python lives in .venv.
.DEFAULT_GOAL := help
.PHONY: help setup run lab lab-down test test-fast verify bench fuzz docs lint lock clean
PYTHON := .venv/bin/python
MINUTES ?= 8
PORTS ?= 10000
WORKERS ?= 4
# More at a time than cores, as most of them wait. Tests that share servers stay in one process, and the longest groups begin first
# (tests/support/needs.py).
PARALLEL = -n $(WORKERS) --no-loadscope-reorder --durations=20
FAST := not postgres and not slapd and not samba and not lab and not slow and not root

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what running needs: Debian packages and .venv (the others call it)
	@scripts/setup run

run: setup ## Start a demo organization on ports shifted by 10000 (PORTS=N, up to 14899), until Ctrl-C
	@POSTERN_SHIFT='make run PORTS={}' exec .venv/bin/postern run --offset $(PORTS) --demo --demo-password postern-demo

lab: ## Build the lab, an organization of several hosts behind firewalls, and leave it running (root)
	@scripts/setup lab
	@.venv/bin/postern lab up

lab-down: ## End the lab; nothing of it is left
	@.venv/bin/postern lab down

test: ## Lint, then every test, WORKERS=4 at a time (about 10 minutes on 2 cores); prints the slowest twenty
	@scripts/setup test
	@$(MAKE) --no-print-directory lint
	@$(PYTHON) -m pytest -q $(PARALLEL)

# These keep a core busy each.
test-fast: WORKERS = 2
test-fast: ## Lint, then the tests without servers (2 minutes)
	@scripts/setup test
	@$(MAKE) --no-print-directory lint
	@$(PYTHON) -m pytest -q $(PARALLEL) -m "$(FAST)"

verify: setup ## Dial every data path of the running organization, or of a temporary one
	@scripts/verify

bench: ## Measure against Postfix, Dovecot, uvicorn, Radicale and Xandikos; results in bench/results
	@scripts/setup bench
	@$(PYTHON) -m bench.run
	@$(PYTHON) -m bench.http
	@$(PYTHON) -m bench.dav

fuzz: ## Fuzz what reads foreign octets for MINUTES=8, a minute for each target
	@scripts/setup fuzz
	@scripts/fuzz $(MINUTES)

docs: setup ## Generate docs/paths.md, specs.md, events.md, metrics.md, bounds.md and docs/idl from the source
	@.venv/bin/postern paths docs > docs/paths.md
	@$(PYTHON) scripts/documents.py

lint: ## ruff, mypy --strict and the layers' contracts
	@scripts/setup test
	@.venv/bin/ruff check --quiet src tests bench scripts
	@.venv/bin/ruff format --check --quiet src tests bench scripts
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache > /dev/null || .venv/bin/lint-imports

lock: ## Renew locks/, the versions and hashes of Python packages, from pyproject.toml
	@scripts/lock

clean: ## Remove .venv and caches; state folders stay
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .fuzz src/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
