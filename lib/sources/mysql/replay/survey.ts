import type { LogObstacle, LogSurvey } from "../../engine.ts";
import { type BinlogEvent, EVENT } from "../binlog/event.ts";
import { readXaPrepare } from "../binlog/event-bodies.ts";
import { isTransactionHead, readTransactionHead, type TransactionHead } from "../binlog/gtid-event.ts";
import { openPayload } from "../binlog/payload-event.ts";
import { isRowsEvent } from "../binlog/row-events.ts";
import { LogNeeds } from "./log-needs.ts";
import { readLoadQuery } from "./loaded-file.ts";
import { type LoggedStatement, readStatement, roleOf } from "./logged-statement.ts";
import { xidText } from "./pending.ts";
import { planLogged } from "./plan-logged.ts";
import { Progression } from "./progression.ts";
import { firstCheckpoint, type ReplayRequest } from "./replay.ts";
import type { ReplayScope } from "./scope.ts";
import { judge } from "./stop-point.ts";
import { TableMaps } from "./table-map.ts";

/*
 * One pass over a log before it is replayed, and before anything is loaded that it would be replayed on: what of it can't be
 * replayed, and what the rest needs of the target. It applies nothing, and reads rows no further than to their tables.
 */

export interface Survey extends Omit<LogSurvey, "findings"> {
  needs: LogNeeds;
  /** Of the longest statement that will be sent. */
  packetBytes: number;
}

export type SurveyRequest = Pick<ReplayRequest, "log" | "from" | "fromPosition" | "stop" | "scope" | "signal">;

const KEPT = 1000;

/** Reads the log up to the stop point. Throws what reading it throws. */
export async function surveyLog(request: SurveyRequest): Promise<Survey> {
  const surveyor = new Surveyor(request);
  for await (const { file, events } of request.log) {
    request.signal.throwIfAborted();
    for (const event of events) {
      const work = surveyor.take(file, event);
      if (work !== undefined) await work;
      if (surveyor.stopped) return surveyor;
    }
  }
  return surveyor;
}

class Surveyor implements Survey {
  readonly obstacles: LogObstacle[] = [];
  obstacleCount = 0;
  readonly needs = new LogNeeds();
  packetBytes = 0;
  stopped = false;
  readonly #request: SurveyRequest;
  readonly #scope: ReplayScope;
  readonly #progress: Progression;
  readonly #maps: TableMaps;
  readonly #prepared = new Set<string>();
  #head: TransactionHead | undefined;
  #skips = false;
  #isLast = false;

  constructor(request: SurveyRequest) {
    this.#request = request;
    this.#scope = request.scope;
    this.#progress = new Progression(firstCheckpoint(request));
    this.#maps = new TableMaps(request.scope);
  }

  take(file: string, event: BinlogEvent): Promise<void> | undefined {
    if (isTransactionHead(event.type)) this.#start(file, event);
    else if (!this.#skips && !this.stopped) return this.#takeInside(event);
    return undefined;
  }

  #start(file: string, event: BinlogEvent): void {
    if (this.#isLast) this.stopped = true;
    const head = readTransactionHead(event);
    this.#head = head;
    this.#skips = this.#progress.isDone(head, { file, offset: event.nextPosition - event.size });
    if (this.#skips) return;
    const verdict = judge(this.#request.stop, head);
    this.#isLast = verdict === "last";
    if (verdict === "stop") this.stopped = true;
  }

  #takeInside(event: BinlogEvent): Promise<void> | undefined {
    const { type } = event;
    if (type === EVENT.transactionPayload) return this.#takePayload(event);
    if (type === EVENT.tableMap) this.#maps.add(event);
    else if (isRowsEvent(type)) this.#takeRows(event);
    else if (type === EVENT.query) this.#takeQuery(readStatement(event, []));
    else if (type === EVENT.executeLoadQuery) this.#takeLoad(event);
    else if (type === EVENT.xaPrepare) this.#takePrepare(event);
    return undefined;
  }

  async #takePayload(event: BinlogEvent): Promise<void> {
    for await (const events of openPayload(event)) for (const inner of events) await this.#takeInside(inner);
  }

  /** One that is alone in its BINLOG statement, in base64, after its table map. */
  #takeRows(event: BinlogEvent): void {
    const table = this.#maps.of(event);
    if (table.to !== undefined) this.#send(Math.ceil((event.size + table.event.length) / 3) * 4 + BINLOG_BYTES);
  }

  #takeLoad(event: BinlogEvent): void {
    const before = this.needs.loadsFiles;
    this.needs.loadsFiles = this.#takeStatement(readStatement(event, [], readLoadQuery(event).query)) || before;
  }

  #takeQuery(statement: LoggedStatement): void {
    const { role, xid } = roleOf(statement.query.sql);
    if (role === "other") this.#takeStatement(statement);
    else if (role.startsWith("xa")) {
      this.needs.xa = true;
      const isKnown = this.#prepared.delete(normal(xid));
      if (role === "xa-commit" && !isKnown) this.#add(PREPARED_BEFORE, false);
    }
  }

  /** Whether it is to run. */
  #takeStatement(statement: LoggedStatement): boolean {
    const { plan, tokens } = planLogged(statement, this.#scope);
    if (plan.kind === "refuse") this.#add(plan.reason, true);
    if (plan.kind !== "run") return false;
    const { sql, session } = statement.query;
    this.#send(Math.max(sql.length, plan.text.length) + STATEMENT_BYTES);
    const touched = (session.updatedSchemas ?? []).flatMap((name) => this.#scope.schema(name) ?? []);
    this.needs.add(tokens, touched.length > 0 ? touched : [plan.schema]);
    return true;
  }

  #takePrepare(event: BinlogEvent): void {
    const { onePhase, globalId, branch, formatId } = readXaPrepare(event);
    if (!onePhase) this.#prepared.add(xidText(globalId.toString("hex"), branch.toString("hex"), formatId));
  }

  #send(bytes: number): void {
    this.packetBytes = Math.max(this.packetBytes, bytes);
  }

  #add(reason: string, canBeLeftOut: boolean): void {
    this.obstacleCount += 1;
    if (this.obstacles.length >= KEPT) return;
    this.obstacles.push({ transaction: this.#progress.describe(this.#head), reason, canBeLeftOut });
  }
}

/** Around the events of a BINLOG statement. */
const BINLOG_BYTES = 16;
/** The command byte, and what another character set may add. */
const STATEMENT_BYTES = 16;

const PREPARED_BEFORE = "it commits an XA transaction that was prepared before the backup, and whose rows no log has";

const normal = (xid: string): string => xid.toLowerCase().replaceAll("x'", "X'");
