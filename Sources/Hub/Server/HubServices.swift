import Linux
import Messaging
import Synchronization

/// What the sessions of all loops share: the store, the bus, and the keys to ask for.
final class HubServices: SessionServices {
    let bus: any Bus
    let store: any StoreDesk
    let features = ["notifications", "messages", "signals", "receipts"]
    private let requestKeyFrom: @Sendable (String?) -> Void

    init(bus: any Bus, store: any StoreDesk, requestKey: @escaping @Sendable (String?) -> Void) {
        self.bus = bus
        self.store = store
        requestKeyFrom = requestKey
    }

    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// 90 random bits: a session id cannot be guessed, and never repeats. 15 characters are what a string holds without
    /// memory of its own.
    func makeSessionID() -> String {
        // The system's generator; unlike `Random.bytes` it cannot fail. Each number it gives is a system call.
        var generator = SystemRandomNumberGenerator()
        let (first, second) = (generator.next(), generator.next())
        let sixBits = (0..<10).map { first >> (6 * $0) } + (0..<5).map { second >> (6 * $0) }
        return String(decoding: sixBits.map { Self.digits[Int($0 & 63)] }, as: UTF8.self)
    }

    func requestKey(_ kid: String?) { requestKeyFrom(kid) }
}
