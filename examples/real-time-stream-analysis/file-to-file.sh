#!/usr/bin/env bash
# From a video file to a video file: file-to-file.sh [output.mp4]
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
output="${1:-output.mp4}"

"${client[@]}" --input_stream "$VIDEO" --output_stream "$output"
echo "written: $output"
