import { escapeHtml } from "./html.ts";

const WIDTH = 900;
const LEFT = 120;
const RIGHT = 16;
const PLOT_HEIGHT = 180;
const TOP = 14;

interface TimeSpan {
  from: number;
  to: number;
}

export interface Point {
  at: number;
  value: number;
  /** Shown when it is pointed at. */
  title: string;
  isBad: boolean;
}

/** Values over time as dots, with a line for what was promised. Values are labelled by `label`. */
export function dotChart(
  span: TimeSpan,
  points: readonly Point[],
  promised: number | null,
  label: (value: number) => string,
  name: string,
): string {
  const largest = Math.max(1, promised ?? 0, ...points.map(({ value }) => value));
  const y = (value: number) => TOP + PLOT_HEIGHT * (1 - value / (largest * 1.08));
  const marks = points.map(
    ({ at, value, title, isBad }) =>
      `<circle cx="${px(x(span, at))}" cy="${px(y(value))}" r="4" fill="${isBad ? "#b3261e" : "#1f6f54"}">` +
      `<title>${escapeHtml(title)}</title></circle>`,
  );
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const value = largest * share;
    return `${line(LEFT, y(value), WIDTH - RIGHT, y(value), "#e3e6e8")}${textAt(LEFT - 8, y(value) + 4, label(value), "end")}`;
  });
  const limit =
    promised === null ? "" : line(LEFT, y(promised), WIDTH - RIGHT, y(promised), "#b3261e", ' stroke-dasharray="6 4"');
  return svg(TOP + PLOT_HEIGHT + 26, name, [...grid, limit, ...marks, axis(span, TOP + PLOT_HEIGHT + 18)]);
}

export interface Lane {
  name: string;
  bars: { from: number; to: number; title: string; tone: "good" | "bad" | "unknown" }[];
}

const TONES = { good: "#7fb89f", bad: "#b3261e", unknown: "#c9a227" } as const;
const LANE_HEIGHT = 22;

/** What lasted from when to when, a row for each thing. Time without a bar stays empty: nobody observed it. */
export function laneChart(span: TimeSpan, lanes: readonly Lane[], name: string): string {
  const rows = lanes.map(({ name: laneName, bars }, index) => {
    const top = TOP + index * LANE_HEIGHT;
    const marks = bars.map(({ from, to, title, tone }) => {
      const left = x(span, from);
      // What lasted a minute of a year has to be seen all the same.
      const width = Math.max(1, x(span, to) - left);
      return `<rect x="${px(left)}" y="${top}" width="${px(width)}" height="${LANE_HEIGHT - 6}" fill="${TONES[tone]}"><title>${escapeHtml(title)}</title></rect>`;
    });
    const frame = `<rect x="${LEFT}" y="${top}" width="${WIDTH - LEFT - RIGHT}" height="${LANE_HEIGHT - 6}" fill="none" stroke="#c8ccd0"/>`;
    return textAt(LEFT - 8, top + 12, laneName, "end") + marks.join("") + frame;
  });
  const height = TOP + lanes.length * LANE_HEIGHT;
  return svg(height + 22, name, [...rows, axis(span, height + 14)]);
}

function x({ from, to }: TimeSpan, at: number): number {
  const share = (Math.min(to, Math.max(from, at)) - from) / Math.max(1, to - from);
  return LEFT + share * (WIDTH - LEFT - RIGHT);
}

function axis(span: TimeSpan, y: number): string {
  const isShort = span.to - span.from < 3 * 86_400_000;
  return [0, 0.25, 0.5, 0.75, 1]
    .map((share) => {
      const at = new Date(span.from + (span.to - span.from) * share).toISOString();
      const anchor = share === 0 ? "start" : share === 1 ? "end" : "middle";
      return textAt(x(span, Date.parse(at)), y, isShort ? at.slice(5, 16).replace("T", " ") : at.slice(0, 10), anchor);
    })
    .join("");
}

function svg(height: number, name: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(name)}">${parts.join("")}</svg>`;
}

function line(x1: number, y1: number, x2: number, y2: number, stroke: string, more = ""): string {
  return `<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="${stroke}"${more}/>`;
}

function textAt(left: number, top: number, content: string, anchor: "start" | "middle" | "end"): string {
  return `<text x="${px(left)}" y="${px(top)}" text-anchor="${anchor}">${escapeHtml(content)}</text>`;
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}
