import { AppError } from "../../../core/errors.ts";
import { type BinlogEvent, EVENT, EVENT_FLAG, readFormatDescription } from "../binlog/event.ts";
import { readXaPrepare } from "../binlog/event-bodies.ts";
import { isTransactionHead, readTransactionHead, type TransactionHead } from "../binlog/gtid-event.ts";
import { openPayload } from "../binlog/payload-event.ts";
import { isRowsEvent } from "../binlog/row-events.ts";
import type { Applier } from "./applier.ts";
import { Batch } from "./batch.ts";
import type { Checkpoint, LogPosition } from "./checkpoint.ts";
import { opensTransaction, readStatement, roleOf } from "./logged-statement.ts";
import { unwrapOffset } from "./log-offset.ts";
import { isFileEvent, LoadedFiles, readLoadQuery } from "./loaded-file.ts";
import type { Progression } from "./progression.ts";
import { cutOff, incident, unknownEvent } from "./replay-errors.ts";
import { formatStatement } from "./row-statements.ts";
import type { ReplayScope } from "./scope.ts";
import { isContextEvent } from "./statement-context.ts";
import { planLogged } from "./plan-logged.ts";
import type { StatementPlan } from "./statement-plan.ts";
import { StandaloneStatements } from "./standalone.ts";
import { judge, type StopPoint } from "./stop-point.ts";
import { TableMaps } from "./table-map.ts";
import type { Token } from "../tokens.ts";
import { anyWithoutTransactions, xidText } from "./pending.ts";

/*
 * Reads a log event by event and applies it.
 *
 * Small transactions are collected and applied many in one. A transaction becomes `open` on the target when it grows past
 * one statement; then its pieces are sent as they come, and no other is with it.
 *
 * between → (head) → started → (BEGIN) → body → (XID, COMMIT) → between
 *                            → (XA START) → xa → (XA_PREPARE) → between
 *                            → (CREATE TABLE … START TRANSACTION) → create-select → (XID) → between
 *                            → (any other statement) → between
 */

type Phase = "between" | "started" | "body" | "xa" | "create-select";

/** Events of one BINLOG statement; base64 makes a third more of them. */
const STATEMENT_BYTES = 4 * 1024 * 1024;
const BATCH_BYTES = 1024 * 1024;
const BATCH_TRANSACTIONS = 2000;

const IGNORED = new Set<number>([
  EVENT.stop,
  EVENT.rotate,
  EVENT.heartbeat,
  EVENT.heartbeatV2,
  EVENT.ignorable,
  EVENT.rowsQuery,
  EVENT.previousGtids,
  EVENT.transactionContext,
  EVENT.viewChange,
]);

export interface ReplayerOptions {
  applier: Applier;
  progression: Progression;
  scope: ReplayScope;
  stop: StopPoint;
  /** Leaves out what can't be replayed under these names or this choice, instead of throwing. */
  leaveOutRefused: boolean;
  /** max_allowed_packet of the target. */
  packetBytes: number;
  /** Waited for before a schema of that name on the target is made. */
  beforeSchema: (name: string) => Promise<void>;
}

export class Replayer {
  readonly #applier: Applier;
  readonly #progress: Progression;
  readonly #scope: ReplayScope;
  readonly #stop: StopPoint;
  readonly #leaveOutRefused: boolean;
  readonly #statementBytes: number;
  readonly #maps: TableMaps;
  readonly #standalone: StandaloneStatements;
  readonly #batch = new Batch();
  #phase: Phase = "between";
  #head: TransactionHead | undefined;
  #isLast = false;
  /** Why the transaction is passed over: it is on the target by a checkpoint, or was found there. */
  #skips: "done" | "applied" | undefined;
  #isOpen = false;
  #xid = "";
  #context: BinlogEvent[] = [];
  readonly #files = new LoadedFiles();
  #format = "";
  #at: LogPosition = { file: "", offset: 0 };

  constructor(options: ReplayerOptions) {
    this.#applier = options.applier;
    this.#progress = options.progression;
    this.#scope = options.scope;
    this.#stop = options.stop;
    this.#leaveOutRefused = options.leaveOutRefused;
    this.#statementBytes = Math.min(STATEMENT_BYTES, Math.floor((options.packetBytes - 1024) * 0.75));
    this.#maps = new TableMaps(options.scope);
    this.#standalone = new StandaloneStatements(options.applier, options.progression, options.beforeSchema);
  }

  /** Whether the stop point is reached. */
  get stopped(): boolean {
    return this.#progress.stopped;
  }

  /** Takes the next event of a file. A promise has to be waited for before the next one. */
  take(file: string, event: BinlogEvent): Promise<void> | undefined {
    this.#at = { file, offset: unwrapOffset(this.#at, file, event.nextPosition) };
    return this.#take(event);
  }

  /** At the end of the log: applies what is complete. What is not goes with the connection. */
  async finish(): Promise<void> {
    if (!this.#isOpen) await this.#flush();
    await this.#applier.idle();
  }

  #take(event: BinlogEvent): Promise<void> | undefined {
    const { type } = event;
    if (this.stopped || IGNORED.has(type)) return undefined;
    if (isTransactionHead(type)) return this.#start(event);
    if (type === EVENT.formatDescription) return this.#takeFormat(event);
    if (type === EVENT.incident) throw incident(event);
    if (type === EVENT.transactionPayload) return this.#takePayload(event);
    if (type === EVENT.query) return this.#takeQuery(event);
    if (type === EVENT.xid) return this.#commit();
    if (type === EVENT.xaPrepare) return this.#endXa(event);
    if (this.#skips !== undefined) return undefined;
    if (type === EVENT.tableMap) this.#maps.add(event);
    else if (isRowsEvent(type)) return this.#takeRows(event);
    else if (isContextEvent(type)) this.#context.push(event);
    else if (isFileEvent(type)) this.#files.add(event);
    else if (type === EVENT.executeLoadQuery) return this.#takeLoad(event);
    else if ((event.flags & EVENT_FLAG.ignorable) === 0) throw unknownEvent(type);
    return undefined;
  }

  #start(event: BinlogEvent): Promise<void> | undefined {
    if (this.#phase !== "between") throw cutOff();
    const head = readTransactionHead(event);
    const startsAt: LogPosition = { file: this.#at.file, offset: this.#at.offset - event.size };
    this.#head = head;
    this.#progress.current = head;
    this.#phase = "started";
    this.#skips = this.#progress.isDone(head, startsAt) ? "done" : undefined;
    if (this.#skips !== undefined) return undefined;
    const verdict = judge(this.#stop, head);
    this.#isLast = verdict === "last";
    if (verdict === "stop") return this.#halt();
    const pending = this.#progress.takePending();
    return pending === undefined ? undefined : this.#skipWhereApplied(pending);
  }

  async #skipWhereApplied(pending: Parameters<Applier["wasApplied"]>[0]): Promise<void> {
    if (await this.#applier.wasApplied(pending)) this.#skips = "applied";
  }

  async #halt(): Promise<void> {
    this.#progress.stopped = true;
    this.#phase = "between";
    await this.#flush();
    await this.#applier.idle();
  }

  /** The target reads row events by the last description that it was given; a source's files mostly have the same. */
  #takeFormat(event: BinlogEvent): Promise<void> | undefined {
    if (this.#phase !== "between") throw cutOff();
    const { serverVersion, postHeaderLengths } = readFormatDescription(event.bytes);
    const format = `${serverVersion} ${postHeaderLengths.toString("hex")}`;
    if (format === this.#format) return undefined;
    this.#format = format;
    return this.#sendFormat(formatStatement(event));
  }

  async #sendFormat(statement: Buffer): Promise<void> {
    await this.#flush();
    await this.#applier.idle();
    await this.#applier.session.channel.run(statement);
    await this.#applier.command("SET SESSION gtid_next = 'AUTOMATIC'");
  }

  async #takePayload(event: BinlogEvent): Promise<void> {
    for await (const events of openPayload(event)) {
      for (const inner of events) {
        const work = this.#take(inner);
        if (work !== undefined) await work;
      }
    }
  }

  #takeRows(event: BinlogEvent): Promise<void> | undefined {
    const table = this.#maps.of(event);
    if (table.to === undefined) return undefined;
    this.#batch.add({ table, event });
    this.#progress.rowEvents += 1;
    return this.#batch.currentBytes >= this.#statementBytes ? this.#spill() : undefined;
  }

  /** Sends what there is of a transaction that is too large to wait for its end. */
  async #spill(): Promise<void> {
    if (!this.#isOpen) {
      await this.#flush();
      await this.#applier.idle();
      const tables = this.#batch.currentTables();
      await this.#open(await anyWithoutTransactions(this.#applier.queries, tables));
    }
    await this.#applier.steps(this.#batch.takeCurrent(this.#statementBytes));
  }

  #takeQuery(event: BinlogEvent): Promise<void> | undefined {
    const statement = readStatement(event, this.#context);
    this.#context = [];
    const { role, xid } = roleOf(statement.query.sql);
    if (role === "begin") this.#phase = "body";
    else if (role === "commit") return this.#commitUnrepeatable();
    else if (role === "rollback") return this.#rollback();
    else if (role === "xa-start") return this.#startXa(xid);
    else if (role === "xa-end") return undefined;
    else if (role === "xa-commit" || role === "xa-rollback") return this.#standaloneXa(role, xid);
    else if (this.#skips !== undefined) return this.#phase === "body" ? undefined : this.#end();
    else return this.#takeStatement(statement);
    return undefined;
  }

  #takeLoad(event: BinlogEvent): Promise<void> | undefined {
    const { query, fileId } = readLoadQuery(event);
    const statement = { ...readStatement(event, this.#context, query), file: this.#files.take(fileId) };
    this.#context = [];
    return this.#takeStatement(statement);
  }

  #takeStatement(statement: ReturnType<typeof readStatement>): Promise<void> | undefined {
    const { plan: planned, tokens, encode } = planLogged(statement, this.#scope);
    const plan = this.#settle(planned);
    if (plan.kind === "run") {
      const runnable = { statement, sql: encode(plan.text), schema: plan.schema };
      this.#progress.statements += 1;
      if (this.#phase !== "body")
        return this.#runAlone(() => this.#standalone.run(runnable, tokens, () => this.#after()));
      if (opensTransaction(tokens)) return this.#openCreateSelect(runnable, tokens);
      this.#batch.add(runnable);
      return undefined;
    }
    return this.#phase === "body" ? undefined : this.#end();
  }

  /** What is left out is counted; what can't be replayed stops the replay unless it may be left out. */
  #settle(plan: StatementPlan): StatementPlan {
    if (plan.kind === "run") return plan;
    if (plan.kind === "refuse" && !this.#leaveOutRefused) {
      throw new AppError("RESTORE_FAILED", `${this.#progress.describe(this.#head)}: ${plan.reason}`, {
        hint: "Restore without renaming, restore up to before this transaction, or allow such statements to be left out.",
      });
    }
    this.#progress.leaveOut(this.#head, plan.reason);
    return plan;
  }

  /** A statement that commits by itself: everything before it is applied first, and nothing is with it. */
  async #runAlone(run: () => Promise<void>): Promise<void> {
    await this.#flush();
    await this.#applier.idle();
    await run();
    await this.#end({ noted: true });
  }

  async #openCreateSelect(
    planned: Parameters<StandaloneStatements["run"]>[0],
    tokens: readonly Token[],
  ): Promise<void> {
    await this.#flush();
    await this.#applier.idle();
    await this.#standalone.open(planned, tokens);
    this.#phase = "create-select";
    this.#isOpen = true;
  }

  async #startXa(xid: string): Promise<void> {
    this.#phase = "xa";
    this.#xid = xid;
    if (this.#skips !== undefined) return;
    this.#progress.sawXa = true;
    await this.#flush();
    await this.#applier.note(this.#progress.checkpoint({ kind: "xa-prepare", xid }));
    await this.#applier.command(`XA START ${xid}`);
    this.#isOpen = true;
  }

  async #endXa(event: BinlogEvent): Promise<void> {
    const { onePhase, globalId, branch, formatId } = readXaPrepare(event);
    if (this.#skips !== undefined) return this.#end();
    const xid = xidText(globalId.toString("hex"), branch.toString("hex"), formatId);
    if (xid !== this.#xid.toLowerCase().replaceAll("x'", "X'")) throw cutOff();
    await this.#applier.steps(this.#batch.takeCurrent(this.#statementBytes));
    const done = this.#after();
    // Committed in one phase, the checkpoint is part of the transaction; else it would be locked until the second one.
    if (onePhase) await this.#applier.note(done);
    await this.#applier.command(`XA END ${this.#xid}`);
    await this.#applier.command(onePhase ? `XA COMMIT ${this.#xid} ONE PHASE` : `XA PREPARE ${this.#xid}`);
    if (!onePhase) await this.#applier.note(done);
    this.#isOpen = false;
    await this.#end({ noted: true });
  }

  #standaloneXa(role: "xa-commit" | "xa-rollback", xid: string): Promise<void> | undefined {
    if (this.#skips !== undefined) return this.#end();
    this.#progress.sawXa = true;
    return this.#runAlone(() =>
      this.#standalone.finishXa(role, xid, this.#progress.describe(this.#head), this.#after()),
    );
  }

  /** A transaction that was rolled back is logged where it changed tables without transactions: those rows stay. */
  async #rollback(): Promise<void> {
    if (this.#skips !== undefined) return this.#end();
    if (!this.#isOpen) {
      await this.#flush();
      await this.#open(true);
    }
    await this.#applier.steps(this.#batch.takeCurrent(this.#statementBytes));
    await this.#applier.command("ROLLBACK");
    this.#isOpen = false;
    await this.#end();
  }

  #commit(): Promise<void> | undefined {
    if (this.#skips !== undefined || !this.#isOpen) return this.#end();
    return this.#commitOpen();
  }

  /** Opens a transaction on the target for this one alone. */
  async #open(isUnrepeatable: boolean): Promise<void> {
    if (isUnrepeatable) await this.#applier.note(this.#progress.checkpoint({ kind: "unrepeatable" }));
    await this.#applier.command("BEGIN");
    this.#isOpen = true;
  }

  /** The source writes COMMIT instead of an XID where no engine with transactions took part, or nothing changed. */
  async #commitUnrepeatable(): Promise<void> {
    if (this.#skips === undefined && !this.#isOpen && this.#batch.currentBytes > 0) {
      await this.#flush();
      await this.#open(true);
    }
    await this.#commit();
  }

  async #commitOpen(): Promise<void> {
    await this.#applier.steps(this.#batch.takeCurrent(this.#statementBytes));
    const checkpoint = this.#after();
    // After CREATE TABLE … START TRANSACTION the server takes row events only.
    if (this.#phase !== "create-select") await this.#applier.note(checkpoint);
    await this.#applier.command("COMMIT");
    if (this.#phase === "create-select") await this.#applier.note(checkpoint);
    this.#isOpen = false;
    await this.#end({ noted: true });
  }

  /** The transaction is over: collected, applied, or there already. */
  #end({ noted = false } = {}): Promise<void> | undefined {
    if (this.#phase === "between") throw cutOff();
    this.#phase = "between";
    if (this.#skips === "done") return undefined;
    this.#batch.complete();
    this.#progress.add(this.#head, this.#at);
    if (noted) this.#batch.takeComplete(this.#statementBytes);
    if (this.#isLast) return this.#halt();
    const isFull = this.#batch.completeBytes >= BATCH_BYTES || this.#batch.transactions >= BATCH_TRANSACTIONS;
    return isFull ? this.#flush() : undefined;
  }

  /** The checkpoint once this transaction is in. */
  #after(): Checkpoint {
    return this.#progress.after(this.#head, this.#at);
  }

  async #flush(): Promise<void> {
    if (this.#batch.transactions === 0) return;
    const steps = this.#batch.takeComplete(this.#statementBytes);
    await this.#applier.transaction(steps, this.#progress.checkpoint());
  }
}
