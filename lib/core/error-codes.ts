/** What an operator has to look at when a code appears. Decides the exit code: `usage` and `config` give 2, all others 1. */
export type ErrorKind =
  | "usage"
  | "config"
  | "source"
  | "storage"
  | "verify"
  | "restore"
  | "job"
  | "local"
  | "invariant";

interface CodeEntry {
  kind: ErrorKind;
  /** One line for the README's table. */
  summary: string;
  /** Whether the same call may succeed later without anybody changing anything. */
  retryable?: true;
}

const entry = (kind: ErrorKind, summary: string): CodeEntry => ({ kind, summary });
const transient = (kind: ErrorKind, summary: string): CodeEntry => ({ kind, summary, retryable: true });

/** Every code this product can show. A code never changes its meaning; the README's table is generated from here. */
export const ERROR_CODES = {
  // use of the command line, HTTP and queues
  USAGE: entry("usage", "a command line argument is missing, unknown or malformed"),
  NODE_TOO_OLD: entry("usage", "Node.js is older than 22.15"),
  MESSAGE_INVALID: entry("usage", "a queue message does not have the documented shape"),
  SOURCE_UNKNOWN: entry("usage", "no source of that name in the policy"),

  // policy, settings, keys
  POLICY_UNREADABLE: entry("config", "the policy can't be read or is not JSON"),
  POLICY_INVALID: entry("config", "the policy has wrong, missing or unknown fields"),
  SETTING_MISSING: entry("config", "an environment variable or secret that the policy names is not set"),
  KEY_INVALID: entry("config", "a key file is missing, malformed, of the wrong kind, or needs another passphrase"),
  KEY_EXISTS: entry("config", "keys init found a key file and did not overwrite it"),
  KEY_NOT_RECIPIENT: entry("verify", "the private key at hand opens none of the backup's wrapped data keys"),
  KEY_UNTRUSTED: entry("config", "the private signing key is none that the policy's key vouches for"),
  KEY_RETIRED: entry("config", "another signing key follows the one at hand, and its time is over"),
  KEY_SERVICE_UNAVAILABLE: transient("storage", "Key Vault did not answer or throttled the request"),
  KEY_SERVICE_REFUSED: entry("config", "Key Vault refused the request"),

  // vaults
  BLOB_EXISTS: entry("storage", "a blob of that name exists; nothing is ever overwritten"),
  BLOB_MISSING: entry("verify", "a blob that a manifest names is not in the vault"),
  BLOB_ARCHIVED: entry("storage", "a blob is in the archive tier and has to be brought back before it can be read"),
  BLOB_DAMAGED: entry("verify", "a blob's size or SHA-256 is not what its manifest says"),
  BLOB_TRUNCATED: entry("verify", "a sealed blob ends before its last chunk"),
  CHUNK_FORGED: entry("verify", "a chunk fails authentication: changed, swapped or sealed under another key"),
  STATE_CONFLICT: transient("storage", "somebody else changed a state record first"),
  STORAGE_UNAVAILABLE: transient("storage", "the storage did not answer, or throttled the request"),
  STORAGE_REFUSED: entry(
    "storage",
    "the storage refused the request: missing rights, wrong credential, no such container",
  ),
  VAULT_BEHIND: entry("storage", "a vault lacks what another vault of the source holds"),
  STORAGE_FULL: entry("storage", "the storage has no room left"),
  STORAGE_PATH_INVALID: entry("config", "a blob name, a vault's path or its URL is not allowed"),
  MANIFEST_INVALID: entry("verify", "a manifest is not JSON of the documented shape"),
  MANIFEST_VERSION: entry("verify", "a manifest was written by a newer format version"),
  SIGNATURE_INVALID: entry("verify", "a signature, or the certificate of its session key, does not verify"),
  REVISION_MISSING: entry("verify", "a rotation of keys wrapped a backup's data key anew, and what it wrote is gone"),
  EXERCISE_INVALID: entry("usage", "the file of an exercise or incident has wrong, missing or unknown fields"),
  EVIDENCE_EXISTS: entry("usage", "the folder for evidence is not empty; nothing is ever overwritten"),
  EVIDENCE_INVALID: entry("verify", "a bundle of evidence is not what its signed manifest says"),
  PEOPLE_INVALID: entry("usage", "the file of people for the contract has wrong or unknown fields"),
  TEMPLATE_INVALID: entry("usage", "the template of the contract can't be read or has nothing to fill in"),
  RECEIPT_UNKNOWN: entry("usage", "no vault holds a receipt of that run"),
  NO_RECEIPTS: entry("verify", "there is no receipt to prove anything with"),
  CHAIN_BROKEN: entry("verify", "a manifest names a predecessor that is missing or different"),
  RECORD_REMOVED: entry(
    "verify",
    "a record that was there is gone, and no signed record says that it was to be removed",
  ),
  VAULTS_DIFFER: entry("verify", "two vaults hold different records of one name"),

  // sources
  SOURCE_URL_INVALID: entry("config", "a database URL can't be parsed or has an unknown scheme or option"),
  SOURCE_UNREACHABLE: transient("source", "the database server does not answer"),
  SOURCE_LOGIN_REFUSED: entry("source", "the database server refused user or password"),
  SOURCE_TLS_REQUIRED: entry("config", "plain text to a server that is not on loopback"),
  SOURCE_TLS_FAILED: entry("source", "the server's certificate does not verify"),
  SOURCE_GRANT_MISSING: entry("source", "the database user lacks a privilege"),
  SOURCE_SETTING_WRONG: entry("source", "a server setting does not allow backups to the instant"),
  SOURCE_DDL_DURING_BACKUP: transient("source", "a table's definition changed while it was read"),
  SOURCE_SNAPSHOT_FAILED: transient("source", "no consistent snapshot could be taken within the deadline"),
  SOURCE_POSITION_UNREADABLE: entry("source", "the server's GTID set or binlog position can't be read"),
  SOURCE_PROTOCOL: entry("source", "the server sent something that the protocol does not allow"),
  SOURCE_CONNECTION_LOST: transient("source", "the connection to the server broke"),
  SOURCE_QUERY_FAILED: entry("source", "the server refused a statement"),
  LOG_GAP: entry("source", "the server or the vault lacks what the log needs next; only a full backup leads past it"),
  LOG_INCIDENT: entry("source", "the server logged that changes are missing in its binary log"),
  SOURCE_UNSUPPORTED: entry("source", "the source holds something that can't be backed up as it is"),

  // restore
  NO_BACKUP: entry("restore", "the catalogue has no restorable backup for that source"),
  TIME_OUTSIDE_WINDOW: entry("restore", "the time asked for lies outside every recovery window"),
  TARGET_NOT_EMPTY: entry("restore", "the target holds objects that the restore would meet"),
  TARGET_UNSUITABLE: entry("restore", "the target server can't take this backup"),
  TARGET_IS_SOURCE: entry("restore", "the target is the source itself"),
  TABLE_UNKNOWN: entry("usage", "no such schema or table in the backup"),
  RESTORE_FAILED: entry("restore", "a statement of the restore failed on the target"),
  RPO_MISSED: entry("restore", "the restore worked and what it reached is older than was promised"),
  RTO_MISSED: entry("restore", "the restore worked and took longer than was promised"),
  RESTORE_DIFFERS: entry("restore", "row counts or fingerprints differ from the manifest after the restore"),

  // jobs
  LEASE_HELD: transient("job", "another worker holds the lease"),
  LEASE_LOST: transient("job", "the lease was lost while the job ran; the job stopped itself"),
  JOB_INTERRUPTED: transient("job", "the worker died before the run ended"),
  RETENTION_REFUSED: entry(
    "job",
    "nothing was removed, since something about the backups, a hold or a clock is in doubt",
  ),
  WEBHOOK_FAILED: transient("job", "the alert webhook did not accept the message"),

  // servers of the local machine, and the embedded host
  LOCAL_TOOL_UNAVAILABLE: entry("local", "a program that this machine needs can't be fetched from Debian's archive"),
  LOCAL_SERVER_FAILED: entry("local", "a local server did not start, or did not answer in time"),
  HOST_APP_INVALID: entry(
    "local",
    "the embedded host can't load the compiled app, or one of its functions is declared wrongly",
  ),
  HOST_UNAVAILABLE: entry("local", "the embedded host can't listen on its port or reach its storage"),
  FUNCTION_TIMEOUT: entry(
    "local",
    "a function ran longer than functionTimeout in host.json; the host ends, as Azure's does",
  ),

  INVARIANT: entry("invariant", "a bug in this product; please report it with the log line"),
} as const satisfies Record<string, CodeEntry>;

export type ErrorCode = keyof typeof ERROR_CODES;
