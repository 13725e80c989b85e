# make train   set up .venv and run the first experiment
# make test    set up .venv and run the tests
PYTHON ?= python3
PIP = .venv/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: train test lint bench clean

train: .venv/installed
	.venv/bin/python train.py rounds=3 algo=motif

test: .venv/installed-test
	.venv/bin/python -m pytest

lint: .venv/installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: .venv/installed
	.venv/bin/python -m benchmarks.rollout

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	@echo "installing (a minute or two the first time)"
	$(PIP) --editable .
	@touch $@

.venv/installed-test: .venv/installed
	$(PIP) --editable '.[test]'
	@touch $@

.venv/installed-dev: .venv/installed-test
	$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf .venv build *.egg-info
