package import Bus
import Linux
package import Messaging
import Pacing
package import StoreAPI

/// Bounds of one loop's sessions. More than twelve stored properties: one for each bound.
package struct SessionLimits: Sendable {
    package var session = Session.Limits()
    package var commands = CommandLimits()
    package var paces = PaceLimits()
    /// The longest message of a client; longer ones fail the connection with 1009.
    package var messageBytes = 64 * 1_024
    /// Told with every temporary error.
    var retryAfter: Duration = .seconds(1)
    /// Commands refused before a `connect` succeeded; at the next one the session ends (4000).
    var unauthenticatedCommands: UInt8 = 8
    /// From the opening of a session until its `connect` must have succeeded; then it ends (4105).
    package var connectWithin: Duration = .seconds(10)
    /// A browser's session ends (4104) after so long without a sign of the user; zero: never.
    package var idle: Duration = .seconds(1800)
    /// The longest life of a session since its `connect` or its last `refresh`, whatever its token says; then it ends (4300).
    package var life: Duration = .seconds(86_400)
    /// How long a one-time ticket can be used.
    package var ticketLife: Duration = .seconds(30)
    /// A session that is reached by HTTP ends after so long without a stream or a poll.
    package var detached: Duration = .seconds(60)
    /// Commands of one session waiting for the store; beyond it the socket is not read until half are answered, nor while its client does not
    /// read.
    package var inFlight = 64
    /// Bytes of one user that the user's clients have not taken; beyond it pages of history are refused.
    package var unreadBytes = 16 << 20
    /// Sessions of one user on this loop; a further one is ended (4103). 0: no bound.
    package var sessionsPerUser = 200
    /// Pages of one session read at once, so that a client that comes back to many channels is not sent all at once.
    package var pages = 4
    /// How soon a page that could not be read is asked for again.
    var storeRetry: Duration = .milliseconds(500)
    /// How long a token with an unknown key waits for the keys to be fetched: longer than the key source may not be asked again
    /// (`JWKSSource.Settings.unknownKeySpacing`), and shorter than `connectWithin`.
    package var keyWait: Duration = .seconds(7)
    /// Clients of sessions whose key was withdrawn come back over this time.
    var revokeSpread: Duration = .seconds(5)
    /// Within this time the clients come back whose sessions ended because the database went back.
    var restoredSpread: Duration = .seconds(2)
    package var pingInterval: Duration = .seconds(25)

    package init() {}

    /// What the connect reply tells every client.
    package func terms(features: [String], node: String) -> Welcome.Terms {
        Welcome.Terms(
            pingIntervalMs: UInt64(max(0, pingInterval.wholeMilliseconds)),
            limits: Welcome.Limits(
                messageBytes: messageBytes, bodyBytes: commands.bodyBytes, subscriptions: session.subscriptions,
                inFlight: inFlight, setSize: commands.setSize, historyPage: session.historyPage),
            features: features, node: node)
    }
}

/// What the sessions of a loop need from the rest of the hub.
package protocol SessionServices: AnyObject, Sendable {
    var bus: any Bus { get }
    var store: any StoreDesk { get }
    /// The hub's name among the hubs on its database.
    var node: String { get }
    /// Names of the features that are on, for the connect reply.
    var features: [String] { get }
    /// At least one, and as many as cost about the same.
    func makeSessionIDs() -> [String]
    /// A token named a key that is not known: fetch the keys, if that was not just done.
    func requestKey(_ kid: String?)
}
