import Auth
import Messaging
import Pacing

/// The delay before the next connection: full jitter, but never less than the hub's advice. A close code may forbid a reconnection.
struct ReconnectPlan {
    /// Counts consecutive connections that were not stable. The count starts at one.
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
    ///   - code: the close frame's code; nil when the connection failed or broke without a close frame.
    ///   - wasStable: true when the connection lasted at least five seconds.
    ///   - random: returns a number from 0 to below its positive argument.
    mutating func next(
        after code: UInt16?, bye: TailFollower.Bye?, wasStable: Bool, random: (Int64) -> Int64
    ) -> Verdict {
        let code = code ?? StandardCloseCode.abnormal.rawValue
        if wasStable { backoff.succeeded() }
        backoff.failed()
        let announced = bye.map { min(max($0.afterMilliseconds, 0), Self.longest * 10) } ?? 0
        switch EndAdvice(code: code) {
        case .stop: return .giveUp("closed with \(code): \(Self.meaning(of: code))")
        case .newToken: return .giveUp("closed with \(code): \(Self.meaning(of: code)) Get a new token and start again.")
        case .reconnect:
            let spread = bye.map { min(max($0.spreadMilliseconds, 0), Self.longest * 10) } ?? Self.base
            return .wait(milliseconds: announced + random(spread + 1))
        case .backOff:
            return .wait(milliseconds: max(announced, random(backoff.ceiling.wholeMilliseconds + 1)))
        }
    }

    private static func meaning(of code: UInt16) -> String {
        EndReason(code: code)?.meaning ?? StandardCloseCode(rawValue: code)?.meaning ?? "the hub asks its clients not to reconnect."
    }
}
