import type { HostClient } from '../ipc/host-client.ts';
import { JAVASCRIPT, type HostSlot, type OwnHosts } from './host-pool.ts';
import type { ServableSpec } from './servable-spec.ts';

/** A host's own answer, that a load takes too long, has precedence. */
const LOAD_GRACE_MS = 2000;

/** The hosts of its own that a servable asks for; undefined: it goes to the shared ones. */
export function ownHosts(spec: ServableSpec): OwnHosts | undefined {
  if (spec.kind === 'model' || spec.kind === 'ensemble') return undefined;
  const { name } = spec;
  if (spec.kind === 'graph') return spec.isolation === 'own' ? { name, program: JAVASCRIPT, count: 1 } : undefined;
  const { language, python, instances, hostGroup: group } = spec;
  if (spec.isolation !== 'own' && language === 'javascript') return undefined;
  // A process is its interpreter; where each of its servables imports from comes with the load.
  const interpreter = python?.interpreter;
  const program = language === 'python' ? { language, python: { interpreter, importPaths: [] } } : JAVASCRIPT;
  return { name, program, count: instances, group };
}

/** A runtime alone in its host that does not even answer in time: its module, or its `load`, never returns. */
export function limitLoad(spec: ServableSpec, slot: HostSlot, client: HostClient): NodeJS.Timeout | undefined {
  if (spec.kind !== 'runtime' || spec.loadTimeoutMs === 0) return undefined;
  const ms = spec.loadTimeoutMs;
  return setTimeout(() => {
    if (slot.client === client) slot.kill(`it did not load within ${ms} ms (load_timeout_ms) and its host was killed`);
  }, ms + LOAD_GRACE_MS).unref();
}

/** A graph, or a runtime, alone in its host: what keeps that silent is a call of its code. */
export function limitCalls(spec: ServableSpec, slot: HostSlot): void {
  if (spec.kind === 'model' || spec.kind === 'ensemble' || spec.isolation !== 'own') return;
  const { callDeadlineMs } = spec;
  if (spec.kind === 'runtime' && callDeadlineMs === 0) return;
  slot.limitSilence(
    callDeadlineMs,
    `a call of its code did not return within ${callDeadlineMs} ms (call_deadline_ms) and its host was killed`,
  );
}
