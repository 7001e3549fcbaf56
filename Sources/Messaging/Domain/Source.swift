/// A source of changes of which something was heard: a connector, by its `topic.prefix`.
public struct HeardSource: Equatable, Sendable {
    public var name: String
    /// Where it was heard.
    public var topic: String
    public var partition: Int32
    public var isHeartbeat: Bool
    public init(name: String, topic: String, partition: Int32, isHeartbeat: Bool) {
        self.name = name
        self.topic = topic
        self.partition = partition
        self.isHeartbeat = isHeartbeat
    }
}

/// What one hub of a consumer group tells the others of the sources, about once a second.
public struct SourceReport: Equatable, Sendable {
    public var group: String
    /// Heard since the last report, each source once.
    public var heard: [HeardSource]
    /// Sources of which this hub has stored everything that Kafka has in the partition where they were heard last, and heard nothing more.
    public var read: [String]
    /// Sources of which something may wait to be read.
    public var waiting: [String]
    public var silentAfter: Duration
    public init(group: String, heard: [HeardSource], read: [String], waiting: [String], silentAfter: Duration) {
        self.group = group
        self.heard = heard
        self.read = read
        self.waiting = waiting
        self.silentAfter = silentAfter
    }
}

/// What all hubs of a consumer group know of a source.
public struct SourceState: Equatable, Sendable {
    public var name: String
    /// Where its heartbeats come, or, without heartbeats, where it was heard last.
    public var topic: String
    public var partition: Int32
    /// Since any hub heard it.
    public var age: Duration
    /// Since it counts as silent; nil: it does not.
    public var silence: Duration?
    public init(name: String, topic: String, partition: Int32, age: Duration, silence: Duration?) {
        self.name = name
        self.topic = topic
        self.partition = partition
        self.age = age
        self.silence = silence
    }
}
