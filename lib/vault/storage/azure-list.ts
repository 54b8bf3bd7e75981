import type { BlobItem, ContainerClient } from "@azure/storage-blob";
import { type AzureRequest, type AzureTuning, call } from "./azure-call.ts";

/** Azure's own maximum. */
const PAGE_ITEMS = 5000;

const INCLUDED = { includeImmutabilityPolicy: true, includeLegalHold: true };

/** In the order of names, which is Azure's, a page in memory at a time. */
export async function* listBlobItems(
  container: ContainerClient,
  request: AzureRequest,
  tuning: AzureTuning,
  prefix: string,
): AsyncGenerator<BlobItem, void, undefined> {
  let continuationToken: string | undefined;
  do {
    const token = continuationToken;
    const page = await call(request, tuning, async (abortSignal) => {
      const settings = { maxPageSize: PAGE_ITEMS, ...(token === undefined ? {} : { continuationToken: token }) };
      return container
        .listBlobsFlat({ ...INCLUDED, prefix, abortSignal })
        .byPage(settings)
        .next();
    });
    if (page.done === true) return;
    yield* page.value.segment.blobItems;
    continuationToken = page.value.continuationToken;
  } while (continuationToken !== undefined && continuationToken !== "");
}
