import Bytes
package import Messaging

/// The unit that an engine carries from one hub to the others: a message of `BusCodec`, with its sender and its number. Pure.
///
/// Its form is: the bytes `h`, `b`, a version (1 byte); then as numbers of the codec the sender (8 bytes), the epoch of its database, the lane
/// and the packet's number in this lane; the message follows to the end. Another version is refused. A ping has no message.
package struct BusPacket: Equatable, Sendable {
    package static let version: UInt8 = 1
    /// Channels are divided among this many lanes. An engine keeps the order of a lane if it can.
    package static let lanes = 16
    /// A random number for each run of a hub.
    package let sender: UInt64
    /// Zero while the sender does not know it.
    package let epoch: UInt32
    package let lane: Int
    /// From 1, without gaps in a sender's lane.
    package let number: UInt64
    package let message: [UInt8]

    package init(sender: UInt64, epoch: UInt32, lane: Int, number: UInt64, message: [UInt8]) {
        self.sender = sender
        self.epoch = epoch
        self.lane = lane
        self.number = number
        self.message = message
    }

    package var isPing: Bool { message.isEmpty }

    package static func lane(of channel: Channel) -> Int {
        var hash = FNV1a()
        for byte in channel.storedName.utf8 { hash.combine(byte) }
        return Int(hash.value % UInt64(lanes))
    }

    package var bytes: [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "h"), UInt8(ascii: "b"), Self.version]
        for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: sender >> UInt64(shift))) }
        bytes.append(number: UInt64(epoch))
        bytes.append(number: UInt64(lane))
        bytes.append(number: number)
        bytes.append(contentsOf: message)
        return bytes
    }

    /// Nil when these are not the bytes of a packet of this version.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count > 11, bytes[0] == UInt8(ascii: "h"), bytes[1] == UInt8(ascii: "b"), bytes[2] == Self.version else { return nil }
        var sender: UInt64 = 0
        for index in 0..<8 { sender |= UInt64(bytes[3 + index]) << UInt64(8 * index) }
        var reader = BusReader(bytes, 11..<bytes.count)
        guard let epoch = try? reader.number(), let epoch = UInt32(exactly: epoch), let lane = try? reader.number(),
            lane < UInt64(Self.lanes),
            let number = try? reader.number(), number > 0
        else { return nil }
        self.init(
            sender: sender, epoch: epoch, lane: Int(lane), number: number, message: Array(bytes[reader.position...]))
    }
}
