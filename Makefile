# Needs CPython 3.11 or later with venv, and make: nothing else (GNU make 3.81, as macOS has it, is enough).
.DEFAULT_GOAL := help
.PHONY: help run test torture fuzz interop bench bench-peers todo archive lock clean
unexport PYTHONPATH PYTHONHOME

DIST ?= dist
DATA ?= ./data
HOST ?= 127.0.0.1
PORT ?= 8080
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PYTHON := $(or $(PYTHON),python3)
endif

# An environment is whole when its stamp is there. The stamp's name holds what it was made of: another lock, another
# Python or another place ask for another stamp, and a set-up that was interrupted has left none.
key = $(shell { cat requirements/$(1).txt; pwd; $(PYTHON) --version; } 2>&1 | cksum | cut -d ' ' -f 1)
SERVER := .venv/.server-$(call key,server)
DEV := .venv/.dev-$(call key,dev)
PEERS := .bench-data/peers-venv/.peers-$(call key,peers)
FUZZ := .venv/.fuzz-$(call key,fuzz)
INSTALL := .venv/bin/python -m pip install --disable-pip-version-check --no-input
LOCKED := $(INSTALL) --require-hashes --only-binary :all:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s%s\n", $$1, $$2}' Makefile

run: $(SERVER) ## set up if needed, then serve on 127.0.0.1:8080 with data under ./data (HOST=, PORT=, DATA=)
	.venv/bin/indelible serve --data $(DATA) --host $(HOST) --port $(PORT)

test: START := $(shell date +%s)
test: $(DEV) ## all that CI runs: lint, format, types, tests (TESTS="tests/http -k health" for a part)
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/python -m pytest -n auto $(TESTS)
	@echo "make test took $$(( $$(date +%s) - $(START) )) s"

torture: $(DEV) ## kill it at every point, cut its power, fail its disk (ROUNDS=300, MINUTES=10; SEED= repeats a run)
	@PYTHONPATH="$(CURDIR)/tests" .venv/bin/python tests/torture/long.py

fuzz: $(FUZZ) ## look for what no test thought of: ten minutes (COUNT= requests, SEED= repeats a run)
	PYTHONPATH="$(CURDIR)/tests" .venv/bin/python tests/fuzz/fuzz_run.py --count $(or $(COUNT),100000) $(if $(SEED),--seed $(SEED))

interop: $(SERVER) ## let programs that are not ours read a log: needs Go 1.25 or later, which fetches their modules
	cd tests/interop && go run . -indelible ../../.venv/bin/indelible

bench: $(SERVER) ## how fast it is here (ARGS=)
	.venv/bin/python -m bench $(ARGS)

bench-peers: $(SERVER) $(PEERS) ## beside a service written by hand on PostgreSQL, which must be installed (ARGS=)
	.venv/bin/python -m bench.peers $(ARGS)

todo: ## every shortcut that was taken, with its place
	@grep -rnoE --include='*.py' --include=Makefile --include=Dockerfile 'TODO\([a-z-]+\).*' src bench tools Makefile Dockerfile || echo none

archive: ## dist/indelible-<version>.tar.gz, in which `make run` and `make test` work
	@$(PYTHON) tools/archive.py $(DIST)

lock: ## pin anew what pyproject.toml asks for (ARGS=--upgrade for newer versions); needs uv
	@command -v uv >/dev/null || { echo "make lock needs uv: python3 -m pip install uv" >&2; exit 69; }
	@all="pyproject.toml --extra server --group build"; \
	for name in "base pyproject.toml" "server $$all" "dev $$all --group dev" "peers --group peers -c requirements/server.txt" \
		"fuzz $$all --group dev --group fuzz -c requirements/dev.txt"; do \
		set -- $$name; out=requirements/$$1.txt; shift; \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --only-binary :all: --no-sources \
			--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(ARGS) "$$@" -o $$out \
		|| exit 1; echo $$out; done

clean: ## remove the environment and what builds and checks left; never data
	rm -rf .venv .bench-data dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(SERVER):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Indelible needs CPython 3.11 or later, and $(PYTHON) is: $$($(PYTHON) --version 2>&1)." >&2; \
		echo "Install one, or name one that is there: make run PYTHON=/path/to/python3.13" >&2; exit 69; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) lacks venv. On Debian and Ubuntu: apt install python3-venv" >&2; \
		echo "Or name a Python that has it: make run PYTHON=/path/to/python3.13" >&2; exit 69; }
	@echo "Setting up .venv with $$($(PYTHON) --version): once, about a minute."
	$(PYTHON) -m venv --clear .venv
	$(LOCKED) -r requirements/server.txt
	$(INSTALL) --quiet --no-deps --no-index --no-build-isolation --editable .
	@touch $@

$(PEERS):
	$(PYTHON) -m venv --clear .bench-data/peers-venv
	$(subst .venv,.bench-data/peers-venv,$(LOCKED)) -r requirements/peers.txt
	@touch $@

$(DEV): | $(SERVER)
	$(LOCKED) -r requirements/dev.txt
	@touch $@

$(FUZZ): | $(DEV)
	$(LOCKED) -r requirements/fuzz.txt
	@touch $@
