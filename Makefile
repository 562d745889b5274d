# Two commands matter: `make run` starts the demonstration office, `make test` runs every test.
# Both need Python 3.11 with venv, and nothing else installed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp

.PHONY: run test lint types imports docs check bench clean

run: $(STAMP)-run
	$(BIN)/twistd --nodaemon --pidfile= mailshare -c examples/office.toml

test: $(STAMP)-test
	$(BIN)/python -m pytest $(ARGS)

check: lint types imports docs

lint: $(STAMP)-test
	$(BIN)/ruff check .
	$(BIN)/interrogate -q mailshare

types: $(STAMP)-test
	$(BIN)/mypy

imports: $(STAMP)-test
	$(BIN)/lint-imports

docs: $(STAMP)-test
	$(BIN)/sphinx-build -n -T -W --keep-going -b html docs docs/_build/html

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP)-run: $(BIN)/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(STAMP)-test: $(BIN)/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[test,lint,docs,build]'
	touch $@ $(STAMP)-run

clean:
	rm -rf $(VENV) build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis
