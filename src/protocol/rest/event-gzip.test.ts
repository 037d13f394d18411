import { createGunzip, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventGzip } from './event-gzip.ts';

describe('EventGzip', () => {
  it('makes one gzip stream of any events', () => {
    const event = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.string({ minLength: 1, unit: 'grapheme', maxLength: 8000 }),
      fc.constant('data: '.repeat(2000)),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 12 }), (events) => {
        const gzip = new EventGzip();
        const bytes = Buffer.concat([...events.map((each) => gzip.write(each)), gzip.end()]);
        expect(gunzipSync(bytes).toString()).toBe(Buffer.from(events.join('')).toString());
      }),
      { numRuns: 60 },
    );
  });

  it('shows each event as soon as its bytes are there, and packs what repeats', async () => {
    const gzip = new EventGzip();
    const gunzip = createGunzip();
    let packed = 0;
    for (let i = 0; i < 50; i++) {
      const event = `data: {"model_name":"text-model","outputs":[{"name":"output","data":["word ${i}"]}]}\n\n`;
      const bytes = gzip.write(event);
      packed += bytes.length;
      gunzip.write(bytes);
      const chunk = await new Promise<Buffer>((resolve) => gunzip.once('data', resolve));
      expect(chunk.toString()).toBe(event);
    }
    expect(packed).toBeLessThan(50 * 25);
    gunzip.destroy();
  });
});
