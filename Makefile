# Every target sets up what it needs: a first run on a fresh machine takes Python and its venv module, nothing else.
# ARGS is passed on, as in `make run ARGS="--help"`.

PYTHON ?= python3
ARGS ?=
PARAMETERS ?=

# The name of a SAM stack, and all that its template is told: the emulator's address, or that there is none.
SAM_NAME := $(or $(TREFOIL_NAME),trefoil)
SAM_STAGE := $(or $(TREFOIL_STAGE),dev)
SAM_STACK := $(SAM_NAME)-$(SAM_STAGE)
SAM_RUNTIME := $(if $(AWS_ENDPOINT_URL),provided.al2023,python3.13)
SAM_PARAMETERS = Name=$(SAM_NAME) Stage=$(SAM_STAGE) Runtime=$(SAM_RUNTIME) 'EndpointUrl="$(AWS_ENDPOINT_URL)"' $(PARAMETERS)
SAM_SETTINGS := .venv-sam/settings/metadata.json
SAM := SAM_CLI_TELEMETRY=0 __SAM_CLI_APP_DIR=$(dir $(SAM_SETTINGS)) .venv-sam/bin/sam

# The resolver behind `make lock`; pinned, so that two people get the same locks.
UV_VERSION := 0.13.8

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-313 lint bench aws package deploy-aws destroy-aws deploy-gcp destroy-gcp deploy-azure destroy-azure deploy-sam destroy-sam tools emulators localstack azure-functions topology lock clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/run.stamp ## Run the whole system on this machine
	@.venv/bin/trefoil run $(ARGS)

# In CI three files at once: most tests wait for emulators most of the time. Not by ARGS, which makes within tests inherit.
test: lint ## Check the code, then run all tests
	@.venv/bin/python -m pytest $(if $(filter true,$(CI)),--numprocesses=3 --dist=loadfile,-rs) $(ARGS)

lint: .venv/test.stamp ## Check style, types and the layers
	@.venv/bin/ruff check --quiet
	@.venv/bin/ruff format --quiet --check || { echo "Not formatted; run: .venv/bin/ruff format" >&2; exit 1; }
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo --cache-dir .cache/import-linter

bench: .venv/test.stamp .venv/bench.stamp ## Measure speed, beside other libraries
	@.venv/bin/python -m tests.benchmarks $(ARGS)

package: ## Build AWS's zip, build/aws.zip; ARGS="--runtime provided.al2023" builds the one for emulators
	$(call environment,.venv)
	@.venv/bin/python -m functions.package aws $(if $(PYTHON313),--interpreter "$(PYTHON313)") $(ARGS)

deploy-aws: ## Deploy to AWS by Terraform, or to the emulator at AWS_ENDPOINT_URL; ARGS=-auto-approve asks nothing
	$(call environment,.venv)
	@.venv/bin/python terraform/cli.py aws apply $(ARGS)

destroy-aws: ## Remove from there what deploy-aws made
	$(call environment,.venv)
	@.venv/bin/python terraform/cli.py aws destroy $(ARGS)

deploy-gcp: ## Deploy to Google Cloud by Terraform, to the project and region that the environment names
	$(call environment,.venv)
	@.venv/bin/python terraform/cli.py gcp apply $(ARGS)

destroy-gcp: ## Remove from there what deploy-gcp made
	$(call environment,.venv)
	@.venv/bin/python terraform/cli.py gcp destroy $(ARGS)

deploy-azure: ## Deploy to Azure by Terraform, to the subscription and region that the environment names
	$(call environment,.venv)
	@.venv/bin/python terraform/cli.py azure apply $(ARGS)

destroy-azure: ## Remove from there what deploy-azure made
	$(call environment,.venv)
	@.venv/bin/python terraform/cli.py azure destroy $(ARGS)

deploy-sam: $(SAM_SETTINGS) ## The same by SAM; PARAMETERS="MemoryMiB=1024" sets what template.yaml lets one set
	$(call environment,.venv)
	@.venv/bin/python -m functions.package aws --runtime $(SAM_RUNTIME) --out build/sam.zip \
		$(if $(PYTHON313),--interpreter "$(PYTHON313)")
	@$(SAM) build --build-dir build/sam >build/sam.log 2>&1 || { cat build/sam.log >&2; exit 1; }
	@sed "s/Configuration: by-hand/Configuration: '$$(echo $(SAM_PARAMETERS) | cksum | tr ' ' -)'/" \
		build/sam/template.yaml >build/sam/deploy.yaml
	@$(SAM) deploy --template-file build/sam/deploy.yaml --stack-name $(SAM_STACK) --resolve-s3 \
		--capabilities CAPABILITY_IAM --no-fail-on-empty-changeset --parameter-overrides $(SAM_PARAMETERS) $(ARGS)

destroy-sam: $(SAM_SETTINGS) ## Remove from there what deploy-sam made; ARGS=--no-prompts asks nothing
	@$(SAM) delete --stack-name $(SAM_STACK) $(ARGS)

aws: .venv/aws.stamp ## Install what `trefoil --cloud aws` takes

gcp: .venv/gcp.stamp ## Install what `trefoil --cloud gcp` takes

azure: .venv/azure.stamp ## Install what `trefoil --cloud azure` takes

tools: .venv-checkov/tool.stamp $(SAM_SETTINGS) localstack azure-functions .npm-azurite/tool.stamp ## Install what some tests take and are skipped without

emulators: .venv/emulators.stamp $(if $(shell command -v npm),.npm-azurite/tool.stamp) ## Install what `trefoil emulators up` starts; `make test` does so too

localstack: ## Install what `trefoil emulators up localstack` starts, in its own environment with Python 3.13
	@python="$$($(PYTHON) -m infra.emulators.interpreters 3.13 "$$PYTHON313")" && \
		$(MAKE) --no-print-directory .venv-localstack/tool.stamp PYTHON="$$python"

azure-functions: ## Install what `trefoil emulators up azure` runs functions in, in its own environment with Python 3.13
	@python="$$($(PYTHON) -m infra.emulators.interpreters 3.13 "$$PYTHON313")" && \
		$(MAKE) --no-print-directory .venv-azure/tool.stamp PYTHON="$$python"

topology: .venv/run.stamp ## Write shared/asyncapi.json and template.yaml from the code
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
	@$(LOCK) requirements/gcp.in --output-file requirements/gcp.txt
	@$(LOCK) requirements/azure.in --output-file requirements/azure.txt
	@$(LOCK) requirements/test.in --output-file requirements/test.txt
	@$(LOCK) requirements/bench.in --output-file requirements/bench.txt
	@$(LOCK) requirements/emulators.in --output-file requirements/emulators.txt
	@$(LOCK) requirements/lambda.in --output-file requirements/lambda.txt
	@$(LOCK) requirements/lambda-provided.in --output-file requirements/lambda-provided.txt
	@$(LOCK) requirements/cloudrun.in --output-file requirements/cloudrun.txt
	@$(LOCK_FUNCTIONS) requirements/azurefunctions.in --output-file requirements/azurefunctions.txt
	@$(LOCK_FUNCTIONS) requirements/azureworker.in --output-file requirements/azureworker.txt
	@$(LOCK_LOCALSTACK) requirements/localstack.in --output-file requirements/localstack.txt
	@$(LOCK) requirements/checkov.in --output-file requirements/checkov.txt
	@$(LOCK) requirements/sam.in --output-file requirements/sam.txt

clean: ## Remove environments, caches and builds
	@rm -rf .npm-azurite .venv .venv313 .venv-azure .venv-checkov .venv-localstack .venv-lock .venv-sam .cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCK = .venv-lock/bin/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-header \
	$(ARGS)

# Azure's functions run on Linux and Python 3.13, for which some libraries are others than for 3.11.
LOCK_FUNCTIONS = .venv-lock/bin/uv pip compile --quiet --no-config --python-version 3.13 --python-platform linux \
	--generate-hashes --no-header $(ARGS)

# What LocalStack 4.14.0 asks for has broken it since, so it gets what was there when it was made.
LOCK_LOCALSTACK = .venv-lock/bin/uv pip compile --quiet --no-config --python-version 3.13 --python-platform linux \
	--exclude-newer 2026-03-01 --generate-hashes --no-header

# A stamp is newer than its lock when the environment holds what the lock says. The locks agree with one another, so one
# environment can hold several.
.venv/run.stamp .venv/aws.stamp .venv/gcp.stamp .venv/azure.stamp .venv/test.stamp .venv/bench.stamp .venv/emulators.stamp: .venv/%.stamp: requirements/%.txt pyproject.toml
	$(call install,.venv,$*)

.venv313/test.stamp: requirements/test.txt pyproject.toml
	$(call install,.venv313,test)

# Tools whose exact pins contradict the other locks, each in an environment of its own. A lock names everything, and to
# resolve it once more takes a newer pip than Python 3.11 may bring: hence --no-deps.
.venv-checkov/tool.stamp .venv-localstack/tool.stamp .venv-sam/tool.stamp: .venv-%/tool.stamp: requirements/%.txt
	@echo "Installing requirements/$*.txt into .venv-$*"
	$(call environment,.venv-$*)
	@.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements/$*.txt
	@touch $@

# SAM counts its uses, and asks PyPI each week for a newer version of itself. Here it may not, and asked in the year 2100.
$(SAM_SETTINGS): .venv-sam/tool.stamp
	@mkdir -p $(@D)
	@echo '{"telemetryEnabled": false, "lastVersionCheck": 4102444800}' >$@

.venv-azure/tool.stamp: requirements/azureworker.txt
	@echo "Installing $< into $(@D)"
	$(call environment,$(@D))
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

# npm runs no package's own scripts here, and gets packages from wherever it is told to: the lock names no registry.
.npm-azurite/tool.stamp: requirements/azurite/package.json requirements/azurite/package-lock.json
	@echo "Installing requirements/azurite/package-lock.json into $(@D)"
	@mkdir -p $(@D) && cp $^ $(@D)
	@npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

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
