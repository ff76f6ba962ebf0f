// A client as client.py is one, with DuckDB's own package for Node: node client.mjs DATABASE
import { createInterface } from "node:readline";
import { DuckDBInstance } from "@duckdb/node-api";

const database = process.argv[2];
const SQL = `SELECT snapshot_id, (SELECT count(*)::INTEGER FROM puretalk.marts.dim_assistants),
  (SELECT count(*)::INTEGER FROM puretalk.assistants) FROM snapshot_info`;

for await (const _ of createInterface({ input: process.stdin })) {
  const instance = await DuckDBInstance.create(database, { access_mode: "READ_ONLY" });
  const connection = await instance.connect();
  const [[snapshot, rows, assistants]] = (await connection.runAndReadAll(SQL)).getRows();
  if (rows !== assistants) throw new Error(`${rows} and ${assistants}`);
  const mart = await connection.runAndReadAll("FROM puretalk.marts.dim_assistants LIMIT 0");
  console.log(JSON.stringify([snapshot, rows, mart.columnNames()[0]]));
  connection.closeSync();
  instance.closeSync();
}
