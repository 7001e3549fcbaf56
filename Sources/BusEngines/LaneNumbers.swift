package import Bus

/// Finds packets of other hubs that are missing, by their numbers. Pure.
package struct LaneNumbers: Sendable {
    /// Each run of a hub is a sender.
    package static let mostSenders = 256

    private struct Lane: Hashable {
        let sender: UInt64
        let lane: Int
    }

    private var last: [Lane: UInt64] = [:]

    package init() {}

    /// - Returns: how many of the sender's packets in this lane should have come before it and have not.
    package mutating func came(_ packet: BusPacket) -> UInt64 {
        let lane = Lane(sender: packet.sender, lane: packet.lane)
        guard let known = last[lane] else {
            // Hubs that are gone are forgotten with the others: that costs nothing but the finding of a gap.
            if last.count >= Self.mostSenders * BusPacket.lanes { last.removeAll(keepingCapacity: true) }
            last[lane] = packet.number
            return 0
        }
        // Late or repeated.
        guard packet.number > known else { return 0 }
        last[lane] = packet.number
        return packet.number - known - 1
    }

    package mutating func restart() { last.removeAll(keepingCapacity: true) }
}
