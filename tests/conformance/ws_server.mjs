// npm's ws as the server, to show that the suite itself is right: it sends every message back as it came.
import { WebSocketServer } from "ws";

const limit = 16 * 1024 * 1024;
const takeover = process.argv[2] === "--takeover";
const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: limit,
  // Undefined, not false: false refuses clients that want none.
  perMessageDeflate: { threshold: 64, serverNoContextTakeover: takeover ? undefined : true, clientNoContextTakeover: takeover ? undefined : true, zlibDeflateOptions: { level: 1 } },
});
server.on("connection", (client) => {
  client.on("message", (data, isBinary) => client.send(data, { binary: isBinary }));
  client.on("error", () => {});
});
server.on("listening", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
