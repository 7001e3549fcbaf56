import Messaging

/// Numbers each (user, channel) of a batch in the order it is first named.
struct CursorKeys {
    private struct Key: Hashable {
        let user: UserID
        let channel: Channel
    }

    private var indices: [Key: Int] = [:]

    init(capacity: Int) { indices.reserveCapacity(capacity) }

    /// Hashes the key once, whether it is known or new.
    mutating func index(of user: UserID, in channel: Channel) -> Int {
        func same(_ value: inout Int) -> Int { value }
        let next = indices.count
        return same(&indices[Key(user: user, channel: channel), default: next])
    }
}
