import { END, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

/** The smallest graph there is: one node that answers at once. */
export const graph = new StateGraph(MessagesAnnotation)
  .addNode("answer", () => ({ messages: [{ role: "assistant", content: "Hello." }] }))
  .addEdge(START, "answer")
  .addEdge("answer", END)
  .compile();
