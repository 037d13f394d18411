import { CODES } from '../../base/errors.ts';
import type { Counter, Histogram, Meter } from '../../base/meter.ts';
import type { Methods } from './transport.ts';

/** The calls of one method. */
export interface MethodMeter {
  started(): void;
  received(): void;
  sent(): void;
  /** @param code gRPC's number */
  ended(code: number, ms: number): void;
}

export interface CallMeter {
  /** By path; undefined for methods that are not counted. */
  of(path: string): MethodMeter | undefined;
}

/** py-grpc-prometheus's, in seconds. */
const BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const CODE_NAMES: ReadonlyMap<number, string> = new Map(Object.entries(CODES).map(([name, code]) => [code, name]));

/** Counts the calls of `methods` by the names and labels that MLServer has for them (its sheet, §10), streams as well. */
export function createCallMeter(meter: Meter, methods: Methods): CallMeter {
  const labels = ['grpc_type', 'grpc_service', 'grpc_method'];
  const families = {
    started: meter.counter('grpc_server_started_total', 'Total number of RPCs started on the server.', labels),
    handled: meter.counter(
      'grpc_server_handled_total',
      'Total number of RPCs completed on the server, regardless of success or failure.',
      [...labels, 'grpc_code'],
    ),
    seconds: meter.histogram(
      'grpc_server_handling_seconds',
      'Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.',
      labels,
      BOUNDS_S,
    ),
    received: meter.counter(
      'grpc_server_msg_received_total',
      'Total number of RPC messages received on the server.',
      labels,
    ),
    sent: meter.counter('grpc_server_msg_sent_total', 'Total number of RPC messages sent by the server.', labels),
  };
  const meters = new Map<string, MethodMeter>();
  for (const [path, { kind }] of Object.entries(methods)) {
    const [, service = '', name = ''] = path.split('/');
    const own = { grpc_type: kind === 'unary' ? 'UNARY' : 'BIDI_STREAMING', grpc_service: service, grpc_method: name };
    meters.set(path, new MethodSeries(own, families));
  }
  return { of: (path) => meters.get(path) };
}

type Families = {
  readonly [Name in 'started' | 'handled' | 'received' | 'sent']: { with(labels: Labels): Counter };
} & { readonly seconds: { with(labels: Labels): Histogram } };
type Labels = Readonly<Record<string, string>>;

/** Its series are made when it is first called, so that the page is not full of zeros. */
class MethodSeries implements MethodMeter {
  readonly #labels: Labels;
  readonly #families: Families;
  readonly #handled = new Map<number, Counter>();
  #series: { started: Counter; received: Counter; sent: Counter; seconds: Histogram } | undefined;

  constructor(labels: Labels, families: Families) {
    this.#labels = labels;
    this.#families = families;
  }

  started(): void {
    this.#bound().started.add(1);
  }

  received(): void {
    this.#bound().received.add(1);
  }

  sent(): void {
    this.#bound().sent.add(1);
  }

  ended(code: number, ms: number): void {
    this.#bound().seconds.observe(ms / 1000);
    let handled = this.#handled.get(code);
    if (handled === undefined) {
      handled = this.#families.handled.with({ ...this.#labels, grpc_code: CODE_NAMES.get(code) ?? String(code) });
      this.#handled.set(code, handled);
    }
    handled.add(1);
  }

  #bound() {
    const families = this.#families;
    this.#series ??= {
      started: families.started.with(this.#labels),
      received: families.received.with(this.#labels),
      sent: families.sent.with(this.#labels),
      seconds: families.seconds.with(this.#labels),
    };
    return this.#series;
  }
}
