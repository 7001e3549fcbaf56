import Linux
import Logging
import Messaging
import Pacing
package import Postgres
import Reactor
import Telemetry

/// What a link tells the lane that uses it.
protocol LinkUser: AnyObject {
    /// The database has this history.
    func linkIsUp(_ epoch: Epoch)
    func linkAnswered(_ answer: Connection.Answer)
    /// The transaction in flight has an unknown end. The link connects again by itself.
    func linkIsLost(wasUp: Bool)
    /// The tables are not there, or not those this program knows.
    func schemaIsMissing()
    /// Another connection notified this one, which listens.
    func linkWasNotified(_ payloads: [String])
}

extension LinkUser {
    func linkWasNotified(_ payloads: [String]) {}
}

/// A connection to the database that restores itself: it connects, sets its session up and prepares its statements. When it is lost,
/// it does so again after a pause.
///
/// Invariant: it watches exactly the current connection's descriptor. Lives on the store's thread. Half of its stored properties are
/// what it was made with, the other half are the state of connecting.
package final class Link {
    private enum Stage {
        case down
        case connecting(Connection, WatchID)
        case preparing(Connection, WatchID)
        case up(Connection, WatchID)
    }

    weak var user: (any LinkUser)?
    private let name: String
    private let statements: [Statement]
    private let loop: EventLoop
    private let configuration: StoreConfiguration
    private let statistics: StoreStatistics
    private let log: Logger
    private let random: () -> UInt64
    private let history: History
    /// Whether it begins a new epoch in a database that went back.
    private let writesHistory: Bool

    private var stage = Stage.down
    private var isClosed = false
    private var isWriting = false
    private var failedToConnect = false
    private var backoff: Backoff
    /// Until when the connection must be up.
    private var deadline: TimerID?
    private var retry: TimerID?
    /// Answers to the session's settings.
    private var settings: [Rows] = []
    /// The number of session settings that were sent. The answers of prepared statements follow them.
    private var questions = 0

    init(
        _ name: String, statements: [Statement], loop: EventLoop, configuration: StoreConfiguration, statistics: StoreStatistics,
        log: Logger, random: @escaping () -> UInt64, history: History, writesHistory: Bool
    ) {
        self.name = name
        self.statements = statements
        self.loop = loop
        self.configuration = configuration
        self.statistics = statistics
        self.log = log
        self.random = random
        self.history = history
        self.writesHistory = writesHistory
        backoff = .ofStore(longest: configuration.longestBackoff)
    }

    package var isUp: Bool {
        if case .up = stage { true } else { false }
    }

    package func connect() {
        guard case .down = stage, !isClosed else { return }
        retry = nil
        attempt {
            let connection = try Connection(configuration.address, applicationName: "hub \(name)")
            deadline = loop.after(configuration.connectDeadline) { [unowned self] in
                give(up: PostgresError(message: "not connected after \(configuration.connectDeadline.inMilliseconds)", lost: true))
            }
            stage = .connecting(connection, try watch(connection, .writable))
        }
    }

    /// Cuts the pause before the next attempt short, if the last attempt failed to connect. A server that accepts connections and then
    /// fails keeps its pauses.
    func hurry() {
        guard case .down = stage, failedToConnect, let retry else { return }
        loop.cancel(retry)
        connect()
    }

    /// Sends statements as one transaction. `linkIsLost` reports a failure.
    func send(_ statements: [(statement: Statement, parameters: Parameters)]) {
        guard case .up(let connection, _) = stage else { return }
        attempt {
            for (statement, parameters) in statements { try connection.execute(statement.name, parameters) }
            try connection.commit()
            try flush(connection)
        }
    }

    /// Drops a connection that is lost, was never made, or cannot be used, and connects again after a pause.
    package func give(up error: PostgresError) {
        let wasUp = isUp
        failedToConnect = !wasUp
        drop()
        if wasUp { statistics.connectionsLost.add() }
        let delay = backoff.next(random: random())
        log.log(
            level: error.isFinal ? .error : .warning, "no connection to the database",
            metadata: ["lane": "\(name)", "error": "\(error)", "again": "\(delay.inMilliseconds)"])
        retry = loop.after(delay) { [unowned self] in connect() }
        user?.linkIsLost(wasUp: wasUp)
    }

    package func close() {
        isClosed = true
        if let retry { loop.cancel(retry) }
        drop()
    }

    // MARK: Stages

    private func attempt(_ work: () throws -> Void) {
        do {
            try work()
        } catch let error as PostgresError {
            give(up: error)
        } catch {
            give(up: PostgresError(message: "\(error)", lost: true))
        }
    }

    private func watch(_ connection: Connection, _ interest: EventLoop.Readiness) throws(SystemError) -> WatchID {
        try loop.watch(connection.descriptor, interest) { [unowned self] _ in attempt(proceed) }
    }

    private func proceed() throws {
        switch stage {
        case .down: break
        case .connecting(let connection, let watched):
            // `proceed` may replace the descriptor.
            loop.unwatch(watched)
            switch try connection.proceed() {
            case .reading: stage = .connecting(connection, try watch(connection, .readable))
            case .writing: stage = .connecting(connection, try watch(connection, .writable))
            case .ready:
                stage = .preparing(connection, try watch(connection, .readable))
                try prepare(connection)
            }
        case .preparing(let connection, let watched):
            var failure: PostgresError?
            try connection.receive { answer in
                switch answer {
                case .rows(let rows): settings.append(rows)
                case .failed(let error): failure = failure ?? error
                case .skipped, .committed: break
                }
            }
            if let failure {
                if failure.meaning == .schema { user?.schemaIsMissing() }
                return give(up: failure)
            }
            try flush(connection)
            if connection.outstanding == 0 { prepared(connection, watched) }
        case .up(let connection, _):
            // The answers are handed on after receiving, because the user may send, or give the connection up, while it handles one.
            var answers: [Connection.Answer] = []
            try connection.receive { answers.append($0) }
            try flush(connection)
            for answer in answers { user?.linkAnswered(answer) }
            let payloads = connection.takeNotifications()
            if !payloads.isEmpty { user?.linkWasNotified(payloads) }
        }
    }

    private func prepare(_ connection: Connection) throws(PostgresError) {
        settings.removeAll()
        let new = writesHistory ? Epoch(random: random()) : nil
        let statements = SessionSettings(configuration, reads: name == LaneName.reads.rawValue).statements(history, beginning: new)
        questions = statements.count
        for (sql, parameters) in statements { try connection.run(sql, parameters) }
        for statement in self.statements { try connection.prepare(statement.name, statement.sql) }
        try connection.commit()
        try flush(connection)
    }

    private func prepared(_ connection: Connection, _ watched: WatchID) {
        guard SessionSettings.areSatisfied(by: settings) else {
            user?.schemaIsMissing()
            let known = Migration.all.count
            return give(up: PostgresError(message: "the schema hub is not one that this program works on, which knows it up to \(known)"))
        }
        guard settings.count >= questions, let epoch = SessionSettings.epoch(in: settings[questions - 1]) else {
            return give(
                up: PostgresError(message: "the database went back to an earlier state, which the writing connection must note first"))
        }
        settings.removeAll()
        if writesHistory { history.witnessed() }
        if let deadline { loop.cancel(deadline) }
        deadline = nil
        backoff.succeeded()
        stage = .up(connection, watched)
        log.info("connected to the database", metadata: ["lane": "\(name)"])
        user?.linkIsUp(epoch)
    }

    private func flush(_ connection: Connection) throws(PostgresError) {
        let more = try connection.flush()
        guard more != isWriting else { return }
        isWriting = more
        switch stage {
        case .down: break
        case .connecting(_, let watched), .preparing(_, let watched), .up(_, let watched):
            loop.change(watched, more ? [.readable, .writable] : .readable)
        }
    }

    private func drop() {
        switch stage {
        case .down: break
        case .connecting(_, let watched), .preparing(_, let watched), .up(_, let watched): loop.unwatch(watched)
        }
        if let deadline { loop.cancel(deadline) }
        deadline = nil
        isWriting = false
        stage = .down
    }
}
