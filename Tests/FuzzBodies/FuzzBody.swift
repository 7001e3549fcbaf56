/// What is fuzzed, by the name of its corpus in Fixtures/fuzz. To add one: a case here, a file beside this one, a folder there.
public enum FuzzBody: String, CaseIterable, Sendable {
    /// Frames from a client, with and without compression.
    case frames
    /// Request and response heads.
    case head
    /// Opening handshakes, both ends.
    case handshake
    /// DEFLATE streams.
    case inflate
    /// JSON texts.
    case json
    /// Text messages of a client.
    case clientMessages = "client-messages"
    /// Kafka records with their headers.
    case events
    /// Records of a change data capture.
    case changes
    /// Tokens, their parts under a good signature, and key sets.
    case token
    /// Messages of the bus between hubs.
    case bus

    /// Stops the process if `input` makes the code break one of its promises.
    public func run(_ input: [UInt8]) {
        switch self {
        case .frames: FrameFuzz.run(input)
        case .head: HeadFuzz.run(input)
        case .handshake: HandshakeFuzz.run(input)
        case .inflate: InflateFuzz.run(input)
        case .json: JSONFuzz.run(input)
        case .clientMessages: ClientMessageFuzz.run(input)
        case .events: EventFuzz.run(input)
        case .changes: ChangeCaptureFuzz.run(input)
        case .token: TokenFuzz.run(input)
        case .bus: BusFuzz.run(input)
        }
    }
}
