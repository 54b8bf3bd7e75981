/** What a long piece of work tells while it runs. Totals are absent where they are not known. */
export interface ProgressUpdate {
  /** Short words for people: "reading rows", "building indexes". */
  phase: string;
  doneBytes: number;
  totalBytes?: number;
  doneRows?: number;
  totalRows?: number;
}

export type Progress = (update: ProgressUpdate) => void;

export const noProgress: Progress = () => {};
