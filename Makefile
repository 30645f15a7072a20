# For GNU make 3.81 and later. 3.81, which macOS has, minds the PATH below only where a recipe needs a shell: the quotes
# around every argument see to that.

STACK ?= local
VENV := .venv
PYTHON := $(VENV)/bin/python
HOPS := $(VENV)/bin/hops
READY := $(VENV)/.ready
STATE := .ingress-hops/state
BASE ?= origin/main
BEFORE := .ingress-hops/base
PULL_REQUEST := .ingress-hops/pull-request
# The first of these that is new enough fills the environment; its own Python comes first, so that it stays what it is.
PYTHON3 ?= $(PYTHON) python3 python3.13 python3.12 python3.11
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
SUMMARY = "$(HOPS)" report --format summary

.DEFAULT_GOAL := help
.PHONY: help demo up preview pull-request down trace plan test test-live test-pairs bench bench-rules bench-trace check lint tools env stack-file

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
	$(EVENTS) > "$(PULL_REQUEST)/head.jsonl" || true
	$(EVENTS) --cwd "$(BEFORE)" > "$(PULL_REQUEST)/base.jsonl" || true
	@printf 'make: the base: '; $(SUMMARY) "$(PULL_REQUEST)/base.jsonl" || true
	@printf 'make: the branch: '; $(SUMMARY) "$(PULL_REQUEST)/head.jsonl" || true

down: tools | $(STATE) ## removes the stack's cluster and all in it
	pulumi destroy --yes --stack "$(STACK)"
	@echo "make: $(STACK) is down; to remove it from the backend too: $(HOPS) stack rm $(STACK) (it keeps a committed file)"

trace: stack-file $(READY) ## follows a request: the first broken hop, why, and what mends it
	@"$(HOPS)" trace "$(STACK)"

plan: stack-file $(READY) ## the stack's hops, without engine, cluster or network
	@"$(HOPS)" plan "$(STACK)" || test $$? -eq 1 # 1: something is left out, and said so

test: $(READY) ## every test that needs no cluster
	@"$(HOPS)" tools pulumi kind || echo "test: the tests that need them are skipped"
	@"$(PYTHON)" -m pytest -m "not live"; status=$$?; \
	echo "test: the live tests are left out; to run them too: make test-live (needs Docker)"; exit $$status

test-live: tools ## the tests in a real cluster, every fault of the path among them (needs Docker)
	"$(PYTHON)" -m pytest tests/live -m "not pairs"

test-pairs: tools ## a hundred pairs of faults, put into a path at once (needs Docker)
	"$(PYTHON)" -m pytest tests/live -m pairs

bench: tools ## the speed of up, preview and down (needs Docker)
	"$(PYTHON)" bench/run.py

bench-rules: tools ## the speed of the rules, of hops check and of the pack
	"$(PYTHON)" -m bench.rules

bench-trace: $(READY) ## the speed of hops trace, and what --watch costs a running stack
	"$(PYTHON)" bench/trace.py "$(STACK)"

check: lint ## format, lint, types, import rules, tests
	"$(PYTHON)" -m pytest -m "not live"

lint: $(READY) ## the same without the tests
	"$(VENV)/bin/ruff" format --check .
	"$(VENV)/bin/ruff" check .
	"$(VENV)/bin/mypy" .
	"$(VENV)/bin/lint-imports"

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
	"$(PYTHON)" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt && \
	"$(PYTHON)" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . && \
	touch "$@"
