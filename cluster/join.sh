#!/usr/bin/env bash
# Let this machine work for the head at ADDRESS: check token and versions, install haloforge's base package where it
# is missing, and start Ray with this machine's CPUs.
#   cluster/join.sh HOST[:PORT] [options of `ray start`, such as --num-cpus=8]
# Ends with cluster/stop.sh.
# shellcheck source=cluster/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

case ${1:-} in
  "" | -*)
    sed -n '2,5s/^# \?//p' "$0"
    exit 2
    ;;
esac
head=$1
shift
[[ $head == *:* ]] || head=$head:6379

have_token || die "no token here: copy the head's: mkdir -p ~/.ray && scp ${head%:*}:.ray/auth_token ~/.ray/auth_token"
use_token
timeout 10 bash -c "exec 3<>/dev/tcp/${head%:*}/${head##*:}" 2>/dev/null ||
  die "nothing answers at $head: start it there with cluster/head.sh, or open the ports in its firewall (docs/CLUSTER.md)"

if ! find_python; then
  say "making $root/.venv"
  python3 -m venv "$root/.venv" || die "python3 cannot make an environment; on Debian or Ubuntu install python3-venv"
  find_python
fi
# From /, so that the checkout that this script lies in does not count as installed.
if ! (cd / && "$python" -c 'import haloforge, actors, ray') 2>/dev/null; then
  [ -f "$root/pyproject.toml" ] || die "$python lacks haloforge, and $root is no checkout to install it from"
  say "installing haloforge's base package into $python"
  "$python" -m pip install --quiet "$root" || die "pip could not install $root; its words are above"
fi
address=$("$python" -c "
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.connect(('${head%:*}', 9))
    print(s.getsockname()[0])")
(cd / && "$python" -m actors.joining "$head") || exit $?
for tool in gcc g++; do
  command -v "$tool" >/dev/null || say "warning: $tool is not here; runs that need it give this node no verifier (toolbox/install-tools.sh)"
done
warn_of_unseen_gpu

start_ray --address="$head" --node-ip-address="$address" --labels="haloforge=$(haloforge_version)" "${node_options[@]}" "$@"
say "$address ($(hostname)) works for $head; end it with cluster/stop.sh"
