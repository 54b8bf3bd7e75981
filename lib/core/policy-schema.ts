import { z } from "zod";
import { parseBytes } from "./bytes.ts";
import { parseDuration } from "./time.ts";
import { calendarSchema } from "./calendar-policy.ts";
import { pricesSchema, RETENTION_DEFAULTS, retentionSchema } from "./retention-policy.ts";
import { parseSchedule } from "./schedule.ts";

// One schema for everything: it validates, types, and generates docs/policy.schema.json for editors.

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "expected lower-case letters, digits and hyphens, 63 at most")
  .describe("Lower-case letters, digits and hyphens; it becomes part of blob names.");

const reference = z
  .union(
    [
      z.strictObject({ env: z.string().min(1) }).describe("The value of this environment variable."),
      z.strictObject({ secret: z.string().min(1) }).describe("The value of this secret in the policy's Key Vault."),
    ],
    'expected {"env": "NAME"} or {"secret": "NAME"}',
  )
  .describe("A secret is never written in the policy: it is named, as an environment variable or a Key Vault secret.");

const duration = z
  .string()
  .refine(isAccepted(parseDuration), 'expected a duration such as "15m", "1h" or "7d"')
  .describe('A duration: "90s", "15m", "1h", "7d".');

const size = z
  .string()
  .refine(isAccepted(parseBytes), 'expected a size such as "500MB" or "2TB"')
  .describe('A size in powers of ten: "500MB", "200GB", "2TB".');

const schedule = z
  .string()
  .refine(isAccepted(parseSchedule), 'expected an NCRONTAB schedule with six fields such as "0 0 3 * * *"')
  .describe("NCRONTAB with six fields (second first), in UTC.");

const azureBlobVault = z.strictObject({
  kind: z.literal("azure-blob"),
  url: reference.optional().describe("Account URL (managed identity), or a URL with a SAS."),
  connectionString: reference.optional().describe("For Azurite; on Azure use the URL and an identity."),
  container: z.string().regex(/^[a-z0-9](?:-?[a-z0-9]){2,62}$/, "expected an Azure container name"),
  immutable: duration
    .optional()
    .describe(
      "Create every blob with a locked immutability policy for this long: nobody can remove or change it before. The container needs version-level immutability.",
    ),
});

const directoryVault = z.strictObject({
  kind: z.literal("directory"),
  path: z.string().min(1).describe("A folder; relative paths start at the policy's folder."),
});

const vault = z
  .discriminatedUnion("kind", [azureBlobVault, directoryVault])
  .refine(
    (value) => value.kind !== "azure-blob" || (value.url === undefined) !== (value.connectionString === undefined),
    {
      error: "expected exactly one of url and connectionString",
    },
  );

const fileKey = z.strictObject({
  kind: z.literal("file"),
  publicKey: z.string().min(1).describe("Path of a PEM file."),
  privateKey: reference
    .optional()
    .describe("Names the PEM text, or the path of a PEM file. Leave it out where nothing is to be decrypted."),
});

const keyVaultKey = z.strictObject({
  kind: z.literal("key-vault"),
  keyUrl: z.url().describe("https://NAME.vault.azure.net/keys/KEY, with or without a version."),
  keyId: z
    .string()
    .regex(/^[0-9a-f]{32}$/, "expected a key id, 32 hex digits")
    .optional()
    .describe(
      "The id of the key to believe, as `resguardo check` shows it: with it, a process that starts while Key Vault is down still knows the public keys, from the vaults.",
    ),
});

const key = z.discriminatedUnion("kind", [fileKey, keyVaultKey]);

const keys = z.strictObject({
  encrypt: key.describe("RSA key whose public half wraps each backup's data key."),
  breakGlass: z
    .strictObject({ publicKey: z.string().min(1) })
    .describe("Second recipient; its private half lies in a safe."),
  sign: key.describe("EC P-256 key that certifies the session keys that sign manifests and receipts."),
  previous: z
    .array(key)
    .default([])
    .describe(
      "Encryption keys that came before `encrypt`: they open what `resguardo keys rotate` has not wrapped for it yet.",
    ),
  graceAfterExpiry: duration
    .default("3d")
    .describe(
      "How long a session key goes on signing after its day when it can't be renewed: an alert, and no stop. `0s` stops.",
    ),
});

const restoreTest = z.strictObject({
  kind: z
    .enum(["from-zero", "pitr"])
    .describe(
      "Both restore the newest instant: pitr from the first vault that has it, from-zero from the source's last vault alone.",
    ),
  schedule,
  target: reference.describe("URL of a scratch server. A restore test drops what it made there, and nothing else."),
});

const mysqlSource = z.strictObject({
  name,
  kind: z.literal("mysql"),
  url: reference.describe("mysql://USER:PASSWORD@HOST:PORT/?ssl-ca=PATH"),
  databases: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Default: every schema that is not the server's own."),
  excludeTables: z.array(z.string().regex(/^[^.]+\..+$/, 'expected "schema.table"')).default([]),
  users: z.boolean().default(false).describe("Also back up accounts and grants."),
  connections: z.int().min(1).max(32).default(2).describe("Connections that read rows at the same time."),
  vaults: z.array(name).min(1),
  rpo: duration,
  rto: duration,
  tag: z.string().max(200).optional().describe("Commit or tag of the application, kept in each manifest."),
  schedule: z.strictObject({
    full: schedule,
    ship: schedule
      .optional()
      .describe("Log shipping; until it runs, the RPO is the time between two fulls, and freshness says so."),
    verify: schedule.optional(),
    retention: schedule.default("0 0 4 * * *").describe("When what is older than `retention` says is removed."),
  }),
  log: z
    .strictObject({
      segmentEvery: duration
        .default("10s")
        .describe("How often what was shipped becomes durable: the RPO while shipping runs."),
      compactAfter: duration
        .or(z.literal("never"))
        .default("1d")
        .describe(
          "When segments of an hour are merged into one blob, so that a restore opens hundreds and not thousands.",
        ),
      heartbeatTable: z
        .boolean()
        .default(false)
        .describe(
          "Write resguardo.heartbeat on the source once a minute; the account needs CREATE, INSERT and UPDATE there. Where `databases` names what to back up, name resguardo too, once it is there: drills then tell the RPO that the restored rows show.",
        ),
    })
    .prefault({})
    .describe("How schedule.ship ships the log."),
  retention: retentionSchema(duration, RETENTION_DEFAULTS.mysql),
  verify: z
    .strictObject({
      maxBytesPerDay: size.default("200GB").describe("Most that is read back in a day (UTC), of all vaults together."),
      maxMinutesPerDay: z.int().min(1).max(1440).default(120).describe("Most time that is spent on it in a day."),
      provenWithin: duration
        .default("30d")
        .describe(
          "A promise: whatever stands in a vault was read back and proven not longer ago. Else it is breached.",
        ),
      heal: z
        .boolean()
        .default(true)
        .describe("Replace what is damaged in one vault by what another one has; needs the right to delete."),
    })
    .prefault({})
    .describe("How schedule.verify proves what lies in the vaults, what was not proven for longest first."),
  restoreTests: z.array(restoreTest).default([]),
  probe: reference
    .optional()
    .describe(
      "URL of the service that lives on this source, `/healthz` for instance. The timer `watch` asks it each minute; availability is counted from what it answered.",
    ),
});

const webhook = z.strictObject({
  url: reference,
  secret: reference.describe("Shared secret of the HMAC-SHA256 signature in the header x-resguardo-signature."),
});

/** The shape of a policy, from which docs/policy.schema.json is generated. */
export const policySchema = z.strictObject({
  $schema: z.string().optional(),
  environment: name,
  keyVault: z.url().optional().describe('Key Vault that holds what {"secret": NAME} names.'),
  vaults: z.record(name, vault).refine((value) => Object.keys(value).length > 0, "expected at least one vault"),
  keys,
  sources: z.array(z.discriminatedUnion("kind", [mysqlSource])).min(1),
  prices: pricesSchema,
  calendar: calendarSchema(duration),
  alerts: z.strictObject({ webhook: webhook.optional() }).default({}),
});

const looseSource = z.object({ name: z.string().catch(""), vaults: z.array(z.string()).catch([]) });

/** What one field says of another, read loosely: it is checked even where other fields are wrong. */
export const crossReferences = z
  .object({
    vaults: z.record(z.string(), z.unknown()).catch({}),
    sources: z.array(looseSource.catch({ name: "", vaults: [] })).catch([]),
  })
  .superRefine(({ vaults, sources }, context) => {
    for (const [index, source] of sources.entries()) {
      const report = (message: string, ...path: PropertyKey[]): void =>
        context.addIssue({ code: "custom", path: ["sources", index, ...path], message });
      const isTaken = sources.findIndex(({ name: other }) => other === source.name) < index;
      if (source.name !== "" && isTaken) report("used twice", "name");
      for (const [position, wanted] of source.vaults.entries()) {
        if (!Object.hasOwn(vaults, wanted)) report("no vault of that name", "vaults", position);
        if (source.vaults.indexOf(wanted) < position) report("named twice", "vaults", position);
      }
    }
  });

export type Policy = Readonly<z.output<typeof policySchema>>;
export type SourcePolicy = Policy["sources"][number];
export type VaultPolicy = Policy["vaults"][string];
export type KeyPolicy = Policy["keys"]["encrypt"];
export type RestoreTestPolicy = SourcePolicy["restoreTests"][number];
/** A secret by name: `{ "env": NAME }` or `{ "secret": NAME }`. */
export type Reference = z.output<typeof reference>;

function isAccepted(parse: (text: string) => unknown): (text: string) => boolean {
  return (text) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
}
