// The JS SDK from end to end: `node tour.mjs URL` prints `[[step, result], ...]` as JSON.
// A refusal or an error is a result like any other.
import { randomUUID } from "node:crypto";
import { Client } from "@langchain/langgraph-sdk";

const client = new Client({ apiUrl: process.argv[2] });
const { assistants, crons, runs, store, threads } = client;
const tag = randomUUID();
const yearly = "0 0 1 1 *";
const results = [];

const ask = (text) => ({ messages: [{ role: "user", content: text }] });

async function step(name, call) {
  const value = await performed(call);
  results.push([name, value ?? null]);
  return value;
}

async function performed(call) {
  try {
    const value = call();
    return value?.[Symbol.asyncIterator] ? await drained(value) : await value;
  } catch (error) {
    return { refused: error.name, status: error.status, text: error.message };
  }
}

async function drained(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

async function aboutThreads() {
  const metadata = { tour: tag };
  const { thread_id: id } = await step("threads.create", () => threads.create({ metadata }));
  const threadId = randomUUID();
  for (let round = 0; round < 2; round += 1)
    await step("threads.create the same id", () =>
      threads.create({ threadId, ifExists: "do_nothing", metadata }));
  await step("threads.get", () => threads.get(id));
  await step("threads.update", () => threads.update(id, { metadata: { colour: "röd" } }));
  await step("threads.search", () =>
    threads.search({ metadata, limit: 1, sortBy: "created_at" }));
  await step("threads.count", () => threads.count({ metadata }));
  await step("runs.wait", () => runs.wait(id, "researcher", { input: ask("A words=2") }));
  await step("threads.getState", () => threads.getState(id));
  await step("threads.getHistory", () => threads.getHistory(id, { limit: 5 }));
  await step("threads.updateState", () =>
    threads.updateState(id, { values: ask("by hand"), asNode: "research" }));
  const copy = await step("threads.copy", () => threads.copy(id));
  await step("threads.getState of the copy", () => threads.getState(copy.thread_id));
  await step("threads.delete", () => threads.delete(id));
  await step("threads.get after its delete", () => threads.get(id));
}

async function aboutRuns() {
  const { thread_id: id } = await step("a thread for runs", () => threads.create());
  const run = await step("runs.create", () =>
    runs.create(id, "researcher", { input: ask("B words=2"), metadata: { tour: tag } }));
  await step("runs.join", () => runs.join(id, run.run_id));
  await step("runs.get", () => runs.get(id, run.run_id));
  const hanging = await step("runs.create hang", () =>
    runs.create(id, "hang", { input: ask("C") }));
  await step("runs.create reject", () =>
    runs.create(id, "researcher", { input: ask("D"), multitaskStrategy: "reject" }));
  await step("runs.cancel and wait", () => runs.cancel(id, hanging.run_id, true, "interrupt"));
  await step("runs.cancel again", () => runs.cancel(id, hanging.run_id));
  await step("runs.list", () => runs.list(id));
  await step("runs.wait that fails", () => runs.wait(id, "failing", { input: ask("E") }));
  await step("runs.wait that asks", () => runs.wait(id, "asker", { input: ask("F") }));
  await step("runs.wait with the answer", () =>
    runs.wait(id, "asker", { command: { resume: "EU" } }));
  await step("runs.delete", () => runs.delete(id, hanging.run_id));
  await step("runs.get after its delete", () => runs.get(id, hanging.run_id));
}

async function aboutStreams() {
  const { thread_id: id } = await step("a thread for streams", () => threads.create());
  for (const streamMode of ["values", "messages-tuple"])
    await step(`runs.stream ${streamMode}`, () =>
      runs.stream(id, "researcher", { input: ask("G words=3"), streamMode }));
  await step("runs.stream resumable", () =>
    runs.stream(id, "researcher", {
      input: ask("H words=3"),
      streamMode: ["values", "updates"],
      streamResumable: true,
      streamSubgraphs: true,
    }));
  const run = await step("runs.create to join", () =>
    runs.create(id, "researcher", { input: ask("I sleep=1 words=3"), streamMode: ["values"] }));
  await step("runs.joinStream", () => runs.joinStream(id, run.run_id));
  await step("runs.stream that fails", () =>
    runs.stream(id, "failing", { input: ask("J"), streamMode: "values" }));
}

async function aboutStatelessRuns() {
  await step("stateless runs.wait", () =>
    runs.wait(null, "researcher", { input: ask("K words=2") }));
  await step("stateless runs.stream", () =>
    runs.stream(null, "researcher", { input: ask("L words=2"), streamMode: "values" }));
  await step("stateless runs.create", () =>
    runs.create(null, "researcher", { input: ask("M words=2") }));
  await step("runs.createBatch", () =>
    runs.createBatch(["N words=2", "O words=2"].map((text) => ({
      assistantId: "researcher",
      input: ask(text),
    }))));
}

async function aboutTheStore() {
  const space = ["tours", tag];
  await step("store.putItem a", () => store.putItem(space, "a", { colour: "blå" }));
  await step("store.putItem b", () => store.putItem(space, "b", { colour: "rød" }));
  await step("store.getItem", () => store.getItem(space, "a"));
  await step("store.searchItems", () =>
    store.searchItems(space, { filter: { colour: "rød" }, limit: 10 }));
  await step("store.listNamespaces", () => store.listNamespaces({ prefix: space }));
  await step("store.deleteItem", () => store.deleteItem(space, "a"));
  await step("store.getItem after its delete", () => store.getItem(space, "a"));
}

async function aboutAssistants() {
  const metadata = { created_by: "system" }; // other tours make some too
  const [found] = await step("assistants.search", () =>
    assistants.search({ graphId: "researcher", metadata }));
  await step("assistants.search pages", () =>
    assistants.search({ limit: 2, sortBy: "name", includePagination: true, metadata }));
  await step("assistants.get", () => assistants.get(found.assistant_id));
  await step("assistants.getGraph", () =>
    assistants.getGraph(found.assistant_id, { xray: true }));
  await step("assistants.getSchemas", () => assistants.getSchemas(found.assistant_id));
}

async function aboutCrons() {
  const { thread_id: id } = await step("a thread for crons", () => threads.create());
  const cron = await step("crons.createForThread", () =>
    crons.createForThread(id, "researcher", { schedule: yearly, input: ask("P") }));
  await step("crons.search", () => crons.search({ threadId: id }));
  await step("crons.delete", () => crons.delete(cron.cron_id));
  await step("crons.search after its delete", () => crons.search({ threadId: id }));
  const alone = await step("crons.create", () =>
    crons.create("researcher", { schedule: yearly, input: ask("Q") }));
  await step("crons.delete the stateless one", () => crons.delete(alone.cron_id));
}

async function aboutMistakes() {
  const nobody = "00000000-0000-4000-8000-000000000000";
  await step("threads.get of nobody", () => threads.get(nobody));
  await step("threads.get of no id", () => threads.get("not-an-id"));
  await step("runs.get of nobody", () => runs.get(nobody, nobody));
}

await aboutThreads();
await aboutRuns();
await aboutStreams();
await aboutStatelessRuns();
await aboutTheStore();
await aboutAssistants();
await aboutCrons();
await aboutMistakes();
process.stdout.write(JSON.stringify(results));
