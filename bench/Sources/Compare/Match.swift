public import Dialect
public import Report

/// One thing that servers are compared in.
public struct Match: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// So many published at once, to so many subscribers.
        case fanout(subscribers: Int, burst: Int)
        /// Round trips on so many sockets.
        case echo(sockets: Int)
    }

    public var kind: Kind
    /// Of a WebSocket message.
    public var bytes: Int
    public var isCompressed: Bool
    /// What the hub is told besides: then it is not the hub that the goals are about.
    public var settings: [String] = []

    public init(_ kind: Kind, bytes: Int = 300, isCompressed: Bool = false) {
        self.kind = kind
        self.bytes = bytes
        self.isCompressed = isCompressed
    }

    /// Those of the table of goals.
    public static let all = [
        Match(.fanout(subscribers: 1_000, burst: 1)), Match(.fanout(subscribers: 10_000, burst: 1)),
        Match(.fanout(subscribers: 1_000, burst: 20)), Match(.echo(sockets: 1_000)),
    ]

    /// As a person types it: `fanout:SUBSCRIBERS`, `fanout:SUBSCRIBERS:BURST` or `echo:SOCKETS`.
    public init?(_ text: String, bytes: Int = 300, isCompressed: Bool = false) {
        let words = text.split(separator: ":", omittingEmptySubsequences: false)
        let numbers = words.dropFirst().compactMap { Int($0) }.filter { $0 > 0 }
        guard let name = words.first, numbers.count == words.count - 1 else { return nil }
        switch (name, numbers.count) {
        case ("fanout", 1): self.init(.fanout(subscribers: numbers[0], burst: 1), bytes: bytes, isCompressed: isCompressed)
        case ("fanout", 2): self.init(.fanout(subscribers: numbers[0], burst: numbers[1]), bytes: bytes, isCompressed: isCompressed)
        case ("echo", 1): self.init(.echo(sockets: numbers[0]), bytes: bytes, isCompressed: isCompressed)
        default: return nil
        }
    }

    /// As in the head of a table.
    public var title: String {
        let words =
            switch kind {
            case .fanout(let subscribers, 1): "one \(bytes) B message to \(grouped(subscribers)) subscribers"
            case .fanout(let subscribers, let burst): "bursts of \(burst) messages of \(bytes) B to \(grouped(subscribers)) subscribers"
            case .echo(let sockets): "echo of \(bytes) B on \(grouped(sockets)) sockets"
            }
        let title = isCompressed ? words + ", compressed" : words
        return settings.isEmpty ? title : "\(title); the hub with \(settings.joined(separator: ", "))"
    }

    /// The hub's own part in it.
    public var subject: Dialect {
        switch kind {
        case .fanout: .hub
        case .echo: .hubEcho
        }
    }

    public func admits(_ dialect: Dialect) -> Bool {
        let role: Role =
            switch kind {
            case .fanout: .subscriber
            case .echo: .echo
            }
        return dialect.roles.contains(role) && (dialect.canCompress || !isCompressed)
    }

    /// What the ratio of the hub to a server is to be.
    public func goal(against yardstick: Dialect) -> Goal? {
        if isCompressed || !settings.isEmpty { return nil }
        switch (kind, yardstick) {
        case (.fanout(_, 1), .bareC): return .atMost(1.10)
        case (.fanout(_, 1), .uWebSockets): return .atMost(1.00)
        case (.fanout(_, 1), .nchan): return .atMost(0.75)
        case (.fanout(_, 1), .nodeWS): return .atMost(0.65)
        case (.fanout, .bareC): return .atMost(1.3)
        case (.echo, .bareC): return .atMost(1.05)
        case (.echo, .uWebSockets): return .atMost(1.00)
        case (.fanout, _), (.echo, _): return nil
        }
    }

    private func grouped(_ number: Int) -> String {
        let digits = String(number)
        return digits.count < 4 ? digits : "\(digits.dropLast(3)) \(digits.suffix(3))"
    }
}
