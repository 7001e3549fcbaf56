package import Bus
import Linux
import Messaging

/// A bus that does everything the contract allows, by seeded randomness: it loses, repeats, delays and reorders events, for each listener
/// differently. Every event passes through the codec. Nothing is delivered before `deliver` or `deliverAll` is called.
package final class LossyBus: Bus {
    private struct Listening {
        let listener: any BusListener
        var underWay: [BusEvent] = []
        var hasUnreportedLoss = false
    }

    private struct State {
        var random: SeededRandom
        var listening: [Listening] = []
        var lost = 0
        var repeated = 0
        var reordered = 0
    }

    private let state: Locked<State>
    /// One of so many events is lost, and one of so many is repeated; 0: none.
    private let lossOneIn: Int
    private let repeatOneIn: Int

    package init(seed: UInt64, lossOneIn: Int = 4, repeatOneIn: Int = 4) {
        state = Locked(State(random: SeededRandom(seed: seed)))
        self.lossOneIn = lossOneIn
        self.repeatOneIn = repeatOneIn
    }

    package var lost: Int { state.withLock { $0.lost } }
    package var repeated: Int { state.withLock { $0.repeated } }
    package var reordered: Int { state.withLock { $0.reordered } }

    package func subscribe(_ listener: any BusListener) {
        state.withLock { state in
            guard !state.listening.contains(where: { $0.listener === listener }) else { return }
            state.listening.append(Listening(listener: listener))
        }
    }

    package func unsubscribe(_ listener: any BusListener) {
        state.withLock { state in state.listening.removeAll { $0.listener === listener } }
    }

    package func publish(committed events: [BusEvent]) {
        // A small message holds few entries, so that of entries committed together some are lost and others are not.
        let messages = BusCodec.encode(events, usualMessage: 64).messages
        take(messages.flatMap { message in Self.decoded(message) })
    }

    package func carrySignals(_ carrier: @escaping @Sendable ([BusSignal]) -> Void) {}
    package func publish(found events: [BusEvent]?) { take(events ?? []) }

    package func publish(signals: [BusSignal]) {
        take(BusCodec.encode(signals.map { .signal($0) }).messages.flatMap { message in Self.decoded(message) })
    }

    package var health: BusHealth {
        state.withLock { state in
            state.listening.contains { $0.hasUnreportedLoss } ? .degraded(reason: "lost \(state.lost) on purpose") : .up
        }
    }

    private static func decoded(_ message: [UInt8]) -> [BusEvent] {
        do throws(BusCodec.Failure) {
            return try BusCodec.decode(message).events
        } catch {
            preconditionFailure("the codec refuses its own message: \(error)")
        }
    }

    private func take(_ events: [BusEvent]) {
        state.withLock { state in
            for index in state.listening.indices {
                for event in events {
                    if lossOneIn > 0, state.random.chance(lossOneIn) {
                        state.lost += 1
                        state.listening[index].hasUnreportedLoss = true
                        continue
                    }
                    state.listening[index].underWay.append(event)
                    guard repeatOneIn > 0, state.random.chance(repeatOneIn) else { continue }
                    state.repeated += 1
                    state.listening[index].underWay.append(event)
                }
            }
        }
    }

    /// Hands one event, any of those under way, to its listener. False: nothing is under way.
    @discardableResult
    package func deliver() -> Bool {
        let next = state.withLock { state -> (any BusListener, BusEvent)? in
            let waiting = state.listening.indices.filter { !state.listening[$0].underWay.isEmpty }
            guard !waiting.isEmpty else { return nil }
            let index = state.random.pick(waiting)
            let event = Int.random(in: state.listening[index].underWay.indices, using: &state.random)
            if event > 0 { state.reordered += 1 }
            return (state.listening[index].listener, state.listening[index].underWay.remove(at: event))
        }
        guard let (listener, event) = next else { return false }
        listener.hear([event])
        return true
    }

    /// Tells each listener that missed something so, once.
    package func reportLosses() {
        let losers = state.withLock { state in
            let losers = state.listening.filter(\.hasUnreportedLoss).map(\.listener)
            for index in state.listening.indices { state.listening[index].hasUnreportedLoss = false }
            return losers
        }
        for listener in losers { listener.missedEvents() }
    }
}
