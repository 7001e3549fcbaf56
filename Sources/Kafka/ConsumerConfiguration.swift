/// How a consumer joins its group and how much it reads ahead.
public struct ConsumerConfiguration: Equatable, Sendable {
    /// `host:port`, separated by commas.
    public var brokers: String
    public var group: String
    /// A fixed name in the group (`group.instance.id`): a member that dies and comes back under its name gets its partitions at once. A second
    /// member of this name ends the first one: a fatal error, `FENCED_INSTANCE_ID`.
    public var member: String?
    /// Exact names; a name starting with `^` is a pattern. A topic need not exist yet.
    public var topics: [String]
    /// How long a broker may keep a fetch waiting for data. A real broker answers as soon as there is some;
    /// `MockCluster` does not, see `MockCluster.fetchWait`.
    public var fetchWait: Duration = .milliseconds(500)
    /// How often topics and their partition counts are looked up again: the longest time until a topic that was created,
    /// created again or enlarged is read.
    public var metadataRefresh: Duration = .seconds(10)
    /// The group gives a silent member's partitions to others after this. The least that Kafka's brokers accept by default, so that another hub
    /// takes over within ten seconds; a restart is shorter.
    public var sessionTimeout: Duration = .seconds(6)
    /// Records read ahead of `poll`, all partitions together; the broker keeps the rest.
    public var readAheadKibibytes: Int = 16 * 1_024
    /// Anything else, by librdkafka's names: `security.protocol`, `sasl.username`, `ssl.ca.location`, …
    public var properties = ClientProperties()

    public init(brokers: String, group: String, topics: [String]) {
        self.brokers = brokers
        self.group = group
        self.topics = topics
    }
}

extension ConsumerConfiguration {
    func handle() throws(KafkaError) -> ConfigurationHandle {
        let sessionMilliseconds = sessionTimeout.wholeMilliseconds
        return try ConfigurationHandle(
            defaults: [
                ("client.id", "hub"),
                ("fetch.wait.max.ms", String(fetchWait.wholeMilliseconds)),
                // An empty fetch is repeated at once, not after the default 500 ms, or `fetchWait` would promise too much.
                ("fetch.error.backoff.ms", "100"),
                ("topic.metadata.refresh.interval.ms", String(metadataRefresh.wholeMilliseconds)),
                ("session.timeout.ms", String(sessionMilliseconds)),
                ("heartbeat.interval.ms", String(max(100, sessionMilliseconds / 4))),
                ("queued.max.messages.kbytes", String(readAheadKibibytes)),
                ("queued.min.messages", "10000"),
                ("statistics.interval.ms", "2000"),
                ("reconnect.backoff.max.ms", "5000"),
                ("socket.keepalive.enable", "true"),
            ] + (member.map { [("group.instance.id", $0)] } ?? []),
            own: properties,
            fixed: [
                ("bootstrap.servers", brokers), ("group.id", group),
                ("partition.assignment.strategy", "cooperative-sticky"),
                ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
                ("log.queue", "true"), ("enable.partition.eof", "true"),
                // Offsets out of range (the topic was created again): from the start, because the hub recognizes a duplicate but not a gap.
                ("auto.offset.reset", "earliest"),
            ])
    }
}
