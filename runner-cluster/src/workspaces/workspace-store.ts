/** What the platform records beside an upload. `tree` is the git tree that a bundle restores. */
export type UploadMeta =
  | { readonly kind: "zip"; readonly sizeBytes: number; readonly fileCount: number }
  | { readonly kind: "bundle"; readonly sizeBytes: number; readonly tree: string };

/**
 * Where an attempt's archives go and where the files of earlier runs come from. The edge client
 * implements it: equal parts, bounded retries, an abandoned upload is aborted.
 */
export interface WorkspaceStore {
  /** Uploads the file, whose size does not change meanwhile; answers its key. */
  upload(file: string, meta: UploadMeta): Promise<{ readonly key: string }>;
  /** Writes the bundle that the claim named to `file`; false when the platform has none. */
  downloadBundle(file: string): Promise<boolean>;
}
