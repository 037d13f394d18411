/** Bytes of a registered shared memory region that stand in the place of a tensor's data. */
export interface SharedBytes {
  /** The name that the region was registered under. */
  readonly region: string;
  /** Bytes from the beginning of the region. */
  readonly offset: number;
  readonly byteSize: number;
  /** Where the region is; undefined until it was looked up. */
  readonly file?: SharedFile | undefined;
}

/** The file that holds a region. */
export interface SharedFile {
  readonly path: string;
  /** Device and inode, "dev:ino": the path may come to mean another file once the region is gone. */
  readonly id: string;
  /** Where in the file the region begins, in bytes. */
  readonly start: number;
}

/** What a tensor has as `data` while its bytes are shared. */
export const NO_DATA = new Uint8Array(0);

interface MayShare {
  readonly inputs: readonly { readonly shared?: SharedBytes | undefined }[];
  readonly outputs: readonly { readonly shared?: SharedBytes | undefined }[];
}

/** Whether an input or requested output of the request is in shared memory. */
export function sharesMemory({ inputs, outputs }: MayShare): boolean {
  for (const input of inputs) if (input.shared !== undefined) return true;
  for (const output of outputs) if (output.shared !== undefined) return true;
  return false;
}
