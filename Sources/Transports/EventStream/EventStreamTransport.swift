package import HTTP
import Linux
package import Messaging
import Pacing
package import Reactor
package import Sessions
import Telemetry

/// `GET /v1/events`: sessions whose frames are carried by server-sent events.
package final class EventStreamTransport: HTTPHandler, Transport, FrameCarrier {
    package var name: String { "stream" }

    /// How the pieces of a stream are written.
    private enum Encoding {
        static let plain: UInt8 = 0
        /// Each piece is a chunk of the transfer coding.
        static let chunked: UInt8 = 1
    }

    private final class Stream {
        let session: FallbackSession
        let encoding: UInt8
        /// Entries were sent behind the positions that the client was last told.
        var isPositionDue = false

        init(session: FallbackSession, encoding: UInt8) {
            self.session = session
            self.encoding = encoding
        }
    }

    /// How long after entries the client gets its positions. Until then a reconnection replays a few entries more.
    private static let positionDelay: Duration = .milliseconds(250)
    /// Streams whose positions are written in one turn.
    private static let positionsPerTurn = 256

    private unowned let server: HTTPServer
    private unowned let sessions: SessionLoop
    private let fallback: FallbackSessions
    private let gate: RequestGate
    private let heartbeat: Duration
    private let table: ConnectionTable
    private var streams: [ConnectionID: Stream] = [:]
    /// Connections that were sent entries since positions were last written.
    private var moved: [ConnectionID] = []
    private var isPositionTimerSet = false
    private var number: UInt8 = 0

    /// - Parameter heartbeat: between two comments that keep the connection alive.
    package init(server: HTTPServer, sessions: SessionLoop, fallback: FallbackSessions, gate: RequestGate, heartbeat: Duration) {
        self.server = server
        self.sessions = sessions
        self.fallback = fallback
        self.gate = gate
        self.heartbeat = heartbeat
        table = server.table
        number = sessions.add(self)
    }

    // MARK: HTTPHandler

    package func answer(_ request: HTTPRequest, _ body: [UInt8], _ id: ConnectionID) -> HTTPAnswer {
        let admission: RequestGate.Admission
        switch gate.judge(request, .get, reopens: true) {
        case .answered(let response): return .now(response)
        case .admitted(let admitted): admission = admitted
        }
        func refuse(_ message: String) -> HTTPAnswer { .now(RequestGate.refusal(400, "bad_request", message, admission.headers)) }
        let lastEvent = request.headers.first("last-event-id") ?? admission.query["lastEventId"]
        let position = lastEvent.flatMap { $0.isEmpty ? nil : $0 }
        var positions: [SubscriptionRequest] = []
        if let position {
            guard let read = PositionText.subscriptions(position) else { return refuse("Last-Event-ID: expected an id of this stream") }
            positions = read
        }
        if request.method == .head { return .now(head(admission)) }
        switch admission.target {
        case .elsewhere(let loop): return .elsewhere(loop: loop)
        case .ended(let credential): sayOnly(gate.takeBye(credential), admission.headers, id)
        case .session(let session):
            guard let session = fallback[session] else { return .now(RequestGate.unknownSession(admission.headers)) }
            attach(session, behind: position, admission.headers, id)
        case .new, .withoutSession:
            let epoch = admission.query["epoch"].map { Epoch(orUnknown: $0) }
            let channels = admission.query.all("channel").map { Self.channel($0, epoch) }
            let connect = FallbackSessions.connect(token: nil, channels: channels, positions: positions)
            fallback.open(connect, credential: admission.credential, isBrowser: admission.isBrowser) { [unowned self] opening in
                opened(opening, admission.headers, id)
            }
        }
        return .later
    }

    /// The answer to HEAD, which opens nothing and attaches nothing.
    private func head(_ admission: RequestGate.Admission) -> HTTPResponse {
        switch admission.target {
        case .session, .elsewhere, .ended, .withoutSession: HTTPResponse(status: 200, headers: Self.headers(admission.headers))
        case .new where admission.credential != nil: HTTPResponse(status: 200, headers: Self.headers(admission.headers))
        case .new: RequestGate.refusal(401, "invalid_token", "a stream needs a session, or a token to open one", admission.headers)
        }
    }

    /// A stream of one event.
    private func sayOnly(_ bye: [UInt8], _ headers: [(String, String)], _ id: ConnectionID) {
        guard let isChunked = server.beginStream(id, HTTPResponse(status: 200, headers: Self.headers(headers))) else { return }
        var text: [UInt8] = []
        EventText.append(bye.span, into: &text)
        table.send(id, bytes: Self.encoded(text, isChunked ? Encoding.chunked : Encoding.plain))
        server.endStream(id)
    }

    /// `inbox` or `inbox@41`: a channel and the newest entry the client has. A name that itself ends with `@` and digits is written with
    /// one more `@` behind it.
    private static func channel(_ text: String, _ epoch: Epoch?) -> SubscriptionRequest {
        guard let at = text.lastIndex(of: "@") else { return SubscriptionRequest(channel: text) }
        let position = text[text.index(after: at)...]
        if position.isEmpty { return SubscriptionRequest(channel: String(text[..<at])) }
        guard let seq = UInt64(position) else { return SubscriptionRequest(channel: text) }
        return SubscriptionRequest(channel: String(text[..<at]), start: .since(Seq(seq)), epoch: epoch)
    }

    private func opened(_ opening: FallbackSessions.Opening, _ headers: [(String, String)], _ id: ConnectionID) {
        switch opening {
        case .refused(let status, let replies):
            server.respond(id, RequestGate.refusal(status, replies: replies, headers))
        case .opened(let session, let replies):
            let pushes = session.takeHeld()
            session.hold(replies.span.extracting(0..<max(0, replies.count - 1)))
            if !pushes.isEmpty { session.hold(pushes.span) }
            attach(session, behind: nil, headers, id)
        }
    }

    private func attach(_ session: FallbackSession, behind position: String?, _ headers: [(String, String)], _ id: ConnectionID) {
        fallback.replaceCarrier(of: session)
        guard let isChunked = server.beginStream(id, HTTPResponse(status: 200, headers: Self.headers(headers))) else {
            return fallback.hold(session)
        }
        server.metrics.streamsOpened.add()
        let stream = Stream(session: session, encoding: isChunked ? Encoding.chunked : Encoding.plain)
        streams[id] = stream
        session.carrier = self
        session.connection = id
        session.lastAnswer = nil
        var text = EventText.comment("connected")
        let resumes = session.wasCarried || position != nil
        if resumes {
            // What was held may stand behind entries that are sent again.
            session.held = []
        } else {
            EventText.append(session.takeHeld().span, into: &text)
        }
        write(text, to: id, stream)
        sessions.move(session.id, to: Route(transport: number, encoding: stream.encoding, address: id.address))
        sessions.attach(session.id)
        if resumes { _ = sessions.resume(session.id, behind: position) }
        session.wasCarried = true
        notePosition(of: id)
        server.setDeadline(id, after: heartbeat)
        sessions.drained(session.id)
    }

    private static func headers(_ cors: [(String, String)]) -> HTTPHeaders {
        HTTPHeaders(
            [
                ("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-store, no-transform"),
                // nginx would collect the stream in its buffers.
                ("x-accel-buffering", "no"), ("x-content-type-options", "nosniff"),
            ] + cors)
    }

    package func response(to request: HTTPRequest, refusedFor reason: HTTPRefusal) -> HTTPResponse { gate.response(to: request, reason) }

    package func drained(_ id: ConnectionID) {
        if let stream = streams[id] { sessions.drained(stream.session.id) }
    }

    /// A client that sends no more is gone: it has nothing to say on a stream.
    package func peerEnded(_ id: ConnectionID) { table.close(id, .now) }

    package func deadline(_ id: ConnectionID) {
        guard let stream = streams[id] else { return }
        write(EventText.comment("hb"), to: id, stream)
        server.setDeadline(id, after: heartbeat)
    }

    package func closed(_ id: ConnectionID) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        server.metrics.streamsClosed.add()
        if stream.session.connection == id { fallback.hold(stream.session) }
    }

    // MARK: FrameCarrier

    func replaced(_ session: FallbackSession) {
        guard let id = session.connection, let stream = streams[id] else { return }
        sayGoodbye(.replaced, spread: .zero, to: id, stream)
        fallback.hold(session)
    }

    private func sayGoodbye(_ reason: EndReason, spread: Duration, to id: ConnectionID, _ stream: Stream) {
        var bye: [UInt8] = []
        ServerMessage.bye(reason, spreadMs: UInt64(spread.wholeMilliseconds), into: &bye)
        var text: [UInt8] = []
        EventText.append(bye.span, into: &text)
        write(text, to: id, stream)
        streams[id] = nil
        server.metrics.streamsClosed.add()
        server.endStream(id)
    }

    // MARK: Transport

    package func send(_ json: Span<UInt8>, to address: TransportAddress) {
        let id = address.connection
        guard let stream = streams[id] else { return }
        var text: [UInt8] = []
        EventText.append(json, into: &text)
        write(text, to: id, stream)
        notePosition(of: id)
    }

    private func write(_ text: [UInt8], to id: ConnectionID, _ stream: Stream) {
        table.send(id, bytes: Self.encoded(text, stream.encoding))
    }

    private static func encoded(_ text: [UInt8], _ encoding: UInt8) -> [UInt8] {
        guard encoding == Encoding.chunked else { return text }
        var chunk: [UInt8] = []
        HTTPResponse.writeChunk(text.span, into: &chunk)
        return chunk
    }

    package func stage(_ frame: SharedFrame, encoding: UInt8) -> StagedFrame {
        table.stage(
            frame.payload(UInt16(number) << 8 | UInt16(encoding)) { json in
                var text: [UInt8] = []
                EventText.append(json.span, into: &text)
                return Self.encoded(text, encoding)
            })
    }

    package func send(_ frame: StagedFrame, to address: TransportAddress) {
        let id = address.connection
        table.send(id, frame)
        notePosition(of: id)
    }

    package func isCongested(_ address: TransportAddress) -> Bool { table.isCongested(address.connection) }
    package func unsentBytes(_ address: TransportAddress) -> Int { table.backlogBytes(address.connection) }

    /// Commands come by requests of their own, and each waits for its replies: that holds a client back.
    package func pauseReading(_ address: TransportAddress) {}
    package func resumeReading(_ address: TransportAddress) {}

    package func end(_ address: TransportAddress, _ reason: EndReason, spread: Duration) {
        let id = address.connection
        guard let stream = streams[id] else { return }
        sayGoodbye(reason, spread: spread, to: id, stream)
        sessions.close(stream.session.id)
    }

    // MARK: Positions

    private func notePosition(of id: ConnectionID) {
        moved.append(id)
        guard !isPositionTimerSet else { return }
        isPositionTimerSet = true
        server.loop.after(Self.positionDelay) { [unowned self] in writePositions() }
    }

    private func writePositions() {
        isPositionTimerSet = false
        let due = moved
        moved = []
        for id in due { streams[id]?.isPositionDue = true }
        var next = 0
        server.loop.slice { [unowned self] in
            let end = min(next + Self.positionsPerTurn, due.count)
            for id in due[next..<end] {
                guard let stream = streams[id], stream.isPositionDue else { continue }
                stream.isPositionDue = false
                write(EventText.id(sessions.positions(of: stream.session.id)), to: id, stream)
            }
            next = end
            return next < due.count
        }
    }
}
