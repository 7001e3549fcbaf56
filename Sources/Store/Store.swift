package import Bus
package import Linux
package import Logging
package import Messaging
package import Reactor
package import StoreAPI
import Telemetry

/// Carries out the requests of the domain in PostgreSQL, on a thread of its own. `Operation` says what happens while the database is
/// away.
///
/// It has three lanes, each a connection with one transaction in flight: entries, cursors, and reads. So a large batch of events does
/// not delay an acknowledgement, and neither delays a connect.
package final class Store: StoreDesk {
    private enum Stage {
        case made(EventLoop)
        case running(Thread)
        case stopped
    }

    private let front: StoreFront
    private let configuration: StoreConfiguration
    private let bus: any Bus
    private let log: Logger
    private let historyChanged: @Sendable () -> Void
    private let stage: Locked<Stage>

    /// - Parameter historyChanged: is called on the store's thread when `epoch` has become another one.
    /// - Throws: when the system has no descriptors for an event loop.
    package init(
        configuration: StoreConfiguration, bus: any Bus, logger: Logger, historyChanged: @escaping @Sendable () -> Void = {}
    ) throws(SystemError) {
        self.historyChanged = historyChanged
        self.configuration = configuration
        self.bus = bus
        log = logger
        let loop = try EventLoop(name: "store")
        front = StoreFront(capacity: configuration.capacity, wakes: loop.handle)
        stage = Locked(.made(loop))
        // A signal may be lost: also when this mailbox is full.
        if configuration.rings { bus.carrySignals { [front] in _ = front.signals.post(.carry($0)) } }
    }

    /// Starts the thread, which migrates the schema and connects. Orders are accepted from now on, and answered
    /// `.unavailable` (or kept, see `Operation`) until it is there.
    /// - Throws: when the system has no thread to give.
    package func start() throws(SystemError) {
        let (front, configuration, bus, log, historyChanged) = (front, configuration, bus, log, historyChanged)
        try stage.withLock { stage throws(SystemError) in
            guard case .made(let loop) = stage else { return }
            stage = .stopped
            stage = .running(
                try Thread.spawn(name: "store") {
                    StoreThread(
                        loop: loop, front: front, configuration: configuration, bus: bus, log: log, historyChanged: historyChanged
                    ).run()
                })
        }
    }

    /// Hands in orders, from any thread. Each accepted order is answered exactly once, through its client.
    /// - Returns: false when as many orders are waiting as configured, or the store has stopped; nothing was taken then.
    package func submit(_ orders: [StoreOrder]) -> Bool { front.submit(orders) }

    package func cancel(_ tokens: Set<UInt64>, of client: any StoreClient) { front.cancel(tokens, of: client) }

    /// From now on this hub's beats say what the reporter says.
    package func use(_ reporter: any NodeReporter) { front.set(reporter) }

    package var room: Int { front.room }
    package var isUp: Bool { front.state == .up }
    package var connectionsMade: UInt64 { front.connectionsMade }
    package func noteDatabaseIsBehind() { _ = front.signals.post(.databaseIsBehind) }
    /// Reads what other hubs have committed now, and not only in its turn. A call may be lost; the turn comes twice a second.
    package func lookAtJournal() { _ = front.signals.post(.look) }
    /// False while this hub is the only one on its database. True until it knows.
    package var hasOthers: Bool { front.statistics.nodes.value != 1 }
    package var epoch: Epoch? { front.epoch }

    /// Accepts no more, lets what was accepted finish within `stopGrace`, answers the rest `.unavailable`, and ends the
    /// thread. Blocks until then.
    /// - Returns: false when the thread has not ended within `limit`; it is then left behind.
    @discardableResult
    package func stop(within limit: Duration = .seconds(60)) -> Bool {
        let thread: Thread? = stage.withLock { stage in
            defer { stage = .stopped }
            if case .running(let thread) = stage { return thread }
            return nil
        }
        front.change(to: .stopped)
        guard let thread else { return true }
        _ = front.signals.post(.stop)
        return thread.join(within: limit)
    }

    package var state: StoreState { front.state }
    /// Why the database cannot be used before somebody has acted: a wrong password, a newer schema. Nil once it was usable, and for what may
    /// pass by itself; the store then tries again and again.
    package var startFailure: String? { front.startFailure }
    package var heartbeat: Heartbeat { front.heartbeat }
    package var statistics: StoreStatistics { front.statistics }
}
