# Two commands are enough: `make demo` and `make test`. Both first make `.venv` from the lock file
# when it is missing or out of date; Python 3.11 or newer, git and make are all they need.

define HELP
make demo      play the whole story: agent server, sidecar, supervisor  (ARGS=--keep leaves it up)
make test      every test: $(STOREYS)  (ARGS="-k name" narrows it down)
make test-unit, test-contract, test-integration, test-acceptance, test-docs, test-support: one storey
make check     ruff, mypy --strict, import-linter, the docs tests: fast, before every commit
make format    ruff's formatter and its safe fixes
make coverage  the storeys that run in one process, with branch coverage
make bench     the figures of the benchmark, as ratios against its baselines
make fuzz      20 minutes of broken inputs at all that reads strangers' bytes  (ARGS="--minutes 5")
make schema    requests by our OpenAPI, far more than `make test` sends  (ARGS="--examples 1000")
make sbom      dist/sbom.cdx.json: what the sidecar is made of, from the lock file
make audit     known vulnerabilities of the locked versions; needs a network, and says if it has none
make setup     uv (in .uv, unless one is on PATH) and the locked packages (in .venv)
make lock      uv.lock from pyproject.toml, always against PyPI  (ARGS=--upgrade for newest)
make build     wheel and sdist in dist/, tried out in a clean environment
make clean     remove everything made here, .venv and .uv included
endef

SHELL := /bin/sh
# Two processes side by side: each first works, then waits, and both take about as long.
FIRST := support unit contract docs acceptance
BESIDE := integration
STOREYS := $(FIRST) $(BESIDE)
BIN := .venv/bin
STAMP := .venv/.synced
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format coverage bench fuzz schema sbom audit lock build clean FORCE
.SUFFIXES:

help:
	$(info $(HELP))
	@:

setup: $(STAMP)

# The stamp holds the path of the checkout: its scripts name it, so an environment that was copied,
# moved, or lost its Python is made anew.
USABLE := test -x $(BIN)/python && test "$$(cat $(STAMP))" = '$(CURDIR)'
ifneq ($(shell { $(USABLE); } 2>/dev/null && echo yes),yes)
$(STAMP): FORCE
endif
$(STAMP): pyproject.toml uv.lock scripts/bootstrap.py
	@test ! -e $@ || { $(USABLE); } || rm -rf .venv
	@python=$$($(SHELL) scripts/find-python.sh) && "$$python" -m scripts.bootstrap
	@printf '%s\n' '$(CURDIR)' > $@

demo: $(STAMP)
	$(BIN)/subagent-sidecar demo $(ARGS)

test: $(STAMP)
	$(BIN)/python -m scripts.storeys $(FIRST:%=tests/%) -- $(BESIDE:%=tests/%) $(ARGS)

test-%: $(STAMP)
	$(BIN)/python -m pytest tests/$* $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/docs

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

coverage: $(STAMP)
	$(BIN)/coverage run -m pytest -q tests/unit tests/contract tests/integration
	$(BIN)/coverage report

bench: $(STAMP)
	$(BIN)/python -m tests.bench $(ARGS)

fuzz: $(STAMP)
	$(BIN)/python -m tests.fuzz $(ARGS)

schema: $(STAMP)
	$(BIN)/python -m tests.schema $(ARGS)

sbom:
	@python=$$($(SHELL) scripts/find-python.sh) && "$$python" -m scripts.supply sbom

audit:
	@python=$$($(SHELL) scripts/find-python.sh) && "$$python" -m scripts.supply audit

lock:
	@python=$$($(SHELL) scripts/find-python.sh) && "$$python" -m scripts.bootstrap lock $(ARGS)

build: $(STAMP)
	$(BIN)/python -m scripts.try_wheel

clean:
	rm -rf .venv .uv .prometheus build dist .coverage .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
