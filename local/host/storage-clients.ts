import { BlobServiceClient, type ContainerClient } from "@azure/storage-blob";
import { type QueueClient, QueueServiceClient } from "@azure/storage-queue";

// A loop that polls anyway needs no long retries below it; they would only delay its own log line and the host's stop.
const RETRY = { retryOptions: { maxTries: 2, tryTimeoutInMs: 30_000, retryDelayInMs: 200 } };

/** A queue of the account that the connection string names. */
export function queueClient(connectionString: string, queueName: string): QueueClient {
  return QueueServiceClient.fromConnectionString(connectionString, RETRY).getQueueClient(queueName);
}

/** The container in which a Functions host keeps its locks and the state of its timers. */
export function hostContainer(connectionString: string): ContainerClient {
  return BlobServiceClient.fromConnectionString(connectionString, RETRY).getContainerClient("azure-webjobs-hosts");
}

/** HTTP status of a failed storage request; undefined when there was no answer at all. */
export function storageStatus(error: unknown): number | undefined {
  return error instanceof Error && "statusCode" in error && typeof error.statusCode === "number"
    ? error.statusCode
    : undefined;
}
