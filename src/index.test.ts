import { expect, test } from 'vitest';
import * as millrace from './index.ts';

test('the public names are these', () => {
  expect(Object.keys(millrace).sort()).toEqual([
    'GraphError',
    'JsonParameter',
    'MillraceError',
    'PacketType',
    'Timestamp',
    'Uint64',
    'anyPacket',
    'decodeBytes',
    'decodeInput',
    'decodeRequest',
    'defineCalculator',
    'defineRuntime',
    'defineScript',
    'defineStatusHandler',
    'encodeBytes',
    'encodeOutput',
    'encodeResponse',
    'imagePacket',
    'oneOf',
    'optional',
    'repeated',
    'requestPacket',
    'responsePacket',
    'runCalculator',
    'sameAs',
    'tensorOf',
    'tensorPacket',
    'tensorsPacket',
    'textData',
    'typedData',
    'z',
  ]);
});
