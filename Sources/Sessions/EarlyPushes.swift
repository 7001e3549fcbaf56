import Messaging

/// Pushes that came while the session waits for the reply to its `connect`, or to the `subscribe` of their channel. They are sent behind
/// that reply.
struct EarlyPushes {
    private struct Push {
        /// The subscription that must have been granted first; nil: only the session must be open.
        let registration: UInt32?
        let json: [UInt8]
    }

    /// More than these are dropped, the oldest first. A dropped cursor is older than the reply's state or is followed by a newer one; a
    /// conversation is found by `conversations`.
    static let most = 64

    private var pushes: [SessionID: [Push]] = [:]

    /// Keeps one push for each subscription: a cursor replaces an earlier one.
    mutating func hold(for session: SessionID, behind registration: UInt32? = nil, _ write: (inout [UInt8]) -> Void) {
        var json: [UInt8] = []
        write(&json)
        var held = pushes.removeValue(forKey: session) ?? []
        if let registration { held.removeAll { $0.registration == registration } }
        held.append(Push(registration: registration, json: json))
        if held.count > Self.most { held.removeFirst() }
        pushes[session] = held
    }

    /// Takes the pushes that may be sent, and forgets those of subscriptions that have ended.
    /// - Parameter isGranted: nil when the session no longer has the subscription.
    mutating func take(_ session: SessionID, _ isGranted: (_ registration: UInt32) -> Bool?) -> [[UInt8]] {
        guard let held = pushes.removeValue(forKey: session) else { return [] }
        var due: [[UInt8]] = []
        var waiting: [Push] = []
        for push in held {
            switch push.registration.map(isGranted) ?? true {
            case true?: due.append(push.json)
            case false?: waiting.append(push)
            case nil: break
            }
        }
        if !waiting.isEmpty { pushes[session] = waiting }
        return due
    }

    mutating func forget(_ session: SessionID) { pushes[session] = nil }
}
