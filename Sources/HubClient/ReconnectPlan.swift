import Auth
import Messaging
import Pacing

/// When to come back after a lost connection: full jitter, never before the hub's own advice, not at all when it said so.
struct ReconnectPlan {
    /// Counts the ends of connections in a row that were not stable, and one more from the start.
    private var backoff: Backoff

    private static let base: Int64 = 500
    private static let longest: Int64 = 30_000

    init() {
        backoff = Backoff(first: .milliseconds(Self.base), longest: .milliseconds(Self.longest), jitter: .full)
        backoff.failed()
    }

    enum Verdict: Equatable {
        case wait(milliseconds: Int64)
        case giveUp(String)
    }

    /// - Parameters:
    ///   - code: the close frame's code; nil when the connection broke without one or was never made.
    ///   - wasStable: it had lasted for five seconds or more.
    ///   - random: gives a number below its argument, which is positive.
    mutating func next(
        after code: UInt16?, farewell: TailFollower.Farewell?, wasStable: Bool, random: (Int64) -> Int64
    ) -> Verdict {
        let code = code ?? StandardCloseCode.abnormal.rawValue
        if wasStable { backoff.succeeded() }
        backoff.failed()
        let announced = farewell.map { min(max($0.afterMilliseconds, 0), Self.longest * 10) } ?? 0
        switch EndAdvice(code: code) {
        case .stop: return .giveUp("closed with \(code): \(Self.meaning(of: code))")
        case .newToken: return .giveUp("closed with \(code): \(Self.meaning(of: code)) Get a new token and start again.")
        case .reconnect:
            let spread = farewell.map { min(max($0.spreadMilliseconds, 0), Self.longest * 10) } ?? Self.base
            return .wait(milliseconds: announced + random(spread + 1))
        case .backOff:
            return .wait(milliseconds: max(announced, random(backoff.ceiling.wholeMilliseconds + 1)))
        }
    }

    private static func meaning(of code: UInt16) -> String {
        EndReason(code: code)?.meaning ?? StandardCloseCode(rawValue: code)?.meaning ?? "the hub asks not to come back."
    }
}
