package import Telemetry

/// What the event loops count. One set for all loops: each counter is an atomic add without ordering.
package final class ServingMetrics: Sendable {
    package let socketsOpened = Counter()
    package let socketsClosed = Counter()
    package let messagesIn = Counter()
    package let commands = Counter()
    package let refusals = LabelledCounter()
    package let deliveries = Counter()
    package let replayed = Counter()
    package let gaps = Counter()
    package let resynchronisations = Counter()
    package let storeFull = Counter()
    package let tokensAccepted = Counter()
    package let tokensRejected = LabelledCounter()
    package let requests = Counter()
    package let requestsRefused = LabelledCounter()
    package let upgradesRefused = LabelledCounter()
    package let headTimeouts = Counter()
    package let dwellTimeouts = Counter()
    package let idleTimeouts = Counter()
    /// HTTP requests that belong to another loop's session, whose connection was handed to that loop.
    package let handovers = Counter()
    package let streamsOpened = Counter()
    package let streamsClosed = Counter()
    package let polls = Counter()
    package let pongTimeouts = Counter()
    package let slowConsumers = Counter()
    package let compressions = Counter()
    package let loopsTogether = Gauge()
    package let closes = LabelledCounter()
    package let violations = LabelledCounter()

    package init() {}
}
