# Two commands matter: `make run` starts the demonstration office, `make test` runs every test.
# Both need Python 3.11 or later with its venv module, and make. Nothing else has to be installed by hand.
#
#   make test ARGS="tests/wire -q"      hand arguments to pytest
#   make test JOBS=0                    all tests in one process, as a debugger needs it (three run at once otherwise: tests wait, too)
#   make run PYTHON=python3.12          use another Python (for a new environment)
# The system's own Python comes first where it is new enough: it gets its security fixes with the system, and Debian's, compiled with
# a profile, takes a fifth less processor time for a mail than one that was compiled on the spot (docs/performance.md).
PYTHON ?= $(shell /usr/bin/python3 -c '$(NEW_ENOUGH)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
VENV ?= .venv
ARGS ?=
JOBS ?= 3
MINUTES ?= 5
SEED ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# Debian has ensurepip in a package of its own. Where that is missing the pip of another Python on this machine fills the
# environment; one older than 22.3 cannot, and then that Python is taken itself.
NO_VENV := "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"
FILL := python3 -m pip --disable-pip-version-check --python $(BIN)/python install --quiet pip
STAMP := $(VENV)/.stamp

.PHONY: help run test fuzz bench bytecode check lint types imports docs clean

help:
	@echo "make run     start the demonstration office (Ctrl-C ends it)"
	@echo "make test    run every test; ARGS=... goes to pytest"
	@echo "make fuzz    try hostile octets on every engine and reader; MINUTES=5; what is found becomes a file in tests/fuzz/findings"
	@echo "make bench   compare the speed with Postfix and Dovecot on this machine; ARGS=... goes to tests/bench/run.py"
	@echo "make check   lint, types, imports and docs, as continuous integration does"
	@echo "make clean   remove the environment and everything built"

run: $(STAMP)-run bytecode
	PYTHONUNBUFFERED=1 $(BIN)/twistd --nodaemon --pidfile= mailshare -c examples/office.toml

test: $(STAMP)-test bytecode
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder $(ARGS)

fuzz: $(STAMP)-test bytecode
	cd tests/fuzz && PYTHONPATH=. nice -n 19 $(abspath $(BIN))/python -m mutants $(MINUTES) $(SEED)

bench: $(STAMP)-test bytecode
	$(BIN)/python tests/bench/run.py $(ARGS)

check: lint types imports docs

# Pip compiles nothing of an editable install, and where PYTHONDONTWRITEBYTECODE is set nobody does: each start of a server
# would compile all of it again, for as much time as the rest of the start takes.
bytecode: $(BIN)/python
	@$(BIN)/python -m compileall -q mailshare

lint: $(STAMP)-check
	$(BIN)/ruff check .
	$(BIN)/interrogate -q mailshare

types: $(STAMP)-check
	$(BIN)/mypy

imports: $(STAMP)-check
	$(BIN)/lint-imports --no-cache

docs: $(STAMP)-check
	$(BIN)/sphinx-build -q -n -T -W --keep-going -b html docs docs/_build/html

$(BIN)/python:
	@$(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
	  echo "mailshare needs Python 3.11 or later; '$(PYTHON)' is not that. Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@if $(PYTHON) -c 'import venv; from ensurepip import version' 2>/dev/null; then $(PYTHON) -m venv $(VENV); \
	elif $(PYTHON) -c 'import venv' 2>/dev/null && python3 -c 'import pip' 2>/dev/null; then \
	  { $(PYTHON) -m venv --without-pip $(VENV) && $(FILL); } || \
	  { rm -rf $(VENV); python3 -c '$(NEW_ENOUGH)' && python3 -m venv $(VENV); } || \
	  { rm -rf $(VENV); echo $(NO_VENV); exit 1; }; \
	else echo $(NO_VENV); exit 1; fi

# The environment is made again only when the metadata changes.
$(STAMP)-run: $(BIN)/python setup.cfg pyproject.toml
	$(PIP) --editable .
	@touch $@

$(STAMP)-test: $(BIN)/python setup.cfg pyproject.toml
	$(PIP) --editable '.[web,test,print,fax,barcodes,dnssd]'
	@touch $@ $(STAMP)-run

$(STAMP)-check: $(BIN)/python setup.cfg pyproject.toml
	$(PIP) --editable '.[web,test,print,fax,barcodes,dnssd,lint,docs]'
	@touch $@ $(STAMP)-run $(STAMP)-test

clean:
	rm -rf $(VENV) .venv-check build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
