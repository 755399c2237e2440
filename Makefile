# Needs make and Python 3.11, 3.12 or 3.13; everything else is installed into .venv. Works with the make of macOS (3.81) too.
# Paths stay relative or quoted, so that a checkout in a folder with spaces works.

.DEFAULT_GOAL := help
.PHONY: help run serve test lint docs coverage bench bench-accuracy bench-night bench-files bench-own bench-scan bench-reanalysis bench-disk bench-peers peers lock clean
SHELL := /bin/sh

# A user's own packages would shadow the locked ones.
unexport PYTHONPATH
unexport PYTHONHOME

# Installers and astropy write below HOME; where that cannot be, the project's own scratch folder takes its place.
ifneq ($(shell test -n "$$HOME" && test -d "$$HOME" && test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.airflow/home
HOME_NOTE := printf '%s\n' "HOME is not a writable folder: .airflow/home is used in its place." >&2 && mkdir -p .airflow/home &&
endif

ENVIRONMENT = @$(HOME_NOTE) sh deployment/environment.sh
UV ?= $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)
# Give --upgrade here to move every pin, or --upgrade-package NAME to move one.
LOCK_ARGS ?=
COMPILE = "$(UV)" pip compile --quiet --universal --python-version 3.11 --no-annotate --no-emit-index-url \
	--custom-compile-command "make lock" $(LOCK_ARGS)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-21s %s\n", $$1, $$2 }'

run: ## make a synthetic observatory, process its nights in a local Airflow, print the labels, serve until Ctrl-C
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/apogee-labels run $(RUN_ARGS)

serve: ## serve Airflow on your own data: SAS_BASE_DIR=... APOGEE_LABELS_DATA_DIR=... make serve
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/apogee-labels serve

test: ## run the tests in two processes (PYTEST_ARGS="-k name" chooses, "-n 0" keeps to one)
	$(ENVIRONMENT) requirements.txt requirements-dev.txt
	@exec .venv/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

lint: ## check style (ruff) and types (mypy)
	$(ENVIRONMENT) requirements.txt requirements-dev.txt
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy

docs: ## build the documentation site into docs/_build/html, warnings as errors, and run its doctests
	$(ENVIRONMENT) requirements.txt requirements-dev.txt
	.venv/bin/python -m sphinx -q -W --keep-going -b html -d docs/_build/doctrees docs docs/_build/html
	.venv/bin/python -m sphinx -q -W -b doctest -d docs/_build/doctrees docs docs/_build/doctest

coverage: ## run the tests and tell which lines none of them runs (PYTEST_ARGS as for make test; pages in htmlcov/)
	$(ENVIRONMENT) requirements.txt requirements-dev.txt
	@exec .venv/bin/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder --cov --cov-report=term:skip-covered --cov-report=html $(PYTEST_ARGS)

bench: ## measure how fast the engine is (BENCH_ARGS=--help tells of options)
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.engine $(BENCH_ARGS)

bench-accuracy: ## measure how right labels and errors are: the tables of docs/engine.md
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.accuracy $(BENCH_ARGS)

bench-night: ## measure what a night costs through Airflow, and in batches (BENCH_ARGS=--settings: what each setting brings)
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.night $(BENCH_ARGS)

bench-files: ## measure what a file of a batch costs, beside reading it with astropy
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.file_cost $(BENCH_ARGS)

bench-own: ## measure what the means of our own bring, beside the libraries'
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.own_means

bench-scan: ## measure how scans grow with the archive (BENCH_ARGS=--million for a million files)
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.scan $(BENCH_ARGS)

bench-reanalysis: ## measure how fast everything is inferred again by a new model (BENCH_ARGS="--stars 10000")
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.reanalysis $(BENCH_ARGS)

bench-disk: ## measure what normalised products and the catalogue take on disk, for a million stars
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.disk $(BENCH_ARGS)

bench-peers: ## measure AnniesLasso and TheCannon beside it, in environments of their own
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.peers $(BENCH_ARGS)

peers: ## make AnniesLasso's environment, against which a test compares
	$(ENVIRONMENT) requirements.txt
	@exec .venv/bin/python -m benchmarks.peers.environment annieslasso

lock: ## write requirements*.txt anew from requirements*.in (needs uv; LOCK_ARGS=--upgrade moves the pins)
	@"$(UV)" --version >/dev/null 2>&1 || { echo "make lock needs uv: install it, or run make lint once." >&2; exit 1; }
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-dev.in --output-file requirements-dev.txt

# data/ may hold somebody's archive: it goes only when make run made it, which its marker says.
clean: ## remove what make run and make test made, inside this folder only
	rm -rf .venv .peers .airflow logs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov docs/_api docs/_build
	@if test -e data/.made-by-make-run; then echo "rm -rf data"; rm -rf data; \
	elif test -e data; then echo "data/ stays: make run did not make it."; fi
	@find benchmarks config dags include plugins tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
