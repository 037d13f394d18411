/** What one run of a model holds of resources that runs share, in whatever host. */
export interface ResourceNeed {
  /** Higher numbers get fewer turns; 0 is as 1. */
  readonly priority: number;
  readonly resources: readonly { readonly name: string; readonly count: number }[];
}
