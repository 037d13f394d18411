import type { CallContext, DataPlane } from './data-plane.ts';

/** Requests about a servable that it does not answer itself, by the names that OVMS counts them under. */
export type QuestionMethod = 'ModelMetadata' | 'ModelReady';

/** A request about a servable. */
export interface Question {
  readonly method: QuestionMethod;
  readonly name: string;
  /** "" where the client names none. */
  readonly version: string;
  readonly via: CallContext['interface'];
}

/**
 * What `answer` gives, counted: as failed where it throws. A servable that says it is not ready has answered.
 */
export function answered<Answer>(dataPlane: DataPlane, question: Question, answer: () => Answer): Answer {
  let isAnswered = false;
  try {
    const given = answer();
    isAnswered = true;
    return given;
  } finally {
    dataPlane.countQuestion?.(question, isAnswered);
  }
}
