import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { createConnection, type Connection } from "mysql2/promise";
import { SHOP_ROWS, SHOP_STATEMENTS } from "./shop-schema.ts";

/** Makes and fills the demo's schema unless it is there already. Returns whether it was made now. */
export async function makeShop(url: string): Promise<boolean> {
  const connection = await createConnection(url);
  try {
    const [found] = await connection.query("SHOW DATABASES LIKE 'shop'");
    if (Array.isArray(found) && found.length > 0) return false;
    for (const statement of [...SHOP_STATEMENTS, ...SHOP_ROWS]) await connection.query(statement);
    return true;
  } finally {
    await connection.end();
  }
}

/** A customer that never rests: one order with its payment every `everyMs`, until `signal` aborts. */
export async function runShopWriter(url: string, everyMs: number, signal: AbortSignal): Promise<void> {
  const connection = await createConnection(url);
  try {
    for (let turn = 0; !signal.aborted; turn++) {
      await placeOrder(connection, turn);
      await delay(everyMs, undefined, { signal, ref: false }).catch(ignoreAbort);
    }
  } finally {
    await connection.end();
  }
}

async function placeOrder(connection: Connection, turn: number): Promise<void> {
  const amount = (10 + (turn % 90)).toFixed(2);
  await connection.beginTransaction();
  await connection.query("INSERT INTO shop.orders (customer_id, state, total) VALUES (?, 'paid', ?)", [
    1 + (turn % 5000),
    amount,
  ]);
  await connection.query("SET @placed = LAST_INSERT_ID()");
  await connection.query("INSERT INTO shop.order_items VALUES (@placed, 1, ?, 1, ?)", [1 + (turn % 2000), amount]);
  await connection.query("INSERT INTO shop.payments VALUES (?, @placed, ?, 'Mercado Pago', '{}', NOW(3))", [
    randomBytes(16),
    amount,
  ]);
  await connection.query("UPDATE shop.stock SET quantity = quantity - 1 WHERE warehouse_id = 1 AND product_id = ?", [
    1 + (turn % 2000),
  ]);
  await connection.commit();
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error && error.name === "AbortError")) throw error;
}
