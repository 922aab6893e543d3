#!/bin/sh
# In a guest domain: runs the commands that dom0 writes into the guest's part of xenstore, one after the other.
# -R: as it is; otherwise a line feed would arrive as a backslash and an n.
#   data/command = "<number> <command>"      data/result = "<number> <exit code> <output>"
last=0
xenstore-write -R data/result '0 0 ready'
while true; do
  command=$(xenstore-read -R data/command 2>/dev/null || echo 0)
  number=${command%% *}
  if [ "$number" -gt "$last" ]; then
    last=$number
    output=$(sh -c "${command#* }" 2>&1)
    code=$?
    # Xenstore takes messages of 4 KiB.
    xenstore-write -R data/result "$number $code $(printf %s "$output" | head -c 3000)"
  fi
  usleep 100000
done
