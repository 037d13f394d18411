#!/usr/bin/env bash
# Regenerates what is derived from protos/: the TypeScript types in src/protocol/wire/generated/ and the descriptor set
# that reflection serves. For maintainers, after a change to protos/; the results are committed, so users need no protoc.
# Needs a Python with grpcio-tools: PYTHON=path/to/python scripts/generate-protos.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=${PYTHON:-python3}
generated=src/protocol/wire/generated
# Served by the gRPC front; mediapipe/ is read as text only and needs no types.
served=(grpc_service.proto model_config.proto health.proto reflection/reflection.proto reflection/reflection_v1alpha.proto)

"$python" -c 'import grpc_tools' 2>/dev/null || {
  echo "generate-protos: $python has no grpcio-tools; pip install grpcio-tools, or set PYTHON" >&2
  exit 1
}

rm -rf "$generated"
npx --no-install proto-loader-gen-types --keepCase --longs=Number --enums=String --defaults --oneofs \
  --importFileExtension=.ts --includeDirs=protos --outDir="$generated" "${served[@]}"

# Proves that mediapipe/ is well-formed too.
"$python" -m grpc_tools.protoc --proto_path=protos --descriptor_set_out=/dev/null protos/mediapipe/calculator.proto
"$python" -m grpc_tools.protoc --proto_path=protos --include_imports \
  --descriptor_set_out=protos/descriptor_set.binpb "${served[@]/#/protos/}"

# MLServer's dialect: other files of the same names, so a set of its own; its messages need no types beside the others.
"$python" -m grpc_tools.protoc --proto_path=protos --proto_path=protos/mlserver --include_imports \
  --descriptor_set_out=protos/mlserver/descriptor_set.binpb dataplane.proto model_repository.proto \
  health.proto reflection/reflection.proto reflection/reflection_v1alpha.proto
