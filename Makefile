# Two promises: `make demo` and `make test`, each from a fresh clone, each doing all its set-up.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo
DEMO_PROFILE ?= auto
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow lint format bench scale docs clean

help:  ## What there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed  ## Create .venv with everything pinned

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt pip setuptools wheel
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[train,test,lint]'
	@touch $@

demo: install  ## A corpus from real pages, a law, a sitting of the Diet, works and captions, a small model trained on it, a sentence it wrote
	$(BIN)/corpus build tests/data/sample.warc.gz tests/data/sources --out $(DEMO)/corpus --profile $(DEMO_PROFILE)
	$(BIN)/corpus explain $(DEMO)/corpus http://httpd.apache.org/docs/2.4/ja/bind.html
	$(BIN)/trainer tokenizer $(DEMO)/corpus --out $(DEMO)/tokenizer --vocab-size 4096
	$(BIN)/trainer prepare $(DEMO)/corpus --tokenizer $(DEMO)/tokenizer --out $(DEMO)/tokens --held-out 0.05
	$(BIN)/torchrun --nproc-per-node 1 -m trainer train --config trainer/configs/demo.toml \
	  --data.tokens=$(DEMO)/tokens --out=$(DEMO)/run
	$(BIN)/trainer export $(DEMO)/run --out $(DEMO)/model --check
	$(BIN)/trainer generate $(DEMO)/run --prompt "この設定を" --temperature 0.6 --max-tokens 60

test: install  ## All tests but the slow ones, ruff, mypy
	@# Kernels are compiled once, beside the checks of the source: not by each of the two processes.
	$(BIN)/corpus doctor --warm > /dev/null & warm=$$!; $(MAKE) lint && wait $$warm
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: install  ## The slow tests too
	$(BIN)/python -m pytest -m 'slow or not slow'

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## Let ruff format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: install  ## The benchmarks, printed as tables
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/harvest.py
	$(BIN)/python benchmarks/extraction.py
	$(BIN)/python benchmarks/structure.py --sets pages,round --peers

scale: install  ## A million documents through every stage, with a kill in each (an hour, 5 GB)
	$(BIN)/python -m pip install -q -c constraints.txt psutil
	$(BIN)/python benchmarks/scale.py --shared ../shared --out $(DEMO)/scale

docs: install  ## The documentation as a searchable site in build/site, to open without a network
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build -q --strict

clean:  ## Remove what make made
	rm -rf $(VENV) $(DEMO) build/site .pytest_cache .mypy_cache .ruff_cache
