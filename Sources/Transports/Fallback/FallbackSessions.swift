import Auth
import Bytes
import JSON
import Messaging
package import Reactor
package import Sessions

/// Carries the frames of a session for as long as one stream or one waiting poll lasts.
protocol FrameCarrier: AnyObject {
    /// Another stream or poll of the same session takes over.
    func replaced(_ session: FallbackSession)
}

/// An answer to a poll that may get lost on its way.
struct PollAnswer {
    /// What the client names in its next poll when it has got the answer.
    let after: String
    /// What the client named in the poll that was answered, and names again when it has not got the answer.
    let behind: String?
    let frames: [UInt8]
}

/// A session that is reached by HTTP requests, and the frames that wait for its next stream or poll.
final class FallbackSession {
    let id: SessionID
    /// Frames, a line each.
    var held: [UInt8] = []
    var carrier: (any FrameCarrier)?
    /// The connection of the stream or of the waiting poll.
    var connection: ConnectionID?
    /// The last answer to a poll, until the next poll shows whether it arrived; nil when none was given, or a stream was used since.
    var lastAnswer: PollAnswer?
    /// Answers to polls so far.
    var answers = 0
    /// The session ends with the request that opened it.
    var isForOneRequest = false
    /// Nobody takes the frames: the request is for the replies to commands.
    var isUnheard = false
    /// Of a poll that has a session of its own: the state that the client knows when it has got the answer.
    var known: StateDigest?
    /// A stream or an answer has carried frames, so some may be lost.
    var wasCarried = false
    /// The session is being opened; called when it ends before that.
    var endedEarly: ((EndReason) -> Void)?

    init(id: SessionID) { self.id = id }

    /// Appends lines, each a JSON object.
    func hold(_ lines: Span<UInt8>) {
        if !held.isEmpty { held.append(UInt8(ascii: "\n")) }
        held.append(copying: lines)
    }

    func holdBeforeOthers(_ frames: [UInt8]) {
        let others = takeHeld()
        held = frames
        if !others.isEmpty { hold(others.span) }
    }

    func takeHeld() -> [UInt8] {
        defer { held = [] }
        return held
    }
}

/// The sessions of one loop that are reached by HTTP requests: opens them, and finds what is held for each.
package final class FallbackSessions {
    private unowned let sessions: SessionLoop
    private unowned let loop: EventLoop
    private var known: [TransportAddress: FallbackSession] = [:]
    /// The number of the transport that holds frames for sessions without a stream: `PollTransport`.
    private let holder: UInt8

    /// - Parameter holder: the number of the transport that holds frames while no stream carries them.
    package init(sessions: SessionLoop, loop: EventLoop, holder: UInt8) {
        self.sessions = sessions
        self.loop = loop
        self.holder = holder
        sessions.resumableEnded = { [unowned self] in known[$0.address] = nil }
    }

    subscript(id: SessionID) -> FallbackSession? { known[id.address] }
    subscript(address: TransportAddress) -> FallbackSession? { known[address] }

    /// Frames are held from now on.
    func hold(_ session: FallbackSession) {
        session.carrier = nil
        session.connection = nil
        sessions.move(session.id, to: Route(transport: holder, encoding: 0, address: session.id.address))
        sessions.detach(session.id)
    }

    /// A stream or poll takes the session over from the one before.
    func replaceCarrier(of session: FallbackSession) {
        guard let carrier = session.carrier else { return }
        session.carrier = nil
        carrier.replaced(session)
    }

    // MARK: Opening

    enum Opening {
        case opened(FallbackSession, replies: [UInt8])
        case refused(status: Int, replies: [UInt8])
    }

    /// For how long a session is opened.
    enum Purpose {
        case later
        /// It ends with the answer; the frames are for nobody when only replies are wanted.
        case oneRequest(isUnheard: Bool)
    }

    /// Opens a session with these commands, of which the first is `connect`.
    func open(
        _ commands: [UInt8], credential: Credential?, isBrowser: Bool, for purpose: Purpose = .later, _ done: @escaping (Opening) -> Void
    ) {
        let provisional = Route(transport: holder, encoding: 0, address: TransportAddress(rawValue: .max))
        let id = sessions.open(route: provisional, credential: credential, isBrowser: isBrowser, isResumable: true)
        let session = FallbackSession(id: id)
        if case .oneRequest(let isUnheard) = purpose {
            session.isForOneRequest = true
            session.isUnheard = isUnheard
            sessions.limitToOneRequest(id, isUnheard: isUnheard)
        }
        known[id.address] = session
        sessions.move(id, to: Route(transport: holder, encoding: 0, address: id.address))
        session.endedEarly = { [unowned self] reason in
            // The reply that says why is on its way in this turn, unless the session waited for something too long.
            loop.after(.milliseconds(1)) {
                guard session.endedEarly != nil else { return }
                session.endedEarly = nil
                done(.refused(status: reason.status, replies: []))
            }
        }
        _ = sessions.message(id, commands.span) { [unowned self] replies in
            guard session.endedEarly != nil else { return }
            session.endedEarly = nil
            if sessions.isConnected(id) { return done(.opened(session, replies: replies)) }
            sessions.close(id)
            done(.refused(status: Self.status(of: replies), replies: replies))
        }
    }

    /// The HTTP status for the error in the first reply to a `connect` that failed.
    private static func status(of replies: [UInt8]) -> Int {
        let line = replies.firstIndex(of: UInt8(ascii: "\n")).map { Array(replies[..<$0]) } ?? replies
        guard let code = (try? JSONValue.parse(line))?["error"]?["code"]?.string.flatMap(ErrorCode.init(rawValue:)) else { return 503 }
        return code.status
    }

    /// The command that opens a session for a request, as text, because it then takes the same way as a client's command. Its reply has the
    /// number 0.
    /// - Parameter channels: as `connect` takes them; `positions` win over their `since`.
    static func connect(token: String?, channels: [SubscriptionRequest], positions: [SubscriptionRequest]) -> [UInt8] {
        let others = channels.filter { channel in !positions.contains { $0.channel == channel.channel } }
        var text = Array(#"{"id":0,"type":"connect""#.utf8)
        if let token {
            text.append(contentsOf: #","token":"#.utf8)
            text.appendJSONString(token)
        }
        text.append(contentsOf: #","channels":["#.utf8)
        for (index, request) in (others + positions).enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            text.append(contentsOf: #"{"channel":"#.utf8)
            text.appendJSONString(request.channel)
            switch request.start {
            case .head: break
            case .since(let seq): text.append(contentsOf: #","since":\#(seq.rawValue)"#.utf8)
            case .tail(let count): text.append(contentsOf: #","tail":\#(count)"#.utf8)
            }
            if let epoch = request.epoch { text.append(contentsOf: #","epoch":"\#(epoch.text)""#.utf8) }
            text.append(UInt8(ascii: "}"))
        }
        text.append(contentsOf: "]}".utf8)
        return text
    }
}

extension SessionID {
    var address: TransportAddress { TransportAddress(rawValue: UInt64(generation) << 32 | UInt64(slot)) }
}

extension ErrorCode {
    /// The status of an answer whose `connect` was refused with this code.
    var status: Int {
        switch self {
        case .invalidToken, .tokenExpired, .tokenRevoked: 401
        case .forbidden, .subjectChanged, .featureOff: 403
        case .tooLarge: 413
        case .rateLimited: 429
        case .overloaded, .unavailable, .internal: 503
        case .badJSON, .badRequest, .unknownType, .unsupported, .notConnected, .alreadyConnected, .unknownChannel, .notSubscribed, .notSent,
            .sessionElsewhere, .positionUnknown, .positionTooOld, .limitExceeded:
            400
        }
    }
}

extension EndReason {
    /// The status of a request that opens a session which ends for this reason first.
    var status: Int {
        switch self {
        case .tokenExpired, .tokenInvalid, .tokenRevoked: 401
        case .forbidden, .blocked, .featureOff, .privilegesChanged: 403
        case .replaced: 409
        case .rateLimited, .connectionLimit: 429
        case .badFrame: 400
        case .overloaded, .draining, .connectTimeout, .slowConsumer, .idle, .noPong, .restored: 503
        }
    }
}
