#!/bin/bash
# The disk of the machine: root, kernel modules, wheels and virtual environment, with keys of its own.
# Runs as root.
#   image.sh OUT ROOT KERNEL WHEELHOUSE VENV SETTINGS VENV_PATH SIZE
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin
out=$1 root=$2 kernel=$3 wheelhouse=$4 venv=$5 settings=$6 venv_path=$7 size=$8
disk=$out/disk

cp -a --reflink=auto "$root" "$disk"
mkdir -p "$disk/lib/modules" "$disk$(dirname "$venv_path")"
cp -a --reflink=auto "$kernel/modules/." "$disk/lib/modules/"
cp -a --reflink=auto "$venv/venv" "$disk$venv_path"
cp -r "$wheelhouse/wheels" "$disk/opt/wheelhouse"
cp -r --no-preserve=ownership "$settings/." "$disk/"
chown -R root:root "$disk/opt/wheelhouse" "$disk/etc/systemd"

ssh-keygen -q -t ed25519 -N '' -C skin-edge-vm -f "$out/id_ed25519"
ssh-keygen -q -t ed25519 -N '' -C skin-edge-vm -f "$disk/etc/ssh/ssh_host_ed25519_key"
echo "skin-edge-vm $(cut -d' ' -f1,2 "$disk/etc/ssh/ssh_host_ed25519_key.pub")" >"$out/known_hosts"

# `clinic` stands for the person who owns a device: may use sudo, as the first user of a Pi may.
chroot "$disk" useradd --create-home --shell /bin/bash --groups sudo,video clinic
echo 'clinic ALL=(ALL) NOPASSWD: ALL' >"$disk/etc/sudoers.d/clinic"
chmod 0440 "$disk/etc/sudoers.d/clinic"
for home in root home/clinic; do
    install -d -m 700 "$disk/$home/.ssh"
    install -m 600 "$out/id_ed25519.pub" "$disk/$home/.ssh/authorized_keys"
done
chroot "$disk" chown -R clinic:clinic /home/clinic
# Without one, each boot of a fresh copy would be a first boot, which sets up every unit anew.
tr -d - </proc/sys/kernel/random/uuid >"$disk/etc/machine-id"
mkdir -p "$disk/var/log/journal"
chroot "$disk" systemctl --quiet enable systemd-networkd ssh
chroot "$disk" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer systemd-networkd-wait-online.service \
    systemd-firstboot.service e2scrub_reap.service e2scrub_all.timer

# Made by root through sudo, used by whom sudo was for.
[ -z "${SUDO_UID:-}" ] || chown "$SUDO_UID:$SUDO_GID" "$out"/id_ed25519 "$out"/id_ed25519.pub

mke2fs -q -t ext4 -L skin-edge-vm -E root_owner=0:0,lazy_itable_init=1 -d "$disk" "$out/vm.img" "$size"
rm -rf "$disk"
