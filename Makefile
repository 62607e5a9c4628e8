VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
export NOWCAST_RADAR_DIR ?= $(abspath ../shared/radar)
export PREFECT_SERVER_ANALYTICS_ENABLED = false
export DO_NOT_TRACK = 1
export RAY_USAGE_STATS_ENABLED = 0

.PHONY: help install demo test check slow peer clean
help:
	@echo "make demo   install, then replay a radar event through the whole system"
	@echo "make test   install, then run the tests"
	@echo "make check  lint and types; make slow: slow tests; make peer: install pysteps to compare with"

$(VENV)/.installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q -c requirements.lock torch==2.13.0
	$(VENV)/bin/pip install -q -c requirements.lock -e '.[dev]'
	touch $@

install: $(VENV)/.installed

demo: install
	$(VENV)/bin/nowcast demo

test: install
	$(VENV)/bin/python -m pytest -q -m "not slow and not gpu"

slow: install
	$(VENV)/bin/python -m pytest -q -m slow

check: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy nowcast flows

peer: install
	$(VENV)/bin/pip install -c requirements.lock cython pysteps==1.21.5 opencv-python-headless

clean:
	rm -rf $(VENV) out .pytest_cache .mypy_cache .ruff_cache
