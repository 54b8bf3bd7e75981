import { randomUUID } from "node:crypto";
import type { ContainerClient } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import { assertStateKey } from "./blob-name.ts";
import { type AzureRequest, type AzureTuning, call } from "./azure-call.ts";
import { listBlobItems } from "./azure-list.ts";
import { lookUpWrite, wasRefusedForExisting } from "./azure-write.ts";
import { stateConflict } from "./outcomes.ts";
import type { StateStore } from "./storage.ts";

/** One blob a record, with Azure's etags and conditions. */
export function azureState(label: string, container: ContainerClient, tuning: AzureTuning): StateStore {
  const requestOf = (action: string, key: string): AzureRequest => ({
    label,
    action: `${action} state record`,
    name: key,
  });
  return {
    async get(key) {
      assertStateKey(key);
      try {
        return await call(requestOf("read", key), tuning, async (abortSignal) => {
          const response = await container.getBlobClient(key).download(0, undefined, { abortSignal });
          const pieces = await Array.fromAsync(response.readableStreamBody ?? [], (piece) => Buffer.from(piece));
          return { value: Buffer.concat(pieces), etag: response.etag ?? "" };
        });
      } catch (error: unknown) {
        if (error instanceof AppError && error.code === "BLOB_MISSING") return undefined;
        throw error;
      }
    },

    async put(key, value, condition) {
      assertStateKey(key);
      const request = requestOf("write", key);
      const client = container.getBlockBlobClient(key);
      const conditions = condition === "absent" ? { ifNoneMatch: "*" } : { ifMatch: condition.etag };
      const writeId = randomUUID();
      try {
        const { etag } = await call(request, tuning, (abortSignal) =>
          client.upload(value, value.length, { abortSignal, conditions, metadata: { write: writeId } }),
        );
        return etag ?? "";
      } catch (error: unknown) {
        if (error instanceof AppError && error.code === "BLOB_MISSING") throw stateConflict(label, key, error);
        if (!wasRefusedForExisting(error)) throw error;
        // Ours, when an answer was lost and the client repeated the request.
        const found = await lookUpWrite(client, request, tuning);
        if (found?.writeId === writeId && found.etag !== undefined) return found.etag;
        throw stateConflict(label, key, error);
      }
    },

    async remove(key, etag) {
      assertStateKey(key);
      const request = requestOf("remove", key);
      const client = container.getBlockBlobClient(key);
      const options = etag === undefined ? {} : { conditions: { ifMatch: etag } };
      try {
        await call(request, tuning, (abortSignal) => client.delete({ ...options, abortSignal }));
      } catch (error: unknown) {
        if (error instanceof AppError && error.code === "BLOB_MISSING") return;
        if (!wasRefusedForExisting(error)) throw error;
        // A condition on a record that is gone fails as well; it may be this very request, repeated, that removed it.
        if ((await lookUpWrite(client, request, tuning)) !== undefined) throw stateConflict(label, key, error);
      }
    },

    async *list(prefix) {
      for await (const item of listBlobItems(container, { label, action: "list the state" }, tuning, prefix))
        yield item.name;
    },
  };
}
