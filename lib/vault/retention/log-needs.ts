import type { ChainFact, FullFact, RetentionView, SegmentFact } from "./view.ts";

/*
 * What the promise "every instant since `since`" needs. A restore of an instant starts from a full at or before it and reads the
 * log from there on, so in each chain that reaches past `since` the newest proven full at or before `since` is the base: it
 * stays, with all log from it on. Where a chain has no such full, what stands in it stays up to its first proven one, and its
 * log stays whole. The newest proven full of all at or before `since` is the pivot: only what is older than it is of no use.
 */

export interface LogNeeds {
  /** Why a full has to stay, by id. */
  bases: ReadonlyMap<string, string>;
  /** The segments that nothing needs, nor any other in their blobs; oldest first in each chain. */
  removable: SegmentFact[];
}

/** Pure; `since` in milliseconds, by the source's clock. */
export function logNeeds({ fulls, chains, strays }: RetentionView, since: number): LogNeeds {
  const bases = new Map<string, string>();
  const pivot = newestBase(fulls, since);
  if (pivot) bases.set(pivot.id, "the newest proven backup before the promised window");
  const removable: SegmentFact[] = [];
  const isOld = ({ end }: SegmentFact) => end !== undefined && end < since;
  for (const [index, chain] of chains.entries()) {
    const inChain = fulls.filter(({ log }) => log?.chain === index);
    const cut = reachesPast(chain, since) ? cutInWindow(inChain, since, bases) : cutBefore(chain, index, pivot);
    removable.push(...chain.segments.slice(0, cut).filter(isOld));
  }
  if (pivot) removable.push(...strays.filter((stray) => isOld(stray) && (stray.end ?? Infinity) <= pivot.consistentAt));
  return { bases, removable: wholeBlobs([...chains.flatMap(({ segments }) => segments), ...strays], removable) };
}

/** Of `removable`, what lies in no blob that also holds something else. */
function wholeBlobs(all: readonly SegmentFact[], removable: readonly SegmentFact[]): SegmentFact[] {
  const goes = new Set(removable);
  const inUse = new Set(all.flatMap((segment) => (goes.has(segment) ? [] : segment.blobs)));
  const whole = removable.filter(({ blobs }) => !blobs.some((blob) => inUse.has(blob)));
  return whole.length === removable.length ? whole : wholeBlobs(all, whole);
}

function newestBase(fulls: readonly FullFact[], since: number): FullFact | undefined {
  const bases = fulls.filter(({ isProven, consistentAt }) => isProven && consistentAt <= since);
  return bases.toSorted((a, b) => b.consistentAt - a.consistentAt || b.time - a.time)[0];
}

/** Where the end of a chain is not known, it may reach to now. */
function reachesPast({ segments }: ChainFact, since: number): boolean {
  return (segments.at(-1)?.end ?? Infinity) >= since;
}

/** How many segments of a chain that the window needs may go, from its first one on. */
function cutInWindow(inChain: readonly FullFact[], since: number, bases: Map<string, string>): number {
  const base = newestBase(inChain, since);
  if (base) {
    bases.set(base.id, "the promised window starts from it");
    return base.log?.start ?? 0;
  }
  const ordered = inChain.toSorted((a, b) => (a.log?.start ?? 0) - (b.log?.start ?? 0));
  const firstProven = ordered.findIndex(({ isProven }) => isProven);
  for (const { id } of ordered.slice(0, firstProven === -1 ? undefined : firstProven + 1)) {
    bases.set(id, "nothing proven stands before it in the promised window");
  }
  return 0;
}

/** The same of a chain that ends before the window. */
function cutBefore({ segments }: ChainFact, index: number, pivot: FullFact | undefined): number {
  if (pivot === undefined) return 0;
  if (pivot.log?.chain === index) return pivot.log.start;
  return (segments.at(-1)?.end ?? Infinity) <= pivot.consistentAt ? segments.length : 0;
}
