import WSProtocol

/// Reads and writes the frames of one connection: while a message is in progress, or for the connection's whole life when it agreed on
/// context takeover.
package final class FrameMachine {
    /// Machines of one kind are interchangeable between messages. 0: no compression; 8…15: deflate without context takeover, with a window
    /// of so many bits; `own`: deflate with context takeover, not interchangeable.
    struct Kind: Equatable {
        package let rawValue: UInt8
        package static let plain = Kind(rawValue: 0)
        package static let own = Kind(rawValue: .max)

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package init(_ agreement: DeflateAgreement?) {
            guard let agreement else {
                self = .plain
                return
            }
            let isForgetful = agreement.serverNoContextTakeover && agreement.clientNoContextTakeover
            self = isForgetful ? Kind(rawValue: agreement.serverWindowBits) : .own
        }

        /// nil when compression was not agreed on.
        package var agreement: DeflateAgreement? { self == .plain ? nil : DeflateAgreement(serverWindowBits: rawValue) }
    }

    let kind: Kind
    var socket: WebSocketConnection
    /// Frames that `socket` has written and that have not been sent. Empty except while the frames of one read are served.
    var unsent: [UInt8] = []

    init(_ kind: Kind, limits: WebSocketLimits, agreement: DeflateAgreement?, pool: DeflatePool) {
        self.kind = kind
        socket = WebSocketConnection(role: .server, limits: limits, deflate: agreement.map { NegotiatedDeflate($0, pool: pool) })
    }

    /// The machine is in the state of a new one, so another connection of the kind can use it.
    var isAtRest: Bool { kind != .own && socket.isAtRest }

    /// Answers a message while it is lent. The answers to one read are sent together.
    func answer(_ kind: MessageKind, _ payload: Span<UInt8>, compressing: Bool = true) {
        socket.send(kind, payload, compressing: compressing, into: &unsent)
    }

    func takeUnsent() -> [UInt8] {
        var frames: [UInt8] = []
        swap(&frames, &unsent)
        return frames
    }
}

/// The unused frame machines of one loop. An idle connection owns none: a machine is most of the memory it would take.
struct FrameMachines: ~Copyable {
    /// The most unused machines of one kind. More are in use at once only while messages arrive in pieces.
    private static let kept = 16
    private var spare: [[FrameMachine]] = Array(repeating: [], count: 16)

    mutating func take(_ kind: FrameMachine.Kind) -> FrameMachine? {
        let index = Int(kind.rawValue)
        return spare.indices.contains(index) ? spare[index].popLast() : nil
    }

    mutating func giveBack(_ machine: FrameMachine) {
        let index = Int(machine.kind.rawValue)
        guard spare.indices.contains(index), spare[index].count < Self.kept else { return }
        spare[index].append(machine)
    }
}
