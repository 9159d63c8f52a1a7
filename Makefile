# Two commands do everything, set-up included: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
# The CPU build where pip knows one under this name; set TORCH for another, such as a CUDA build.
TORCH ?= torch==2.13.0
BIN := $(VENV)/bin

# Ways in which other processors compute: one thread and two, no vector instructions, AVX2 and nothing newer.
KERNELS := "OMP_NUM_THREADS=1" "OMP_NUM_THREADS=2" "OMP_NUM_THREADS=1 ATEN_CPU_CAPABILITY=default" \
	"OMP_NUM_THREADS=2 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2"

.PHONY: quickstart test test-slow test-kernels lint format setup emoji bench-sounds bench-distill clean

quickstart: setup
	$(BIN)/ipaclip quickstart

test: lint
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

# The tests in each way, one after another; what failed is told at the end.
test-kernels: setup
	@failed=0; for way in $(KERNELS); do \
		echo "== $$way"; env $$way $(BIN)/python -m pytest -q || { failed=1; echo "== failed: $$way"; }; \
	done; exit $$failed

# mypy reads the installed wheel: it cannot see through an editable install, and so the packaging is checked, too.
lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	rm -rf build
	$(BIN)/python -m pip install --quiet --no-deps --target build/installed .
	cd build/installed && ../../$(BIN)/python -m mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p ipaclip

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	echo '*' > $(VENV)/.gitignore  # whatever its name, ruff looks away
	$(BIN)/python -c "import torch" 2>/dev/null || $(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable ".[all]"
	touch $@

# Makes the shipped checkpoint again; see examples/emoji/README.md.
emoji: setup
	$(BIN)/python examples/emoji/build.py

# Ratios against peers, side by side in one run; leave the machine to it.
bench-sounds: setup
	$(BIN)/python benchmarks/sounds.py

bench-distill: setup
	$(BIN)/python benchmarks/distill.py

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
