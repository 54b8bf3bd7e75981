import type { Tier } from "./storage.ts";
import type { BlobStat } from "./storage.ts";

/** What Azure tells of a blob, in an answer or in a listing. */
interface Found {
  contentLength?: number;
  createdOn?: Date;
  lastModified?: Date;
  immutabilityPolicyExpiresOn?: Date;
  legalHold?: boolean;
  accessTier?: string;
}

const TIERS: Readonly<Record<string, Tier>> = { Hot: "hot", Cool: "cool", Cold: "cold", Archive: "archive" };

/** A tier that this product does not know is left out: nothing is said of it. */
export function toStat(name: string, found: Found): BlobStat {
  const { contentLength = 0, createdOn, lastModified, immutabilityPolicyExpiresOn, legalHold, accessTier } = found;
  const tier = TIERS[accessTier ?? ""];
  return {
    name,
    sizeBytes: contentLength,
    createdAt: createdOn ?? lastModified ?? new Date(0),
    ...(immutabilityPolicyExpiresOn && { immutableUntil: immutabilityPolicyExpiresOn }),
    ...(legalHold === true && { legalHold }),
    ...(tier && { tier }),
  };
}

/** Azure's name of a tier. */
export function toAccessTier(tier: Tier): "Hot" | "Cool" | "Cold" | "Archive" {
  const names = { hot: "Hot", cool: "Cool", cold: "Cold", archive: "Archive" } as const;
  return names[tier];
}
