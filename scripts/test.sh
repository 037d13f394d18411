#!/usr/bin/env bash
# Everything that a change must pass: setup where it is missing or stale, the static checks, the unit tests, the system tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# npm writes node_modules/.package-lock.json at the end of an install.
if [[ ! node_modules/.package-lock.json -nt package-lock.json ]]; then
  bash scripts/setup.sh
elif [[ ! -e dist/index.js || -n $(find src tsconfig.json tsconfig.build.json -newer dist/index.js -print -quit) ]]; then
  npm run build
fi

npm run check
bash scripts/python-env.sh > /dev/null
bash scripts/python-env.sh mlserver > /dev/null
bash scripts/python-env.sh kubernetes > /dev/null
bash scripts/python-env.sh openapi > /dev/null
bash scripts/system-packages.sh
# A second try is marked in the output: on a busy machine one test in thousands may fail for no fault of the code.
npx vitest run --project unit --retry 1
npx vitest run --project system --retry 1
