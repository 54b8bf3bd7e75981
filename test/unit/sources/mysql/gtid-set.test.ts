import { describe, expect, it } from "vitest";
import { decodeGtidSet, encodeGtidSet } from "../../../../lib/sources/mysql/gtid-codec.ts";
import { formatGtid, type Gtid, GtidCollector, GtidSet, parseGtid } from "../../../../lib/sources/mysql/gtid-set.ts";
import { seededRandom } from "../../../support/random.ts";

const UUIDS = ["00000000-0000-0000-0000-00000000000a", "3e11fa47-71ca-11e1-9e33-c80aa9429562"];
const TAGS = ["", "a", "tag_2"];
const NUMBERS = 24;
const ROUNDS = 300;

/** A set of GTIDs as plain strings: the model that the algebra is checked against. */
type Model = ReadonlySet<string>;

function universe(): Gtid[] {
  const numbers = Array.from({ length: NUMBERS }, (_, index) => BigInt(index + 1));
  return UUIDS.flatMap((uuid) => TAGS.flatMap((tag) => numbers.map((number) => ({ uuid, tag, number }))));
}

function randomPair(random: () => number): { set: GtidSet; model: Model } {
  const density = random();
  const chosen = universe().filter(() => random() < density);
  const text = chosen.toSorted(() => random() - 0.5).map((gtid) => formatGtid(gtid));
  return { set: GtidSet.parse(text.join(", ")), model: new Set(text) };
}

function modelOf(set: GtidSet): Model {
  return new Set(
    universe()
      .filter((gtid) => set.contains(gtid))
      .map((gtid) => formatGtid(gtid)),
  );
}

const filtered = (model: Model, keep: (gtid: string) => boolean): Model => new Set([...model].filter(keep));

describe("the algebra of GTID sets", () => {
  const random = seededRandom(20_261_122);
  const pairs = Array.from({ length: ROUNDS }, () => [randomPair(random), randomPair(random)] as const);

  it("unites, subtracts and intersects as sets of single GTIDs do", () => {
    for (const [left, right] of pairs) {
      expect(modelOf(left.set.union(right.set))).toEqual(new Set([...left.model, ...right.model]));
      expect(modelOf(left.set.minus(right.set))).toEqual(filtered(left.model, (gtid) => !right.model.has(gtid)));
      expect(modelOf(left.set.intersect(right.set))).toEqual(filtered(left.model, (gtid) => right.model.has(gtid)));
    }
  });

  it("knows containment, emptiness and size", () => {
    for (const [left, right] of pairs) {
      expect(left.set.contains(right.set)).toBe([...right.model].every((gtid) => left.model.has(gtid)));
      expect(left.set.union(right.set).contains(right.set)).toBe(true);
      expect(left.set.isEmpty).toBe(left.model.size === 0);
      expect(left.set.size).toBe(BigInt(left.model.size));
    }
  });

  it("has one text for equal sets, which it reads back", () => {
    for (const [left, right] of pairs) {
      const union = left.set.union(right.set);
      expect(right.set.union(left.set).toString()).toBe(union.toString());
      expect(GtidSet.parse(union.toString()).equals(union)).toBe(true);
      expect(left.set.minus(right.set).union(left.set.intersect(right.set)).toString()).toBe(left.set.toString());
    }
  });

  it("survives its encoding in bytes", () => {
    for (const [{ set }] of pairs) expect(decodeGtidSet(encodeGtidSet(set)).toString()).toBe(set.toString());
  });

  it("collects single GTIDs in any order", () => {
    for (const [{ set, model }] of pairs) {
      const collector = new GtidCollector();
      for (const text of [...model].toSorted(() => random() - 0.5)) collector.add(parseGtid(text));
      expect(collector.toSet().equals(set)).toBe(true);
      expect([...model].reduce((sum, text) => sum.with(parseGtid(text)), GtidSet.empty).equals(set)).toBe(true);
    }
  });

  it("leaves its operands as they were", () => {
    const [left, right] = [GtidSet.parse(`${UUIDS[0]}:1-9`), GtidSet.parse(`${UUIDS[0]}:5`)];
    left.union(right);
    left.minus(right);
    expect([left.toString(), right.toString()]).toEqual([`${UUIDS[0]}:1-9`, `${UUIDS[0]}:5`]);
  });
});

describe("the text of GTID sets", () => {
  it("reads what a server prints over several lines, tags and all", () => {
    const set = GtidSet.parse(`${UUIDS[1]}:1-5:7:tag_2:1-3,\n${UUIDS[0]}:2`);
    expect(set.toString()).toBe(`${UUIDS[0]}:2,${UUIDS[1]}:1-5:7:tag_2:1-3`);
  });

  it("joins ranges that touch or overlap, and folds letters", () => {
    const set = GtidSet.parse(`${UUIDS[1]?.toUpperCase()}:1-3:4-5:2:TAG_2:9,${UUIDS[1]}:6`);
    expect(set.toString()).toBe(`${UUIDS[1]}:1-6:tag_2:9`);
  });

  it("holds numbers up to the server's limit", () => {
    const text = `${UUIDS[0]}:1-9223372036854775806`;
    const set = GtidSet.parse(text);
    expect(set.toString()).toBe(text);
    expect(set.contains({ uuid: UUIDS[0] ?? "", tag: "", number: 9_223_372_036_854_775_806n })).toBe(true);
  });

  it.each(["x", "3e11fa47:1", `${UUIDS[0]}`, `${UUIDS[0]}:0`, `${UUIDS[0]}:5-4`, `${UUIDS[0]}:1-9223372036854775807`])(
    "refuses %s",
    (text) => {
      expect(() => GtidSet.parse(text)).toThrow(expect.objectContaining({ code: "SOURCE_POSITION_UNREADABLE" }));
    },
  );

  it.each(["", "3e11fa47-71ca-11e1-9e33-c80aa9429562", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-2", "x:1"])(
    "takes %j for no single GTID",
    (text) => {
      expect(() => parseGtid(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
    },
  );
});
