/// Distinct channels in insertion order. Lookup is linear while there are few channels and uses a dictionary when there are many.
public struct ChannelIndex {
    /// Up to this count a linear search is cheaper than hashing.
    public static let few = 16

    private var channels: [Channel] = []
    private var index: [Channel: Int] = [:]

    public init() {}

    /// Makes an index of channels that are already distinct.
    public init(different channels: [Channel]) {
        self.channels = channels
        if channels.count > Self.few { indexAll() }
        assert(channels.count <= Self.few || index.count == channels.count)
    }

    public func position(of channel: Channel) -> Int? {
        channels.count > Self.few ? index[channel] : channels.firstIndex(of: channel)
    }

    /// False when the index already contains the channel.
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
