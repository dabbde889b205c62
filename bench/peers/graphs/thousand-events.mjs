import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { setImmediate } from "node:timers/promises";

const events = 1_000;
const batchSize = 50;
const text = "The quick brown fox jumps over the lazy dog, and the log keeps every word of it. ";

/** One node that writes custom events, and lets others work after every fifty. */
export const graph = new StateGraph(MessagesAnnotation)
  .addNode("emit", async (_state, config) => {
    for (let n = 0; n < events; n += 1) {
      config.writer?.({ n, text: `${n} ${text}` });
      if ((n + 1) % batchSize === 0) await setImmediate();
    }
    return { messages: [{ role: "assistant", content: "Done." }] };
  })
  .addEdge(START, "emit")
  .addEdge("emit", END)
  .compile();
