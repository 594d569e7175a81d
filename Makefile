# Each target sets up what it needs (a .venv with pinned packages, compilers) and says what it installs.
PYTHON ?=
RUN := .venv/bin/python
.PHONY: demo demo-control demo-python demo-forging test lint bench bench-verify conformance hostile setup

demo: setup            ## the main job: build a small base, then improve it with gcc as its teacher
	$(RUN) -m haloforge.raft

demo-control: setup    ## the same with samples drawn uniformly, unverified, as many as runs/demo kept
	$(RUN) -m haloforge.raft --config demo.yaml --output runs/demo-control \
		--set raft.selection=uniform --set raft.control_of=runs/demo

demo-python: setup     ## the demo in Python: functions, judged by asserts that run in another box than they
	$(RUN) -m haloforge.raft --config demo_python.yaml

demo-forging: setup    ## what a checker that can be forged breeds, and one that cannot: two runs and their curves
	$(RUN) -m haloforge.raft --config demo_forging.yaml
	$(RUN) -m haloforge.raft --config demo_forging.yaml --output runs/forging-asserts --set verifier.type=asserts
	$(RUN) -m examples.forging_curves runs/forging-exit-status runs/forging-asserts docs/forging.svg

test: setup            ## all tests; those of languages whose compilers cannot be installed here are skipped
	-@toolbox/install-tools.sh --languages
	$(RUN) -m pytest $(PYTEST_ARGS)

lint: setup            ## ruff and mypy over the whole tree
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench: setup           ## generator, overlap, swap, trainer and sandbox
	$(RUN) -m benchmarks

conformance: setup     ## every program of the sets in HALOFORGE_TEST_DATA gets the verdict that its set names
	toolbox/install-tools.sh --languages
	$(RUN) -m tests.conformance

hostile: setup         ## every attack of tests/hostile, at each level of the sandbox, as root and as an ordinary user
	HALOFORGE_EVERY_ATTACK=1 $(RUN) -m pytest tests/test_hostile.py tests/test_sandbox_calls.py

bench-verify: setup    ## verification: CPU time and samples per second beside the bare compiler and the usual ways
	$(RUN) -m benchmarks.bench_verify

setup:
	@toolbox/install-tools.sh
	@PYTHON="$(PYTHON)" toolbox/setup-venv.sh
