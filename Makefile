# Everything a newcomer needs: `make demo`, `make check` and `make test` set up by themselves.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Tests start hundreds of processes, which would compile the same modules again and again without bytecode on disk.
unexport PYTHONDONTWRITEBYTECODE
# One process per core; Numba, torch and BLAS get one thread each, because two on a busy core are slower than one.
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup

.PHONY: setup demo check test docs lint kernels lint-and-kernels bench device reliability clean
setup: $(STAMP)

# Without compiling: most modules of torch and Ray are never imported; the others compile when they are.
$(STAMP): pyproject.toml constraints.txt
	@echo 'Setting up .venv: installing Germline with torch and Ray, once. This takes a few minutes; pip lists what it does.'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile \
		--constraint constraints.txt --editable '.[dev]'
	@echo 'Installed. To call germline in this shell: . .venv/bin/activate'
	@touch $@

demo: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python demo.py

check: lint-and-kernels
	$(PYTEST) -m "not slow"

test: lint-and-kernels
	$(PYTEST)

# The documentation as a site, from the pages of docs/ and from the code: site/index.html, to be read without a network.
docs: .venv/.docs-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo 'site/index.html has the documentation'

.venv/.docs-installed: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
		--constraint constraints.txt --editable '.[docs]'
	@touch $@

# Each takes about a minute of one core in a new clone, and a few seconds later.
lint-and-kernels: setup
	@$(MAKE) --no-print-directory --jobs 2 lint kernels

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

kernels: setup
	@OMP_NUM_THREADS=1 $(BIN)/python tests/helpers/compile_kernels.py

bench: setup
	$(BIN)/python tests/benchmarks/run.py

# On a machine with a GPU, bare or set up; CONTRIBUTING.md says more. A rehearsal: make device DEVICE="--device cpu --small"
device:
	$(or $(wildcard $(BIN)/python),$(PYTHON)) tests/device/run.py $(DEVICE)

# All scenarios, or those in SCENARIOS: make reliability SCENARIOS="mutants kills-ray"
reliability: setup
	PATH="$(CURDIR)/$(BIN):$$PATH" PYTHONPATH=tests/helpers OMP_NUM_THREADS=1 $(BIN)/python tests/reliability/run.py $(SCENARIOS)

clean:
	rm -rf .venv build dist site *.egg-info demo bench.json device.json device.txt wheels
