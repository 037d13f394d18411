import type { DataPlane } from '../../serving/data-plane.ts';
import type { HealthCheckResponse } from '../wire/generated/grpc/health/v1/HealthCheckResponse.ts';
import type { Messages } from './messages.ts';
import type { Methods, StreamHandler } from './transport.ts';

/** How often a Watch looks again: readiness has no event. */
const WATCH_INTERVAL_MS = 1000;

type Status = 'SERVING' | 'NOT_SERVING';

/** grpc.health.v1: every service name stands for the server as a whole, as Triton has it. */
export function healthMethods(messages: Messages, dataPlane: DataPlane, watchIntervalMs = WATCH_INTERVAL_MS): Methods {
  const current = (): Status => (dataPlane.isReady() ? 'SERVING' : 'NOT_SERVING');
  const encode = messages.encoder<HealthCheckResponse>('grpc.health.v1.HealthCheckResponse');
  const decode = messages.decoder('grpc.health.v1.HealthCheckRequest');

  const watch: StreamHandler = (call) => {
    let last: Status | undefined;
    let timer: NodeJS.Timeout | undefined;
    const report = (): void => {
      const status = current();
      if (status === last) return;
      last = status;
      call.write(encode({ status }));
    };
    call.cancellation.onCancel(() => clearInterval(timer));
    return {
      onMessage: (message) => {
        decode(message);
        if (timer !== undefined) return;
        report();
        timer = setInterval(report, watchIntervalMs).unref();
      },
      // The one request of a server stream comes with the half-close; only the client's cancel ends a Watch.
      onHalfClose: () => {
        if (timer === undefined) call.end();
      },
      onDrain: () => {},
    };
  };

  return {
    '/grpc.health.v1.Health/Check': {
      kind: 'unary',
      handler: (call) => {
        decode(call.request);
        return encode({ status: current() });
      },
    },
    '/grpc.health.v1.Health/Watch': { kind: 'stream', handler: watch },
  };
}
