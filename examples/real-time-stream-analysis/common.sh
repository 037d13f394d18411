# Settings that all scripts share; each may be set in the environment.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"

# Where the server's gRPC port is, the graph to ask, and its input.
GRPC_ADDRESS="${GRPC_ADDRESS:-localhost:9000}"
MODEL_NAME="${MODEL_NAME:-holisticTracking}"
INPUT_NAME="${INPUT_NAME:-first_input_video}"
# 5 s of a person.
VIDEO="${VIDEO:-$root/test/fixtures/media/astronaut-pan.mp4}"

client=(node "$root/bin/millrace.js" client --grpc_address "$GRPC_ADDRESS" --model_name "$MODEL_NAME" --input_name "$INPUT_NAME")
