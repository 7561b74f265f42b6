# The words of this project. Each does its own set-up; a second run starts in seconds.
SHELL := /bin/bash
VENV  := .venv
PY    := $(VENV)/bin/python
READY := $(VENV)/.ready

.PHONY: help demo mitm test check fix types unit bench fuzz golden clean
.DEFAULT_GOAL := help

help:           ## show these words
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## a demo site with real-world trackers, the gate in front of it, and a table of what it removed
	@$(VENV)/bin/optout-gate demo $(ARGS)

mitm: .venv-mitmproxy/.ready ## mitmweb before a site with the gate in it: make mitm ARGS=http://127.0.0.1:8000
	@.venv-mitmproxy/bin/optout-gate mitm $(ARGS)

test: $(READY)  ## lint, types and every test
	@scripts/debian-packages
	$(MAKE) --no-print-directory check types
	$(PY) -m pytest -n 2 $(ARGS)

unit: $(READY)  ## the tests that need nothing but Python
	$(PY) -m pytest -n 2 tests/unit tests/golden tests/property tests/conformance $(ARGS)

check: $(READY) ## lint and format, changing nothing
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(READY) ## mypy --strict
	$(VENV)/bin/mypy

fix: $(READY)   ## lint and format, mending what can be mended
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

fuzz: $(READY)  ## generated requests and pages for as long as you like: make fuzz ARGS="page --seconds 600"
	@$(PY) -m pip install --quiet atheris || echo "no atheris for this Python: the same targets without guidance" >&2
	$(PY) fuzz/fuzz.py $(ARGS)

golden: $(READY) ## write the expected pages of tests/golden anew; read the difference before you commit it
	$(PY) -m pytest tests/golden --regenerate

bench: $(READY) .venv-mitmproxy/.ready ## requests per second beside nginx and mitmproxy, in one run, as ratios
	@scripts/debian-packages bench
	$(PY) bench/run.py $(ARGS)

clean:          ## forget the virtual environments
	rm -rf .venv .venv-mitmproxy .cache

.venv-mitmproxy/.ready: pyproject.toml scripts/setup-mitmproxy | $(READY)
	@scripts/setup-mitmproxy .venv-mitmproxy

$(READY): pyproject.toml scripts/setup
	@scripts/setup $(VENV)
	@touch $@
