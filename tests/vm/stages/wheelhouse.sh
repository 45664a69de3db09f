#!/bin/bash
# The wheels that a device of this kind installs: skin-edge's dependencies for aarch64 and Python 3.11.
#   wheelhouse.sh OUT EXTRAS PYPROJECT PYTHON PROJECT
set -euo pipefail
out=$1 extras=$2 python=$4 project=$5
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

# Markers are those of the Python that runs pip, so what only 3.11 needs is named: typing_extensions.
"$python" -m pip wheel --quiet --no-deps --wheel-dir "$out/project" "$project"
wheel=$(ls "$out"/project/skin_edge-*.whl)
"$python" -m pip download --progress-bar off --dest "$out/wheels" \
    --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 --abi abi3 --abi none \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
    --platform manylinux2014_aarch64 \
    "$wheel${extras:+[$extras]}" typing_extensions
# The project itself comes from the tree that is tested, not from the day this was built.
rm -rf "$out/project" "$out"/wheels/skin_edge-*.whl
