import WSProtocol

/// The frames of one connection while a message is in progress, or for its whole life when it agreed on context takeover.
final class FrameMachine {
    /// Connections of one kind cannot be told apart between messages: 0 plain, 8…15 deflate without memory and a window of so
    /// many bits, `own` with memory.
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
    /// Inside `receive` the socket is being changed: a close asked for there waits until it is over.
    var isReceiving = false
    var closeAfterReceiving: (code: WebSocketCloseCode, reason: String)?
    /// Texts sent from inside `receive` to a connection with a compression context of its own.
    var deferred: [[UInt8]] = []

    init(_ kind: Kind, limits: WebSocketLimits, agreement: DeflateAgreement?, pool: DeflatePool) {
        self.kind = kind
        socket = WebSocketConnection(role: .server, limits: limits, deflate: agreement.map { NegotiatedDeflate($0, pool: pool) })
    }

    /// As good as new: another connection of the kind can have it.
    var isAtRest: Bool { kind != .own && !isReceiving && socket.isAtRest }

    func takeDeferred() -> [[UInt8]] {
        guard !deferred.isEmpty else { return [] }
        defer { deferred = [] }
        return deferred
    }
}

/// Frame machines of one loop that nobody uses just now. An idle connection owns none, which is most of what it would cost.
struct FrameMachines: ~Copyable {
    /// More are in use at once only while messages arrive in pieces.
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
