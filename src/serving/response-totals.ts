import type { ResponseStatistics } from './data-plane.ts';
import { Total } from './run-totals.ts';

/** Places of responses that are told apart; later ones are not counted. */
const MAX_PLACES = 1024;

interface Place {
  readonly computeInfer: Total;
  readonly computeOutput: Total;
  readonly success: Total;
  readonly fail: Total;
  readonly emptyResponse: Total;
  readonly cancel: Total;
}

type End = 'success' | 'fail' | 'emptyResponse' | 'cancel';

/** KServe's `response_stats`: what became of the first response to a request, the second one, and so on. */
export class ResponseTotals {
  readonly #places: Place[] = [];

  /** @param ns since the request, or since the response before */
  add(at: number, end: End, ns: number): void {
    const place = this.#place(at);
    if (place === undefined) return;
    place[end].add(ns);
    if (end !== 'success') return;
    place.computeInfer.add(ns);
    place.computeOutput.add(0);
  }

  toJSON(): readonly ResponseStatistics[] {
    return this.#places.map(({ computeInfer, computeOutput, success, fail, emptyResponse, cancel }) => ({
      computeInfer: computeInfer.toJSON(),
      computeOutput: computeOutput.toJSON(),
      success: success.toJSON(),
      fail: fail.toJSON(),
      emptyResponse: emptyResponse.toJSON(),
      cancel: cancel.toJSON(),
    }));
  }

  #place(at: number): Place | undefined {
    if (at >= MAX_PLACES) return undefined;
    while (this.#places.length <= at) {
      this.#places.push({
        computeInfer: new Total(),
        computeOutput: new Total(),
        success: new Total(),
        fail: new Total(),
        emptyResponse: new Total(),
        cancel: new Total(),
      });
    }
    return this.#places[at];
  }
}
