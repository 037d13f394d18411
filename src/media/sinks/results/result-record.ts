/** A thing that was found; x and y are the box's centre, in pixels of the frame (sheet §5). */
export interface Prediction {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly confidence: number;
  readonly class: string;
  readonly class_id: number;
  readonly detection_id: string;
}

/** What was found in one frame of one source. */
export interface FrameResult {
  readonly source_id: number;
  readonly frame_id: number;
  /** ms since the epoch, fractions kept. */
  readonly captured_at_ms: number;
  readonly width: number;
  readonly height: number;
  readonly predictions: readonly Prediction[];
  /** What the servable answered besides detections: JSON by output. */
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** A result on its way out. */
export interface ResultRecord {
  readonly pipelineId: string;
  /** From 1, one more for each frame that left the pipeline. */
  readonly sequence: number;
  readonly result: FrameResult;
}

export interface ResultSinkCounts {
  readonly delivered: number;
  readonly failed: number;
  /** A full queue had no room. */
  readonly dropped: number;
  readonly waiting: number;
  readonly lastError: string | undefined;
}

/** Where results go, behind a bounded queue of its own: it never holds a pipeline up. */
export interface ResultSink extends AsyncDisposable {
  readonly type: string;
  /** For people and logs; without credentials. */
  readonly target: string;
  readonly counts: ResultSinkCounts;
  /** Takes it, or drops the oldest that waits. */
  deliver(record: ResultRecord): void;
  /** Resolves when what waits was written, or at most `withinMs` later. */
  finish(withinMs: number): Promise<void>;
}
