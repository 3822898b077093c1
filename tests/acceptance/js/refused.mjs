// Calls that are refused: `node refused.mjs PACKAGE URL AGENT...` makes each call once for each agent,
// on a thread of its own, and prints `[[agent, call, thread id, error text], ...]` as JSON.
import { randomUUID } from "node:crypto";

const [, , name, apiUrl, ...agents] = process.argv;
const { Client } = await import(name);
const { runs } = new Client({ apiUrl });
const payload = { input: { messages: [{ role: "user", content: "work" }] } };

async function drained(stream) {
  for await (const event of stream) if (event.event === "error") throw new Error(event.data);
}

const calls = {
  "runs.create": (id, agent) => runs.create(id, agent, payload),
  "runs.stream": (id, agent) => drained(runs.stream(id, agent, payload)),
  "runs.wait": (id, agent) => runs.wait(id, agent, payload),
};

async function refusal(call, id, agent) {
  try {
    await call(id, agent);
  } catch (error) {
    return error.message;
  }
  return "";
}

const told = [];
for (const agent of agents)
  for (const [name, call] of Object.entries(calls)) {
    const id = randomUUID();
    told.push([agent, name, id, await refusal(call, id, agent)]);
  }
process.stdout.write(JSON.stringify(told));
