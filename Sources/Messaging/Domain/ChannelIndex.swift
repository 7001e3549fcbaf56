/// Different channels in the order they came, found again by a look at each while there are few, and by an index when there are many.
public struct ChannelIndex {
    /// Up to here looking is cheaper than hashing.
    public static let few = 16

    private var channels: [Channel] = []
    private var index: [Channel: Int] = [:]

    public init() {}

    /// Channels of which none is there twice.
    public init(different channels: [Channel]) {
        self.channels = channels
        if channels.count > Self.few { indexAll() }
        assert(channels.count <= Self.few || index.count == channels.count)
    }

    public func position(of channel: Channel) -> Int? {
        channels.count > Self.few ? index[channel] : channels.firstIndex(of: channel)
    }

    /// False when it is there already.
    public mutating func insert(_ channel: Channel) -> Bool {
        guard position(of: channel) == nil else { return false }
        channels.append(channel)
        if channels.count == Self.few + 1 {
            indexAll()
        } else if channels.count > Self.few {
            index[channel] = channels.count - 1
        }
        return true
    }

    private mutating func indexAll() {
        for (position, channel) in channels.enumerated() { index[channel] = position }
    }

    public mutating func removeAll() {
        channels.removeAll(keepingCapacity: true)
        index.removeAll()
    }
}
