#!/usr/bin/env bash
# End the Ray that cluster/head.sh or cluster/join.sh started on this machine; any other Ray goes on.
# shellcheck source=cluster/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

case ${1:-} in
  -h | --help)
    sed -n '2s/^# \?//p' "$0"
    exit 0
    ;;
esac
if [ ! -f "$record" ]; then
  say "nothing that head.sh or join.sh started runs here"
  exit 0
fi
read -r pid started <"$record"
if runs "$pid" "$started"; then
  below=$(descendants "$pid")
  kill -TERM "$pid"
  for _ in $(seq 60); do
    runs "$pid" "$started" || break
    sleep 0.25
  done
  for signal in TERM KILL; do
    left=0
    while read -r one since; do
      if [ -n "$one" ] && runs "$one" "$since"; then
        kill -"$signal" "$one" 2>/dev/null || true
        left=1
      fi
    done <<<"$below"$'\n'"$pid $started"
    [ $left = 0 ] && break
    sleep 2
  done
  say "Ray on this machine (pid $pid) has ended"
else
  say "the Ray that was started here (pid $pid) had ended already"
fi
rm -f "$record" "$state/dashboard"
