import HTTP
import Messaging
import Reactor
import WSProtocol

/// Bounds of one loop's connections. Each says what happens beyond it.
struct ServingLimits: Sendable {
    var connections = ConnectionLimits()
    var http = HTTPLimits()
    var socket = WebSocketLimits(
        messageBytes: Configuration.Limits().messageBytes, compressionThresholdBytes: Configuration.Deflate().minimumBytes)
    /// A request head must be whole by then, or the connection is answered 408 and closed: slow heads cost a slot each.
    var headTimeout = Configuration.Limits().headWithin
    /// An idle kept-alive HTTP connection is closed.
    var keepAliveTimeout = Configuration.Limits().keepAlive
    /// After a close frame or a last response the peer has this long to end the connection.
    var closeTimeout: Duration = .seconds(5)
    /// Silence after which the server pings. Below the 60 s at which NATs and proxies cut quiet connections.
    var pingInterval = Configuration.WebSocket().pingEvery
    /// Silence after the ping before the connection counts as lost (4201).
    var pongTimeout = Configuration.WebSocket().pongWithin
    /// zlib's level for outgoing frames.
    var deflateLevel = Configuration.Deflate().level
}

/// Bounds of one loop's sessions.
struct SessionLimits: Sendable {
    var session = Session.Limits()
    var commands = CommandLimits()
    /// The longest message of a client; longer ones fail the connection with 1009.
    var messageBytes = Configuration.Limits().messageBytes
    /// Told with every temporary error.
    var retryAfter: Duration = .seconds(1)
    /// Commands refused before a `connect` succeeded; at the next one the connection is closed (4000).
    var strays: UInt8 = 8
    /// Commands of one session waiting for the store; beyond it the socket is not read until half are answered.
    var inFlight = Configuration.Limits().inFlight
    /// Pages of one session read at once, so that a client that comes back to many channels is not sent all at once.
    var pages = 4
    /// How soon a page that could not be read is asked for again.
    var storeRetry: Duration = .milliseconds(500)
    /// How long a token with an unknown key waits for the keys to be fetched.
    var keyWait: Duration = .seconds(4)
    var pingInterval = Configuration.WebSocket().pingEvery

    /// What the connect reply tells every client.
    func terms(features: [String]) -> Welcome.Terms {
        Welcome.Terms(
            pingIntervalMs: UInt64(max(0, pingInterval.wholeMilliseconds)),
            limits: Welcome.Limits(
                messageBytes: messageBytes, bodyBytes: commands.bodyBytes, subscriptions: session.subscriptions,
                inFlight: inFlight, setSize: commands.setSize, historyPage: session.historyPage),
            features: features)
    }
}

/// What the sessions of a loop need from the rest of the hub.
protocol SessionServices: AnyObject, Sendable {
    var bus: any Bus { get }
    var store: any StoreDesk { get }
    /// Names of the features that are on, for the connect reply.
    var features: [String] { get }
    /// At least one, and as many as cost about the same.
    func makeSessionIDs() -> [String]
    /// A token named a key that is not known: fetch the keys, if that was not just done.
    func requestKey(_ kid: String?)
}

/// Where orders for the store are handed in. Any thread.
protocol StoreDesk: AnyObject, Sendable {
    /// All or nothing; false when it is full.
    func submit(_ orders: [StoreOrder]) -> Bool
    /// Orders it would take now, or so; less when others hand in too.
    var room: Int { get }
    /// Whether answers come before long.
    var isUp: Bool { get }
}
