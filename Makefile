# `make help` lists the targets. Everything lives in .venv; nothing outside the checkout is touched, except system
# packages that a root user of Debian would be told to install (python3-venv, chromium, bubblewrap).

# The first Python on the path that is new enough; `make PYTHON=...` overrides.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && exit; done; echo python3)
PIP_VERSION := 26.3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev
UNFINISHED := $(VENV)/.unfinished
PIP := $(BIN)/python -m pip --disable-pip-version-check
APT := DEBIAN_FRONTEND=noninteractive apt-get

# pip leaves byte-compiling to the first import, which must then be allowed to keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE
# A stamp holds the folder it was made in: an environment that was moved, copied or lost its Python is made again.
ifneq ($(CURDIR),$(shell $(BIN)/python -c 'print(open("$(READY)").read())' 2>/dev/null))
.PHONY: $(READY)
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-dev demo check test bench format lock clean browser sandbox

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo: $(READY) ## set up, then plan New York to Los Angeles by Denver without tolls
	$(BIN)/planner route "Plan a route from New York to Los Angeles that avoids toll roads and includes a stop in Denver."

test: check browser sandbox ## set up, then linters, types and the whole test suite
	$(BIN)/pytest -q

check: $(READY_DEV) ## set up, then linters and types only
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(READY_DEV) ## set up, then print the benchmarks
	$(BIN)/python -m benchmarks

format: $(READY_DEV) ## set up, then format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

setup: $(READY) ## make .venv with what the planner needs

setup-dev: $(READY_DEV) ## make .venv with what development needs as well

# An environment that was left unfinished, or made elsewhere, is thrown away; one that is only out of date is updated.
$(READY): pyproject.toml requirements/run.lock requirements/data.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "The planner needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Name one that is: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		package=python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing $$package"; $(APT) update -qq && $(APT) install -y -qq $$package; \
		else \
			echo "Python's venv module is missing. On Debian: sudo apt-get install $$package" >&2; exit 1; \
		fi; }
	@echo "Setting up $(VENV): 1.7 GB or more, a minute or more"
	@if [ -e $(UNFINISHED) ] || ! $(PIP) --version >/dev/null 2>&1 || \
		{ [ -e $@ ] && [ "$$(cat $@)" != "$(CURDIR)" ]; }; then \
		rm -rf $(VENV) && mkdir $(VENV) && touch $(UNFINISHED) && $(PYTHON) -m venv $(VENV); \
	else touch $(UNFINISHED); fi
	$(PIP) install -qq "pip==$(PIP_VERSION)"
	$(PIP) install -qq --no-compile -r requirements/run.lock
	$(PIP) install -qq --no-compile --no-deps -r requirements/data.lock
	$(PIP) install -qq --no-deps --no-build-isolation -e .
	@rm $(UNFINISHED)
	@printf %s "$(CURDIR)" >$@

$(READY_DEV): $(READY) requirements/dev.lock
	$(PIP) install -qq --no-compile -r requirements/dev.lock
	@touch $@

# The map is looked at in a real browser. Without one its tests are skipped, and say so.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing chromium"; \
			$(APT) update -qq && $(APT) install -y -qq --no-install-recommends chromium chromium-driver >/dev/null; \
		else false; fi; \
	} || echo "No browser: its tests will be skipped. On Debian: sudo apt-get install chromium chromium-driver"

# What nobody has read is run by bubblewrap. Without it Landlock is used where the kernel has it; or nothing is run.
sandbox:
	@command -v bwrap >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "Installing bubblewrap"; \
			$(APT) update -qq && $(APT) install -y -qq --no-install-recommends bubblewrap >/dev/null; \
		else false; fi; \
	} || echo "No bubblewrap: its tests will be skipped. On Debian: sudo apt-get install bubblewrap"

# A fresh environment gets the newest versions that pyproject.toml allows, and is then written down. What torch brings
# for one kind of machine only is left to torch, which pins it itself.
LOCK := build/lock
FREEZE := $(LOCK)/bin/pip freeze --all --exclude pip | sed 's/+.*//' | grep -v -E '^(nvidia-|cuda-|triton)'
lock: ## write requirements/run.lock and dev.lock anew from pyproject.toml
	rm -rf $(LOCK) && $(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/pip install -qq "pip==$(PIP_VERSION)"
	@$(LOCK)/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
		| grep -v -x -F -f requirements/data.lock >$(LOCK)/run.in
	@$(LOCK)/bin/python -c 'import tomllib; [print(*e, sep="\n") for e in tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"].values()]' \
		>$(LOCK)/dev.in
	$(LOCK)/bin/pip install -qq --no-compile setuptools -r $(LOCK)/run.in
	@$(FREEZE) >$(LOCK)/run.txt
	$(LOCK)/bin/pip install -qq --no-compile -c $(LOCK)/run.txt -r $(LOCK)/dev.in
	@$(FREEZE) | grep -v -x -F -f $(LOCK)/run.txt >$(LOCK)/dev.txt
	@for kind in run dev; do \
		{ sed '/^[^#]/d' requirements/$$kind.lock; cat $(LOCK)/$$kind.txt; } >$(LOCK)/$$kind.new && \
		mv $(LOCK)/$$kind.new requirements/$$kind.lock; \
	done
	rm -rf $(LOCK)

clean: ## remove the environment and everything else that was made here
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
