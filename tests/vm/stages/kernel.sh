#!/bin/bash
# Debian's arm64 kernel with its modules, and an initramfs that loads what a virtio disk needs. Runs as root.
#   kernel.sh OUT MIRROR SUITE ROOT INIT
#
# The packages are unpacked, not installed: mkinitramfs under emulation takes very long, and makes twenty
# times as much as is needed.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
out=$1 mirror=$2 suite=$3 root=$4 init=$5
work=$out/work
mkdir -p "$work"/apt/{lists,cache,etc} "$work/unpacked"

echo "deb [arch=arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/apt/sources.list"
: >"$work/apt/status"
cat >"$work/apt/apt.conf" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Dir::State::Lists "$work/apt/lists";
Dir::State::status "$work/apt/status";
Dir::Cache "$work/apt/cache";
Dir::Etc::SourceList "$work/apt/sources.list";
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "-";
END
export APT_CONFIG=$work/apt/apt.conf
apt-get -q update
image=$(apt-cache depends linux-image-arm64 | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\).*/\1/p')
[ -n "$image" ] || { echo "kernel.sh: $mirror $suite has no linux-image-arm64" >&2; exit 1; }
(cd "$work/apt/cache" && apt-get -q download "$image" busybox-static)
for package in "$work"/apt/cache/*.deb; do dpkg-deb -x "$package" "$work/unpacked"; done
version=${image#linux-image-}
modules=$work/unpacked/lib/modules/$version

cp "$work/unpacked/boot/vmlinuz-$version" "$out/vmlinuz"
echo "$version" >"$out/version"

# In the order in which they need each other.
needed="virtio_mmio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk crc16 mbcache jbd2
    ext4 crc32c_generic failover net_failover virtio_net"
initramfs=$work/initramfs
mkdir -p "$initramfs"/{bin,modules,proc,sys,dev,newroot}
cp "$work/unpacked/bin/busybox" "$initramfs/bin/busybox"
install -m 755 "$init" "$initramfs/init"
for name in $needed; do
    file=$(find "$modules/kernel" -name "$name.ko" -print -quit)
    [ -n "$file" ] || { echo "kernel.sh: $image has no module $name" >&2; exit 1; }
    cp "$file" "$initramfs/modules/"
    echo "$name" >>"$initramfs/modules/order"
done
(cd "$initramfs" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) | gzip -1 >"$out/initrd.gz"

# depmod of the root, since the host need not have one.
rm -rf "$root/lib/modules/$version"
mkdir -p "$root/lib/modules" "$out/modules"
mv "$modules" "$root/lib/modules/"
chroot "$root" depmod "$version"
mv "$root/lib/modules/$version" "$out/modules/"
rm -rf "$work"
