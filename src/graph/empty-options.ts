import { z } from 'zod';

/** The schema of a calculator without options. */
export const emptyOptions = z.object({});
