import type { BlobClient, BlobServiceClient, ContainerClient } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import { openAccount } from "./azure-account.ts";
import { type AzureTuning, call, DEFAULT_TUNING } from "./azure-call.ts";
import { rememberedClock, serviceClock } from "./azure-clock.ts";
import { azureControls } from "./azure-controls.ts";
import { downloadBlob } from "./azure-download.ts";
import { listBlobItems } from "./azure-list.ts";
import { readUrls } from "./azure-read-url.ts";
import { toStat } from "./azure-stat.ts";
import { azureState } from "./azure-state.ts";
import { uploadBlob } from "./azure-upload.ts";
import { assertBlobName } from "./blob-name.ts";
import type { AzureBlobEndpoint } from "./config.ts";
import type { BlobStat, Storage, VaultStorage } from "./storage.ts";

/** State is small, and whoever holds a lease must hear soon that it can't be renewed. */
const STATE_DEADLINE_MS = 15_000;
const STATE_SUFFIX = "-state";
const MAX_CONTAINER_NAME = 63;

/**
 * A vault in a container of an Azure storage account with a flat namespace (hierarchical ones list in another order), and its
 * state in `<container>-state`. The identity that backs up needs to list and read, and to create blobs in the first; to
 * overwrite and delete only in the second.
 */
export async function openAzureBlobVault(
  label: string,
  config: AzureBlobEndpoint & { container: string; immutableMs?: number },
  tuning: AzureTuning = DEFAULT_TUNING,
): Promise<VaultStorage> {
  const stateName = config.container + STATE_SUFFIX;
  if (stateName.length > MAX_CONTAINER_NAME) {
    throw new AppError(
      "STORAGE_PATH_INVALID",
      `vault ${label}: container name ${JSON.stringify(config.container)} is too long`,
      {
        hint: `Use at most ${MAX_CONTAINER_NAME - STATE_SUFFIX.length} characters: the state goes to a container with "${STATE_SUFFIX}" added.`,
      },
    );
  }
  const account: BlobServiceClient = await openAccount(label, config, tuning);
  const data = account.getContainerClient(config.container);
  const state = account.getContainerClient(stateName);
  const clock = rememberedClock(() => serviceClock(label, data, tuning));
  const { immutableMs } = config;
  const immutableUntil = async () =>
    immutableMs === undefined ? undefined : new Date((await clock()).getTime() + immutableMs);
  return {
    data: azureStorage(label, data, tuning, { readUrlOf: readUrls(label, account, tuning), immutableUntil }),
    state: azureState(label, state, { ...tuning, deadlineMs: Math.min(tuning.deadlineMs, STATE_DEADLINE_MS) }),
    now: () => serviceClock(label, data, tuning),
    async prepare() {
      for (const container of [data, state]) await makeContainer(label, container, tuning);
    },
  };
}

interface AzureExtras {
  /** By which another account's service may read a blob. */
  readUrlOf: (blob: BlobClient) => Promise<string>;
  /** Undefined where blobs get no policy. */
  immutableUntil: () => Promise<Date | undefined>;
}

function azureStorage(
  label: string,
  container: ContainerClient,
  tuning: AzureTuning,
  { readUrlOf, immutableUntil }: AzureExtras,
): Storage {
  return {
    label,
    controls: azureControls(label, container, tuning),
    async create(name, data, options = {}) {
      assertBlobName(name);
      const target = { label, name, tuning, immutableUntil: await immutableUntil() };
      return uploadBlob(container.getBlockBlobClient(name), target, data, options);
    },
    async createFrom(name, source, data, options = {}) {
      assertBlobName(name);
      const sourceUrl = await source.readUrl?.(name);
      if (sourceUrl === undefined) return undefined;
      const target = { label, name, tuning, sourceUrl, immutableUntil: await immutableUntil() };
      return uploadBlob(container.getBlockBlobClient(name), target, data, options);
    },
    async readUrl(name) {
      assertBlobName(name);
      return readUrlOf(container.getBlobClient(name));
    },
    async stat(name) {
      assertBlobName(name);
      return statBlob(label, container, name, tuning);
    },
    async *read(name, range, options = {}) {
      assertBlobName(name);
      yield* downloadBlob(container.getBlockBlobClient(name), { label, name, tuning }, range, options);
    },
    async *list(prefix, options = {}) {
      const request = { label, action: "list blobs", signal: options.signal };
      for await (const { name, properties } of listBlobItems(container, request, tuning, prefix)) {
        if (name <= (options.after ?? "")) continue;
        yield toStat(name, properties);
      }
    },
    async remove(name) {
      assertBlobName(name);
      await removeBlob(label, container, name, tuning);
    },
  };
}

async function statBlob(
  label: string,
  container: ContainerClient,
  name: string,
  tuning: AzureTuning,
): Promise<BlobStat | undefined> {
  try {
    const request = { label, action: "look up blob", name };
    const found = await call(request, tuning, (abortSignal) =>
      container.getBlobClient(name).getProperties({ abortSignal }),
    );
    return toStat(name, found);
  } catch (error: unknown) {
    if (error instanceof AppError && error.code === "BLOB_MISSING") return undefined;
    throw error;
  }
}

async function removeBlob(label: string, container: ContainerClient, name: string, tuning: AzureTuning): Promise<void> {
  try {
    const request = { label, action: "remove blob", name };
    await call(request, tuning, (abortSignal) => container.getBlobClient(name).delete({ abortSignal }));
  } catch (error: unknown) {
    if (!(error instanceof AppError && error.code === "BLOB_MISSING")) throw error;
  }
}

/** Asks first: an identity without the right to make containers is fine where they exist. */
async function makeContainer(label: string, container: ContainerClient, tuning: AzureTuning): Promise<void> {
  const request = { label, action: `make the container ${container.containerName}` };
  await call(request, tuning, async (abortSignal) => {
    if (await container.exists({ abortSignal })) return;
    await container.createIfNotExists({ abortSignal });
  });
}
