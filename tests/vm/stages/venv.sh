#!/bin/bash
# A virtual environment with the wheels, made in the root by its own Python and pip. Runs as root.
#   venv.sh OUT ROOT WHEELHOUSE VENV
# VENV is where it lies in the machine. skin-edge is not in it: each test session installs its own.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
out=$1 root=$2 wheelhouse=$3 venv=$4
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root LANG=C.UTF-8 "$@"; }

rm -rf "${root:?}$venv" "$root/opt/wheelhouse"
mkdir -p "$root/opt"
cp -r "$wheelhouse/wheels" "$root/opt/wheelhouse"
inside python3 -m venv "$venv"
inside sh -c "exec $venv/bin/pip install --no-index --no-deps --no-cache-dir /opt/wheelhouse/*.whl"
inside "$venv/bin/pip" check
mv "$root$venv" "$out/venv"
rm -rf "$root/opt/wheelhouse"
