import { output } from "@azure/functions";

export const JOBS_QUEUE = "jobs";

/** The app's own storage account, also on a machine with Azurite. */
export const STORAGE_CONNECTION = "AzureWebJobsStorage";

/** Output binding that puts one message on the queue for each element of an array. */
export const jobsQueue = output.storageQueue({ queueName: JOBS_QUEUE, connection: STORAGE_CONNECTION });
