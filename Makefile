VENV ?= $(or $(NOWCAST_VENV),.venv)
PYTHON ?= $(shell command -v python3.11 || command -v python3)
NOWCAST_RADAR_DIR ?= ../shared/radar
override NOWCAST_RADAR_DIR := $(abspath $(NOWCAST_RADAR_DIR))
export NOWCAST_RADAR_DIR
export PREFECT_SERVER_ANALYTICS_ENABLED = false
export DO_NOT_TRACK = 1
export RAY_USAGE_STATS_ENABLED = 0

.PHONY: help install demo test check validate slow peer bench clean node histories faults crash fuzz
help:
	@echo "make demo   install, then replay a radar event through the whole system"
	@echo "make test   install, then run the tests"
	@echo "make check  lint, types, known vulnerabilities, SBOM; make slow: slow tests; make peer: install pysteps to compare with"

$(VENV)/.installed: pyproject.toml requirements.lock
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q -c requirements.lock torch==2.13.0
	$(VENV)/bin/pip install -q -c requirements.lock -e '.[dev]'
	touch $@

install: $(VENV)/.installed

# Clients in JavaScript that some tests read the service with; those are skipped without npm or a network.
node: tests/node/node_modules

tests/node/node_modules: tests/node/package-lock.json
	-command -v npm >/dev/null && cd tests/node && npm ci --silent --no-audit --no-fund

demo: install
	$(VENV)/bin/nowcast demo

test: install check node
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n 2 --dist loadgroup -m "not slow and not gpu"

slow: install
	$(VENV)/bin/python -m pytest -q -m slow

# 2,000 histories of whatever can happen; counts and failing seeds in reports/histories.json.
histories: install
	PYTHONPATH=.:tests OMP_NUM_THREADS=1 $(VENV)/bin/python tests/stateful/run.py

check: install validate
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy nowcast flows
	$(VENV)/bin/python infra/supply_chain.py requirements.lock reports/sbom.json

# Container, compose, Ray and Kubernetes files against the schemas of those who read them.
validate: install
	$(VENV)/bin/python infra/validate.py

peer: install
	$(VENV)/bin/pip install -c requirements.lock -r requirements-peer.txt

# Everything that is measured, beside its peers; writes benchmarks/results.json and benchmarks/RESULTS.md.
bench: peer
	PYTHONPATH=. $(VENV)/bin/python benchmarks/run.py

# Some 10^5 damaged files through the decoders; writes reports/fuzz.json and the table in docs/guarantees.md.
fuzz: install
	OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore $(VENV)/bin/python -m fuzz
	$(VENV)/bin/python -m fuzz --table
# Faults of feeds, put into replays of real scans; writes reports/faults.json and the table in docs/guarantees.md.
faults: install
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m faults

# Kills at every named place and at random; writes reports/crash.json and the table in docs/guarantees.md.
crash: install
	OMP_NUM_THREADS=1 PYTHONPATH=.:tests $(VENV)/bin/python -m crash.campaign

clean:
	rm -rf .pytest_cache .mypy_cache .ruff_cache
