# Every target makes .venv when it is missing: on a machine with Python >= 3.11, make, g++ and perl,
# one `make` line is enough. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
PROFILE ?= quick
BENCH_FLAGS ?=
TORCH_INDEX ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SLUGS = $(patsubst benches/%/paper.toml,%,$(wildcard benches/*/paper.toml))

.PHONY: help setup bench report list doctor test test-rtl perf lint types format docs-fresh clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-zA-Z_%-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  papers: $(SLUGS)"

setup: $(STAMP) ## install everything into .venv (done by every other target when needed)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else f"Python >= 3.11 needed, this is {v.major}.{v.minor}: set PYTHON=")'
	@echo "Installing hwsim and its pinned dependencies into $(VENV): about 2.4 GB with the CPU build of"
	@echo "torch (the largest part), more with a CUDA build; TORCH_INDEX=<wheel index> chooses one."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(if $(TORCH_INDEX),$(BIN)/pip install -q -c constraints.txt --index-url $(TORCH_INDEX) torch)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[synth,dev]'
	@touch $@

bench-%: $(STAMP) ## run one paper's bench (PROFILE=smoke|quick|full), e.g. make bench-neuralut
	$(BIN)/hwsim bench $* --profile $(PROFILE) $(BENCH_FLAGS)

bench: $(STAMP) ## run every paper's bench
	$(BIN)/hwsim bench $(SLUGS) --profile $(PROFILE) $(BENCH_FLAGS)

verilog-%: $(STAMP) ## write a paper's Verilog, constraints and vendor Tcl to build/<slug>/
	$(BIN)/hwsim verilog $*

report: $(STAMP) ## write results/index.html from the newest runs
	$(BIN)/hwsim report

list: $(STAMP) ## the papers and what each has
	$(BIN)/hwsim list

doctor: $(STAMP) ## which tools were found, and what the missing ones are for
	$(BIN)/hwsim doctor

test: $(STAMP) ## all tests but the rate measurements
	$(BIN)/pytest -q -n $(JOBS) --dist loadgroup --ignore tests/perf

test-rtl: $(STAMP) ## only the RTL tests (Verilator, cocotb)
	$(BIN)/pytest -q -m rtl --ignore tests/perf

perf: $(STAMP) ## measure rates beside their peers (never asserts on time)
	$(BIN)/pytest -q -p no:xdist tests/perf

lint: $(STAMP) ## ruff and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(STAMP) ## mypy
	$(BIN)/mypy

format: $(STAMP) ## rewrite the sources in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs-fresh: $(STAMP) ## check that tables and reports agree with the kept results
	$(BIN)/python -m benches.registry --check

clean: ## remove build and result folders (not .venv)
	rm -rf build results sim_build .mypy_cache .ruff_cache .hypothesis
