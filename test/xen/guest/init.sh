#!/bin/busybox sh
# First process of every domain: brings up the Xen devices. Dom0 then runs the suites and powers off, a guest waits for
# commands.
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /sbin /usr/sbin /root /etc/xen /var/lib/xen /var/log/xen /var/lock
/bin/busybox ln -sfn /run /var/run
/bin/busybox --list | while read -r applet; do
  [ "$applet" = busybox ] || /bin/busybox ln -sf /bin/busybox "/bin/$applet"
done
export PATH=/bin:/usr/bin:/sbin:/usr/lib/xen/bin HOME=/root

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts /run/xen
mount -t tmpfs shm /dev/shm
mount -t devpts pts /dev/pts
ip link set lo up

# The names carry the order: 0-xen-gntalloc.ko, 1-xen-gntdev.ko, ...
for module in /modules/*.ko; do
  insmod "$module" || echo "insmod $module failed"
done
mount -t xenfs xenfs /proc/xen

if grep -q xg.role=guest /proc/cmdline; then
  exec /agent.sh
fi

# Results leave through the second serial port, byte for byte.
stty -F /dev/ttyS1 raw -echo

cd /package || exit 1
if grep -q '"shell":true' test/xen/config.json; then
  echo 'The package is in /package, the C peers in /peers. "exit" powers off.'
  setsid cttyhack sh
else
  node test/xen/guest/main.mjs || echo "main.mjs ended with $?"
fi
sync
poweroff -f
