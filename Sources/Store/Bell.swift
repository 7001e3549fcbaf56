import Linux
import Logging
import Messaging
import Postgres
import Reactor
import Telemetry

/// Tells the other hubs on this database to look into the journal, and hears when they tell this one: NOTIFY and LISTEN on a connection of
/// its own.
///
/// Behind the commit, never in the writing transaction: a transaction that notifies takes a lock that is one for all databases of the
/// server. A ring that is lost costs the time until the next look. Lives on the store's thread.
final class Bell: LinkUser {
    /// Between two rings. All that is committed meanwhile shares the next.
    static let pause: Duration = .milliseconds(2)
    /// PostgreSQL takes less than 8 000 bytes.
    static let longestPayload = 7_900
    static let mostPayloads = 64
    /// A command line has asked something, or changed the switches: a beat and a reading out of turn find it. Other texts are base64, and older hubs ignore this one.
    static let knock = "?"
    /// All statements of its connection.
    static let statements: [Statement] = [.listen, .ring, .rest]

    private let loop: EventLoop
    private let link: Link
    private let statistics: StoreStatistics
    private let heard: ([String]) -> Void
    private var isUp = false
    private var isRinging = false
    private var isDue = false
    private var payloads: [String] = []
    private var isResting = false

    /// - Parameter heard: is called with what others rang; an empty text: they have committed something.
    init(
        loop: EventLoop, configuration: StoreConfiguration, statistics: StoreStatistics, log: Logger, random: @escaping () -> UInt64,
        history: History, heard: @escaping ([String]) -> Void
    ) {
        self.loop = loop
        self.statistics = statistics
        self.heard = heard
        link = Link(
            "bell", statements: Self.statements, loop: loop, configuration: configuration, statistics: statistics, log: log,
            random: random, history: history, writesHistory: false)
        link.user = self
    }

    var hears: Bool { isUp }
    func connect() { link.connect() }
    func close() { link.close() }

    /// Something was committed that others show.
    func ring() {
        isDue = true
        go()
    }

    /// Rings with a text, such as signals. It is lost while the database is away, and when there are too many.
    func ring(with payload: String) {
        guard payload.utf8.count <= Self.longestPayload, payloads.count < Self.mostPayloads else { return }
        payloads.append(payload)
        go()
    }

    private func go() {
        guard isUp, isDue || !payloads.isEmpty, !isRinging, !isResting else { return }
        let rings = payloads + (isDue ? [""] : [])
        isDue = false
        payloads.removeAll()
        isRinging = true
        statistics.bellsRung.add()
        link.send(
            rings.map { text in
                var parameters = Parameters()
                parameters.append(text)
                return (.ring, parameters)
            })
    }

    func linkIsUp(_ epoch: Epoch) {
        isUp = true
        isRinging = true
        link.send([(.rest, Parameters()), (.listen, Parameters())])
    }

    func linkAnswered(_ answer: Connection.Answer) {
        switch answer {
        case .rows, .skipped: return
        case .failed(let error): link.give(up: error)
        case .committed:
            guard isRinging else { return }
            isRinging = false
            isResting = true
            _ = loop.after(Self.pause) { [weak self] in
                self?.isResting = false
                self?.go()
            }
        }
    }

    func linkIsLost(wasUp: Bool) {
        isUp = false
        isRinging = false
        payloads.removeAll()
    }

    /// The lanes report it.
    func schemaIsMissing() {}

    func linkWasNotified(_ payloads: [String]) {
        statistics.bellsHeard.add()
        heard(payloads)
    }
}

extension Statement {
    static let listen = Statement(name: "listen", sql: "listen hub_journal")
    static let ring = Statement(name: "ring", sql: "select pg_notify('hub_journal', $1::text)")
    /// A ring has nothing that a crash could lose.
    static let rest = Statement(name: "rest", sql: "select set_config('synchronous_commit', 'off', false)")
}
