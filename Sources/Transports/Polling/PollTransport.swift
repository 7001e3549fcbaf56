import Bytes
package import HTTP
import JSON
package import Messaging
import Pacing
package import Reactor
package import Sessions
import Telemetry

/// `POST /v1/poll`: sessions whose client asks for frames again and again. Holds frames between two polls, also for sessions whose stream is
/// interrupted.
package final class PollTransport: HTTPHandler, Transport, FrameCarrier {
    package var name: String { "polling" }

    private struct Waiting {
        let session: FallbackSession
        let behind: String?
        let headers: [(String, String)]
    }

    /// A session costs its client no connection, so it holds less than a connection may. The store has the rest.
    private static let mostHeldBytes = 64 << 10
    /// The least wait of a poll whose session ends with its answer, while the store reads entries for it.
    private static let readingTime: Duration = .seconds(2)

    private unowned let server: HTTPServer
    private unowned let sessions: SessionLoop
    private let gate: RequestGate
    private let ends: RecentEnds
    /// The longest a poll waits.
    private let longestWait: Duration
    /// Frames held for one session beyond which it is congested.
    private let heldBytes: Int
    private var fallback: FallbackSessions?
    /// Polls that wait, by connection.
    private var waiting: [ConnectionID: Waiting] = [:]
    /// Sessions that were sent frames in this turn while their poll waits.
    private var ready: [FallbackSession] = []
    /// Sessions for which more waits than may.
    private var overflowing: [FallbackSession] = []
    /// Frames staged in this turn.
    private var staged: [SharedFrame] = []
    package private(set) var number: UInt8 = 0

    package init(server: HTTPServer, sessions: SessionLoop, gate: RequestGate, ends: RecentEnds, longestWait: Duration) {
        self.server = server
        self.sessions = sessions
        self.gate = gate
        self.ends = ends
        self.longestWait = longestWait
        heldBytes = min(Self.mostHeldBytes, server.limits.connections.highWatermarkBytes)
        number = sessions.add(self)
        server.loop.atTurnEnd { [unowned self] in endTurn() }
    }

    package func use(_ fallback: FallbackSessions) { self.fallback = fallback }

    // MARK: HTTPHandler

    package func answer(_ request: HTTPRequest, _ body: [UInt8], _ id: ConnectionID) -> HTTPAnswer {
        let admission: RequestGate.Admission
        switch gate.judge(request, .post) {
        case .answered(let response): return .now(response)
        case .admitted(let admitted): admission = admitted
        }
        func refuse(_ message: String) -> HTTPAnswer { .now(RequestGate.refusal(400, "bad_request", message, admission.headers)) }
        guard let wait = wait(admission.query) else { return refuse("wait: expected a number of seconds, 0 or more") }
        let parameters: PollParameters
        switch PollParameters.read(body) {
        case .success(let read): parameters = read
        case .failure(let failure): return refuse(failure.message)
        }
        guard let fallback else { return .now(RequestGate.draining(admission.headers)) }
        switch admission.target {
        case .elsewhere(let loop): return .elsewhere(loop: loop)
        case .ended(let credential):
            let bye = gate.takeBye(credential)
            return .now(Self.response(after: parameters.after ?? PositionText.write([]), bye, admission.headers))
        case .new where parameters.known != nil && admission.credential != nil, .withoutSession:
            guard parameters.after != nil || !parameters.channels.isEmpty else {
                return .now(RequestGate.unknownSession(admission.headers))
            }
            openForOneAnswer(parameters, wait, admission, fallback, id)
        case .new: open(parameters, admission, fallback, id)
        // A client whose polls need no session would leave and find this one in turns, and be told the state each time.
        case .session where parameters.known != nil && admission.credential != nil:
            openForOneAnswer(parameters, wait, admission, fallback, id)
        case .session(let session):
            guard let session = fallback[session] else { return .now(RequestGate.unknownSession(admission.headers)) }
            guard poll(session, behind: parameters.after, wait, admission.headers, id) else {
                return refuse("after: expected the `after` of an earlier answer")
            }
        }
        return .later
    }

    private func wait(_ query: HTTPQuery) -> Duration? {
        guard let text = query["wait"] else { return longestWait }
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        // Only digits: what does not fit is larger than any bound.
        return min(.seconds(Int32(text) ?? .max), longestWait)
    }

    private func open(
        _ parameters: PollParameters, _ admission: RequestGate.Admission, _ fallback: FallbackSessions, _ id: ConnectionID
    ) {
        let connect = FallbackSessions.connect(token: parameters.token, channels: parameters.channels, positions: parameters.positions)
        fallback.open(connect, credential: admission.credential, isBrowser: admission.isBrowser) { [unowned self] opening in
            switch opening {
            case .refused(let status, let replies):
                server.respond(id, RequestGate.refusal(status, replies: replies, admission.headers))
            case .opened(let session, let replies):
                // Its reply comes before all pushes.
                let pushes = session.takeHeld()
                session.hold(replies.span.extracting(0..<max(0, replies.count - 1)))
                if !pushes.isEmpty { session.hold(pushes.span) }
                respond(session, behind: parameters.after, id, admission.headers)
            }
        }
    }

    /// Answers a poll whose session is not here: in a session of its own, which ends with the answer.
    private func openForOneAnswer(
        _ parameters: PollParameters, _ wait: Duration, _ admission: RequestGate.Admission, _ fallback: FallbackSessions, _ id: ConnectionID
    ) {
        let connect = FallbackSessions.connect(token: nil, channels: parameters.followed, positions: [])
        fallback.open(connect, credential: admission.credential, isBrowser: false, for: .oneRequest(isUnheard: false)) {
            [unowned self] opening in
            switch opening {
            case .refused(let status, let replies):
                server.respond(id, RequestGate.refusal(status, replies: replies, admission.headers))
            case .opened(let session, let replies):
                let state = StateDigest(reply: replies, pushes: session.takeHeld())
                if state != parameters.known { session.hold(replies.span.extracting(0..<max(0, replies.count - 1))) }
                let pushes = state == parameters.known ? state.otherPushes : state.pushes
                if !pushes.isEmpty { session.hold(pushes.span) }
                session.known = state
                server.metrics.polls.add()
                // No later poll gets what this session still reads.
                let least: Duration = state.isBehind ? Self.readingTime : .zero
                // Who has everything switched off may read what is there, and is sent nothing later.
                let most = sessions.isQuiet(session.id) ? least : max(wait, least)
                waitOrRespond(session, behind: parameters.after, most, admission.headers, id)
            }
        }
    }

    /// False when `after` is not what an answer named.
    private func poll(
        _ session: FallbackSession, behind after: String?, _ wait: Duration, _ headers: [(String, String)], _ id: ConnectionID
    ) -> Bool {
        fallback?.replaceCarrier(of: session)
        if let answer = session.lastAnswer, answer.after == after {
            session.lastAnswer = nil
        } else if let answer = session.lastAnswer, answer.behind == after, answer.frames.count + session.held.count < heldBytes {
            // The frames of an answer that did not arrive are sent again.
            session.holdBeforeOthers(answer.frames)
        } else if session.wasCarried || after != nil {
            // Emptied first: a congested session reads nothing from the store.
            session.held = []
            guard sessions.resume(session.id, behind: after) else { return false }
        }
        session.lastAnswer = nil
        server.metrics.polls.add()
        waitOrRespond(session, behind: after, wait, headers, id)
        return true
    }

    private func waitOrRespond(
        _ session: FallbackSession, behind after: String?, _ wait: Duration, _ headers: [(String, String)], _ id: ConnectionID
    ) {
        if !session.held.isEmpty || wait == .zero { return respond(session, behind: after, id, headers) }
        session.carrier = self
        session.connection = id
        waiting[id] = Waiting(session: session, behind: after, headers: headers)
        sessions.attach(session.id)
        server.setDeadline(id, after: wait)
    }

    private func respond(_ session: FallbackSession, behind: String?, _ id: ConnectionID, _ headers: [(String, String)]) {
        if let known = session.known {
            let after = sessions.positions(of: session.id) + ";" + known.text
            waiting[id] = nil
            server.respond(id, Self.response(after: after, session.takeHeld(), withoutSessionBy: sessions.node, headers))
            return sessions.close(session.id)
        }
        session.answers += 1
        let after = sessions.positions(of: session.id) + ";#\(session.answers)"
        let wasCongested = session.held.count >= heldBytes
        let frames = session.takeHeld()
        session.lastAnswer = PollAnswer(after: after, behind: behind, frames: frames)
        session.wasCarried = true
        waiting[id] = nil
        fallback?.hold(session)
        server.respond(id, Self.response(after: after, frames, headers))
        if wasCongested { sessions.drained(session.id) }
    }

    private static func response(
        after: String, _ frames: [UInt8], withoutSessionBy node: String? = nil, _ headers: [(String, String)]
    ) -> HTTPResponse {
        var body = Array(#"{"after":"#.utf8)
        body.appendJSONString(after)
        if let node {
            body.append(contentsOf: #","session":false,"node":"#.utf8)
            body.appendJSONString(node)
        }
        body.append(contentsOf: #","events":["#.utf8)
        // A raw line end cannot stand inside a JSON text, so each one is between two frames.
        for byte in frames { body.append(byte == UInt8(ascii: "\n") ? UInt8(ascii: ",") : byte) }
        body.append(contentsOf: "]}\n".utf8)
        return RequestGate.answer(200, "application/json", body, headers)
    }

    package func response(to request: HTTPRequest, refusedFor reason: HTTPRefusal) -> HTTPResponse { gate.response(to: request, reason) }

    package func drained(_ id: ConnectionID) {}
    package func peerEnded(_ id: ConnectionID) { answerNow(id) }
    package func deadline(_ id: ConnectionID) { answerNow(id) }

    package func closed(_ id: ConnectionID) {
        guard let poll = waiting.removeValue(forKey: id) else { return }
        if poll.session.isForOneRequest { return sessions.close(poll.session.id) }
        fallback?.hold(poll.session)
    }

    private func answerNow(_ id: ConnectionID) {
        if let poll = waiting[id] { respond(poll.session, behind: poll.behind, id, poll.headers) }
    }

    // MARK: FrameCarrier

    func replaced(_ session: FallbackSession) {
        if let id = session.connection { answerNow(id) }
    }

    // MARK: Transport

    package func send(_ json: Span<UInt8>, to address: TransportAddress) {
        guard let session = fallback?[address], !session.isUnheard else { return }
        guard session.held.count + json.count <= server.limits.connections.backlogBytes else { return overflowing.append(session) }
        if session.carrier === self, session.held.isEmpty { ready.append(session) }
        session.hold(json)
    }

    package func stage(_ frame: SharedFrame, encoding: UInt8) -> StagedFrame {
        staged.append(frame)
        return StagedFrame(index: UInt32(truncatingIfNeeded: staged.count - 1), turn: 0)
    }

    package func send(_ frame: StagedFrame, to address: TransportAddress) {
        guard Int(frame.index) < staged.count else { return }
        let json = staged[Int(frame.index)].json
        send(json.span, to: address)
    }

    package func isCongested(_ address: TransportAddress) -> Bool {
        guard let session = fallback?[address] else { return true }
        return session.isUnheard || session.held.count >= heldBytes
    }

    package func unsentBytes(_ address: TransportAddress) -> Int { fallback?[address]?.held.count ?? 0 }

    /// Commands come by requests of their own, and each waits for its replies: that holds a client back.
    package func pauseReading(_ address: TransportAddress) {}
    package func resumeReading(_ address: TransportAddress) {}

    package func end(_ address: TransportAddress, _ reason: EndReason, spread: Duration) {
        guard let session = fallback?[address] else { return }
        var bye: [UInt8] = []
        ServerMessage.bye(reason, spreadMs: UInt64(spread.wholeMilliseconds), into: &bye)
        if let id = session.connection, session.carrier === self {
            session.hold(bye.span)
            answerNow(id)
        } else if !session.isForOneRequest, let credential = sessions.credential(of: session.id) {
            ends.keep(bye, for: credential.text)
        }
        session.endedEarly?(reason)
        sessions.close(session.id)
    }

    /// Answers the polls that have frames now: all of a turn in one answer.
    private func endTurn() {
        staged.removeAll(keepingCapacity: true)
        let overflowed = overflowing
        overflowing.removeAll()
        for session in overflowed where fallback?[session.id] != nil { endOverflowed(session) }
        guard !ready.isEmpty else { return }
        let sessions = ready
        ready.removeAll(keepingCapacity: true)
        for session in sessions where session.carrier === self {
            if let id = session.connection { answerNow(id) }
        }
    }

    /// Ends a session for which more waits than may. Frames were dropped, so its client goes on from the position that it named last.
    private func endOverflowed(_ session: FallbackSession) {
        server.metrics.slowConsumers.add()
        if let id = session.connection, let poll = waiting.removeValue(forKey: id) {
            server.respond(id, Self.response(after: poll.behind ?? PositionText.write([]), [], poll.headers))
        }
        sessions.close(session.id)
    }
}
