import Messaging
import Telemetry

/// Which command a reply answers, and where the reply goes.
struct CommandOrigin: Equatable {
    /// The client's number; nil: the client wants no reply.
    let id: UInt64?
    /// The HTTP request that brought the command and waits for the reply; nil: the reply goes the way of the session's pushes.
    let exchange: ExchangeID?

    init(id: UInt64?, exchange: ExchangeID? = nil) {
        self.id = id
        self.exchange = exchange
    }

    /// For orders that no command asked for.
    static let none = CommandOrigin(id: nil)
}

/// Writes frames for single sessions and hands them to their transports.
final class Outbound {
    private(set) var transports: [any Transport] = []
    private let table: SessionTable
    private let exchanges: Exchanges
    /// Storage for one frame.
    private var scratch: [UInt8] = []

    init(table: SessionTable, exchanges: Exchanges) {
        self.table = table
        self.exchanges = exchanges
    }

    func add(_ transport: any Transport) -> UInt8 {
        transports.append(transport)
        return UInt8(truncatingIfNeeded: transports.count - 1)
    }

    /// Ends the mutual references between sessions and transports.
    func removeAll() { transports = [] }

    func transportName(of id: SessionID) -> String { transport(table.route(id))?.name ?? "" }

    func isCongested(_ id: SessionID) -> Bool {
        let route = table.route(id)
        return transport(route)?.isCongested(route.address) ?? true
    }

    func unsentBytes(_ id: SessionID) -> Int {
        let route = table.route(id)
        return transport(route)?.unsentBytes(route.address) ?? 0
    }

    func pauseReading(_ id: SessionID) {
        let route = table.route(id)
        transport(route)?.pauseReading(route.address)
    }

    func resumeReading(_ id: SessionID) {
        let route = table.route(id)
        transport(route)?.resumeReading(route.address)
    }

    func end(_ id: SessionID, _ reason: EndReason, spread: Duration) {
        let route = table.route(id)
        transport(route)?.end(route.address, reason, spread: spread)
    }

    private func transport(_ route: Route) -> (any Transport)? {
        Int(route.transport) < transports.count ? transports[Int(route.transport)] : nil
    }

    // MARK: Pushes

    /// Sends what `write` writes, and nothing when it writes nothing.
    func push(to id: SessionID, _ write: (inout [UInt8]) -> Void) {
        guard table[id] != nil else { return }
        withScratch { json in
            write(&json)
            send(json, to: id)
        }
    }

    /// Sends several frames in one message; replies among them go where their command came from.
    func pushLines(to id: SessionID, _ write: (inout MessageLines) -> Void) {
        withScratch { json in
            var lines = MessageLines()
            swap(&lines.bytes, &json)
            write(&lines)
            swap(&lines.bytes, &json)
            if let reply = lines.reply { answer(reply.exchange) { $0.append(contentsOf: reply.bytes) } }
            send(json, to: id)
        }
    }

    /// A frame for many sessions, to one of them.
    func send(_ frame: SharedFrame, to id: SessionID) {
        let route = table.route(id)
        guard let transport = transport(route) else { return }
        transport.send(transport.stage(frame, encoding: route.encoding), to: route.address)
    }

    private func send(_ json: [UInt8], to id: SessionID) {
        guard !json.isEmpty else { return }
        let route = table.route(id)
        transport(route)?.send(json.span, to: route.address)
    }

    // MARK: Replies

    /// Writes nothing for a command without an id.
    func reply(_ live: LiveSession, _ origin: CommandOrigin, _ write: (UInt64, inout [UInt8]) -> Void) {
        guard let id = origin.id else { return }
        answer(live, origin) { write(id, &$0) }
    }

    /// Writes a reply whose number may be unknown, or which `write` may leave empty.
    func answer(_ live: LiveSession, _ origin: CommandOrigin, _ write: (inout [UInt8]) -> Void) {
        if let exchange = origin.exchange { return answer(exchange, write) }
        push(to: live.id, write)
    }

    private func answer(_ exchange: ExchangeID, _ write: (inout [UInt8]) -> Void) {
        withScratch { json in
            write(&json)
            if !json.isEmpty { exchanges.append(json.span, to: exchange) }
        }
    }

    private func withScratch(_ body: (inout [UInt8]) -> Void) {
        var json: [UInt8] = []
        swap(&json, &scratch)
        json.removeAll(keepingCapacity: true)
        body(&json)
        swap(&json, &scratch)
    }
}

/// A message of several JSON objects, a line each.
struct MessageLines {
    var bytes: [UInt8] = []
    /// The reply among the lines, when an HTTP request waits for it.
    private(set) var reply: (exchange: ExchangeID, bytes: [UInt8])?

    mutating func add(_ write: (inout [UInt8]) -> Void) {
        if !bytes.isEmpty { bytes.append(UInt8(ascii: "\n")) }
        write(&bytes)
    }

    /// Adds nothing for a command without an id.
    mutating func add(replyTo origin: CommandOrigin, _ write: (UInt64, inout [UInt8]) -> Void) {
        guard let id = origin.id else { return }
        guard let exchange = origin.exchange else { return add { write(id, &$0) } }
        var json: [UInt8] = []
        write(id, &json)
        reply = (exchange, json)
    }
}
