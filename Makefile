# make demo   the main job, end to end, against the embedded demo API      make test   all the tests but the storms
# make setup  only the environment (.venv/bin/puretalk)                    make check  format, lint, types, tests
# make quick  the tests that take less than a minute together              make storm  the long storms
# make test T=tests/sync  one room; also a file, or one test: T=tests/test_docs.py::test_…

SHELL := /bin/sh
BIN := .venv/bin
# The newest installed Python that puretalk supports; PYTHON=… chooses another one.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
UV := $(shell command -v uv 2>/dev/null)
export UV_NO_PROGRESS = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# What is compiled is kept, also where the shell forbids it: pytest would rewrite every test file in each process.
unexport PYTHONDONTWRITEBYTECODE

# What to test: a folder, a file or a test; everything when it is empty. A single test needs no second process.
T ?=
PROCESSES := $(if $(findstring ::,$(T)),0,auto)
# COVERAGE=1 measures the branches that the tests take, and fails when they are fewer than pyproject.toml says.
COVERAGE ?=
PYTEST := $(BIN)/python $(if $(COVERAGE),-m coverage run )-m pytest

.PHONY: help demo test quick coverage storm check bench setup format lint types lock clean
.DEFAULT_GOAL := help

help:
	@head -n 4 Makefile | cut -c3-

demo: .venv/ready
	@$(BIN)/puretalk demo

test: .venv/ready .venv/browser .venv/old-duckdb .venv/postgres .venv/openssl .venv/typescript/ready .venv/lake/ready
	$(if $(COVERAGE),$(BIN)/coverage erase)
	$(PYTEST) -n $(PROCESSES) --dist loadfile --no-loadscope-reorder -m "not storm" $(T)
	$(if $(COVERAGE),$(BIN)/coverage combine --quiet)
	$(if $(COVERAGE),$(BIN)/coverage report $(if $(T),--fail-under=0))

# Less than a minute on two cores. It leaves out the storms, the tests that need a browser or an old DuckDB, and those
# marked `slow`: whole syncs, kills, the command line as a process, repeated builds of all models.
quick: .venv/ready
	$(PYTEST) -n $(PROCESSES) --dist loadfile -m "not (slow or storm or browser)" $(T)

coverage:
	$(MAKE) test COVERAGE=1

# The long storms of changes, faults and kills; CI runs them too.
storm: .venv/ready .venv/postgres .venv/old-duckdb .venv/dbt/ready .venv/clients/ready .venv/superset/ready \
	.venv/mcp-sdk/ready .venv/lake/ready .venv/spark/ready
	$(PYTEST) -n auto --dist load -m storm

# What a sync costs, against what else could do its work: docs/performance.md.
bench: .venv/ready
	PYTHONPATH=tests $(BIN)/python -m benchmarks.sync $(ARGS)

# How much work a sync does, in counts. CI runs it: it fails when a count is larger than allowed.
bench-quick: .venv/ready
	PYTHONPATH=tests $(BIN)/python -m benchmarks.quick

# The other benchmarks: make bench-storm, bench-models, bench-growth, bench-dashboard, bench-throttle, bench-replica,
# bench-pictures (ARGS="…" for each).
bench-%: .venv/ready
	PYTHONPATH=tests $(BIN)/python -m benchmarks.$* $(ARGS)

check: lint types test

setup: .venv/ready
	@echo "ready: $(BIN)/puretalk"

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/sqlfluff lint sql
	$(BIN)/codespell

types: .venv/ready
	$(BIN)/mypy
	$(BIN)/mypy --python-version 3.13

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/sqlfluff fix --quiet sql

# Versions and hashes only: no address of any registry.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
		--no-annotate --no-header --group dev pyproject.toml -o requirements.lock

.venv/ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "puretalk needs Python 3.11, 3.12 or 3.13 on the PATH" >&2; exit 1; }
	@echo "setting up .venv (once) …"
ifneq ($(UV),)
	@$(UV) venv --quiet --clear --seed --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	@$(PYTHON) -m venv --clear .venv 2>/dev/null || { rm -rf .venv; .ci/apt python3-venv && $(PYTHON) -m venv .venv; }
	@$(BIN)/python -m pip install --quiet --compile --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
endif
	@$(BIN)/python -m compileall -q pipelines
	@touch $@

# The browser tests drive Debian's chromium.
.venv/browser: .venv/ready
	@command -v chromium >/dev/null 2>&1 || .ci/apt chromium
	@touch $@

# Debian's openssl, which makes certificates for tests.
.venv/openssl: .venv/ready
	@command -v openssl >/dev/null 2>&1 || .ci/apt openssl
	@touch $@

# The TypeScript compiler, which checks the types in the dashboard's script, where Node is installed.
.venv/typescript/ready: .venv/ready $(wildcard tests/dashboard/typescript/package*.json)
	@rm -rf .venv/typescript && mkdir .venv/typescript
	@if command -v npm >/dev/null 2>&1; then cp tests/dashboard/typescript/package*.json .venv/typescript \
		&& timeout 180 npm ci --prefix .venv/typescript --no-audit --no-fund --loglevel=error --fetch-retries=0 >/dev/null \
		|| { echo "npm installs no TypeScript here: its test is skipped" >&2; rm -rf .venv/typescript/node_modules; }; fi
	@touch $@

# Debian's PostgreSQL, which the tests of replicas start on loopback.
.venv/postgres: .venv/ready
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || .ci/apt postgresql
	@touch $@

# Old DuckDB clients that read published snapshots; each has its own folder.
.venv/old-duckdb: .venv/ready tests/readers/old-duckdb-1.4.lock tests/readers/old-duckdb-1.5.lock
	@for version in 1.4 1.5; do \
		$(BIN)/python -m pip install --quiet --upgrade --require-hashes --no-deps \
			--target .venv/duckdb-$$version -r tests/readers/old-duckdb-$$version.lock || exit 1; done
	@touch $@

# A dbt that builds the exported project. It has an environment of its own: it needs other versions than puretalk.
.venv/dbt/ready: .venv/ready tests/models/dbt.lock
	@$(BIN)/python -m venv --clear .venv/dbt
	@.venv/dbt/bin/python -m pip install --quiet --no-compile --require-hashes --no-deps -r tests/models/dbt.lock
	@touch $@

# What readers use: SQLAlchemy, ibis, polars, ADBC, the duckdb program, and Node's client where node is installed.
CLIENTS := tests/readers/clients
.venv/clients/ready: .venv/ready $(wildcard $(CLIENTS)/*)
	@$(BIN)/python -m venv --clear .venv/clients
	@.venv/clients/bin/python -m pip install --quiet --no-compile --require-hashes --no-deps -r $(CLIENTS)/requirements.lock
	@if command -v npm >/dev/null 2>&1; then mkdir .venv/clients/node \
		&& cp $(CLIENTS)/package.json $(CLIENTS)/package-lock.json $(CLIENTS)/client.mjs .venv/clients/node \
		&& timeout 180 npm install --prefix .venv/clients/node --no-audit --no-fund --loglevel=error --fetch-retries=0 \
		>/dev/null || { echo "npm installs no client here: its test is skipped" >&2; rm -rf .venv/clients/node; }; fi
	@touch $@

# Apache Superset. Its lock is for Python 3.11: it needs pandas 2.1, which has no wheel for 3.13.
.venv/superset/ready: .venv/ready tests/readers/superset.lock
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
		$(BIN)/python -m venv --clear .venv/superset && .venv/superset/bin/python -m pip install --quiet --no-compile \
		--require-hashes --no-deps -r tests/readers/superset.lock; \
		else echo "Superset needs Python 3.11 here: its test is skipped" >&2; mkdir -p .venv/superset; fi
	@touch $@

# The Model Context Protocol's SDK, for `puretalk mcp`. Its lock holds the versions of requirements.lock where both
# name a package: a process that has this folder on its PYTHONPATH has what puretalk[mcp] installs.
.venv/mcp-sdk/ready: .venv/ready tests/model_context/sdk.lock
	@rm -rf .venv/mcp-sdk
	@$(BIN)/python -m pip install --quiet --no-compile --require-hashes --no-deps --target .venv/mcp-sdk \
		-r tests/model_context/sdk.lock
	@touch $@

# deltalake, pyiceberg and polars, for replicas in a lake: larger than all other test packages together, so in a folder
# of their own. Its lock too holds the versions of requirements.lock where both name a package.
.venv/lake/ready: .venv/ready tests/replication/lake.lock
	@rm -rf .venv/lake
	@$(BIN)/python -m pip install --quiet --no-compile --require-hashes --no-deps --target .venv/lake \
		-r tests/replication/lake.lock
	@touch $@

# Apache Spark, which reads lakes and Parquet files, and the Java that it needs. pip builds it from 455 MB of sources,
# most of them jars: about half a minute.
.venv/spark/ready: .venv/ready tests/replication/spark.lock
	@command -v java >/dev/null 2>&1 || .ci/apt default-jre-headless
	@rm -rf .venv/spark
	@$(BIN)/python -m pip install --quiet --no-compile --require-hashes --no-deps --target .venv/spark \
		-r tests/replication/spark.lock
	@touch $@

clean:
	rm -rf .venv data .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache
