import Configuration
import JSON
import Linux
import Logging
import Messaging
import Pacing
import Sessions
import Store
import Telemetry

/// What this hub tells the others of itself, and its answers to operators: who is connected, and drain.
///
/// Its calls come from the store's thread and from the main thread.
final class NodeDesk: NodeReporter {
    private struct Draining {
        var isDrained = false
        /// The hub ends: nothing is taken back.
        var isFinal = false
        /// New sessions a second that the other hubs take.
        var room = 0
    }

    let settings: Configuration.Drain
    private let loops: [LoopInbox]
    private let isAccepting: AtomicFlag
    private let metrics: ServingMetrics
    private let lag: Gauge
    private let log: Logger
    private let draining = Locked(Draining())

    init(
        _ settings: Configuration.Drain, loops: [LoopInbox], isAccepting: AtomicFlag, metrics: ServingMetrics, lag: Gauge, log: Logger
    ) {
        self.settings = settings
        self.loops = loops
        self.isAccepting = isAccepting
        self.metrics = metrics
        self.lag = lag
        self.log = log
    }

    private var sessions: Int { loops.reduce(0) { $0 + $1.openSessions } }

    // MARK: NodeReporter

    func state() -> NodeState {
        var state = NodeState()
        state.sessions = sessions
        state.stage = draining.withLock { $0.isDrained } ? (state.sessions > 0 ? .draining : .drained) : .serving
        state.takes = settings.sessionsPerSecond
        state.lag = Int(lag.value)
        return state
    }

    func switched(_ board: Switchboard) {
        log.notice("the switches have changed", metadata: ["in_force": "\(board.count)"])
        tell(.switches(board))
    }

    func heard(_ news: NodeNews) { draining.withLock { $0.room = news.room } }

    func answer(_ question: NodeQuestion, _ answer: @escaping @Sendable (String) -> Void) {
        var object = JSONObject()
        switch question.kind {
        case .sessions: return list(question.subject, answer)
        case .reach: return reach(question.subject, answer)
        case .drain:
            let asked = Int64(question.subject).map { Duration.milliseconds(max(0, $0)) }
            let over = drain(over: asked)
            object["sessions"] = .number(JSONNumber(Int64(sessions)))
            object["window_ms"] = over.map { .number(JSONNumber($0.wholeMilliseconds)) }
            if over == nil { object["error"] = "the hub is being stopped" }
        case .undrain:
            if !undrain() { object["error"] = "the hub is being stopped" }
            object["sessions"] = .number(JSONNumber(Int64(sessions)))
        case nil: object["error"] = "this version of the hub does not know the question"
        }
        answer(JSONValue.object(object).text)
    }

    // MARK: Drain

    /// - Parameter asked: nil: as long as the other hubs need to take so many.
    /// - Returns: the time in which all sessions are told; nil when the hub is being stopped.
    private func drain(over asked: Duration?) -> Duration? {
        let count = sessions
        let over: Duration? = draining.withLock { draining in
            guard !draining.isFinal else { return nil }
            draining.isDrained = true
            return asked ?? DrainWindow.length(sessions: count, room: draining.room, spread: settings.spread)
        }
        guard let over else { return nil }
        isAccepting.set(false)
        log.notice("draining: no new sessions", metadata: ["sessions": "\(count)", "window_ms": "\(over.wholeMilliseconds)"])
        tell(.drain(LoopInbox.Drain(over: over, spread: settings.spread, isFinal: false)))
        metrics.draining.set(1)
        return over
    }

    private func undrain() -> Bool {
        let isPossible = draining.withLock { draining in
            if !draining.isFinal { draining.isDrained = false }
            return !draining.isFinal
        }
        guard isPossible else { return false }
        tell(.undrain)
        isAccepting.set(true)
        metrics.draining.set(0)
        log.notice("not draining any more: new sessions are taken")
        return true
    }

    /// The hub ends, and waits for its sessions as long as `limit`.
    func end(within limit: Duration) {
        let count = sessions
        let needed = draining.withLock { draining in
            draining.isDrained = true
            draining.isFinal = true
            return DrainWindow.length(sessions: count, room: draining.room, spread: settings.spread)
        }
        if needed > limit {
            log.warning(
                "drain.within is too short for so many sessions: the other hubs get them faster than they take them",
                metadata: ["sessions": "\(count)", "needed_ms": "\(needed.wholeMilliseconds)", "window_ms": "\(limit.wholeMilliseconds)"])
        }
        metrics.draining.set(1)
        tell(.drain(LoopInbox.Drain(over: min(needed, limit), spread: settings.spread, isFinal: true)))
    }

    private func tell(_ control: LoopInbox.Control) {
        for loop in loops { loop.control(control) }
    }

    // MARK: Who is connected

    private func reach(_ subject: String, _ answer: @escaping @Sendable (String) -> Void) {
        guard let scope = SwitchScope(subject) else { return answer(#"{"error":"no valid scope"}"#) }
        let gathered = Locked((left: loops.count, sessions: 0, users: Set<UserID>()))
        for loop in loops {
            loop.control(
                .reach(scope) { sessions, users in
                    let all: (sessions: Int, users: Int)? = gathered.withLock { gathered in
                        gathered.left -= 1
                        gathered.sessions += sessions
                        gathered.users.formUnion(users)
                        return gathered.left == 0 ? (gathered.sessions, gathered.users.count) : nil
                    }
                    if let all { answer(#"{"sessions":\#(all.sessions),"users":\#(all.users)}"#) }
                })
        }
    }

    private func list(_ subject: String, _ answer: @escaping @Sendable (String) -> Void) {
        guard let user = UserID(subject) else { return answer(#"{"error":"no valid user"}"#) }
        let gathered = Locked((left: loops.count, lines: [SessionLine]()))
        for loop in loops {
            loop.control(
                .list(user) { lines in
                    let all: [SessionLine]? = gathered.withLock { gathered in
                        gathered.left -= 1
                        gathered.lines += lines
                        return gathered.left == 0 ? gathered.lines : nil
                    }
                    if let all { answer(Self.text(of: all)) }
                })
        }
    }

    private static func text(of lines: [SessionLine]) -> String {
        var object = JSONObject()
        object["sessions"] = .array(
            lines.map { line in
                var member = JSONObject()
                member["id"] = .string(line.id)
                member["transport"] = .string(line.transport)
                member["idle_ms"] = .number(JSONNumber(line.idle.wholeMilliseconds))
                return .object(member)
            })
        return JSONValue.object(object).text
    }
}

/// How long a hub takes to say goodbye to its sessions.
enum DrainWindow {
    /// Half of the spread, because the clients come back over all of it. Longer, when the other hubs take fewer new sessions a second.
    /// - Parameter room: 0: there is no other hub, and the clients come back to this one when it has started again.
    static func length(sessions: Int, room: Int, spread: Duration) -> Duration {
        max(spread / 2, room > 0 ? .milliseconds(Int64(sessions) * 1_000 / Int64(room)) : .zero)
    }
}
