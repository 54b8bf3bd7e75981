import { AppError } from "../../lib/core/errors.ts";
import type {
  CoreApi,
  FunctionCallback,
  FunctionMetadata,
  HookCallback,
  HookContext,
  HookName,
  ProgrammingModel,
  RpcLogCategory,
  RpcLogLevel,
} from "./core-api.ts";

export interface RegisteredFunction {
  readonly metadata: FunctionMetadata;
  readonly callback: FunctionCallback;
}

/** What the app registered while its files were loaded. */
export interface Registry {
  /** What the app's copy of @azure/functions gets as "@azure/functions-core". */
  readonly coreApi: CoreApi;
  readonly functions: ReadonlyMap<string, RegisteredFunction>;
  /** Throws HOST_APP_INVALID when the app never used @azure/functions. */
  model(): ProgrammingModel;
  /** Runs the hooks of that name in their order, each with the same context. */
  runHooks(name: HookName, context: HookContext): Promise<void>;
  /** Log hooks are synchronous: they may change the line before it is written. */
  runLogHooks(context: HookContext): void;
  /** Refuses functions from now on; the real host has read its list by then. */
  lock(): void;
}

const FUNCTION_NAME = /^[a-z][a-z0-9_-]{0,127}$/i;
const HOOK_NAMES: readonly string[] = ["appStart", "appTerminate", "preInvocation", "postInvocation", "log"];
/** The worker whose behaviour this host has; the library compares versions before it uses a feature. */
const WORKER_VERSION = "3.13.0";
const HOST_VERSION = "4.1046.0";

class Disposable {
  readonly dispose: () => void;
  constructor(dispose: () => void) {
    this.dispose = dispose;
  }
}

/** An empty registry; `log` receives what the library itself has to say. */
export function createRegistry(log: (level: RpcLogLevel, category: RpcLogCategory, message: string) => void): Registry {
  const functions = new Map<string, RegisteredFunction>();
  const hooks = new Map<string, Set<HookCallback>>(HOOK_NAMES.map((name) => [name, new Set()]));
  let programmingModel: ProgrammingModel | undefined;
  let locked = false;

  const coreApi: CoreApi = {
    version: WORKER_VERSION,
    hostVersion: HOST_VERSION,
    Disposable,
    registerFunction(metadata, callback) {
      const { name } = metadata;
      if (locked) throw invalid(name, "is registered after the app has started");
      if (!FUNCTION_NAME.test(name) || name.toLowerCase() === "host")
        throw invalid(name, "has a name that Azure refuses");
      if (functions.has(name)) throw invalid(name, "is registered twice");
      functions.set(name, { metadata, callback });
      return new Disposable(() => void functions.delete(name));
    },
    setProgrammingModel(model) {
      programmingModel = model;
    },
    getProgrammingModel: () => programmingModel,
    registerHook(name, callback) {
      const registered = hooks.get(name);
      // The library takes a RangeError for "this host is too old for that hook".
      if (!registered) throw new RangeError(`unrecognized hook "${name}"`);
      registered.add(callback);
      return new Disposable(() => void registered.delete(callback));
    },
    log,
  };

  return {
    coreApi,
    functions,
    model() {
      if (programmingModel) return programmingModel;
      throw new AppError("HOST_APP_INVALID", "the app registered nothing through @azure/functions", {
        hint: "Build the app first, and see that package.json names its compiled files in main.",
      });
    },
    async runHooks(name, context) {
      for (const hook of hooks.get(name) ?? []) await hook(context);
    },
    runLogHooks(context) {
      for (const hook of hooks.get("log") ?? []) hook(context);
    },
    lock() {
      locked = true;
    },
  };
}

function invalid(name: string, problem: string): AppError {
  return new AppError("HOST_APP_INVALID", `function "${name}" ${problem}`, {
    hint: "Give each function a name of its own: a letter first, then letters, digits, - and _, at the top level of its file.",
  });
}
