# Every target sets up what it needs: a first run on a fresh machine takes Python and its venv module, nothing else.
# ARGS is passed on, as in `make run ARGS="--help"`.

PYTHON ?= python3
ARGS ?=

# The resolver behind `make lock`; pinned, so that two people get the same locks.
UV_VERSION := 0.13.8

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-313 lint bench topology lock clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/run.stamp ## Run the whole system on this machine
	@.venv/bin/trefoil run $(ARGS)

test: lint ## Check the code, then run all tests
	@.venv/bin/python -m pytest $(if $(filter true,$(CI)),,-rs) $(ARGS)

lint: .venv/test.stamp ## Check style, types and the layers
	@.venv/bin/ruff check --quiet
	@.venv/bin/ruff format --quiet --check || { echo "Not formatted; run: .venv/bin/ruff format" >&2; exit 1; }
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo --cache-dir .cache/import-linter

bench: .venv/bench.stamp ## Measure speed, beside other libraries
	@.venv/bin/python -m tests.benchmarks $(ARGS)

topology: .venv/run.stamp ## Write shared/asyncapi.json from the code
	@.venv/bin/trefoil topology $(ARGS)

# The clouds run 3.13. A pyenv shim may exist and still fail, so each candidate is asked for its version.
test-313: ## Run the unit tests under Python 3.13, in their own environment
	@for python in "$$PYTHON313" python3.13 "$$(pyenv prefix 3.13 2>/dev/null)/bin/python"; do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then \
			$(MAKE) --no-print-directory .venv313/test.stamp PYTHON="$$python" && \
			exec .venv313/bin/python -m pytest -o cache_dir=.cache/pytest313 tests/unit $(ARGS); \
			exit 1; \
		fi; \
	done; \
	echo "No Python 3.13 found, so nothing was tested; install it, or name one: make test-313 PYTHON313=/path/to/python3.13" >&2; \
	test "$$CI" != true

lock: .venv-lock/uv.stamp ## Pin the dependencies again; ARGS=--upgrade takes newer versions
	@$(LOCK) pyproject.toml requirements/run.in --output-file requirements/run.txt
	@$(LOCK) requirements/aws.in --output-file requirements/aws.txt
	@$(LOCK) requirements/test.in --output-file requirements/test.txt
	@$(LOCK) requirements/bench.in --output-file requirements/bench.txt

clean: ## Remove environments, caches and builds
	@rm -rf .venv .venv313 .venv-lock .cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCK = .venv-lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-header \
	$(ARGS)

# A stamp is newer than its lock when the environment holds what the lock says. The locks agree with one another, so one
# environment can hold several.
.venv/run.stamp .venv/test.stamp .venv/bench.stamp: .venv/%.stamp: requirements/%.txt pyproject.toml
	$(call install,.venv,$*)

.venv313/test.stamp: requirements/test.txt pyproject.toml
	$(call install,.venv313,test)

.venv-lock/uv.stamp: Makefile
	$(call environment,.venv-lock)
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

# $(call environment,FOLDER): a virtual environment that works, made again when its interpreter has gone.
define environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "Trefoil needs Python 3.11 or newer, and '$(PYTHON)' is not; name one: make PYTHON=/path/to/python3" >&2; \
	exit 1; }
@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(1)
endef

# $(call install,FOLDER,LOCK): what the lock pins, then this project, editable.
define install
@echo "Installing requirements/$(2).txt into $(1)"
$(call environment,$(1))
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/$(2).txt
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
@touch $@
endef
