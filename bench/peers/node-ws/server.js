// `ws` on Node: echo on /echo; messages on /publish go to all clients on /subscribe, as in the package's documentation.
"use strict"
const { createServer } = require("node:http")
const { WebSocket, WebSocketServer } = require("ws")

const [port, mode] = process.argv.slice(2)
const perMessageDeflate = mode === "compressed" && { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 }
const sockets = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate })
const subscribers = new Set()
const server = createServer((request, response) => response.writeHead(404).end())

server.on("upgrade", (request, socket, head) =>
  sockets.handleUpgrade(request, socket, head, (connection) => {
    connection.on("error", () => connection.terminate())
    switch (request.url) {
      case "/echo":
        connection.on("message", (data, binary) => connection.send(data, { binary }))
        break
      case "/subscribe":
        subscribers.add(connection)
        connection.on("close", () => subscribers.delete(connection))
        break
      case "/publish":
        connection.on("message", (data, binary) => {
          for (const subscriber of subscribers)
            if (subscriber.readyState === WebSocket.OPEN) subscriber.send(data, { binary })
        })
        break
      default:
        connection.close(1008)
    }
  }),
)
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 4096 })
