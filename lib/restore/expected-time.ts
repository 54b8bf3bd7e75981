import type { RestoreRates } from "../sources/engine.ts";
import type { MeasuredRestore } from "./measured-restores.ts";

/** What a restore has to do. */
export interface RestoreAmount {
  /** Of the full backup, unfolded. */
  plainBytes: number;
  /** Of the log after it, unfolded. */
  logBytes: number;
  transactions: number;
}

export interface ExpectedTime {
  seconds: number;
  /** `measured` where drills of this source have shown how long each part takes; else from the engine's default rates. */
  basis: "measured" | "default";
}

/** What takes less says more about what each restore costs, whatever it holds, than about its rows. */
const TELLING_SECONDS = 5;

/** How long a restore should take, by the median of what was measured. */
export function expectTime(
  amount: RestoreAmount,
  measured: readonly MeasuredRestore[],
  rates: RestoreRates,
): ExpectedTime {
  const replays = amount.logBytes === 0 ? [] : measured.filter(({ logBytes }) => logBytes > 0);
  const load = measured.map((one) => scale(one.loadSeconds, loadSeconds(one, rates), loadSeconds(amount, rates)));
  const replay = replays.map((one) =>
    scale(one.replaySeconds, replaySeconds(one, rates), replaySeconds(amount, rates)),
  );
  const seconds = (median(load) ?? loadSeconds(amount, rates)) + (median(replay) ?? replaySeconds(amount, rates));
  const isMeasured = load.length > 0 && (replay.length > 0 || amount.logBytes === 0);
  return { seconds: Math.max(1, Math.ceil(seconds)), basis: isMeasured ? "measured" : "default" };
}

/** A long measurement is scaled; of a short one, only what goes beyond it is added at the default rate. */
function scale(measuredSeconds: number, measuredByDefault: number, wantedByDefault: number): number {
  if (measuredSeconds >= TELLING_SECONDS && measuredByDefault > 0) {
    return (measuredSeconds * wantedByDefault) / measuredByDefault;
  }
  return measuredSeconds + Math.max(0, wantedByDefault - measuredByDefault);
}

function loadSeconds({ plainBytes }: RestoreAmount, { plainBytesPerSecond }: RestoreRates): number {
  return plainBytes / plainBytesPerSecond;
}

function replaySeconds({ logBytes, transactions }: RestoreAmount, rates: RestoreRates): number {
  return logBytes / rates.logBytesPerSecond + transactions / rates.transactionsPerSecond;
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
