package import Bus
package import Linux
package import Logging
package import Messaging
package import Reactor
import Telemetry

/// The bus of several hubs over an engine. This hub's loops hear what it commits at once; the other hubs get the same through the engine,
/// with the entries themselves, and do not read them from the database.
///
/// The journal in the database has every change, also one that the engine lost. `publish(found:)` gets the changes of the journal, and leaves out
/// those that have already come over the engine.
package final class EngineBus: Bus {
    /// The facts that the bus needs from the store, and the one request that it makes to it.
    package struct Surroundings: Sendable {
        /// The epoch of the database; messages of another database are not for this hub.
        let epoch: @Sendable () -> Epoch?
        /// False when no other hub is there to hear.
        let hasOthers: @Sendable () -> Bool
        /// Something is missing: look into the journal now.
        let look: @Sendable () -> Void

        package init(
            epoch: @escaping @Sendable () -> Epoch?, hasOthers: @escaping @Sendable () -> Bool, look: @escaping @Sendable () -> Void
        ) {
            self.epoch = epoch
            self.hasOthers = hasOthers
            self.look = look
        }
    }

    private enum Stage {
        case made(EventLoop)
        case running(Thread)
        case ended
    }

    /// Batches of events that wait for the bus's thread. When there are more, they are dropped and found in the journal.
    private static let mostWaiting = 8_192

    package let statistics = BusStatistics()
    private let settings: EngineSettings
    private let log: Logger
    private let local = MemoryBus()
    private let outgoing: Mailbox<[BusEvent]>
    private let heard = Locked(HeardElsewhere(at: .now))
    private let surroundings = Locked<Surroundings?>(nil)
    private let state = Locked(BusHealth.degraded(reason: "not connected yet"))
    private let handle: LoopHandle
    private let stage: Locked<Stage>

    /// - Throws: when the system has no descriptors for an event loop.
    package init(_ settings: EngineSettings, log: Logger) throws(SystemError) {
        self.settings = settings
        self.log = log
        let loop = try EventLoop(name: "bus")
        handle = loop.handle
        outgoing = Mailbox(capacity: Self.mostWaiting, wakes: loop.handle)
        stage = Locked(.made(loop))
    }

    package var heartbeat: Heartbeat { handle.heartbeat }

    /// Starts the thread, which connects.
    /// - Throws: when the system has no thread to give.
    package func start(_ surroundings: Surroundings) throws(SystemError) {
        self.surroundings.withLock { $0 = surroundings }
        let (settings, statistics, outgoing, log) = (settings, statistics, outgoing, log)
        try stage.withLock { stage throws(SystemError) in
            guard case .made(let loop) = stage else { return }
            stage = .ended
            stage = .running(
                try Thread.spawn(name: "bus") { [self] in
                    EngineThread(
                        loop, settings, outgoing: outgoing, statistics: statistics, surroundings: surroundings, log: log,
                        heard: { self.hear($0) }, changed: { self.set($0) }
                    ).run()
                })
        }
    }

    /// What other hubs send is not heard any more.
    /// - Returns: false when the thread has not ended within `limit`; it is then left behind.
    package func stop(within limit: Duration) -> Bool {
        let thread: Thread? = stage.withLock { stage in
            defer { stage = .ended }
            if case .running(let thread) = stage { return thread }
            return nil
        }
        guard let thread else { return true }
        handle.stop()
        return thread.join(within: limit)
    }

    private func hear(_ events: [BusEvent]) {
        heard.withLock { $0.note(events, at: .now) }
        local.publish(committed: events)
    }

    private func set(_ health: BusHealth) { state.withLock { $0 = health } }

    private func send(_ events: [BusEvent]) {
        guard !events.isEmpty, surroundings.withLock({ $0 })?.hasOthers() ?? true else { return }
        if !outgoing.post(events) { statistics.dropped.add() }
    }

    // MARK: Bus

    package func publish(committed events: [BusEvent]) {
        local.publish(committed: events)
        send(events)
    }

    package func publish(found events: [BusEvent]?) {
        guard let events else { return local.publish(found: nil) }
        local.publish(found: heard.withLock { $0.unheard(events, at: .now) })
    }

    package func publish(signals: [BusSignal]) {
        local.publish(signals: signals)
        send(signals.map { .signal($0) })
    }

    /// The engine carries them.
    package func carrySignals(_ carrier: @escaping @Sendable ([BusSignal]) -> Void) {}

    package func subscribe(_ listener: any BusListener) { local.subscribe(listener) }
    package func unsubscribe(_ listener: any BusListener) { local.unsubscribe(listener) }
    package var health: BusHealth { state.withLock { $0 } }
}
