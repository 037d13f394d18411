import { z } from 'zod';
import { DATATYPES, type Datatype } from '../../tensor/datatype.ts';

export const datatypeOption = z.enum(DATATYPES as [Datatype, ...Datatype[]]).describe('A KServe v2 datatype.');

/** A tensor as an option message: `{ name: "INPUT0" datatype: "FP32" shape: -1 shape: 16 }`. */
export const tensorSpecOption = z.object({
  name: z.string().min(1).describe('The tensor as requests name it.'),
  datatype: datatypeOption,
  shape: z.array(z.int().min(-1)).default([]).describe('Its dimensions; −1 for any size.'),
});
