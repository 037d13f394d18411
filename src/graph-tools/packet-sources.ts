import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { messageOf } from '../base/errors.ts';
import { fileFault } from '../base/file-fault.ts';
import { toImage } from '../media/image.ts';
import { GraphError, nextTimestamp, type Packet } from '../graph/index.ts';
import { packetValue, type InputPort } from '../host/graph/ports.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { atLine, parsePacketLine } from './packet-lines.ts';

const LINE_FILES = ['.jsonl', '.ndjson', '.json'];

/**
 * The packets that files hold for one graph input, one file after another: lines of JSON, or an image (JPEG, PNG, WebP …)
 * as one packet. A packet without a timestamp has the one before + 1, from 0.
 * @throws GraphError naming file and line
 */
export async function* packetsOfFiles(files: readonly string[], port: InputPort): AsyncGenerator<Packet> {
  let next = 0n;
  for (const file of files) {
    const packets = LINE_FILES.includes(extname(file).toLowerCase())
      ? linesOf(file, port, next)
      : imageOf(file, port, next);
    for await (const packet of packets) {
      next = nextTimestamp(packet.timestamp);
      yield packet;
    }
  }
}

async function* linesOf(file: string, port: InputPort, first: bigint): AsyncGenerator<Packet> {
  const input = createReadStream(file);
  let number = 0;
  let next = first;
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number++;
      if (line.trim() === '') continue;
      const packet = parsePacketLine(line, port, next);
      next = nextTimestamp(packet.timestamp);
      yield packet;
    }
  } catch (error) {
    throw number === 0
      ? new GraphError('NOT_FOUND', `cannot read ${file}: ${fileFault(error)}`)
      : atLine(file, number, error);
  } finally {
    input.destroy();
  }
}

async function* imageOf(file: string, port: InputPort, timestamp: bigint): AsyncGenerator<Packet> {
  let tensor: Tensor;
  try {
    const { default: sharp } = await import('sharp');
    const { data, info } = await sharp(file)
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    tensor = { name: port.name, datatype: 'UINT8', shape: [info.height, info.width, info.channels], data };
  } catch (error) {
    const expected = `a file of JSON lines (${LINE_FILES.join(', ')}) or an image expected`;
    throw new GraphError('INVALID_ARGUMENT', `cannot read ${file}: ${messageOf(error)}; ${expected}`);
  }
  yield { timestamp, value: port.form === 'image' ? toImage(tensor) : packetValue(port, tensor) };
}

/** A packet and the graph input that it is for. */
export interface InputPacket {
  readonly stream: string;
  readonly packet: Packet;
}

/** The packets of several inputs in the order of their timestamps; at one timestamp, in the order of the inputs. */
export async function* inOrderOfTime(inputs: ReadonlyMap<string, AsyncGenerator<Packet>>): AsyncGenerator<InputPacket> {
  const heads: { readonly stream: string; readonly rest: AsyncGenerator<Packet>; packet: Packet }[] = [];
  try {
    for (const [stream, rest] of inputs) {
      const head = await rest.next();
      if (head.done !== true) heads.push({ stream, rest, packet: head.value });
    }
    for (;;) {
      let first = heads[0];
      for (const head of heads) if (first !== undefined && head.packet.timestamp < first.packet.timestamp) first = head;
      if (first === undefined) return;
      yield { stream: first.stream, packet: first.packet };
      const head = await first.rest.next();
      if (head.done === true) heads.splice(heads.indexOf(first), 1);
      else first.packet = head.value;
    }
  } finally {
    for (const rest of inputs.values()) await rest.return(undefined);
  }
}
