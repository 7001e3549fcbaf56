import Auth
import HTTP
import Messaging
import WSProtocol

/// The steps of a connect that do no I/O: the request head and its answer, the first message with a new token, and the reply.
enum ConnectBenchmarks {
    static func all(fixtures: String) throws -> [Benchmark] {
        let (token, verifier) = try TokenBenchmarks.foreign("RS256", fixtures: fixtures)
        let connect =
            #"{"id":1,"type":"connect","token":"\#(String(decoding: token, as: UTF8.self))","channels":["#
            + #"{"channel":"broadcast:system"},{"channel":"inbox"}]}"#
        return [
            Benchmark(name: "upgrade", title: "read an upgrade request and answer it", yardsticks: [Benchmark.copying(head.count)]) {
                let head = opaque(head)
                let policy = policy
                return { times in
                    var done = 0
                    for _ in 0..<times where keep(answer(head, policy)) > 100 { done += 1 }
                    return done
                }
            },
            Benchmark(name: "path-connect", title: "a connect with an RS256 token never seen, without its sockets and store", weight: 20) {
                let head = opaque(head)
                let policy = policy
                let terms = Welcome.Terms(
                    pingIntervalMs: 25_000,
                    limits: Welcome.Limits(
                        messageBytes: 65_536, bodyBytes: 16_384, subscriptions: 256, inFlight: 32, setSize: 1_000, historyPage: 100),
                    features: ["notifications", "messages", "signals", "receipts"])
                var frames = ClientFrames(.text, Array(connect.utf8))
                let receiver = Receiver()
                return { times in
                    var done = 0
                    for _ in 0..<times where keep(answer(head, policy)) > 100 {
                        var reply: [UInt8] = []
                        _ = frames.feed(&receiver.connection, into: &receiver.output) { payload in
                            reply = greeted(payload, verifier, terms)
                        }
                        if keep(reply) > 500 { done += 1 }
                    }
                    return done
                }
            },
        ]
    }

    private static let head = Array(
        ("GET /v1/socket HTTP/1.1\r\nHost: 127.0.0.1:40001\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + "Sec-WebSocket-Protocol: hub.v1.json\r\n\r\n").utf8)

    private static var policy: HandshakePolicy {
        var policy = HandshakePolicy()
        policy.subprotocols = ["hub.v1.json"]
        return policy
    }

    private static func answer(_ head: [UInt8], _ policy: HandshakePolicy) -> [UInt8] {
        var parser = HTTPRequestParser()
        guard case .request(let request, _) = parser.parse(head.span),
            case .accept(let agreement) = ServerHandshake.answer(request, policy: policy)
        else { return [] }
        return agreement.responseHead
    }

    private static let now = Timestamp(milliseconds: 1_800_000_000_000)

    /// The frame of the reply, with the user's channels, all up to date.
    private static func greeted(_ payload: Span<UInt8>, _ verifier: TokenVerifier, _ terms: Welcome.Terms) -> [UInt8] {
        var session = Session(id: "s-1")
        var json: [UInt8] = []
        ClientCommand.parse(payload, limits: CommandLimits()) { parsed in
            guard case .command(let command) = parsed,
                case .connect(.token(let token)?, let requests) = session.receive(
                    command.body, now: now, limits: Session.Limits(), position: { _ in nil }),
                case .accepted(let principal) = verifier.verify(token, now: now.milliseconds / 1_000),
                let user = UserID(principal.subject)
            else { return }
            let identity = Identity(
                user: user, institution: principal.institution, roles: principal.roles, channels: principal.channels,
                expiresAt: Timestamp(milliseconds: principal.expiresAt * 1_000))
            guard session.identify(identity) else { return }
            for request in requests {
                guard let channel = Channel(wireName: request.channel, for: user) else { return }
                session.joined(Session.Subscription(channel: channel, roster: 0, slot: 0, registration: 0))
            }
            let channels = [Channel.inbox(user)] + identity.broadcasts(limit: 256).map { Channel.broadcast($0) }
            let welcome = Welcome(
                session: session.id, user: user, time: now, tokenExpiresAt: identity.expiresAt, terms: terms,
                channels: channels.map { ListedChannel(ChannelState(channel: $0), isSubscribed: session.subscription(to: $0) != nil) })
            session.welcome()
            ServerMessage.connected(re: command.id ?? 0, welcome, into: &json)
        }
        return FrameEncoder.text(json.span)
    }
}
