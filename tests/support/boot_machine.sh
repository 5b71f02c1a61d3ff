#!/usr/bin/env bash
# Becomes the first process of a machine of its own: a root filesystem that nothing done in it changes, and systemd.
# Run inside fresh namespaces (mount, pid, network, cgroup, ipc, uts); the caller's own root is never systemd's root.
# HOST is a folder of the caller's: when it has booted, systemd says so to the socket "notify" there.
#   boot_machine.sh ROOTFS SOURCE WHEELS HOST
set -euo pipefail
rootfs=$1 source=$2 wheels=$3 host=$4

# All that happens in the machine is written to memory, and gone with it.
work=$host/disk
mkdir "$work"
mount -t tmpfs machine "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay machine -o "lowerdir=$rootfs,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"

mkdir -p source wheels proc sys dev run tmp old
mount -t proc proc proc
# The kernel is the host's: its settings are not this systemd's to change.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/shm dev/pts
mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
for place in source wheels; do
    mount --bind "${!place}" "$place"
    mount -o remount,bind,ro "$place"
done
mkdir run/host
mount --bind "$host" run/host
ip link set lo up

pivot_root . old
umount -l /old
# As on any machine with systemd: what one service's namespace mounts below /run, such as credentials, others see. The
# caller's mounts are out of reach by now.
mount --make-rshared /
# Nothing of the caller's environment belongs here.
exec env -i container=gatewayd-test NOTIFY_SOCKET=/run/host/notify PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal-or-kmsg
