PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SOURCES := evonas search_spaces trainers tests benchmarks examples

.PHONY: demo test install lint types clean

demo: install  ## install and run the main job: an architecture search on real digits
	$(BIN)/evonas run runs/digits.toml

test: install lint types  ## every check and every test
	OMP_NUM_THREADS=1 MLFLOW_DISABLE_TELEMETRY=true $(BIN)/pytest -n 2

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/codespell

types: install
	$(BIN)/basedpyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) *.egg-info
