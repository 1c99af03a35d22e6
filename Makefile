# On a machine with only Python 3.11 to 3.13, make and a shell:  make demo  or  make test
# What `make install` does is in systemd/install; README.md tells when to use it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Wheels only: nothing here needs a compiler, and a package without a wheel should say so at once.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --no-input --disable-pip-version-check --only-binary :all:

.PHONY: help demo test lint words bench soak arm-test system-test install clean

help:
	@echo "make demo         a simulated strap, an alert, a phone and a broker on this machine"
	@echo "make test         lint, types, import rules and every test but those below"
	@echo "make lint         lint, types and import rules only"
	@echo "make words        the catalogues of the phones' languages, with what there is to translate"
	@echo "make bench        the benchmarks, as ratios"
	@echo "make soak         proofs that take many minutes: outages, kills and crowds"
	@echo "make arm-test     the package and every model on an emulated 64-bit ARM, with the same answers as here"
	@echo "make system-test  systemd, bluetoothd and the daemon in an emulated machine, which is then harmed (as root)"
	@echo "make install      the daemon as a systemd service (as root)"
	@echo "make clean        remove what these made"

demo: $(VENV)/installed-demo
	$(BIN)/hearthbeat demo

# Two at a time where most of them wait; homes whose clocks are hurried want a core for themselves.
test: lint
	@tests/debian-packages
	$(BIN)/pytest --numprocesses 2 --dist worksteal --ignore tests/integration
	$(BIN)/pytest tests/integration

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# A new language begins as an empty file: mkdir -p edge/notify/locale/de/LC_MESSAGES && touch $$_/hearthbeat.po
words: $(VENV)/installed-dev
	mkdir -p build
	$(BIN)/pybabel -q extract --no-location --sort-output --width=120 -k phrase -k words -k several:1,2 -o build/hearthbeat.pot edge
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-pot-creation-date --width=120 -D hearthbeat -i build/hearthbeat.pot -d edge/notify/locale

bench: $(VENV)/installed-dev
	@tests/debian-packages
	$(BIN)/pytest tests/benchmarks --benchmark-only --capture=no --timeout=600

soak: $(VENV)/installed-dev
	@tests/debian-packages
	$(BIN)/pytest -m hypothesis --hypothesis-profile=exploring
	$(BIN)/pytest tests/soak --capture=no --timeout=3600

arm-test: $(VENV)/installed-dev
	@tests/debian-packages arm
	$(BIN)/pytest tests/arm --capture=no

system-test: $(VENV)/installed-dev
	@tests/debian-packages system
	$(BIN)/pytest tests/system --capture=no

install:
	PYTHON="$(PYTHON)" systemd/install

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The two stamps share one environment; `dev` holds all that `demo` needs.
$(VENV)/installed-demo: pyproject.toml | $(BIN)/python
	@echo "Installing what the demo needs into $(VENV)"
	@$(PIP_INSTALL) --editable '.[demo]'
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing what the tests need into $(VENV): about 2 GB and some minutes, once"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/installed-demo

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
