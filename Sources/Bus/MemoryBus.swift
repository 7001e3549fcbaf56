import Linux

/// The bus of a single node: each batch goes to each listener, at once, on the publisher's thread.
/// Loses nothing, repeats nothing, and keeps the order of each publisher.
package final class MemoryBus: Bus {
    private let listeners = Locked<[any BusListener]>([])
    private let carrier = Locked<(@Sendable ([BusSignal]) -> Void)?>(nil)

    package init() {}

    package func publish(committed events: [BusEvent]) { tell(events) }
    package func publish(found events: [BusEvent]?) {
        if let events { return tell(events) }
        for listener in listeners.withLock({ $0 }) { listener.missedEvents() }
    }
    package func publish(signals: [BusSignal]) {
        tell(signals.map { .signal($0) })
        carrier.withLock { $0 }?(signals)
    }
    package func carrySignals(_ carrier: @escaping @Sendable ([BusSignal]) -> Void) { self.carrier.withLock { $0 = carrier } }

    package func subscribe(_ listener: any BusListener) {
        listeners.withLock { listeners in
            if !listeners.contains(where: { $0 === listener }) { listeners.append(listener) }
        }
    }

    package func unsubscribe(_ listener: any BusListener) {
        listeners.withLock { listeners in listeners.removeAll { $0 === listener } }
    }

    /// Nothing is between publisher and listener that could fail.
    package var health: BusHealth { .up }

    private func tell(_ events: [BusEvent]) {
        guard !events.isEmpty else { return }
        // The listeners are called outside the lock: a listener takes a lock of its own.
        for listener in listeners.withLock({ $0 }) { listener.hear(events) }
    }
}
