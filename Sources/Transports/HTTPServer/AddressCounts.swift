import Linux

/// Counts the open connections of each address: of IPv4 the whole address, of IPv6 the network of 64 bits that a client's provider gives out
/// as one. Empty while there is no bound.
struct AddressCounts: ~Copyable {
    private struct Address: Hashable {
        let isV4: Bool
        let number: UInt64

        /// Nil for a Unix socket.
        init?(_ peer: PeerAddress) {
            guard peer.family != .local else { return nil }
            isV4 = peer.family == .v4
            var number: UInt64 = 0
            for index in 0..<(isV4 ? 4 : 8) { number = number << 8 | UInt64(peer.bytes[index]) }
            self.number = number
        }
    }

    private let most: Int
    private var counts: [Address: Int] = [:]
    /// By slot.
    private var addresses: ContiguousArray<Address?> = []

    /// - Parameter most: connections of one address; 0: no bound.
    init(most: Int) { self.most = most }

    /// Counts a connection. False when the address has more than it may; the connection counts until `closed` all the same.
    mutating func opened(_ peer: PeerAddress, slot: Int) -> Bool {
        guard most > 0, let address = Address(peer) else { return true }
        while addresses.count <= slot { addresses.append(nil) }
        addresses[slot] = address
        counts[address, default: 0] += 1
        return counts[address, default: 0] <= most
    }

    mutating func closed(slot: Int) {
        guard slot < addresses.count, let address = addresses[slot] else { return }
        addresses[slot] = nil
        if let count = counts[address] { counts[address] = count > 1 ? count - 1 : nil }
    }

    /// Addresses with open connections.
    var count: Int { counts.count }
}
