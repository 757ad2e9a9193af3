# Everything runs in .venv, which is made once and again when setup.py changes.
#   make search   a real search on two cores, a few minutes: runs/quickstart
#   make test     all tests        make lint   style, types        make clean   forget .venv

PYTHON ?= python3
CONFIG ?= quickstart
RUN ?= runs/$(CONFIG)
BIN := .venv/bin
# Two processes run whole files, those with slow tests first (tests/conftest.py). With options of
# your own, such as PYTEST="-k name", one process runs what you ask for.
PYTEST ?= -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: search test lint format clean

search: .venv/installed
	@if [ -e "$(RUN)/run.sqlite" ]; then \
		$(BIN)/primeval resume "$(RUN)"; \
	else \
		$(BIN)/primeval search "$(CONFIG)" --run-dir "$(RUN)"; \
	fi

test: .venv/installed-dev
	$(BIN)/python -m pytest $(PYTEST)

lint: .venv/installed-dev .typing/primeval
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p primeval.primitives -p primeval.dna -p primeval.evaluators \
		-p primeval.search -p primeval.scripts

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "primeval needs Python 3.10 or later; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: setup.py pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/installed-dev: setup.py pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch .venv/installed $@

# Type checkers do not follow the editable install's import hook; they follow this link.
.typing/primeval:
	@mkdir -p .typing && ln -sfn "$(CURDIR)" $@

clean:
	rm -rf .venv .typing build dist *.egg-info
