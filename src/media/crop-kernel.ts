import { CROP_KERNEL } from './crop-kernel-bytes.ts';
import type { Image } from './image.ts';

/** Of the global that Node has and its types do not declare. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** What crop-kernel.wat exports; addresses in bytes. */
interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): void };
  readonly setImage: (image: number, width: number, height: number, channels: number, isZero: number) => void;
  readonly crop: (columns: number, width: number, rows: number, height: number, levels: number, out: number) => void;
}

export type ByteImage = Image & { readonly data: Uint8Array };

/** A byte image and what is to be sampled of it. */
interface Sampling {
  readonly image: ByteImage;
  /** Source coordinates of each column in 1/32 pixels, x and y in turn. */
  readonly columns: Float64Array;
  /** The same of each row; a column's and a row's together are those of a pixel. */
  readonly rows: Float64Array;
  /** The first row of the image that is sampled, and the one behind the last. */
  readonly from: number;
  readonly to: number;
  /** Whether what is outside the image is black; else it is its edge. */
  readonly isZero: boolean;
  /** 32 bits for each brightness. */
  readonly levels: Int32Array;
}

const PAGE = 65536;
/** An image is stored from here. */
const IMAGE = 16;
/** Memory that is kept for the next call: an image of 1920 × 1080 in colours with a tensor of 1024 × 1024. */
const KEPT_BYTES = 20 * 2 ** 20;

const aligned = (size: number): number => Math.ceil(size / 16) * 16;

/**
 * The sampling of `Cropper` in WebAssembly. Of the last image it keeps what it has copied, since one frame is often cut several
 * times.
 */
export class CropKernel {
  readonly #exports: Exports;
  #image: WeakRef<Image> | undefined;
  /** Rows of the image that are in its memory. */
  #from = 0;
  #to = 0;

  constructor() {
    const module = new WebAssembly.Module(Buffer.from(CROP_KERNEL, 'base64'));
    this.#exports = new WebAssembly.Instance(module).exports as Exports;
  }

  /** @returns [rows, columns, 3], of each colour the value of `levels`; valid until the next call */
  sample(sampling: Sampling): Int32Array {
    const { image, columns, rows, isZero, levels } = sampling;
    const { memory, setImage, crop } = this.#exports;
    const columnsAt = aligned(IMAGE + image.data.byteLength + 8);
    const rowsAt = columnsAt + columns.byteLength;
    const levelsAt = rowsAt + rows.byteLength;
    const outAt = levelsAt + aligned(levels.byteLength);
    const [width, height] = [columns.length / 2, rows.length / 2];
    const size = width * height * 3;
    const missing = outAt + size * 4 - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    this.#load(sampling);
    const { buffer } = memory;
    new Float64Array(buffer, columnsAt, columns.length).set(columns);
    new Float64Array(buffer, rowsAt, rows.length).set(rows);
    new Int32Array(buffer, levelsAt, levels.length).set(levels);
    setImage(IMAGE, image.width, image.height, image.channels, isZero ? 1 : 0);
    crop(columnsAt, width, rowsAt, height, levelsAt, outAt);
    return new Int32Array(buffer, outAt, size);
  }

  /** Copies the rows that are not there yet. */
  #load({ image, from, to }: Sampling): void {
    if (this.#image?.deref() !== image) {
      this.#image = new WeakRef(image);
      this.#from = this.#to = from;
    }
    this.#copy(image, from, this.#from);
    this.#copy(image, this.#to, to);
    this.#from = Math.min(from, this.#from);
    this.#to = Math.max(to, this.#to);
  }

  #copy({ data, width, channels }: ByteImage, from: number, to: number): void {
    if (from >= to) return;
    const stride = width * channels;
    new Uint8Array(this.#exports.memory.buffer).set(data.subarray(from * stride, to * stride), IMAGE + from * stride);
  }
}

let kept: CropKernel | undefined;

/** The kernel of this process; one of its own for an image or output so large that its memory had better not be kept. */
export function kernelFor(imageBytes: number, outBytes: number): CropKernel {
  return imageBytes + outBytes > KEPT_BYTES ? new CropKernel() : (kept ??= new CropKernel());
}
