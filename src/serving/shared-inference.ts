import { MillraceError } from '../base/errors.ts';
import type { PlacedRequest, SharedMemoryRegions } from '../shared-memory/regions.ts';
import {
  markSharedOutputs,
  readSharedInputs,
  withoutSharedOutputs,
  writeSharedOutputs,
} from '../shared-memory/shared-tensors.ts';
import type { InferenceRequest, InferenceResponse } from '../tensor/inference.ts';

type Infer = (request: InferenceRequest) => Promise<InferenceResponse>;

/**
 * Runs a request whose tensors may be in shared memory, which its host reads and writes.
 * @param isJoined the front looks at its data, to join it with others' or to remember it: then the front reads and writes
 */
export function inferShared(
  regions: SharedMemoryRegions,
  request: InferenceRequest,
  isJoined: boolean,
  infer: Infer,
): Promise<InferenceResponse> {
  const placed = regions.place(request);
  return placed === undefined ? infer(request) : inferPlaced(placed, request, isJoined, infer);
}

async function inferPlaced(
  placed: PlacedRequest,
  request: InferenceRequest,
  isJoined: boolean,
  infer: Infer,
): Promise<InferenceResponse> {
  try {
    if (!isJoined) return markSharedOutputs(request, await infer(placed.request));
    const response = await infer(withoutSharedOutputs(readSharedInputs(placed.request)));
    return writeSharedOutputs(placed.request, response);
  } finally {
    placed.release();
  }
}

/** Sets of regions that one session may keep from being freed. */
const MAX_HELD = 256;

/** The regions that a session's requests name, kept until it ends. */
export class SessionRegions {
  readonly #regions: SharedMemoryRegions;
  readonly #held = new Map<string, PlacedRequest>();

  constructor(regions: SharedMemoryRegions) {
    this.#regions = regions;
  }

  /** @throws MillraceError as `SharedMemoryRegions.place`, and NOT_SUPPORTED for outputs: which response they are of is not known */
  place(request: InferenceRequest): InferenceRequest {
    const asked = request.outputs.find(({ classes }) => classes !== undefined);
    if (asked !== undefined) {
      throw new MillraceError(
        'NOT_SUPPORTED',
        `output "${asked.name}": a stream on a graph or runtime cannot make classes of its responses; leave classification out of its outputs`,
        { details: { tensor: asked.name, parameter: 'classification' } },
      );
    }
    const output = request.outputs.find(({ shared }) => shared !== undefined);
    if (output !== undefined) {
      throw new MillraceError(
        'NOT_SUPPORTED',
        `output "${output.name}": a stream on a graph or runtime cannot write its responses to shared memory; leave shared_memory_region out of its outputs`,
        { details: { tensor: output.name } },
      );
    }
    const placed = this.#regions.place(request);
    if (placed === undefined) return request;
    const files = placed.request.inputs.map(({ shared }) => shared?.file?.path ?? '');
    const key = JSON.stringify([...new Set(files)].toSorted());
    if (this.#held.has(key)) {
      placed.release();
    } else if (this.#held.size >= MAX_HELD) {
      placed.release();
      throw new MillraceError(
        'LIMIT_REACHED',
        `a stream has named ${MAX_HELD} sets of shared memory regions, which is the limit`,
      );
    } else this.#held.set(key, placed);
    return placed.request;
  }

  release(): void {
    for (const placed of this.#held.values()) placed.release();
    this.#held.clear();
  }
}
