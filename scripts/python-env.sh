#!/usr/bin/env bash
# Makes a virtual environment with pinned Python packages that the tests run, if it is absent or the pins changed. Prints the
# path of its interpreter.
#   scripts/python-env.sh            .venv: the Python clients that the conformance tests drive the server with
#   scripts/python-env.sh mlserver   .venv-mlserver: the real MLServer package, for its own clients and users' runtimes
#   scripts/python-env.sh kubernetes .venv-kubernetes: the schemas of Kubernetes and KServe, for the manifests in extras/
#   scripts/python-env.sh openapi    .venv-openapi: schemathesis, which calls what openapi.json describes
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1:-clients}" in
  clients) folder=.venv pins=scripts/python-requirements.txt flags=() ;;
  mlserver) folder=.venv-mlserver pins=scripts/mlserver-requirements.txt flags=(--no-deps) ;;
  kubernetes) folder=.venv-kubernetes pins=scripts/kubernetes-requirements.txt flags=(--no-deps) ;;
  openapi) folder=.venv-openapi pins=scripts/openapi-requirements.txt flags=(--no-deps) ;;
  *)
    echo "python-env.sh: no environment '$1': clients, mlserver, kubernetes or openapi expected" >&2
    exit 2
    ;;
esac

# Two at once would break each other's.
if command -v flock > /dev/null; then
  exec 9> "${TMPDIR:-/tmp}/millrace$(pwd | tr / -)$folder.lock"
  flock 9
fi

python=$folder/bin/python
if ! cmp -s "$pins" "$folder/installed.txt"; then
  rm -rf "$folder"
  "${PYTHON:-python3}" -m venv "$folder" >&2
  "$python" -m pip install --quiet --disable-pip-version-check ${flags[@]+"${flags[@]}"} --requirement "$pins" >&2
  cp "$pins" "$folder/installed.txt"
fi
echo "$PWD/$python"
