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

    /// 128 random bits: a session id cannot be guessed, and never repeats.
    func makeSessionID() -> String {
        // The system's generator; unlike `Random.bytes` it cannot fail.
        var generator = SystemRandomNumberGenerator()
        return generator.next().hexDigits + generator.next().hexDigits
    }

    func requestKey(_ kid: String?) { requestKeyFrom(kid) }
}
