package import Bus
import Linux
import Messaging

/// Keeps what is published, and hands it to nobody.
package final class HeardBus: Bus {
    package init() {}
    private let heard = Locked<[BusEvent]>([])
    package func publish(committed events: [BusEvent]) { heard.withLock { $0.append(contentsOf: events) } }
    package func carrySignals(_ carrier: @escaping @Sendable ([BusSignal]) -> Void) {}
    package func publish(found events: [BusEvent]?) { heard.withLock { $0.append(contentsOf: events ?? []) } }
    package func publish(signals: [BusSignal]) { heard.withLock { $0.append(contentsOf: signals.map { .signal($0) }) } }
    package func subscribe(_ listener: any BusListener) {}
    package func unsubscribe(_ listener: any BusListener) {}
    package let health = BusHealth.up
    package var events: [BusEvent] { heard.withLock { $0 } }
    package func forget() { heard.withLock { $0.removeAll() } }

    /// `inbox:ann/3` for each entry heard.
    package var entries: [String] {
        events.flatMap { event -> [String] in
            guard case .entries(let entries) = event else { return [] }
            return entries.map { "\($0.channel.storedName)/\($0.seq.rawValue)" }
        }
    }
}
