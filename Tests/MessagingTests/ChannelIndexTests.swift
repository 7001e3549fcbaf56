import HangGuard
import Testing

@testable import Messaging

@Suite("Positions of channels", .guarded)
struct ChannelIndexTests {
    @Test(arguments: [1, ChannelIndex.few, ChannelIndex.few + 1, 3 * ChannelIndex.few])
    func positionsFollowTheOrderOfInsertion(count: Int) {
        let channels = (0..<count).map { Channel.broadcast("course:\($0)") }
        var index = ChannelIndex()
        for channel in channels + channels {
            let isKnown = index.position(of: channel) != nil
            let isNew = index.insert(channel)
            #expect(isNew != isKnown)
        }
        #expect(channels.map { index.position(of: $0) } == Array(0..<count))
        #expect(channels.map { ChannelIndex(different: channels).position(of: $0) } == Array(0..<count))
        #expect(index.position(of: .broadcast("course:none")) == nil)
        index.removeAll()
        #expect(index.position(of: channels[0]) == nil)
    }
}
