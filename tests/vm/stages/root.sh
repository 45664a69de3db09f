#!/bin/bash
# A Debian root for arm64, unpacked and configured by emulating its programs. Runs as root.
#   root.sh OUT MIRROR SUITE PACKAGE,... DOWNLOADS
set -euo pipefail
out=$1 mirror=$2 suite=$3 packages=$4 downloads=$5
export PATH=$PATH:/usr/sbin:/sbin

# The kernel starts arm64 programs only where it was told how; on Debian with systemd that is done at boot.
if ! grep -qs '^enabled' /proc/sys/fs/binfmt_misc/qemu-aarch64; then
    mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
    [ -e /proc/sys/fs/binfmt_misc/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >/proc/sys/fs/binfmt_misc/register
fi

mkdir -p "$downloads"
debootstrap --arch=arm64 --variant=minbase --cache-dir="$downloads" --include="$packages" \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$suite" "$out" "$mirror"
rm -rf "$out"/var/cache/apt/archives/*.deb "$out"/var/lib/apt/lists/*
# Nothing of this host: its name server, its host name.
rm -f "$out/etc/resolv.conf" "$out"/etc/ssh/ssh_host_*
