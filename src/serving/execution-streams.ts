import type { Family, Gauge, Meter } from '../base/meter.ts';
import type { Entry } from './repository.ts';

/** One of the families, and what it says of a model now. */
interface Told {
  readonly family: Family<Gauge>;
  readonly value: (entry: Entry) => number;
}

/**
 * OVMS's `ovms_streams` and `ovms_infer_req_queue_size` (sheet §7): how many runs of a model are possible at once, which here is the
 * number of hosts that have it, each of which runs one at a time; and `ovms_infer_req_active`, how many of these have a client's request
 * now. Counted when somebody asks; the series of a model go with it.
 * @param pendingOf unary requests of clients under way, waiting ones included
 */
export function countExecutionStreams(
  meter: Meter,
  entries: () => readonly Entry[],
  pendingOf: (entry: Entry) => number,
): void {
  const hostsOf = ({ current }: Entry): number => current?.readyHosts ?? 0;
  const gauge = (name: string, help: string, value: Told['value']): Told => ({
    family: meter.gauge(name, help, ['name', 'version']),
    value,
  });
  const told = [
    gauge('ovms_streams', 'Number of execution streams: hosts that have the model.', hostsOf),
    gauge(
      'ovms_infer_req_queue_size',
      'Inference request queue size (nireq): runs that are possible at once.',
      hostsOf,
    ),
    gauge(
      'ovms_infer_req_active',
      'Number of currently consumed inference request from the processing queue.',
      (entry) => Math.min(pendingOf(entry), hostsOf(entry)),
    ),
  ];
  let known = new Map<string, Readonly<Record<string, string>>>();
  meter.beforeRender(() => {
    const now: typeof known = new Map();
    for (const entry of entries()) {
      if (entry.kind !== 'model') continue;
      const labels = { name: entry.name, version: entry.version };
      now.set(JSON.stringify(labels), labels);
      for (const { family, value } of told) family.with(labels).set(value(entry));
    }
    for (const [key, labels] of known) if (!now.has(key)) for (const { family } of told) family.remove(labels);
    known = now;
  });
}
