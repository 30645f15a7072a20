# Works with GNU make 3.81, the version in macOS, and later. make 3.81 applies the PATH below only to recipes that run in
# a shell; a quoted argument makes it use one.

STACK ?= local
VENV := .venv
PYTHON := $(VENV)/bin/python
HOPS := $(VENV)/bin/hops
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
STATE := .ingress-hops/state
BASE ?= origin/main
BEFORE := .ingress-hops/base
PULL_REQUEST := .ingress-hops/pull-request
# The first interpreter of this list that is new enough creates .venv. The Python of an existing .venv comes first, so
# that .venv keeps its version.
PYTHON3 ?= $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11
TOOLS_PATH := $(CURDIR)/.tools/bin:$(CURDIR)/$(VENV)/bin
OTHER_PATH := $(subst $(TOOLS_PATH):,,$(PATH))

# State in the project and no account, unless the environment says otherwise; cli/tools.py has the same defaults.
export PULUMI_BACKEND_URL ?= file://$(CURDIR)/$(STATE)
export PULUMI_SKIP_UPDATE_CHECK ?= true
ifeq ($(PULUMI_CONFIG_PASSPHRASE_FILE),)
export PULUMI_CONFIG_PASSPHRASE ?=
endif
export PATH := $(TOOLS_PATH):$(OTHER_PATH)

EVENTS = PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview --json --non-interactive \
  --stack "$(STACK)" --policy-pack policy
INSTALL = "$(PYTHON)" -m pip install --quiet --disable-pip-version-check
LOCK = "$(VENV)/bin/uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --extra pulumi --group build $(UPGRADE:%=--upgrade-package %)
FAILED = echo "make: a preview failed; the report of its events says why"

.DEFAULT_GOAL := help
.PHONY: help demo up preview pull-request down trace plan test test-live test-pairs bench bench-rules bench-trace check lint format coverage lock tools env stack-file

help: ## this list
	@echo "usage: make TARGET [STACK=local]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-12s %s\n", $$1, $$2}'

demo: ## the path, one request and its trace where Docker answers, otherwise the plan
	@if docker info >/dev/null 2>&1; then \
	  echo "demo: Docker answers, so the path is built (make up), and a request sent along it and followed (hops trace)"; \
	  $(MAKE) --no-print-directory up && \
	  request=$$(pulumi stack output curl --stack "$(STACK)") && \
	  echo "$$request" && sh -c "$$request" && \
	  "$(HOPS)" trace "$(STACK)"; \
	else \
	  echo "demo: no Docker answers here, so the plan is shown (hops plan) and nothing is built"; \
	  $(MAKE) --no-print-directory plan; \
	fi

up: stack-file tools | $(STATE) ## builds or mends the stack
	pulumi stack select --create "$(STACK)"
	pulumi up --yes --stack "$(STACK)" --policy-pack policy

preview: stack-file $(READY) | $(STATE) ## what an up would do
	@"$(HOPS)" tools pulumi kind
	pulumi stack select --create "$(STACK)"
	pulumi preview --stack "$(STACK)" --policy-pack policy

pull-request: stack-file $(READY) | $(STATE) ## previews the stack here and where the branch left BASE, for hops report
	@"$(HOPS)" tools pulumi kind
	@rm -rf "$(PULL_REQUEST)" "$(BEFORE)" && mkdir -p "$(PULL_REQUEST)/components" "$(PULL_REQUEST)/stacks" "$(BEFORE)"
	@cp components/*.py "$(PULL_REQUEST)/components"
	@cp "stacks/Pulumi.$(STACK).yaml" stacks/build.py "$(PULL_REQUEST)/stacks"
	git archive "$$(git merge-base "$(BASE)" HEAD)" | tar -x -C "$(BEFORE)"
	@if cmp -s requirements.txt "$(BEFORE)/requirements.txt"; then ln -s "$(CURDIR)/$(VENV)" "$(BEFORE)/$(VENV)"; \
	else $(MAKE) --no-print-directory -C "$(BEFORE)" "$(READY)"; fi
	pulumi stack select --create "$(STACK)"
	$(EVENTS) > "$(PULL_REQUEST)/head.jsonl" || $(FAILED)
	$(EVENTS) --cwd "$(BEFORE)" > "$(PULL_REQUEST)/base.jsonl" || $(FAILED)

down: tools | $(STATE) ## removes the stack's cluster and all in it
	pulumi destroy --yes --stack "$(STACK)"

trace: stack-file $(READY) ## follows a request: the first broken hop, why, and what mends it
	@"$(HOPS)" trace "$(STACK)"

plan: stack-file $(READY) ## the stack's hops, without engine, cluster or network
	@"$(HOPS)" plan "$(STACK)" || test $$? -eq 1 # 1: something is left out, and said so

test: $(READY_DEV) ## every test that needs no cluster
	@"$(HOPS)" tools pulumi kind || echo "test: the tests that need them are skipped"
	@"$(PYTHON)" -m pytest -m "not live"; status=$$?; \
	echo "test: the live tests are left out; to run them too: make test-live (needs Docker)"; exit $$status

test-live: tools $(READY_DEV) ## the tests in a real cluster, every fault of the path among them (needs Docker)
	"$(PYTHON)" -m pytest tests/live -m "not pairs"

test-pairs: tools $(READY_DEV) ## a hundred pairs of faults, put into a path at once (needs Docker)
	"$(PYTHON)" -m pytest tests/live -m pairs

bench: tools ## the speed of up, preview and down (needs Docker)
	"$(PYTHON)" bench/run.py

bench-rules: tools ## the speed of the rules, of hops check and of the pack
	"$(PYTHON)" -m bench.rules

bench-trace: $(READY) ## the speed of hops trace, and what --watch costs a running stack
	"$(PYTHON)" bench/trace.py "$(STACK)"

check: lint ## format, lint, types, import rules, tests
	"$(PYTHON)" -m pytest -m "not live"

lint: $(READY_DEV) ## the same without the tests
	"$(VENV)/bin/ruff" format --check .
	"$(VENV)/bin/ruff" check .
	"$(VENV)/bin/mypy" .
	"$(VENV)/bin/lint-imports"

format: $(READY_DEV) ## formats the code, and mends what the linter can
	"$(VENV)/bin/ruff" check --fix-only --quiet .
	"$(VENV)/bin/ruff" format .

coverage: $(READY_DEV) ## the tests that need no cluster, and which lines and branches they run
	"$(PYTHON)" -m pytest -m "not live" --cov

lock: $(READY_DEV) ## remakes requirements*.txt; keeps each version that fits, but those that UPGRADE="NAME..." names
	$(LOCK) --output-file requirements.txt
	$(LOCK) --group development --constraint requirements.txt --output-file requirements-dev.txt \
	  $$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.txt)

tools: $(READY) ## finds pulumi, kind and docker, or fetches the first two
	@"$(HOPS)" tools

env: | $(STATE) ## prints what plain pulumi needs; in your shell: eval "$(make -s env)"
	@export -p | grep -E '^[a-z -]* (PATH|PULUMI_BACKEND_URL|PULUMI_SKIP_UPDATE_CHECK)='
ifeq ($(PULUMI_CONFIG_PASSPHRASE_FILE),)
	@echo 'export PULUMI_CONFIG_PASSPHRASE="$${PULUMI_CONFIG_PASSPHRASE-}"' # never the phrase itself
endif

stack-file:
	@test -f "stacks/Pulumi.$(STACK).yaml" || \
	{ echo "make: there is no stacks/Pulumi.$(STACK).yaml; make it with: $(HOPS) stack new $(STACK)" >&2; exit 2; }

$(STATE):
	@mkdir -p "$@"

$(READY): requirements.txt pyproject.toml
	@PATH="$(OTHER_PATH)"; python=; for name in $(PYTHON3); do \
	  if "$$name" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$name; break; \
	  fi; \
	done; \
	if test -z "$$python"; then \
	  echo "make: no Python 3.11 or later with venv is on PATH; install it (Debian, Ubuntu: apt install python3-venv)," \
	    "or name it: make PYTHON3=/its/path" >&2; exit 2; \
	fi; \
	echo "make: $(VENV) is filled by $$python (about a minute, and again only when requirements change)"; \
	{ test "$$python" = "$(PYTHON)" || "$$python" -m venv --clear "$(VENV)"; } && \
	$(INSTALL) --require-hashes -r requirements.txt && \
	$(INSTALL) --no-deps --no-build-isolation -e . && \
	touch "$@"

# Both files are named, so that pip holds the two together.
$(READY_DEV): requirements-dev.txt $(READY)
	@echo "make: $(VENV) gets what the tests and linters need"
	@$(INSTALL) --require-hashes -r requirements.txt -r requirements-dev.txt && touch "$@"
