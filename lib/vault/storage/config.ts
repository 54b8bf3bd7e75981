/** How to reach a storage account: the endpoint's URL (managed identity, or a SAS in its query), or a connection string. */
export type AzureBlobEndpoint = { url: string } | { connectionString: string };

/** A vault of the policy with its references resolved: the strings are plain, and may be secret. */
export type ResolvedVaultConfig =
  | ({
      kind: "azure-blob";
      /** Holds the blobs; the state is kept in `<container>-state` beside it. */
      container: string;
      /** Every blob is created so that the storage keeps it for this long; it has to allow that. */
      immutableMs?: number;
    } & AzureBlobEndpoint)
  | {
      kind: "directory";
      /** Absolute, or relative to the working directory. Holds the folders `data`, `state` and `incoming`. */
      path: string;
    };
