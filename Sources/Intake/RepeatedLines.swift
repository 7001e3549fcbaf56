import Linux
import Logging

/// Log lines that one fault may cause thousands of: of each kind the first is written at once, and the number of those that followed at
/// intervals.
final class RepeatedLines {
    private struct Kind {
        let level: Logger.Level
        let message: String
        var last: Logger.Metadata
        var held = 0
        var due: MonotonicInstant
    }

    private let log: Logger
    private let interval: Duration
    private var kinds: [String: Kind] = [:]
    private var now = MonotonicInstant.now

    init(_ log: Logger, every interval: Duration = .seconds(30)) {
        self.log = log
        self.interval = interval
    }

    /// - Parameter kind: what makes lines alike; one of a small set.
    func write(_ level: Logger.Level, _ message: String, kind: String, _ metadata: Logger.Metadata) {
        guard kinds[kind] != nil else {
            kinds[kind] = Kind(level: level, message: message, last: metadata, due: now + interval)
            return log.log(level: level, "\(message)", metadata: metadata)
        }
        kinds[kind]?.held += 1
        kinds[kind]?.last = metadata
    }

    func tick(_ now: MonotonicInstant) {
        self.now = now
        for (name, kind) in kinds where kind.due <= now {
            // After an interval without any, the next one is the first again.
            guard kind.held > 0 else {
                kinds[name] = nil
                continue
            }
            log.log(
                level: kind.level, "\(kind.message)",
                metadata: kind.last.merging(["more": "\(kind.held)", "within": "\(interval)"]) { known, _ in known })
            kinds[name]?.held = 0
            kinds[name]?.due = now + interval
        }
    }
}
