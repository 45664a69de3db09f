# The commands of a checkout. On a fresh machine: Python 3.10 to 3.13 with venv, make, and a network for pip.

SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo kiosk-demo test test-long train-smoke check format bench soak test-faults fault-hour test-opencv test-backends \
	translations ssh-server ssh-server-wanted vm-packages vm test-vm clean distclean

# The newest interpreter that fits and can make a venv; PYTHON=... overrides it.
FITS := import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))
FIND_PYTHON = for need in 'import ensurepip;' ''; do \
	for p in python3.13 python3.12 python3.11 python3.10 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c "$$need $(FITS)" 2>/dev/null && { echo $$p; exit; }; \
	done; done
PYTHON ?= $(eval PYTHON := $(shell $(FIND_PYTHON)))$(PYTHON)

VENV := .venv
BIN := $(VENV)/bin
DEV := .[dev,train,ray,kiosk,deploy]
# As pyproject.toml names it; installed without its dependencies, of which `dev` has those that a ViT needs.
KERAS_HUB := $(shell sed -n 's/^teacher = \["\(.*\)"\]$$/\1/p' pyproject.toml)
# Its source only: the tests read it and run it over a stand-in for what only a Raspberry Pi has.
PICAMERA2 := picamera2>=0.3.22
# A CPU build is enough here: on x86_64 Linux, TORCH_INDEX=URL of PyTorch's CPU wheels saves gigabytes.
TORCH := torch>=2.4,<3

# Where the emulated machine is built and kept.
VM_DIR := $(or $(SKIN_EDGE_VM_DIR),cache/vm)
HAVE_SSHD := { { command -v sshd || [ -x /usr/sbin/sshd ] || [ -x /usr/local/sbin/sshd ]; } && command -v sudo; } >/dev/null 2>&1
AS_ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# What a template of translations says of itself; no line numbers, which change with every line.
POT_WORDS := --no-location --no-wrap --sort-output --project=skin-edge --version=1 --copyright-holder=skin-edge \
	--msgid-bugs-address=skin-edge

# pip names each package as it comes to it; the rest of its talk is left out, its errors are not.
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off -e '$(1)' \
	| sed -un -e 's/^Collecting \([^ ]*\).*/    \1/p' -e 's/^ *\(Downloading .* MB)\).*/      \1/p' -e '/^Installing coll/s/:.*/ .../p'

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.light ## Install into .venv (no extras) and classify one drawn lesion
	$(BIN)/skin-edge capture --source demo --once

kiosk-demo: $(VENV)/.kiosk ## Serve the kiosk's page with drawn lesions, and open it in a browser where there is one
	SKIN_EDGE_HOME='$(CURDIR)/cache/kiosk-demo' $(BIN)/skin-edge kiosk --source demo --open $(KIOSK_ARGS)

test: $(VENV)/.dev $(VENV)/.chromium systemd-tools ssh-server-wanted ## Install with training and test tools, and run the tests; PYTEST_ARGS=... is passed on
	$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

test-long: $(VENV)/.dev ## The tests that make test skips because each takes a minute or more
	$(BIN)/python -m pytest --long -m long -n 2 $(PYTEST_ARGS)

test-faults: $(VENV)/.dev ## Every camera fault 100 times, through the real capture process; FAULT_ARGS=... is passed on
	$(BIN)/python benchmarks/camera_faults.py --out docs/results/camera_faults.csv $(FAULT_ARGS)

fault-hour: $(VENV)/.dev ## capture for an hour on a camera that fails all the time; nothing may be lost or left
	$(BIN)/python benchmarks/fault_hour.py $(FAULT_ARGS)

soak: $(VENV)/.dev ## 50,000 decisions in one process: does memory grow?
	$(BIN)/python benchmarks/soak.py $(SOAK_ARGS)

train-smoke: $(VENV)/.dev ## The whole training chain on a few hundred drawn lesions (part of make test)
	$(BIN)/python -m pytest tests/host_training/test_run.py tests/host_training/ablation $(PYTEST_ARGS)

check: $(VENV)/.dev ## Formatting, lint, types (strict), the direction of imports, and ansible-lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd deploy/ansible && PATH="$(abspath $(BIN)):$$PATH" ansible-lint --offline -q

translations: $(VENV)/.dev ## Bring the kiosk's catalogues in step with its texts, and compile them; then translate what is new
	mkdir -p build
	$(BIN)/pybabel --quiet extract -F pyproject.toml -o build/skin_edge.pot $(POT_WORDS) device/skin_edge
	$(BIN)/pybabel --quiet update -i build/skin_edge.pot -d device/skin_edge/kiosk/locale -D skin_edge --no-fuzzy-matching \
		--ignore-obsolete --ignore-pot-creation-date --no-wrap
	$(BIN)/pybabel --quiet compile -d device/skin_edge/kiosk/locale -D skin_edge --statistics

format: $(VENV)/.dev ## Format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## Measure stages, model, start-up and memory; BENCH_ARGS=... is passed on
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

test-opencv: $(VENV)/.dev ## Compare the preprocessing under OpenCV 4.x and 5.x
	$(BIN)/python tests/opencv_agreement/run.py

test-backends: $(VENV)/.dev ## Install PyTorch too, and train on TensorFlow, JAX and PyTorch; TORCH_INDEX=... names its wheels
	$(BIN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off '$(TORCH)' \
		$(if $(TORCH_INDEX),--index-url '$(TORCH_INDEX)')
	$(BIN)/python -m pytest --long tests/host_training/test_backends.py $(PYTEST_ARGS)

.PHONY: systemd-tools
systemd-tools: ## Install systemd-analyze, by which tests judge the units, where it is missing and apt-get may
	@command -v systemd-analyze >/dev/null || { \
		{ [ "$$(id -u)" = 0 ] || sudo -n true; } 2>/dev/null && command -v apt-get >/dev/null && \
		$(AS_ROOT) apt-get -qq update && $(AS_ROOT) apt-get -qq install --yes --no-install-recommends systemd >/dev/null; \
		} || echo "make: no systemd-analyze, and no way to install it here: the units are not verified" >&2

# Installed unasked only by root and where no systemd would start it: in containers, as those of CI. Nobody's
# workstation gets a server for its tests.
ssh-server-wanted:
	@$(HAVE_SSHD) || { [ "$$(id -u)" = 0 ] && [ ! -d /run/systemd/system ] && command -v apt-get >/dev/null && $(MAKE) ssh-server; } \
		|| echo "make: no sshd or no sudo: tests of deploy will be skipped; apt-get install openssh-server sudo, or make ssh-server" >&2

ssh-server: ## Install OpenSSH's server and sudo, which tests/deploy starts on loopback, with apt-get, as root or through sudo
	@$(HAVE_SSHD) || { $(AS_ROOT) apt-get update && $(AS_ROOT) apt-get install --yes --no-install-recommends openssh-server sudo; }

vm-packages: ## Install the Debian packages that make vm needs, with apt-get, as root or through sudo
	$(AS_ROOT) apt-get update
	$(AS_ROOT) apt-get install --yes --no-install-recommends $(shell sed -n 's/^\([a-z0-9-]\+\) .*/\1/p' tests/vm/packages.txt)

vm: $(VENV)/.made ## Build the emulated arm64 machine of docs/vm.md, in cache/vm; takes minutes, then is kept
	@$(BIN)/python tests/vm/make_vm.py --dir '$(VM_DIR)'

test-vm: vm $(VENV)/.dev ## Boot that machine and prove skin-edge on it; PYTEST_ARGS=... is passed on
	SKIN_EDGE_VM_DIR='$(VM_DIR)' $(BIN)/python -m pytest tests/vm --log-cli-level=INFO $(PYTEST_ARGS)

clean: ## Remove caches and build outputs; .venv, runs/ and cache/ stay
	rm -rf build dist .ansible deploy/ansible/.ansible .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find device host_training deploy tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove .venv as well
	rm -rf $(VENV)

# Stamps, so that a second make is instant; each is made again when pyproject.toml changes.
$(VENV)/.made:
	@[ -n "$(PYTHON)" ] || { echo "make: no Python 3.10 to 3.13 found; install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c "$(FITS)" || { echo "make: $(PYTHON) does not run or is not Python 3.10 to 3.13; name another: make PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) -V)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.light: pyproject.toml | $(VENV)/.made
	@echo "Installing skin-edge into $(VENV) (about 100 MB to download)"
	@$(call INSTALL,.)
	@touch $@

$(VENV)/.kiosk: pyproject.toml | $(VENV)/.made
	@echo "Installing skin-edge and its kiosk into $(VENV) (about 110 MB to download)"
	@$(call INSTALL,.[kiosk])
	@touch $@ $(VENV)/.light

# For the tests of the kiosk's page, with the fonts of its languages. Where it may not be installed those tests skip.
$(VENV)/.chromium: | $(VENV)/.made
	@as_root=$$([ "$$(id -u)" = 0 ] || echo 'sudo -n'); \
	if command -v chromium chromium-browser google-chrome >/dev/null; then touch $@; \
	elif command -v apt-get >/dev/null && $$as_root true 2>/dev/null; then \
		echo "Installing Chromium, for the tests of the kiosk's page (about 150 MB to download)" && \
		$$as_root apt-get -qq update && \
		$$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends \
			chromium fonts-noto-core >/dev/null && touch $@ || \
		echo "make: Chromium was not installed: the tests of the kiosk's page will skip" >&2; \
	else echo "make: no Chromium here, and no right to install it (apt install chromium fonts-noto-core): the tests of the kiosk's page will skip" >&2; fi

$(VENV)/.dev: pyproject.toml | $(VENV)/.made
	@echo "Installing skin-edge with its training and test tools into $(VENV) (about 700 MB to download, minutes)"
	@$(call INSTALL,$(DEV))
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet --no-deps "$(KERAS_HUB)" "$(PICAMERA2)"
	@touch $@ $(VENV)/.light $(VENV)/.kiosk
