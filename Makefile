# Everything runs in .venv: made on first use, brought up to date when pyproject.toml changes, else left alone.
VENV := .venv
PY := $(VENV)/bin/python
CHECKED := src tests examples benchmarks
DEMO := tune examples/digits.py:train --metric accuracy --max-trials 30 --max-parallel 2

.PHONY: demo test check fmt lint type bench help
.NOTPARALLEL:

help:  ## lists the targets
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(VENV)/demo.stamp  ## tunes a real model on scikit-learn's digits: 30 trials, 2 at a time
	@echo '$$ tunewright $(DEMO)'
	@$(VENV)/bin/tunewright $(DEMO)
	@command -v tunewright >/dev/null || echo "To have the command tunewright: source $(VENV)/bin/activate"

test: $(VENV)/test.stamp lint type  ## installs everything and runs every check and test
	$(PY) -m pytest --no-missing

check: $(VENV)/test.stamp lint type  ## the fast gate: style, types, floors and the quick tests
	$(PY) -m pytest -n 2 -m "not slow"

fmt: $(VENV)/test.stamp  ## formats the code and mends what can be mended by itself
	$(PY) -m ruff format $(CHECKED) && $(PY) -m ruff check --fix $(CHECKED)

lint: $(VENV)/test.stamp  ## style, format, and the floors of the house
	$(PY) -m ruff check $(CHECKED) && $(PY) -m ruff format --check $(CHECKED) && $(VENV)/bin/lint-imports --no-logo

type: $(VENV)/test.stamp  ## mypy --strict over the package, its tests and its examples
	$(PY) -m mypy $(CHECKED)

bench: $(VENV)/bench.stamp  ## the figures of docs/benchmarks.md, side by side with other tuners
	$(PY) -m benchmarks

$(PY):
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $(VENV) with $$("$$python" --version)"; exec "$$python" -m venv --clear $(VENV); fi; done; \
	echo "Tunewright needs Python 3.11 or newer; found $$({ python3 --version || echo none; } 2>/dev/null)." \
		"Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1

$(VENV)/%.stamp: pyproject.toml | $(PY)
	@echo "Installing Tunewright with its $* extra into $(VENV): once, a minute or two"
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
