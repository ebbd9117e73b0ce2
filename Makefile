# One tool for every task. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_IN = $(1)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-input
# The lock files are complete, so nothing is resolved here: a resolver would look past a pin at a release of today.
LOCKED_IN = $(PIP_IN) --no-deps --require-hashes --only-binary :all:
PIP := $(call PIP_IN,$(VENV))
LOCKED := $(call LOCKED_IN,$(VENV))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help .venv demo test check compat proofs faults soak full crash-points strace order-flows properties mutation same-bytes real-time image figures coverage bench lock clean

help:  ## list the tasks
	@awk -F ':.*## ' '/^[.a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv: $(VENV)/.runtime  ## make the environment at the root

# The stamps are written last, so that an interrupted installation is taken up again.
$(VENV)/.runtime: requirements.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "alvh needs Python 3.11 or newer, but '$(PYTHON)' is" \
	    "$$($(PYTHON) --version 2>/dev/null || echo 'not there'). Try: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "The environment could not be made. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the pinned packages into $(VENV) ..."
	@$(LOCKED) -r requirements.lock -r requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "Installing the pinned test packages into $(VENV) ..."
	@$(LOCKED) -r requirements-dev.lock
	@touch $@

# Environments beside the project's: the two client libraries overwrite each other's event package. The official
# client's has the gateway's protocol and no daemon, so no command either.
$(VENV)-%/.ready: requirements-%.lock requirements-build.lock pyproject.toml
	@$(PYTHON) -m venv $(VENV)-$*
	@echo "Installing the pinned packages into $(VENV)-$* ..."
	@$(call LOCKED_IN,$(VENV)-$*) -r $< -r requirements-build.lock
	@$(call PIP_IN,$(VENV)-$*) --no-deps --no-build-isolation --editable .
	@$(if $(filter ibapi,$*),rm -f $(VENV)-$*/bin/alvh)
	@touch $@

demo: $(VENV)/.runtime  ## a paper account in a box: a real-time session, then several days
	@$(BIN)/alvh demo

# A client's cases build on one another, so one process runs them in their order.
test: $(VENV)/.dev  ## all tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q --ignore tests/compat
	@$(BIN)/python -m pytest -q tests/compat

check: $(VENV)/.dev  ## what the project's checks run: style, types, imports, tests, other clients
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@set -eu; tests=$$(sed -n '/<!-- tests -->/,/<!-- \/tests -->/s/^\(make [a-z]*\)$$/\1/p' README.md); \
	  test -n "$$tests" || { echo "README.md names no test command" >&2; exit 1; }; \
	  echo "$$tests"; $(MAKE) --no-print-directory $${tests#make }
	@$(MAKE) --no-print-directory compat
	@$(MAKE) --no-print-directory faults

# The first ignores one warning: importing the predecessor asks for an event loop where none runs.
compat: $(VENV)/.runtime $(VENV)-insync/.ready $(VENV)-ibapi/.ready  ## the gateway with ib_insync and the official client, the daemon on ib_insync
	$(VENV)-insync/bin/python -m pytest -q -W 'ignore:There is no current event loop:DeprecationWarning' \
	  tests/bot/broker tests/compat
	$(VENV)-ibapi/bin/python -m pytest -q tests/compat/test_conformance.py tests/compat/test_examples.py

proofs: $(VENV)/.dev  ## write docs/clients.md, what is proved with which client, from the conformance suite
	@$(BIN)/python -m tests.compat.proofs

SEEDS ?= 300
FIRST ?= 0
faults: $(VENV)/.dev  ## the whole daemon under seeded faults in virtual time (SEEDS=300 FIRST=0)
	$(BIN)/python -m tests.scenarios.faults --seeds $(SEEDS) --first $(FIRST) $(if $(RECORD),--record)

# 252 sessions a year.
soak: $(VENV)/.dev  ## ten simulated years of sessions under faults
	$(BIN)/python -m tests.scenarios.faults --seeds 2520 --first 1000000

# `make check` has run the first 300 of the thousand seeds. What lasts longer runs two at a time; the benchmarks
# come last, on a machine that does nothing else.
FULL := crash-points strace order-flows properties coverage mutation same-bytes real-time image
full: check  ## everything: check, 1,000 fault seeds, every crash point, struck syncs, more cases, coverage, mutation, same bytes, real time, the image, benchmarks
	@$(MAKE) --no-print-directory faults SEEDS=700 FIRST=300
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(FULL)
	@$(MAKE) --no-print-directory bench

# The tests that one of these variables widens; `make check` has run all the others.
WIDER := ALVH_KILL_TURNS=5 ALVH_STRACE_SYNCS=6 ALVH_CRASH_STRIDE=1 ALVH_PLANTED=all ALVH_DAYS=30 ALVH_TWICE=50 ALVH_CONDOR_PATHS=40
WIDENED = $(shell grep -rlE '$(shell echo '$(WIDER)' | sed 's/=[^ ]*//g; s/ /|/g')' --include 'test_*.py' tests)

crash-points: $(VENV)/.dev  ## every crash point, more kills, every planted bug, all of the real days
	@$(WIDER) $(BIN)/python -m pytest -n 2 --dist worksteal -q $(WIDENED)

strace: $(VENV)/.dev  ## syncs killed or failed in the midst of trading, on the real file system
	@ALVH_STRACE=all $(BIN)/python -m pytest -n 2 --dist worksteal -q -rPs tests/scenarios/test_strace_scenes.py

properties: $(VENV)/.dev  ## five times as many cases of every property
	@ALVH_EXAMPLES=5 $(BIN)/python -m pytest -n 2 -q -m hypothesis --ignore tests/scenarios --ignore tests/compat

order-flows: $(VENV)/.dev  ## 2,000 generated order flows through the engine
	@ALVH_ORDER_FLOWS=2000 $(BIN)/python -m pytest -q tests/bot/engine/test_order_flow.py

mutation: $(VENV)/.dev  ## small errors in risk and the order path, which the tests have to notice
	$(BIN)/python -m tests.mutation

same-bytes: $(VENV)/.dev  ## the same journal under another order of hashes and on a lesser processor
	.ci/same_bytes

REAL_TIME_S ?= 600
real-time: $(VENV)/.dev  ## ten minutes of real time over loopback TCP (REAL_TIME_S=600)
	@ALVH_REAL_TIME_S=$(REAL_TIME_S) $(BIN)/python -m pytest -q tests/scenarios/test_real_time.py

image: $(VENV)/.runtime  ## the container image, built and tried where buildah is installed
	.ci/image

figures: $(VENV)/.dev  ## what is promised about trouble, measured on real processes
	@$(BIN)/python -m benchmarks.figures

# What decides, what may be decided and what remembers it: the rooms whose every branch a test should take.
CORE := market/*,strategies/*,risk/*,bot/engine/*,bot/journal/*,bot/broker/reconciliation.py
CORE_MIN := 100
ALL_MIN := 97

# Of the scenarios those two, in which a daemon, its gateway and its watchdog run as processes of their own.
COVERED := $(filter-out tests/compat tests/conftest.py tests/scenarios,$(wildcard tests/[a-z]*)) \
  tests/scenarios/test_halt.py tests/scenarios/test_embedded.py

coverage: $(VENV)/.dev  ## branch coverage, commands in their own processes included; fails below the least that is promised
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q --cov --cov-report= $(COVERED)
	@echo "== the core, at least $(CORE_MIN) %"
	@$(BIN)/python -m coverage report --skip-covered --show-missing --precision 1 --include '$(CORE)' --fail-under $(CORE_MIN)
	@echo "== everything, at least $(ALL_MIN) %"
	@$(BIN)/python -m coverage report --skip-covered --precision 1 --fail-under $(ALL_MIN)

bench: $(VENV)/.dev  ## the benchmarks, each printing its figures
	@set -e; for file in $$(grep -l __main__ benchmarks/*.py); do \
	  name=$$(basename "$$file" .py); echo "== $$name"; $(BIN)/python -m "benchmarks.$$name"; done

UV_COMPILE = uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --fork-strategy fewest \
  --no-emit-index-url --no-emit-find-links --no-annotate --no-header --no-config --quiet
UV_GROUP = $(subst pyproject.toml,,$(UV_COMPILE)) --group

lock:  ## renew the lock files (needs uv)
	@set -eu; write() { { printf '# %s\n' "$$2" \
	    'Every file is pinned by its hashes; `make lock` writes this file anew from pyproject.toml.'; cat; } > "$$1"; }; \
	  $(UV_COMPILE) | write requirements.lock 'What the daemon needs at run time.'; \
	  $(UV_COMPILE) --extra mqtt --extra research --group dev -c requirements.lock \
	    | write requirements-dev.lock 'Run time plus what the tests and checks need.'; \
	  $(UV_GROUP) build -c requirements-dev.lock \
	    | write requirements-build.lock 'What builds and installs the project itself.'; \
	  $(UV_GROUP) insync -c requirements-dev.lock \
	    | write requirements-insync.lock 'The daemon on the predecessor of the client library: compatibility tests only.'; \
	  $(UV_GROUP) ibapi -c requirements-dev.lock \
	    | write requirements-ibapi.lock 'The official client of the broker, as a client of the gateway: compatibility tests only.'

clean:  ## remove everything that can be made again
	rm -rf $(VENV) $(VENV)-insync $(VENV)-ibapi build dist htmlcov .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
