import { z } from 'zod';
import { anyPacket, defineCalculator, enumOption, repeated, type PacketType } from '../../graph/index.ts';
import { classificationList, landmarkList, matrix, timeSeriesHeader } from '../message-types.ts';
import { bool, float, int, string, uint64 } from './packet-types.ts';

const classifications = z.object({
  classification: z
    .array(
      z.object({
        index: z.int().default(0),
        score: z.number().default(0),
        label: z.string().optional(),
        displayName: z.string().optional(),
      }),
    )
    .default([]),
});

const landmarks = z.object({
  landmark: z
    .array(
      z.object({
        x: z.number().default(0),
        y: z.number().default(0),
        z: z.number().default(0),
        visibility: z.number().optional(),
        presence: z.number().optional(),
      }),
    )
    .default([]),
});

const matrixData = z
  .object({
    rows: z.int().min(0).default(0),
    cols: z.int().min(0).default(0),
    packedData: z.array(z.number()).default([]),
    layout: enumOption({ COLUMN_MAJOR: 0, ROW_MAJOR: 1 }).default('COLUMN_MAJOR'),
  })
  .refine(
    ({ rows, cols, packedData }) => packedData.length === rows * cols,
    'rows · cols numbers of packed_data expected',
  );

const seriesHeader = z
  .object({
    sampleRate: z.number(),
    numChannels: z.int(),
    numSamples: z.int(),
    packetRate: z.number(),
    audioSampleRate: z.number(),
  })
  .partial();

/** Infinite ones and NaN too. */
const anyNumber = z.custom<number>((value) => typeof value === 'number', 'a number expected');

const constant = z
  .object({
    intValue: z.int32(),
    int64Value: z
      .bigint()
      .min(-(2n ** 63n))
      .max(2n ** 63n - 1n),
    uint64Value: z
      .bigint()
      .min(0n)
      .max(2n ** 64n - 1n),
    floatValue: anyNumber,
    doubleValue: anyNumber,
    boolValue: z.boolean(),
    stringValue: z.string(),
    classificationListValue: classifications,
    landmarkListValue: landmarks,
    matrixDataValue: matrixData,
    timeSeriesHeaderValue: seriesHeader,
  })
  .partial();

const TYPES: Readonly<Record<keyof z.infer<typeof constant>, PacketType>> = {
  intValue: int,
  int64Value: int,
  uint64Value: uint64,
  floatValue: float,
  doubleValue: float,
  boolValue: bool,
  stringValue: string,
  classificationListValue: classificationList,
  landmarkListValue: landmarkList,
  matrixDataValue: matrix,
  timeSeriesHeaderValue: timeSeriesHeader,
};

/**
 * Side packets with the values of its options, one `packet` per PACKET output. Lists, `matrix_data_value` and
 * `time_series_header_value` are messages.
 *
 * node { calculator: "ConstantSidePacketCalculator" output_side_packet: "PACKET:limit"
 *        options { [mediapipe.ConstantSidePacketCalculatorOptions.ext] { packet { int_value: 3 } } } }
 */
export const constantSidePacket = defineCalculator({
  name: 'ConstantSidePacketCalculator',
  options: z.object({
    packet: z.array(constant).default([]).describe('The values, each one field of its type, such as `int_value`.'),
  }),
  outputSidePackets: { PACKET: repeated(anyPacket, { min: 0 }) },
  check({ packet }) {
    return packet.every((fields) => Object.keys(fields).length === 1)
      ? undefined
      : 'each packet needs exactly one value';
  },
  contract({ options, outputSidePackets, fail }) {
    const count = outputSidePackets.count('PACKET');
    if (options.packet.length !== count) fail(`${options.packet.length} values for ${count} side packets`);
    options.packet.forEach((fields, at) => {
      const [field] = Object.keys(fields) as (keyof typeof fields)[];
      const port = outputSidePackets.get('PACKET', at);
      if (field !== undefined && port !== undefined) port.type = TYPES[field];
    });
  },
  open({ options, outputSidePackets }) {
    options.packet.forEach((fields, at) => outputSidePackets.PACKET[at]?.set(valueOf(fields)));
  },
});

/** The value of the one field that is given, in the form in which packets carry it. */
function valueOf(fields: z.infer<typeof constant>): unknown {
  if (fields.classificationListValue !== undefined) return fields.classificationListValue.classification;
  if (fields.landmarkListValue !== undefined) return fields.landmarkListValue.landmark;
  if (fields.matrixDataValue !== undefined) return byColumns(fields.matrixDataValue);
  return Object.values(fields)[0];
}

function byColumns({ rows, cols, packedData, layout }: z.infer<typeof matrixData>) {
  const data = new Float32Array(rows * cols);
  packedData.forEach((value, at) => {
    const place = layout === 'COLUMN_MAJOR' ? at : (at % cols) * rows + Math.floor(at / cols);
    data[place] = value;
  });
  return { rows, columns: cols, data };
}
