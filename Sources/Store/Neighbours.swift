import Bus
import Bytes
import Linux
import Logging
import Messaging
import Reactor

/// The other hubs on this database: what they committed is read, and they are told when this one has committed something.
final class Neighbours {
    private let loop: EventLoop
    private let journal: JournalWatch
    private let beat: NodeBeat
    private let bell: Bell
    /// False when an engine tells the others. The bell then only hears what operators ask, and hubs that have no engine.
    private let rings: Bool
    private let bus: any Bus
    private let busName: String
    private var hasBegun = false

    init(_ front: StoreFront, _ configuration: StoreConfiguration, loop: EventLoop, history: History, bus: any Bus, log: Logger) {
        self.loop = loop
        self.bus = bus
        busName = configuration.busName
        let node = NodeIdentity(id: history.witness, name: configuration.nodeName, version: configuration.version)
        let journal = JournalWatch(front, node: node.id, bus: bus)
        self.journal = journal
        beat = NodeBeat(front, node: node)
        rings = configuration.rings
        var dice = SystemRandomNumberGenerator()
        bell = Bell(
            loop: loop, configuration: configuration, statistics: front.statistics, log: log, random: { dice.next() }, history: history,
            heard: { payloads in
                let signals = payloads.flatMap { Self.signals(in: $0) }
                if !signals.isEmpty { bus.publish(found: signals) }
                if payloads.contains("") { journal.ask(isRung: true) }
                if payloads.contains(Bell.knock) { _ = front.signals.post(.knocked) }
            })
    }

    func start() {
        hasBegun = true
        bell.connect()
        keepBeating()
    }

    func stop() { bell.close() }

    /// The hub ends: the others see its row go at once.
    func leave() { if hasBegun { beat.leave() } }

    /// A beat out of turn.
    func tell() { if hasBegun { beat.beat(isUrgent: true, complete) } }

    /// The clock's turn; the bell makes it faster.
    func look() { journal.ask() }
    /// Somebody says that there is something new.
    func lookNow() { journal.ask(isRung: true) }

    func committed() {
        if rings, beat.hasOthers { bell.ring() }
    }

    func carry(_ signals: [BusSignal]) {
        guard rings, beat.hasOthers else { return }
        for message in BusCodec.encode(signals.map { .signal($0) }, usualMessage: Bell.longestPayload / 2).messages {
            bell.ring(with: Base64.encode(message))
        }
    }

    /// None if another version wrote what this one cannot read: a signal may be lost.
    private static func signals(in payload: String) -> [BusEvent] {
        guard let message = Base64.decode(payload), let decoded = try? BusCodec.decode(message) else { return [] }
        return decoded.events.filter { if case .signal = $0 { true } else { false } }
    }

    private func complete(_ state: inout NodeState) {
        state.journalAge = journal.age
        state.bus = busName
        state.hears = rings ? bell.hears : bus.health == .up
    }

    private func keepBeating() {
        beat.beat(complete)
        _ = loop.after(NodeBeat.interval) { [weak self] in self?.keepBeating() }
    }
}
