# `make demo` and `make test` need Debian's python3, python3-venv and make; everything else is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := vidgear model-api mediapipe

.PHONY: setup demo test check e2e faults bench peers models clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt hatch_build.py edgeseg/kernels/build.py $(wildcard edgeseg/kernels/*.[ch])
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[test,check]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/edgeseg run -c demo/demo.yaml $(DEMO_ARGS)

test: $(STAMP)
	$(BIN)/pytest -q $(TEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/unit/test_layers.py

e2e: $(STAMP)
	tests/install_servers.sh
	$(BIN)/pytest -q -m e2e --ignore tests/faults $(TEST_ARGS)

# Killed servers, stalled cameras and hung children, with limits in milliseconds: for a machine at rest.
faults: $(STAMP)
	tests/install_servers.sh
	$(BIN)/pytest -q -m e2e tests/faults $(TEST_ARGS)

bench: $(STAMP)
	$(BIN)/python bench/e2e.py $(BENCH_ARGS)

# Two gigabytes of other people's packages, each in an environment of its own: bench/peers/README.md.
peers: $(STAMP) $(PEERS:%=bench/peers/.venv/%/.installed)
	$(BIN)/python bench/peers/run.py $(BENCH_ARGS)

bench/peers/.venv/%/.installed: bench/peers/requirements-%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install -q --disable-pip-version-check -r $<
	touch $@

models: $(STAMP)
	$(BIN)/python models/make_models.py

clean:
	rm -rf $(VENV) bench/peers/.venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis demo/recordings
	find . -name __pycache__ -prune -exec rm -rf {} +
