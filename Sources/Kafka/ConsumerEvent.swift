/// What a poll gave: the records that came before the event, then the event, if there was one.
public struct ConsumerPoll: Equatable, Sendable {
    /// In order within each partition.
    public var records: [KafkaRecord] = []
    public var event: ConsumerEvent?
    /// More events may be waiting: poll again without waiting for the descriptor.
    public var more = false
}

public enum ConsumerEvent: Equatable, Sendable {
    /// These partitions are read from now on, from where the group had committed. None of them is paused. `committed` has the
    /// partitions with a committed offset. It lacks those that the group's coordinator could not be asked about in time.
    case assigned([TopicPartition], committed: [NextOffset])
    /// The group wants these partitions for another member. Commit what is stored, then answer with `release`:
    /// until then the group waits. Their records are not to be committed any more afterwards.
    case revoking([TopicPartition])
    /// The group has already given these partitions away (the member was away too long): commit nothing for them.
    case lost([TopicPartition])
    /// The topic of these partitions was deleted. If it is created again before the group notices, they stay
    /// assigned and would go on at the old offsets: answer with `restart`. After a new assignment they begin at the beginning anyway.
    case vanished([TopicPartition])
    /// Everything up to this offset was read: there is nothing more at the moment.
    case ended(TopicPartition, at: Int64)
    /// The broker's answer to a commit, partition by partition.
    case committed([CommitResult])
    /// No broker can be reached; the client keeps trying by itself.
    case brokersDown
    /// A broker can be reached, for the first time or again.
    case brokersUp
    /// The client deals with it by itself unless the kind is `.fatal`.
    case failure(KafkaError, TopicPartition?)
    /// A line of librdkafka's own log. Level as in syslog: 0 emergency … 7 debug.
    case log(level: Int, facility: String, message: String)
}

public struct CommitResult: Equatable, Sendable {
    public var next: NextOffset
    /// Nil when committed.
    public var failure: KafkaError?
    public init(next: NextOffset, failure: KafkaError?) {
        self.next = next
        self.failure = failure
    }
}

public struct PollLimits: Equatable, Sendable {
    public var records: Int
    /// Passed by at most one record.
    public var bytes: Int
    public init(records: Int, bytes: Int) {
        self.records = records
        self.bytes = bytes
    }
}
