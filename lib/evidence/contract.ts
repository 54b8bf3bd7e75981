import { AppError } from "../core/errors.ts";
import type { ContractFacts, Fact, TestName } from "./contract-facts.ts";
import type { Lang } from "./words.ts";

/*
 * Fills the continuity contract. A placeholder is known by the words of its line and by the heading that it stands under, in
 * Spanish or English; what is not recognised, or not known, stays marked as it was.
 */

/** One placeholder of the template. */
export interface Placeholder {
  /** In the template, from 1. */
  line: number;
  /** Heading, label, and the column in a table. */
  what: string;
  state: "filled" | "open";
  value?: string;
  /** Receipts, the policy or the file of people. */
  from?: string[];
  /** Of an open one. */
  why?: string;
}

export interface FilledContract {
  text: string;
  placeholders: Placeholder[];
}

const MARK = /\[(?:PLACEHOLDER|PENDING)[^\]]*\]/g;

const TEXT = {
  evidence: { en: "Where each value comes from", es: "De dónde sale cada valor" },
  open: { en: "What is still open", es: "Lo que falta" },
  nothing: { en: "Nothing.", es: "Nada." },
  line: { en: "line", es: "línea" },
  unknown: {
    en: "this template asks for something that no receipt tells",
    es: "la plantilla pide algo que ningún recibo indica",
  },
  people: { en: "the file of people", es: "el archivo de personas" },
  noPeople: { en: "not in the file of people", es: "no está en el archivo de personas" },
  left: {
    en: "placeholders are still open, see the end of this document",
    es: "marcadores siguen abiertos, ver el final de este documento",
  },
  approvals: { en: "six months after the last approval", es: "seis meses después de la última aprobación" },
} as const satisfies Record<string, Record<Lang, string>>;

/** Fills every placeholder that can be known. Throws TEMPLATE_INVALID for a text that has none. */
export function fillContract(template: string, facts: ContractFacts, lang: Lang): FilledContract {
  const placeholders: Placeholder[] = [];
  const notes: string[] = [];
  let headings: string[] = [];
  let block = "";
  const t = (key: keyof typeof TEXT) => TEXT[key][lang];
  let summary: number | undefined;
  const lines = template.split(/\r?\n/).map((line, index) => {
    const heading = /^(#+)\s+(.*)/.exec(line);
    if (heading?.[1] !== undefined) {
      headings = [...headings.slice(0, heading[1].length - 1), heading[2] ?? ""];
      block = "";
    } else if (/^\*\*[^*]+\*\*\s*$/.test(line.trim())) block = line;
    if (isSummary(line)) {
      summary = index;
      return line;
    }
    let column = 0;
    return line.replace(MARK, (mark: string) => {
      const what = [...headings.slice(1), plain(block), plain(labelOf(line))].filter((part) => part !== "").join(" / ");
      const found = factFor(
        { line, headings: plain(headings.join(" ")), block: plain(block), column: column++, mark },
        facts,
        t,
      );
      const base = { line: index + 1, what: column > 1 ? `${what} (${column})` : what };
      if ("missing" in found) {
        placeholders.push({ ...base, state: "open", why: found.missing });
        return mark;
      }
      const value = inMarkdown(found.value);
      notes.push(`[^r${notes.length + 1}]: ${found.from.map(inMarkdown).join("; ")}`);
      placeholders.push({ ...base, state: "filled", value: found.value, from: found.from });
      return `${value} [^r${notes.length}]`;
    });
  });
  if (placeholders.length === 0) {
    throw new AppError("TEMPLATE_INVALID", "found no [PLACEHOLDER] in the template", {
      hint: "Name the continuity contract as it was generated, in Spanish or English.",
    });
  }
  const open = placeholders.filter(({ state }) => state === "open");
  if (summary !== undefined)
    lines[summary] = (lines[summary] ?? "").replace(/(\*\*[^*]+\*\*).*/, `$1 ${open.length} ${t("left")}`);
  const list = open.map(
    ({ line, what, why }) => `- ${t("line")} ${line}: ${inMarkdown(what)}: ${inMarkdown(why ?? "")}`,
  );
  const end = [
    "",
    "---",
    "",
    `## ${t("evidence")}`,
    "",
    ...notes,
    "",
    `## ${t("open")}`,
    "",
    ...(list.length > 0 ? list : [t("nothing")]),
    "",
  ];
  return { text: [...lines.join("\n").trimEnd().split("\n"), ...end].join("\n"), placeholders };
}

interface Place {
  line: string;
  headings: string;
  block: string;
  /** Which placeholder of the line, from 0. */
  column: number;
  mark: string;
}

type Translate = (key: keyof typeof TEXT) => string;

function factFor(place: Place, facts: ContractFacts, t: Translate): Fact {
  const label = plain(labelOf(place.line));
  const has = (text: string, ...words: string[]) => words.some((word) => text.includes(word));
  if (has(label, "ultima validacion", "last validation")) return facts.tests.restore.last;
  if (has(label, "proxima validacion", "next validation")) return facts.tests.restore.next;
  if (has(place.headings, "calendario de pruebas", "test calendar")) {
    const name = testNamed(label);
    return name ? facts.tests[name][place.column === 0 ? "last" : "next"] : { missing: t("unknown") };
  }
  if (has(place.block, "ultima prueba dr", "last dr test")) return lastDrFact(label, facts, t);
  if (has(place.headings, "metricas de seguimiento", "follow-up metrics")) return kpiFact(label, facts, t);
  return peopleFact(place, label, facts, t);
}

function testNamed(label: string): TestName | undefined {
  if (label.includes("tabletop")) return "tabletop";
  if (/\bdr\b/.test(label)) return "dr";
  if (label.includes("failover")) return "failover";
  return label.includes("restore") ? "restore" : undefined;
}

function lastDrFact(label: string, { lastDr }: ContractFacts, t: Translate): Fact {
  if (/^(?:fecha|date)/.test(label)) return lastDr.date;
  if (/^(?:resultado|result)/.test(label)) return lastDr.result;
  if (label.includes("rto")) return lastDr.rto;
  return /^(?:lecciones|lessons)/.test(label) ? lastDr.lessons : { missing: t("unknown") };
}

function kpiFact(label: string, { kpis }: ContractFacts, t: Translate): Fact {
  if (/disponibilidad|availability/.test(label)) return kpis.availability;
  if (/tiempo promedio|mean|average/.test(label)) return kpis.restoreTime;
  if (/incident/.test(label)) return kpis.incidents;
  return /cumplimiento|compliance|on time/.test(label) ? kpis.testsOnTime : { missing: t("unknown") };
}

function peopleFact({ headings, column, mark }: Place, label: string, { people }: ContractFacts, t: Translate): Fact {
  const given = (value: string | undefined): Fact =>
    value === undefined ? { missing: t("noPeople") } : { value, from: [t("people")] };
  if (/equipo de recuperacion|recovery team/.test(headings)) {
    const person = byRole(people.team, label);
    return given(column === 0 ? person?.name : person?.contact);
  }
  if (/firmas requeridas|required signatures/.test(headings)) {
    const approval = byRole(people.approvals, label);
    if (mark.startsWith("[PENDING")) return given(approval?.signature);
    return given(column === 0 ? approval?.name : approval?.date);
  }
  if (/proxima auditoria|next audit/.test(headings)) {
    if (/^(?:fecha|scheduled|date)/.test(label)) return given(people.audit.date);
    if (label.startsWith("auditor")) return given(people.audit.auditor);
  }
  if (/fecha de revision|review date/.test(label)) return reviewFact(people.nextReview, people.approvals, t, given);
  return { missing: t("unknown") };
}

/** Six months after the approval, as the contract says; an approval is over when everybody in the file has dated it. */
function reviewFact(
  nextReview: string | undefined,
  approvals: ContractFacts["people"]["approvals"],
  t: Translate,
  given: (value: string | undefined) => Fact,
): Fact {
  if (nextReview !== undefined) return given(nextReview);
  const all = Object.values(approvals);
  const dates = all.flatMap(({ date }) => date ?? []).toSorted((a, b) => (a < b ? -1 : 1));
  const last = dates.at(-1);
  if (last === undefined || dates.length < all.length) return given(undefined);
  const at = new Date(last);
  const day = at.getUTCDate();
  const month = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 7, 0));
  const value = new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth(), Math.min(day, month.getUTCDate())));
  return { value: value.toISOString().slice(0, 10), from: [`${t("people")}: ${t("approvals")}`] };
}

function byRole<Entry>(entries: Record<string, Entry>, label: string): Entry | undefined {
  return Object.entries(entries).find(([role]) => plain(role) === label)?.[1];
}

/** The first cell of a table's row, or what stands before the colon. */
function labelOf(line: string): string {
  const cell = /^\s*\|([^|]*)\|/.exec(line)?.[1];
  return cell ?? line.split(/:/)[0] ?? "";
}

function isSummary(line: string): boolean {
  return /completar placeholders|placeholders to complete|complete placeholders/i.test(line);
}

/** Lower case, without accents and Markdown: how a line is recognised. */
function plain(text: string): string {
  return text
    .normalize("NFD")
    .replace(/[\u0300-\u036f*#:]/g, "")
    .replace(/^[\s-]+|\s+$/g, "")
    .toLowerCase();
}

/** No value may end a cell, a line or begin markup of its own. */
function inMarkdown(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[|<>[\]`*_]/g, (character) => `\\${character}`);
}
