#!/bin/sh
# Everything `npm run test:xen` needs on Debian 12, typed in one place: needs root.
set -eu
cd "$(dirname "$0")/../.."
apt-get update
apt-get install --yes --no-install-recommends \
  qemu-system-x86 seabios busybox-static cpio gcc libc6-dev libxen-dev libyajl2 libncurses6
exec node test/xen/fetch.mjs
