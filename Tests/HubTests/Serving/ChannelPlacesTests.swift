import Messaging
import Testing

@testable import Hub

@Suite("Places of channels")
struct ChannelPlacesTests {
    @Test(arguments: [1, ChannelPlaces.few, ChannelPlaces.few + 1, 3 * ChannelPlaces.few])
    func eachIsFoundWhereItCame(count: Int) {
        let channels = (0..<count).map { Channel.broadcast("course:\($0)") }
        var places = ChannelPlaces()
        for channel in channels + channels {
            let isKnown = places.place(of: channel) != nil
            let isNew = places.insert(channel)
            #expect(isNew != isKnown)
        }
        #expect(channels.map { places.place(of: $0) } == Array(0..<count))
        #expect(channels.map { ChannelPlaces(different: channels).place(of: $0) } == Array(0..<count))
        #expect(places.place(of: .broadcast("course:none")) == nil)
        places.removeAll()
        #expect(places.place(of: channels[0]) == nil)
    }
}
