import type { SourcePolicy } from "../core/policy-schema.ts";
import { type Context, vaultsOf } from "./context.ts";
import { type HoldsFound, readHolds } from "./hold.ts";

/** What is held of a source at `now`, from all of its vaults. Throws what the storage throws. */
export async function holdsOf(context: Context, source: SourcePolicy, now: Date): Promise<HoldsFound> {
  const trusted = await context.trustedKeys();
  return readHolds({ vaults: vaultsOf(context, source), source: source.name, trusted, now });
}
