import { MillraceError } from '../../base/errors.ts';
import { isDatatype, type Datatype } from '../../tensor/datatype.ts';
import type { TensorSpec } from '../../tensor/tensor.ts';

/** The datatype that an input has by its servable's metadata alone. Throws WRONG_DATATYPE where that does not know it. */
export function datatypeOf({ name, datatype }: TensorSpec, servable: string): Datatype {
  if (isDatatype(datatype)) return datatype;
  throw new MillraceError(
    'WRONG_DATATYPE',
    `input '${name}' of '${servable}' has no datatype in its metadata; send a V2 request that names one`,
    { details: { servable, tensor: name } },
  );
}
