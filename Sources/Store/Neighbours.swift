import Bus
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

    init(_ front: StoreFront, _ configuration: StoreConfiguration, loop: EventLoop, history: History, bus: any Bus, log: Logger) {
        self.loop = loop
        let node = NodeIdentity(id: history.witness, name: configuration.nodeName, version: configuration.version)
        let journal = JournalWatch(front, node: node.id, bus: bus)
        self.journal = journal
        beat = NodeBeat(front, node: node)
        var dice = SystemRandomNumberGenerator()
        bell = Bell(
            loop: loop, configuration: configuration, statistics: front.statistics, log: log, random: { dice.next() }, history: history,
            heard: { journal.ask(isRung: true) })
    }

    func start() {
        bell.connect()
        keepBeating()
    }

    func stop() { bell.close() }

    /// The clock's turn; the bell makes it faster.
    func look() { journal.ask() }

    func committed() {
        if beat.hasOthers { bell.ring() }
    }

    private func keepBeating() {
        beat.beat()
        _ = loop.after(NodeBeat.interval) { [weak self] in self?.keepBeating() }
    }
}
