# make demo and make test do all the set-up from nothing; a second call reinstalls nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
JOBS ?= 2
# threads of one process must not fight those of its neighbour over the same cores
TEST_ENV := OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false

.PHONY: demo test lint types unit soak notebooks install clean help

help:
	@echo "make demo     install, train the bundled encoder, draw what was recorded"
	@echo "make test     install, then lint, types, tests and doctests"
	@echo "make soak     look for faults, with many more generated cases: an hour"
	@echo "make notebooks  execute the notebooks anew, save them with their outputs"
	@echo "make install  just install, into $(VENV)"
	@echo "make clean    remove $(VENV) and caches"

demo: $(INSTALLED)
	rm -rf runs/demo
	OMP_WAIT_POLICY=passive $(BIN)/vilora demo --out runs/demo

test: lint types unit

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

unit: $(INSTALLED)
	$(TEST_ENV) $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

soak: $(INSTALLED)
	$(TEST_ENV) VILORA_SOAK=1 $(BIN)/python -m pytest tests/faults

notebooks: $(INSTALLED)
	$(BIN)/python notebooks/execute.py
	$(BIN)/ruff format notebooks

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,sweep,cloud,demo,notebooks,dev]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
