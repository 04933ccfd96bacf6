# Everything runs in $(VENV), made by the first target that needs it.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
JOBS ?= 2
# HGQ2 brings a package qkeras of its own, so it stands apart from the QKeras in site-packages.
HGQ2 := $(VENV)/share/trigger_ml/hgq2

# Debian packages that pip cannot bring. Installed when missing, as root, by every target below.
DEBIAN_PACKAGES := g++ make perl iverilog ghdl-mcode libpython3.11 python3-venv
DEBIAN_PROGRAMS := g++ make perl iverilog vvp ghdl

.PHONY: demo test test-browser browser acceptance bench frontier throughput calibration connectivity layers lint system setup setup-test clean

demo: setup ## compile the committed jet tagger, end to end
	$(BIN)/trigger-ml compile models/jet_tagger/model.h5 \
	    --data models/jet_tagger/events.npz --config models/jet_tagger/compile.yaml \
	    --output build/jet_tagger

test: setup-test lint browser ## everything that CI runs
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

# Chromium opens the report's pages in tests. Where it cannot be installed, they are skipped.
browser:
	@PYTHON=$(PYTHON) DEBIAN_PACKAGES=chromium DEBIAN_PROGRAMS=chromium \
	    sh .ci/debian-packages || echo "no browser, so the pages are not opened in one"

test-browser: setup-test browser ## the report's pages in Chromium, which must be there
	TRIGGER_ML_BROWSER=required $(BIN)/python -m pytest tests/report/test_browser.py

acceptance: setup-test ## the slow whole-flow tests
	$(BIN)/python -m pytest -m slow --durations=10

bench: setup-test ## wall times and event rates, as ratios against hls4ml
	$(BIN)/python benchmarks/stages.py

# Labelled events with their sides, of the jets that models/jet_tagger/data_card.json describes:
#   trigger-ml data jets --jets 40000 --output build/jets.h5
#   trigger-ml data events build/jets.h5 --recipe models/jet_tagger/recipe.yaml \
#       --scaling models/jet_tagger/scaling.json --validation 36000 --output build/jets.npz
DATA ?= build/jets.npz
frontier: setup-test ## our frontier against uniform QKeras and hls4ml's optimizer, on DATA
	$(BIN)/python benchmarks/frontier.py --data $(DATA) --output build/frontier

# A build of a network on images, from `trigger-ml compile`.
BUILD ?= build/muon_segmenter
throughput: setup-test ## images per second of Keras, the witnesses and the firmware of BUILD
	$(BIN)/python benchmarks/muon_throughput.py $(BUILD) --output build/throughput

calibration: setup-test ## how wrong the estimates are, against yosys; takes up to an hour, resumes in build/calibration
	$(BIN)/python -m benchmarks.calibration build/calibration --jobs 2

connectivity: setup-test ## LUTs of fixed connections against ones chosen in every event
	$(BIN)/python benchmarks/edge_connectivity.py --output build/connectivity

# Takes up to an hour; what was compiled in build/layers before stays.
layers: setup-test ## every layer of every front end in every witness; writes docs/layers.md
	$(BIN)/python -m tests.layers.table build/layers

lint: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

system:
	@PYTHON=$(PYTHON) DEBIAN_PACKAGES="$(DEBIAN_PACKAGES)" \
	    DEBIAN_PROGRAMS="$(DEBIAN_PROGRAMS)" sh .ci/debian-packages

setup: $(VENV)/.installed $(HGQ2)/.installed
setup-test: $(VENV)/.installed-test $(HGQ2)/.installed

$(VENV)/bin/python: | system
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@ $(VENV)/.installed

$(HGQ2)/.installed: constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps --upgrade --target $(HGQ2) HGQ2
	touch $@

clean:
	rm -rf build $(VENV)
