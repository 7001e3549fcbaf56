"""uWebSockets through socketify: echo on /echo, and what comes on /publish goes to all on /subscribe by uWebSockets' own topics."""
import sys

from socketify import App, CompressOptions

port = int(sys.argv[1])
compression = CompressOptions.SHARED_COMPRESSOR if sys.argv[2:] == ["compressed"] else CompressOptions.DISABLED
common = {"compression": compression, "max_payload_length": 1 << 20, "idle_timeout": 0, "max_backpressure": 1 << 24}
app = App()


def publish(ws, message, opcode):
    app.publish("bench", message, opcode, compression != CompressOptions.DISABLED)


def echo(ws, message, opcode):
    ws.send(message, opcode, compression != CompressOptions.DISABLED)


app.ws("/subscribe", {**common, "open": lambda ws: ws.subscribe("bench")})
app.ws("/publish", {**common, "message": publish})
app.ws("/echo", {**common, "message": echo})
app.listen({"port": port, "host": "127.0.0.1"}, lambda config: None)
app.run()
