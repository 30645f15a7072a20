# Works with GNU make 3.81, the version in macOS, and later. make 3.81 applies the PATH below only to recipes that run in
# a shell; a quoted argument makes it use one.

STACK ?= local
VENV := .venv
PYTHON := $(VENV)/bin/python
HOPS := $(VENV)/bin/hops
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
BASE ?= origin/main
BEFORE := .ingress-hops/base
PULL_REQUEST := .ingress-hops/pull-request
# The first interpreter of this list that is new enough creates .venv. The Python of an existing .venv comes first, so
# that .venv keeps its version.
PYTHON3 ?= $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11
TOOLS_PATH := $(CURDIR)/.tools/bin:$(CURDIR)/$(VENV)/bin
OTHER_PATH := $(subst $(TOOLS_PATH):,,$(PATH))

export PATH := $(TOOLS_PATH):$(OTHER_PATH)

# A command starts several Python programs. Without bytecode each compiles the project's modules anew, which doubles the
# time of its start.
unexport PYTHONDONTWRITEBYTECODE

# Backend, passphrase and Pulumi's home come from hops/cli/programs/environment.py alone.
WITH_PULUMI = environment=$$("$(HOPS)" env "$(STACK)") && eval "$$environment" &&

# REPLACE=1 and VERBOSE=1; any other value, and 0, say no.
REPLACE ?=
VERBOSE ?=
OPTIONS = $(if $(filter 1,$(VERBOSE)),--verbose)

# loadscope: the tests of one file run one after the other, and share what the file's fixtures make.
PYTEST = "$(PYTHON)" -m pytest -m "not live" --numprocesses auto --dist loadscope --no-loadscope-reorder
EVENTS = PULUMI_ENABLE_STREAMING_JSON_PREVIEW=true pulumi preview --json --non-interactive \
  --stack "$(STACK)" --policy-pack policy
SUMMARY = "$(HOPS)" report --format summary
INSTALL = "$(PYTHON)" -m pip install --quiet --disable-pip-version-check
LOCK = "$(VENV)/bin/uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url --extra pulumi --group build $(UPGRADE:%=--upgrade-package %)

.DEFAULT_GOAL := help
.PHONY: help demo up preview pull-request down trace plan test test-live test-pairs bench bench-dev bench-images bench-load bench-rules bench-scale bench-trace check lint format coverage lock audit lowest tools env stack-file

help: ## this list
	@echo "usage: make TARGET [STACK=local] [VERBOSE=1: everything] [REPLACE=1: up may rebuild a cluster]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-12s %s\n", $$1, $$2}'

demo: ## the path, one request and its trace where Docker answers, otherwise the plan
	@if docker info >/dev/null 2>&1; then \
	  echo "demo: Docker answers, so the path is built (make up), and a request sent along it and followed (hops trace)"; \
	  $(MAKE) --no-print-directory up && $(WITH_PULUMI) \
	  request=$$(pulumi stack output curl --stack "$(STACK)") && echo "$$request" && \
	  answer=$$(sh -c "$$request --silent --show-error --include") && \
	  echo "$$answer" | sed -n -e '/^.$$/d' -e '/^HTTP/p' -e '/^[Ss]erver:/p' -e '/^</p' | sed -n '1,5s/^/  /p' && \
	  "$(HOPS)" trace "$(STACK)" --short; \
	else \
	  echo "demo: no Docker answers here, so the plan is shown (hops plan) and nothing is built"; \
	  $(MAKE) --no-print-directory plan; \
	fi

up: stack-file $(READY) ## builds the stack, or repairs it; REPLACE=1 lets it rebuild a running cluster
	@"$(HOPS)" up "$(STACK)" $(OPTIONS) $(if $(filter 1,$(REPLACE)),--replace)

preview: stack-file $(READY) ## what an up would do
	@"$(HOPS)" preview "$(STACK)" $(OPTIONS)

pull-request: stack-file $(READY) ## previews the stack here and where the branch left BASE, for hops report
	@"$(HOPS)" tools pulumi kind
	@rm -rf "$(PULL_REQUEST)" "$(BEFORE)" && mkdir -p "$(PULL_REQUEST)/components" "$(PULL_REQUEST)/stacks" "$(BEFORE)"
	@cp components/*.py "$(PULL_REQUEST)/components"
	@cp "stacks/Pulumi.$(STACK).yaml" stacks/build.py "$(PULL_REQUEST)/stacks"
	git archive "$$(git merge-base "$(BASE)" HEAD)" | tar -x -C "$(BEFORE)"
	@if cmp -s requirements.txt "$(BEFORE)/requirements.txt"; then ln -s "$(CURDIR)/$(VENV)" "$(BEFORE)/$(VENV)"; \
	else $(MAKE) --no-print-directory -C "$(BEFORE)" "$(READY)"; fi
	@$(WITH_PULUMI) pulumi stack select --create "$(STACK)"
	@$(WITH_PULUMI) $(EVENTS) > "$(PULL_REQUEST)/head.jsonl" || true
	@$(WITH_PULUMI) $(EVENTS) --cwd "$(BEFORE)" > "$(PULL_REQUEST)/base.jsonl" || true
	@printf 'make: the base: '; $(SUMMARY) "$(PULL_REQUEST)/base.jsonl" || true
	@printf 'make: the branch: '; $(SUMMARY) "$(PULL_REQUEST)/head.jsonl" || true

down: $(READY) ## removes the stack's cluster and all in it
	@"$(HOPS)" down "$(STACK)" $(OPTIONS)

trace: stack-file $(READY) ## follows a request: the first broken hop, why, and what mends it
	@"$(HOPS)" trace "$(STACK)" $(OPTIONS)

plan: stack-file $(READY) ## the stack's hops, without engine, cluster or network
	@"$(HOPS)" plan "$(STACK)" || test $$? -eq 1 # 1: something is left out, and said so

test: $(READY_DEV) ## every test that needs no cluster
	@"$(HOPS)" tools pulumi kind || echo "test: the tests that need them are skipped"
	@$(WITH_PULUMI) $(PYTEST) --durations 20; status=$$?; \
	echo "test: the live tests are left out; to run them too: make test-live (needs Docker)"; exit $$status

test-live: tools $(READY_DEV) ## the tests in a real cluster, every fault of the path among them (needs Docker)
	@$(WITH_PULUMI) "$(PYTHON)" -m pytest tests/live -m "not pairs"

test-pairs: tools $(READY_DEV) ## 110 pairs of faults, put into a path at once (needs Docker)
	@$(WITH_PULUMI) "$(PYTHON)" -m pytest tests/live -m pairs

bench: tools ## the speed of up, preview and down (needs Docker)
	@$(WITH_PULUMI) "$(PYTHON)" -m bench.run

bench-dev: tools ## the seconds from a save to the answer in hops dev, and their parts (needs Docker)
	@$(WITH_PULUMI) "$(PYTHON)" -m bench.dev

bench-images: tools ## the seconds that three ways take to bring a changed image into a node (needs Docker)
	@$(WITH_PULUMI) "$(PYTHON)" -m bench.images

bench-scale: tools ## plan, preview and check of stacks with 1, 50 and 500 services
	@$(WITH_PULUMI) "$(PYTHON)" -m bench.scale

bench-rules: tools ## the speed of the rules, of hops check and of the pack
	@$(WITH_PULUMI) "$(PYTHON)" -m bench.rules

bench-trace: $(READY) ## the speed of hops trace, and what --watch costs a running stack
	@$(WITH_PULUMI) "$(PYTHON)" -m bench.trace "$(STACK)"

bench-load: $(READY) ## requests under load and during rolling updates: failures, times, Envoy's counters
	@$(WITH_PULUMI) "$(PYTHON)" -m bench.load "$(STACK)"

check: lint ## format, lint, types, import rules, tests
	@$(WITH_PULUMI) $(PYTEST)

lint: $(READY_DEV) ## the same without the tests
	"$(VENV)/bin/ruff" format --check .
	"$(VENV)/bin/ruff" check .
	"$(VENV)/bin/mypy" .
	"$(VENV)/bin/lint-imports"

format: $(READY_DEV) ## formats the code, and mends what the linter can
	"$(VENV)/bin/ruff" check --fix-only --quiet .
	"$(VENV)/bin/ruff" format .

coverage: $(READY_DEV) ## the tests that need no cluster, and which lines and branches they run
	$(PYTEST) --cov

lock: $(READY_DEV) ## remakes requirements*.txt; keeps each version that fits, but those that UPGRADE="NAME..." names
	$(LOCK) --output-file requirements.txt
	$(LOCK) --group development --constraint requirements.txt --output-file requirements-dev.txt \
	  $$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.txt)

# uv audits and describes a script's dependencies, so the locked versions are written as those of a script without code.
AUDITED := .ingress-hops/audit.py
audit: $(READY_DEV) ## known weaknesses of the locked packages, and their bill of materials (.ingress-hops/sbom.json)
	@mkdir -p .ingress-hops && { echo '# /// script'; echo '# requires-python = ">=3.11"'; echo '# dependencies = ['; \
	  sed -n 's/^\([a-z0-9][^\]*==[^\]*[^\ ]\) *\\*$$/#   "\1",/p' requirements.txt requirements-dev.txt; \
	  echo '# ]'; echo '# ///'; } > $(AUDITED)
	"$(VENV)/bin/uv" lock --quiet --script $(AUDITED)
	"$(VENV)/bin/uv" export --quiet --script $(AUDITED) --format cyclonedx1.5 --no-hashes \
	  --preview-features sbom-export --output-file .ingress-hops/sbom.json
	"$(VENV)/bin/uv" audit --preview-features audit --script $(AUDITED)

# Click deprecates what the lowest Typer imports.
LOWEST := .ingress-hops/lowest
lowest: $(READY_DEV) ## the tests with the lowest versions that pyproject.toml allows (needs the network)
	"$(VENV)/bin/uv" venv --quiet --clear --python "$(PYTHON)" $(LOWEST)
	"$(VENV)/bin/uv" pip install --quiet --python $(LOWEST) --resolution lowest-direct --requirement pyproject.toml \
	  --extra pulumi
	"$(VENV)/bin/uv" pip install --quiet --python $(LOWEST) --no-deps --requirement requirements-dev.txt
	$(LOWEST)/bin/python -m pytest -m "not live" --numprocesses auto -W ignore::DeprecationWarning tests/hops \
	  tests/components tests/stacks

tools: $(READY) ## finds pulumi, kind and docker, or fetches the first two
	@"$(HOPS)" tools

env: $(READY) ## prints what plain pulumi and kubectl need; in your shell: eval "$(make -s env)"
	@"$(HOPS)" env "$(STACK)"

stack-file:
	@test -f "stacks/Pulumi.$(STACK).yaml" || \
	{ echo "make: there is no stacks/Pulumi.$(STACK).yaml; make it with: $(HOPS) stack new $(STACK)" >&2; exit 2; }

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
	echo "make: $(VENV) is filled by $$python (about a minute, and again only when requirements change)" >&2; \
	{ test "$$python" = "$(PYTHON)" || "$$python" -m venv --clear "$(VENV)"; } && \
	$(INSTALL) --require-hashes -r requirements.txt && \
	$(INSTALL) --no-deps --no-build-isolation -e . && \
	touch "$@"

# Both files are named, so that pip holds the two together.
$(READY_DEV): requirements-dev.txt $(READY)
	@echo "make: $(VENV) gets what the tests and linters need"
	@$(INSTALL) --require-hashes -r requirements.txt -r requirements-dev.txt && touch "$@"
