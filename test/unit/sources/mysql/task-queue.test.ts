import { describe, expect, test } from "vitest";
import { runTasks, type Task } from "../../../../lib/sources/mysql/task-queue.ts";

const noop = (): void => {};

describe("runTasks", () => {
  test("runs tasks in order, what they make possible first", async () => {
    const ran: string[] = [];
    const task =
      (name: string, next: Task<number>[] = []): Task<number> =>
      async () => {
        ran.push(name);
        return next;
      };
    await runTasks([1], [task("a", [task("a1"), task("a2")]), task("b")], noop);
    expect(ran).toEqual(["a", "a1", "a2", "b"]);
  });

  test("keeps an idle worker for what a running task will make possible", async () => {
    const gate = Promise.withResolvers<void>();
    const workers: string[] = [];
    const second: Task<string> = async (worker) => {
      workers.push(worker);
      return [];
    };
    const first: Task<string> = async () => {
      await gate.promise;
      return [second, second];
    };
    const all = runTasks(["x", "y"], [first], noop);
    gate.resolve();
    await all;
    expect(new Set(workers)).toEqual(new Set(["x", "y"]));
  });

  test("stops at the first failure, lets running tasks end, and throws it", async () => {
    const gate = Promise.withResolvers<void>();
    const ran: string[] = [];
    const running: Task<number> = async () => {
      await gate.promise.catch(noop);
      ran.push("ended");
      return [];
    };
    const failing: Task<number> = () => Promise.reject(new Error("first"));
    const never: Task<number> = async () => {
      ran.push("never");
      return [];
    };
    await expect(runTasks([1, 2], [running, failing, never], () => gate.resolve())).rejects.toThrow("first");
    expect(ran).toEqual(["ended"]);
  });

  test("is done at once when there is nothing to do", async () => {
    await expect(runTasks([1, 2], [], noop)).resolves.toBeUndefined();
  });
});
