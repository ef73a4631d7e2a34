# Everything a developer or a curious user does here. `make` alone lists it.
PYTHON ?= python3
VENV = .venv
RUN = $(VENV)/bin/python
SOURCES = pyproject.toml README.md LICENSE $(shell find src -type f -not -name '*.pyc')
WEIGHTS = $(shell find weights/vggface2 -type f -not -path '*/__pycache__/*')

# Several tests run at the same time, as many as tests/conftest.py says. A process without tests takes some of another's.
PYTEST = -m pytest -n auto --dist worksteal

# Tests whose outcome may depend on the processor.
NUMERIC = tests/nn tests/mtcnn tests/facenet tests/test_numbers.py tests/gallery/test_indexing.py
# Processors whose kernels of OpenBLAS are tested, each with a number of threads, and its second-level cache in kB.
PROCESSORS = Nehalem:1:256 Haswell:3:512 SkylakeX:8:1024

.PHONY: help demo test test-oldest test-processors coverage lint docs bench clean
help:
	@echo "make demo         install into $(VENV), index the photos of examples/, search them, show who is there"
	@echo "make test         install into $(VENV), run all tests"
	@echo "make test-oldest  the same with the oldest supported versions of what we depend on, in $(VENV)-oldest"
	@echo "make test-processors  the tests of everything numeric, as on other processors and with other numbers of threads"
	@echo "make coverage     run all tests, and print which lines and branches of src/ they do not reach"
	@echo "make lint         ruff and mypy --strict"
	@echo "make docs         build the site of the documents and the API reference: build/site/index.html"
	@echo "make bench        encoder, detection and a collection of large photos beside the peers (benchmarks/README.md)"

demo: $(VENV)/installed
	$(RUN) examples/demo.py demo

test: $(VENV)/installed
	$(RUN) $(PYTEST)

test-processors: $(VENV)/installed
	@for one in $(PROCESSORS); do \
	  set -- $$(echo $$one | tr : ' '); \
	  export OPENBLAS_CORETYPE=$$1 FACEIE_THREADS=$$2 OPENBLAS_L2_SIZE=$$3; \
	  $(RUN) tools/can_emulate.py || continue; \
	  $(RUN) $(PYTEST) $(NUMERIC) || exit 1; \
	done

# The installed package is measured, worker processes included: [tool.coverage] in pyproject.toml.
coverage: $(VENV)/installed
	rm -rf build/coverage
	$(RUN) -m coverage run $(PYTEST)
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report

lint: $(VENV)/installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

docs: $(VENV)/docs
	$(RUN) -m mkdocs build

bench: $(VENV)/installed
	$(RUN) benchmarks/run.py
	$(RUN) benchmarks/collection.py

# What is installed, and so tested, are wheels. That of the weights is made again only when they change: it takes a while.
dist/code: $(SOURCES) | $(VENV)/tools
	rm -rf dist/faceie_numpy-*
	$(RUN) -m pip wheel --quiet --no-deps --wheel-dir dist .
	touch $@

dist/weights: $(WEIGHTS) | $(VENV)/tools
	rm -rf dist/faceie_vggface2-*
	$(RUN) -m pip wheel --quiet --no-deps --wheel-dir dist ./weights/vggface2
	touch $@

$(VENV)/tools: pyproject.toml
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade "pip>=25.1"
	$(RUN) -m pip install --quiet --group test --group database --group lint
	touch $@

$(VENV)/docs: $(VENV)/tools
	$(RUN) -m pip install --quiet --group docs
	touch $@

$(VENV)/installed: dist/code dist/weights
	$(RUN) -m pip install --quiet dist/faceie_numpy-*.whl dist/faceie_vggface2-*.whl
	$(RUN) -m pip install --quiet --force-reinstall --no-deps dist/faceie_numpy-*.whl
	touch $@

test-oldest: dist/code dist/weights
	test -x $(VENV)-oldest/bin/python || $(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(VENV)-oldest/bin/python -m pip install --quiet --group test --constraint tools/oldest.txt dist/faceie_numpy-*.whl dist/faceie_vggface2-*.whl
	$(VENV)-oldest/bin/python -m pip install --quiet --force-reinstall --no-deps dist/faceie_numpy-*.whl
	$(VENV)-oldest/bin/python $(PYTEST)

clean:
	rm -rf $(VENV) $(VENV)-oldest dist build demo
