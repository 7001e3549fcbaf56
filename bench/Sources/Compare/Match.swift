public import Dialect
public import Report

/// One kind of load in which servers are compared.
public struct Match: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// A burst of messages published together, to a number of subscribers.
        case fanout(subscribers: Int, burst: Int)
        /// Round trips on a number of sockets.
        case echo(sockets: Int)
    }

    public var kind: Kind
    /// The length of a WebSocket message.
    public var bytes: Int
    public var isCompressed: Bool
    /// Additional settings of the hub. The goals apply only without any, because they are for the default settings.
    public var settings: [String] = []

    public init(_ kind: Kind, bytes: Int = 300, isCompressed: Bool = false) {
        self.kind = kind
        self.bytes = bytes
        self.isCompressed = isCompressed
    }

    /// The matches of the table of goals.
    public static let all = [
        Match(.fanout(subscribers: 1_000, burst: 1)), Match(.fanout(subscribers: 10_000, burst: 1)),
        Match(.fanout(subscribers: 1_000, burst: 20)), Match(.echo(sockets: 1_000)),
    ]

    /// Parses the form of the command line: `fanout:SUBSCRIBERS`, `fanout:SUBSCRIBERS:BURST` or `echo:SOCKETS`.
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

    /// The title of its table in the report.
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

    /// The form of the hub that takes part: the whole hub or only its echo.
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

    /// The goal for the ratio of the hub to a server.
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
