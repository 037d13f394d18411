import { setFlagsFromString } from 'node:v8';

/**
 * Lets the heap of this process, the front or a host, grow to four times what lives in it before V8 marks it anew. V8 chooses the
 * share by its own speed, and that is the most that it would choose. The memory of big tensors counts too: at the least that
 * it would choose two of 6 MB are enough, and marking takes more time than all else. For the start of a process.
 */
export function letHeapGrow(): void {
  setFlagsFromString('--heap-growing-percent=300');
}
