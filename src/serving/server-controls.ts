import { SharedMemoryRegions, type SharedMemory } from '../shared-memory/regions.ts';
import { LogSettingsService } from './log-settings.ts';
import { TraceSettings } from './trace-settings.ts';

/** What clients may set of the server itself: Triton's extensions beside inference. */
export interface ServerControls {
  readonly sharedMemory: SharedMemory;
  readonly log: LogSettingsService;
  readonly trace: TraceSettings;
}

/** Nothing can be set. */
export function noControls(): ServerControls {
  return {
    sharedMemory: new SharedMemoryRegions({ isEnabled: false }),
    log: new LogSettingsService(undefined),
    trace: new TraceSettings(() => false),
  };
}
