import HangGuard
import Linux
import Testing

@testable import Transports

@Suite("Connections of one address", .guarded)
struct AddressCountsTests {
    private func peer(_ family: PeerAddress.Family, _ bytes: UInt8...) -> PeerAddress {
        var address = InlineArray<16, UInt8>(repeating: 0)
        for (index, byte) in bytes.enumerated() { address[index] = byte }
        return PeerAddress(family: family, bytes: address, port: 7)
    }

    /// Whether each of the connections, in slots from 0 on, is within the bound.
    private func open(_ peers: [PeerAddress], _ counts: inout AddressCounts) -> [Bool] {
        peers.indices.map { counts.opened(peers[$0], slot: $0) }
    }

    @Test("an address has as many as it may, and another one as many again")
    func bound() {
        var counts = AddressCounts(most: 2)
        let one = peer(.v4, 10, 0, 0, 1)
        let opened = open([one, one, one, peer(.v4, 10, 0, 0, 2)], &counts)
        #expect(opened == [true, true, false, true])
        counts.closed(slot: 2)
        counts.closed(slot: 0)
        let again = counts.opened(one, slot: 0)
        #expect(again)
        for slot in [0, 1, 2, 3, 0, 99] { counts.closed(slot: slot) }
        let left = counts.count
        #expect(left == 0)
    }

    @Test("addresses of one IPv6 network of 64 bits count together")
    func networks() {
        var counts = AddressCounts(most: 1)
        let opened = open(
            [
                peer(.v6, 0x20, 1, 2, 3, 4, 5, 6, 7, 1), peer(.v6, 0x20, 1, 2, 3, 4, 5, 6, 7, 2), peer(.v6, 0x20, 1, 2, 3, 4, 5, 6, 8, 1),
                peer(.v4, 0x20, 1, 2, 3),
            ], &counts)
        #expect(opened == [true, false, true, true])
    }

    @Test("without a bound, and for Unix sockets, nothing is counted", arguments: [0, 1])
    func unbounded(most: Int) {
        var counts = AddressCounts(most: most)
        let one: PeerAddress = most == 0 ? peer(.v4, 10, 0, 0, 1) : .local
        let opened = open(Array(repeating: one, count: 100), &counts)
        #expect(!opened.contains(false))
        let count = counts.count
        #expect(count == 0)
    }
}
