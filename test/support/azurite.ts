import { type AzuriteServer, startAzurite } from "../../local/servers/azurite.ts";

export type TestAzurite = AzuriteServer;

/** Azurite for one test file, in memory, on ports and with an account key of its own. */
export function startTestAzurite(): Promise<TestAzurite> {
  return startAzurite();
}
