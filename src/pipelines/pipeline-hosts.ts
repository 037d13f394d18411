import type { SessionPort, SessionSink } from '../ipc/session.ts';
import type { ServableSpec } from '../serving/servable-spec.ts';

/** What pipelines need of serving: a host that has the servable. */
export interface PipelineHosts {
  /** Whether there is a servable of that name, ready or not. */
  hasServable(name: string): boolean;
  /** What a servable that can be used now is made of. @throws MillraceError SERVABLE_NOT_FOUND, SERVABLE_NOT_READY */
  specOf(servable: string, version: string): ServableSpec;
  /** @throws MillraceError SERVABLE_NOT_FOUND, SERVABLE_NOT_READY */
  openPipeline(
    servable: string,
    version: string,
    programOf: (spec: ServableSpec) => object,
    sink: SessionSink,
  ): SessionPort;
}
