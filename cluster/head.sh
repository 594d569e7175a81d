#!/usr/bin/env bash
# Start the cluster's head on this machine, and say how others join, submit and look.
#   cluster/head.sh [options of `ray start`, such as --num-cpus=8 or --node-ip-address=10.0.0.1]
# Ends with cluster/stop.sh.
# shellcheck source=cluster/environment.sh
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

need_ray
port=6379 dashboard=8265 address=
for option in "$@"; do
  case $option in
    --port=*) port=${option#*=} ;;
    --dashboard-port=*) dashboard=${option#*=} ;;
    --node-ip-address=*) address=${option#*=} ;;
    --port | --dashboard-port | --node-ip-address) die "write $option=VALUE, with an equals sign" ;;
    -h | --help)
      sed -n '2,4s/^# \?//p' "$0"
      exit 0
      ;;
  esac
done
[ -n "$address" ] || address=$("$python" -c 'import ray; print(ray.util.get_node_ip_address())')
for taken in "$port" "$dashboard"; do
  if "$python" -c "import socket, sys; sys.exit(socket.socket().connect_ex(('$address', $taken)))"; then
    die "port $taken on $address is in use; end what listens there, or choose others: --port=… --dashboard-port=…"
  fi
done
have_token || "$python" -m ray.scripts.scripts get-auth-token --generate >/dev/null
use_token
warn_of_unseen_gpu

start_ray --head --node-ip-address="$address" --port="$port" --dashboard-host=0.0.0.0 --dashboard-port="$dashboard" \
  --labels="haloforge=$(haloforge_version)" "${node_options[@]}" "$@"
echo "http://$address:$dashboard" >"$state/dashboard"
cat <<TEXT
The head runs on $address.
  token:      $token_file (whoever has it can run code here; keep it to yourself)
  join:       on the second machine, in a checkout of the same version:
                mkdir -p ~/.ray && scp $(id -un)@$address:$token_file ~/.ray/auth_token
                cluster/join.sh $address:$port
  submit:     cluster/submit.sh python -m haloforge.raft --config configs/two_machines.yaml
  look:       http://$address:$dashboard  (the browser asks for the token, once)
  results:    ${HALOFORGE_HOME:-$HOME/.haloforge} on this machine
  stop:       cluster/stop.sh
TEXT
