#!/usr/bin/env bash
# Submit a command as a Ray job, with the current folder as its working directory, and follow it.
#   cluster/submit.sh [options of `ray job submit` --] COMMAND…
#   cluster/submit.sh python -m haloforge.raft --config configs/two_machines.yaml
# The dashboard's address: RAY_API_SERVER_ADDRESS, else the head that runs here.
# shellcheck source=cluster/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

if [ $# = 0 ] || [ "$1" = --help ] || [ "$1" = -h ]; then
  sed -n '2,5s/^# \?//p' "$0"
  exit 2
fi
need_ray
have_token || die "no token here: copy the head's ~/.ray/auth_token to the same place (chmod 600)"
use_token
server=${RAY_API_SERVER_ADDRESS:-$(cat "$state/dashboard" 2>/dev/null || echo http://127.0.0.1:8265)}
PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} "$python" -m actors.travel "$PWD" || exit $?

options=()
for argument in "$@"; do
  if [ "$argument" = -- ]; then
    while [ "$1" != -- ]; do
      options+=("$1")
      shift
    done
    shift
    break
  fi
done
unset RAY_ADDRESS # it names Ray's own port where it is set, and would win over --address
exec "$python" -m ray.scripts.scripts job submit --address "$server" --working-dir "$PWD" \
  ${options[@]+"${options[@]}"} -- "$@"
