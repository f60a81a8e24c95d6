#!/bin/bash
# Boots a real systemd as PID 1, in namespaces of its own over a throw-away overlay of /, with edgeseg installed in it the way
# docs/service.md says: project in /opt/edgeseg, unit, sysusers, configuration in /etc/edgeseg. Nothing outside is changed.
#
#   unshare --mount --pid --fork --net --uts --ipc --cgroup --kill-child systemd_boot.sh PROJECT SCRATCH PYTHON_PREFIX CONFIG
#
# as root. SCRATCH is an empty directory. SCRATCH/m is the root of what was booted, reached with
# `nsenter -t PID -a chroot SCRATCH/m …` (PID: the child of unshare). End it by killing unshare.
set -euo pipefail
project=$1 scratch=$2 prefix=$3 config=$4
root=$scratch/m

mount --make-rprivate /
mount -t tmpfs -o size=1g,mode=755 tmpfs "$scratch"
mkdir -p "$scratch"/{upper,work,m,opt-upper,opt-work}
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp

# Control groups as this namespace sees them: their root is the group that the caller made for us.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/{systemd,devices}
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
    mount -t cgroup -o devices cgroup sys/fs/cgroup/devices
fi

# The project with its environment; the interpreter may live where ProtectHome= hides it.
mkdir -p opt/edgeseg opt/python
mount -t overlay overlay -o "lowerdir=$project,upperdir=$scratch/opt-upper,workdir=$scratch/opt-work" opt/edgeseg
mount --bind -o ro "$prefix" opt/python
venv=opt/edgeseg/.venv
interpreter=$(basename "$(readlink -f "$venv/bin/python")")
ln -sfn "/opt/python/bin/$interpreter" "$venv/bin/python"
sed -i 's|^home = .*|home = /opt/python/bin|' "$venv/pyvenv.cfg"
sed -i "s|$project|/opt/edgeseg|g" "$venv"/lib/python*/site-packages/*.pth
printf '#!/opt/edgeseg/.venv/bin/python\nimport sys\nfrom edgeseg.cli import main\nsys.exit(main())\n' > "$venv/bin/edgeseg"
chmod 755 "$venv/bin/edgeseg"

cp "$project/systemd/edgeseg.service" etc/systemd/system/
mkdir -p usr/lib/sysusers.d etc/edgeseg etc/systemd/system.conf.d etc/systemd/system/edgeseg.service.d
# A shared libpython is looked for where the interpreter was built to be, then among the system's: not what it was moved with.
printf '[Service]\nEnvironment=LD_LIBRARY_PATH=/opt/python/lib\n' > etc/systemd/system/edgeseg.service.d/python.conf
cp "$project/systemd/edgeseg.sysusers" usr/lib/sysusers.d/edgeseg.conf
cp "$config" etc/edgeseg/config.yaml
chroot . systemd-sysusers /usr/lib/sysusers.d/edgeseg.conf
chroot . chgrp edgeseg /etc/edgeseg/config.yaml
chmod 640 etc/edgeseg/config.yaml

# Only the groups that the unit needs are made, and no service but the ones under test.
printf '[Manager]\nDefaultMemoryAccounting=no\nDefaultTasksAccounting=no\nDefaultEnvironment=LANG=C.UTF-8\n' > etc/systemd/system.conf.d/test.conf
printf '[Unit]\nDescription=test\nWants=systemd-journald.service\nAllowIsolate=yes\n' > etc/systemd/system/edgetest.target
ip link set lo up
exec chroot . env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
    /lib/systemd/systemd --system --unit=edgetest.target --show-status=no --log-target=journal
