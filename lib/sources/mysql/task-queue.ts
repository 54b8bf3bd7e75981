/** A piece of work for one of several workers. It returns the work that it makes possible, which goes first. */
export type Task<Worker> = (worker: Worker) => Promise<Task<Worker>[]>;

/**
 * Runs tasks in order, each on the next free worker. On the first failure `stop` is called, which must make the running
 * tasks end; when all have ended the failure is thrown.
 */
export async function runTasks<Worker>(
  workers: readonly Worker[],
  tasks: readonly Task<Worker>[],
  stop: () => void,
): Promise<void> {
  const queue = [...tasks];
  let running = 0;
  let failure: { error: unknown } | undefined;
  let change = Promise.withResolvers<void>();
  const work = async (worker: Worker): Promise<void> => {
    while (failure === undefined && (queue.length > 0 || running > 0)) {
      const task = queue.shift();
      if (task === undefined) {
        await change.promise;
        continue;
      }
      running++;
      try {
        queue.unshift(...(await task(worker)));
      } catch (error: unknown) {
        failure ??= { error };
        stop();
      }
      running--;
      change.resolve();
      change = Promise.withResolvers<void>();
    }
  };
  await Promise.all(workers.map(work));
  if (failure !== undefined) throw failure.error;
}
