# shellcheck shell=bash
# Sourced by the scripts beside it: Python and Ray, the token, and the Ray that they started on this node.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
state=${HALOFORGE_HOME:-$HOME/.haloforge}/cluster
record=$state/ray.pid # "pid start-time" of the process that holds this node's Ray
token_file=${RAY_AUTH_TOKEN_PATH:-$HOME/.ray/auth_token}

say() { echo "${0##*/}: $*"; }
die() {
  echo "${0##*/}: error: $*" >&2
  exit 2
}

# find_python: $python, from PYTHON, the checkout's .venv or an active environment; its folder leads the PATH,
# because Ray starts jobs as `python`.
find_python() {
  local candidate
  python=
  for candidate in "${PYTHON:-}" "$root/.venv/bin/python" "${VIRTUAL_ENV:+$VIRTUAL_ENV/bin/python}"; do
    if [ -n "$candidate" ] && [ -x "$candidate" ]; then
      python=$candidate
      PATH=$(dirname "$python"):$PATH
      export PATH
      return 0
    fi
  done
  return 1
}

need_ray() {
  find_python || die "no Python environment: run \`make setup\` in $root, or name one: PYTHON=/path/to/venv/bin/python $0"
  "$python" -c 'import ray' 2>/dev/null || die "$python has no Ray: run \`make setup\` in $root, or \`pip install .\` with it"
}

# Ray asks for its token as soon as one exists, so it is asked for from the start.
have_token() { [ -n "${RAY_AUTH_TOKEN:-}" ] || [ -s "$token_file" ]; }
use_token() {
  export RAY_AUTH_MODE=token
  if [ -s "$token_file" ]; then chmod 600 "$token_file" 2>/dev/null || true; fi
}

# start_of PID: when the process started, in clock ticks; with the pid it names a process for good.
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# runs PID START: whether that very process lives.
runs() { [ -n "$2" ] && [ "$(start_of "$1")" = "$2" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }

# descendants PID: "pid start-time" lines of all processes below it.
descendants() {
  local child
  # shellcheck disable=SC2013 # the file is one line of words
  for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
    echo "$child $(start_of "$child")"
    descendants "$child"
  done
}

# start_ray ARGUMENTS of `ray start`: in the background, recorded, and returns once it runs.
start_ray() {
  local pid started waited=0
  mkdir -p "$state"
  if [ -f "$record" ]; then
    read -r pid started <"$record"
    if runs "$pid" "$started"; then
      die "a Ray that these scripts started runs on this node already (pid $pid); end it with cluster/stop.sh"
    fi
  fi
  setsid "$python" -m ray.scripts.scripts start --block --disable-usage-stats "$@" >"$state/ray.log" 2>&1 </dev/null &
  pid=$!
  echo "$pid $(start_of "$pid")" >"$record"
  until grep -q 'Ray runtime started' "$state/ray.log"; do
    if ! kill -0 "$pid" 2>/dev/null || [ "$waited" -ge 120 ]; then
      kill "$pid" 2>/dev/null || true
      rm -f "$record"
      tail -n 12 "$state/ray.log" >&2
      die "Ray did not start; its words are above, all of them in $state/ray.log"
    fi
    sleep 0.5
    waited=$((waited + 1))
  done
}

# What every node of ours gives: ports that a firewall can name, and a fixed object store, because on an APU the
# default share of memory would be taken from the model. Options that are typed come later and win.
# shellcheck disable=SC2034 # used by those that source this
node_options=(
  "--num-cpus=$(nproc)"
  --object-store-memory=1073741824
  --node-manager-port=6380 --object-manager-port=6381
  --dashboard-agent-grpc-port=6382 --runtime-env-agent-port=6383 --metrics-export-port=6384
  --min-worker-port=10002 --max-worker-port=10999
)

# haloforge_version: of the installed package, or of the checkout; empty where there is none.
haloforge_version() { (cd "$root" && "$python" -c 'import haloforge; print(haloforge.__version__)' 2>/dev/null) || true; }

warn_of_unseen_gpu() {
  if [ -e /dev/kfd ] && ! "$python" -c 'import amdsmi' 2>/dev/null; then
    say "warning: there is an AMD GPU, but $python lacks amdsmi, so Ray counts 0 GPUs here; install amdsmi"
  fi
}
