/** One measured run. `rssMb` is the peak of our own process; absent for a peer. */
export interface Run {
  seconds: number;
  rssMb?: number;
}

/** Work that we and a peer do in turn on the same data. */
export interface Contest {
  id: string;
  /** What is to be reached: median of ours/peer. */
  ratioAtMost: number;
  /** For the peak of our own process. Default 400. */
  rssMbAtMost?: number;
  /** Makes ready what the runs need; what it adds to the stack is taken down after the last. */
  open(resources: AsyncDisposableStack): Promise<Contenders>;
}

export interface Contenders {
  ours(): Promise<Run>;
  peer(): Promise<Run>;
}

/** A row of `--json`: seconds of each run, in pairs. */
export interface BenchRow {
  id: string;
  ours: number[];
  peer: number[];
  /** Median of the pairs' ratios. */
  ratio: number;
  ratioAtMost: number;
  /** Highest peak of our process over all runs. */
  rssMb: number;
  rssMbAtMost: number;
}

/** Runs the pairs, ours and the peer's in turn, so that a drift of the machine meets both. `tell` gets a line a pair. */
export async function runContest(contest: Contest, pairs: number, tell: (line: string) => void): Promise<BenchRow> {
  await using resources = new AsyncDisposableStack();
  const contenders = await contest.open(resources);
  const ours: Run[] = [];
  const peer: Run[] = [];
  for (let pair = 1; pair <= pairs; pair++) {
    const [mine, theirs] = [await contenders.ours(), await contenders.peer()];
    ours.push(mine);
    peer.push(theirs);
    const ratio = mine.seconds / theirs.seconds;
    tell(
      `${contest.id}  pair ${pair}: ours ${mine.seconds.toFixed(2)} s, peer ${theirs.seconds.toFixed(2)} s, ` +
        `ratio ${ratio.toFixed(2)}, peak RSS ${mine.rssMb?.toFixed(0) ?? "?"} MB`,
    );
  }
  return {
    id: contest.id,
    ours: ours.map(({ seconds }) => seconds),
    peer: peer.map(({ seconds }) => seconds),
    ratio: median(ours.map(({ seconds }, index) => seconds / (peer[index]?.seconds ?? Number.NaN))),
    ratioAtMost: contest.ratioAtMost,
    rssMb: Math.max(...ours.map(({ rssMb = Number.NaN }) => rssMb)),
    rssMbAtMost: contest.rssMbAtMost ?? 400,
  };
}

/** The middle value; the mean of the two middle ones of an even count. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const lower = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return (lower + upper) / 2;
}
