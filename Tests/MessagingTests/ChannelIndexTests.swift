import Testing

@testable import Messaging

@Suite("Places of channels")
struct ChannelIndexTests {
    @Test(arguments: [1, ChannelIndex.few, ChannelIndex.few + 1, 3 * ChannelIndex.few])
    func eachIsFoundWhereItCame(count: Int) {
        let channels = (0..<count).map { Channel.broadcast("course:\($0)") }
        var places = ChannelIndex()
        for channel in channels + channels {
            let isKnown = places.place(of: channel) != nil
            let isNew = places.insert(channel)
            #expect(isNew != isKnown)
        }
        #expect(channels.map { places.place(of: $0) } == Array(0..<count))
        #expect(channels.map { ChannelIndex(different: channels).place(of: $0) } == Array(0..<count))
        #expect(places.place(of: .broadcast("course:none")) == nil)
        places.removeAll()
        #expect(places.place(of: channels[0]) == nil)
    }
}
