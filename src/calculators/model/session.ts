import { z } from 'zod';
import { messageOf, MillraceError } from '../../base/errors.ts';
import { defineCalculator } from '../../graph/index.ts';
import { MODEL_SERVICE, type ModelService } from '../../runtime/model-service.ts';
import { sessionPacket } from '../packet-types.ts';

const sessionOptions = z.object({
  servableName: z.string().min(1).describe('Name of a model of this server.'),
  servableVersion: z.string().default('').describe('Its version; "" or "0" for the default one.'),
  serverConfig: z.string().default('').describe("Ignored: OVMS's, for graphs outside a server."),
  serviceUrl: z.string().default('').describe('Not supported: a model on another server.'),
});

export type SessionOptions = z.infer<typeof sessionOptions>;

/**
 * Hands a model of this server to `OpenVINOInferenceCalculator` nodes. OVMS's name, so that its graph files run unchanged;
 * the model is an ONNX file here.
 *
 * node {
 *   calculator: "OpenVINOModelServerSessionCalculator"
 *   output_side_packet: "SESSION:session"
 *   node_options {
 *     [type.googleapis.com/mediapipe.OpenVINOModelServerSessionCalculatorOptions] { servable_name: "sensor_gru" }
 *   }
 * }
 */
export const modelSession = defineCalculator({
  name: 'OpenVINOModelServerSessionCalculator',
  options: sessionOptions,
  outputSidePackets: { SESSION: sessionPacket },
  services: [MODEL_SERVICE],
  check({ serviceUrl }) {
    return serviceUrl === '' ? undefined : 'service_url is not supported; load the model into this server';
  },
  open(context) {
    const { servableName: name, servableVersion } = context.options;
    const version = servableVersion === '0' ? '' : servableVersion;
    const models = context.service<ModelService>(MODEL_SERVICE);
    try {
      context.outputSidePackets.SESSION.set(models.session(name, version));
    } catch (error) {
      const which = version === '' ? `servable "${name}"` : `servable "${name}" version ${version}`;
      throw new MillraceError('GRAPH_START_FAILED', `${which} failed to load the model: ${messageOf(error)}`, {
        details: { model: name, version },
        cause: error,
      });
    }
    return { process: (node) => node.stop() }; // a node without inputs counts as a source, until it stops
  },
});
