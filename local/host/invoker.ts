import { randomUUID } from "node:crypto";
import { AppError } from "../../lib/core/errors.ts";
import type { Logger } from "../../lib/core/log.ts";
import type { RpcInvocationResponse, RpcLogCategory, RpcLogLevel, RpcTypedData } from "./core-api.ts";
import type { HostedFunction } from "./hosted-function.ts";
import type { Registry } from "./registry.ts";

/** What triggered a function. */
export interface TriggerInput {
  data: RpcTypedData;
  metadata?: Record<string, RpcTypedData>;
}

export interface Invoker {
  /** Runs a function through the library and the app's hooks, then writes its outputs. Throws what the handler threw. */
  invoke(hosted: HostedFunction<unknown>, input: TriggerInput & { binding: string }): Promise<RpcInvocationResponse>;
  /** Resolves when no invocation is running. */
  idle(): Promise<void>;
}

export interface InvokerDeps {
  registry: Registry;
  logger: Logger;
  functionTimeoutMs: number;
  writeOutputs(hosted: HostedFunction<unknown>, response: RpcInvocationResponse): Promise<void>;
  writeLog(level: RpcLogLevel, category: RpcLogCategory, message: string, functionName: string): void;
  /** Told when a function overran its time: a handler can't be stopped from outside, so the host has to end. */
  onTimeout(error: AppError): void;
}

/** Makes the one way in which every trigger runs its function. */
export function createInvoker(deps: InvokerDeps): Invoker {
  const appHookData = {};
  const running = new Set<Promise<unknown>>();

  async function run(
    hosted: HostedFunction<unknown>,
    invocationId: string,
    request: TriggerInput & { binding: string },
  ) {
    const { metadata, callback } = hosted.registered;
    const model = deps.registry.model().getInvocationModel({
      invocationId,
      metadata,
      request: {
        invocationId,
        inputData: [{ name: request.binding, data: request.data }],
        triggerMetadata: request.metadata ?? {},
      },
      log: (level, category, message) => deps.writeLog(level, category, message, hosted.name),
    });
    const { context, inputs } = await model.getArguments();
    const hookData = {};
    const before = { invocationContext: context, inputs, functionCallback: callback, hookData, appHookData };
    await deps.registry.runHooks("preInvocation", before);
    const after = { invocationContext: context, inputs: before.inputs, hookData, appHookData, ...none };
    try {
      after.result = await model.invokeFunction(context, before.inputs, before.functionCallback);
    } catch (error: unknown) {
      after.error = error;
    }
    await deps.registry.runHooks("postInvocation", after);
    if (after.error !== undefined && after.error !== null) throw toError(after.error);
    const response = await model.getResponse(context, after.result);
    await deps.writeOutputs(hosted, response);
    return response;
  }

  async function invoke(hosted: HostedFunction<unknown>, request: TriggerInput & { binding: string }) {
    const invocationId = randomUUID();
    const logger = deps.logger.child({ function: hosted.name, invocation: invocationId });
    const startedAt = performance.now();
    logger.debug("function-started");
    try {
      const response = await withinTimeout(run(hosted, invocationId, request), hosted.name, deps);
      logger.debug("function-finished", { durationMs: Math.round(performance.now() - startedAt) });
      return response;
    } catch (error: unknown) {
      logger.error("function-failed", {
        durationMs: Math.round(performance.now() - startedAt),
        ...describeFailure(error),
      });
      throw error;
    }
  }

  return {
    invoke(hosted, request) {
      const invocation = invoke(hosted, request);
      const settled: Promise<unknown> = invocation.catch(() => {}).finally(() => running.delete(settled));
      running.add(settled);
      return invocation;
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}

/** What a post-invocation hook finds and may replace. */
const none: { result: unknown; error: unknown } = { result: undefined, error: undefined };

async function withinTimeout<T>(work: Promise<T>, name: string, deps: InvokerDeps): Promise<T> {
  const { functionTimeoutMs } = deps;
  if (functionTimeoutMs === Infinity) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new AppError(
      "FUNCTION_TIMEOUT",
      `function "${name}" still runs after ${functionTimeoutMs / 1000} s`,
      {
        hint: "Raise functionTimeout in host.json, or find out what the function waits for.",
      },
    );
    deps.onTimeout(error);
    reject(error);
  }, functionTimeoutMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}

function describeFailure(error: unknown): { code?: string; message: string } {
  if (!(error instanceof Error)) return { message: String(error) };
  return "code" in error ? { code: String(error.code), message: error.message } : { message: error.message };
}
